/* What real clients sent, byte for byte (tests/captures): requests, to be sent again. */
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';

import { ROOT } from './harness';
import { type Answer, type Request, type Target, request } from './http';

const FOLDER = path.join(ROOT, 'tests', 'captures');

/** Headers that the connection of the test makes anew. */
const OWN = ['host', 'connection', 'content-length', 'transfer-encoding'];

/** The request of the capture NAME: NAME.head.txt, and its body in NAME.txt or NAME.bin. */
export function captured(name: string): Request {
    const [first, ...lines] = readFileSync(path.join(FOLDER, `${name}.head.txt`), 'utf8')
        .trimEnd()
        .split(/\r?\n/);
    const [method, target] = first!.split(' ');
    const headers: Record<string, string> = {};
    let sizes: number[] | undefined;
    for (const line of lines) {
        const pieces = /^\(body was sent chunked: \[(.*)\]\)$/.exec(line);
        const colon = line.indexOf(':');
        if (pieces) {
            sizes = pieces[1]!.split(',').map(Number);
        } else if (!OWN.includes(line.slice(0, colon).toLowerCase())) {
            headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
        }
    }
    const file = ['txt', 'bin']
        .map((ending) => path.join(FOLDER, `${name}.${ending}`))
        .find((each) => existsSync(each));
    const body = file === undefined ? undefined : readFileSync(file);
    const is: Request = { method: method!, path: target!, headers };
    if (body && sizes) {
        let at = 0;
        return { ...is, pieces: sizes.map((size) => body.subarray(at, (at += size))) };
    }
    return body ? { ...is, body } : is;
}

export function sendCaptured(server: Target, name: string): Promise<Answer> {
    return request(server, captured(name));
}
