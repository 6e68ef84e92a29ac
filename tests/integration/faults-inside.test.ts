/*
 * Faults inside the process (src/base/fault.h): the real binary is started with one point that
 * fails, is given the same work each time, and ends; then a start without faults shows what is
 * there. Whatever failed: every 201 is there exactly once, nothing that was refused is there, the
 * files are whole, and the process went on, stopped well, or ended with one line that says why.
 *
 * tests/support/faults.ts says which points are taken.
 */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';

import {
    type Outcome,
    POWER_LOST,
    type Walk,
    firedIn,
    hasSeam,
    planOf,
    walkAll,
} from '../support/faults';
import {
    Lab,
    type Logmill,
    PATIENCE_MS,
    SANITIZED,
    run,
    sleep,
    thenCleanUp,
} from '../support/harness';
import { type Answer, get, post } from '../support/http';
import { allLogs, atRest } from '../support/logs';

/** More than anybody says who tries again with growing pauses. */
const LINES_MAX = 200;

const WALKS: Walk[] = [
    { kind: 'small', end: 'SIGTERM' },
    { kind: 'input', end: 'SIGTERM' },
    { kind: 'input', onwards: true, end: 'SIGTERM' },
    { kind: 'library', end: 'SIGTERM' },
    { kind: 'library', onwards: true, end: 'SIGTERM' },
    { kind: 'write', how: 'eio', end: 'SIGTERM' },
    { kind: 'write', how: 'eio', onwards: true, end: 'SIGKILL' },
    { kind: 'write', how: 'enospc', onwards: true, end: 'SIGTERM' },
    { kind: 'write', how: 'short', end: 'SIGKILL' },
    { kind: 'sync', end: 'SIGTERM' },
    { kind: 'sync', end: 'SIGKILL' },
    { kind: 'sync', onwards: true, end: 'SIGTERM' },
    { kind: 'sync', onwards: true, end: 'SIGKILL' },
    { kind: 'write', how: 'power', end: 'SIGTERM' },
    { kind: 'write', how: 'torn', end: 'SIGTERM' },
    { kind: 'sync', how: 'power', end: 'SIGTERM' },
    { kind: 'sync', how: 'torn', end: 'SIGTERM' },
];

type Fate = 'taken' | 'refused' | 'unknown';

/** What became of each log, by the word its message begins with. */
type Fates = Map<string, Fate>;

interface Post {
    path: '/log' | '/logs';
    labels: string[];
    body: string | Buffer;
    headers?: Record<string, string>;
    good: boolean;
}

function one(label: string, padding = ''): Post {
    const body = JSON.stringify({ message: `${label} ${padding}`, level: 'info', n: 1 });
    return { path: '/log', labels: [label], body, good: true };
}

function many(prefix: string, count: number): { labels: string[]; logs: object[] } {
    const labels = Array.from({ length: count }, (_, n) => `${prefix}${n}`);
    const logs = labels.map((label) => ({ message: `${label} of many`, level: 'warn', in: {} }));
    return { labels, logs };
}

/** The work of a run: rounds of requests that are sent together. */
function rounds(): Post[][] {
    const batch = many('batch', 20);
    const lines = many('line', 30);
    const zipped = gzipSync(lines.logs.map((log) => JSON.stringify(log)).join('\n'));
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`key${n}`, n]));
    return [
        [one('first')],
        [
            one('second'),
            { path: '/logs', labels: batch.labels, body: JSON.stringify(batch.logs), good: true },
            {
                path: '/logs',
                labels: lines.labels,
                body: zipped,
                headers: { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip' },
                good: true,
            },
        ],
        [
            { path: '/log', labels: ['bad0'], body: '{"message":"bad0 level"}', good: false },
            { path: '/log', labels: ['bad1'], body: '{"message":"bad1 cut', good: false },
            {
                path: '/logs',
                labels: ['bad2', 'bad3'],
                body: '[{"message":"bad2 x","level":"info"},{"message":"bad3 y"}]',
                good: false,
            },
            {
                path: '/log',
                labels: ['bad4'],
                body: Buffer.concat([zipped.subarray(0, 40), Buffer.from('bad4')]),
                headers: { 'Content-Encoding': 'gzip' },
                good: false,
            },
        ],
        [
            one('large', 'x'.repeat(300_000)),
            {
                path: '/log',
                labels: ['wide'],
                body: JSON.stringify({ message: 'wide \u0000', level: 'debug', ...wide }),
                good: true,
            },
        ],
        Array.from({ length: 6 }, (_, n) => one(`together${n}`)),
        [one('last')],
    ];
}

const READS = ['/logs?limit=5&slice=9', '/logs?q=batch&attr.n=1', '/logs/stats', '/ready', '/metrics'];
/** With a log of 300 KB: sent in pieces, and broken off if there is no memory for one of them. */
const READ_IN_PIECES = '/logs?limit=5';

/** One run: a victim with a fault, and what it answered. */
class Run {
    readonly fates: Fates = new Map();
    /** Requests without an answer while the process lived. */
    readonly cut: string[] = [];
    private over = false;

    constructor(
        private readonly victim: Logmill,
        private readonly walk: Walk,
    ) {}

    /** The port, or undefined if it ends before it listens. */
    async port(): Promise<number | undefined> {
        const deadline = Date.now() + PATIENCE_MS;
        while (this.victim.ended === undefined) {
            const listening = this.victim.diagnostics().find((line) => line.msg === 'listening');
            if (listening !== undefined) {
                return Number(listening['port']);
            }
            assert.ok(Date.now() < deadline, 'it neither listens nor ends');
            await sleep(5);
        }
        return undefined;
    }

    async work(): Promise<void> {
        for (const round of rounds()) {
            if (this.over) {
                return;
            }
            await Promise.all(round.map((item) => this.send(item)));
        }
        await Promise.all([
            ...READS.map((read) => this.read(read)),
            get(this.victim, READ_IN_PIECES).catch(() => undefined),
        ]);
    }

    private async answer(what: string, asked: Promise<Answer>): Promise<Answer | undefined> {
        try {
            const answer = await asked;
            if (answer.status >= 400) {
                assert.ok(answer.json().detail, `${what}: ${answer.text}`);
            }
            return answer;
        } catch (error) {
            if (error instanceof assert.AssertionError) {
                throw error;
            }
            await sleep(100); // a process that has ended is known to have after a moment
            this.over = this.victim.ended !== undefined;
            if (!this.over) {
                this.cut.push(`${what}: ${error}`);
            }
            return undefined;
        }
    }

    private async send(item: Post): Promise<void> {
        const asked = post(this.victim, item.path, item.body, item.headers);
        const what = `POST of ${item.labels[0]}`;
        const answer = await this.answer(what, asked);
        const status = answer?.status;
        const fate = status === undefined ? 'unknown' : status === 201 ? 'taken' : 'refused';
        item.labels.forEach((label) => this.fates.set(label, fate));
        if (status === undefined) {
            return;
        }
        const allowed = item.good ? [201, 503] : [400, 422, 503];
        assert.ok(allowed.includes(status), `${what}: ${status} ${answer!.text.slice(0, 300)}`);
    }

    private async read(what: string): Promise<void> {
        const status = (await this.answer(what, get(this.victim, what)))?.status;
        assert.ok([undefined, 200, 503].includes(status), `${what}: ${status}`);
    }

    /** Fails if it ended otherwise than a fault may make it end. Returns how it ended. */
    judgeEnd(fired: boolean): string {
        const { code, signal } = this.victim.ended!;
        const said = this.victim.stderr;
        const lines = said.split('\n').length;
        assert.ok(lines < LINES_MAX, `it said ${lines} lines, such as ${said.slice(-500)}`);
        if (this.walk.kind === 'small' && fired) {
            assert.equal(signal, 'SIGABRT', said);
            assert.equal(said.split('\n').filter((l) => l === 'logmill: out of memory').length, 1);
            return 'ended: out of memory';
        }
        if ((this.walk.how === 'power' || this.walk.how === 'torn') && fired) {
            assert.deepEqual({ code, signal }, { code: POWER_LOST, signal: null }, said);
            return 'power lost';
        }
        if (code === 1) {
            const errors = this.victim.diagnostics().filter((line) => line.level === 'error');
            assert.ok(fired, said);
            assert.equal(errors.length, 1, `one line says why:\n${said}`);
            assert.equal(this.fates.size, 0, 'it served already');
            return 'refused to start';
        }
        if (this.walk.end === 'SIGKILL') {
            assert.equal(signal, 'SIGKILL', said);
        } else {
            assert.deepEqual({ code, signal }, { code: 0, signal: null }, said);
        }
        if (!this.walk.onwards) {
            assert.deepEqual(this.cut, [], 'requests without an answer');
        }
        const good = [...this.fates].filter(([label]) => !label.startsWith('bad'));
        return good.every(([, fate]) => fate === 'taken') ? 'took all' : 'refused something';
    }
}

/** What a start without faults finds in the folder. */
async function judgeFolder(lab: Lab, folder: string, fates: Fates): Promise<void> {
    const after = await lab.start({}, folder);
    await atRest(after);
    const counts = new Map<string, number>();
    for (const log of await allLogs(after)) {
        const label = log.message.split(' ')[0]!;
        counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    for (const [label, fate] of fates) {
        const count = counts.get(label) ?? 0;
        if (fate === 'taken') {
            assert.equal(count, 1, `${label} was answered 201 and is there ${count} times`);
        } else if (fate === 'refused') {
            assert.equal(count, 0, `${label} was refused and is there ${count} times`);
        } else {
            assert.ok(count <= 1, `${label} is there ${count} times`);
        }
        counts.delete(label);
    }
    assert.deepEqual([...counts], [], 'logs that nobody sent');
    await after.stop();
    for (const file of ['queue.db', 'logs.db']) {
        const ran = await run(['sqlite3', path.join(folder, file), 'PRAGMA integrity_check']);
        assert.equal(ran.stdout.trim(), 'ok', `${file}: ${ran.stdout}${ran.stderr}`);
    }
}

/** Runs with the fault at point `number`. */
async function runAt(walk: Walk, number: number): Promise<Outcome> {
    const plan = planOf(walk, number);
    const lab = new Lab();
    return thenCleanUp(lab, async () => {
        try {
            const folder = path.join(lab.folder(), 'data');
            const settings = { LOGMILL_FAULT: plan, SHUTDOWN_TIMEOUT: '4', WEB_CONCURRENCY: '1' };
            const victim = lab.launch({ settings }, folder);
            const ended = victim.refuses(); // any end, for the harness; judgeEnd knows better
            const doing = new Run(victim, walk);
            const port = await doing.port();
            if (port !== undefined) {
                victim.port = port;
                await doing.work();
                victim.signal(walk.end);
            }
            await ended;
            victim.verifyEnd();
            const { fired, points } = firedIn(victim.stderr, walk);
            const ending = doing.judgeEnd(fired);
            await judgeFolder(lab, folder, doing.fates);
            return { fired, how: ending, points };
        } catch (error) {
            const text = error instanceof Error ? error.message : String(error);
            throw new Error(`LOGMILL_FAULT=${plan}, ${walk.end}: ${text}\n${lab.transcript()}`);
        }
    });
}

walkAll(WALKS, runAt, { isGood: (how) => how === 'took all' });

void test('the binary that tests make has the seam', { skip: !SANITIZED && 'not one' }, () => {
    assert.ok(hasSeam);
});
