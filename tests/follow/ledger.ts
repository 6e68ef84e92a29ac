/*
 * What was written, record by record, and what became of it: each record is to be there once, as it
 * was written, in the order of its file.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';

import type { Log } from '../support/logs';

/** A record: a line, or several that are one log. */
export interface Entry {
    text: string;
    /** The lines that it is made of, as they stand in the files. */
    pieces: string[];
    /** What was written by one descriptor between two truncations has an order. */
    group: number;
    /** It was there at a moment at which all had to be there. */
    wasThere: boolean;
    /** Nobody could be sure to have it: it went while it was in no file that has a name. */
    isExcused: boolean;
    /** Of its own, in microseconds since 1970. */
    time?: string;
}

export interface Verdict {
    /** Of the entries, and how many of them nobody could be sure to have, and are not there. */
    lines: number;
    excused: number;
    lost: string[];
    doubled: string[];
    broken: string[];
    disorder: string[];
}

const WIDTH = 100;

export class Ledger {
    readonly entries: Entry[] = [];
    private readonly byText = new Map<string, Entry[]>();
    private groups = 0;
    private clock = Date.now() - 3_600_000;

    /** @param hasTimes whether lines begin with a time of their own, several with the same. */
    constructor(
        readonly name: string,
        readonly hasTimes: boolean,
    ) {}

    group(): number {
        return ++this.groups;
    }

    /** What is written meanwhile need not be there. */
    gap(write: () => void): void {
        const { length } = this.entries;
        write();
        this.entries.slice(length).forEach((entry) => (entry.isExcused = true));
    }

    /** The next line, some hundred bytes with its number. */
    text(note = ''): string {
        const number = String(++this.clock % 1_000_000_000).padStart(9, '0');
        // three lines have the same time
        const ms = this.clock - (this.clock % 3);
        const head = this.hasTimes ? `${new Date(ms).toISOString()} INFO ` : '';
        const text = `${head}line ${number} of ${this.name} ${note}`;
        return text.padEnd(WIDTH - 1, 'abcdefghij');
    }

    /** Expects a log with this text. */
    add(text: string, group: number, pieces = text.split('\n')): string {
        const entry: Entry = { text, pieces, group, wasThere: false, isExcused: false };
        const time = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z/.exec(text);
        if (time !== null) {
            entry.time = `${time[1]}000Z`;
        }
        this.entries.push(entry);
        const equal = this.byText.get(text);
        if (equal === undefined) {
            this.byText.set(text, [entry]);
        } else {
            equal.push(entry);
        }
        return text;
    }

    /** So many logs there have to be, at least. */
    get wanted(): number {
        return this.entries.filter((entry) => !entry.isExcused).length;
    }

    /** All that was written so far, and has to be there, was seen. */
    confirm(): void {
        this.entries.forEach((entry) => (entry.wasThere ||= !entry.isExcused));
    }

    /** What was never seen, and is in no file any more, need not be there. */
    excuse(folder: string): void {
        const left = new Set(linesOf(folder));
        for (const entry of this.entries) {
            if (!entry.wasThere && !entry.pieces.every((piece) => left.has(piece))) {
                entry.isExcused = true;
            }
        }
    }

    /** `logs`: oldest first. */
    judge(logs: Pick<Log, 'message' | 'timestamp'>[]): Verdict {
        const seen = new Map<string, number>();
        const broken: string[] = [];
        const disorder: string[] = [];
        const last = new Map<number, [index: number, text: string]>();
        const places = new Map(this.entries.map((entry, index) => [entry.text, index]));
        for (const { message, timestamp } of logs) {
            const entries = this.byText.get(message);
            if (entries === undefined) {
                broken.push(message);
                continue;
            }
            seen.set(message, (seen.get(message) ?? 0) + 1);
            const { time, group } = entries[0]!;
            if (time !== undefined && time !== timestamp) {
                broken.push(`${message} has the time ${timestamp}`);
            }
            if (entries.length === 1) {
                const place = places.get(message)!;
                const before = last.get(group);
                if (before !== undefined && before[0] > place) {
                    disorder.push(`${message} stands behind ${before[1]}`);
                }
                last.set(group, [place, message]);
            }
        }
        const verdict: Verdict = {
            lines: this.entries.length,
            excused: 0,
            lost: [],
            doubled: [],
            broken,
            disorder,
        };
        for (const [text, entries] of this.byText) {
            const count = seen.get(text) ?? 0;
            const wanted = entries.filter((entry) => !entry.isExcused).length;
            verdict.lost.push(...Array<string>(Math.max(0, wanted - count)).fill(text));
            verdict.doubled.push(...Array<string>(Math.max(0, count - entries.length)).fill(text));
            verdict.excused += Math.max(0, entries.length - Math.max(count, wanted));
        }
        return verdict;
    }
}

export function isFlawless(verdict: Verdict): boolean {
    const { lost, doubled, broken, disorder } = verdict;
    return lost.length + doubled.length + broken.length + disorder.length === 0;
}

/** In a few lines, with examples. */
export function tell(verdict: Verdict): string {
    const say = (what: string, texts: string[]): string =>
        `${texts.length} ${what}` +
        examples(texts)
            .map((text) => `\n    ${text.slice(0, 160).replace(/\n/g, '\\n').replace(/\0/g, '\\0')}`)
            .join('');
    return [
        `${verdict.lines} lines, ${verdict.excused} that nobody could be sure to have`,
        say('lost', verdict.lost),
        say('doubled', verdict.doubled),
        say('broken', verdict.broken),
        say('out of order', verdict.disorder),
    ].join('\n');
}

function examples(texts: string[]): string[] {
    return texts.length <= 4 ? texts : [...texts.slice(0, 2), '…', ...texts.slice(-2)];
}

/** All lines of all files of a folder, and of those in it, archives as well. */
export function linesOf(folder: string): string[] {
    const lines: string[] = [];
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const file = path.join(folder, entry.name);
        if (entry.isDirectory()) {
            lines.push(...linesOf(file));
        } else if (entry.isFile()) {
            const text = plain(withoutHole(file)).toString('utf8');
            for (const line of text.split('\n')) {
                lines.push(line.replace(/^\0+/, ''));
            }
        }
    }
    return lines;
}

/** What is in a file; of zeros that are many there are fewer. */
function withoutHole(file: string): Buffer {
    if (statSync(file).size < 1 << 28) {
        return readFileSync(file);
    }
    const pieces: Buffer[] = [];
    const piece = Buffer.alloc(1 << 20);
    const zeros = Buffer.alloc(piece.length);
    const fd = openSync(file, 'r');
    for (let at = 0, n; (n = readSync(fd, piece, 0, piece.length, at)) > 0; at += n) {
        if (!piece.subarray(0, n).equals(zeros.subarray(0, n))) {
            pieces.push(Buffer.from(piece.subarray(0, n)));
        }
    }
    closeSync(fd);
    return Buffer.concat(pieces);
}

/** What is in a file, whatever it is compressed with. */
export function plain(bytes: Buffer): Buffer {
    const head = bytes.subarray(0, 4).toString('hex');
    if (head.startsWith('1f8b')) {
        return gunzipSync(bytes);
    }
    const program = { '28b52ffd': 'zstd', fd377a58: 'xz' }[head];
    if (program !== undefined) {
        const ran = spawnSync(program, ['-dcq'], { input: bytes, maxBuffer: 1 << 30 });
        if (ran.status !== 0) {
            throw new Error(`${program}: ${String(ran.stderr)}`);
        }
        return ran.stdout;
    }
    return bytes;
}

export function sizeOf(file: string): number {
    return statSync(file).size;
}
