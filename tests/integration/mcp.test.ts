/* The Model Context Protocol: POST /mcp and `logmill mcp`, with the official SDK's client and the inspector. */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { BINARY, type Logmill, ROOT, environment, run, scenario } from '../support/harness';
import { type Answer, get, request } from '../support/http';
import { allLogs, atRest, metric, postLog, postLogs, uuid7 } from '../support/logs';
import { overBoth } from '../support/servers/stores';

const INSPECTOR = path.join(ROOT, 'tests/integration/node_modules/@modelcontextprotocol/inspector-cli/build');
const JSON_TYPES = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };
const VERSION = '2025-06-18';
const ROWS_MAX = 200;
const RESULT_MAX = 64 * 1024;

const url = (server: Logmill): string => `http://127.0.0.1:${server.port}`;

/* ---- Clients ---- */

function stdio(server: Logmill): StdioClientTransport {
    return new StdioClientTransport({
        command: BINARY,
        args: ['mcp'],
        env: environment({ LOGMILL_URL: url(server) }),
        stderr: 'inherit',
    });
}

async function withClients(server: Logmill, test: (client: Client, over: string) => Promise<void>): Promise<void> {
    const transports = {
        stdio: stdio(server),
        http: new StreamableHTTPClientTransport(new URL(`${url(server)}/mcp`)),
    };
    for (const [over, transport] of Object.entries(transports)) {
        const client = new Client({ name: 'logmill-tests', version: '1' });
        await client.connect(transport as StdioClientTransport);
        try {
            await test(client, over);
        } finally {
            await client.close();
        }
    }
}

interface Result {
    isError: boolean;
    text: string;
    object: any;
}

async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<Result> {
    const result: any = await client.callTool({ name, arguments: args });
    const text = result.content[0].text;
    if (!result.isError) {
        assert.deepEqual(JSON.parse(text), result.structuredContent);
        assert.ok(Buffer.byteLength(text) <= RESULT_MAX);
    }
    return { isError: Boolean(result.isError), text, object: result.structuredContent };
}

function post(server: Logmill, message: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const body = typeof message === 'string' ? message : JSON.stringify(message);
    return request(server, { method: 'POST', path: '/mcp', headers: { ...JSON_TYPES, ...headers }, body });
}

const rpc = (method: string, params?: unknown, id: unknown = 1): Record<string, unknown> => ({
    jsonrpc: '2.0',
    id,
    method,
    ...(params === undefined ? {} : { params }),
});

/* ---- Logs ---- */

const LEVELS = ['info', 'error', 'warning'];

async function fill(server: Logmill): Promise<void> {
    const logs = Array.from({ length: 90 }, (_, i) => ({
        message: i % 2 === 0 ? `order ${i} took ${i * 3} ms` : 'pool exhausted',
        level: LEVELS[i % 3],
        timestamp: new Date(Date.now() - 3_600_000 + i * 1000).toISOString(),
        service: i % 3 === 0 ? 'web' : 'pay',
        ms: i,
        http: { status: i % 10 === 0 ? 500 : 200 },
    }));
    await postLogs(server, logs);
    await postLog(server, { message: 'disk is full', level: 'critical', service: 'store' });
    await atRest(server);
}

overBoth('an assistant finds out what there is, over both transports', async (server) => {
    await fill(server);
    await withClients(server, async (client) => {
        assert.equal(client.getServerVersion()?.name, 'logmill');
        assert.match(client.getInstructions() ?? '', /patterns and counts before lines/);
        await client.ping();

        const { tools } = await client.listTools();
        assert.ok(tools.length >= 6);
        assert.ok(tools.every((tool) => tool.annotations?.readOnlyHint === true));

        const schema = await call(client, 'schema', { samples: 2 });
        const { oldest, newest, is_whole } = schema.object.span;
        assert.ok(!is_whole || oldest < newest, `${oldest} ${newest}`);
        assert.ok(newest > new Date(Date.now() - 3_600_000).toISOString());
        const ms = schema.object.fields.find((f: any) => f.path === 'ms');
        assert.deepEqual([ms.logs, ms.types, ms.distinct, ms.values.length], [90, { number: 90 }, 90, 2]);
        const of = schema.object.fields.find((f: any) => f.path === 'service').values.map((v: any) => v.value);
        assert.deepEqual(of, ['pay', 'web']);

        const count = await call(client, 'count');
        assert.equal(count.object.total, 91);
        assert.deepEqual(
            count.object.groups.map((g: any) => [g.by.level, g.count]).sort(),
            [['critical', 1], ['error', 30], ['info', 30], ['warning', 30]],
        );
        const services = await call(client, 'count', { query: 'level:>=error', by: 'service', bucket: 86400 });
        assert.equal(services.object.total, 31);
        assert.ok(services.object.buckets.length >= 1);

        const patterns = await call(client, 'patterns', { limit: 2 });
        assert.deepEqual(
            patterns.object.patterns.map((p: any) => [p.pattern, p.count]).sort(),
            [['order <*> took <*> ms', 45], ['pool exhausted', 45]],
        );
        assert.equal(patterns.object.other.count, 1);

        const news = await call(client, 'new_patterns', { new_since: '10m' });
        assert.deepEqual(news.object.patterns.map((p: any) => p.pattern), ['disk is full']);

        const top = await call(client, 'top', { field: 'service' });
        assert.deepEqual(
            top.object.values.map((v: any) => [v.value, v.count]),
            [['pay', 60], ['web', 30], ['store', 1]],
        );
        const status = await call(client, 'top', { field: 'http.status', query: 'service:web' });
        assert.equal(status.object.values[0].value, '200');

        const stats = await call(client, 'stats', { value: 'max(ms),p50(ms)', by: 'service' });
        const web = stats.object.groups.find((g: any) => g.by.service === 'web');
        assert.equal(web.values['max(ms)'], 87);

        const search = await call(client, 'search', { query: 'pool', limit: 3 });
        assert.equal(search.object.shown, 3);
        assert.equal(search.object.logs[0].message, 'pool exhausted');
        assert.deepEqual(Object.keys(search.object.logs[0].attributes).sort(), ['http', 'ms', 'service']);
        const few = await call(client, 'search', { query: 'pool', limit: 1, fields: 'http.status' });
        assert.deepEqual(few.object.logs[0].attributes, { http: { status: 200 } });

        const id = search.object.logs[2].id;
        const around = await call(client, 'around', { id, before: 2, after: 1, same: 'service' });
        assert.equal(around.object.logs.length, 4);
        assert.equal(around.object.logs[around.object.around].id, id);
        assert.ok(around.object.logs.every((log: any) => log.attributes.service === 'pay'));
        const gone = await call(client, 'around', { id: uuid7() });
        assert.deepEqual([gone.isError, gone.text], [true, 'Not Found']);
    });
});

scenario('a search goes on by its cursor to all logs, each once', async (lab) => {
    const server = await lab.start();
    await fill(server);
    const wanted = (await allLogs(server, '')).map((log) => log.id);
    await withClients(server, async (client) => {
        const found: string[] = [];
        let cursor: string | null = null;
        do {
            const page: Result = await call(client, 'search', { limit: 13, ...(cursor ? { cursor } : {}) });
            found.push(...page.object.logs.map((log: any) => log.id));
            cursor = page.object.next;
        } while (cursor);
        assert.deepEqual(found, wanted);
    });
});

scenario('an answer is bounded, says what was cut, and goes on behind the last log shown', async (lab) => {
    const server = await lab.start();
    const logs = Array.from({ length: 150 }, (_, i) => ({ message: `${i} ${'x'.repeat(4000)}`, level: 'info' }));
    await postLogs(server, logs);
    await atRest(server);
    const wanted = (await allLogs(server, '')).map((log) => log.id);
    await withClients(server, async (client) => {
        const found: string[] = [];
        let cursor: string | null = null;
        do {
            const args = { limit: ROWS_MAX, ...(cursor ? { cursor } : {}) };
            const page: Result = await call(client, 'search', args);
            if (page.object.next) {
                assert.match(page.object.notes.join(), /logs had no room: an answer ends at 65536 bytes/);
            }
            assert.match(page.object.logs[0].message, /x… \[\d+ bytes more\]$/);
            found.push(...page.object.logs.map((log: any) => log.id));
            cursor = page.object.next;
        } while (cursor);
        assert.deepEqual(found, wanted);
        const whole = await call(client, 'search', { limit: 1, text_bytes: 16000 });
        assert.ok(whole.object.logs[0].message.length > 4000);
        assert.deepEqual(whole.object.notes, []);
    });
});

scenario('what is wrong with a call is told to the assistant', async (lab) => {
    const server = await lab.start();
    await withClients(server, async (client) => {
        const caret = await call(client, 'count', { query: 'service:pay level: error' });
        assert.ok(caret.isError);
        assert.match(caret.text, /^query: At character 19: expected a value right after level:/);
        assert.ok(caret.text.endsWith(`\n  service:pay level: error\n${' '.repeat(20)}^`), caret.text);

        const time = await call(client, 'count', { since: 'long ago' });
        assert.ok(time.isError);
        assert.match(time.text, /^since: /);
        const limit = await call(client, 'search', { limit: ROWS_MAX + 1 });
        assert.match(limit.text, /limit is not a whole number from 1 to 200, but 201/);
        const unknown = await call(client, 'top', { feild: 'service' });
        assert.match(unknown.text, /did you mean field\?/);
        const cursor = await call(client, 'search', { cursor: 'nowhere' });
        assert.match(cursor.text, /^cursor: /);
        await assert.rejects(client.callTool({ name: 'delete_all' }), /Unknown tool: delete_all; there are schema, count/);
        await assert.rejects(client.listResources(), /Method not found|does not support/);
    });
});

scenario('a search of little goes on by itself through slices of time', async (lab) => {
    const server = await lab.start();
    await fill(server);
    const answer = await post(server, rpc('tools/call', { name: 'search', arguments: { query: 'nothing-so' } }));
    const result = answer.json().result.structuredContent;
    assert.deepEqual([result.shown, result.next, result.notes], [0, null, []]);
});

/* ---- HTTP ---- */

scenario('POST /mcp is what the protocol says of Streamable HTTP', async (lab) => {
    const server = await lab.start();
    for (const [method, path] of [['GET', '/mcp'], ['DELETE', '/mcp']] as const) {
        const answer = await request(server, { method, path });
        assert.equal(answer.status, 405);
        assert.equal(answer.headers['allow'], 'POST');
    }
    const noted = await post(server, { jsonrpc: '2.0', method: 'notifications/initialized' });
    assert.deepEqual([noted.status, noted.text], [202, '']);
    assert.equal((await post(server, { jsonrpc: '2.0', id: 3, result: {} })).status, 202);

    const broken = await post(server, '{"jsonrpc"');
    assert.deepEqual([broken.status, broken.json().error.code, broken.json().id], [400, -32700, null]);
    const none = await post(server, { jsonrpc: '1.0', id: 1, method: 'ping' });
    assert.deepEqual([none.status, none.json().error.code], [400, -32600]);
    const method = await post(server, rpc('prompts/list'));
    assert.deepEqual([method.status, method.json().error.code], [200, -32601]);
    const params = await post(server, rpc('tools/call', { name: 'x' }, 'id'));
    assert.deepEqual([params.status, params.json().error.code, params.json().id], [200, -32602, 'id']);

    const pong = await post(server, rpc('ping'));
    assert.deepEqual([pong.status, pong.json()], [200, { jsonrpc: '2.0', id: 1, result: {} }]);
    assert.match(String(pong.headers['content-type']), /^application\/json/);
    assert.equal(pong.headers['mcp-session-id'], undefined);
});

scenario('versions: those that are spoken, and no others', async (lab) => {
    const server = await lab.start();
    for (const version of [VERSION, '2025-03-26', '2024-11-05']) {
        const agreed = await post(server, rpc('initialize', { protocolVersion: version, capabilities: {} }));
        assert.equal(agreed.json().result.protocolVersion, version);
        assert.equal((await post(server, rpc('ping'), { 'MCP-Protocol-Version': version })).status, 200);
    }
    const later = await post(server, rpc('initialize', { protocolVersion: '2031-01-01', capabilities: {} }));
    assert.equal(later.json().result.protocolVersion, VERSION);
    const unknown = await post(server, rpc('ping'), { 'MCP-Protocol-Version': '2031-01-01' });
    assert.equal(unknown.status, 400);
    assert.match(unknown.json().detail, /2025-06-18, 2025-03-26/);

    const batch = [rpc('ping', undefined, 1), { jsonrpc: '2.0', method: 'x' }, rpc('tools/call', { name: 'count' }, 2)];
    const answers = await post(server, batch, { 'MCP-Protocol-Version': '2025-03-26' });
    assert.deepEqual(answers.json().map((a: any) => a.id), [1, 2]);
    assert.equal((await post(server, batch, { 'MCP-Protocol-Version': VERSION })).status, 400);
});

scenario('what is no message, or asks for no JSON, is refused', async (lab) => {
    const server = await lab.start();
    const refused = async (headers: Record<string, string>, status: number, body: unknown = rpc('ping')) => {
        const answer = await post(server, body, headers);
        assert.equal(answer.status, status, JSON.stringify(headers));
        return String(answer.json().detail);
    };
    await refused({ 'Content-Type': 'text/plain' }, 415);
    await refused({ Accept: 'text/event-stream' }, 406);
    assert.match(await refused({}, 413, rpc('ping', { x: 'y'.repeat(65536) })), /65536 bytes/);
    for (const accept of ['application/json', '*/*', 'text/html, application/*;q=0.1']) {
        assert.equal((await post(server, rpc('ping'), { Accept: accept })).status, 200, accept);
    }
});

scenario('a page of another site is refused, and the name that it points here', async (lab) => {
    const settings = { ALLOWED_HOSTS: '', CORS_ORIGINS: 'https://inspector.example' };
    const server = await lab.start({ settings });
    const evil = { Origin: 'http://evil.example' };
    assert.equal((await post(server, rpc('ping'), evil)).status, 403);
    assert.equal((await post(server, rpc('ping'), { ...evil, 'Sec-Fetch-Site': 'cross-site' })).status, 403);
    assert.equal((await post(server, rpc('ping'), { Host: 'evil.example', ...evil })).status, 421);
    assert.equal((await post(server, rpc('ping'), { Origin: url(server) })).status, 200);
    const allowed = { Origin: 'https://inspector.example', 'Sec-Fetch-Site': 'cross-site' };
    const answer = await post(server, rpc('ping'), allowed);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['access-control-allow-origin'], 'https://inspector.example');
    const preflight = await request(server, {
        method: 'OPTIONS',
        path: '/mcp',
        headers: { ...allowed, 'Access-Control-Request-Method': 'POST' },
    });
    assert.match(String(preflight.headers['access-control-allow-headers']), /mcp-protocol-version/);
});

scenario('calls hold nothing once they are answered, and many may be under way', async (lab) => {
    const server = await lab.start();
    await fill(server);
    const calls = Array.from({ length: 40 }, (_, i) =>
        post(server, rpc('tools/call', { name: i % 2 ? 'search' : 'patterns', arguments: { limit: 5 } }, i)),
    );
    for (const [i, answer] of (await Promise.all(calls)).entries()) {
        assert.deepEqual([answer.status, answer.json().id, answer.json().result.isError], [200, i, false], answer.text);
    }
    assert.equal(metric(await atRest(server), 'logmill_inflight_bytes'), 0);
});

/* ---- stdio ---- */

async function speak(lines: string, settings: Record<string, string>): Promise<{ answers: any[]; stderr: string; code: number | null }> {
    const ran = await run([BINARY, 'mcp'], { settings, input: lines });
    const answers = ran.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
    return { answers, stderr: ran.stderr, code: ran.code };
}

scenario('logmill mcp answers a line by a line, until its input ends', async (lab) => {
    const server = await lab.start();
    const text = [
        JSON.stringify(rpc('initialize', { protocolVersion: VERSION, capabilities: {} }, 'a')),
        '',
        JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
        'no json',
        JSON.stringify(rpc('ping', { x: 'y'.repeat(200_000) }, 'too long')),
        JSON.stringify([rpc('ping', undefined, 'in a batch')]),
        JSON.stringify(rpc('ping', undefined, 'last')), // without a line feed
    ].join('\r\n');
    const { answers, stderr, code } = await speak(text, { LOGMILL_URL: url(server) });
    assert.deepEqual(answers.map((a) => a.id), ['a', null, null, null, 'last']);
    assert.deepEqual(answers.map((a) => a.error?.code), [undefined, -32700, -32600, -32600, undefined]);
    assert.match(answers[2].error.message, /at most 65536 bytes/);
    assert.match(answers[3].error.message, /no batches/);
    assert.deepEqual([stderr, code], ['', 0]);
});

scenario('without a server it answers still, and says what is missing', async () => {
    const { answers, code } = await speak(JSON.stringify(rpc('tools/call', { name: 'count' })), {
        LOGMILL_URL: 'http://127.0.0.1:1',
    });
    assert.equal(answers[0].result.isError, true);
    assert.match(answers[0].result.content[0].text, /no server at http:\/\/127\.0\.0\.1:1/);
    assert.equal(code, 0);
    assert.equal((await speak('', { LOGMILL_URL: 'nowhere' })).code, 2);
});

/* ---- The inspector ---- */

async function inspect(target: string[], method: string[]): Promise<any> {
    // It looks for its own package.json from the directory in which it is run.
    const inspector = ['env', '-C', INSPECTOR, process.execPath, 'index.js'];
    const ran = await run([...inspector, ...target, '--method', ...method]);
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout);
}

scenario('the inspector lists the tools and calls them, over both transports', async (lab) => {
    const server = await lab.start();
    await fill(server);
    for (const target of [[`${url(server)}/mcp`, '--transport', 'http'], [BINARY, 'mcp', '--url', url(server)]]) {
        const { tools } = await inspect(target, ['tools/list']);
        assert.ok(tools.some((tool: any) => tool.name === 'patterns'));
        const method = ['tools/call', '--tool-name', 'count', '--tool-arg', 'query=level:error'];
        const counted = await inspect(target, method);
        assert.equal(counted.structuredContent.total, 30);
    }
});

scenario('GET /mcp is no page', async (lab) => {
    const server = await lab.start();
    assert.equal((await get(server, '/mcp', { Accept: 'text/event-stream' })).status, 405);
});
