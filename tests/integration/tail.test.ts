/* GET /logs/tail over the embedded store: what a tail gets, resumes, misses, and how it ends. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

import {
    BINARY,
    type Lab,
    type Logmill,
    OPTIMISED,
    eventually,
    residentBytes,
    scenario,
    shared,
    sleep,
    sqlite,
} from '../support/harness';
import { RawConnection, get, post } from '../support/http';
import { Load } from '../support/load';
import { type Log, allLogs, atRest, postLog, postLogs, stored } from '../support/logs';
import { Tail } from '../support/sse';

const { check, end } = shared();

/** Logs of postLots, 60 MB, that no socket takes whole: its buffers may hold 36 MB. */
const MANY = 60_000;

/** Logs that only the test with this name sends and reads. */
function own(name: string, logs: object[]): { filter: string; logs: Record<string, unknown>[] } {
    return {
        filter: `attr.test=${name}`,
        logs: logs.map((log) => ({ level: 'info', test: name, ...log })),
    };
}

function ids(logs: Log[]): string[] {
    return logs.map((log) => log.id);
}

check('a log comes to a tail as GET /logs/{id} gives it, whatever its timestamp', async (server) => {
    const { filter, logs } = own('appears', [
        { message: 'now' },
        { message: 'late', timestamp: '2001-02-03T04:05:06.789012Z' },
        { message: 'early', timestamp: '2150-01-01T00:00:00Z' },
        { message: 'line\nbreak \u2028 <b>', level: 'Warning', nested: { a: [1, null] } },
    ]);
    const tail = await Tail.open(server, { query: filter });
    assert.equal(tail.status, 200);
    assert.equal(tail.headers['content-type'], 'text/event-stream');
    assert.equal(tail.headers['cache-control'], 'no-store');
    assert.match(tail.lastId, /^\d+-\d+-\d+$/, 'a place to resume from before the first log');
    for (const [n, log] of logs.entries()) {
        const id = await postLog(server, log);
        await tail.has(n + 1);
        assert.deepEqual(tail.logs[n], await stored(server, id));
    }
    tail.close();
    assert.deepEqual([tail.events, tail.streams], [[], 1]);
});

check('a tail takes the filters of GET /logs', async (server) => {
    const { filter, logs } = own('filters', [
        { message: 'payment failed', level: 'ERROR', service: 'pay', region: 'eu' },
        { message: 'payment done', service: 'pay', region: 'us' },
        { message: 'Cart Failed', level: 'warning', service: 'cart', region: 'eu' },
        { message: 'old', timestamp: '2020-06-01T12:00:00Z', service: 'pay' },
        { message: 'older', timestamp: '2020-05-01T12:00:00Z', level: 'debug' },
    ]);
    const queries = [
        '',
        'level=error',
        'level=error&level=WARNING',
        'q=FAILED',
        'attr.service=pay',
        'attr.service=pay&attr.region=eu',
        'not.level=info',
        'not.q=payment',
        'not.attr.service=pay',
        'since=2020-06-01T12:00:00Z&until=2020-06-01T12:00:01Z',
        'until=2020-06-01T12:00:00Z',
        'level=error&q=done',
    ];
    const last = own('filters', [{ message: 'the last' }]).logs[0]!;
    const open = (query: string): Promise<Tail> =>
        Tail.open(server, { query: `${filter}&${query}` });
    const tails = await Promise.all(queries.map(open));
    const all = tails[0]!;
    await postLogs(server, logs);
    await postLog(server, last);
    await all.has(logs.length + 1);
    for (const [n, tail] of tails.entries()) {
        const wanted = await allLogs(server, `${filter}&${queries[n]}`);
        await tail.has(wanted.length);
        assert.deepEqual(ids(tail.logs).sort(), ids(wanted).sort(), queries[n]);
        tail.close();
    }
});

check('Last-Event-ID goes on after any log, without a gap or a repeat', async (server) => {
    const { filter, logs } = own(
        'resumes',
        Array.from({ length: 12 }, (_, n) => ({ message: `log ${n}` })),
    );
    const first = await Tail.open(server, { query: filter });
    const places = [first.lastId];
    await postLogs(server, logs.slice(0, 5)); // several in one transaction
    await first.has(5);
    first.close();
    for (const log of logs.slice(5)) {
        await postLog(server, log);
    }
    // One event at a time, each time from the id of the last.
    for (let n = 0; n <= logs.length; n++) {
        const resumed = await Tail.open(server, { query: filter, lastId: places[n]! });
        await resumed.has(logs.length - n);
        await sleep(n === logs.length ? 300 : 0);
        const wanted = logs.slice(n).map((log) => log['message']);
        assert.deepEqual(resumed.messages, wanted, `after ${n}`);
        resumed.close();
        const one = await RawConnection.open(server);
        one.send(`GET /logs/tail?${filter}&last_event_id=${places[n]} HTTP/1.1\r\nHost: t\r\n\r\n`);
        if (n < logs.length) {
            await eventually('an event', async () => one.unread.includes('data: '));
            places.push(/id: (\S+)\ndata: /.exec(one.unread)![1]!);
        }
        one.close();
    }
});

check('a bad place is refused with 422', async (server) => {
    for (const bad of ['x', '1-2', '1-2-3-4', '-1-2-3', '1-2-99999999999', '1-2-3 ']) {
        const answer = await get(
            server,
            `/logs/tail?last_event_id=${encodeURIComponent(bad)}&level=info`,
        );
        assert.equal(answer.status, 422, `${bad}: ${answer.text}`);
        assert.deepEqual(answer.json().detail[0].loc, ['query', 'last_event_id']);
    }
    const header = await get(server, '/logs/tail', { 'Last-Event-ID': 'yesterday' });
    assert.equal(header.status, 422);
    assert.deepEqual(header.json().detail[0].loc, ['header', 'last-event-id']);
    assert.equal((await get(server, '/logs/tail?since=never')).status, 422);
});

check('HEAD has the head alone, and a request after it its answer', async (server) => {
    const client = await RawConnection.open(server);
    client.send('HEAD /logs/tail HTTP/1.1\r\nHost: t\r\n\r\nGET /health HTTP/1.1\r\nHost: t\r\n\r\n');
    const head = await client.answer({ bodyless: true });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-type'], 'text/event-stream');
    assert.equal((await client.answer()).status, 200);
    client.close();
});

check('a client of HTTP/1.0 gets bare events', async (server) => {
    const { filter, logs } = own('http-1-0', [{ message: 'for the old' }]);
    const client = await RawConnection.open(server);
    client.send(`GET /logs/tail?${filter} HTTP/1.0\r\n\r\n`);
    await eventually('the stream to begin', async () => client.unread.includes('\nid: '));
    await postLogs(server, logs);
    await eventually('the log', async () => client.unread.includes('for the old'));
    const [head, body] = client.unread.split('\r\n\r\n') as [string, string];
    assert.doesNotMatch(head, /chunked/i);
    assert.match(head, /Connection: close/);
    assert.match(body, /^retry: 1000\nid: \S+\n\nid: \S+\ndata: \{.*\}\n\n$/);
    client.close();
});

check('a comment comes every 15 s, with the place so far', async (server) => {
    const { filter } = own('quiet', []);
    const tail = await Tail.open(server, { query: filter });
    const began = tail.lastId;
    await postLog(server, { message: 'of no concern', level: 'info' });
    await eventually('a comment', async () => tail.comments.length >= 1);
    assert.notEqual(tail.lastId, began, 'so that resuming need not look at it again');
    assert.deepEqual([tail.logs.length, tail.streams], [0, 1]);
    tail.close();
});

end();

/* ---- Limits ---- */

scenario('past MAX_TAILS a tail is answered 503, until another has gone', async (lab) => {
    const server = await lab.start({ settings: { MAX_TAILS: '2', WEB_CONCURRENCY: '2' } });
    const raw = async (request: string): Promise<RawConnection> => {
        const client = await RawConnection.open(server);
        client.send(request);
        await eventually('the stream to begin', async () => client.unread.includes('id: '));
        return client;
    };
    // However a client was asking, its going is noticed though nothing is sent to it.
    for (const request of [
        'GET /logs/tail HTTP/1.1\r\nHost: t\r\n\r\n',
        'GET /logs/tail HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n',
        'GET /logs/tail HTTP/1.0\r\n\r\n',
    ]) {
        const [one, two] = [await raw(request), await raw(request)];
        const refused = await Tail.open(server, { comesBack: false });
        assert.equal(refused.status, 503, request);
        assert.match(refused.body, /too many live tails: at most 2 \(MAX_TAILS\)/);
        assert.ok(Number(refused.headers['retry-after']) >= 1);
        one.close();
        const next = await eventually(
            'a place',
            async () => {
                const tail = await Tail.open(server, { comesBack: false });
                return tail.status === 200 && tail;
            },
            5000,
        );
        next.close();
        two.close();
        await sleep(200);
    }
});

scenario('a reader that stops reading is cut off after WRITE_TIMEOUT', async (lab) => {
    const server = await lab.start({ settings: { MAX_TAILS: '1', WRITE_TIMEOUT: '1' } });
    const stuck = await Tail.open(server, { comesBack: false });
    stuck.pause();
    await postLots(server, MANY);
    await eventually('its place to be free', async () => {
        const next = await Tail.open(server, { comesBack: false });
        next.close();
        return next.status === 200;
    });
    stuck.close();
});

scenario('a stop ends tails at once, also those that take nothing', async (lab) => {
    const server = await lab.start({ settings: { SHUTDOWN_TIMEOUT: '60' } });
    const [quick, stuck] = await Promise.all([
        Tail.open(server, { comesBack: false, query: 'q=at%20last' }),
        Tail.open(server, { comesBack: false }),
    ]);
    const old = await RawConnection.open(server);
    old.send('GET /logs/tail?q=at%20last HTTP/1.0\r\n\r\n');
    stuck.pause();
    await postLots(server, MANY);
    await postLog(server, { message: 'at last', level: 'info' });
    await quick.has(1);
    await server.stop(); // within 10 s
    await old.end();
    await eventually('the end', async () => quick.end !== undefined);
    assert.equal(quick.end, 'whole');
    stuck.close();
});

/* ---- Slow readers ---- */

const LOT = 100;

/** Posts `n` numbered logs of about 1 KB each; every one is answered 201. */
async function postLots(server: Logmill, n: number, more: object = {}): Promise<void> {
    for (let at = 0; at < n; at += LOT) {
        const logs = Array.from({ length: Math.min(LOT, n - at) }, (_, k) => ({
            message: `log ${at + k} ${'m'.repeat(900)}`,
            level: 'info',
            n: at + k,
            ...more,
        }));
        await postLogs(server, logs);
    }
}

scenario(
    'a reader that rests is told exactly how many it missed, and holds up nobody and no memory',
    async (lab) => {
        // Who rests is not cut off meanwhile, however long all that takes.
        const server = await lab.start({ binary: OPTIMISED, settings: { WRITE_TIMEOUT: '600' } });
        const [quick, slow, picky] = await Promise.all([
            Tail.open(server),
            Tail.open(server),
            Tail.open(server, { query: 'attr.even=true' }),
        ]);
        const n = MANY; // in lots with pauses, for longer than it may be behind
        slow.pause();
        picky.pause();
        let before = 0;
        for (let at = 0; at < n; at += 5000) {
            await postLots(server, 2500, { even: true });
            await postLots(server, 2500, { even: false });
            await quick.has(at + 5000);
            // By then the store has sealed and compacted, for which it keeps some memory.
            before = at < 20_000 ? residentBytes(server.pid) : before;
            await sleep(800);
        }
        const grown = residentBytes(server.pid) - before;
        assert.ok(grown < 32_000_000, `the server grew by ${grown} bytes`);
        assert.equal(quick.missed, 0);
        assert.equal(quick.logs.length, n);

        slow.resume();
        picky.resume();
        await eventually('all to be told', async () => slow.logs.length + slow.missed >= n);
        await eventually('all to be told', async () => picky.logs.length + picky.missed >= n / 2);
        await postLog(server, { message: 'after that', level: 'info', even: true });
        for (const tail of [slow, picky, quick]) {
            await eventually('the next', async () => tail.messages.includes('after that'));
            assert.equal(tail.streams, 1);
        }
        assert.ok(slow.missed > 0 && picky.missed > 0);
        assert.equal(slow.logs.length - 1 + slow.missed, n);
        assert.equal(picky.logs.length - 1 + picky.missed, n / 2);
        assert.deepEqual([...new Set(slow.events)], ['missed']);
        [quick, slow, picky].forEach((tail) => tail.close());
    },
);

scenario('tails that take nothing leave room for logs that are sent', async (lab) => {
    const server = await lab.start({
        settings: { MAX_INFLIGHT_BYTES: '1048576', WEB_CONCURRENCY: '2' },
    });
    const tails = await Promise.all(Array.from({ length: 60 }, () => Tail.open(server)));
    tails.forEach((tail) => tail.pause());
    await postLots(server, 12_000);
    const other = await Tail.open(server, { query: 'q=small' });
    await postLog(server, { message: 'small', level: 'info' });
    await other.has(1);
    [other, ...tails].forEach((tail) => tail.close());
});

/* ---- Many ---- */

scenario('1,000 tails at once on one process get every log', async (lab) => {
    const server = await lab.start({ settings: { WEB_CONCURRENCY: '2' } });
    const tails = await Promise.all(
        Array.from({ length: 1000 }, (_, n) =>
            Tail.open(server, n % 2 === 0 ? {} : { query: 'level=error' }),
        ),
    );
    for (let n = 0; n < 20; n++) {
        await postLogs(server, [
            { message: `info ${n}`, level: 'info' },
            { message: `error ${n}`, level: 'error' },
        ]);
        await sleep(20);
    }
    const errors = Array.from({ length: 20 }, (_, n) => `error ${n}`);
    const all = errors.flatMap((error, n) => [`info ${n}`, error]);
    for (const [n, tail] of tails.entries()) {
        const wanted = n % 2 === 0 ? all : errors;
        await tail.has(wanted.length);
        assert.deepEqual(tail.messages, wanted);
        tail.close();
    }
});

/* ---- Filters that cost ---- */

/** `n` letters of two bytes, and another at the end: nearly found everywhere in a text of them. */
function expensive(n: number, letters: number): string {
    return `q=${encodeURIComponent('\u00e4'.repeat(letters - (n % 90)) + `\u00df${n}`)}`;
}

async function slowestHealth(server: Logmill, during: Promise<unknown>): Promise<number> {
    let going = true;
    let worst = 0;
    void during.finally(() => (going = false));
    while (going) {
        const begun = Date.now();
        assert.equal((await get(server, '/health')).status, 200);
        worst = Math.max(worst, Date.now() - begun);
        await sleep(5);
    }
    return worst;
}

const LETTERS = { message: '\u00e4'.repeat(5000), level: 'info' };

scenario('20 tails that look for 900 letters stop nobody', async (lab) => {
    const server = await lab.start({ settings: { WEB_CONCURRENCY: '1' } });
    const open = (query: string): Promise<Tail> => Tail.open(server, { query });
    const searching = Array.from({ length: 20 }, (_, n) => open(expensive(n, 890)));
    const tails = await Promise.all(searching);
    const plain = await open('q=needle');
    const alone = await slowestHealth(server, sleep(100));
    const all = (async () => {
        await postLogs(server, Array<Record<string, unknown>>(20).fill(LETTERS));
        await postLog(server, { message: 'the needle', level: 'info' });
        await plain.has(1);
    })();
    const worst = await slowestHealth(server, all);
    // With sanitizers; it was 28 s without, on a machine that answers alone in 2 ms.
    assert.ok(worst < 10_000 + 500 * alone, `/health took ${worst} ms`);
    [plain, ...tails].forEach((tail) => tail.close());
});

scenario('a tail with an expensive filter gets its logs late, and delays nobody', async (lab) => {
    const server = await lab.start({ settings: { WEB_CONCURRENCY: '2' } });
    const open = (query: string): Promise<Tail> => Tail.open(server, { query });
    const tails = await Promise.all(
        Array.from({ length: 150 }, (_, n) => open(expensive(n, 890))),
    );
    const [plain, every] = await Promise.all([open('q=needle'), open('')]);
    // 1,500 kB that each of the 150 nearly finds its text in; then a log for each of them.
    const wanted = tails.map((_, n) => decodeURIComponent(expensive(n, 890).slice(2)));
    for (let lot = 0; lot < 3; lot++) {
        await postLogs(server, Array<Record<string, unknown>>(50).fill(LETTERS));
        await postLog(server, { message: `needle ${lot}`, level: 'info' });
        await postLogs(
            server,
            wanted.map((text) => ({ message: `${lot} ${text.toUpperCase()}`, level: 'info' })),
        );
    }
    await plain.has(3);
    await every.has(3 * (50 + 1 + 150));
    for (const [n, tail] of tails.entries()) {
        const mine = every.messages.filter((m) => m.toLowerCase().includes(wanted[n]!.toLowerCase()));
        await tail.has(mine.length, 60_000);
        assert.deepEqual(tail.messages, mine, `tail ${n}`);
        assert.deepEqual([tail.events, tail.streams], [[], 1]);
    }
    [plain, every, ...tails].forEach((tail) => tail.close());
});

/* ---- Large events ---- */

/** Bytes of all tails that wait for their clients. */
async function waiting(server: Logmill): Promise<number> {
    const { text } = await get(server, '/metrics');
    return Number(/^logmill_inflight_class_bytes\{class="tails"\} (\d+)$/m.exec(text)![1]);
}

scenario('an event larger than a share of a tail is delivered, and charged within it', async (lab) => {
    const server = await lab.start({
        settings: { MAX_INFLIGHT_BYTES: '4194304', WEB_CONCURRENCY: '2' },
    });
    const TAILS = 40;
    const share = 4194304 / 4 / TAILS;
    const tails = await Promise.all(Array.from({ length: TAILS }, () => Tail.open(server)));
    const [first, ...others] = tails as [Tail, ...Tail[]];
    const message = 'm'.repeat(500_000); // 19 shares
    const begun = first.lastId;
    others.forEach((tail) => tail.pause());
    const wanted: string[] = [];
    for (let n = 0; n < 7; n++) { // more than sockets take
        wanted.push(`${n} ${message}`, `small ${n}`);
        await postLog(server, { message: wanted.at(-2), level: 'info' });
        await postLog(server, { message: wanted.at(-1), level: 'info' });
        await first.has(wanted.length);
        const bytes = await waiting(server);
        assert.ok(bytes <= TAILS * (share + 100), `${bytes} bytes wait`);
    }
    others.forEach((tail) => tail.resume());
    const late = await Tail.open(server, { lastId: begun }); // reads the store
    for (const tail of [...tails, late]) {
        await tail.has(wanted.length, 60_000);
        assert.ok(tail.messages.every((m, n) => m === wanted[n]));
        assert.deepEqual([tail.events, tail.streams], [[], 1]);
        tail.close();
    }
});

/* ---- No memory ---- */

/** Posts a log until it is taken. */
async function insist(server: Logmill, message: string): Promise<void> {
    await eventually(`${message} to be taken`, async () => {
        const log = { message, level: 'info', padding: 'p'.repeat(3000) };
        return (await post(server, '/log', log)).status === 201;
    });
}

scenario(
    'an allocation that fails costs a tail its stream at most, and the process nothing',
    async (lab) => {
        const points = [1, 7, 12, 17, 22, 27, 32, 37, 42, 47, 60, 80, 110, 150, 200];
        const told = await Promise.all(
            points.map(async (point) => {
                const settings = { LOGMILL_FAULT: `input:${point}`, WEB_CONCURRENCY: '1' };
                const server = await lab.start({ settings });
                const tail = new Tail(() => server);
                await eventually('a stream to begin', async () => tail.lastId !== '');
                await insist(server, 'log 0');
                const behind = await Tail.open(server, { lastId: tail.lastId });
                for (let n = 1; n < 30; n++) {
                    await insist(server, `log ${n}`);
                }
                const wanted = Array.from({ length: 30 }, (_, n) => `log ${n}`);
                // What had no memory is tried again with the next batch or heartbeat.
                await tail.has(30);
                const got = tail.messages.sort(); // a worker that failed stores a log later
                assert.deepEqual([got, tail.events], [wanted.sort(), []], `${point}`);
                await behind.has(29);
                [tail, behind].forEach((each) => each.close());
                await server.stop();
                return server.stderr.includes('fault: input');
            }),
        );
        assert.ok(told.some((faulty) => faulty));
    },
    { skip: !readFileSync(BINARY, 'latin1').includes('LOGMILL_FAULT') && 'no seam for faults' },
);

/* ---- Resuming ---- */

/** That `tail` got all that is stored, each once. */
async function verifyWhole(tail: Tail, server: Logmill, query = ''): Promise<void> {
    const wanted = await allLogs(server, query);
    await tail.has(wanted.length);
    assert.deepEqual(tail.events, []);
    const got = ids(tail.logs);
    assert.equal(new Set(got).size, got.length, 'none twice');
    assert.deepEqual(got.sort(), ids(wanted).sort());
}

async function taken(load: Load, n: number): Promise<void> {
    const before = load.acknowledged;
    await eventually('logs to be taken', async () => load.acknowledged >= before + n);
}

function follow(target: () => Logmill | undefined): { tail: Tail; picky: Tail } {
    return { tail: new Tail(target), picky: new Tail(target, { query: 'attr.k=0&q=client%201' }) };
}

scenario('a tail that comes back after stops and kills has no gap and no repeat', async (lab) => {
    let server: Logmill | undefined = await lab.start();
    const dataDir = server.dataDir;
    const { tail, picky } = follow(() => server);
    await eventually('both to follow', async () => tail.lastId !== '' && picky.lastId !== '');
    const load = new Load(() => server, ['single', 'single', 'batch', 'batch', 'retry']);
    try {
        for (let round = 0; round < 6; round++) {
            await taken(load, 60);
            await eventually('the tail to be back', async () => tail.streams > round);
            await sleep(Math.random() * 300);
            const last: Logmill = server!;
            server = undefined;
            await (round % 2 === 0 ? last.kill() : last.stop());
            server = await lab.start({}, dataDir);
        }
        await taken(load, 60);
        await eventually('the tail to be back', async () => tail.streams > 6);
    } finally {
        await load.stop();
    }
    await atRest(server!);
    await verifyWhole(tail, server!);
    await verifyWhole(picky, server!, 'attr.k=0&q=client%201');
    assert.ok(tail.streams > 6); // it came back each time
    [tail, picky].forEach((each) => each.close());
});

async function startBoth(lab: Lab): Promise<{ api: Logmill; worker: Logmill }> {
    const api = await lab.start({ command: 'api' });
    return { api, worker: await lab.start({ command: 'worker' }, api.dataDir) };
}

scenario('api and worker as two processes: a tail goes on over kills of both', async (lab) => {
    const first = await startBoth(lab);
    let api: Logmill | undefined = first.api;
    let { worker } = first;
    const { dataDir } = first.api;
    const { tail, picky } = follow(() => api);
    await eventually('both to follow', async () => tail.lastId !== '' && picky.lastId !== '');
    const load = new Load(() => api, ['single', 'batch', 'batch']);
    try {
        for (let round = 0; round < 4; round++) {
            await taken(load, 60);
            if (round % 2 === 0) {
                await worker.kill();
                worker = await lab.start({ command: 'worker' }, dataDir);
            } else {
                const last: Logmill = api!;
                api = undefined;
                await last.kill();
                api = await lab.start({ command: 'api' }, dataDir);
            }
        }
        await taken(load, 60);
    } finally {
        await load.stop();
    }
    await atRest(api!);
    await verifyWhole(tail, api!);
    await verifyWhole(picky, api!, 'attr.k=0&q=client%201');
    [tail, picky].forEach((each) => each.close());
});

scenario('from past the horizon, or of another store, a tail says what is lost', async (lab) => {
    const server = await lab.start();
    const first = await Tail.open(server);
    await postLog(server, { message: 'first', level: 'info' });
    await first.has(1);
    const place = first.lastId;
    await postLog(server, { message: 'forgotten', level: 'info' });
    await postLog(server, { message: 'known', level: 'info' });
    await first.has(3);
    first.close();
    await sqlite(
        `${server.dataDir}/logs.db`,
        'UPDATE sequence SET follow_from = (SELECT max(last) - 1 FROM recent)',
    );
    const late = await Tail.open(server, { lastId: place });
    await late.has(1);
    assert.deepEqual([late.events, late.messages], [['lost'], ['known']]);
    const lastId = late.lastId;
    late.close();

    const foreign = await Tail.open(server, { lastId: '0-999999-0' });
    await eventually('an event', async () => foreign.events.length > 0);
    assert.deepEqual([foreign.events, foreign.lastId], [['lost'], lastId]);
    await postLog(server, { message: 'next', level: 'info' });
    await foreign.has(1);
    assert.deepEqual(foreign.messages, ['next']);
    foreign.close();
});

scenario('a store that was set back under a tail: it says so, and goes on', async (lab) => {
    const server = await lab.start();
    const tail = await Tail.open(server);
    await postLogs(server, [1, 2, 3].map((n) => ({ message: `${n}`, level: 'info' })));
    await tail.has(3);
    await sqlite(`${server.dataDir}/logs.db`, 'UPDATE sequence SET last = 0; DELETE FROM recent');
    await eventually('the loss to be told', async () => tail.events.includes('lost'));
    await postLog(server, { message: 'after', level: 'info' });
    await tail.has(4);
    assert.deepEqual([tail.messages.slice(3), tail.events], [['after'], ['lost']]);
    tail.close();
});
