/*
 * Readers do not make each other wait: searches that nobody waits for any more, searches that take
 * long, a store that says nothing; and what takes long is answered in parts that make a whole.
 */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';

import { type Logmill, OPTIMISED, eventually, residentBytes, scenario, sleep } from '../support/harness';
import { type Answer, RawConnection, get, post } from '../support/http';
import { type Log, type Page, allLogs, assertNewestFirst, atRest, metric, metrics, postLogs } from '../support/logs';
import { PostgresServer } from '../support/servers/postgres';
import { overBoth } from '../support/servers/stores';

/** So many that a search of all of them takes several turns, with sanitizers or without. */
const MANY = 60_000;
const NEEDLE = 2_000; // one log of so many has it

/** So many that a search takes several turns: the embedded store looks at more in one. */
function manyTurns(settings: Record<string, string>): number {
    return 'DATABASE_HOST' in settings ? MANY : 8 * MANY;
}

const ALL = 'since=2000-01-01&until=2100-01-01';

/** Each is a second after the one before. */
async function fill(server: Logmill, n: number): Promise<void> {
    for (let at = 0; at < n; at += 1000) {
        await postLogs(
            server,
            Array.from({ length: 1000 }, (_, i) => ({
                timestamp: 1_700_000_000 + at + i,
                level: ['debug', 'info', 'Error'][i % 3],
                message: `log ${at + i}${(at + i) % NEEDLE === 7 ? ' with the needle' : ''}`,
                n: at + i,
            })),
        );
    }
    await atRest(server);
}

function needles(n: number): number[] {
    return Array.from({ length: n / NEEDLE }, (_, i) => i * NEEDLE + 7).reverse();
}

function numbers(logs: Log[]): number[] {
    return logs.map((log) => log.attributes['n'] as number);
}

/** Sends a request, and the end of what there is to send. */
async function halfClosed(server: Logmill, path: string): Promise<Answer> {
    const client = await RawConnection.open(server);
    client.socket.end(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const answer = await client.answer();
    client.close();
    return answer;
}

async function reading(server: Logmill): Promise<number> {
    const samples = await metrics(server);
    const lanes = ['point', 'page', 'search', 'scan'].map((lane) =>
        metric(samples, `logmill_reads_waiting{lane="${lane}"}`),
    );
    return lanes.reduce((sum, n) => sum + n, metric(samples, 'logmill_reads_running'));
}

interface Part extends Page {
    searched_to: string | null;
}

interface Stats {
    buckets: { timestamp: string; total: number; levels: Record<string, number> }[];
    total: number;
    next: string | null;
    searched_to: string | null;
}

/** Follows `next` with `ask` until nothing is left. */
async function parts<T extends { next: string | null; searched_to: string | null }>(
    ask: (cursor: string) => Promise<Answer>,
): Promise<T[]> {
    const all: T[] = [];
    for (let cursor = ''; ; ) {
        const answer = await ask(cursor);
        assert.equal(answer.status, 200, answer.text);
        const part = answer.json<T>();
        all.push(part);
        if (part.next === null) {
            assert.equal(part.searched_to, null);
            return all;
        }
        cursor = `&cursor=${part.next}`;
    }
}

/** Fails if searches do not get on from one to the next. */
function assertDescending(all: { searched_to: string | null }[]): void {
    const times = all.flatMap((part) => part.searched_to ?? []);
    assert.equal(times.length, all.length - 1, 'all but the last say how far they got');
    for (let i = 1; i < times.length; i++) {
        assert.ok(times[i]! < times[i - 1]!, `${times[i]} after ${times[i - 1]}`);
    }
}

/* ---- Parts ---- */

overBoth('a rare filter is answered in parts: together all, each once', async (server, { settings }) => {
    const many = manyTurns(settings);
    await fill(server, many);
    const path = `/logs?q=needle&limit=1000`;
    const found = await parts<Part>((cursor) => halfClosed(server, path + cursor));
    assert.ok(found.length > 2, `${found.length} parts`);
    assertDescending(found);
    const logs = found.flatMap((part) => part.logs);
    assertNewestFirst(logs);
    assert.deepEqual(numbers(logs), needles(many));
    for (const part of found) {
        if (part.searched_to !== null) {
            // The last log may be of the microsecond before, of which not all was searched.
            const others = part.logs.slice(0, -1);
            assert.ok(others.every((log) => log.timestamp >= part.searched_to!));
        }
    }
    const whole = await get(server, path);
    assert.deepEqual(whole.json(), { logs, next: null, searched_to: null });
    const samples = await metrics(server);
    assert.ok(metric(samples, 'logmill_reads_partial_total') >= found.length - 1);
});

overBoth('counts in parts add up to the whole, cut buckets too', async (server, { settings }) => {
    const many = manyTurns(settings);
    await fill(server, many);
    const path = `/logs/stats?${ALL}&bucket=86400000&not.q=needle`;
    const found = await parts<Stats>((cursor) => halfClosed(server, path + cursor));
    // PostgreSQL counts so few in one turn.
    assert.ok(found.length > 2 || 'DATABASE_HOST' in settings, `${found.length} parts`);
    assertDescending(found);
    const sum = new Map<string, Record<string, number>>();
    for (const { timestamp, total, levels } of found.flatMap((part) => part.buckets)) {
        const bucket = sum.get(timestamp) ?? { total: 0 };
        sum.set(timestamp, bucket);
        for (const [level, count] of Object.entries({ ...levels, total })) {
            bucket[level] = (bucket[level] ?? 0) + count;
        }
    }
    const whole = (await get(server, path)).json<Stats>();
    assert.equal(whole.next, null);
    assert.equal(whole.searched_to, null);
    assert.equal(whole.total, many - many / NEEDLE);
    assert.equal(found.reduce((total, part) => total + part.total, 0), whole.total);
    assert.deepEqual(
        Object.fromEntries(sum),
        Object.fromEntries(
            whole.buckets.map(({ timestamp, total, levels }) => [timestamp, { ...levels, total }]),
        ),
    );
});

scenario('`slice` bounds the time of an answer; what it left out follows', async (lab) => {
    const server = await lab.start();
    const many = manyTurns({});
    await fill(server, many);
    const searches = await Promise.all(
        Array.from({ length: 200 }, () =>
            parts<Part>((cursor) => get(server, `/logs?q=needle&limit=1000&slice=1${cursor}`)),
        ),
    );
    for (const found of searches) {
        assert.deepEqual(numbers(found.flatMap((part) => part.logs)), needles(many));
    }
    assert.ok(
        searches.some((found) => found.length > 1),
        '200 searches at once were all done in a second: more logs are needed',
    );
    for (const [wrong, type] of [
        ['0', 'greater_than_equal'],
        ['31', 'less_than_equal'],
        ['x', 'int_parsing'],
    ] as const) {
        for (const path of ['/logs', '/logs/stats']) {
            const answer = await get(server, `${path}?slice=${wrong}`);
            assert.equal(answer.status, 422, answer.text);
            assert.equal(answer.json().detail[0].type, type);
        }
    }
});

overBoth('a download has all that matches, also for who has closed its side', async (server) => {
    await fill(server, MANY);
    const client = await RawConnection.open(server);
    client.socket.end(
        'GET /logs?q=needle&format=ndjson HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
    );
    await eventually('the end of the download', async () => client.unread.endsWith('0\r\n\r\n'));
    const found = [...client.unread.matchAll(/log (\d+) with the needle/g)].map((m) => Number(m[1]));
    assert.deepEqual(found, needles(MANY));
});

/* ---- Large pages ---- */

const TRACES = 1_200;

/** Of 9 KB each. */
async function fillWithTraces(server: Logmill): Promise<void> {
    for (let at = 0; at < TRACES; at += 100) {
        await postLogs(
            server,
            Array.from({ length: 100 }, (_, i) => ({
                timestamp: 1_700_000_000 + at + i,
                level: 'error',
                message: `trace ${at + i} `.padEnd(9_000, 'at frame\n'),
                n: at + i,
            })),
        );
    }
    await atRest(server);
}

overBoth('pages by offset are whole, however large their logs are', async (server) => {
    await fillWithTraces(server);
    const all = Array.from({ length: TRACES }, (_, n) => TRACES - 1 - n);
    for (const first of ['offset=0', '']) {
        const seen: number[] = [];
        for (const query of [first, 'offset=1000']) {
            const answer = await get(server, `/logs?limit=1000&${query}`);
            assert.equal(answer.status, 200, answer.text);
            seen.push(...numbers(answer.json<Page>().logs));
        }
        assert.deepEqual(seen, all, first);
    }
    const whole = (await get(server, '/logs?limit=1000&offset=100')).json<Part>();
    assert.equal(whole.logs.length, 1000);
    assert.equal(whole.searched_to, null);
    const rest = (await get(server, `/logs?limit=1000&cursor=${whole.next}`)).json<Part>();
    assert.deepEqual(numbers(rest.logs), all.slice(1100));

    // Who knows of `next` gets no more than some 8 MiB at once.
    const early = (await get(server, '/logs?limit=1000&slice=30')).json<Part>();
    assert.ok(early.logs.length > 800 && early.logs.length < 1000, `${early.logs.length} logs`);
    assert.ok(early.next !== null && early.searched_to === null);
    assert.deepEqual(numbers(await allLogs(server, 'slice=30')), all);

    // … or than it says, but one log at least.
    const asked = (await get(server, '/logs?limit=1000&bytes=1')).json<Part>();
    assert.deepEqual([asked.logs.length, asked.searched_to], [1, null]);
    assert.deepEqual(numbers(await allLogs(server, `bytes=${2 << 20}`)), all);
});

scenario('however many large pages are asked for at once, memory is bounded', async (lab) => {
    const MIB = 1 << 20;
    const server = await lab.start({
        binary: OPTIMISED,
        settings: { MAX_INFLIGHT_BYTES: String(32 * MIB), READ_THREADS: '4' },
    });
    await fillWithTraces(server);
    const before = residentBytes(server.pid);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, residentBytes(server.pid))), 20);
    const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
            get(server, `/logs?limit=1000&slice=30&not.q=${i % 2 ? 'x'.repeat(100) : 'nowhere'}`),
        ),
    );
    clearInterval(watch);
    const statuses = new Map<string, number>();
    for (const answer of answers) {
        const what = answer.status === 200 ? '200' : answer.text;
        statuses.set(what, (statuses.get(what) ?? 0) + 1);
        if (answer.status === 200) {
            const { logs, next } = answer.json<Page>();
            assert.ok(logs.length > 0 && next !== null, `${logs.length} logs`);
        }
    }
    assert.ok(statuses.get('200')! > 0, JSON.stringify([...statuses]));
    assert.ok(most - before < 80 * MIB, `${(most - before) / MIB} MiB more`);
    await eventually('nothing to be held for them', async () => {
        return metric(await metrics(server), 'logmill_inflight_class_bytes{class="reads"}') === 0;
    });
});

/* ---- Whoever else reads ---- */

/** Begins searches for what is not there, one a connection. */
function searches(server: Logmill, n: number): Promise<RawConnection[]> {
    return Promise.all(
        Array.from({ length: n }, async (_, i) => {
            const client = await RawConnection.open(server);
            client.send(`GET /logs?q=nowhere+${i} HTTP/1.1\r\nHost: h\r\n\r\n`);
            return client;
        }),
    );
}

overBoth('a page, a log and /ready do not wait for searches', async (server, _store, lab) => {
    await fill(server, MANY);
    const { id } = (await get(server, '/logs?limit=1')).json<Page>().logs[0]!;
    const going = new Set<number>(); // searches that were sent and are not answered
    let last = 0;
    let done = false;
    const floods = Array.from({ length: 40 }, async () => {
        while (!done) {
            const search = last++;
            going.add(search);
            await get(server, `/logs?q=nowhere+${search}`).catch(() => {});
            going.delete(search);
        }
    });
    lab.finally(() => {
        done = true;
    });
    for (const path of ['/logs?limit=1', `/logs/${id}`, '/ready', '/metrics', '/health']) {
        // More than one try: where the test itself is given no time, all may be answered meanwhile.
        await eventually(`${path} before searches that came first`, async () => {
            const earlier = [...going];
            if ((await reading(server)) <= 20) {
                return false;
            }
            const there = earlier.filter((search) => going.has(search));
            assert.equal((await get(server, path)).status, 200, path);
            return there.some((search) => going.has(search));
        });
    }
    done = true;
    await Promise.all(floods);
});

overBoth('searches that nobody waits for any more end at once', async (server, { settings }) => {
    await fill(server, manyTurns(settings));
    const clients = await searches(server, 'DATABASE_HOST' in settings ? 40 : 200);
    await eventually('searches', async () => (await reading(server)) > 20);
    const before = await metrics(server);
    clients.forEach((client) => client.close());
    await eventually('no read', async () => (await reading(server)) === 0);
    const after = await metrics(server);
    const more = (name: string): number => metric(after, name) - metric(before, name);
    assert.ok(more('logmill_reads_left_total') > 10, 'clients were seen to go');
    assert.ok(more('logmill_reads_partial_total') > 10, 'searches were not done to the end');
});

scenario('a page whose client takes longer than its time is ended, not broken off', async (lab) => {
    const server = await lab.start({
        settings: { QUERY_TIMEOUT: '1', READ_THREADS: '1', WEB_CONCURRENCY: '1' },
    });
    await fill(server, 20_000);
    for (let n = 0; n < 30; n++) {
        const logs = Array.from({ length: 15 }, () => ({ level: 'info', message: 'm'.repeat(60_000) }));
        await postLogs(server, logs);
    }
    await atRest(server);

    const client = await RawConnection.open(server);
    client.send('GET /logs?limit=1000 HTTP/1.1\r\nHost: h\r\n\r\n');
    await eventually('the page to begin', async () => client.unread.length > 0);
    client.socket.pause();
    await sleep(3000);
    let going = true;
    const others = Array.from({ length: 60 }, async () => {
        while (going) {
            await get(server, `/logs?offset=0&q=nowhere&${ALL}`).catch(() => {});
        }
    });
    await sleep(300);
    client.socket.resume();
    await eventually('the end', async () => client.closed || client.unread.endsWith('\r\n0\r\n\r\n'));
    going = false;
    assert.match(client.unread.slice(-200), /\],"next":"[\w-]{32}","searched_to":".*"\}\r\n0\r\n\r\n$/);
    client.close();
    await Promise.all(others);
});

scenario('a page whose store fails amid it is ended, and the next ones have the rest', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    const server = await lab.start({ settings: postgres.settings });
    const all = Array.from({ length: 450 }, (_, n) => n);
    for (let n = 0; n < all.length; n += 15) {
        const logs = all.slice(n, n + 15).map((i) => ({ level: 'info', message: 'm'.repeat(60_000), n: i }));
        await postLogs(server, logs);
    }
    await atRest(server);

    // Far more than sockets take before the client goes on to read.
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
        http.get({ host: '127.0.0.1', port: server.port, path: '/logs?limit=1000' }, resolve).on('error', reject);
    });
    const coming = answer.iterator();
    let text = String((await coming.next()).value);
    await postgres.kill();
    for await (const piece of coming) {
        text += String(piece);
    }
    const page = JSON.parse(text) as Part;
    assert.ok(page.logs.length > 0 && page.logs.length < all.length, `${page.logs.length} logs`);
    assert.ok(page.searched_to, 'it says how far it got');

    await postgres.start();
    await eventually('the store', async () => (await get(server, '/logs?limit=1')).status === 200);
    const rest = await parts<Part>((cursor) => get(server, `/logs?limit=1000${cursor || `&cursor=${page.next}`}`));
    assert.deepEqual(numbers([page, ...rest].flatMap(({ logs }) => logs)), all.reverse());
});

/* ---- A store that says nothing ---- */

scenario('tails that wait for a silent store go with their clients', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    const server = await lab.start({
        settings: { ...postgres.settings, MAX_TAILS: '300', WEB_CONCURRENCY: '1', SHUTDOWN_TIMEOUT: '1' },
    });
    const ask = (): Promise<RawConnection[]> =>
        Promise.all(
            Array.from({ length: 300 }, async () => {
                const client = await RawConnection.open(server);
                lab.finally(() => client.close());
                client.send('GET /logs/tail HTTP/1.1\r\nHost: h\r\n\r\n');
                return client;
            }),
        );
    await postLogs(server, [{ message: 'there', level: 'info' }]);
    await atRest(server);

    postgres.hang();
    lab.finally(() => postgres.goOn());
    const gone = await ask();
    await eventually('no room for one more', async () => {
        const client = await RawConnection.open(server);
        client.send('GET /logs/tail HTTP/1.1\r\nHost: h\r\n\r\n');
        await sleep(200);
        client.close(); // one that found a place would wait as long as the others
        return client.unread.startsWith('HTTP/1.1 503');
    });
    gone.forEach((client) => client.close());
    await eventually('room again', async () => {
        const client = await RawConnection.open(server);
        client.send('GET /logs/tail HTTP/1.1\r\nHost: h\r\n\r\n');
        await sleep(200);
        client.close();
        return client.unread === '';
    });
    await eventually('that one to go, too', async () => {
        const clients = await ask();
        await sleep(200);
        const all = clients.every((client) => client.unread === '');
        if (!all) {
            clients.forEach((client) => client.close());
        }
        return all;
    });
    await server.stop(); // within 10 s
});

scenario('the reads of a tail count among those of its client', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    const server = await lab.start({ settings: { ...postgres.settings, MAX_READS_PER_CLIENT: '1' } });
    const ask = async (path: string, client: string): Promise<RawConnection> => {
        const connection = await RawConnection.open(server);
        lab.finally(() => connection.close());
        connection.send(`GET ${path} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: ${client}\r\n\r\n`);
        return connection;
    };
    await postLogs(server, [{ message: 'there', level: 'info' }]);
    await atRest(server);

    postgres.hang();
    lab.finally(() => postgres.goOn());
    const page = await ask('/logs', '192.0.2.1');
    await eventually('the page to be read', async () => (await reading(server)) === 1);
    const refused = await ask('/logs/tail', '192.0.2.1');
    await eventually('an answer', async () => refused.unread !== '');
    assert.match(refused.unread, /^HTTP\/1\.1 503 [^]*at most 1 of one client \(MAX_READS_PER_CLIENT\)/);
    const others = [await ask('/logs/tail', '192.0.2.2'), await ask('/logs', '192.0.2.3')];
    await eventually('those of others to be taken', async () => (await reading(server)) === 3);

    postgres.goOn();
    for (const connection of [page, ...others]) {
        await eventually('an answer', async () => connection.unread !== '');
        assert.match(connection.unread, /^HTTP\/1\.1 200 /);
    }
});

scenario('while PostgreSQL is silent logs are taken, and nobody waits to hear of it', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    const server = await lab.start({
        settings: { ...postgres.settings, READY_TIMEOUT: '1', QUERY_TIMEOUT: '40' },
    });
    await postLogs(server, [{ message: 'there', level: 'info' }]);
    await atRest(server);
    assert.equal((await get(server, '/ready')).text, '{"status":"ready"}');

    postgres.hang();
    lab.finally(() => postgres.goOn());
    const reads = ['/logs', '/logs/stats', '/logs?limit=2', '/logs?q=x'].map((path) => get(server, path));
    await sleep(50); // both readers are stuck
    const started = Date.now();
    assert.equal((await get(server, '/health')).status, 200);
    assert.equal((await get(server, '/metrics')).status, 200);
    assert.equal((await post(server, '/log', { message: 'meanwhile', level: 'info' })).status, 201);
    const ready = await get(server, '/ready');
    assert.equal(ready.status, 503);
    assert.deepEqual(ready.json(), {
        detail: 'the store does not answer within 1 s (READY_TIMEOUT)',
    });
    assert.ok(Date.now() - started < 35_000, `all that took ${Date.now() - started} ms`);
    for (const answer of await Promise.all(reads)) {
        assert.equal(answer.status, 503, answer.text);
        assert.match(answer.json().detail, /^the store did not answer within QUERY_TIMEOUT|^the store cannot be read|^too many reads wait/);
    }

    postgres.goOn();
    await eventually('/ready again', async () => (await get(server, '/ready')).status === 200);
    await eventually('both logs', async () => {
        return (await get(server, '/logs')).json<Page>().logs?.length === 2;
    });

    await postgres.kill();
    const down = await eventually('to be told that it is down', async () => {
        const answer = await get(server, '/ready');
        return answer.status === 200 && answer.json().store !== undefined && answer;
    });
    assert.equal(down.json().status, 'ready', 'logs are taken, and wait in the queue');
    assert.equal((await get(server, '/logs')).status, 503);
    await postgres.start();
});
