/*
 * Faults inside a follower (src/base/fault.h): `send --follow` is started with one point that fails,
 * while a file is written and rotated by rename, by copying and truncating, and into archives; where
 * it ends, it is started again, as whoever keeps services does. Whatever failed, and wherever it was
 * killed: at the end each line is stored exactly once.
 *
 * tests/support/faults.ts says which points are taken.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';

import { Ledger, isFlawless, tell } from '../follow/ledger';
import { Follower, Server } from '../follow/processes';
import { type Outcome, POWER_LOST, type Walk, chances, firedIn, isWanted, planOf, walkAll } from '../support/faults';
import {
    BINARY,
    Lab,
    PATIENCE_MS,
    endChild,
    environment,
    eventually,
    release,
    run,
    sleep,
    thenCleanUp,
} from '../support/harness';

const WALKS: Walk[] = [
    { kind: 'read', end: 'SIGTERM' },
    { kind: 'read', end: 'SIGKILL' },
    { kind: 'read', onwards: true, end: 'SIGTERM' },
    { kind: 'write', how: 'eio', end: 'SIGTERM' },
    { kind: 'write', how: 'enospc', onwards: true, end: 'SIGTERM' },
    { kind: 'write', how: 'short', end: 'SIGKILL' },
    { kind: 'sync', end: 'SIGTERM' },
    { kind: 'sync', onwards: true, end: 'SIGKILL' },
    { kind: 'library', end: 'SIGTERM' },
    { kind: 'library', onwards: true, end: 'SIGTERM' },
    { kind: 'input', end: 'SIGTERM' },
    { kind: 'small', end: 'SIGTERM' },
    { kind: 'write', how: 'power', end: 'SIGTERM' },
    { kind: 'write', how: 'torn', end: 'SIGTERM' },
    { kind: 'sync', how: 'power', end: 'SIGTERM' },
    { kind: 'sync', how: 'torn', end: 'SIGTERM' },
];

/** Once something has failed, as long as it is waited for what may never come. */
const AFTER_FAULT_MS = 400;
/** Of the storm. */
const [ROTATIONS, CHUNKS, CHUNK_LINES] = [20, 20, 50];
const SANITIZER_REPORT = /ERROR: \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:/;

/** A file that is written and rotated, whoever looks. */
class Rotated {
    readonly ledger: Ledger;
    private readonly file: string;
    private fd: number;
    private group: number;

    constructor(
        readonly folder: string,
        name: string,
        hasTimes: boolean,
    ) {
        this.ledger = new Ledger(name, hasTimes);
        this.file = path.join(folder, 'app.log');
        this.fd = fs.openSync(this.file, 'a');
        this.group = this.ledger.group();
    }

    close(): void {
        fs.closeSync(this.fd);
    }

    lines(count: number, fd = this.fd): void {
        const lines = Array.from({ length: count }, () => {
            const text = this.ledger.text();
            this.ledger.add(text, this.group);
            return `${text}\n`;
        });
        fs.writeSync(fd, lines.join(''));
    }

    private shift(ending = ''): void {
        const name = (n: number): string => `${this.file}.${n}${ending}`;
        let last = 1;
        while (fs.existsSync(name(last))) {
            last++;
        }
        for (let n = last; n > 1; n--) {
            fs.renameSync(name(n - 1), name(n));
        }
    }

    /** `late` lines go into the old file when the new one is there. */
    rename(late: number): void {
        this.shift();
        fs.renameSync(this.file, `${this.file}.1`);
        const old = this.fd;
        this.fd = fs.openSync(this.file, 'ax', 0o644);
        this.lines(late, old);
        fs.closeSync(old);
        this.group = this.ledger.group();
    }

    copyTruncate(): void {
        this.shift();
        fs.copyFileSync(this.file, `${this.file}.1`, fs.constants.COPYFILE_EXCL);
        fs.truncateSync(this.file);
        this.group = this.ledger.group();
    }

    /** By rename, and what was renamed becomes an archive, in two pieces. */
    async compress(): Promise<void> {
        this.rename(0);
        this.shift('.gz');
        const packed = gzipSync(fs.readFileSync(`${this.file}.1`));
        const fd = fs.openSync(`${this.file}.1.gz`, 'wx', 0o600);
        fs.writeSync(fd, packed.subarray(0, packed.length >> 1));
        await sleep(1);
        fs.writeSync(fd, packed.subarray(packed.length >> 1));
        fs.closeSync(fd);
        fs.unlinkSync(`${this.file}.1`);
    }
}

/** The follower whose fault comes, and those that take its place. */
class Victim {
    /** Of the first life. */
    stderr = '';
    private child: ChildProcess | undefined;
    private isFirst = true;

    constructor(
        private readonly server: Server,
        private readonly scene: Rotated,
        private readonly state: string,
        private readonly walk: Walk,
    ) {}

    start(plan?: string): void {
        const { folder, ledger } = this.scene;
        const args = ['send', '--follow', 'app.log', '--state', this.state, '--attr', `scene=${ledger.name}`];
        const child = spawn(BINARY, args, {
            cwd: folder,
            env: environment({
                LOGMILL_URL: `http://127.0.0.1:${this.server.port}`,
                ...(plan === undefined ? {} : { LOGMILL_FAULT: plan }),
            }),
            stdio: ['ignore', 'ignore', 'pipe'],
        });
        this.child = child;
        this.isFirst = plan !== undefined;
        release(child);
        child.stderr!.setEncoding('utf8').on('data', (text: string) => {
            this.stderr += plan === undefined ? `(later) ${text}` : text;
        });
    }

    get hasEnded(): boolean {
        return this.child!.exitCode !== null || this.child!.signalCode !== null;
    }

    /** Until all is there that was written, as far as that can be with a fault. */
    async settle(): Promise<void> {
        let firedAt = 0;
        const deadline = Date.now() + PATIENCE_MS;
        while (!(await this.hasAll())) {
            if (this.hasEnded) {
                this.judgeEnd();
                this.start();
            }
            if (firedAt === 0 && this.isFirst && firedIn(this.stderr, this.walk).fired) {
                firedAt = Date.now();
            }
            if (firedAt !== 0 && this.isFirst && Date.now() > firedAt + AFTER_FAULT_MS) {
                // Before it has begun it ends by itself, and what is rotated then is none of its files.
                if (await hasBegun(this.state)) {
                    return;
                }
            }
            assert.ok(
                Date.now() < deadline,
                `it stores no more: not all ${this.scene.ledger.wanted}`,
            );
            await sleep(10);
        }
    }

    /** So many may be there with some of them twice. */
    private async hasAll(): Promise<boolean> {
        const { ledger } = this.scene;
        if ((await this.server.count(ledger.name))! < ledger.wanted) {
            return false;
        }
        return (
            !mayForget(this.walk) ||
            ledger.judge((await this.server.logs(ledger.name))!).lost.length === 0
        );
    }

    async end(how: NodeJS.Signals): Promise<void> {
        const child = this.child!;
        await endChild(child, () => child.kill(how));
        this.judgeEnd(how);
    }

    private judgeEnd(asked?: NodeJS.Signals): void {
        const { exitCode: code, signalCode: signal } = this.child!;
        const fired = this.isFirst && firedIn(this.stderr, this.walk).fired;
        assert.doesNotMatch(this.stderr, SANITIZER_REPORT);
        if (fired && code === POWER_LOST && /power|torn/.test(this.walk.how ?? '')) {
            return;
        }
        if (fired && signal === 'SIGABRT' && this.walk.kind === 'small') {
            assert.match(this.stderr, /^logmill: out of memory$/m);
            return;
        }
        if (fired && (code === 1 || code === 2)) {
            assert.match(this.stderr, /^logmill send: /m); // it could not start, and has said why
            return;
        }
        const expected = asked === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal: asked };
        assert.deepEqual({ code, signal }, expected, this.stderr);
    }
}

/** Files with names of old ones are passed over by the first follower that begins a state. */
async function hasBegun(state: string): Promise<boolean> {
    const ran = await run(['sqlite3', '-readonly', state, 'SELECT count(*) FROM follower']);
    return ran.stdout.trim() === '1';
}

let scenes = 0;

/** Rotations of each kind, with the fault at point `number`; then a life without. */
async function play(lab: Lab, server: Server, walk: Walk, number: number): Promise<Outcome> {
    const hasTimes = number % 2 === 0;
    const scene = new Rotated(lab.folder(), `f${++scenes}x`, hasTimes);
    const state = path.join(lab.folder(), 'follow.db');
    const victim = new Victim(server, scene, state, walk);
    lab.finally(() => scene.close());
    scene.lines(30);
    victim.start(planOf(walk, number));
    lab.finally(() => victim.end('SIGKILL').catch(() => {}));
    try {
        scene.lines(20);
        await victim.settle();
        scene.rename(10);
        scene.lines(20);
        await victim.settle();
        await scene.compress();
        scene.lines(20);
        await victim.settle();
        scene.copyTruncate();
        scene.lines(20);
        await victim.settle();
        await victim.end(walk.end);
        const { fired, points } = firedIn(victim.stderr, walk);

        scene.lines(5); // in its absence
        if (await hasBegun(state)) {
            scene.rename(5);
        }
        scene.lines(10);
        victim.start();
        await victim.settle();
        scene.lines(5);
        await victim.settle();
        await victim.end('SIGTERM');
        const verdict = scene.ledger.judge((await server.logs(scene.ledger.name))!);
        if (mayForget(walk)) {
            verdict.doubled = verdict.disorder = [];
        }
        assert.ok(isFlawless(verdict), tell(verdict));
        return { fired, points, how: /\(later\)/.test(victim.stderr) ? 'said more' : 'stored all' };
    } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        throw new Error(
            `LOGMILL_FAULT=${planOf(walk, number)}, ${walk.end}, ${hasTimes ? 'with' : 'without'} times: ${text}\n${victim.stderr}`,
        );
    }
}

/**
 * Whether lines could be stored twice, as the follower says on stderr: up to its end it cannot write
 * down how far it is.
 */
function mayForget(walk: Walk): boolean {
    return walk.kind !== 'read' && (walk.end === 'SIGKILL' || walk.onwards === true);
}

/** One server for all runs. */
let stage: Promise<Server> | undefined;
const house = new Lab();

async function opened(): Promise<Server> {
    const server = await Server.make(house);
    await server.begin();
    return server;
}

async function runAt(walk: Walk, number: number): Promise<Outcome> {
    const server = await (stage ??= opened());
    const lab = new Lab();
    return thenCleanUp(lab, () => play(lab, server, walk, number));
}

walkAll(WALKS, runAt, { isGood: (how) => how === 'stored all', points: 3, isRough: true });

/**
 * Under load: lines are written without a pause, files rotate, and follower and server are killed at
 * moments that follow from the seed.
 */
const STORM = 'kill -9 of follower and server, through rotations under load';

void test(STORM, { skip: !isWanted(STORM) }, async (t) => {
    const lab = new Lab();
    await thenCleanUp(lab, async () => {
        for (const hasTimes of [true, false]) {
            t.diagnostic(await storm(lab, hasTimes));
        }
    });
});

async function storm(lab: Lab, hasTimes: boolean): Promise<string> {
    const seed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
    const chance = chances(seed);
    const scene = new Rotated(lab.folder(), `storm${hasTimes ? 1 : 0}x`, hasTimes);
    const server = await Server.make(lab);
    const follower = new Follower(lab, server, {
        args: ['app.log'],
        folder: scene.folder,
        state: path.join(lab.folder(), 'follow.db'),
        scene: scene.ledger.name,
    });
    lab.finally(() => scene.close());
    await server.begin();
    await follower.begin();
    scene.lines(1);
    const stored = async (): Promise<boolean> => {
        follower.checkRunning();
        return ((await server.count(scene.ledger.name)) ?? 0) >= scene.ledger.wanted;
    };
    try {
        // What is rotated before its first look is none of its files.
        await eventually('the first line', stored);
        for (let rotation = 0; rotation < ROTATIONS; rotation++) {
            for (let chunk = 0; chunk < CHUNKS; chunk++) {
                scene.lines(CHUNK_LINES);
                if (chance() < 0.05) {
                    follower.strike(chance() * 30, chance() * 100);
                }
                if (chance() < 0.02) {
                    server.strike(chance() * 30, chance() * 100);
                }
                await sleep(1);
            }
            const kind = chance();
            if (kind < 0.4) {
                scene.rename(Math.floor(chance() * 50));
            } else if (kind < 0.7) {
                scene.copyTruncate();
            } else {
                await scene.compress();
            }
        }
        await Promise.all([follower.recovered(), server.recovered()]);
        await eventually(`${scene.ledger.wanted} logs`, stored, 2 * PATIENCE_MS);
        await follower.stop();
        const verdict = scene.ledger.judge((await server.logs(scene.ledger.name))!);
        assert.ok(isFlawless(verdict), tell(verdict));
        return `${verdict.lines} lines, ${ROTATIONS} rotations, ${follower.kills} and ${server.kills} kills`;
    } catch (error) {
        const found = scene.ledger.judge((await server.logs(scene.ledger.name)) ?? []);
        throw new Error(
            `FAULT_SEED=${seed}: ${(error as Error).message}\n${tell(found)}\n${follower.stderr.slice(-4000)}`,
        );
    }
}

test.after(() => house.cleanUp());
