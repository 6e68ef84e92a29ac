/*
 * What agents and loggers that people already run send to `serve` (docs/receiving.md): their own
 * bytes (tests/captures), what they are answered, and the logs that are read back. What is expected
 * is written by hand from the bytes.
 */
import { strict as assert } from 'node:assert';

import { sendCaptured } from '../support/captures';
import { type Logmill, eventually, shared } from '../support/harness';
import { type Answer, get, post, request } from '../support/http';
import { type Log, microseconds, page } from '../support/logs';

const { check, end } = shared();

interface Expected {
    message: string;
    level: string;
    /** Microseconds since 1970, or ISO; left out: that of its arrival. */
    time?: bigint | string;
    /** By path: "a.b" is b in the object a, or the name itself. */
    attributes?: Record<string, unknown>;
}

interface Row {
    capture: string;
    status: number;
    body?: string | RegExp;
    headers?: Record<string, string>;
    logs: Expected[];
}

const seen = new Set<string>();

/** The logs that came since the last call: `n` of them. */
async function fresh(server: Logmill, n: number): Promise<Log[]> {
    return eventually(`${n} new logs`, async () => {
        const { logs, next } = await page(server, 'limit=1000&since=2000-01-01');
        assert.equal(next, null, 'all logs of this file on one page');
        const found = logs.filter((log) => !seen.has(`${log.timestamp} ${log.id}`));
        if (found.length < n) {
            return undefined;
        }
        found.forEach((log) => seen.add(`${log.timestamp} ${log.id}`));
        return found;
    });
}

function attribute(log: Log, path: string): unknown {
    if (path in log.attributes) {
        return log.attributes[path];
    }
    return path.split('.').reduce((at: any, name) => at?.[name], log.attributes);
}

function compare(log: Log, expected: Expected, sentAt: number, what: string): void {
    assert.equal(log.level, expected.level, what);
    const us = microseconds(log.timestamp);
    if (expected.time === undefined) {
        assert.ok(Math.abs(Number(us / 1000n) - sentAt) < 60_000, `${what}: ${log.timestamp}`);
    } else {
        const wanted =
            typeof expected.time === 'bigint' ? expected.time : microseconds(expected.time);
        assert.equal(us, wanted, `${what}: time`);
    }
    for (const [name, value] of Object.entries(expected.attributes ?? {})) {
        assert.deepEqual(attribute(log, name), value, `${what}: ${name}`);
    }
}

async function send(server: Logmill, row: Row): Promise<Answer> {
    const sentAt = Date.now();
    const answer = await sendCaptured(server, row.capture);
    assert.equal(answer.status, row.status, `${row.capture}: ${answer.text}`);
    if (row.body instanceof RegExp) {
        assert.match(answer.text, row.body, row.capture);
    } else if (row.body !== undefined) {
        assert.equal(answer.text, row.body, row.capture);
    }
    for (const [name, value] of Object.entries(row.headers ?? {})) {
        assert.equal(answer.headers[name], value, row.capture);
    }
    const logs = await fresh(server, row.logs.length);
    assert.equal(logs.length, row.logs.length, row.capture);
    for (const expected of row.logs) {
        const at = logs.findIndex((log) => log.message === expected.message);
        const what = `${row.capture}: ${JSON.stringify(expected.message)}`;
        assert.ok(at >= 0, `${what} among ${JSON.stringify(logs.map((log) => log.message))}`);
        compare(logs.splice(at, 1)[0]!, expected, sentAt, what);
    }
    return answer;
}

const PLACED = 'order 1 placed ✓';
const LINES = 'line one\nline two';

function rows(name: string, all: Row[]): void {
    check(name, async (server) => {
        for (const row of all) {
            await send(server, row);
        }
    });
}

/* ---- VictoriaLogs ---- */

rows('lines of vlagent are taken', [
    {
        capture: 'vlagent-jsonline-1.52.1',
        status: 200,
        body: '',
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: '2026-11-28T01:00:00.123000Z',
                attributes: { n: '42', 'nested.a': '1' },
            },
            { message: 'failed', level: 'error', time: '2026-11-28T01:00:01.000000Z' },
            { message: LINES, level: 'info', time: '2026-11-28T01:00:02.000000Z' },
        ],
    },
]);

check('POST /logs takes the JSON of loggers with format=auto, and only then', async (server) => {
    const line = '{"level":30,"time":1795827060626,"pid":7,"n":1,"msg":"from pino"}\n';
    const taken = await post(server, '/logs?format=auto', line, { 'Content-Type': 'text/plain' });
    assert.deepEqual([taken.status, taken.json()], [201, { status: 'queued', accepted: 1 }]);
    const [log] = await fresh(server, 1);
    assert.deepEqual(
        [log!.message, log!.level, log!.timestamp, log!.attributes],
        ['from pino', 'info', '2026-11-28T00:51:00.626000Z', { pid: 7, n: 1 }],
    );
    for (const path of ['/logs', '/logs?format=ndjson', '/logs?other=auto']) {
        const strict = await post(server, path, line, { 'Content-Type': 'application/x-ndjson' });
        assert.equal(strict.status, 422, path);
    }
});

/* ---- What is asked before ---- */

check('clients of Elasticsearch find what they ask for before they send', async (server) => {
    for (const [method, path] of [
        ['GET', '/'],
        ['HEAD', '/'],
        ['GET', '/_license'],
        ['GET', '/_xpack'],
        ['GET', '/_cluster/health?timeout=30s&wait_for_nodes=%3E%3D1&wait_for_status=yellow'],
        ['GET', '/_cat/health'],
        ['GET', '/_nodes/http'],
        ['HEAD', '/_index_template/template_logs'],
        ['PUT', '/_index_template/template_logs'],
        ['GET', '/_template/x'],
        ['PUT', '/_template/x'],
        ['GET', '/_ilm/policy/x'],
        ['PUT', '/_ilm/policy/x'],
        ['PUT', '/_ingest/pipeline/x'],
        ['PUT', '/_data_stream/x'],
    ] as const) {
        const body = method === 'PUT' ? { body: '{}' } : {};
        const answer = await request(server, { method, path, ...body });
        assert.equal(answer.status, 200, `${method} ${path}`);
        assert.equal(answer.headers['x-elastic-product'], 'Elasticsearch', `${method} ${path}`);
        if (method !== 'HEAD' && path !== '/_cat/health') {
            answer.json();
        }
    }
    const health = await sendCaptured(server, 'winston-es-health-0.19.0');
    assert.equal(health.json().status, 'green');
    assert.equal((await get(server, '/')).json().version.number.split('.')[0], '8');
});

check('/ is the page for who takes HTML, and for nobody else', async (server) => {
    for (const accept of ['text/html', 'text/html,application/xhtml+xml,*/*;q=0.8']) {
        const { headers } = await get(server, '/', { Accept: accept });
        assert.match(String(headers['content-type']), /^text\/html/, accept);
        assert.equal(headers['x-elastic-product'], undefined);
        assert.equal(headers['vary'], 'Accept, Accept-Encoding');
    }
    for (const accept of ['*/*', 'application/json', 'text/html;q=0', 'text/plain']) {
        const { headers } = await get(server, '/', { Accept: accept });
        assert.equal(headers['content-type'], 'application/json', accept);
        assert.equal(headers['vary'], 'Accept', accept);
    }
});

/* ---- Counted ---- */

check('what is refused and what is taken is counted by protocol', async (server) => {
    const count = async (name: string): Promise<number> => {
        const { text } = await get(server, '/metrics');
        const line = text.split('\n').find((each) => each.startsWith(`${name} `));
        assert.ok(line, name);
        return Number(line.slice(name.length));
    };
    const taken = 'logmill_received_logs_total{protocol="jsonline"}';
    const left = 'logmill_received_left_out_total{protocol="jsonline"}';
    const refused = (reason: string): string =>
        `logmill_received_refused_total{protocol="jsonline",reason="${reason}"}`;
    const names = [taken, left, refused('invalid'), refused('too_large')];
    const before = await Promise.all(names.map(count));

    assert.equal((await post(server, '/insert/jsonline', '{"_msg":"a"}\nnonsense\n')).status, 200);
    assert.equal((await post(server, '/insert/jsonline', 'nonsense\n')).status, 400);
    const coding = { 'Content-Encoding': 'br' };
    assert.equal((await post(server, '/insert/jsonline', '{"_msg":"a"}', coding)).status, 415);
    const large = `{"_msg":"${'x'.repeat(1024 * 1024)}"}`;
    assert.equal((await post(server, '/insert/jsonline', large)).status, 413);

    const after = await Promise.all(names.map(count));
    assert.deepEqual(
        after.map((n, i) => n - before[i]!),
        [1, 1, 2, 1],
    );
    await fresh(server, 1);
});

end();
