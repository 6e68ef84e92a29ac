/* A tenant is two keys: one whose logs are marked, whatever they say, and one that reads those alone. */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';

import { type Lab, type Logmill, eventually, runLogmill, scenario } from '../support/harness';
import { type Answer, RawConnection, get, request } from '../support/http';
import { type Log, atRest, metric, metrics } from '../support/logs';
import { Tail } from '../support/sse';

type Headers = Record<string, string>;

const bearer = (key: string): Headers => ({ Authorization: `Bearer ${key}` });

async function makeKey(file: string, ...args: string[]): Promise<string> {
    const ran = await runLogmill(['keys', 'add', ...args], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

const fileOf = (lab: Lab): string => path.join(lab.folder(), 'keys');

const send = (server: Logmill, key: string, where: string, body: string, type = 'application/json'): Promise<Answer> =>
    request(server, { method: 'POST', path: where, headers: { 'Content-Type': type, ...bearer(key) }, body });

/* ---- --set ---- */

const now = `${Date.now()}000000`;

/** A log by each protocol, each of which says that it is of another service and team. */
const FORGED: [string, string, string?][] = [
    ['/log', '{"message":"w","level":"info","service":"forged","team":{"name":"forged"}}'],
    ['/log', '{"message":"w","level":"info","attributes":{"service":["forged"],"team.name":"forged"}}'],
    ['/log', '{"message":"w","level":"info","\\u0073ervice":"forged"}'],
    ['/logs', '[{"message":"w","level":"info","service":{"name":"forged"}},{"message":"w","level":"info"}]'],
    ['/logs', '{"message":"w","level":"info","service":"forged"}\n', 'application/x-ndjson'],
    ['/logs?format=auto', '{"msg":"w","service":"forged"}'],
    [
        '/v1/logs',
        '{"resourceLogs":[{"resource":{"attributes":[{"key":"service","value":{"stringValue":"forged"}}]},' +
            '"scopeLogs":[{"logRecords":[{"body":{"stringValue":"w"}}]}]}]}',
    ],
    ['/loki/api/v1/push', `{"streams":[{"stream":{"service":"forged"},"values":[["${now}","w"]]}]}`],
    ['/_bulk', '{"create":{}}\n{"message":"w","service":"forged"}\n'],
    ['/services/collector', '{"event":{"message":"w","service":"forged"},"fields":{"service":"forged"}}'],
    ['/services/collector/raw', 'w'],
    ['/api/v2/logs', '[{"message":"w","service":"forged"}]'],
    ['/gelf', '{"version":"1.1","host":"h","short_message":"w","_service":"forged"}'],
    ['/insert/jsonline', '{"_msg":"w","service":"forged"}\n'],
    ['/', '{"message":"w","service":"forged"}'],
    ['/upload', 'MESSAGE=w\nSERVICE=forged\n__CURSOR=s=1;i=1\n\n', 'application/vnd.fdo.journal'],
];

scenario('all logs of a key have its attributes, whatever they say and however they come', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'shop', '--role', 'write', '--set', 'service=shop', '--set', 'team.name=a b');
    const admin = await makeKey(file, 'admin', '--role', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    let sent = 0;
    for (const [where, body, type] of FORGED) {
        const answer = await send(server, key, where, body, type);
        assert.ok(answer.status >= 200 && answer.status < 300, `${where}: ${answer.status} ${answer.text}`);
        sent += where === '/logs' && body.startsWith('[') ? 2 : 1;
    }
    // A body that the client asks about beforehand, and one that is open while it comes.
    const careful = await RawConnection.open(server);
    const log = '{"message":"w","level":"info","service":"forged"}';
    careful.send(
        `POST /log HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n` +
            `Expect: 100-continue\r\nContent-Length: ${log.length}\r\n\r\n`,
    );
    assert.equal((await careful.answer()).status, 100);
    careful.send(log);
    assert.equal((await careful.answer()).status, 201);
    careful.close();
    const upload = await RawConnection.open(server);
    upload.send(
        `POST /upload HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\n` +
            'Content-Type: application/vnd.fdo.journal\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    for (const n of [2, 3]) {
        const entry = `MESSAGE=w\nSERVICE=forged\n__CURSOR=s=1;i=${n}\n\n`;
        upload.send(`${entry.length.toString(16)}\r\n${entry}\r\n`);
    }
    upload.send('0\r\n\r\n');
    assert.equal((await upload.answer()).status, 202);
    upload.close();
    sent += 3;

    await atRest(server);
    const page = await get(server, '/logs?limit=1000', bearer(admin));
    const logs = page.json<{ logs: Log[] }>().logs;
    assert.equal(logs.length, sent);
    for (const log of logs) {
        assert.equal(log.attributes['service'], 'shop', JSON.stringify(log));
        assert.equal(log.attributes['team.name'], 'a b', JSON.stringify(log));
    }
    const forged = await get(server, '/logs/stats?query=service:forged%20OR%20team.name:forged', bearer(admin));
    assert.equal(forged.json().total, 0);
});

/* ---- --only ---- */

interface Tenants {
    server: Logmill;
    /** Of the reader of a. */
    reader: string;
    admin: string;
    writeA: string;
    writeB: string;
    a: Log[];
    b: Log[];
}

const SECRET = /bsecret/;

/** Logs of two tenants in turn; all texts of b have "bsecret" in them. */
async function tenants(lab: Lab): Promise<Tenants> {
    const file = fileOf(lab);
    const writeA = await makeKey(file, 'a', '--role', 'write', '--set', 'service=a');
    const writeB = await makeKey(file, 'b', '--role', 'write', '--set', 'service=bsecret');
    const reader = await makeKey(file, 'reader-a', '--role', 'read', '--only', 'service:a');
    const admin = await makeKey(file, 'admin', '--role', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    for (let i = 0; i < 20; i++) {
        for (const [key, name] of [
            [writeA, 'atext'],
            [writeB, 'bsecret'],
        ] as const) {
            const log = { message: `${name} ${i} of both`, level: i % 2 ? name : 'info', [`${name}_field`]: i, n: i };
            assert.equal((await send(server, key, '/log', JSON.stringify(log))).status, 201);
        }
    }
    await atRest(server);
    const all = (await get(server, '/logs?limit=1000', bearer(admin))).json<{ logs: Log[] }>().logs;
    const of = (service: string): Log[] => all.filter((log) => log.attributes['service'] === service);
    assert.equal(of('a').length, 20);
    assert.equal(of('bsecret').length, 20);
    return { server, reader, admin, writeA, writeB, a: of('a'), b: of('bsecret') };
}

const rpc = (name: string, args: Record<string, unknown>): string =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } });

scenario('a reader with --only sees nothing else by any route, whatever it asks', async (lab) => {
    const { server, reader, admin, a, b } = await tenants(lab);
    const allIds = b.map((log) => log.id);
    const asks = (where: string, headers: Headers = {}): Promise<Answer> =>
        get(server, where, { ...bearer(reader), ...headers });
    const showsNothing = (answer: Answer, where: string, quotes = false): void => {
        const text = quotes ? answer.text.replace(/"input":"[^"]*"/g, '') : answer.text;
        assert.doesNotMatch(text, SECRET, where);
        assert.ok(!allIds.some((id) => answer.text.includes(id)), where);
    };
    const foreign = b[5]?.id ?? '';
    const own = a[5]?.id ?? '';
    const adminPage = (await get(server, '/logs?limit=3', bearer(admin))).json();

    const lists: [string, number][] = [
        ['/logs?limit=1000', 20],
        ['/logs?limit=1000&query=*', -1],
        ['/logs?limit=1000&query=both', 20],
        ['/logs?limit=1000&query=service:b*', 0],
        ['/logs?limit=1000&query=NOT%20service:a', 0],
        ['/logs?limit=1000&query=service:a%20OR%20NOT%20service:a', 20],
        ['/logs?limit=1000&query=service:a)%20OR%20(both', -1],
        ['/logs?limit=1000&query=any:n%20OR%20both', 20],
        ['/logs?limit=1000&attr.service=b', 0],
        ['/logs?limit=1000&not.attr.service=a', 0],
        ['/logs?limit=1000&level=info', 10],
        ['/logs?limit=1000&q=both', 20],
        ['/logs?limit=1000&fields=message,service', 20],
        [`/logs?limit=1000&cursor=${adminPage.next}`, -1],
        ['/logs?limit=1000&offset=1', 19],
        ['/logs?limit=1000&order=oldest', 20],
        ['/logs?limit=1000&order=oldest&query=service:b', 0],
        ['/logs?limit=1000&only=x', -1],
        ['/logs?limit=1000&slice=1', 20],
        [`/logs?query=id:${foreign}`, 0],
    ];
    for (const [where, count] of lists) {
        const answer = await asks(where);
        showsNothing(answer, where);
        if (count >= 0) {
            assert.equal(answer.json().logs.length, count, where);
        }
    }
    for (const accept of ['application/x-ndjson', 'text/csv']) {
        const download = await asks('/logs', { Accept: accept });
        showsNothing(download, accept);
        assert.equal(download.text.match(/ of both/g)?.length, 20);
    }

    // One log, and those around it: those of others are none.
    assert.equal((await asks(`/logs/${own}`)).status, 200);
    const missing = await asks('/logs/01934567-89ab-7cde-8f01-23456789abcd');
    const hidden = await asks(`/logs/${foreign}`);
    assert.equal(hidden.status, 404);
    assert.equal(hidden.text, missing.text);
    assert.equal((await asks(`/logs?around=${foreign}`)).status, 404);
    for (const more of ['', '&same=level', '&query=both', '&before=500&after=500']) {
        const around = await asks(`/logs?around=${own}${more}`);
        assert.equal(around.status, 200);
        showsNothing(around, more);
    }
    assert.equal((await asks(`/logs?around=${own}&before=500&after=500`)).json().logs.length, 20);

    // Counts, fields, patterns.
    assert.equal((await asks('/logs/stats')).json().total, 20);
    assert.equal((await asks('/logs/stats?query=NOT%20service:a')).json().total, 0);
    for (const where of [
        '/logs/stats',
        '/logs/stats?by=service',
        '/logs/stats?by=level,service&value=count',
        '/logs/fields',
        '/logs/fields/service',
        '/logs/fields/service?prefix=b',
        '/logs/fields/level',
        '/logs/fields/bsecret_fiel',
        '/logs/patterns',
        '/logs/patterns?new_since=1h',
    ]) {
        const answer = await asks(where);
        assert.equal(answer.status, 200, `${where}: ${answer.text}`);
        showsNothing(answer, where);
        assert.match((await get(server, where, bearer(admin))).text, /a/);
    }
    assert.equal((await asks('/logs/fields/n')).json().values.length, 10);

    // What it cost would tell of the others.
    for (const where of ['/logs', '/logs?order=oldest', '/logs/stats', '/logs/fields', '/logs/patterns', `/logs?around=${own}`]) {
        const explained = await asks(`${where}${where.includes('?') ? '&' : '?'}explain=1`);
        assert.equal(explained.status, 422, where);
        assert.match(explained.text, /explain_not_allowed/);
    }

    // Assistants ask by the same routes.
    for (const [tool, args] of [
        ['search', { query: 'both', limit: 50 }],
        ['search', { query: 'NOT service:a' }],
        ['count', { by: 'service' }],
        ['schema', {}],
        ['top', { field: 'service' }],
        ['stats', { value: 'count', by: 'service' }],
        ['patterns', {}],
        ['new_patterns', { new_since: '1h' }],
        ['around', { id: foreign }],
        ['around', { id: own }],
    ] as const) {
        const answer = await send(server, reader, '/mcp', rpc(tool, args));
        assert.equal(answer.status, 200, `${tool}: ${answer.text}`);
        assert.doesNotMatch(answer.text, SECRET, tool);
    }
});

scenario('a tail with --only follows nothing else, from any place, and ends with its key', async (lab) => {
    const { server, reader, writeB, a } = await tenants(lab);
    const live = await Tail.open(server, { headers: bearer(reader) });
    const wide = await Tail.open(server, { headers: bearer(reader), query: 'query=NOT%20service:a%20OR%20both' });
    for (let i = 0; i < 5; i++) {
        await send(server, writeB, '/log', `{"message":"bsecret later ${i} both","level":"info"}`);
    }
    const old = await Tail.open(server, { headers: bearer(reader), lastId: wide.lastId.replace(/\d+/g, '0') });
    await atRest(server);
    assert.ok(a.length > 0);
    for (const tail of [live, wide, old]) {
        assert.ok(tail.logs.every((log) => log.attributes['service'] === 'a'));
        assert.doesNotMatch(JSON.stringify(tail.logs) + tail.body, SECRET);
    }
    [live, wide, old].forEach((tail) => tail.close());
});

scenario('regular expressions of a reader with --only run on what it may read alone', async (lab) => {
    const { server, reader, admin, writeA, writeB, a } = await tenants(lab);
    // One that is too much for a text of b, which costs whoever may read that an error, and nobody else.
    const long = `${'a'.repeat(3000)}b`;
    const log = { message: `bsecret both ${long}`, level: 'info', long, one: `${long}-bsecret` };
    const query = (text: string): string => `query=${encodeURIComponent(text)}`;
    for (let i = 0; i < 3; i++) {
        assert.equal((await send(server, writeB, '/log', JSON.stringify({ ...log, n: i }))).status, 201);
    }
    await atRest(server);
    const costly = '(a|a|aa)+$';
    for (const test of [`message:/${costly}/`, `long:/${costly}/`, `NOT one:/${costly}/`]) {
        for (const where of ['/logs', '/logs/stats', '/logs/patterns', '/logs/fields', '/logs/fields/n']) {
            const path = `${where}?${query(`both AND NOT (${test})`)}`;
            const refused = await get(server, path, bearer(admin));
            assert.notEqual(refused.status, 200, path);
            assert.match(refused.text, /too many steps/, path);
            const answer = await get(server, path, bearer(reader));
            assert.equal(answer.status, 200, `${path}: ${answer.text}`);
            assert.doesNotMatch(answer.text, SECRET);
        }
    }
    const found = await get(server, `/logs/stats?${query('n:3 OR NOT message:/^atext [0-4] /')}`, bearer(reader));
    assert.equal(found.json().total, 16);
    const none = await get(server, `/logs/stats?${query('/bsecret/ OR service:/bsecret/')}`, bearer(reader));
    assert.equal(none.json().total, 0);
    const near = await get(server, `/logs?around=${a[0]!.id}&${query(`NOT /${costly}/`)}`, bearer(reader));
    assert.equal(near.status, 200, near.text);

    const tail = await Tail.open(server, { headers: bearer(reader), query: query(`NOT /${costly}/`) });
    const wide = await Tail.open(server, {
        headers: bearer(admin),
        query: query(`NOT /${costly}/`),
        comesBack: false,
    });
    assert.equal((await send(server, writeB, '/log', JSON.stringify(log))).status, 201);
    assert.equal((await send(server, writeA, '/log', '{"message":"atext later","level":"info"}')).status, 201);
    await eventually('the tail of whoever reads it to be refused', async () => wide.events.includes('refused'));
    await eventually('the log behind it', async () => tail.logs.some((one) => one.message === 'atext later'));
    assert.deepEqual(tail.events, []);
    assert.doesNotMatch(JSON.stringify(tail.logs), SECRET);
    [tail, wide].forEach((one) => one.close());
});

scenario('an upload that is open when its key is revoked is taken no more of', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'host', '--role', 'write');
    const admin = await makeKey(file, 'admin', '--role', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const upload = await RawConnection.open(server);
    const entries = (from: number): void => {
        for (let n = from; n < from + 2000; n++) {
            const entry = `MESSAGE=of ${from}\n__CURSOR=s=1;i=${n}\n\n`;
            upload.send(`${entry.length.toString(16)}\r\n${entry}\r\n`);
        }
    };
    upload.send(
        `POST /upload HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\n` +
            'Content-Type: application/vnd.fdo.journal\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    entries(0);
    assert.equal((await runLogmill(['keys', 'revoke', 'host'], { KEYS_FILE: file })).code, 0);
    await eventually('the key to go', async () => (await send(server, key, '/log', '{}')).status === 401);
    entries(5000);
    upload.send('0\r\n\r\n');
    assert.equal((await upload.answer()).status, 401);
    upload.close();
    await atRest(server);
    const later = await get(server, '/logs/stats?q=of%205000', bearer(admin));
    assert.equal(later.json().total, 0);
});

/** An upload of a journal that stays open. */
class Upload {
    private sent = 0;

    private constructor(private readonly client: RawConnection) {}

    static async open(server: Logmill, key: string): Promise<Upload> {
        const client = await RawConnection.open(server);
        client.send(
            `POST /upload HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\n` +
                'Content-Type: application/vnd.fdo.journal\r\nTransfer-Encoding: chunked\r\n\r\n',
        );
        return new Upload(client);
    }

    /** So many entries, in one piece. */
    entries(n: number, more = ''): void {
        let piece = '';
        for (let i = 0; i < n; i++) {
            piece += `MESSAGE=entry ${this.sent}\n${more}__CURSOR=s=1;i=${this.sent++}\n\n`;
        }
        this.client.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    }

    end(): void {
        this.client.send('0\r\n\r\n');
    }

    answer(): Promise<Answer> {
        return this.client.answer();
    }
}

const accepted = async (server: Logmill): Promise<number> =>
    metric(await metrics(server), 'logmill_logs_accepted_total');

scenario('an upload that is silent ends when its key is revoked, and not when it is rotated', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'host', '--role', 'write');
    await makeKey(file, 'admin', '--role', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const upload = await Upload.open(server, key);
    upload.entries(10);
    await eventually('the first entries', async () => (await accepted(server)) === 10);
    const next = (await runLogmill(['keys', 'rotate', 'host'], { KEYS_FILE: file })).stdout.trim();
    await eventually('the next key', async () => (await send(server, next, '/log', '{"message":"m","level":"info"}')).status === 201);
    upload.entries(10);
    await eventually('further ones', async () => (await accepted(server)) >= 21);
    const silent = await Upload.open(server, next);
    silent.entries(10);
    await eventually('those of another', async () => (await accepted(server)) >= 31);
    assert.equal((await runLogmill(['keys', 'revoke', 'host'], { KEYS_FILE: file })).code, 0);
    // Neither sends anything more.
    assert.equal((await upload.answer()).status, 401);
    assert.equal((await silent.answer()).status, 401);
    await atRest(server);
});

scenario('what an upload brings in lots has the attributes of its key, whatever it says', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'host', '--role', 'write', '--set', 'service=shop');
    const reader = await makeKey(file, 'reader', '--role', 'read', '--only', 'service:shop');
    const other = await makeKey(file, 'other', '--role', 'read', '--only', 'service:forged');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const upload = await Upload.open(server, key);
    upload.entries(10, 'SERVICE=forged\n');
    await eventually('the first entries', async () => (await accepted(server)) === 10);
    upload.entries(10, 'SERVICE=forged\n');
    upload.end();
    assert.equal((await upload.answer()).status, 202);
    await atRest(server);
    assert.equal((await get(server, '/logs/stats', bearer(reader))).json<{ total: number }>().total, 20);
    assert.equal((await get(server, '/logs/stats', bearer(other))).json<{ total: number }>().total, 0);
});

scenario('an upload that brings more than its key may send waits, and nobody else does', async (lab) => {
    const file = fileOf(lab);
    const slow = await makeKey(file, 'slow', '--role', 'write', '--rate', '1/s');
    const steady = await makeKey(file, 'steady', '--role', 'write', '--rate', '200/s');
    const alike = await makeKey(file, 'alike', '--role', 'write', '--rate', '1/s');
    const other = await makeKey(file, 'other', '--role', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file, WEB_CONCURRENCY: '1' } });
    const upload = await Upload.open(server, slow);
    upload.entries(100);
    await eventually('the first entries', async () => (await accepted(server)) === 100);
    upload.entries(50);
    // One thread reads what comes in its order: what came before is not taken, what comes after is.
    for (let i = 0; i < 20; i++) {
        assert.equal((await send(server, other, '/log', '{"message":"m","level":"info"}')).status, 201);
    }
    assert.equal(await accepted(server), 120);
    // One that brings somewhat more is taken, by and by, and answered at its end.
    const second = await Upload.open(server, steady);
    for (let i = 0; i < 4; i++) {
        second.entries(200);
    }
    second.end();
    assert.equal((await second.answer()).status, 202);
    assert.equal(await accepted(server), 920);
    // That it waits keeps nobody from stopping the server, or its key from being revoked.
    assert.equal((await runLogmill(['keys', 'revoke', 'slow'], { KEYS_FILE: file })).code, 0);
    assert.equal((await upload.answer()).status, 401);
    const last = await Upload.open(server, alike);
    last.entries(100);
    await eventually('its entries', async () => (await accepted(server)) === 1020);
    last.entries(10);
    await server.stop();
});

scenario('a tail ends when its key is revoked', async (lab) => {
    const file = fileOf(lab);
    const reader = await makeKey(file, 'reader', '--role', 'read');
    await makeKey(file, 'admin', '--role', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const tail = await Tail.open(server, { headers: bearer(reader) });
    assert.equal(tail.status, 200);
    const ran = await runLogmill(['keys', 'revoke', 'reader'], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    await eventually('the stream to end, and no other to begin', async () => tail.status === 401);
    tail.close();
});
