/* Whatever clients do, memory is bounded, silence ends, and those who behave are served. */
import { strict as assert } from 'node:assert';
import * as zlib from 'node:zlib';

import {
    type Logmill,
    OPTIMISED,
    SANITIZED,
    eventually,
    residentBytes,
    run,
    scenario,
    sleep,
    zstd,
} from '../support/harness';
import { type Answer, RawConnection, get, post, rawPost } from '../support/http';
import { answers as answersOf, atRest, metric, metrics, postLog, stored } from '../support/logs';

const MIB = 1024 * 1024;

/** Room for what AddressSanitizer adds: shadow, red zones, and what it keeps after free. */
function allowance(bytes: number): number {
    return SANITIZED ? 4 * bytes + 100 * MIB : bytes;
}

/** Freed memory is given back soon also under AddressSanitizer, so that growth means growth. */
const LEAN = { ASAN_OPTIONS: 'detect_leaks=1:quarantine_size_mb=8:malloc_context_size=5' };

async function answersStill(server: Logmill): Promise<void> {
    const id = await postLog(server, { message: 'still served', level: 'info' });
    await stored(server, id);
}

scenario(
    'past MAX_INFLIGHT_BYTES requests get 503 with Retry-After, memory is bounded, and it recovers',
    async (lab) => {
        const settings = { MAX_INFLIGHT_BYTES: String(4 * MIB), WEB_CONCURRENCY: '2', ...LEAN };
        const server = await lab.start({ settings });
        await answersStill(server);
        const before = residentBytes(server.pid);

        const body = JSON.stringify({ message: 'm'.repeat(1_000_000), level: 'info' });
        const text = rawPost('/log', body);
        const clients = await Promise.all(
            Array.from({ length: 80 }, () => RawConnection.open(server)),
        );
        const answers: (Answer | undefined)[] = clients.map(() => undefined);
        const silent: string[] = [];
        const waits = clients.map(async (client, n) => {
            client.send(text.slice(0, 900_000));
            try {
                answers[n] = await client.answer();
            } catch (error) {
                silent.push(String(error).slice(0, 200));
            }
        });
        const refused = (): number => answers.filter((answer) => answer?.status === 503).length;
        await eventually('most of them to be refused', async () => refused() + silent.length >= 70);
        const peak = residentBytes(server.pid);

        assert.deepEqual(silent, [], 'no request gets silence');
        for (const answer of answers) {
            if (answer !== undefined) {
                assert.equal(answer.status, 503, answer.text);
                assert.ok(Number(answer.headers['retry-after']) > 0);
                assert.equal(typeof answer.json().detail, 'string');
            }
        }
        assert.ok(peak - before < allowance(24 * MIB), `grew by ${(peak - before) / MIB} MiB`);
        assert.equal((await get(server, '/health')).status, 200);

        clients.forEach(
            (client, n) => answers[n] === undefined && client.send(text.slice(900_000)),
        );
        await Promise.all(waits);
        const taken = answers.filter((answer) => answer?.status === 201).length;
        assert.ok(taken >= 1, 'those within the limit are taken');
        clients.forEach((client) => client.close());
        await answersStill(server);
        const samples = await atRest(server);
        assert.equal(answersOf(samples, 503), 80 - taken);
        await eventually(
            'all of the budget to come back',
            async () => metric(await metrics(server), 'logmill_inflight_bytes') === 0,
        );
    },
);

scenario('clients that vanish in mid-request give their memory back', async (lab) => {
    const server = await lab.start({ settings: { MAX_INFLIGHT_BYTES: String(4 * MIB), ...LEAN } });
    for (let round = 0; round < 5; round++) {
        const clients = await Promise.all(
            Array.from({ length: 4 }, () => RawConnection.open(server)),
        );
        clients.forEach((client) =>
            client.send(rawPost('/log', `"${'x'.repeat(900_000)}"`).slice(0, 800_000)),
        );
        await sleep(50);
        clients.forEach((client) => client.close());
        await eventually(
            'the budget to be free',
            async () => metric(await metrics(server), 'logmill_inflight_bytes') === 0,
        );
    }
    await answersStill(server);
});

scenario('slow and silent connections time out: 408 for a request that was begun', async (lab) => {
    const server = await lab.start({ settings: { REQUEST_TIMEOUT: '2', KEEPALIVE_TIMEOUT: '2' } });
    const dribble = async (start: string, more: string): Promise<Answer> => {
        const client = await RawConnection.open(server);
        client.send(start);
        const timer = setInterval(() => client.send(more), 300);
        try {
            const answer = await client.answer();
            await client.end();
            return answer;
        } finally {
            clearInterval(timer);
            client.close();
        }
    };
    const answers = await Promise.all([
        dribble('GET /health HTTP/1.1\r\nHost: test\r\n', 'X-More: 1\r\n'),
        dribble('POST /log HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n', '{'),
        dribble(
            'POST /log HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n',
            '1\r\n{\r\n',
        ),
        dribble('G', ''),
    ]);
    for (const answer of answers) {
        assert.equal(answer.status, 408, answer.text);
        assert.equal(typeof answer.json().detail, 'string');
    }
    const silent = await RawConnection.open(server);
    const kept = await RawConnection.open(server);
    kept.send('GET /health HTTP/1.1\r\nHost: test\r\n\r\n');
    assert.equal((await kept.answer()).status, 200);
    await Promise.all([silent.end(), kept.end()]);
    await answersStill(server);
});

scenario(
    'a client that does not take its answers is cut off, and holds no memory without bound',
    async (lab) => {
        const server = await lab.start({
            settings: { WRITE_TIMEOUT: '2', KEEPALIVE_TIMEOUT: '2', ...LEAN },
        });
        for (let n = 0; n < 8; n++) {
            await postLog(server, { message: 'l'.repeat(900_000), level: 'info' });
        }
        await atRest(server);
        const open = async (): Promise<number> =>
            metric(await metrics(server), 'logmill_http_connections_open');
        const before = residentBytes(server.pid);
        const idle = await open();
        const deaf = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open(server)));
        for (const client of deaf) {
            client.socket.pause();
            client.send('GET /logs HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(20));
        }
        await eventually('answers to be written', async () => (await open()) > idle);
        await sleep(1000);
        const peak = residentBytes(server.pid);
        assert.ok(peak - before < allowance(160 * MIB), `grew by ${(peak - before) / MIB} MiB`);
        await eventually('them to be cut off', async () => (await open()) <= idle);
        deaf.forEach((client) => client.close());
        await answersStill(server);
    },
);

scenario(
    '2,000 open connections are no burden, even where the soft limit on files is 1,024',
    async (lab) => {
        const server = await lab.start({ wrapper: ['prlimit', '--nofile=1024:'], settings: LEAN });
        await answersStill(server);
        const before = residentBytes(server.pid);
        const clients: RawConnection[] = [];
        for (let n = 0; n < 2000; n += 100) {
            clients.push(
                ...(await Promise.all(
                    Array.from({ length: 100 }, () => RawConnection.open(server)),
                )),
            );
        }
        await eventually('all to be accepted', async () => {
            return metric(await metrics(server), 'logmill_http_connections_open') >= 2000;
        });
        const grown = residentBytes(server.pid) - before;
        assert.ok(grown < allowance(64 * MIB), `grew by ${grown / MIB} MiB`);
        const some = clients.filter((_, n) => n % 200 === 199);
        for (const client of some) {
            client.send('GET /health HTTP/1.1\r\nHost: test\r\n\r\n');
        }
        for (const client of some) {
            assert.equal((await client.answer()).status, 200);
        }
        await answersStill(server);
        clients.forEach((client) => client.close());
        await eventually('all to be closed', async () => {
            return metric(await metrics(server), 'logmill_http_connections_open') < 100;
        });
    },
);

scenario(
    'past MAX_CONNECTIONS a client is told 503 and closed, and is welcome when others have left',
    async (lab) => {
        const server = await lab.start({
            settings: { MAX_CONNECTIONS: '10', WEB_CONCURRENCY: '1' },
        });
        const clients = await Promise.all(
            Array.from({ length: 30 }, () => RawConnection.open(server)),
        );
        clients.forEach((client) => client.send('GET /logs HTTP/1.1\r\nHost: test\r\n\r\n'));
        const statuses: number[] = [];
        for (const client of clients) {
            const answer = await client.answer();
            statuses.push(answer.status);
            if (answer.status === 503) {
                assert.match(answer.json().detail, /at most 10/);
                await client.end();
            }
        }
        const served = statuses.filter((status) => status === 200).length;
        assert.ok(served >= 8 && served <= 10, `${served} were served`); // one or two are the harness's own
        assert.equal(statuses.filter((status) => status === 503).length, 30 - served);
        clients.forEach((client) => client.close());
        await eventually('room again', async () => (await get(server, '/health')).status === 200);
    },
);

scenario('whoever watches is answered when MAX_CONNECTIONS are used up, again and again', async (lab) => {
    const server = await lab.start({ settings: { MAX_CONNECTIONS: '10', WEB_CONCURRENCY: '1' } });
    const holders = await Promise.all(
        Array.from({ length: 10 }, () => RawConnection.open(server)),
    );
    const ask = async (path: string): Promise<number> => {
        const client = await RawConnection.open(server);
        client.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
        const answer = await client.answer();
        client.close();
        return answer.status;
    };
    await eventually('no place left', async () => (await ask('/logs')) === 503);
    for (const path of ['/health', '/ready', '/metrics']) {
        assert.equal(await ask(path), 200, path);
    }

    // Silent connections and half a request take the places that are kept for this: not for long.
    for (let n = 0; n < 200; n++) {
        const client = await RawConnection.open(server);
        client.send(n % 2 ? 'GET /health HTTP/1.1\r\nHo' : '');
        holders.push(client);
    }
    for (let n = 0; n < 20; n++) {
        assert.equal(await ask('/health'), 200);
    }
    const silent = await RawConnection.open(server);
    assert.equal((await silent.answer()).status, 503, 'told after HTTP_EXTRA_MS');
    await silent.end();
    const closed = (): number => holders.filter((client) => client.closed).length;
    await eventually('those past the limit to be closed', async () => closed() >= 200);
    holders.forEach((client) => client.close());
    await eventually('room again', async () => (await ask('/logs')) === 200);
});

scenario('a compression bomb is answered 413 without being inflated', async (lab) => {
    const server = await lab.start({ settings: LEAN });
    await answersStill(server);
    const zeros = Buffer.alloc(200 * MIB, 0x20);
    const bombs: [string, Buffer][] = [
        ['gzip', zlib.gzipSync(zeros)],
        ['zstd', await zstd(zeros)],
    ];
    const before = residentBytes(server.pid);
    for (const [coding, bomb] of bombs) {
        assert.ok(bomb.length < MIB);
        const answers = await Promise.all(
            Array.from({ length: 20 }, () =>
                post(server, '/log', bomb, { 'Content-Encoding': coding }),
            ),
        );
        for (const answer of answers) {
            assert.equal(answer.status, 413, answer.text);
        }
    }
    const grown = residentBytes(server.pid) - before;
    assert.ok(grown < allowance(48 * MIB), `grew by ${grown / MIB} MiB`);
    await answersStill(server);
});

scenario('a zstd frame that asks for a huge window costs no such memory', async (lab) => {
    const server = await lab.start({ settings: LEAN });
    await answersStill(server);
    const log = JSON.stringify({ message: 'w'.repeat(1000), level: 'info' });
    const before = residentBytes(server.pid);
    for (const long of ['27', '31']) {
        const ran = await run(['zstd', '-q', `--long=${long}`, '-c'], { input: log });
        assert.equal(ran.code, 0, ran.stderr);
        const answers = await Promise.all(
            Array.from({ length: 10 }, () =>
                post(server, '/log', ran.bytes, { 'Content-Encoding': 'zstd' }),
            ),
        );
        for (const answer of answers) {
            assert.ok(
                [201, 400, 413].includes(answer.status),
                `--long=${long}: ${answer.status} ${answer.text}`,
            );
        }
    }
    const grown = residentBytes(server.pid) - before;
    assert.ok(grown < allowance(48 * MIB), `grew by ${grown / MIB} MiB`);
    await answersStill(server);
});

scenario(
    'levels of 900 KB, compressed to 1 KB each, are refused, whoever counts by level afterwards',
    async (lab) => {
        const server = await lab.start({ settings: LEAN });
        await answersStill(server);
        const before = residentBytes(server.pid);
        const statuses = new Map<number, number>();
        const client = async (from: number): Promise<void> => {
            for (let n = from; n < 300; n += 16) {
                const level = `${n}${'x'.repeat(900_000)}`;
                const answer = await post(
                    server,
                    '/log',
                    zlib.gzipSync(JSON.stringify({ message: 'm', level })),
                    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
                );
                statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
                if (answer.status === 422) {
                    const [{ type, loc, ctx }] = answer.json().detail;
                    assert.deepEqual(
                        [type, loc, ctx],
                        ['string_too_long', ['body', 'level'], { max_length: 1024 }],
                    );
                }
            }
        };
        await Promise.all(Array.from({ length: 16 }, (_, n) => client(n)));
        assert.ok((statuses.get(422) ?? 0) > 200, JSON.stringify([...statuses]));
        const counted = await get(server, '/logs/stats?since=2020-01-01&bucket=86400000');
        assert.equal(counted.status, 200, counted.text);
        assert.equal(counted.json().total, 1);
        assert.ok(residentBytes(server.pid) - before < allowance(64 * MIB));
        await eventually(
            'all of the budget to come back',
            async () => metric(await metrics(server), 'logmill_inflight_bytes') === 0,
        );
    },
);

scenario(
    'a list of errors that finds no room is 503, not 422; nothing of it stays',
    async (lab) => {
        const server = await lab.start({ settings: { MAX_INFLIGHT_BYTES: String(4 * MIB), ...LEAN } });
        const control = '\x7f'.repeat(900_000); // six times as long if it is shown
        for (const [route, type, text] of [
            ['/log', 'application/json', JSON.stringify({ level: 'info', x: control })],
            ['/logs', 'application/x-ndjson', JSON.stringify({ level: 'info', x: control })],
            ['/log', 'text/plain', control],
        ] as const) {
            const refused = await post(server, route, text, { 'content-type': type });
            assert.equal(refused.status, 503, refused.text.slice(0, 200));
            assert.match(refused.text, /not accepted/);
            const told = await post(server, route, text.slice(-50_000), { 'content-type': type });
            assert.equal(told.status, 422, told.text.slice(0, 200));
        }
        assert.equal(metric(await metrics(server), 'logmill_inflight_bytes'), 0);
        await answersStill(server);
    },
);

scenario('MAX_BODY_BYTES and MAX_HEADER_BYTES are what they are set to', async (lab) => {
    const server = await lab.start({
        settings: { MAX_BODY_BYTES: '1000', MAX_HEADER_BYTES: '2000' },
    });
    const envelope = JSON.stringify({ message: '', level: 'info' }).length;
    const fits = JSON.stringify({ message: 'm'.repeat(1000 - envelope), level: 'info' });
    assert.equal((await post(server, '/log', fits)).status, 201);
    assert.equal((await post(server, '/log', `${fits} `)).status, 413);
    assert.equal((await get(server, '/health', { 'X-Fits': 'h'.repeat(1500) })).status, 200);
    assert.equal((await get(server, '/health', { 'X-Large': 'h'.repeat(2500) })).status, 431);
});

const LINE = { message: `one of many, ${'m'.repeat(400)}` };

/** A bulk of `n` logs of 0.5 KB. */
function bulkOf(n: number): string {
    return `{"create":{"_index":"i"}}\n${JSON.stringify(LINE)}\n`.repeat(n);
}

scenario('batches of other programs may have MAX_BATCH_BYTES', async (lab) => {
    const server = await lab.start({});
    const large = bulkOf(10_000);
    assert.ok(large.length > 4 * MIB);
    const taken = await post(server, '/_bulk', large);
    assert.equal(taken.status, 200, taken.text.slice(0, 200));
    const samples = await atRest(server);
    assert.equal(metric(samples, 'logmill_logs_stored_total'), 10_000);
    assert.equal((await post(server, '/_bulk', 'x'.repeat(16 * MIB + 1))).status, 413);
    assert.equal((await post(server, '/logs', Array(10_000).fill(LINE))).status, 413);
    await server.stop();

    const set = await lab.start({ settings: { MAX_BATCH_BYTES: '3000000' } });
    assert.equal((await post(set, '/_bulk', large)).status, 413);
    const packed = zlib.gzipSync(large);
    assert.equal((await post(set, '/_bulk', packed, { 'Content-Encoding': 'gzip' })).status, 413);
    await set.stop();

    const less = await lab.start({
        settings: { MAX_BATCH_BYTES: '1000', MAX_BODY_BYTES: String(16 * MIB) },
    });
    assert.equal((await post(less, '/_bulk', large)).status, 200);
});

/** 503 would have the client send the same again, for ever. */
scenario('what MAX_INFLIGHT_BYTES could never hold is answered 413, not 503', async (lab) => {
    const server = await lab.start({ settings: { MAX_INFLIGHT_BYTES: String(4 * MIB) } });
    const large = bulkOf(10_000);
    const gzip = { 'Content-Encoding': 'gzip' };
    assert.equal((await post(server, '/_bulk', large)).status, 413);
    assert.equal((await post(server, '/_bulk', zlib.gzipSync(large), gzip)).status, 413);
    const packed = await zstd(large);
    const coding = { 'Content-Encoding': 'zstd' };
    assert.equal((await post(server, '/_bulk', packed, coding)).status, 413);
    // the body fits, but not together with its logs and what is told of each
    const many = `{"create":{"_index":"i"}}\n{}\n`.repeat(40_000);
    assert.equal((await post(server, '/_bulk', many)).status, 413);
    await answersStill(server);
    assert.equal(metric(await metrics(server), 'logmill_inflight_bytes'), 0);
});

scenario('a body of 8 MiB of small logs is taken whole where the limit allows', async (lab) => {
    const server = await lab.start({ settings: { MAX_BODY_BYTES: String(16 * MIB) } });
    const logs = Array.from({ length: 50_000 }, (_, n) => ({
        message: `one of many, ${'m'.repeat(120)}`,
        level: 'info',
        n,
    }));
    const answer = await post(server, '/logs', logs);
    assert.equal(answer.status, 201, answer.text);
    const samples = await atRest(server);
    assert.equal(metric(samples, 'logmill_logs_stored_total'), 50_000);
});

scenario('idle memory is under 20 MB', async (lab) => {
    const server = await lab.start({ binary: OPTIMISED }); // AddressSanitizer takes more
    await answersStill(server);
    await sleep(300);
    const resident = residentBytes(server.pid);
    assert.ok(resident < 20_000_000, `${resident / 1e6} MB`);
});
