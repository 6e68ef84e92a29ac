/* Keys: who may do what by which key, in which place, in whose words; and the file of keys. */
import { strict as assert } from 'node:assert';
import { appendFileSync, chmodSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { type Lab, type Logmill, ROOT, eventually, runLogmill, scenario } from '../support/harness';
import { type Answer, RawConnection, get, request } from '../support/http';
import { atRest, metric, metrics } from '../support/logs';

type Role = 'write' | 'read' | 'admin';
type Need = 'open' | 'any' | 'write' | 'read' | 'admin' | 'ops';

async function keys(file: string, ...args: string[]): Promise<string> {
    const ran = await runLogmill(['keys', ...args], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

const makeKey = (file: string, name: string, role: Role, ...more: string[]): Promise<string> =>
    keys(file, 'add', name, '--role', role, ...more);

const fileOf = (lab: Lab): string => path.join(lab.folder(), 'keys');

const bearer = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` });
const basic = (key: string): string => Buffer.from(`anybody:${key}`).toString('base64');

const LOG = '{"message":"m","level":"info"}';

function postLog(
    server: Logmill,
    headers: Record<string, string> = {},
    where = '/log',
    body = LOG,
): Promise<Answer> {
    return request(server, {
        method: 'POST',
        path: where,
        headers: { 'Content-Type': 'application/json', ...headers },
        body,
    });
}

/* ---- Routes ---- */

const NEEDS: Record<string, Need> = {
    'POST /log': 'write',
    'POST /logs': 'write',
    'GET /logs': 'read',
    'DELETE /logs': 'admin',
    'GET /logs/stats': 'read',
    'GET /logs/patterns': 'read',
    'GET /logs/fields': 'read',
    'GET /logs/fields/{path}': 'read',
    'GET /logs/tail': 'read',
    'GET /logs/{id}': 'read',
    'POST /mcp': 'read',
    'POST /login': 'open',
    'POST /logout': 'open',
    'GET /whoami': 'any',
    'GET /health': 'open',
    'GET /ready': 'ops',
    'GET /metrics': 'ops',
    'GET /': 'any',
    'GET /assets/{file}': 'open',
    'GET /openapi.json': 'ops',
    'GET /docs': 'ops',
    'GET /docs/{file}': 'ops',
    'POST /v1/logs': 'write',
    'POST /loki/api/v1/push': 'write',
    'POST /api/prom/push': 'write',
    'POST /_bulk': 'write',
    'PUT /_bulk': 'write',
    'POST /{index}/_bulk': 'write',
    'PUT /{index}/_bulk': 'write',
    'POST /services/collector': 'write',
    'POST /services/collector/event': 'write',
    'POST /services/collector/event/1.0': 'write',
    'POST /services/collector/raw': 'write',
    'POST /services/collector/raw/1.0': 'write',
    'OPTIONS /services/collector': 'open',
    'OPTIONS /services/collector/event': 'open',
    'OPTIONS /services/collector/event/1.0': 'open',
    'OPTIONS /services/collector/raw': 'open',
    'OPTIONS /services/collector/raw/1.0': 'open',
    'GET /services/collector/health': 'open',
    'GET /services/collector/health/1.0': 'open',
    'POST /api/v2/logs': 'write',
    'POST /v1/input': 'write',
    'POST /v1/input/{key}': 'write',
    'GET /api/v1/validate': 'any',
    'POST /gelf': 'write',
    'POST /upload': 'write',
    'POST /insert/jsonline': 'write',
    'POST /': 'write',
    'GET /_license': 'any',
    'GET /_xpack': 'any',
    'GET /_cluster/health': 'any',
    'GET /_cat/health': 'any',
    'GET /_nodes/http': 'any',
    'GET /_refresh': 'any',
    'POST /_refresh': 'any',
    'GET /{index}/_refresh': 'any',
    'POST /{index}/_refresh': 'any',
    'GET /_index_template/{name}': 'any',
    'PUT /_index_template/{name}': 'any',
    'GET /_template/{name}': 'any',
    'PUT /_template/{name}': 'any',
    'GET /_ilm/policy/{name}': 'any',
    'PUT /_ilm/policy/{name}': 'any',
    'GET /_ingest/pipeline/{name}': 'any',
    'PUT /_ingest/pipeline/{name}': 'any',
    'GET /_data_stream/{name}': 'any',
    'PUT /_data_stream/{name}': 'any',
};

/** Every row of the tables of routes, as the source has them. */
function routes(): string[] {
    const found = new Set<string>();
    for (const file of ['api.c', 'receive_routes.c']) {
        const text = readFileSync(path.join(ROOT, 'src', 'api', file), 'utf8');
        for (const row of text.matchAll(/\{"([A-Z]+)",\s*"(\/[^"]*)",/g)) {
            found.add(`${row[1]} ${row[2]}`);
        }
    }
    return [...found];
}

const allows = (need: Need, role: Role | 'none' | 'wrong'): number => {
    if (need === 'open') {
        return 0;
    }
    if (role === 'none' || role === 'wrong') {
        return 401;
    }
    return need === 'any' || role === 'admin' || role === need ? 0 : 403;
};

/** The status of what a key is refused with, or 0: it is let in, whatever becomes of it there. */
async function judged(server: Logmill, route: string, key: string | undefined): Promise<number> {
    const [method, pattern] = route.split(' ') as [string, string];
    const where = pattern.replace(/\{[^}]*\}/g, 'x');
    const client = await RawConnection.open(server);
    const authorization = key ? `Authorization: Bearer ${key}\r\n` : '';
    // No body: what is let in is answered by its head, or by what an empty one is told.
    client.send(
        `${method} ${where} HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Length: 0\r\n\r\n`,
    );
    const status = (await client.answer()).status;
    client.close();
    return status === 401 || status === 403 ? status : 0;
}

scenario('each route asks for the role that it needs, and there is none that does not say', async (lab) => {
    assert.deepEqual(routes().sort(), Object.keys(NEEDS).sort());
    const file = fileOf(lab);
    const held = {
        write: await makeKey(file, 'writer', 'write'),
        read: await makeKey(file, 'reader', 'read'),
        admin: await makeKey(file, 'boss', 'admin'),
        none: undefined,
        wrong: `lm_${'0'.repeat(49)}`,
    };
    const server = await lab.start({ settings: { KEYS_FILE: file, OPS_ACCESS: 'admin' } });
    for (const [route, need] of Object.entries(NEEDS)) {
        for (const [role, key] of Object.entries(held)) {
            const expected = allows(need === 'ops' ? 'admin' : need, role as Role);
            assert.equal(await judged(server, route, key), expected, `${route} as ${role}`);
        }
    }
});

scenario('without KEYS_FILE all may write and read, as before there were keys', async (lab) => {
    const server = await lab.start();
    for (const [route, need] of Object.entries(NEEDS)) {
        assert.equal(await judged(server, route, undefined), need === 'admin' ? 403 : 0, route);
    }
    assert.equal((await postLog(server, bearer('dummy'))).status, 201);
});

scenario('ANONYMOUS says what whoever has no key may do, and OPS_ACCESS who asks how it is', async (lab) => {
    const file = fileOf(lab);
    const reader = await makeKey(file, 'reader', 'read');
    for (const [anonymous, write, read] of [
        ['all', 201, 200],
        ['write', 201, 401],
        ['read', 401, 200],
        ['none', 401, 401],
    ] as const) {
        const server = await lab.start({
            settings: { KEYS_FILE: file, ANONYMOUS: anonymous, OPS_ACCESS: 'read' },
        });
        assert.equal((await postLog(server)).status, write, anonymous);
        assert.equal((await get(server, '/logs')).status, read, anonymous);
        assert.equal((await get(server, '/logs', bearer(reader))).status, 200);
        assert.equal((await get(server, '/metrics')).status, read, anonymous);
        assert.equal((await get(server, '/metrics', bearer(reader))).status, 200);
        assert.equal((await get(server, '/health')).status, 200);
        // A key that is one and does not hold is never taken for none.
        assert.equal((await get(server, '/logs', bearer(`${reader}x`))).status, 401, anonymous);
        // What is meant as none is none.
        assert.equal((await get(server, '/logs', bearer('token'))).status, read, anonymous);
        await server.stop();
    }
    const closed = await lab.start({ settings: { ANONYMOUS: 'write' } });
    assert.equal((await get(closed, '/logs')).status, 403);
    assert.equal((await postLog(closed)).status, 201);
});

scenario('a server that others reach says at its start what everybody may do', async (lab) => {
    const file = fileOf(lab);
    await makeKey(file, 'boss', 'admin');
    for (const [settings, said] of [
        [{ HOST: '0.0.0.0' }, /everybody who reaches HOST may read and write all logs.*KEYS_FILE/],
        [{ HOST: '0.0.0.0', KEYS_FILE: file, ANONYMOUS: 'write' }, /everybody who reaches HOST may write/],
        [{ HOST: '0.0.0.0', KEYS_FILE: file, ANONYMOUS: 'read' }, /everybody who reaches HOST may read all/],
        [{ HOST: '0.0.0.0', KEYS_FILE: file }, undefined],
        [{ HOST: '127.0.0.1' }, undefined],
    ] as const) {
        const server = await lab.start({ settings });
        if (said) {
            assert.match(server.stderr, said);
        } else {
            assert.doesNotMatch(server.stderr, /everybody/);
        }
        await server.stop();
    }
});

/* ---- Places and words ---- */

scenario('a key stands where clients can put one', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'agents', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const places: Record<string, string>[] = [
        bearer(key),
        { Authorization: `bearer  ${key} ` },
        { Authorization: `Splunk ${key}` },
        { Authorization: `Token ${key}` },
        { Authorization: `Basic ${basic(key)}` },
        { Authorization: `ApiKey ${key}` },
        { Authorization: `ApiKey ${basic(key)}` },
        { 'X-API-Key': key },
        { 'DD-API-KEY': key },
        // The password of a proxy's own may stand in front.
        { Authorization: `Basic ${basic('secret')}`, 'X-API-Key': key },
        { 'X-API-Key': 'of a gateway', 'DD-API-KEY': key },
    ];
    for (const headers of places) {
        assert.equal((await postLog(server, headers)).status, 201, JSON.stringify(headers));
    }
    const dog = '[{"message":"m"}]';
    assert.equal((await postLog(server, {}, `/v1/input/${key}?service=a`, dog)).status, 202);
    assert.equal((await postLog(server, {}, `/api/v2/logs?x=1&dd-api-key=${key}`, dog)).status, 202);
    // Where a protocol has a header, neither path nor parameter will do: they are written down.
    for (const where of [`/log?dd-api-key=${key}`, `/logs?api_key=${key}`]) {
        assert.equal((await postLog(server, {}, where)).status, 401, where);
    }
    for (const value of [key, `Digest ${key}`, `Bearer x${key}`, `Basic ${key}`, `Basic ${'A'.repeat(4000)}`]) {
        assert.equal((await postLog(server, { Authorization: value })).status, 401, value);
    }
});

scenario('who is refused is told so in the words of the protocol', async (lab) => {
    const file = fileOf(lab);
    const reader = await makeKey(file, 'reader', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const words: [string, Record<string, string>, RegExp, RegExp][] = [
        ['/log', {}, /^\{"detail":"a key is needed/, /^\{"detail":"the role/],
        ['/services/collector', {}, /^\{"text":"a key.*","code":3\}/, /^\{"text":"the role.*","code":4\}/],
        [
            '/_bulk',
            {},
            /^\{"error":\{.*"type":"security_exception".*"status":401\}/,
            /"security_exception".*"status":403\}/,
        ],
        ['/v1/logs', {}, /^\{"code":16,"message":"a key/, /^\{"code":7,"message":"the role/],
        ['/loki/api/v1/push', {}, /^a key is needed/, /^the role/],
        ['/api/v2/logs', {}, /^\{"errors":\[\{.*Unauthorized/, /^\{"errors":\[\{.*Forbidden/],
    ];
    for (const [where, headers, unknown, role] of words) {
        const without = await postLog(server, headers, where);
        assert.equal(without.status, 401, where);
        assert.match(without.text, unknown, where);
        assert.match(String(without.headers['www-authenticate']), /^Bearer realm="logmill", Basic/);
        const other = await postLog(server, { ...headers, ...bearer(reader) }, where);
        assert.equal(other.status, 403, where);
        assert.match(other.text, role, where);
        assert.equal(other.headers['www-authenticate'], undefined);
    }
    const ping = await get(server, '/_license');
    assert.equal(ping.status, 401);
    assert.equal(ping.headers['x-elastic-product'], 'Elasticsearch');
    assert.match(ping.text, /security_exception/);
    const seen = await metrics(server);
    assert.equal(metric(seen, 'logmill_requests_refused_total{reason="role"}'), words.length);
    assert.equal(metric(seen, 'logmill_requests_refused_total{reason="no_key"}'), words.length + 1);
});

scenario('a key is judged before a byte of the body is read', async (lab) => {
    const file = fileOf(lab);
    const reader = await makeKey(file, 'reader', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    for (const [key, status] of [
        [undefined, 401],
        [reader, 403],
    ] as const) {
        for (const where of ['/log', '/services/collector', '/upload']) {
            const client = await RawConnection.open(server);
            const authorization = key ? `Authorization: Bearer ${key}\r\n` : '';
            client.send(`POST ${where} HTTP/1.1\r\nHost: h\r\n${authorization}Content-Length: 900000\r\n\r\n`);
            assert.equal((await client.answer()).status, status, where);
            await client.end();
        }
    }
    // Who asks beforehand is not told to go on.
    const careful = await RawConnection.open(server);
    careful.send('POST /log HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n');
    assert.equal((await careful.answer()).status, 401);
    await careful.end();
    assert.equal(metric(await atRest(server), 'logmill_inflight_bytes'), 0);
});

/* ---- The file ---- */

scenario('a key that is added, rotated or revoked is so without a restart', async (lab) => {
    const file = fileOf(lab);
    await makeKey(file, 'boss', 'admin');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const status = async (key: string): Promise<number> => (await postLog(server, bearer(key))).status;
    const becomes = (key: string, expected: number): Promise<boolean> =>
        eventually(`${expected}`, async () => (await status(key)) === expected);

    const first = await makeKey(file, 'pay', 'write');
    assert.match(first, /^lm_[0-9A-Za-z]{49}$/);
    assert.ok(!readFileSync(file, 'utf8').includes(first.slice(3, 20)));
    await becomes(first, 201);
    const second = await keys(file, 'rotate', 'pay');
    await becomes(second, 201);
    assert.equal(await status(first), 201); // both hold for a day
    const third = await keys(file, 'rotate', 'pay', '--overlap', '1s');
    await becomes(first, 401);
    await becomes(second, 401);
    await becomes(third, 201);
    assert.match(await keys(file, 'list'), /pay +write .* expired[\s\S]*pay +write .* valid/);
    await keys(file, 'revoke', 'pay');
    await becomes(third, 401);
    assert.doesNotMatch(await keys(file, 'list'), /pay/);
    assert.match(server.stderr, /the file of keys was read anew/);
    assert.ok(!server.stderr.includes(third.slice(3, 20)));
});

scenario('a rotated key holds for as long as the one before was to', async (lab) => {
    const file = fileOf(lab);
    const DAY_MS = 86_400_000;
    const expiries = (): number[] =>
        readFileSync(file, 'utf8')
            .trim()
            .split('\n')
            .filter((line) => line.startsWith('{'))
            .map((line) => Date.parse(JSON.parse(line).expires ?? '9999-12-31'));
    await makeKey(file, 'pay', 'write', '--expires', '90d');
    await makeKey(file, 'shop', 'write');
    await keys(file, 'rotate', 'pay');
    await keys(file, 'rotate', 'shop');
    const [oldPay, oldShop, pay, shop] = expiries().map((ms) => Math.round((ms - Date.now()) / DAY_MS));
    assert.deepEqual([oldPay, oldShop, pay], [1, 1, 90]);
    assert.ok(shop! > 90_000);
    await keys(file, 'rotate', 'pay', '--expires', '7d');
    assert.equal(Math.round((expiries().at(-1)! - Date.now()) / DAY_MS), 7);
    // What lies beside it is not written through: it may be open elsewhere.
    writeFileSync(`${file}.new`, 'x');
    const other = openSync(`${file}.new`, 'r');
    await keys(file, 'rotate', 'shop');
    assert.equal(readFileSync(other, 'utf8'), 'x');
    closeSync(other);
});

scenario('a file that is wrong keeps the keys before it, and says the line', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'pay', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const good = readFileSync(file);
    for (const [spoil, said] of [
        [() => appendFileSync(file, '{"name":"half","ro'), /half written/],
        [() => writeFileSync(file, ''), /half written/],
        [() => writeFileSync(file, '{"name":"x","role":"root"}\n'), /line 1: \\"role\\": allowed is write/],
        [() => chmodSync(file, 0o644), /mode 0644.*chmod 600/],
    ] as const) {
        spoil();
        await eventually(String(said), async () => said.test(server.stderr));
        assert.equal((await postLog(server, bearer(key))).status, 201);
        chmodSync(file, 0o600);
        writeFileSync(file, good);
        const before = server.stderr.length;
        await eventually('read anew', async () => /read anew/.test(server.stderr.slice(before - 400)));
    }
    chmodSync(file, 0o640);
    const refused = await runLogmill(['serve', '--port', '0', '--data-dir', lab.folder()], { KEYS_FILE: file });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /KEYS_FILE: .*mode 0640/);
});

scenario('keys come by the environment, too: the text of such a file, masked', async (lab) => {
    const file = fileOf(lab);
    const writer = await makeKey(file, 'pay', 'write');
    const reader = await makeKey(file, 'anna', 'read');
    const KEYS = readFileSync(file, 'utf8').trimEnd();
    const server = await lab.start({ settings: { KEYS } });
    assert.equal((await postLog(server, bearer(writer))).status, 201);
    assert.equal((await postLog(server, bearer(reader))).status, 403);
    assert.equal((await postLog(server)).status, 401, 'nobody may without a key');
    const { stdout } = await runLogmill(['config'], { KEYS });
    assert.match(stdout, /^KEYS=\*{8}$/m);
    const refusal = async (settings: Record<string, string>): Promise<string> => {
        const process = lab.launch({ settings });
        assert.equal((await process.refuses()).code, 1);
        return process.stderr;
    };
    assert.match(await refusal({ KEYS: `${KEYS}\n{"name":"x"}` }), /KEYS: line \d+: /);
    assert.match(await refusal({ KEYS, KEYS_FILE: file }), /KEYS_FILE and KEYS are set; allowed: one/);
});

scenario('two who change the file at once both do', async (lab) => {
    const file = fileOf(lab);
    await makeKey(file, 'boss', 'admin');
    const names = Array.from({ length: 12 }, (_, i) => `agent-${i}`);
    await Promise.all(names.map((name) => makeKey(file, name, 'write')));
    const listed = await keys(file, 'list');
    for (const name of names) {
        assert.ok(listed.includes(`${name} `), name);
    }
});

scenario('what keys cannot be is said with what is allowed', async (lab) => {
    const file = fileOf(lab);
    await makeKey(file, 'pay', 'write', '--set', 'service=pay', '--expires', '90d');
    const cases: [string[], RegExp, number][] = [
        [['keys'], /add NAME, list, revoke NAME, rotate NAME/, 2],
        [['keys', 'add'], /add NAME/, 2],
        [['keys', 'add', 'a b', '--role', 'read'], /1 to 64 letters/, 2],
        [['keys', 'add', 'a'], /--role is needed: write, read or admin/, 1],
        [['keys', 'add', 'a', '--role', 'root'], /write\|read\|admin|write, read/, 2],
        [['keys', 'add', 'a', '--role', 'read', '--expires', 'soon'], /90d, 12h or 4w/, 1],
        [['keys', 'add', 'a', '--role', 'read', '--set', 'x=y'], /whose role is write/, 1],
        [['keys', 'add', 'a', '--role', 'write', '--only', 'x'], /whose role is read/, 1],
        [['keys', 'add', 'a', '--role', 'read', '--only', '(x'], /"only\\?": /, 1],
        [['keys', 'add', 'pay', '--role', 'read'], /there is a key of the name pay/, 1],
        [['keys', 'revoke', 'shop'], /no key of the name shop/, 1],
        [['keys', 'rotate', 'shop'], /no key of the name shop/, 1],
        [['keys', 'rotate', 'pay', '--role', 'read'], /--role is no flag of rotate/, 2],
        [['keys', 'rotate', 'pay', '--overlap', 'x'], /--overlap: a length/, 1],
    ];
    for (const [args, says, code] of cases) {
        const ran = await runLogmill(args, { KEYS_FILE: file });
        assert.equal(ran.code, code, `${args.join(' ')}: ${ran.stderr}`);
        assert.match(ran.stderr, says);
        assert.equal(ran.stdout, '');
    }
    const unset = await runLogmill(['keys', 'list']);
    assert.equal(unset.code, 2);
    assert.match(unset.stderr, /KEYS_FILE is not set/);
});

/* ---- The command line ---- */

scenario('the commands bear a key of the environment or of a file, and no flag has one', async (lab) => {
    const file = fileOf(lab);
    const writer = await makeKey(file, 'writer', 'write');
    const reader = await makeKey(file, 'reader', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const url = { LOGMILL_URL: `http://127.0.0.1:${server.port}` };
    const keyFile = path.join(lab.folder(), 'key');
    writeFileSync(keyFile, `${reader}\r\n`);

    const sent = await runLogmill(['send', 'hello'], { ...url, LOGMILL_KEY: writer });
    assert.equal(sent.code, 0, sent.stderr);
    await atRest(server);
    const found = await runLogmill(['query', 'hello', '--key-file', keyFile], { ...url, LOGMILL_KEY: writer });
    assert.equal(found.code, 0, found.stderr);
    assert.match(found.stdout, /"message":"hello"/);

    for (const [args, settings, says] of [
        [['query'], {}, /answered 401: a key is needed/],
        [['query'], { LOGMILL_KEY: writer }, /answered 403: the role/],
        [['query'], { LOGMILL_KEY: `${writer.slice(0, -1)}!` }, /LOGMILL_KEY has no key of logmill.*mistyped/],
        [['query', '--key-file', '/nowhere'], {}, /--key-file: cannot read \/nowhere/],
        [['query', '--key', reader], {}, /--key: no such flag/],
    ] as const) {
        const ran = await runLogmill([...args], { ...url, ...settings });
        assert.notEqual(ran.code, 0);
        assert.match(ran.stderr, says);
        assert.ok(!ran.stderr.includes(writer.slice(3, 20)));
    }
});

/* ---- Guessing ---- */

scenario('an address that tries keys is refused for a while, but nobody who has a key there', async (lab) => {
    const file = fileOf(lab);
    const good = await makeKey(file, 'good', 'admin');
    const fresh = await makeKey(file, 'fresh', 'admin');
    const agents: string[] = [];
    for (let i = 0; i < 12; i++) {
        agents.push(await makeKey(file, `agent-${i}`, 'write'));
    }
    const server = await lab.start({ settings: { KEYS_FILE: file, WEB_CONCURRENCY: '1' } });
    const guess = (i: number): string => `lm_${String(i).padStart(49, '0')}`;
    const other = { 'X-Forwarded-For': '192.0.2.7' };

    // An agent whose key was revoked may go on with it.
    for (let i = 0; i < 30; i++) {
        assert.equal((await postLog(server, bearer(guess(0)))).status, 401);
    }
    assert.equal((await postLog(server, bearer(good))).status, 201);
    for (let i = 1; i < 10; i++) {
        assert.equal((await postLog(server, bearer(guess(i)))).status, 401, `${i}`);
    }
    const stopped = await postLog(server, bearer(guess(10)));
    assert.equal(stopped.status, 429);
    assert.equal(stopped.headers['retry-after'], '60');
    assert.match(stopped.text, /^\{"detail":"this address has sent too many keys/);
    for (const [where, says] of [
        ['/services/collector', /"code":9\}/],
        ['/v1/logs', /^\{"code":8,/],
        ['/_bulk', /es_rejected_execution_exception/],
        ['/api/v2/logs', /Too Many Requests/],
        ['/loki/api/v1/push', /^this address/],
    ] as const) {
        const answer = await postLog(server, bearer(guess(11)), where);
        assert.equal(answer.status, 429, where);
        assert.equal(answer.headers['retry-after'], '60', where);
        assert.match(answer.text, says, where);
    }
    // Others there go on, more than a thread could keep in mind, and those whose first request it is.
    for (const key of [good, fresh, ...agents, ...agents]) {
        assert.equal((await postLog(server, bearer(key))).status, 201);
    }
    assert.equal((await postLog(server)).status, 401);
    assert.equal((await get(server, '/health', bearer(guess(12)))).status, 200);
    // A trusted proxy has many behind it.
    assert.equal((await postLog(server, { ...bearer(fresh), ...other })).status, 201);
    assert.match(server.stderr, /many keys that are not valid.*127\.0\.0\.1/);
    assert.equal(metric(await metrics(server), 'logmill_requests_refused_total{reason="guesses"}'), 6);
});

scenario('what a stranger says of whom it speaks for stops nobody else', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'good', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file, TRUSTED_PROXIES: '192.0.2.0/24' } });
    const statuses = [];
    for (let i = 0; i < 12; i++) {
        const guess = bearer(`lm_${String(i).padStart(49, '0')}`);
        statuses.push((await postLog(server, { ...guess, 'X-Forwarded-For': `198.51.100.${i}` })).status);
    }
    assert.deepEqual(statuses.slice(9), [401, 429, 429]);
    const by = { 'X-Forwarded-For': '198.51.100.200' };
    assert.equal((await postLog(server, { ...bearer(`lm_${'9'.repeat(49)}`), ...by })).status, 429);
    assert.equal((await postLog(server, { ...bearer(key), ...by })).status, 201);
});
