/*
 * The blocks of docs/senders.md, which are run as they stand there: a fence behind a line
 * `<!-- run: NAME -->`. What is the reader's own in them is replaced: host, ports and folders. Blocks
 * of other senders, which the page does not show, are files of blocks/.
 */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import * as path from 'node:path';

import { ROOT } from '../support/harness';

const PAGE = readFileSync(path.join(ROOT, 'docs', 'senders.md'), 'utf8');
/** What the page calls the machine where logmill runs. */
const HOST = /logs\.example\.com/g;

const OTHERS = path.join(ROOT, 'tests', 'senders', 'blocks');

function textOf(name: string): string {
    const file = readdirSync(OTHERS).find((other) => path.parse(other).name === name);
    if (file !== undefined) {
        return readFileSync(path.join(OTHERS, file), 'utf8');
    }
    const found = new RegExp(`<!-- run: ${name} -->\n+\`\`\`\\w*\n([^]*?\n)\`\`\`\n`).exec(PAGE);
    assert.ok(found, `docs/senders.md has a block ${name}`);
    return found[1]!;
}

/** The ports of the page: HTTP, syslog, GELF and Fluent's. A block has one of them. */
const PORTS = /\b(8000|5514|12201|24224)\b/g;

/** The block of this name, sending to `port`, with each text of `mine` replaced by what it stands for. */
export function block(
    name: string,
    port?: number,
    mine: Record<string, string | number> = {},
): string {
    let text = textOf(name).replace(HOST, '127.0.0.1');
    if (port !== undefined) {
        assert.ok(text.search(PORTS) >= 0, `block ${name} has a port`);
        text = text.replaceAll(PORTS, String(port));
    }
    for (const [theirs, ours] of Object.entries(mine)) {
        assert.ok(text.includes(theirs), `block ${name} has ${theirs}`);
        text = text.replaceAll(theirs, String(ours));
    }
    return text;
}
