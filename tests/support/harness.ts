/*
 * What every test here stands on: logmill processes that are started on a free port with a data
 * folder of their own, watched, and stopped by pid; and scenarios, tests that own such processes
 * and fail if one of them ends otherwise than it was told to, or reports a sanitizer's finding.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import test from 'node:test';

import { get } from './http';

/** The top of the source tree, found from the folder that npm runs in or from the built file. */
export const ROOT = findRoot();
export const BINARY = path.resolve(
    process.env['LOGMILL_BIN'] ?? path.join(ROOT, 'build', 'logmill'),
);

/** The optimised binary, for what sanitizers would falsify: memory. */
export const OPTIMISED = path.resolve(
    process.env['LOGMILL_OPTIMISED'] ?? path.join(ROOT, 'build', 'logmill'),
);

/** True if the binary under test was built with a sanitizer that takes more memory. */
export const SANITIZED =
    existsSync(BINARY) && /__(asan|tsan)_init/.test(readFileSync(BINARY, 'latin1'));

/**
 * Waits that end early in any normal run; they only bound a run that goes wrong. A machine that does
 * much else may take a minute to start a server.
 */
export const PATIENCE_MS = 240_000;
/** The README promises 10 s for SIGTERM; a busy machine takes more for what is no wait of ours. */
export const STOP_MS = 60_000;

const SANITIZER_REPORT =
    /ERROR: (Address|Leak|Thread)Sanitizer|SUMMARY: \w+Sanitizer|runtime error:/;

function findRoot(): string {
    for (const start of [process.cwd(), __dirname]) {
        for (let at = start; at !== path.dirname(at); at = path.dirname(at)) {
            if (
                existsSync(path.join(at, 'meson.build')) &&
                existsSync(path.join(at, 'src', 'main.c'))
            ) {
                return at;
            }
        }
    }
    return path.resolve(process.cwd(), '..', '..');
}

export function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls `probe` until it returns something else than undefined or false, for PATIENCE_MS. */
export async function eventually<T>(
    what: string,
    probe: () => Promise<T | undefined | false>,
    patienceMs = PATIENCE_MS,
): Promise<T> {
    const end = Date.now() + patienceMs;
    let last: unknown;
    do {
        try {
            const value = await probe();
            if (value !== undefined && value !== false) {
                return value;
            }
            last = undefined;
        } catch (error) {
            last = error;
        }
        await sleep(40);
    } while (Date.now() < end);
    throw new Error(`gave up waiting: ${what}`, { cause: last });
}

/** One line of logmill's diagnostics. */
export interface Diagnostic {
    ts: string;
    level: string;
    msg: string;
    [field: string]: unknown;
}

export interface Ended {
    code: number | null;
    signal: NodeJS.Signals | null;
}

/** The environment of a test's process: nothing of the developer's settings gets in. */
export function environment(settings: Record<string, string>): Record<string, string> {
    const base: Record<string, string> = {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: process.env['HOME'] ?? '/',
        LC_ALL: 'C.UTF-8',
        ASAN_OPTIONS: process.env['ASAN_OPTIONS'] ?? 'detect_leaks=1',
        UBSAN_OPTIONS: process.env['UBSAN_OPTIONS'] ?? 'print_stacktrace=1',
        TSAN_OPTIONS: process.env['TSAN_OPTIONS'] ?? '',
        ALLOWED_HOSTS: '*', // tests send what comes to mind; "" is the default (access.test.ts)
    };
    return { ...base, ...settings };
}

const running = new Set<ChildProcess>();
const folders = new Set<string>();

// A run that ends early, or of some tests only (--test-name-pattern), leaves nothing behind either.
process.on('exit', () => {
    running.forEach((child) => child.kill('SIGKILL'));
    folders.forEach((folder) => rmSync(folder, { recursive: true, force: true }));
});

/** Lets the test run end though `child` still runs. */
export function release(child: ChildProcess): void {
    child.unref();
    for (const stream of [child.stdout, child.stderr]) {
        (stream as net.Socket | null)?.unref();
    }
}

/** Kills a released child by `kill`, and waits until it has ended. */
export async function endChild(child: ChildProcess, kill: () => void): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) {
        return;
    }
    const awake = setInterval(() => {}, 1000); // since the child itself does not keep us waiting
    const ended = new Promise((resolve) => child.once('close', resolve));
    kill();
    await ended;
    clearInterval(awake);
}

export interface StartOptions {
    command?: 'serve' | 'api' | 'worker';
    /** More arguments, such as --take-over. */
    args?: string[];
    settings?: Record<string, string>;
    /** Instead of the binary under test. */
    binary?: string;
    /** Where PORT speaks TLS: the authority that its certificate is of, in PEM. */
    ca?: string;
    /** Put before the binary, such as `prlimit …`; must exec it, so that the pid is logmill's. */
    wrapper?: string[];
}

/** A logmill process. */
export class Logmill {
    port = 0;
    readonly ca?: string;
    stderr = '';
    stdout = '';
    ended: Ended | undefined;
    private readonly child: ChildProcess;
    private readonly end: Promise<Ended>;
    private wantedEnd: 'exit 0' | 'killed' | 'refused' = 'exit 0';

    constructor(
        readonly dataDir: string,
        readonly options: StartOptions,
    ) {
        if (options.ca !== undefined) {
            this.ca = options.ca;
        }
        const command = [
            ...(options.wrapper ?? []),
            options.binary ?? BINARY,
            options.command ?? 'serve',
            ...(options.args ?? []),
        ];
        this.child = spawn(command[0]!, command.slice(1), {
            env: environment({ DATA_DIR: dataDir, PORT: '0', ...options.settings }),
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        running.add(this.child);
        release(this.child);
        this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
        this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
        this.end = new Promise((resolve) => {
            const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
                running.delete(this.child);
                this.ended = { code, signal };
                resolve(this.ended);
            };
            this.child.on('close', ended);
            this.child.on('error', (error) => {
                this.stderr += String(error);
                ended(127, null);
            });
        });
    }

    get pid(): number {
        return this.child.pid!;
    }

    /** The lines of stderr so far that are JSON. */
    diagnostics(): Diagnostic[] {
        const lines = this.stderr.split('\n').filter((line) => line.startsWith('{'));
        return lines.flatMap((line) => {
            try {
                return [JSON.parse(line) as Diagnostic];
            } catch {
                return []; // the last line may not be whole yet
            }
        });
    }

    /** Until it serves (a worker: until it says that it stores). */
    async ready(): Promise<this> {
        const isWorker = this.options.command === 'worker';
        await eventually(`start of ${this.options.command ?? 'serve'}`, async () => {
            if (this.ended !== undefined) {
                throw new Error(
                    `ended at its start: ${JSON.stringify(this.ended)}\n${this.stderr}`,
                );
            }
            if (isWorker) {
                const storing = this.diagnostics().find((line) => line.msg === 'storing');
                this.port = Number(storing?.['metrics_port'] ?? 0);
                return storing !== undefined;
            }
            const listening = this.diagnostics().find((line) => line.msg === 'listening');
            if (listening === undefined) {
                return false;
            }
            this.port = Number(listening['port']);
            const { status } = await get(this, '/ready');
            return [200, 401, 403].includes(status); // OPS_ACCESS may want a key
        });
        return this;
    }

    signal(signal: NodeJS.Signals): void {
        this.child.kill(signal);
    }

    /** Resolves when the process has ended; fails after `patienceMs`. */
    async waitForEnd(patienceMs: number): Promise<Ended> {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<never>((_, reject) => {
            timer = setTimeout(() => {
                const { exitCode, signalCode } = this.child;
                const state =
                    exitCode === null && signalCode === null
                        ? 'still running'
                        : `ended (${exitCode ?? signalCode}), but its output is still open elsewhere`;
                reject(new Error(`${state} after ${patienceMs} ms\n${this.stderr}`));
            }, patienceMs);
        });
        try {
            return await Promise.race([this.end, late]);
        } finally {
            clearTimeout(timer);
        }
    }

    /** SIGTERM; fails if it does not exit 0 in time. */
    async stop(): Promise<void> {
        if (this.ended === undefined) {
            this.signal('SIGTERM');
            await this.waitForEnd(STOP_MS);
        }
        this.verifyEnd();
    }

    /** kill -9. */
    async kill(): Promise<void> {
        this.wantedEnd = 'killed';
        if (this.ended === undefined) {
            this.signal('SIGKILL');
            await this.waitForEnd(PATIENCE_MS);
        }
        this.verifyEnd();
    }

    /** For a start that is to fail: resolves with how it ended. */
    async refuses(): Promise<Ended> {
        this.wantedEnd = 'refused';
        return this.waitForEnd(PATIENCE_MS);
    }

    abandon(): void {
        if (this.ended === undefined) {
            this.child.kill('SIGKILL');
        }
    }

    /** Fails if the process ended otherwise than the test made it end. */
    verifyEnd(): void {
        assert.doesNotMatch(this.stderr, SANITIZER_REPORT, `sanitizer report:\n${this.stderr}`);
        if (this.wantedEnd === 'exit 0') {
            assert.deepEqual(this.ended, { code: 0, signal: null }, this.stderr);
        } else if (this.wantedEnd === 'killed') {
            assert.deepEqual(this.ended, { code: null, signal: 'SIGKILL' }, this.stderr);
        }
    }
}

/** What one scenario owns. */
export class Lab {
    private readonly processes: Logmill[] = [];
    private readonly folders: string[] = [];
    private readonly undo: (() => Promise<void> | void)[] = [];

    /** A new empty folder. */
    folder(): string {
        const folder = mkdtempSync(path.join(tmpdir(), 'logmill-test-'));
        this.folders.push(folder);
        folders.add(folder);
        return folder;
    }

    /** Starts a process without waiting for anything. */
    launch(options: StartOptions = {}, dataDir = this.folder()): Logmill {
        const logmill = new Logmill(dataDir, options);
        this.processes.push(logmill);
        return logmill;
    }

    /** Starts a process and waits until it serves. */
    start(options: StartOptions = {}, dataDir?: string): Promise<Logmill> {
        return this.launch(options, dataDir).ready();
    }

    /** Runs at the end of the scenario, whatever comes, before its folders are removed. */
    finally(action: () => Promise<void> | void): void {
        this.undo.push(action);
    }

    async stopAll(): Promise<void> {
        for (const logmill of this.processes) {
            await (logmill.ended === undefined ? logmill.stop() : logmill.verifyEnd());
        }
    }

    abandonAll(): void {
        this.processes.forEach((logmill) => logmill.abandon());
    }

    /** All of it is undone even if a part fails; fails then as the first part that did. */
    async cleanUp(): Promise<void> {
        this.abandonAll();
        const parts = [
            () => Promise.all(this.processes.map((logmill) => logmill.waitForEnd(PATIENCE_MS))),
            ...this.undo.reverse(),
            ...this.folders.map((folder) => () => {
                rmSync(folder, { recursive: true, force: true });
                folders.delete(folder);
            }),
        ];
        const failures: unknown[] = [];
        for (const part of parts) {
            try {
                await part();
            } catch (error) {
                failures.push(error);
            }
        }
        if (failures.length > 0) {
            throw failures[0];
        }
    }

    /** What the processes said, for a failure's message. */
    transcript(limit = 4000): string {
        return this.processes
            .map(
                (p) =>
                    `--- ${p.options.command ?? 'serve'} pid ${p.pid}\n${p.stderr.slice(-limit)}`,
            )
            .join('\n');
    }
}

export interface ScenarioOptions {
    timeoutMs?: number;
    skip?: string | false;
}

/**
 * A test that owns a Lab. At its end every process still running is stopped and must exit 0, and
 * none may have reported a sanitizer's finding.
 */
export function scenario(
    name: string,
    body: (lab: Lab) => Promise<void>,
    { timeoutMs = 900_000, skip = false }: ScenarioOptions = {},
): void {
    void test(name, { skip }, async () => {
        const lab = new Lab();
        let timer: NodeJS.Timeout | undefined;
        // A time-out of the runner's own would leave our processes running, and the run with them.
        const late = new Promise<never>((_, reject) => {
            timer = setTimeout(() => {
                lab.abandonAll();
                reject(new Error(`not done after ${timeoutMs} ms`));
            }, timeoutMs);
        });
        await thenCleanUp(lab, async () => {
            try {
                await Promise.race([body(lab).then(() => lab.stopAll()), late]);
            } catch (error) {
                addToStack(error, lab.transcript());
                throw error;
            } finally {
                clearTimeout(timer);
            }
        });
    });
}

/** To what the runner prints of an error. */
function addToStack(error: unknown, text: string): void {
    if (error instanceof Error) {
        error.stack = `${error.stack}\n${text}`;
    }
}

/**
 * Runs `body`, then cleans up `lab`. Where both fail, it fails as `body` did: that is what has to
 * be known, and the other one may come of it.
 */
export async function thenCleanUp<T>(lab: Lab, body: () => Promise<T>): Promise<T> {
    let result: T;
    try {
        result = await body();
    } catch (error) {
        await lab.cleanUp().catch((other: unknown) => {
            addToStack(error, `and then, cleaning up: ${String(other)}`);
        });
        throw error;
    }
    await lab.cleanUp();
    return result;
}

/**
 * One server for the tests of a file that do not disturb each other: `server` is that of the test
 * that runs. `end()`, called last in the file, is the test that it stops well.
 */
export function shared(options: StartOptions | ((lab: Lab) => StartOptions) = {}): {
    server: () => Promise<Logmill>;
    check: (name: string, body: (server: Logmill) => Promise<void>) => void;
    end: () => void;
} {
    const lab = new Lab();
    let started: Promise<Logmill> | undefined;
    const server = (): Promise<Logmill> =>
        (started ??= lab.start(typeof options === 'function' ? options(lab) : options));
    return {
        server,
        check: (name, body) => {
            void test(name, { timeout: 300_000 }, async () => body(await server()));
        },
        end: () => {
            void test('the server that took all this stops with exit code 0, without leaks', async () => {
                await thenCleanUp(lab, async () => {
                    await server();
                    await lab.stopAll();
                });
            });
        },
    };
}

export interface Ran extends Ended {
    bytes: Buffer; // stdout as it came
    stdout: string;
    stderr: string;
}

/** Runs a program to its end. */
export async function run(
    command: string[],
    { settings = {}, input }: { settings?: Record<string, string>; input?: string | Buffer } = {},
): Promise<Ran> {
    const child = spawn(command[0]!, command.slice(1), { env: environment(settings) });
    running.add(child);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.on('data', (piece: Buffer) => err.push(piece));
    child.stdin.on('error', () => {}); // a program that does not read its input is no failure
    child.stdin.end(input);
    const timer = setTimeout(() => child.kill('SIGKILL'), 2 * PATIENCE_MS);
    const ended = await new Promise<Ended>((resolve, reject) => {
        child.on('close', (code, signal) => resolve({ code, signal }));
        child.on('error', reject);
    });
    clearTimeout(timer);
    running.delete(child);
    const bytes = Buffer.concat(out);
    const ran = {
        ...ended,
        bytes,
        stdout: bytes.toString('utf8'),
        stderr: Buffer.concat(err).toString('utf8'),
    };
    assert.doesNotMatch(ran.stderr, SANITIZER_REPORT, ran.stderr);
    return ran;
}

/** Runs logmill itself to its end. */
export function runLogmill(args: string[], settings: Record<string, string> = {}): Promise<Ran> {
    return run([BINARY, ...args], { settings });
}

/** Compresses with the zstd program: Node 18 and 20 have no zstd of their own. */
export async function zstd(plain: string | Buffer): Promise<Buffer> {
    const ran = await run(['zstd', '-q', '-c'], { input: plain });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.bytes;
}

/** Runs SQL in a database file with SQLite's shell and returns its rows. */
export async function sqlite<T = Record<string, unknown>>(file: string, sql: string): Promise<T[]> {
    const ran = await run(['sqlite3', '-json', '-cmd', '.timeout 10000', file], { input: sql });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim() === '' ? [] : (JSON.parse(ran.stdout) as T[]);
}

const LOWEST_PORT = 12_000;
const HIGHEST_PORT = 32_000;

/**
 * A port that was free a moment ago, below those that the system gives to connections: so none of
 * them takes it while a server that had it is restarted.
 */
export async function freePort(): Promise<number> {
    for (;;) {
        const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
        const isFree = await new Promise<boolean>((resolve) => {
            const server = net.createServer();
            server.on('error', () => resolve(false));
            server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
        });
        if (isFree) {
            return port;
        }
    }
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
