/*
 * Where a scene plays: a folder, writers, and what operators do to files. Each operation is a step,
 * at which, by dice, the follower or the server is struck.
 */
import { strict as assert } from 'node:assert';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';

import { run, sleep } from '../support/harness';
import type { Dice } from '../torture/plan';
import { Ledger } from './ledger';

/** Whoever reads the files. */
export interface Audience {
    /** Follows `args`, from now on. */
    start(args: string[]): Promise<void>;
    /** It ends, as SIGTERM makes it, or by kill -9; and comes back by start(). */
    stop(): Promise<void>;
    /** kill -9, and at once a new life. */
    crash(): Promise<void>;
    /** Until it has all that the ledger wants. */
    caughtUp(): Promise<void>;
    /** There would be time for that; but often it is not waited for. */
    mayCatchUp(): Promise<void>;
    /** Time in which nobody writes. */
    pause(ms: number): Promise<void>;
    /** Something befalls it, at a step of this weight (0 to 1). */
    strike(weight: number): void;
}

const SLOWLY_MS = 25; // between what a writer writes, where it has time

export class Stage {
    readonly ledger: Ledger;
    private readonly undo: (() => void)[] = [];

    constructor(
        readonly folder: string,
        name: string,
        readonly dice: Dice,
        readonly audience: Audience,
        hasTimes = dice.chance(0.5),
    ) {
        this.ledger = new Ledger(name, hasTimes);
    }

    at(name: string): string {
        return path.join(this.folder, name);
    }

    finally(action: () => void): void {
        this.undo.push(action);
    }

    /** Closes what is open. */
    close(): void {
        this.undo.reverse().forEach((action) => action());
    }

    /** What an operator does: one system call, or some that belong together. */
    async step<T>(operation: () => T | Promise<T>, weight = 0.15): Promise<T> {
        this.audience.strike(weight);
        const done = await operation();
        await breath();
        return done;
    }

    follow(...args: string[]): Promise<void> {
        return this.audience.start(args);
    }

    stop(): Promise<void> {
        return this.audience.stop();
    }

    crash(): Promise<void> {
        return this.audience.crash();
    }

    caughtUp(): Promise<void> {
        return this.audience.caughtUp();
    }

    mayCatchUp(): Promise<void> {
        return this.audience.mayCatchUp();
    }

    /** Somebody who waits might wait, or not. */
    async mayRest(): Promise<void> {
        if (this.dice.chance(0.5)) {
            await this.pause(this.dice.int(0, 400));
        }
    }

    pause(ms: number): Promise<void> {
        return this.audience.pause(ms);
    }

    /** A program that writes lines into a file, which it makes if it is not there. */
    async open(name: string, options: WriterOptions = {}): Promise<Writer> {
        const writer = new Writer(this, options);
        await writer.open(name);
        this.finally(() => writer.close());
        return writer;
    }

    async mkdir(name: string): Promise<void> {
        await this.step(() => fs.mkdirSync(this.at(name), { recursive: true }));
    }

    async rename(from: string, to: string): Promise<void> {
        await this.step(() => fs.renameSync(this.at(from), this.at(to)));
    }

    async unlink(name: string): Promise<void> {
        await this.step(() => fs.unlinkSync(this.at(name)));
    }

    /** L.3 → L.4, L.2 → L.3, L.1 → L.2; `ending`: of their names, ".gz". */
    async shift(name: string, ending = '', first = 1): Promise<void> {
        let last = first;
        while (fs.existsSync(this.at(`${name}.${last}${ending}`))) {
            last++;
        }
        for (let n = last; n > first; n--) {
            await this.rename(`${name}.${n - 1}${ending}`, `${name}.${n}${ending}`);
        }
    }

    /** As logrotate copies: made anew, written, and on the disk. */
    async copy(from: string, to: string): Promise<void> {
        await this.step(() => {
            const fd = fs.openSync(this.at(to), 'wx', 0o600);
            fs.writeSync(fd, fs.readFileSync(this.at(from)));
            fs.fsyncSync(fd);
            fs.closeSync(fd);
        });
    }

    /** A file that is not there is made, as logrotate's create does. */
    async create(name: string): Promise<void> {
        await this.step(() => fs.closeSync(fs.openSync(this.at(name), 'wx', 0o644)));
    }

    async link(from: string, to: string): Promise<void> {
        await this.step(() => fs.linkSync(this.at(from), this.at(to)));
    }

    async remove(name: string): Promise<void> {
        await this.step(() => fs.rmSync(this.at(name), { recursive: true }));
    }

    /** As logrotate's copytruncate: with lines between both, which are in no file then. */
    async copyTruncate(writer: Writer, name: string, to: string, gap = 0): Promise<void> {
        await this.step(() => {
            const fd = fs.openSync(this.at(to), 'wx', 0o600);
            fs.writeSync(fd, fs.readFileSync(this.at(name)));
            fs.fsyncSync(fd);
            fs.closeSync(fd);
            this.ledger.gap(() => writer.now(gap));
            fs.truncateSync(this.at(name));
            writer.begin();
        }, 0.3);
    }

    async truncate(name: string): Promise<void> {
        await this.step(() => fs.truncateSync(this.at(name)));
    }

    async symlink(target: string, name: string): Promise<void> {
        await this.step(() => fs.symlinkSync(target, this.at(name)));
    }

    /** The link leads elsewhere from now on, at once. */
    async relink(target: string, name: string): Promise<void> {
        await this.step(() => {
            fs.symlinkSync(target, this.at(`${name}.tmp`));
            fs.renameSync(this.at(`${name}.tmp`), this.at(name));
        });
    }

    /**
     * As gzip and logrotate compress: the archive grows under its own name, and is whole before the
     * source goes.
     */
    async compress(
        from: string,
        to: string,
        { form = 'gzip', unlinks = true }: { form?: Form; unlinks?: boolean } = {},
    ): Promise<void> {
        const packed = await pack(fs.readFileSync(this.at(from)), form);
        const fd = fs.openSync(this.at(to), 'wx', 0o600);
        const half = packed.length >> 1;
        await this.step(() => fs.writeSync(fd, packed, 0, half));
        await this.step(() => fs.writeSync(fd, packed, half));
        const { atime, mtime } = fs.statSync(this.at(from));
        fs.futimesSync(fd, atime, mtime);
        fs.closeSync(fd);
        if (unlinks) {
            await this.unlink(from);
        }
    }

    /** The source goes when half of the archive is there. */
    async compressLate(from: string, to: string): Promise<void> {
        const packed = gzipSync(fs.readFileSync(this.at(from)));
        const fd = fs.openSync(this.at(to), 'wx', 0o600);
        const half = packed.length >> 1;
        await this.step(() => fs.writeSync(fd, packed, 0, half));
        await this.unlink(from);
        await this.step(() => fs.writeSync(fd, packed, half));
        fs.closeSync(fd);
    }
}

export type Form = 'gzip' | 'zstd' | 'xz';

async function pack(bytes: Buffer, form: Form): Promise<Buffer> {
    if (form === 'gzip') {
        return gzipSync(bytes);
    }
    const ran = await run([form, '-cq'], { input: bytes });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.bytes;
}

/** Others get their turn: timers, signals, what came from processes. */
function breath(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
}

export interface WriterOptions {
    /** Without O_APPEND it goes on at its own place, whatever was truncated. */
    appends?: boolean;
    /** Opens with O_TRUNC. */
    truncates?: boolean;
    /** In each line. */
    note?: string;
    /** What stands in the file for a line. */
    wrap?: (text: string) => string;
}

export class Writer {
    group = 0;
    private fd = -1;

    constructor(
        private readonly stage: Stage,
        private readonly options: WriterOptions,
    ) {}

    async open(name: string): Promise<void> {
        const { appends = true, truncates = false } = this.options;
        const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC } = fs.constants;
        const flags = O_WRONLY | O_CREAT | (appends ? O_APPEND : 0) | (truncates ? O_TRUNC : 0);
        await this.stage.step(() => (this.fd = fs.openSync(this.stage.at(name), flags, 0o644)));
        this.begin();
    }

    /** What follows has an order of its own: the file was truncated, or is another one. */
    begin(): void {
        this.group = this.stage.ledger.group();
    }

    close(): void {
        if (this.fd >= 0) {
            fs.closeSync(this.fd);
            this.fd = -1;
        }
    }

    /** Closes and opens, as a program does that was told that its log was rotated. */
    async reopen(name: string): Promise<void> {
        this.close();
        await this.open(name);
    }

    /** Writes so many lines, as fast as it goes, or in `ms`. */
    async lines(count: number, ms = 0): Promise<void> {
        const end = Date.now() + ms;
        let left = count;
        while (left > 0) {
            const share = ms === 0 ? 20 : Math.ceil((left * SLOWLY_MS) / Math.max(end - Date.now(), 1));
            const chunk = Math.min(left, Math.max(1, share));
            await this.stage.step(() => this.now(chunk), 0.02);
            left -= chunk;
            if (ms > 0) {
                await sleep(Math.min(SLOWLY_MS, Math.max(0, end - Date.now())));
            }
        }
    }

    /** The same without anybody else's turn between them. */
    now(count: number): void {
        this.raw(Array.from({ length: count }, () => `${this.line()}\n`).join(''));
    }

    /** The next line, which is expected from now on, as it has to stand in the file. */
    line(): string {
        const { note, wrap = (text) => text } = this.options;
        const text = this.stage.ledger.text(note);
        const wrapped = wrap(text);
        this.stage.ledger.add(text, this.group, [wrapped]);
        return wrapped;
    }

    /**
     * The next record: its pieces, as they will stand in files, which together are the log that is
     * expected from now on.
     */
    expected(pieces: (line: string) => string[], between = ''): string[] {
        const made = pieces(this.stage.ledger.text(this.options.note));
        this.stage.ledger.add(made.join(between), this.group, made);
        return made;
    }

    /** Bytes, of which the ledger knows what has to be known. */
    raw(bytes: string | Buffer): void {
        const data = Buffer.from(bytes as string);
        assert.equal(fs.writeSync(this.fd, data), data.length);
    }
}
