/* Clients that send anything at all, from a seed: right requests, spoiled. */
import * as zlib from 'node:zlib';

import { sleep } from './harness';
import { RawConnection, type Target, rawPost } from './http';
import { uuid7 } from './logs';

/** Numbers that a seed repeats (mulberry32). */
export function random(seed: number): () => number {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}

const LOG = JSON.stringify({
    message: 'hostile ä€😀',
    level: 'info',
    hostile: true,
    deep: [[{ a: 'b' }]],
});

/** Requests that are right, to be spoiled. */
export function seeds(): Buffer[] {
    const gzip = zlib.gzipSync(LOG);
    const head = (more: string): string =>
        `POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n${more}\r\n`;
    return [
        Buffer.from(rawPost('/log', LOG)),
        Buffer.from(rawPost('/logs', `[${LOG},${LOG}]`)),
        Buffer.from(rawPost('/logs', `${LOG}\n${LOG}\n`, 'Content-Type: application/x-ndjson\r\n')),
        Buffer.concat([
            Buffer.from(head(`Content-Encoding: gzip\r\nContent-Length: ${gzip.length}\r\n`)),
            gzip,
        ]),
        Buffer.from(
            `${head('Transfer-Encoding: chunked\r\n')}5\r\n${LOG.slice(0, 5)}\r\n0\r\nX: y\r\n\r\n`,
        ),
        Buffer.from(
            `${head(`Expect: 100-continue\r\nContent-Length: ${Buffer.byteLength(LOG)}\r\n`)}${LOG}`,
        ),
        Buffer.from(
            'GET /logs?limit=10&level=info&q=%C3%A4&attr.hostile=true&since=2020-01-01 HTTP/1.1\r\nHost: test\r\n\r\n',
        ),
        Buffer.from('GET /logs/stats?bucket=60&level=a&level=b HTTP/1.1\r\nHost: test\r\n\r\n'),
        Buffer.from(`GET /logs/${uuid7()} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`),
        Buffer.from(
            'GET /metrics HTTP/1.1\r\nHost: test\r\n\r\nHEAD /docs HTTP/1.1\r\nHost: test\r\n\r\n',
        ),
        Buffer.from('OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n'),
    ];
}

/** One of the seeds, or several in a row, with some bytes changed, cut, doubled or put in. */
export function spoiled(all: Buffer[], next: () => number): Buffer {
    const pick = (n: number): number => Math.floor(next() * n);
    let bytes = Buffer.concat(Array.from({ length: 1 + pick(3) }, () => all[pick(all.length)]!));
    for (let n = pick(4); n > 0; n--) {
        const at = pick(bytes.length);
        const end = Math.min(bytes.length, at + 1 + pick(20));
        switch (pick(4)) {
            case 0:
                bytes = Buffer.from(bytes);
                bytes[at] = pick(256);
                break;
            case 1:
                bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
                break;
            case 2:
                bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
                break;
            default:
                bytes = Buffer.concat([
                    bytes.subarray(0, at),
                    Buffer.alloc(1 + pick(9), pick(256)),
                    bytes.subarray(at),
                ]);
        }
    }
    return bytes;
}

/** One client after another that sends such bytes, whole or in pieces, and goes in one way or another. */
export async function hostile(server: Target, seed: number, going: () => boolean): Promise<void> {
    const next = random(seed);
    const all = seeds();
    while (going()) {
        const client = await RawConnection.open(server);
        const bytes = spoiled(all, next);
        const step = next() < 0.3 ? 1 + Math.floor(next() * 50) : bytes.length;
        for (let at = 0; at < bytes.length && !client.closed; at += step) {
            client.send(bytes.subarray(at, at + step));
            if (step < bytes.length) {
                await new Promise((resolve) => setImmediate(resolve));
            }
        }
        const end = next();
        if (end < 0.3) {
            client.socket.end(); // the server sees the end of the request
        } else if (end < 0.5) {
            client.reset();
        }
        await sleep(next() * 10);
        client.close();
    }
}
