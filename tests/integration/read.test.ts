/* GET routes: filters, paging, counts, and what the server says about itself. */
import { strict as assert } from 'node:assert';

import { type Logmill, scenario, shared, sleep } from '../support/harness';
import { get, post, request } from '../support/http';
import {
    type Log,
    answers,
    allLogs,
    assertNewestFirst,
    atRest,
    metric,
    metrics,
    microseconds,
    page,
    postLog,
    postLogs,
    stored,
    uuid7,
} from '../support/logs';

const { check, end } = shared();

/* ---- A data set of which every answer is known ---- */

const START = Date.parse('2026-02-03T00:00:00Z');
const LEVELS = ['debug', 'info', 'INFO', 'Warning', 'error', 'ÉTÉ'];
const WORDS = [
    'Connection lost',
    'connected to ÄRGER',
    '100% done_now',
    'straße',
    'it\'s \\ quoted "so"',
    '',
];

function sample(n: number): Record<string, unknown> {
    const log: Record<string, unknown> = {
        message: `${WORDS[n % WORDS.length]} #${n}`,
        level: LEVELS[(n * 7) % LEVELS.length],
        // several logs share a timestamp, some a millisecond
        timestamp: new Date(START + Math.floor(n / 3) * 20_000)
            .toISOString()
            .replace('Z', `${n % 2}07Z`),
        set: 'sample',
        n,
        parity: n % 2 === 0,
    };
    if (n % 4 === 0) {
        log['user'] = n % 8 === 0 ? 'ann' : 'Bob & Co';
    }
    if (n % 5 === 0) {
        log['user id'] = null;
        log['ratio'] = n / 2;
        log['nested'] = { user: 'ann' };
    }
    return log;
}

const SAMPLES = 400;
let loaded: Promise<Log[]> | undefined;

/** Loads the data set once and returns it as the server has it, newest first. */
function data(server: Logmill): Promise<Log[]> {
    return (loaded ??= (async () => {
        const samples = Array.from({ length: SAMPLES }, (_, n) => sample(n));
        for (let at = 0; at < SAMPLES; at += 80) {
            // out of order, so that order comes from the store
            await postLogs(server, samples.slice(at, at + 80).reverse());
        }
        await atRest(server);
        const logs = await allLogs(server, 'attr.set=sample');
        assert.equal(logs.length, SAMPLES);
        for (const log of logs) {
            const sent = sample(log.attributes['n']);
            assert.equal(log.message, sent['message']);
            assert.equal(log.level, sent['level']);
            assert.equal(log.timestamp, sent['timestamp']);
        }
        return logs;
    })());
}

/** A filter as a query string, and what it means. */
interface Case {
    query: string;
    match: (log: Log) => boolean;
}

const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();
const time = (log: Log): bigint => microseconds(log.timestamp);
const us = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;

const CASES: Case[] = [
    { query: '', match: () => true },
    { query: `since=${at(400)}`, match: (l) => time(l) >= us(at(400)) },
    { query: `until=${at(400)}`, match: (l) => time(l) < us(at(400)) },
    {
        query: `since=${at(400).replace('.000Z', '.000007Z')}&until=${at(800).replace('.000Z', '.000107Z')}`,
        match: (l) => time(l) >= us(at(400)) + 7n && time(l) < us(at(800)) + 107n,
    },
    { query: `since=${START / 1000 + 400}`, match: (l) => time(l) >= us(at(400)) },
    {
        query: `since=${encodeURIComponent('2026-02-03T02:06:40+02:00')}`,
        match: (l) => time(l) >= us(at(400)),
    },
    { query: 'level=info', match: (l) => l.level.toLowerCase() === 'info' },
    {
        query: 'level=INFO&level=warning',
        match: (l) => ['info', 'warning'].includes(l.level.toLowerCase()),
    },
    { query: `level=${encodeURIComponent('été')}`, match: (l) => l.level === 'ÉTÉ' },
    { query: 'level=nothing', match: () => false },
    { query: 'q=connect', match: (l) => l.message.toLowerCase().includes('connect') },
    { query: `q=${encodeURIComponent('ärger')}`, match: (l) => l.message.includes('ÄRGER') },
    { query: 'q=100%25', match: (l) => l.message.includes('100%') },
    { query: 'q=%25', match: (l) => l.message.includes('%') },
    { query: 'q=e_n', match: (l) => l.message.includes('e_n') },
    { query: `q=${encodeURIComponent('\\ quoted "')}`, match: (l) => l.message.includes('quoted') },
    { query: 'q=it%27s', match: (l) => l.message.includes("it's") },
    { query: 'q=done_now+%237', match: (l) => l.message.includes('done_now #7') },
    { query: 'attr.user=ann', match: (l) => l.attributes['user'] === 'ann' },
    { query: 'attr.user=Bob+%26+Co', match: (l) => l.attributes['user'] === 'Bob & Co' },
    { query: 'attr.parity=true', match: (l) => l.attributes['parity'] === true },
    { query: 'attr.parity=false&attr.user=ann', match: () => false },
    { query: 'attr.user%20id=null', match: (l) => l.attributes['user id'] === null },
    { query: 'attr.n=42', match: (l) => l.attributes['n'] === 42 },
    { query: 'attr.ratio=12.5', match: (l) => l.attributes['ratio'] === 12.5 },
    { query: 'attr.missing=x', match: () => false },
    {
        query: `level=error&level=debug&q=connect&attr.parity=true&since=${at(300)}&until=${at(2000)}`,
        match: (l) =>
            ['error', 'debug'].includes(l.level) &&
            l.message.toLowerCase().includes('connect') &&
            l.attributes['parity'] === true &&
            time(l) >= us(at(300)) &&
            time(l) < us(at(2000)),
    },
];

/** With `attr.set=sample`, other tests' logs stay out. */
function within(query: string): string {
    return query === '' ? 'attr.set=sample' : `attr.set=sample&${query}`;
}

check('each filter gives just the logs that match, newest first', async (server) => {
    const all = await data(server);
    assertNewestFirst(all);
    for (const { query, match } of CASES) {
        const got = await page(server, `limit=1000&${within(query)}`);
        assert.deepEqual(
            got.logs.map((log) => log.attributes['n']),
            all.filter(match).map((log) => log.attributes['n']),
            query,
        );
        assert.equal(got.next, null, `nothing follows: ${query}`);
    }
});

check(
    'limit is 100 unless told, offset skips, and both together page as before',
    async (server) => {
        const all = await data(server);
        const ids = (logs: Log[]): string[] => logs.map((log) => log.id);
        const first = await page(server, within(''));
        assert.deepEqual(ids(first.logs), ids(all.slice(0, 100)));
        assert.notEqual(first.next, null);
        for (const [limit, offset] of [
            [1, 0],
            [7, 13],
            [1000, 390],
            [10, 400],
            [10, 100000],
        ] as const) {
            const got = await page(server, within(`limit=${limit}&offset=${offset}`));
            assert.deepEqual(ids(got.logs), ids(all.slice(offset, offset + limit)));
        }
    },
);

check('the cursor leads through every log once, with any page size and filter', async (server) => {
    const all = await data(server);
    for (const limit of [1, 3, 99, 100, 400, 401]) {
        const query = limit === 1 ? 'level=info' : '';
        const match =
            limit === 1
                ? (l: Log): boolean => l.level.toLowerCase() === 'info'
                : (): boolean => true;
        const got = await allLogs(server, within(query), limit);
        assert.deepEqual(
            got.map((log) => log.id),
            all.filter(match).map((log) => log.id),
            `limit ${limit}`,
        );
    }
});

check('a cursor and an offset together skip after the cursor', async (server) => {
    const all = await data(server);
    const first = await page(server, within('limit=10'));
    const got = await page(
        server,
        within(`limit=10&offset=5&cursor=${encodeURIComponent(first.next!)}`),
    );
    assert.deepEqual(
        got.logs.map((log) => log.id),
        all.slice(15, 25).map((log) => log.id),
    );
});

check('bad parameters are refused with 422 that name them', async (server) => {
    for (const route of ['/logs', '/logs/stats']) {
        const queries: [string, string][] = [
            ['since', 'the%20day%20before'],
            ['until', '2026-13-01'],
            ...(route === '/logs'
                ? ([
                      ['limit', '0'],
                      ['limit', '1001'],
                      ['limit', 'ten'],
                      ['offset', '-1'],
                      ['cursor', 'made-up'],
                      ['cursor', '%ff%00'],
                  ] as [string, string][])
                : ([
                      ['bucket', '0'],
                      ['bucket', 'x'],
                  ] as [string, string][])),
        ];
        for (const [name, value] of queries) {
            const answer = await get(server, `${route}?${name}=${value}`);
            assert.equal(answer.status, 422, `${name}=${value}: ${answer.text}`);
            assert.deepEqual(answer.json().detail[0].loc, ['query', name]);
        }
    }
    for (const route of ['/logs', '/logs/stats', '/logs/tail', '/logs?format=csv']) {
        const answer = await get(server, `${route}${route.includes('?') ? '&' : '?'}levle=error`);
        assert.equal(answer.status, 422, route);
        const [error] = answer.json().detail;
        assert.deepEqual([error.type, error.loc], ['extra_forbidden', ['query', 'levle']]);
        assert.match(error.msg, /did you mean 'level'\? Allowed are /);
    }
    const several = await get(server, '/logs?limit=0&offset=x&since=never');
    assert.equal(several.json().detail.length, 3, several.text);
});

check('explain=1 tells what an answer cost, and changes nothing else', async (server) => {
    const numbers = (value: unknown): number[] =>
        typeof value === 'object' && value !== null
            ? Object.values(value).flatMap(numbers)
            : [value as number];
    for (const query of [
        '/logs?attr.set=sample&q=lost&limit=7',
        '/logs?attr.set=sample&attr.n=12&format=json',
        `/logs/stats?since=${START / 1000}&until=${START / 1000 + 3600}&level=info&q=done`,
    ]) {
        const plain = (await get(server, query)).json();
        const { explain, ...rest } = (await get(server, `${query}&explain=1`)).json();
        assert.deepEqual(rest, plain, query);
        assert.deepEqual(Object.keys(explain), ['blocks', 'recent_rows', 'windows'], query);
        assert.ok(
            numbers(explain).every((n) => Number.isSafeInteger(n) && n >= 0),
            JSON.stringify(explain),
        );
        assert.deepEqual((await get(server, `${query}&explain=0`)).json(), plain, query);
    }
    const download = await get(server, '/logs?attr.set=sample&limit=1&format=ndjson&explain=1');
    assert.equal(download.status, 200);
    assert.ok(!('explain' in download.json()));
    for (const value of ['2', '-1', 'yes', '']) {
        assert.equal((await get(server, `/logs?explain=${value}`)).status, 422, value);
    }
});

check('a level is found by its other name, and times by how long ago they are', async (server) => {
    const messages = async (query: string): Promise<string[]> =>
        (await allLogs(server, `attr.names=two&${query}`)).map((log) => log.message).sort();
    const levels = ['warn', 'Warning', 'err', 'ERROR', 'fatal', 'critical', 'info'];
    const now = Date.now();
    await postLogs(
        server,
        levels.map((level, hours) => ({
            level,
            message: level,
            names: 'two',
            timestamp: new Date(now - hours * 3_600_000).toISOString(),
        })),
    );
    await atRest(server);
    assert.deepEqual(await messages('level=warning'), ['Warning', 'warn']);
    assert.deepEqual(await messages('level=WARN'), ['Warning', 'warn']);
    assert.deepEqual(await messages('level=error&level=fatal'), ['ERROR', 'critical', 'err', 'fatal']);
    assert.deepEqual(await messages('not.level=err&not.level=warn'), ['critical', 'fatal', 'info']);
    assert.deepEqual(await messages('since=90m'), ['Warning', 'warn']);
    assert.deepEqual(await messages('since=now-150m&until=30m'), ['Warning', 'err']);
    assert.deepEqual(await messages('since=now-150m&until=now+1h'), ['Warning', 'err', 'warn']);
    assert.equal((await messages('since=yesterday&until=now')).length, 7);
});

check(
    'GET /logs/{id} finds a log by its id in any case, and only a log that exists',
    async (server) => {
        const all = await data(server);
        const log = all[123]!;
        for (const id of [log.id, log.id.toUpperCase()]) {
            const answer = await get(server, `/logs/${id}`);
            assert.equal(answer.status, 200, answer.text);
            assert.deepEqual(answer.json(), log);
        }
        const missing = await get(server, `/logs/${uuid7()}`);
        assert.equal(missing.status, 404);
        assert.equal(typeof missing.json().detail, 'string');
        const bad = await get(server, '/logs/not-an-id');
        assert.equal(bad.status, 422);
        assert.deepEqual(bad.json().detail[0].loc, ['path', 'id']);
    },
);

check('a log from before 1970 is found by its id as well', async (server) => {
    const id = await postLog(server, {
        message: 'long ago',
        level: 'info',
        timestamp: '1900-01-01T00:00:00.5Z',
    });
    const log = await stored(server, id);
    assert.equal(log.timestamp, '1900-01-01T00:00:00.500000Z');
    assert.equal(log.message, 'long ago');
});

/* ---- Counts ---- */

interface Bucket {
    timestamp: string;
    total: number;
    levels: Record<string, number>;
}

function bruteForce(logs: Log[], since: bigint, bucketSeconds: number): Bucket[] {
    const width = BigInt(bucketSeconds) * 1_000_000n;
    const buckets = new Map<bigint, Bucket>();
    for (const log of [...logs].reverse()) {
        const k = (time(log) - since) / width;
        const start = since + k * width;
        const text =
            new Date(Number(start / 1_000_000n) * 1000).toISOString().slice(0, 19) +
            `.${String(start % 1_000_000n).padStart(6, '0')}Z`;
        const bucket = buckets.get(k) ?? { timestamp: text, total: 0, levels: {} };
        const level = log.level.toLowerCase();
        bucket.levels[level] = (bucket.levels[level] ?? 0) + 1;
        bucket.total++;
        buckets.set(k, bucket);
    }
    return [...buckets.values()];
}

check('GET /logs/stats counts as one would by hand, for each filter and bucket', async (server) => {
    const all = await data(server);
    const [since, until] = [at(-100), at(4000)];
    for (const { query, match } of CASES.filter((c) => !/since|until/.test(c.query))) {
        for (const bucket of [60, 7, 3600, 100_000]) {
            const answer = await get(
                server,
                `/logs/stats?${within(query)}&since=${since}&until=${until}&bucket=${bucket}`,
            );
            assert.equal(answer.status, 200, answer.text);
            const stats = answer.json();
            const expected = bruteForce(all.filter(match), us(since), bucket);
            assert.deepEqual(stats.buckets, expected, `${query} bucket ${bucket}`);
            assert.equal(stats.total, all.filter(match).length);
            assert.equal(stats.bucket_seconds, bucket);
            assert.equal(microseconds(stats.since), us(since));
            assert.equal(microseconds(stats.until), us(until));
        }
    }
});

check(
    'GET /logs/stats covers the last 24 hours unless told, in at most 1000 buckets',
    async (server) => {
        const before = Date.now();
        await postLogs(server, [
            { message: 'now', level: 'info', mark: 'recent' },
            {
                message: 'an hour ago',
                level: 'error',
                mark: 'recent',
                timestamp: new Date(before - 3_600_000).toISOString(),
            },
            {
                message: 'two days ago',
                level: 'error',
                mark: 'recent',
                timestamp: new Date(before - 172_800_000).toISOString(),
            },
        ]);
        await atRest(server);
        await sleep(5); // `until` is exclusive
        const stats = (await get(server, '/logs/stats?attr.mark=recent')).json();
        assert.equal(stats.total, 2);
        assert.equal(stats.buckets.length, 2);
        assert.deepEqual(
            stats.buckets.map((b: Bucket) => b.levels),
            [{ error: 1 }, { info: 1 }],
        );
        assert.equal(microseconds(stats.until) - microseconds(stats.since), 86_400_000_000n);
        assert.ok(Number(microseconds(stats.until) / 1000n) >= before);

        // Many more buckets than an answer may have: refused, or made wider; never a huge answer.
        const narrow = await get(server, '/logs/stats?since=2000-01-01&until=2030-01-01&bucket=1');
        if (narrow.status === 200) {
            assert.ok(narrow.json().buckets.length <= 1000);
        } else {
            assert.equal(narrow.status, 422, narrow.text);
        }
    },
);

scenario(
    'time bounds, limit, offset and cursor alone, without a search, find the same',
    async (lab) => {
        const server = await lab.start();
        const samples = Array.from({ length: SAMPLES }, (_, n) => sample(n));
        await postLogs(server, samples.reverse());
        await atRest(server);
        const all = await allLogs(server);
        assertNewestFirst(all);
        assert.equal(all.length, SAMPLES);
        const ids = (logs: Log[]): string[] => logs.map((log) => log.id);
        for (const { query, match } of CASES.filter((c) =>
            /^((since|until)=[^&]*&?)*$/.test(c.query),
        )) {
            const expected = ids(all.filter(match));
            assert.deepEqual(
                ids((await page(server, `limit=1000&${query}`)).logs),
                expected,
                query,
            );
            for (const [limit, offset] of [
                [1, 0],
                [7, 13],
                [1000, 30],
                [10, 399],
                [10, 400],
            ] as const) {
                const got = await page(server, `${query}&limit=${limit}&offset=${offset}`);
                assert.deepEqual(ids(got.logs), expected.slice(offset, offset + limit), query);
                assert.equal(got.next !== null, offset + limit < expected.length, `next: ${query}`);
            }
            for (const limit of [1, 2, 50, 99]) {
                assert.deepEqual(
                    ids(await allLogs(server, query, limit)),
                    expected,
                    `${query} by ${limit}`,
                );
            }
        }
        const stats = (
            await get(server, `/logs/stats?since=${at(0)}&until=${at(4000)}&bucket=60`)
        ).json();
        assert.deepEqual(stats.buckets, bruteForce(all, us(at(0)), 60));
    },
);

/* ---- What an answer cost ---- */

scenario('explain=1 says by what blocks were left out', async (lab) => {
    const server = await lab.start({
        settings: { LOGMILL_STORE_SIZES: 'seal_rows=64,keep_rows=8,block_rows=32' },
    });
    await postLogs(
        server,
        Array.from({ length: 400 }, (_, n) => ({
            message: `order ${n} is done`,
            level: n < 200 ? 'debug' : 'info',
            timestamp: new Date(START + n * 1000).toISOString(),
            service: n % 2 ? 'shop' : 'stock',
        })),
    );
    await atRest(server);
    const explain = async (query: string): Promise<any> =>
        (await get(server, `${query}&explain=1`)).json().explain;
    const { skipped, ...absent } = (await explain('/logs?q=quetzal')).blocks;
    assert.ok(skipped.by_template >= 8, JSON.stringify(skipped));
    assert.deepEqual([absent.read, absent.rows, absent.rows_rebuilt], [0, 0, 0]);
    assert.ok(absent.bytes > 0);

    const found = await explain('/logs?q=DONE&limit=100');
    assert.ok(found.blocks.read >= 1 && found.blocks.rows >= 32, JSON.stringify(found));
    assert.ok(found.recent_rows >= 8, JSON.stringify(found));
    assert.equal(found.blocks.skipped.by_template, 0);
    assert.ok((await explain('/logs?level=error')).blocks.skipped.by_level >= 8);
    assert.ok((await explain('/logs?level=debug')).blocks.skipped.by_level >= 1);
    const equal = (await explain('/logs?attr.service=nowhere')).blocks.skipped;
    assert.ok(equal.by_dictionary + equal.by_filter >= 8, JSON.stringify(equal));
    const since = START / 1000;
    const all = await explain(`/logs/stats?since=${since - 9}&until=${since + 999}&bucket=1008`);
    assert.ok(all.blocks.counted_by_head >= 8, JSON.stringify(all));
    assert.equal(all.blocks.read, 0);
});

/* ---- Paging while logs arrive ---- */

scenario(
    'cursor paging neither skips nor repeats a log while new and late ones arrive',
    async (lab) => {
        const server = await lab.start({ settings: { WEB_CONCURRENCY: '2' } });
        const fixed = Array.from({ length: 600 }, (_, n) => ({
            message: 'fixed',
            level: 'info',
            n,
        }));
        await postLogs(server, fixed);
        await atRest(server);

        let writing = true;
        let late = 0;
        const writer = async (w: number): Promise<void> => {
            for (let n = 0; writing; n++) {
                const log: Record<string, unknown> = { message: 'arriving', level: 'info', w, n };
                if (n % 5 === 0) {
                    log['timestamp'] = new Date(Date.now() - Math.random() * 5000).toISOString();
                    late++;
                }
                await postLog(server, log);
                await sleep(1);
            }
        };
        const writers = [0, 1, 2].map(writer);
        try {
            for (let round = 0; round < 3; round++) {
                const seen = await allLogs(server, '', 13);
                assertNewestFirst(seen);
                const numbers = seen
                    .filter((log) => log.message === 'fixed')
                    .map((log) => log.attributes['n']);
                assert.deepEqual(numbers, fixed.map((log) => log.n).reverse());
            }
        } finally {
            writing = false;
            await Promise.all(writers);
        }
        assert.ok(late > 0);
    },
);

/* ---- What the server says of itself ---- */

check('/health and /ready answer 200', async (server) => {
    for (const path of ['/health', '/ready']) {
        const answer = await get(server, path);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(typeof answer.json().status, 'string');
    }
});

check(
    '/metrics is Prometheus text, and at rest accepted = stored + repeated + conflicting + dead-lettered',
    async (server) => {
        await data(server);
        await postLog(server, { message: 'one more', level: 'info' });
        await atRest(server);
        const answer = await get(server, '/metrics');
        assert.match(String(answer.headers['content-type']), /^text\/plain; version=0\.0\.4/);
        const samples = await metrics(server);
        const value = (name: string): number => metric(samples, name);
        assert.ok(value('logmill_logs_accepted_total') >= SAMPLES);
        assert.equal(
            value('logmill_logs_accepted_total'),
            value('logmill_logs_stored_total') +
                value('logmill_logs_repeated_total') +
                value('logmill_logs_conflicting_total') +
                value('logmill_logs_dead_lettered_total'),
        );
        for (const name of [
            'logmill_batch_logs',
            'logmill_queue_send_microseconds',
            'logmill_store_append_microseconds',
        ]) {
            const buckets = [...samples]
                .filter(([key]) => key.startsWith(`${name}_bucket{`))
                .map(([, v]) => v);
            assert.ok(buckets.length > 1, name);
            assert.deepEqual(
                buckets,
                [...buckets].sort((a, b) => a - b),
                `${name} is cumulative`,
            );
            assert.equal(
                buckets[buckets.length - 1],
                value(`${name}_count`),
                `${name}: +Inf is all`,
            );
        }
        assert.equal(value('logmill_batch_logs_sum'), value('logmill_logs_accepted_total'));
    },
);

check('refused requests are counted, by reason and by status', async (server) => {
    const reason = (samples: Map<string, number>, name: string): number =>
        metric(samples, `logmill_logs_refused_total{reason="${name}"}`);
    const before = await metrics(server);
    await post(server, '/log', '{');
    await post(server, '/logs', [{ level: 'info' }]);
    await post(server, '/log', `"${'x'.repeat(1024 * 1024)}"`);
    const after = await metrics(server);
    assert.equal(reason(after, 'invalid') - reason(before, 'invalid'), 2);
    assert.equal(answers(after, 413) - answers(before, 413), 1);
    assert.equal(answers(after, 422) - answers(before, 422), 2);
});

type Operation = { responses: Record<string, unknown>; parameters?: any[]; requestBody?: any };

function operations(openapi: any): [string, string, Operation][] {
    const all: [string, string, Operation][] = [];
    for (const [path, item] of Object.entries<Record<string, Operation>>(openapi.paths)) {
        for (const [method, operation] of Object.entries(item)) {
            if (['get', 'post', 'put', 'delete', 'patch', 'head', 'options'].includes(method)) {
                all.push([path, method, operation]);
            }
        }
    }
    return all;
}

check('/openapi.json is OpenAPI 3.1 and describes just the routes that answer', async (server) => {
    const answer = await get(server, '/openapi.json');
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    const openapi = answer.json();
    assert.match(openapi.openapi, /^3\.1\.\d+$/);
    assert.equal(typeof openapi.info.title, 'string');
    assert.equal(typeof openapi.info.version, 'string');

    const described = operations(openapi);
    const names = described.map(([path, method]) => `${method.toUpperCase()} ${path}`).sort();
    for (const name of [
        'POST /log',
        'POST /logs',
        'GET /logs',
        'GET /logs/{id}',
        'GET /logs/stats',
        'GET /logs/patterns',
        'GET /logs/fields/{path}',
        'GET /logs/tail',
        'POST /mcp',
        'GET /health',
        'GET /ready',
        'GET /metrics',
        'GET /openapi.json',
        'GET /docs',
    ]) {
        assert.ok(names.includes(name), `${name} is described`);
    }
    const paths = new Map<string, string[]>();
    for (const [path, method, operation] of described) {
        assert.ok(Object.keys(operation.responses).length > 0, `${method} ${path} has responses`);
        paths.set(path, [...(paths.get(path) ?? []), method.toUpperCase()]);
        // A tail's answer has no end, its refusal has.
        const query = path === '/logs/tail' ? '?since=x' : '';
        const real = path.replace(/\{\w+\}/g, uuid7()) + query;
        const got = await request(server, { method: method.toUpperCase(), path: real });
        assert.ok(
            String(got.status) in operation.responses,
            `${method} ${path} answered ${got.status}, which is not described`,
        );
        assert.ok(
            got.status !== 405 && (got.status !== 404 || path.includes('{')),
            `${method} ${path}`,
        );
    }
    for (const [path, methods] of paths) {
        const wrong = await request(server, {
            method: 'PATCH',
            path: path.replace(/\{\w+\}/g, uuid7()),
        });
        assert.equal(wrong.status, 405, path);
        const allow = String(wrong.headers['allow'])
            .split(/,\s*/)
            .filter((m) => m !== 'HEAD');
        assert.deepEqual(allow.sort(), methods.sort(), `${path}: every method is described`);
    }
});

check(
    '/openapi.json has every parameter, body and error, and every reference leads somewhere',
    async (server) => {
        const openapi = (await get(server, '/openapi.json')).json();
        const resolve = (pointer: string): unknown =>
            pointer
                .replace(/^#\//, '')
                .split('/')
                .reduce(
                    (at: any, step) => at?.[step.replace(/~1/g, '/').replace(/~0/g, '~')],
                    openapi,
                );
        const walk = (value: unknown): void => {
            if (typeof value === 'object' && value !== null) {
                const reference = (value as Record<string, unknown>)['$ref'];
                if (typeof reference === 'string') {
                    assert.ok(resolve(reference) !== undefined, reference);
                }
                Object.values(value).forEach(walk);
            }
        };
        walk(openapi);
        const parameters = (path: string): string[] =>
            (openapi.paths[path].get.parameters ?? []).map(
                (p: any) => (p.$ref ? (resolve(p.$ref) as any) : p).name,
            );
        const filters = ['since', 'until', 'level', 'q', 'not.level', 'not.q', 'attributes'];
        for (const [path, own] of Object.entries({
            '/logs': ['limit', 'offset', 'cursor', 'slice', 'bytes', 'explain', 'format'],
            '/logs/stats': ['bucket', 'by', 'value', 'top', 'align', 'zone', 'cursor', 'slice', 'explain'],
            '/logs/patterns': ['new_since', 'top', 'cursor', 'slice', 'explain'],
            '/logs/fields/{path}': ['prefix', 'top', 'cursor', 'slice', 'explain'],
            '/logs/tail': ['Last-Event-ID', 'last_event_id'],
        })) {
            for (const name of [...filters, ...own]) {
                assert.ok(parameters(path).includes(name), `GET ${path} ${name}`);
            }
        }
        assert.deepEqual(Object.keys(openapi.paths['/logs'].get.responses['200'].content), [
            'application/json',
            'application/x-ndjson',
            'text/csv',
        ]);
        assert.deepEqual(parameters('/logs/{id}'), ['id']);
        const { '/log': log, '/logs': logs } = openapi.paths;
        assert.deepEqual(Object.keys(log.post.requestBody.content), ['application/json']);
        const types = Object.keys(logs.post.requestBody.content);
        assert.ok(
            types.includes('application/json') && types.includes('application/x-ndjson'),
            String(types),
        );
        for (const operation of [log.post, logs.post]) {
            for (const status of ['201', '400', '413', '415', '422', '503']) {
                assert.ok(status in operation.responses, status);
            }
        }
    },
);

check('/docs is a page whose every part comes from this server', async (server) => {
    const answer = await get(server, '/docs');
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['content-type']), /^text\/html/);
    const references = [...answer.text.matchAll(/\b(?:src|href)\s*=\s*["']?([^"'\s>]+)/gi)].map(
        (m) => m[1]!,
    );
    const own = references.filter(
        (reference) => !reference.startsWith('#') && !reference.startsWith('data:'),
    );
    let assets = 0;
    for (const reference of own) {
        assert.doesNotMatch(reference, /^([a-z]+:)?\/\//i, 'no other host');
        const got = await get(server, new URL(reference, 'http://self/docs').pathname);
        assert.equal(got.status, 200, reference);
        assert.ok(got.text.length > 0, reference);
        if (/javascript|css/.test(String(got.headers['content-type']))) {
            assets += got.text.length;
            assert.doesNotMatch(got.text, /@import\s+(url\()?["']?https?:/, reference);
        }
    }
    assert.ok(assets > 10_000 || answer.text.length > 10_000, 'the page has its program with it');
    assert.ok(answer.text.includes('openapi.json') || own.length > 0);
});

check('more than 128 query parameters are refused, on every route that has any', async (server) => {
    for (const path of ['/logs', '/logs/stats']) {
        const most = 'q=1&'.repeat(128);
        assert.equal((await get(server, `${path}?${most}`)).status, 200);
        const answer = await get(server, `${path}?${most}q=1`);
        assert.equal(answer.status, 400);
        assert.match(answer.json().detail, /^too many query parameters/);
    }
});

end();
