/* The query language over HTTP and on the command line: `query=`, in every read that takes a filter. */
import { strict as assert } from 'node:assert';

import { type Logmill, runLogmill, scenario } from '../support/harness';
import { get } from '../support/http';
import { type Log, allLogs, atRest, page, postLog, postLogs } from '../support/logs';
import { overBoth } from '../support/servers/stores';
import { Tail } from '../support/sse';

/* ---- Logs of which every answer is known ---- */

const START = Date.parse('2026-03-04T05:00:00Z');
const LEVELS = ['debug', 'info', 'WARN', 'warning', 'error', 'fatal', 'custom'];
const MESSAGES = [
    'request timeout after 30 ms',
    'Pool EXHAUSTED: 12 of 12',
    'user says "hi" to C:\\temp',
    'GET /api/users 200',
    'straße nach Köln',
];
const SERVICES = ['pay', 'cart', 'Pay', 'web'];
const STATUS: unknown[] = [200, '404', 500, '503.0', 5e2, null, 'n/a'];

function sample(n: number): Record<string, unknown> {
    const log: Record<string, unknown> = {
        message: `${MESSAGES[n % MESSAGES.length]} #${n}`,
        level: LEVELS[n % LEVELS.length],
        timestamp: new Date(START + n * 1000).toISOString(),
        n,
        service: SERVICES[n % SERVICES.length],
        http: { status: STATUS[n % STATUS.length], path: n % 3 === 0 ? '/api/users' : '/login' },
        tags: n % 2 === 0 ? ['red', 'Blue'] : [],
        ms: n / 4,
    };
    if (n % 5 === 0) {
        log['trace_id'] = `00ff${n}`;
        log['http.path'] = '/literal';
        log['strange name'] = 'x y';
        log['since'] = 'x';
        log['items'] = [{ sku: 'a-1' }, { sku: `b-${n}` }];
    }
    return log;
}

const SAMPLES = 210;

interface Case {
    query: string;
    match: (log: Log, n: number) => boolean;
}

const SEVERITY: Record<string, number> = { debug: 1, info: 2, warn: 4, warning: 4, error: 5, fatal: 6 };
const severity = (l: Log): number => SEVERITY[l.level.toLowerCase()] ?? NaN;
const holds = (l: Log, text: string): boolean => l.message.toLowerCase().includes(text);
const status = (l: Log): number => {
    const value = l.attributes['http']['status'];
    return typeof value === 'number' || /^[0-9.]+$/.test(String(value)) ? Number(value) : NaN;
};
const service = (l: Log): string => l.attributes['service'];
const path = (l: Log): string[] => [
    l.attributes['http']['path'],
    ...(l.attributes['http.path'] === undefined ? [] : [l.attributes['http.path']]),
];
const fifth = (n: number): boolean => n % 5 === 0;
const iso = (n: number): string => new Date(START + n * 1000).toISOString();

const CASES: Case[] = [
    { query: '', match: () => true },
    { query: 'timeout', match: (l) => holds(l, 'timeout') },
    { query: '"pool exhausted"', match: (l) => holds(l, 'pool exhausted') },
    { query: '"says \\"hi\\" to c:\\\\temp"', match: (l) => holds(l, 'says "hi" to c:\\temp') },
    { query: 'STRASSE OR straße', match: (l) => holds(l, 'straße') },
    { query: 'pool 12', match: (l) => holds(l, 'pool') && holds(l, '12') },
    { query: 'pool AND 12 AND NOT 7', match: (l) => holds(l, 'pool') && holds(l, '12') && !holds(l, '7') },
    { query: 'timeout OR pool -level:error', match: (l) => holds(l, 'timeout') || (holds(l, 'pool') && l.level !== 'error') },
    { query: '(timeout OR pool) -level:error', match: (l) => (holds(l, 'timeout') || holds(l, 'pool')) && l.level !== 'error' },
    { query: '-(timeout OR pool)', match: (l) => !holds(l, 'timeout') && !holds(l, 'pool') },
    { query: 'message:timeout', match: (l) => holds(l, 'timeout') },
    { query: 'level:warn', match: (l) => severity(l) === 4 },
    { query: 'level:Warning', match: (l) => severity(l) === 4 },
    { query: 'level:critical', match: (l) => severity(l) === 6 },
    { query: 'level:>=warning', match: (l) => severity(l) >= 4 },
    { query: 'level:<error', match: (l) => severity(l) < 5 },
    { query: '-level:>=warning', match: (l) => !(severity(l) >= 4) },
    { query: 'level:(debug OR custom)', match: (l) => ['debug', 'custom'].includes(l.level) },
    { query: 'service:pay', match: (l) => service(l) === 'pay' },
    { query: 'service:(pay OR cart)', match: (l) => ['pay', 'cart'].includes(service(l)) },
    { query: '-service:pay', match: (l) => service(l) !== 'pay' },
    { query: 'http.status:500', match: (l) => l.attributes['http']['status'] === 500 },
    { query: 'http.status:500.0', match: (l) => l.attributes['http']['status'] === 500 },
    { query: 'http.status:404', match: (l) => l.attributes['http']['status'] === '404' },
    { query: 'http.status:>=500', match: (l) => status(l) >= 500 },
    { query: 'http.status:<404', match: (l) => status(l) < 404 },
    { query: 'http.status:[404 TO 500]', match: (l) => status(l) >= 404 && status(l) <= 500 },
    { query: 'http.status:{404 TO 503]', match: (l) => status(l) > 404 && status(l) <= 503 },
    { query: 'http.status:[* TO 404}', match: (l) => status(l) < 404 },
    { query: 'http.status:null', match: (l) => l.attributes['http']['status'] === null },
    { query: 'ms:>12.25 ms:<=12.5', match: (l) => l.attributes['ms'] > 12.25 && l.attributes['ms'] <= 12.5 },
    { query: 'ms:1.25e1', match: (l) => l.attributes['ms'] === 12.5 },
    { query: 'http.path:/api/users', match: (l) => path(l).includes('/api/users') },
    { query: 'http.path:/^.api/', match: (l) => path(l).some((p) => /^.api/.test(p)) },
    { query: 'http.path:/literal', match: (_, n) => fifth(n) },
    { query: 'http:*', match: () => true },
    { query: 'trace_id:*', match: (_, n) => fifth(n) },
    { query: '-trace_id:*', match: (_, n) => !fifth(n) },
    { query: 'trace_id:00ff1*', match: (_, n) => fifth(n) && String(n).startsWith('1') },
    { query: 'trace_id:*5', match: (_, n) => fifth(n) && String(n).endsWith('5') },
    { query: 'service:*a*', match: (l) => service(l).includes('a') },
    { query: 'tags:red', match: (_, n) => n % 2 === 0 },
    { query: 'tags:blue', match: () => false },
    { query: 'items.sku:b-10', match: (_, n) => n === 10 },
    { query: '"strange name":"x y"', match: (_, n) => fifth(n) },
    { query: 'attr.since:x', match: (_, n) => fifth(n) },
    { query: '/time.?out after \\d+/', match: (l) => /time.?out after \d+/.test(l.message) },
    { query: '/pool/', match: () => false },
    { query: '/(?i)pool/', match: (l) => holds(l, 'pool') },
    { query: 'any:literal', match: (_, n) => fifth(n) },
    { query: 'any:"b-10"', match: (_, n) => fifth(n) && `b-${n}`.includes('b-10') },
    { query: `since:${iso(100)} until:${iso(110)}`, match: (_, n) => n >= 100 && n < 110 },
    { query: `timestamp:>=${iso(100)} timestamp:<=${iso(110)}`, match: (_, n) => n >= 100 && n <= 110 },
    { query: `n:3 OR since:${iso(200)}`, match: (_, n) => n === 3 || n >= 200 },
];

async function load(server: Logmill): Promise<Log[]> {
    for (let at = 0; at < SAMPLES; at += 70) {
        await postLogs(
            server,
            Array.from({ length: 70 }, (_, i) => sample(at + i)),
        );
    }
    await atRest(server);
    const logs = await allLogs(server);
    assert.equal(logs.length, SAMPLES);
    return logs;
}

const numbers = (logs: Log[]): number[] => logs.map((log) => log.attributes['n']);

async function assertAnswers(server: Logmill): Promise<void> {
    const all = await load(server);
    for (const { query, match } of CASES) {
        const expected = numbers(all.filter((log) => match(log, log.attributes['n'])));
        const parameter = `query=${encodeURIComponent(query)}`;
        assert.deepEqual(numbers((await page(server, `limit=1000&${parameter}`)).logs), expected, query);
        const stats = await get(server, `/logs/stats?since=${iso(0)}&until=${iso(SAMPLES)}&${parameter}`);
        assert.equal(stats.status, 200, `${query}: ${stats.text}`);
        assert.equal(JSON.parse(stats.text).total, expected.length, query);
    }
}

interface Mistake {
    type: string;
    loc: string[];
    msg: string;
    input: string;
    ctx: { position: number; offset: number; length: number; met: string; allowed: string };
}

overBoth('each query gives just the logs that match, and counts them', assertAnswers);

overBoth('a download has what a page has', async (server) => {
    const all = await load(server);
    for (const { query, match } of CASES.filter((_, n) => n % 4 === 0)) {
        const answer = await get(server, `/logs?format=ndjson&query=${encodeURIComponent(query)}`);
        assert.equal(answer.status, 200, answer.text);
        const logs = answer.text
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as Log);
        assert.deepEqual(numbers(logs), numbers(all.filter((log) => match(log, log.attributes['n']))), query);
    }
});

scenario('a query and the parameters are ANDed; of ranges of time the narrower one counts', async (lab) => {
    const server = await lab.start();
    await load(server);
    const found = async (parameters: string): Promise<number[]> =>
        numbers((await page(server, `limit=1000&${parameters}`)).logs).reverse();
    assert.deepEqual(await found(`query=n:<5&level=info`), [1]);
    assert.deepEqual(await found(`query=n:<5&not.attr.service=pay`), [1, 2, 3]);
    assert.deepEqual(await found(`query=since:${iso(10)}&since=${iso(5)}&until=${iso(12)}`), [10, 11]);
    assert.deepEqual(await found(`query=since:${iso(10)}+until:${iso(12)}&since=${iso(11)}`), [11]);
    const stats = await get(server, `/logs/stats?query=since:${iso(10)}+until:${iso(12)}`);
    assert.equal(stats.json<{ since: string }>().since, iso(10).replace('000Z', '000000Z'));
    assert.equal(stats.json<{ total: number }>().total, 2);
});

scenario('a tail sends what its query asks for', async (lab) => {
    const server = await lab.start();
    const query = encodeURIComponent('(http.status:>=500 OR /time.?out/) -level:debug');
    const tail = await Tail.open(server, { query: `query=${query}` });
    await postLogs(server, [
        { message: 'a', level: 'error', http: { status: 503 } },
        { message: 'b', level: 'error', http: { status: 200 } },
        { message: 'time out', level: 'debug' },
        { message: 'time-out', level: 'info' },
        { message: 'c', level: 'info', http: { status: '500' } },
    ]);
    await tail.has(3);
    await postLog(server, { message: 'timeout', level: 'info' });
    await tail.has(4);
    assert.deepEqual(tail.messages, ['a', 'time-out', 'c', 'timeout']);
    tail.close();
});

scenario('a mistake is a 422 that says where, what was met and what is allowed', async (lab) => {
    const server = await lab.start();
    const mistakes: [string, number][] = [
        ['level:', 6],
        ['(a OR b', 7],
        ['a AND', 5],
        ['Köln ms:>fast', 9],
        ['a )', 2],
        ['ms:[1 TO', 8],
        ['"no end', 0],
    ];
    for (const route of ['/logs', '/logs/stats', '/logs/tail', '/logs?format=csv']) {
        for (const [query, position] of mistakes) {
            const separator = route.includes('?') ? '&' : '?';
            const answer = await get(server, `${route}${separator}query=${encodeURIComponent(query)}`);
            assert.equal(answer.status, 422, query);
            const [detail] = answer.json<{ detail: Mistake[] }>().detail;
            assert.deepEqual([detail!.type, detail!.loc, detail!.input], ['query_parsing', ['query', 'query'], query]);
            assert.ok(detail!.msg.startsWith(`At character ${detail!.ctx.position + 1}: `), detail!.msg);
            assert.equal(detail!.ctx.position, position, `${query}: ${detail!.msg}`);
            const bytes = Buffer.from(query);
            assert.equal(bytes.subarray(0, detail!.ctx.offset).toString().length, detail!.ctx.position);
            assert.equal(
                bytes.subarray(detail!.ctx.offset, detail!.ctx.offset + detail!.ctx.length).toString(),
                detail!.ctx.met,
            );
        }
    }
});

scenario('the command line asks in the language, and shows where a mistake is', async (lab) => {
    const server = await lab.start();
    await load(server);
    const settings = { LOGMILL_URL: `http://127.0.0.1:${server.port}` };
    for (const words of [['level:>=error', 'n:<20'], ['level:>=error n:<20']]) {
        const query = await runLogmill(['query', ...words, '--output', 'message'], settings);
        assert.equal(query.code, 0, query.stderr);
        const expected = [4, 5, 11, 12, 18, 19].map((n) => `${MESSAGES[n % MESSAGES.length]} #${n}\n`);
        assert.equal(query.stdout, expected.join(''));
    }
    const exported = await runLogmill(['export', 'trace_id:00ff1* OR n:7'], settings);
    assert.equal(exported.code, 0, exported.stderr);
    const lines = exported.stdout.split('\n').filter((line) => line !== '');
    assert.ok(lines.length > 3);
    assert.ok(lines.some((line) => JSON.parse(line).attributes.n === 7));

    for (const command of ['query', 'tail', 'export']) {
        const wrong = await runLogmill([command, 'Köln level:', '(b'], settings);
        assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
        const [text, caret, said] = wrong.stderr.split('\n');
        assert.equal(text, '  Köln level: (b');
        assert.match(caret!, /^ +\^~*$/);
        const place = caret!.indexOf('^') - 1;
        assert.ok(said!.startsWith(`logmill ${command}: at character ${place}: `), said);
    }
});

overBoth('delete takes a query, and prints the line that does it', async (server, store) => {
    await load(server);
    const settings: Record<string, string> = { ...store.settings, DATA_DIR: server.dataDir };
    const dry = await runLogmill(['delete', 'ms:<2', 'tags:red', 'since:2000d'], settings);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^4 logs match; nothing was deleted/);
    const line = dry.stdout.trimEnd().split('\n').at(-1)!;
    assert.match(line, /^ {2}logmill delete .*--yes -- '.*ms:<2.*'$/);
    assert.ok(!line.includes('2000d'), 'its times are absolute');
    const done = await runLogmill(
        ['delete', '--yes', '--reason', 'they asked', '--', 'ms:<2 tags:red'],
        settings,
    );
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^deleted 4 logs$/m);
    const left = numbers(await allLogs(server));
    assert.equal(left.length, SAMPLES - 4);
    assert.deepEqual(
        left.filter((n) => n < 8).sort(),
        [1, 3, 5, 7],
    );
});

overBoth('an expression that takes too long on a log is told, and nobody else waits', async (server) => {
    await postLogs(server, [
        { message: 'a'.repeat(20_000), level: 'info' },
        { message: 'short', level: 'info' },
    ]);
    await atRest(server);
    const query = encodeURIComponent('/(a+)+[^a]/');
    for (const route of ['/logs', '/logs/stats', '/logs/stats?by=level', '/logs/patterns']) {
        const answer = await get(server, `${route}${route.includes('?') ? '&' : '?'}query=${query}`);
        assert.equal(answer.status, 422, `${route}: ${answer.text}`);
        assert.match(answer.text, /\(a\+\)\+\[\^a\]/, route);
    }
    assert.deepEqual(
        (await page(server, 'query=short')).logs.map((log) => log.message),
        ['short'],
    );
});
