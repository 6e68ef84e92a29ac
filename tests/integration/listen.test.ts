/* What comes by sockets of their own, beside HTTP (docs/receiving.md), at the real program. */
import { strict as assert } from 'node:assert';

import { type Logmill, eventually, scenario, shared } from '../support/harness';
import { post } from '../support/http';
import { type Log, allLogs, atRest, metric, metrics } from '../support/logs';
import {
    capturedBytes,
    connect,
    finish,
    place,
    sendDatagrams,
    sendStream,
    write,
} from '../support/streams';

const GELF = { GELF_LISTEN: 'tcp://127.0.0.1:0,udp://127.0.0.1:0' };
const ALL = {
    ...GELF,
    SYSLOG_LISTEN: 'tcp://127.0.0.1:0,udp://[::1]:0',
    FLUENT_LISTEN: 'tcp://127.0.0.1:0',
};
const { check, end } = shared({ settings: ALL });

const seen = new Set<string>();

/** The logs that came since the last call, the first first: `n` of them. */
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

const gelf = (n: number | string, more = {}): string =>
    `${JSON.stringify({ version: '1.1', short_message: `log ${n}`, ...more })}\0`;

interface Row {
    capture: string;
    first: string;
    levels: string[];
    attributes: Record<string, unknown>;
}

const ROWS: Row[] = [
    {
        capture: 'graypy-tcp-2.1.0',
        first: 'order 1 placed ✓',
        levels: ['info', 'warning', 'error', 'critical', 'critical'],
        attributes: { host: 'vm', facility: 'orders', pid: 16691, n: 42 },
    },
    {
        capture: 'pygelf-tcp-0.4.3',
        first: 'order 1 placed ✓',
        levels: ['info', 'warning', 'error', 'critical', 'critical'],
        attributes: { host: 'vm', app: 'shop', n: 42 },
    },
    {
        capture: 'logback-gelf-tcp-6.1.2',
        first: 'order 1 placed ✓',
        levels: ['info', 'warning', 'info'],
        attributes: { host: 'vm', logger_name: 'shop.orders', user: 'u1' },
    },
    {
        capture: 'log4j-socket-gelf-2.26.1',
        first: 'order 1 placed ✓',
        levels: ['info', 'error', 'info', 'info'],
        attributes: { host: 'vm', logger: 'shop.orders', thread: 'main' },
    },
    {
        capture: 'docker-gelf-tcp-20.10.24',
        first: 'order 1 placed ✓',
        levels: ['info', 'error', 'info', 'info', 'info', 'info', 'info'], // an eighth is cut
        attributes: { host: 'vm', container_name: 't29969', image_name: 'app:1' },
    },
];

for (const row of ROWS) {
    check(`GELF over TCP as sent by ${row.capture}, in one piece and in many`, async (server) => {
        const to = place(server, 'gelf', 'tcp');
        const bytes = capturedBytes(row.capture);
        const judge = (logs: Log[]): void => {
            assert.equal(logs[0]!.message, row.first);
            assert.deepEqual(logs.map((log) => log.level).sort(), [...row.levels].sort());
            for (const [name, value] of Object.entries(row.attributes)) {
                assert.deepEqual(logs[0]!.attributes[name], value, name);
            }
        };
        await sendStream(to, bytes);
        judge(await fresh(server, row.levels.length));

        const socket = await connect(to);
        for (let at = 0; at < bytes.length; at += at < 600 ? 1 : 4000) {
            await write(socket, bytes.subarray(at, at + (at < 600 ? 1 : 4000)));
        }
        await finish(socket);
        judge(await fresh(server, row.levels.length));
    });
}

check('a message without its zero byte is whole where the connection ends', async (server) => {
    const to = place(server, 'gelf', 'tcp');
    const whole = gelf(1).slice(0, -1);
    await sendStream(to, gelf(0) + whole);
    assert.deepEqual((await fresh(server, 2)).map((log) => log.message).sort(), ['log 0', 'log 1']);
});

check('a connection cut in a message costs that message alone', async (server) => {
    const to = place(server, 'gelf', 'tcp');
    const message = gelf('cut');
    const before = metric(
        await metrics(server),
        'logmill_received_left_out_total{protocol="gelf"}',
    );
    for (let cut = 1; cut < message.length - 1; cut += 7) {
        await sendStream(to, gelf(cut) + message.slice(0, cut));
    }
    const sent = Math.ceil((message.length - 2) / 7);
    await fresh(server, sent);
    const after = metric(await metrics(server), 'logmill_received_left_out_total{protocol="gelf"}');
    assert.equal(after - before, sent);
});

check('what can never be a log is left out and counted, and keeps no other out', async (server) => {
    const to = place(server, 'gelf', 'tcp');
    await sendStream(to, `${gelf(1)}no json\0[1]\0\0\n\0${gelf(2)}`);
    assert.deepEqual((await fresh(server, 2)).map((log) => log.message).sort(), ['log 1', 'log 2']);
});

check('a message of many segments is one log; one that is too large costs no other', async (server) => {
    const to = place(server, 'gelf', 'tcp');
    const large = 'x'.repeat(3 << 20);
    await sendStream(to, gelf(1) + gelf('large', { full_message: large }) + gelf(3));
    const logs = await fresh(server, 3);
    const found = logs.find((log) => log.message === 'log large');
    assert.equal(found?.attributes['full_message'], large);
    await sendStream(to, gelf(4) + gelf('huge', { full_message: 'y'.repeat(17 << 20) }) + gelf(5));
    assert.deepEqual((await fresh(server, 2)).map((log) => log.message).sort(), ['log 4', 'log 5']);
});

check('syslog over TCP; a last line that could go on is whole when nothing more comes', async (server) => {
    const socket = await connect(place(server, 'syslog', 'tcp'));
    await write(socket, '<11>Nov 28 12:00:00 vm app: one\n<14>Nov 28 12:00:01 vm app: two\n');
    const logs = await fresh(server, 2); // while the connection is open
    assert.deepEqual(logs.map((log) => [log.level, log.message]).sort(), [
        ['error', 'one'],
        ['info', 'two'],
    ]);
    await finish(socket);
    await sendStream(place(server, 'syslog', 'tcp'), capturedBytes('rsyslog-tcp-8.2302.0'));
    assert.ok((await fresh(server, 6)).some((log) => log.message.startsWith('order 1 placed')));
});

check('Fluent: the chunk is acknowledged, and stored once however often it comes', async (server) => {
    const to = place(server, 'fluent', 'tcp');
    const bytes = capturedBytes('fluent-logger-js-ack-3.4.1');
    let first: number | undefined;
    for (let i = 0; i < 2; i++) {
        const socket = await connect(to);
        let reply = Buffer.alloc(0);
        socket.on('data', (data) => (reply = Buffer.concat([reply, data])));
        await write(socket, bytes);
        await finish(socket);
        assert.match(reply.toString('latin1'), /^\x81\xa3ack/);
        await eventually('its logs', async () => (await allLogs(server)).length > seen.size);
        first ??= (await allLogs(server)).length;
    }
    await sendStream(place(server, 'gelf', 'tcp'), gelf('behind them'));
    await eventually('what came behind them', async () =>
        (await allLogs(server)).some((log) => log.message === 'log behind them'),
    );
    assert.equal((await allLogs(server)).length, first! + 1);
    await fresh(server, first! + 1 - seen.size);
});

check('GELF over UDP: plain, zlib, gzip, and chunks in any order', async (server) => {
    const to = place(server, 'gelf', 'udp');
    const names = (name: string, numbers: number[]): Buffer[] =>
        numbers.map((n) => capturedBytes(`${name}.${n}`));
    await sendDatagrams(to, [
        ...names('docker-gelf-udp-20.10.24', [1, 2, 3, 4]),
        ...names('graypy-udp-2.1.0', [1, 2, 3]),
        ...names('logback-gelf-udp-6.1.2', [1, 2, 3, 4]),
        ...names('pygelf-udp-0.4.3', [1, 2, 3]),
        gelf('plain'),
    ]);
    await fresh(server, 15);
    await sendDatagrams(to, names('graypy-udp-chunk-2.1.0', [3, 1, 3, 2]));
    const [log] = await fresh(server, 1);
    assert.match(log!.message, /^big 2i\)A0`Z/);
    assert.equal(log!.attributes['facility'], 'orders');
});

check('chunks are told apart by their sender, and counted where some never come', async (server) => {
    const to = place(server, 'gelf', 'udp');
    const counted = async (name: string): Promise<number> =>
        metric(await metrics(server), `logmill_${name}_total{protocol="gelf"}`);
    const before = [await counted('datagrams_incomplete'), await counted('received_left_out')];
    const chunk = (index: number, of: number, text: string): Buffer =>
        Buffer.concat([Buffer.from('1e0f0102030405060708', 'hex'), Buffer.from([index, of]), Buffer.from(text)]);
    // the same id from two ports: neither is whole
    await sendDatagrams(to, [chunk(0, 2, '{"short_message":')]);
    await sendDatagrams(to, [chunk(1, 2, '"mixed"}')]);
    await sendDatagrams(to, [chunk(0, 0, 'x'), chunk(2, 2, 'x'), chunk(0, 129, 'x'), 'no json']);
    await sendDatagrams(to, [chunk(1, 2, '"one"}'), chunk(0, 2, '{"short_message":')]);
    assert.equal((await fresh(server, 1))[0]!.message, 'one');
    await eventually('what is not whole is given up', async () =>
        (await counted('datagrams_incomplete')) === before[0]! + 2);
    assert.equal(await counted('received_left_out'), before[1]! + 4);
});

check('syslog over UDP, over IPv6', async (server) => {
    const datagrams = [1, 2, 3, 4].map((n) => capturedBytes(`rsyslog-udp-8.2302.0.${n}`));
    await sendDatagrams(place(server, 'syslog', 'udp'), datagrams);
    const logs = await fresh(server, 4);
    assert.ok(logs.some((log) => log.message === 'order 1 placed ✓' && log.level === 'info'));
});

scenario('every datagram is stored, or counted as dropped', async (lab) => {
    // The least that a kernel keeps: it drops, and the count has to tell how many.
    const settings = { ...GELF, UDP_BUFFER_BYTES: '4096' };
    const server = await lab.start({ settings });
    const to = place(server, 'gelf', 'udp');
    const n = 20_000;
    await sendDatagrams(
        to,
        Array.from({ length: n }, (_, i) => gelf(i)),
    );
    const counted = (samples: Map<string, number>, name: string): number =>
        metric(samples, `logmill_${name}`);
    const dropped = 'datagrams_dropped_total{protocol="gelf",by="kernel"}';
    const received = 'datagrams_received_total{protocol="gelf"}';
    // What the kernel dropped last is counted with the next one that it did not drop.
    let sent = n;
    const samples = await eventually('all accounted for', async () => {
        await sendDatagrams(to, [gelf('one more')]);
        sent++;
        const now = await metrics(server);
        const taken = counted(now, 'received_logs_total{protocol="gelf"}');
        const all = counted(now, received) + counted(now, dropped);
        return all === sent && taken === counted(now, received) ? now : undefined;
    });
    const stored = counted(samples, received);
    await eventually('those stored', async () => (await allLogs(server)).length >= stored);
    const more = metric(await metrics(server), `logmill_${received}`) - stored;
    assert.equal((await allLogs(server)).length, stored + more);
});

scenario('a full queue loses nothing over TCP, and stores each log once', async (lab) => {
    const dataDir = lab.folder();
    const settings = { ...GELF, QUEUE_MAX_BYTES: String(4 << 20) };
    const api = await lab.start({ command: 'api', settings }, dataDir);
    const to = place(api, 'gelf', 'tcp');
    const socket = await connect(to);
    const n = 10_000;
    for (let i = 0; i < n; i++) {
        await write(socket, gelf(i, { padding: 'p'.repeat(500) }));
    }
    const closed = finish(socket);
    const full = 'logmill_queue_send_failures_total';
    await eventually('a send that was refused', async () => metric(await metrics(api), full) > 0);
    const worker = await lab.start({ command: 'worker', settings }, dataDir);
    await closed;
    await eventually('all logs stored', async () => (await allLogs(api)).length >= n);
    const logs = await allLogs(api);
    assert.equal(logs.length, n);
    assert.equal(new Set(logs.map((log) => log.message)).size, n);
    await worker.stop();
});

scenario('connections that send half a message cost bounded memory, and no other its logs', async (lab) => {
    const settings = { ...GELF, MAX_INFLIGHT_BYTES: String(16 << 20) };
    const server = await lab.start({ settings });
    const to = place(server, 'gelf', 'tcp');
    const half = gelf('half', { padding: 'h'.repeat(60_000) }).slice(0, -10);
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => connect(to)));
    for (const socket of sockets) {
        socket.write(half); // the kernels keep what is not read
    }
    const held = 'logmill_inflight_class_bytes{class="bodies"}';
    const most = (16 << 20) / 2; // the ceiling of that account
    await eventually('their bytes', async () => metric(await metrics(server), held) > most / 2);
    assert.ok(metric(await metrics(server), held) <= most);
    const answer = await post(server, '/log', { level: 'info', message: 'over HTTP' });
    assert.equal(answer.status, 201, answer.text);
    for (const socket of sockets) {
        await write(socket, '."}\0'); // now it is whole
        socket.end();
    }
    await Promise.all(sockets.map((socket) => finish(socket)));
    await eventually('all of them', async () => (await allLogs(server)).length === 1001);
    assert.equal(metric(await metrics(server), held), 0);
});

scenario('kill -9 loses nothing that was durable, and stores nothing twice', async (lab) => {
    const dataDir = lab.folder();
    const server = await lab.start({ settings: GELF }, dataDir);
    const socket = await connect(place(server, 'gelf', 'tcp'));
    socket.on('error', () => undefined);
    let sent = 0;
    const received = 'logmill_received_logs_total{protocol="gelf"}';
    let told = 0;
    while (told < 2000) {
        await write(socket, Array.from({ length: 100 }, () => gelf(sent++)).join(''));
        told = metric(await metrics(server), received);
    }
    await server.kill();
    socket.destroy();
    const again = await lab.start({ settings: GELF }, dataDir);
    await atRest(again);
    const logs = await allLogs(again);
    const messages = new Set(logs.map((log) => log.message));
    assert.equal(messages.size, logs.length);
    assert.ok(logs.length >= told && logs.length <= sent, `${told} <= ${logs.length} <= ${sent}`);
    for (let i = 0; i < told; i++) {
        assert.ok(messages.has(`log ${i}`), `log ${i}`);
    }
});

scenario('a stop makes durable what was sent before it', async (lab) => {
    const dataDir = lab.folder();
    const server = await lab.start({ settings: GELF }, dataDir);
    const socket = await connect(place(server, 'gelf', 'tcp'));
    const n = 20_000;
    await write(socket, Array.from({ length: n }, (_, i) => gelf(i)).join(''));
    await server.stop();
    const again = await lab.start({ settings: GELF }, dataDir);
    const logs = await allLogs(again);
    assert.equal(new Set(logs.map((log) => log.message)).size, n);
    assert.equal(logs.length, n);
});

scenario('past MAX_STREAMS a connection is closed and counted; the others stay', async (lab) => {
    const server = await lab.start({ settings: { ...GELF, MAX_STREAMS: '2' } });
    const to = place(server, 'gelf', 'tcp');
    const [one, two] = [await connect(to), await connect(to)];
    const open = 'logmill_stream_connections_open{protocol="gelf"}';
    await eventually('two are open', async () => metric(await metrics(server), open) === 2);
    const three = await connect(to);
    await new Promise((resolve) => three.on('error', resolve).on('end', resolve).resume());
    await write(one!, gelf(1));
    await write(two!, gelf(2));
    await eventually('their logs', async () => (await allLogs(server)).length === 2);
    const refused = 'logmill_stream_connections_refused_total{protocol="gelf"}';
    assert.equal(metric(await metrics(server), refused), 1);
    one!.destroy();
    two!.destroy();
    await eventually('none is open', async () => metric(await metrics(server), open) === 0);
});

scenario('addresses that are none are refused at the start, with what is allowed', async (lab) => {
    for (const [value, reason] of [
        ['tls://127.0.0.1:1', /GELF_LISTEN: tls:\/\/ needs TLS_CERT_FILE and TLS_KEY_FILE/],
        ['127.0.0.1:1', /GELF_LISTEN: .*no known scheme; allowed: udp:\/\/HOST:PORT/],
        ['tcp://127.0.0.1', /GELF_LISTEN: .*no HOST:PORT/],
        ['tcp://::1:12201', /GELF_LISTEN: .*no HOST:PORT .*\[::1\]/],
        ['tcp://127.0.0.1:65536', /GELF_LISTEN: .*no HOST:PORT of a port from 0 to 65535/],
        ['tcp://127.0.0.1:1,', /GELF_LISTEN: /],
    ] as const) {
        const server = lab.launch({ settings: { GELF_LISTEN: value } });
        assert.notEqual((await server.refuses()).code, 0, value);
        assert.match(server.stderr, reason, value);
    }
});

end();
