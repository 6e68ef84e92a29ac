/* What is counted, summed and grouped by any fields: the same in both stores, as one would by hand. */
import { strict as assert } from 'node:assert';

import { type Logmill, runLogmill, scenario } from '../support/harness';
import { get, halfClosed } from '../support/http';
import { impatient } from '../support/impatient';
import { allLogs, atRest, postLogs } from '../support/logs';
import { overBoth } from '../support/servers/stores';

const START = 1_767_225_600; // 2026-01-01T00:00:00Z
const RANGE = `since=${START}&until=${START + 86_400}`;
const LOGS = 3_000;
const MANY = 60_000; // more than a turn gets through

interface Group {
    by: Record<string, string | null>;
    count: number;
    values?: Record<string, number | string | null>;
}

interface Groups {
    total: number;
    by: string[];
    groups: Group[];
    other: Omit<Group, 'by'> | null;
    buckets?: {
        timestamp: string;
        groups: { group: number; count: number }[];
        other: { count: number } | null;
    }[];
    approximate: { count_error: number; unseen_count: number; values: string[] } | null;
    next: string | null;
    searched_to: string | null;
    state?: { version: number; total: number };
}

/** A log every ten seconds. */
function logOf(i: number): Record<string, unknown> {
    return {
        timestamp: START + (i % 8_640) * 10,
        level: ['info', 'INFO', 'warn', 'error'][i % 4],
        message: `request ${i} took ${i % 90} ms`,
        service: ['pay', 'cart', 'stock'][i % 3],
        ms: i % 5 === 0 ? String(i % 90) : i % 90,
        http: { status: i % 10 === 0 ? 500 : 200.0 },
        tags: i % 7 === 0 ? ['a', 'b', 'a'] : [],
    };
}

async function fill(server: Logmill, n: number): Promise<void> {
    for (let at = 0; at < n; at += 1000) {
        await postLogs(
            server,
            Array.from({ length: Math.min(1000, n - at) }, (_, i) => logOf(at + i)),
        );
    }
    await atRest(server);
}

async function ask(server: Logmill, query: string): Promise<Groups> {
    const answer = await get(server, `/logs/stats?${RANGE}&${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json<Groups>();
}

function numbersOf(service: string): number[] {
    return Array.from({ length: LOGS }, (_, i) => i)
        .filter((i) => ['pay', 'cart', 'stock'][i % 3] === service)
        .map((i) => i % 90)
        .sort((a, b) => a - b);
}

overBoth('groups have counts, sums and percentiles of their own', async (server) => {
    await fill(server, LOGS);
    const answer = await ask(
        server,
        'by=service&value=count,sum(ms),avg(ms),min(ms),max(ms),p50(ms),p99(ms),distinct(ms)&top=2',
    );
    assert.equal(answer.total, LOGS);
    assert.deepEqual(answer.by, ['service']);
    assert.equal(answer.groups.length, 2);
    for (const { by, count, values } of answer.groups) {
        const all = numbersOf(by['service']!);
        const sum = all.reduce((a, b) => a + b, 0);
        assert.equal(count, all.length);
        assert.equal(values!['sum(ms)'], sum);
        assert.ok(Math.abs((values!['avg(ms)'] as number) - sum / count) < 1e-9);
        assert.equal(values!['min(ms)'], all[0]);
        assert.equal(values!['max(ms)'], all.at(-1));
        assert.equal(values!['distinct(ms)'], new Set(all).size);
        for (const [name, share] of [['p50(ms)', 0.5], ['p99(ms)', 0.99]] as const) {
            const exact = all[Math.ceil(share * count) - 1]!;
            assert.ok(Math.abs((values![name] as number) - exact) <= exact * 0.0101, name);
        }
    }
    assert.equal(answer.other!.count, LOGS / 3);
    assert.deepEqual(answer.approximate!.values, ['p50(ms)', 'p99(ms)']);
    assert.equal(answer.approximate!.count_error, 0);
    assert.equal(answer.state, undefined);

    const filtered = await ask(server, 'by=http.status,level&level=error&attr.service=pay');
    assert.deepEqual(filtered.groups, [
        { by: { 'http.status': '200', level: 'error' }, count: 250 },
    ]);
    assert.equal(filtered.approximate, null);
});

overBoth('levels go without case, arrays by each value, patterns without numbers', async (server) => {
    await fill(server, LOGS);
    assert.deepEqual((await ask(server, 'by=level')).groups, [
        { by: { level: 'info' }, count: LOGS / 2 },
        { by: { level: 'error' }, count: LOGS / 4 },
        { by: { level: 'warn' }, count: LOGS / 4 },
    ]);
    const tagged = Math.ceil(LOGS / 7);
    assert.deepEqual((await ask(server, 'by=tags')).groups, [
        { by: { tags: '[]' }, count: LOGS - tagged },
        { by: { tags: 'a' }, count: tagged },
        { by: { tags: 'b' }, count: tagged },
    ]);
    assert.deepEqual((await ask(server, 'by=pattern,missing')).groups, [
        { by: { pattern: 'request <*> took <*> ms', missing: null }, count: LOGS },
    ]);
});

overBoth('buckets lie at multiples of their length, in the zone that is asked for', async (server) => {
    await fill(server, LOGS);
    const answer = await ask(server, 'by=level&bucket=3600&top=1&zone=%2B05:30');
    assert.deepEqual(answer.groups, [{ by: { level: 'info' }, count: LOGS / 2 }]);
    assert.equal(answer.buckets![0]!.timestamp, '2025-12-31T23:30:00.000000Z');
    assert.equal(answer.buckets![1]!.timestamp, '2026-01-01T00:30:00.000000Z');
    const sum = answer.buckets!.map(({ groups, other }) => {
        assert.deepEqual(groups.map((g) => g.group), [0]);
        return groups[0]!.count + other!.count;
    });
    assert.equal(sum.reduce((a, b) => a + b, 0), LOGS);
    assert.equal(sum[0], 180);

    const byLevel = await get(server, `/logs/stats?${RANGE}&bucket=3600&zone=%2B05:30`);
    assert.deepEqual(
        byLevel.json().buckets.map((b: { timestamp: string; total: number }) => [b.timestamp, b.total]),
        answer.buckets!.map((b, i) => [b.timestamp, sum[i]]),
    );
});

overBoth('groups in parts add up to the whole, and each part has a state', async (server) => {
    await fill(server, MANY);
    const path = `/logs/stats?${RANGE}&by=service,ms&top=1000`;
    const whole = (await get(server, path)).json<Groups>();
    assert.equal(whole.total, MANY);
    const sum = new Map<string, number>();
    let parts = 0;
    let total = 0;
    for (let next: string | null = ''; next !== null; parts++) {
        const answer = await halfClosed(server, path + (next && `&cursor=${next}`));
        assert.equal(answer.status, 200, answer.text);
        const part = answer.json<Groups>();
        for (const { by, count } of part.groups) {
            sum.set(JSON.stringify(by), (sum.get(JSON.stringify(by)) ?? 0) + count);
        }
        assert.equal(part.state?.total, part.total);
        assert.equal(part.searched_to === null, part.next === null);
        total += part.total;
        next = part.next;
    }
    assert.ok(parts > 1, `${parts} parts`);
    assert.equal(total, MANY);
    assert.deepEqual(
        [...sum].sort(),
        whole.groups.map(({ by, count }) => [JSON.stringify(by), count] as const).sort(),
    );
});

overBoth('patterns have their levels, first and last times and an example', async (server) => {
    await fill(server, LOGS);
    await postLogs(server, [
        { timestamp: START + 80_000, level: 'emerg', message: 'disk 1 is gone' },
        { timestamp: START + 80_001, level: 'err', message: 'disk 2 is gone' },
        { timestamp: START + 80_002, level: 'fatal', message: 'disk 3 is gone' },
    ]);
    await atRest(server);
    const all = (await get(server, `/logs/patterns?${RANGE}`)).json();
    assert.equal(all.total, LOGS + 3);
    assert.deepEqual(
        all.patterns.map((p: { pattern: string; count: number }) => [p.pattern, p.count]),
        [
            ['request <*> took <*> ms', LOGS],
            ['disk <*> is gone', 3],
        ],
    );
    assert.deepEqual(all.patterns[0].levels, { error: LOGS / 4, warning: LOGS / 4, info: LOGS / 2 });
    assert.match(all.patterns[0].example, /^request \d+ took \d+ ms$/);
    assert.equal(all.patterns[0].first_seen, '2026-01-01T00:00:00.000000Z');
    assert.equal(all.other, null);

    const fresh = (
        await get(server, `/logs/patterns?${RANGE}&new_since=${START + 70_000}`)
    ).json();
    assert.deepEqual(fresh.patterns, [all.patterns[1]]);
    assert.deepEqual(fresh.other, { count: LOGS });
    assert.equal(fresh.approximate, null);
});

const SPLIT = [
    'GET /a/7 took 12ms', 'GET /a/8 took 9ms', 'GET /a/x7 took 9ms', 'get /a/7 took 9ms',
    'user 0196e1a2-7e1a-7000-8000-0123456789ab left', 'user 17 left', 'user u17 left', 'user u170 left',
    '2026-01-01T10:00:00Z start', '19T17 start', '3x4 start', '0x3f start', 'deadbeef1 start', 'v2 start',
    'said "<*>" \\ at 10.0.0.1:80', 'said "7" \\ at 10.0.0.1:80', 'größe 4 €', 'größe 5 €\nand more',
    '', ' ', `long ${'lärm '.repeat(200)}1`, `long ${'lärm '.repeat(200)}2`, Array(300).fill('7').join(' '),
];

overBoth('the logs of a pattern are found by it, and no others', async (server) => {
    await postLogs(
        server,
        SPLIT.flatMap((message, i) =>
            Array.from({ length: 1 + (i % 3) }, (_, n) => ({ timestamp: START + 100 * i + n, level: 'info', message })),
        ),
    );
    await atRest(server);
    const { patterns, total } = (await get(server, `/logs/patterns?${RANGE}&top=100`)).json();
    assert.ok(patterns.length > 12);
    for (const { pattern, count } of patterns) {
        const quoted = `"${(pattern as string).replace(/["\\]/g, '\\$&')}"`;
        const counted = async (query: string): Promise<number> =>
            (await get(server, `/logs/stats?${RANGE}&query=${encodeURIComponent(query)}`)).json().total;
        assert.equal(await counted(`pattern:${quoted}`), count, pattern);
        assert.equal(await counted(`-pattern:${quoted}`), total - count, pattern);
        const page = await get(server, `/logs?${RANGE}&limit=1000&query=${encodeURIComponent(`pattern:${quoted}`)}`);
        assert.equal(page.json().logs.length, count, pattern);
    }
});

overBoth('the values of a field are listed, those alone that begin as asked', async (server) => {
    await fill(server, LOGS);
    const values = async (path: string): Promise<unknown> => {
        const answer = await get(server, `/logs/fields/${path}`);
        assert.equal(answer.status, 200, answer.text);
        return answer.json().values;
    };
    assert.deepEqual(await values(`service?${RANGE}&prefix=ca`), [{ value: 'cart', count: LOGS / 3 }]);
    assert.deepEqual(await values(`http.status?${RANGE}`), [
        { value: '200', count: (LOGS * 9) / 10 },
        { value: '500', count: LOGS / 10 },
    ]);
    assert.deepEqual(await values(`level?${RANGE}&prefix=e`), [{ value: 'error', count: LOGS / 4 }]);
    assert.deepEqual(await values(`no%20such?${RANGE}&q=request%201%20`), [{ value: null, count: 1 }]);
    assert.equal((await get(server, '/logs/fields/timestamp')).status, 422);
    assert.equal((await get(server, '/logs/fields/%ff')).status, 422);
});

scenario('the command line merges the parts, and shows them as a table, CSV or JSON', async (lab) => {
    const server = await lab.start();
    await fill(server, MANY);
    const { url, parts } = await impatient(lab, server);
    const asked = ['stats', `since:${new Date(START * 1000).toISOString()} until:2026-01-02 ms:>=0`];
    const values = ['--value', 'sum(ms),p50(ms),distinct(ms)', '--by', 'service,level', '--top', '3'];
    const stats = async (at: string, ...more: string[]): Promise<string> => {
        const ran = await runLogmill([...asked, ...values, ...more], { LOGMILL_URL: at });
        assert.equal(ran.code, 0, ran.stderr);
        return ran.stdout;
    };

    const direct = JSON.parse(await stats(`http://127.0.0.1:${server.port}`)) as Groups;
    const merged = JSON.parse(await stats(url)) as Groups;
    assert.ok(parts() > 1, `${parts()} parts`);
    assert.equal(merged.total, MANY);
    assert.deepEqual(merged.groups, direct.groups);
    assert.deepEqual(merged.other, direct.other);
    assert.deepEqual(merged.approximate, direct.approximate);

    const rows = direct.groups.map(({ by, count, values: all }) =>
        [by['service'], by['level'], count, all!['sum(ms)'], all!['p50(ms)'], all!['distinct(ms)']].map(String),
    );
    const head = ['service', 'level', 'count', 'sum(ms)', 'p50(ms)', 'distinct(ms)'];
    assert.equal(
        await stats(url, '--output', 'csv'),
        [head, ...rows].map((row) => `${row.join(',')}\r\n`).join(''),
    );
    const table = (await stats(url, '--output', 'pretty')).trimEnd().split('\n');
    assert.deepEqual(
        table.slice(0, 4).map((line) => line.split(/ +/).filter((cell) => !/^[█▌▏]*$/.test(cell))),
        [head, ...rows],
    );
    assert.match(table[1]!, / {2}█{24}$/);
    assert.ok(table[4]!.startsWith('(all others)'));
    assert.equal(table.length, 5);
});

overBoth('an array is measured up to a bound, less of it the more groups its log is in', async (server) => {
    const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `t${i}`);
    const m = Array.from({ length: 2000 }, (_, i) => i);
    await postLogs(server, [
        { timestamp: START, level: 'info', message: 'in many', many: names(1024), m },
        { timestamp: START, level: 'info', message: 'in one', many: ['alone'], m },
    ]);
    await atRest(server);
    const { groups, approximate } = await ask(server, 'by=many&value=sum(m)&top=1000&q=in+many');
    assert.deepEqual(approximate!.values, ['sum(m)']);
    const first = m.slice(0, 65_536 / 1024).reduce((a, b) => a + b, 0);
    assert.equal(groups.length, 1000);
    assert.ok(groups.every(({ values }) => values!['sum(m)'] === first));
    const alone = await ask(server, 'by=many&value=sum(m)&q=in+one');
    assert.equal(alone.groups[0]!.values!['sum(m)'], m.reduce((a, b) => a + b, 0));
});

overBoth('what cannot be grouped is refused with its reason', async (server) => {
    for (const [query, name, msg] of [
        ['by=a,,b', 'by', 'by: a name is missing'],
        ['by=timestamp', 'by', 'by: times are grouped by `bucket`'],
        ['value=p100(ms)', 'value', /^value: `p100` is none of count, sum, /],
        ['value=sum(a),count,sum(a)', 'value', /^value: an entry, sum, is there twice/],
        ['value=top(a)', 'value', /levels\(level\), example\(pattern\)$/],
        ['zone=Europe/Berlin', 'zone', /an offset from UTC/],
        ['buckets=3', 'buckets', /did you mean 'bucket'/],
    ] as const) {
        const answer = await get(server, `/logs/stats?${RANGE}&${query}`);
        assert.equal(answer.status, 422, answer.text);
        const [wrong] = answer.json().detail;
        assert.deepEqual(wrong.loc, ['query', name]);
        assert.match(wrong.msg, msg instanceof RegExp ? msg : new RegExp(msg.replace(/[`]/g, '.')));
    }
    assert.equal((await allLogs(server)).length, 0);
});
