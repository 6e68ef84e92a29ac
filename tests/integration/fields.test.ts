/* Which fields logs have (`GET /logs/fields`), over HTTP and on the command line. */
import { strict as assert } from 'node:assert';

import { type Logmill, runLogmill, scenario } from '../support/harness';
import { get, halfClosed } from '../support/http';
import { impatient } from '../support/impatient';
import { atRest, postLogs } from '../support/logs';
import { overBoth } from '../support/servers/stores';

const START = 1_767_225_600; // 2026-01-01T00:00:00Z
const RANGE = `since=${START}&until=${START + 86_400}`;
const LOGS = 3_000;
const MANY = 60_000; // more than a turn gets through

interface Field {
    path: string;
    logs: number;
    types: Record<string, number>;
    distinct: number;
    values: { value: string; count: number }[];
    approximate: { logs_error: number; distinct: boolean; count_error: number; unseen_count: number } | null;
}

interface Fields {
    total: number;
    fields: Field[];
    approximate: { unseen_count: number } | null;
    next: string | null;
    searched_to: string | null;
    state?: { version: number; total: number };
}

function logOf(i: number): Record<string, unknown> {
    return {
        timestamp: START + (i % 8_640) * 10,
        level: ['info', 'INFO', 'warn', 'error'][i % 4],
        message: `request ${i}`,
        service: ['pay', 'cart', 'stock'][i % 3],
        http: { status: i % 10 === 0 ? '500' : 200.0 },
        tags: i % 6 === 0 ? ['a', `t${i % 4}`] : [],
        trace: `trace-${i}`,
        ...(i % 100 === 0 ? { level2: null, 'http.status': true } : {}),
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

async function ask(server: Logmill, query: string): Promise<Fields> {
    const answer = await get(server, `/logs/fields?${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json<Fields>();
}

overBoth('fields have their types, logs, distinct and top values', async (server) => {
    await fill(server, LOGS);
    const { total, fields, approximate, next, state } = await ask(server, `${RANGE}&top=2`);
    assert.equal(total, LOGS);
    assert.equal(approximate, null);
    assert.equal(next, null);
    assert.equal(state, undefined);
    assert.deepEqual(
        fields.map(({ path, logs }) => [path, logs]),
        [
            ['http.status', LOGS],
            ['level', LOGS],
            ['service', LOGS],
            ['tags', LOGS],
            ['trace', LOGS],
            ['level2', LOGS / 100],
        ],
    );
    const [status, level, service, tags, trace, level2] = fields;
    assert.deepEqual(status!.types, { string: LOGS / 10, number: (LOGS * 9) / 10, boolean: LOGS / 100 });
    assert.deepEqual(status!.values, [
        { value: '200', count: (LOGS * 9) / 10 },
        { value: '500', count: LOGS / 10 },
    ]);
    assert.equal(status!.distinct, 3);
    assert.equal(status!.approximate, null);
    assert.deepEqual(level!.values[0], { value: 'info', count: LOGS / 2 });
    assert.equal(level!.distinct, 3);
    assert.deepEqual(service!.values, [
        { value: 'cart', count: LOGS / 3 },
        { value: 'pay', count: LOGS / 3 },
    ]);
    assert.deepEqual(tags!.types, { string: LOGS / 6, array: (LOGS * 5) / 6 });
    assert.deepEqual(tags!.values, [
        { value: '[]', count: (LOGS * 5) / 6 },
        { value: 'a', count: LOGS / 6 },
    ]);
    assert.ok(Math.abs(trace!.distinct - LOGS) < LOGS * 0.07, `${trace!.distinct}`);
    assert.equal(trace!.approximate!.distinct, true);
    assert.ok(trace!.approximate!.unseen_count > 0);
    assert.deepEqual(level2!.types, { null: LOGS / 100 });

    const filtered = await ask(server, `${RANGE}&query=${encodeURIComponent('http.status:>=500 service:pay')}`);
    assert.equal(filtered.total, LOGS / 30);
    assert.deepEqual(filtered.fields.find((f) => f.path === 'service')!.values, [
        { value: 'pay', count: LOGS / 30 },
    ]);
});

overBoth('fields in parts have a state each, and are those of the whole', async (server) => {
    await fill(server, MANY);
    const whole = await ask(server, RANGE);
    const logs = new Map<string, number>();
    let parts = 0;
    for (let next: string | null = ''; next !== null; parts++) {
        const answer = await halfClosed(server, `/logs/fields?${RANGE}${next && `&cursor=${next}`}`);
        assert.equal(answer.status, 200, answer.text);
        const part = answer.json<Fields>();
        for (const field of part.fields) {
            logs.set(field.path, (logs.get(field.path) ?? 0) + field.logs);
        }
        assert.equal(part.state?.total, part.total);
        assert.equal(part.searched_to === null, part.next === null);
        next = part.next;
    }
    assert.ok(parts > 1, `${parts} parts`);
    assert.equal(whole.total, MANY);
    assert.deepEqual([...logs].sort(), whole.fields.map(({ path, logs: n }) => [path, n] as const).sort());
});

scenario('fields that are too many are left out, and that is said', async (lab) => {
    const server = await lab.start();
    await postLogs(
        server,
        Array.from({ length: 50 }, (_, i) => ({
            level: 'info',
            message: 'm',
            always: i,
            ...Object.fromEntries(Array.from({ length: 100 }, (_value, k) => [`f${i * 100 + k}`, k])),
        })),
    );
    await atRest(server);
    const { total, fields, approximate } = await ask(server, 'top=100');
    assert.equal(total, 50);
    assert.ok(fields.length <= 1000);
    assert.equal(fields[0]!.path, 'always');
    assert.equal(fields[0]!.logs, 50);
    assert.ok(approximate!.unseen_count >= 1);
});

scenario('what cannot be asked of fields is refused', async (lab) => {
    const server = await lab.start();
    for (const [query, name] of [
        ['top=101', 'top'],
        ['prefix=a', 'prefix'],
        ['cursor=x', 'cursor'],
        ['query=level:', 'query'],
    ] as const) {
        const answer = await get(server, `/logs/fields?${query}`);
        assert.equal(answer.status, 422, answer.text);
        assert.deepEqual(answer.json().detail[0].loc, ['query', name]);
    }
});

/** What is the same however the logs are split: of too many values, which are met most is not. */
function known(list: unknown): unknown {
    return (list as Partial<Field>[]).map((item) =>
        item.path === 'trace' ? { path: item.path, logs: item.logs, distinct: item.distinct } : item,
    );
}

scenario('the command line merges fields, values and patterns, as tables, CSV and JSON', async (lab) => {
    const server = await lab.start();
    await fill(server, LOGS);
    const direct = `http://127.0.0.1:${server.port}`;
    const { url, parts } = await impatient(lab, server);
    const ask = async (at: string, command: string, ...more: string[]): Promise<string> => {
        const range = [`since:${new Date(START * 1000).toISOString()} until:2026-01-02`];
        const words = command.split(' ');
        const ran = await runLogmill([...words, ...range, ...more], { LOGMILL_URL: at });
        assert.equal(ran.code, 0, ran.stderr);
        return ran.stdout;
    };
    for (const [command, list] of [
        ['fields', 'fields'],
        ['fields service', 'values'],
        ['fields trace --prefix trace-1', 'values'],
        ['patterns', 'patterns'],
        [`patterns --new-since ${START + 43_200}`, 'patterns'],
        ['stats --by service --bucket 6h', 'buckets'],
    ] as const) {
        const before = parts();
        const whole = JSON.parse(await ask(direct, command)) as Record<string, unknown>;
        const merged = JSON.parse(await ask(url, command)) as Record<string, unknown>;
        assert.ok(parts() > before + (command === 'fields' ? 1 : 0), command);
        assert.equal(merged['total'], LOGS);
        if (!command.includes('trace')) {
            assert.deepEqual(known(merged[list]), known(whole[list]), command);
        }
    }
    assert.equal(
        await ask(direct, 'fields service', '--output', 'csv'),
        'service,count\r\ncart,1000\r\npay,1000\r\nstock,1000\r\n',
    );
    const table = (await ask(direct, 'fields', '--output', 'pretty', '--top', '2')).split('\n');
    assert.deepEqual(table[0]!.split(/ +/), ['path', 'types', 'values', 'distinct', 'logs']);
    assert.match(table[3]!, /^service +string +cart 1000, pay 1000 +3 +3000 {2}█{24}$/);
    assert.match(
        await ask(direct, 'patterns', '--output', 'pretty'),
        /^request <\*> +error 750, warning 750, info 1500 +2026-01-01T00:00:00.000000Z +\S+ +3000 {2}█{24}$/m,
    );
    const buckets = (await ask(direct, 'stats --by service --bucket 6h', '--output', 'csv')).split('\r\n');
    assert.equal(buckets[0], 'timestamp,service,count');
    assert.match(buckets[1]!, /^2026-01-01T00:00:00.000000Z,cart,\d+$/);
    assert.equal(buckets.length, 1 + 2 * 3 + 1);

    for (const [args, message] of [
        [['fields', '--top', '101'], /at most 100 values of each field/],
        [['fields', '--prefix', 'a'], /of which field/],
        [['patterns', '--new-since', 'x'], /is no time; allowed/],
        [['stats', '--bucket', '5y'], /is no length of time; allowed/],
    ] as const) {
        const ran = await runLogmill([...args], { LOGMILL_URL: direct });
        assert.equal(ran.code, 2, ran.stderr);
        assert.match(ran.stderr, message);
    }
});
