/*
 * What agents and loggers that people already run send to `serve` (docs/receiving.md): their own
 * bytes (tests/captures), what they are answered, and the logs that are read back. What is expected
 * is written by hand from the bytes.
 */
import { strict as assert } from 'node:assert';

import { captured, sendCaptured } from '../support/captures';
import { type Logmill, eventually, residentBytes, scenario, shared } from '../support/harness';
import { type Answer, get, post, request } from '../support/http';
import { type Log, atRest, metric, metrics, microseconds, page } from '../support/logs';

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
        assert.equal(found.length, n, `new logs: ${JSON.stringify(found)}`);
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

/* ---- OpenTelemetry ---- */

const AS_JSON = { 'content-type': 'application/json' };

const OTEL_JS = {
    n: 42,
    big: 9007199254740991,
    f: 1.5,
    whole: 2,
    neg: -7,
    ok: true,
    list: ['a', 1, true],
    map: { x: 1, y: { z: 'deep' } },
    nul: null,
    bytes: 'AQL/',
    'service.name': 'shop',
    'service.version': '1.2.3',
    'otel.scope.name': 'orders',
    'otel.scope.version': '0.1',
    event_name: 'order.placed',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    span_id: 'b7ad6b7169203331',
    trace_flags: 1,
};

/** The three logs of the SDK for JavaScript, at these microseconds. */
function ofOtelJs(first: bigint, others: bigint): Expected[] {
    return [
        { message: PLACED, level: 'INFO', time: first, attributes: OTEL_JS },
        {
            message: '{"text":"structured body","code":7}',
            level: 'ERROR',
            time: others,
            attributes: { body: { text: 'structured body', code: 7 }, 'service.name': 'shop' },
        },
        { message: LINES, level: 'info', time: others, attributes: { 'otel.scope.name': 'orders' } },
    ];
}

function ofOtelPython(): Expected[] {
    return [
        {
            message: PLACED,
            level: 'INFO',
            time: 1795827061067919n,
            attributes: {
                n: 42,
                big: 1152921504606846976,
                f: 1.5,
                lst: ['a', 'b'],
                mp: { x: 1 },
                'telemetry.sdk.version': '1.45.0',
                'service.instance.id': '4e17b0e4-2c56-463d-8fa4-4d6f6aa6e744',
                'code.line.number': 22,
                nanoseconds: 872,
            },
        },
        {
            message: 'failed',
            level: 'ERROR',
            time: 1795827061068180n,
            attributes: {
                'exception.type': 'ZeroDivisionError',
                'exception.message': 'division by zero',
                'code.function.name': '<module>',
            },
        },
        { message: LINES, level: 'WARN', time: 1795827061068798n },
    ];
}

const COLLECTOR: Expected = {
    message: 'order 1 placed',
    level: 'INFO',
    time: 1795827002453000n,
    attributes: {
        n: 42,
        'service.name': 'shop',
        'otel.scope.name': 'orders',
        trace_id: '0af7651916cd43dd8448eb211c80319c',
        span_id: 'b7ad6b7169203331',
    },
};

rows('OpenTelemetry: SDKs and the Collector, in protobuf and in JSON, plain and packed', [
    {
        capture: 'otel-js-json-0.301.0',
        status: 200,
        headers: AS_JSON,
        body: '{"partialSuccess":{}}',
        logs: ofOtelJs(1795827002453000n, 1795827002460000n),
    },
    {
        capture: 'otel-js-json-gzip-0.301.0',
        status: 200,
        headers: AS_JSON,
        logs: ofOtelJs(1795827177988000n, 1795827178002000n),
    },
    {
        capture: 'otel-js-proto-0.301.0',
        status: 200,
        body: '',
        logs: ofOtelJs(1795827151771000n, 1795827151790000n),
    },
    { capture: 'otel-py-1.45.0', status: 200, body: '', logs: ofOtelPython() },
    {
        capture: 'otel-java-1.68.0',
        status: 200,
        body: '',
        logs: [
            {
                message: PLACED,
                level: 'INFO',
                time: 1795827566122792n,
                attributes: { n: 42, f: 1.5, lst: ['a', 'b'], nanoseconds: 841 },
            },
            { message: 'failed', level: 'error', time: 1795827566201594n },
            { message: LINES, level: 'info', time: 1795827566201625n },
        ],
    },
    { capture: 'otelcol-0.165.0', status: 200, body: '', logs: [COLLECTOR] },
    { capture: 'otelcol-json-0.165.0', status: 200, headers: AS_JSON, logs: [COLLECTOR] },
]);

check('OpenTelemetry: what is refused is told in the type of the request', async (server) => {
    const json = await post(server, '/v1/logs', '{"resourceLogs":7}');
    assert.equal(json.status, 400);
    assert.equal(json.headers['content-type'], 'application/json');
    assert.equal(typeof json.json().message, 'string');
    const type = { 'Content-Type': 'application/x-protobuf' };
    const protobuf = await post(server, '/v1/logs', Buffer.from([0x0a, 0x7f]), type);
    assert.equal(protobuf.status, 400);
    assert.equal(protobuf.headers['content-type'], 'application/x-protobuf');
    // What the server itself refuses, too.
    const large = await post(server, '/v1/logs', Buffer.alloc(17 << 20), type);
    assert.equal(large.status, 413);
    assert.equal(large.headers['content-type'], 'application/x-protobuf');
    const empty = await post(server, '/v1/logs', '{}');
    assert.deepEqual([empty.status, empty.text], [200, '{"partialSuccess":{}}']);
});

/* ---- Loki ---- */

/** A traceback that loki4j has. */
const BOOM = 'java.lang.IllegalStateException: boom\n\tat SlfApp.main(SlfApp.java:7)';

rows('Loki: pino, winston, loki4j and the clients for Python, in all forms', [
    {
        capture: 'pino-loki-3.0.0',
        status: 204,
        logs: [
            {
                message: `{"level":30,"time":1795827060626,"pid":24920,"n":1,"msg":"${PLACED}"}`,
                level: 'info',
                time: 1795827060626000n,
                attributes: { hostname: 'vm', app: 'shop', level: undefined },
            },
            {
                message:
                    '{"level":50,"time":1795827060691,"pid":24920,"err":{"type":"Error",' +
                    '"message":"boom","stack":"Error: boom' +
                    [
                        'Object.<anonymous> (/srv/app/example/shop-v1/js/pino_loki.cjs:7:58)',
                        'Module._compile (node:internal/modules/cjs/loader:1521:14)',
                        'Module._extensions..js (node:internal/modules/cjs/loader:1623:10)',
                        'Module.load (node:internal/modules/cjs/loader:1266:32)',
                        'Module._load (node:internal/modules/cjs/loader:1091:12)',
                        'Function.executeUserEntryPoint [as runMain] ' +
                            '(node:internal/modules/run_main:164:12)',
                        'node:internal/main/run_main_module:28:49',
                    ]
                        .map((frame) => `\\n    at ${frame}`)
                        .join('') +
                    '"},"msg":"failed"}',
                level: 'error',
                time: 1795827060691000n,
            },
            {
                message:
                    '{"level":40,"time":1795827060692,"pid":24920,"msg":"line one\\nline two"}',
                level: 'warning',
                time: 1795827060692000n,
            },
        ],
    },
    {
        capture: 'winston-loki-6.1.7', // protobuf
        status: 204,
        logs: [
            {
                message: `{"labels":{"job":"x"},"level":"info","message":"${PLACED}","n":1}`,
                level: 'info',
                time: 1795827100875000n,
                attributes: { app: 'shop', job: 'x' },
            },
            {
                message: '{"err":"boom","level":"error","message":"failed"}',
                level: 'error',
                time: 1795827100876000n,
                attributes: { app: 'shop' },
            },
            {
                message: '{"level":"warn","message":"line one\\nline two"}',
                level: 'warn',
                time: 1795827100876000n,
            },
        ],
    },
    {
        capture: 'winston-loki-json-6.1.7',
        status: 204,
        logs: [
            {
                message: `{"labels":{"job":"x"},"level":"info","message":"${PLACED}","n":1}`,
                level: 'info',
                time: 1795827170159000n,
                attributes: { app: 'shop', job: 'x', n: '1' },
            },
            {
                message: '{"err":"boom","level":"error","message":"failed"}',
                level: 'error',
                time: 1795827170160000n,
                attributes: { err: 'boom' },
            },
            {
                message: '{"level":"warn","message":"line one\\nline two"}',
                level: 'warn',
                time: 1795827170160000n,
            },
        ],
    },
    {
        capture: 'loki4j-2.1.0',
        status: 204,
        logs: [
            {
                message: `[main] shop.orders - ${PLACED}`,
                level: 'INFO',
                time: 1795827678332909n,
                attributes: {
                    agent: 'loki4j',
                    host: 'vm',
                    thread: 'main',
                    logger: 'shop.orders',
                    user: 'u1',
                    nanoseconds: 893,
                },
            },
            {
                message: `[main] shop.orders - failed\n${BOOM}`,
                level: 'ERROR',
                time: 1795827678335311n,
            },
            {
                message: `[main] shop.orders - ${LINES}`,
                level: 'WARN',
                time: 1795827678337340n,
            },
        ],
    },
    {
        capture: 'loki4j-proto-2.1.0',
        status: 204,
        logs: [
            {
                message: `[main] shop.orders - failed\n${BOOM}`,
                level: 'ERROR',
                time: 1795828577991914n,
                attributes: { app: 'shop', host: 'web-1', thread: 'main', nanoseconds: 232 },
            },
            {
                message: `[main] shop.orders - ${PLACED}`,
                level: 'INFO',
                time: 1795828577990109n,
                attributes: { logger: 'shop.orders' },
            },
            {
                message: `[main] shop.orders - ${LINES}`,
                level: 'WARN',
                time: 1795828577993575n,
            },
        ],
    },
    {
        capture: 'python-logging-loki-0.3.1',
        status: 204,
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: 1795827178166682n,
                attributes: { app: 'shop', logger: 'orders', nanoseconds: 624 },
            },
        ],
    },
    {
        capture: 'python-logging-loki-v0-0.3.1',
        status: 204,
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: '2026-11-28T00:53:45.877376Z',
                attributes: { app: 'shop', logger: 'orders' },
            },
        ],
    },
]);

check('Loki: a push is a block of snappy, also if it says so, and on both paths', async (server) => {
    const push = captured('winston-loki-6.1.7');
    for (const [path, coding] of [
        ['/loki/api/v1/push', { 'Content-Encoding': 'snappy' }],
        ['/api/prom/push', {}],
    ] as const) {
        const headers = { ...push.headers, ...coding };
        const answer = await request(server, { ...push, path, headers });
        assert.deepEqual([answer.status, answer.text], [204, ''], path);
    }
    await fresh(server, 6); // of milliseconds: nobody knows that they came before
    const entries = [
        ['1795827600123456789', 'a'],
        ['1795827600123467891', 'b'],
    ];
    const fine = { streams: [{ stream: {}, values: entries }] };
    for (const n of [2, 0]) {
        assert.equal((await post(server, '/loki/api/v1/push', fine)).status, 204);
        await fresh(server, n); // a clock that is seen to be fine does not say the same again
    }
    const wrong = await post(server, '/loki/api/v1/push', '{"streams":7}');
    assert.equal(wrong.status, 400);
    assert.match(String(wrong.headers['content-type']), /^text\/plain/);
    assert.equal((await get(server, '/ready')).status, 200); // that their clients ask
});

/* ---- Elasticsearch ---- */

const BULK = { 'x-elastic-product': 'Elasticsearch', 'content-type': 'application/json' };
const allTaken = (action: string, n: number): RegExp =>
    new RegExp(
        `"errors":false,"items":\\[(\\{"${action}":\\{[^{}]*"status":201[^{}]*\\}\\},?){${n}}\\]`,
    );

/** A line of rsyslog's; its template has a space before the message. */
const RSYSLOG = (time: string): Expected => ({
    message: ' order 1 placed ✓',
    level: 'info',
    time,
    attributes: { host: 'web-1', tag: 'shop:', _index: 'shop' },
});

rows('Elasticsearch: _bulk of its clients, of winston, rsyslog and syslog-ng', [
    {
        capture: 'es-js-bulk-9.4.3',
        status: 200,
        headers: BULK,
        body: allTaken('create', 3),
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: '2026-11-28T00:52:47.063000Z',
                attributes: { n: 1, _index: 'logs-shop-default' },
            },
            { message: 'failed', level: 'error', time: '2026-11-28T00:52:47.063000Z' },
            { message: LINES, level: 'warn', time: '2026-11-28T00:52:47.063000Z' },
        ],
    },
    {
        capture: 'es-js-helper-9.4.3',
        status: 200,
        headers: BULK,
        body: allTaken('index', 3),
        logs: [
            { message: PLACED, level: 'info', time: '2026-11-28T00:52:10.465000Z' },
            { message: 'failed', level: 'error', time: '2026-11-28T00:52:10.465000Z' },
            { message: LINES, level: 'warn', time: '2026-11-28T00:52:10.465000Z' },
        ],
    },
    {
        capture: 'es-py-bulk-9.5.1',
        status: 200,
        headers: BULK,
        body: allTaken('index', 3),
        logs: [
            { message: PLACED, level: 'info', time: '2026-11-28T00:00:00.000000Z' },
            { message: 'failed', level: 'info', time: '2026-11-28T00:00:00.000000Z' },
            { message: LINES, level: 'info', time: '2026-11-28T00:00:00.000000Z' },
        ],
    },
    {
        capture: 'pino-es-9.0.0',
        status: 200,
        headers: BULK,
        body: allTaken('index', 3),
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: '2026-11-28T00:55:18.853000Z',
                attributes: { n: 1, pid: 5452, hostname: 'vm' },
            },
            {
                message: 'failed',
                level: 'error',
                time: '2026-11-28T00:55:18.862000Z',
                attributes: { 'err.type': 'Error', 'err.message': 'boom' },
            },
            { message: LINES, level: 'warning', time: '2026-11-28T00:55:18.863000Z' },
        ],
    },
    {
        capture: 'winston-es-0.19.0',
        status: 200,
        headers: BULK,
        body: allTaken('index', 1),
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: '2026-11-28T01:01:52.684000Z',
                attributes: { fields: { n: 1 }, _index: 'logs-2026.11.28' },
            },
        ],
    },
    {
        capture: 'winston-es-datastream-0.19.0',
        status: 200,
        headers: BULK,
        body: allTaken('create', 1),
        logs: [{ message: PLACED, level: 'info', time: '2026-11-28T01:02:36.789000Z' }],
    },
    {
        capture: 'winston-es-resent-0.19.0',
        status: 200,
        headers: BULK,
        body: allTaken('index', 4),
        logs: [
            { message: 'later record', level: 'info', time: '2026-11-28T01:03:03.082000Z' },
            { message: PLACED, level: 'info', time: '2026-11-28T01:02:59.081000Z' },
            { message: LINES, level: 'warn', time: '2026-11-28T01:02:59.085000Z' },
            { message: 'failed', level: 'error', time: '2026-11-28T01:02:59.084000Z' },
        ],
    },
    {
        capture: 'rsyslog-es-bulk-8.2302.0',
        status: 200,
        headers: BULK,
        body: allTaken('index', 1),
        logs: [RSYSLOG('2026-11-28T00:59:39.503383Z')],
    },
    {
        capture: 'rsyslog-es-bulk-create-8.2302.0',
        status: 200,
        headers: BULK,
        body: /"errors":false,"items":\[\{"create":\{.*"_id":"1FBAD7BBC11244C2A585870B46C57AE9".*201/,
        logs: [RSYSLOG('2026-11-28T01:00:55.132399Z')],
    },
    {
        // The same again: the store has it.
        capture: 'rsyslog-es-bulk-create-8.2302.0',
        status: 200,
        headers: BULK,
        logs: [],
    },
    {
        capture: 'rsyslog-es-bulk-grown-8.2302.0',
        status: 200,
        headers: BULK,
        body: allTaken('index', 3),
        logs: Array<Expected>(3).fill(RSYSLOG('2026-11-28T01:09:36.217491Z')),
    },
    {
        capture: 'syslogng-es-3.38.1',
        status: 200,
        headers: BULK,
        body: allTaken('index', 3),
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: '2026-11-28T01:01:32.000000Z',
                attributes: { PROGRAM: 'shop', HOST: 'vm', FACILITY: 'user' },
            },
            { message: 'failed', level: 'err', time: '2026-11-28T01:01:32.000000Z' },
            {
                message: 'line one\nline two\ttab',
                level: 'warning',
                time: '2026-11-28T01:02:03.000000Z',
            },
        ],
    },
]);

check('Elasticsearch: each item has its outcome, and the path may name the index', async (server) => {
    const body = (hour: string): string =>
        [
            '{"create":{}}',
            `{"message":"first","@timestamp":"2026-11-28T${hour}:00:00Z"}`,
            '{"delete":{"_id":"x"}}',
            '{"update":{"_id":"y"}}',
            '{"doc":{}}',
            '{"index":{"_index":"own"}}',
            `{"message":"last","@timestamp":"2026-11-28T${hour}:00:00Z"}`, // no line feed behind it
        ].join('\n');
    for (const [method, index, hour] of [
        ['POST', 'logs-x', '01'],
        ['PUT', 'logs-x', '02'], // the same bytes would be the same logs
        ['POST', 'logs', '03'], // names that are the first segment of other routes, too
        ['PUT', 'logs', '04'],
        ['POST', 'assets', '05'],
        ['PUT', 'docs', '06'],
    ] as const) {
        const answer = await request(server, { method, path: `/${index}/_bulk`, body: body(hour) });
        assert.equal(answer.status, 200, answer.text);
        const { errors, items } = answer.json();
        assert.equal(errors, true);
        assert.deepEqual(
            items.map((item: object) => Object.entries(item)[0]).map(([a, b]: any) => [a, b.status]),
            [
                ['create', 201],
                ['delete', 400],
                ['update', 400],
                ['index', 201],
            ],
        );
        const logs = await fresh(server, 2);
        assert.deepEqual(
            logs.map((log) => [log.message, log.attributes['_index']]).sort(),
            [
                ['first', index],
                ['last', 'own'],
            ],
        );
    }
    const wrong = await post(server, '/_bulk', 'nonsense');
    assert.equal(wrong.status, 400);
    assert.equal(wrong.headers['x-elastic-product'], 'Elasticsearch');
    const large = await post(server, '/_bulk', Buffer.alloc(17 << 20));
    assert.deepEqual(
        [large.status, large.headers['x-elastic-product'], large.json().status],
        [413, 'Elasticsearch', 413],
    );
});

/* ---- Splunk ---- */

const SUCCESS = '{"text":"Success","code":0}';

rows('Splunk HEC: Docker, and the clients for Python and JavaScript', [
    {
        capture: 'splunk-handler-3.0.0',
        status: 200,
        body: SUCCESS,
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: 1795827185410482n,
                attributes: { host: 'vm', index: 'main', sourcetype: 'text' },
            },
            {
                message:
                    'failed\nTraceback (most recent call last):\n' +
                    '  File "/srv/app/example/shop-v1/py/loki_http.py", line 43, in <module>\n' +
                    '    try: 1 / 0\n         ~~^~~\nZeroDivisionError: division by zero',
                level: 'info',
                time: 1795827185410584n,
            },
            { message: LINES, level: 'info', time: 1795827185413020n },
        ],
    },
    {
        capture: 'splunk-hec-handler-1.2.0',
        status: 200,
        body: SUCCESS,
        logs: [
            {
                message: PLACED,
                level: 'INFO',
                time: 1795827291871347n,
                attributes: { host: 'vm' },
            },
        ],
    },
    {
        capture: 'splunk-js-batch-0.11.1',
        status: 200,
        body: SUCCESS,
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: 1795827471208000n,
                attributes: { host: 'web-1', source: 'shop', sourcetype: '_json' },
            },
            { message: 'failed', level: 'info', time: 1795827471208000n },
            { message: LINES, level: 'info', time: 1795827471208000n },
        ],
    },
    {
        capture: 'docker-splunk-20.10.24',
        status: 200,
        body: SUCCESS,
        logs: [
            {
                message: 'later record',
                level: 'info',
                time: 1795828387565958n,
                attributes: { tag: '7fe3497ddde3', host: 'vm' },
            },
            { message: 'last', level: 'info', time: 1795828395566032n },
        ],
    },
    {
        capture: 'docker-splunk-gzip-20.10.24',
        status: 200,
        body: SUCCESS,
        logs: [
            {
                message: 'later record',
                level: 'info',
                time: 1795828416358911n,
                attributes: { 'attrs.FOO': 'bar', 'attrs.a': 'b' },
            },
        ],
    },
    { capture: 'docker-splunk-options-20.10.24', status: 200, logs: [] },
]);

check('Splunk HEC: raw lines, health, and every refusal has a code', async (server) => {
    const raw = await post(server, '/services/collector/raw?host=web-1', 'one\ntwo\n');
    assert.deepEqual([raw.status, raw.json().code], [200, 0]);
    const logs = await fresh(server, 2);
    assert.deepEqual(
        logs.map((log) => [log.message, log.attributes['host']]).sort(),
        [
            ['one', 'web-1'],
            ['two', 'web-1'],
        ],
    );
    assert.equal((await get(server, '/services/collector/health')).json().code, 17);
    for (const [body, status] of [
        ['nonsense', 400],
        ['{"event":""}', 400],
        ['', 400],
        [Buffer.alloc(17 << 20), 413],
    ] as const) {
        const answer = await post(server, '/services/collector/event', body);
        assert.equal(answer.status, status, answer.text);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.ok(answer.json().code > 0, answer.text);
        assert.equal(typeof answer.json().text, 'string');
    }
});

/* ---- GELF ---- */

rows('GELF: what its first bytes say it is, whatever the header says', [
    {
        capture: 'graypy-http-2.1.0',
        status: 202,
        body: '',
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: 1795827335691452n,
                attributes: {
                    host: 'vm',
                    facility: 'orders',
                    line: 39,
                    function: 'call',
                    n: 42,
                    f: 1.5,
                    mp: { x: 1 },
                },
            },
        ],
    },
    {
        capture: 'pygelf-http-0.4.3',
        status: 202,
        body: '',
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: 1795827366140595n,
                attributes: { host: 'vm', n: 42, f: 1.5, mp: { x: 1 } },
            },
        ],
    },
    {
        capture: 'logback-gelf-http-6.1.2',
        status: 202,
        body: '',
        logs: [
            {
                message: PLACED,
                level: 'info',
                time: 1795827776200000n,
                attributes: { thread_name: 'main', logger_name: 'shop.orders', user: 'u1' },
            },
        ],
    },
]);

/* ---- Datadog ---- */

rows('Datadog: winston, whose parameters are attributes', [
    {
        capture: 'datadog-winston-1.6.0',
        status: 202,
        body: '{}',
        logs: [
            {
                message: PLACED,
                level: 'info',
                attributes: { n: 1, service: 'shop', ddsource: 'nodejs', hostname: 'web-1' },
            },
        ],
    },
]);

check('Datadog: the key may be in the path, and is kept nowhere', async (server) => {
    const key = 'f00dfeedf00dfeedf00dfeedf00dfeed';
    const log = { message: 'by v1', status: 'warn', timestamp: 1795827002453 };
    const answer = await post(server, `/v1/input/${key}?service=shop`, [log]);
    assert.equal(answer.status, 202, answer.text);
    const [stored] = await fresh(server, 1);
    assert.deepEqual(
        [stored!.message, stored!.level, stored!.timestamp],
        ['by v1', 'warn', '2026-11-28T00:50:02.453000Z'],
    );
    const everything = await get(server, '/logs?limit=1000', { Accept: 'application/x-ndjson' });
    assert.ok(!everything.text.includes(key) && !server.stderr.includes(key));
    assert.equal((await post(server, '/api/v2/logs', '{}')).status, 202); // a check
    assert.deepEqual((await get(server, '/api/v1/validate')).json(), { valid: true });
});

/* ---- journald ---- */

const JOURNAL = { SYSLOG_IDENTIFIER: 'shop', _HOSTNAME: 'web-1', _SYSTEMD_UNIT: 'shop.service' };

rows('journald: an upload, and the same again', [
    {
        capture: 'journal-upload-252',
        status: 202,
        logs: [
            { message: PLACED, level: 'info', time: 1795827002453000n, attributes: JOURNAL },
            { message: 'failed', level: 'error', time: 1795827003453000n, attributes: JOURNAL },
            { message: LINES, level: 'warning', time: 1795827004453000n, attributes: JOURNAL },
            {
                message: 'bin \u0001\u0002\ufffd', // what is no UTF-8
                level: 'info',
                time: 1795827005453000n,
                attributes: JOURNAL,
            },
        ],
    },
    { capture: 'journal-upload-252', status: 202, logs: [] },
]);

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

rows('POST / takes what loggers send of which no path can be set', [
    {
        capture: 'logstash-async-http-4.1.0',
        status: 201,
        body: '{"status":"queued","accepted":3}',
        logs: [
            {
                message: 'order 1 placed \u2713',
                level: 'INFO',
                time: '2026-11-28T00:57:04.603000Z',
                attributes: { '@version': '1', pid: 10908, 'extra.n': 42, 'extra.mp': { x: 1 } },
            },
            {
                message: 'failed',
                level: 'ERROR',
                time: '2026-11-28T00:57:04.615000Z',
                attributes: { 'extra.error_type': 'ZeroDivisionError' },
            },
            { message: LINES, level: 'WARNING', time: '2026-11-28T00:57:04.615000Z' },
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
        ['GET', '/logs-shop-default/_refresh'],
        ['POST', '/logs-shop-default/_refresh'],
        ['POST', '/_refresh'],
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
    const large = `{"_msg":"${'x'.repeat(16 << 20)}"}`;
    assert.equal((await post(server, '/insert/jsonline', large)).status, 413);

    const after = await Promise.all(names.map(count));
    assert.deepEqual(
        after.map((n, i) => n - before[i]!),
        [1, 1, 2, 1],
    );
    await fresh(server, 1);
});

end();

/* ---- When logs cannot be stored ---- */

interface Refusal {
    capture: string;
    status: number | 'reset';
    type?: string;
    retryAfter?: string;
    body?: RegExp;
}

const FULL: Refusal[] = [
    {
        capture: 'otel-py-1.45.0',
        status: 503,
        type: 'application/x-protobuf',
        retryAfter: '3', // 1 would end their tries after half of their time
    },
    {
        capture: 'otel-js-json-0.301.0',
        status: 503,
        type: 'application/json',
        retryAfter: '3',
        body: /^\{.*"message":"the queue holds as much as QUEUE_MAX_BYTES allows/,
    },
    { capture: 'loki4j-2.1.0', status: 503 },
    // Any answer would lose them: rsyslog looks at none, and only waits if the connection breaks.
    { capture: 'rsyslog-es-bulk-8.2302.0', status: 'reset' },
    { capture: 'es-py-bulk-9.5.1', status: 'reset' },
    {
        capture: 'splunk-handler-3.0.0',
        status: 503,
        type: 'application/json',
        retryAfter: '1',
        body: /"code":9/,
    },
    { capture: 'graypy-http-2.1.0', status: 503, retryAfter: '1' },
    { capture: 'datadog-winston-1.6.0', status: 503, retryAfter: '1', body: /"errors":\[/ },
    { capture: 'journal-upload-252', status: 503 },
    { capture: 'vlagent-jsonline-1.52.1', status: 503, retryAfter: '1' },
];

scenario('a full queue is told each client so that it sends again', async (lab) => {
    const api = await lab.start({ command: 'api', settings: { QUEUE_MAX_BYTES: '4194304' } });
    for (const length of [100_000, 3_000, 1]) {
        const log = { level: 'info', message: 'x'.repeat(length) };
        while ((await post(api, '/log', log)).status === 201) {
            // until not even that fits
        }
    }
    for (const { capture, status, type, retryAfter, body } of FULL) {
        const asked = sendCaptured(api, capture);
        if (status === 'reset') {
            await assert.rejects(asked, { code: 'ECONNRESET' }, capture);
            continue;
        }
        const answer = await asked;
        assert.equal(answer.status, status, `${capture}: ${answer.text}`);
        if (type !== undefined) {
            assert.equal(answer.headers['content-type'], type, capture);
        }
        if (retryAfter !== undefined) {
            assert.equal(answer.headers['retry-after'], retryAfter, capture);
        }
        assert.match(answer.text, body ?? /./, capture);
    }
    const { text } = await get(api, '/metrics');
    for (const [protocol, n] of [
        ['otlp', 2],
        ['elasticsearch', 2],
        ['hec', 1],
    ] as const) {
        assert.ok(
            text.includes(
                `logmill_received_refused_total{protocol="${protocol}",reason="queue"} ${n}\n`,
            ),
            protocol,
        );
    }
});

scenario('what is left out of one body is nothing to the client of the next', async (lab) => {
    const server = await lab.start({ settings: { WEB_CONCURRENCY: '1' } });
    const left = await post(server, '/insert/jsonline', '{"_msg":"a"}\n{"_msg":"b"}\nnonsense\n');
    assert.equal(left.status, 200, left.text);
    await atRest(server);
    assert.equal(metric(await metrics(server), 'logmill_inflight_bytes'), 0);
    const refused = await post(server, '/insert/jsonline', 'nonsense\n');
    assert.equal(refused.status, 400);
    assert.match(refused.text, /^line 1: /);
});

/** A log with 8 MiB in an attribute, in each of the formats. */
const large = 'a'.repeat(8 << 20);
const LARGE: [string, unknown][] = [
    ['/log', { level: 'info', message: 'm', large }],
    ['/logs?format=auto', { level: 'info', message: 'm', large }],
    ['/insert/jsonline', { _msg: 'm', large }],
    ['/api/v2/logs', [{ message: 'm', large }]],
    ['/services/collector/event', { event: 'm', fields: { large } }],
    ['/gelf', { version: '1.1', host: 'h', short_message: 'm', _large: large }],
    ['/_bulk', `{"create":{"_index":"i"}}\n${JSON.stringify({ message: 'm', large })}\n`],
    ['/loki/api/v1/push', { streams: [{ stream: { large }, values: [['1', 'm']] }] }],
    [
        '/v1/logs',
        {
            resourceLogs: [
                {
                    resource: { attributes: [{ key: 'large', value: { stringValue: large } }] },
                    scopeLogs: [{ logRecords: [{ body: { stringValue: 'm' } }] }],
                },
            ],
        },
    ],
];

scenario('no format keeps the memory that a large body took', async (lab) => {
    const server = await lab.start({
        command: 'api',
        settings: {
            MAX_BODY_BYTES: String(16 << 20),
            WEB_CONCURRENCY: '1',
            ASAN_OPTIONS: 'detect_leaks=1:quarantine_size_mb=8:malloc_context_size=5',
        },
    });
    const send = async (value: string): Promise<number> => {
        for (const [path, body] of LARGE) {
            const text = typeof body === 'string' ? body : JSON.stringify(body);
            const answer = await post(server, path, text.replace(large, value));
            assert.ok(answer.status >= 200 && answer.status < 300, `${path}: ${answer.text}`);
        }
        return residentBytes(server.pid);
    };
    const before = await send('a');
    await send(large);
    await eventually('the ledger to be empty', async () => {
        return metric(await metrics(server), 'logmill_inflight_bytes') === 0;
    });
    const grown = residentBytes(server.pid) - before;
    assert.ok(grown < 64 << 20, `${grown >> 20} MiB more than with small bodies`);
});
