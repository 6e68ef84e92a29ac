/* How much may be sent: with a key, by all who have none; and what is told to who sends more. */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';

import { type Lab, type Logmill, eventually, runLogmill, scenario } from '../support/harness';
import { type Answer, get, request } from '../support/http';
import { allLogs, atRest, metric, metrics, parseMetrics } from '../support/logs';

/** The file of keys of a test; each folder of a lab is another. */
const fileOf = (lab: Lab): string => path.join(lab.folder(), 'keys');

async function makeKey(file: string, name: string, ...more: string[]): Promise<string> {
    const ran = await runLogmill(['keys', 'add', name, ...more], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

const bearer = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` });

function post(
    server: Logmill,
    key: string | undefined,
    where: string,
    body: string | Buffer,
    headers: Record<string, string> = {},
): Promise<Answer> {
    return request(server, {
        method: 'POST',
        path: where,
        headers: {
            'Content-Type': 'application/json',
            ...(key ? { Authorization: `Bearer ${key}` } : {}),
            ...headers,
        },
        body,
    });
}

const logs = (n: number, message = 'm'): string =>
    JSON.stringify(Array.from({ length: n }, () => ({ message, level: 'info' })));

const waitOf = (answer: Answer): number => {
    assert.equal(answer.status, 429, answer.text);
    const after = String(answer.headers['retry-after']);
    assert.match(after, /^[1-9][0-9]*$/);
    return Number(after);
};

/** A protocol: a body of so many logs, and how it says that those were too many. */
const PROTOCOLS: Record<string, { body: (n: number) => string; says: RegExp; headers?: Record<string, string> }> = {
    '/logs': { body: logs, says: /^\{"detail":"this key may send 1 logs a second/ },
    '/v1/logs': {
        body: (n) =>
            JSON.stringify({
                resourceLogs: [
                    {
                        scopeLogs: [
                            { logRecords: Array.from({ length: n }, () => ({ body: { stringValue: 'm' } })) },
                        ],
                    },
                ],
            }),
        says: /^\{"code":8,"message":"this key may send 1 logs/,
    },
    '/loki/api/v1/push': {
        body: (n) =>
            JSON.stringify({
                streams: [
                    { stream: { app: 'a' }, values: Array.from({ length: n }, (_, i) => [`${1700000000 + i}000000000`, 'm']) },
                ],
            }),
        says: /^this key may send 1 logs a second/,
    },
    '/services/collector': {
        body: (n) => '{"event":"m"}'.repeat(n),
        says: /^\{"text":"this key may send 1 logs.*","code":9\}$/,
    },
    '/api/v2/logs': { body: (n) => JSON.stringify(Array.from({ length: n }, () => ({ message: 'm' }))), says: /"Too Many Requests".*this key may/ },
    '/insert/jsonline': { body: (n) => '{"_msg":"m"}\n'.repeat(n), says: /^\{"detail":"this key may send 1 logs/ },
    '/': { body: (n) => '{"message":"m"}\n'.repeat(n), says: /^\{"detail":"this key may send 1 logs/ },
    '/gelf': {
        body: () => '{"version":"1.1","host":"h","short_message":"m"}',
        says: /^\{"detail":"this key may send 1 logs/,
    },
};

scenario('more than a key may send is refused in the words of each protocol, and nothing of it stored', async (lab) => {
    const file = fileOf(lab);
    const keys: Record<string, string> = {};
    for (const where of Object.keys(PROTOCOLS)) {
        keys[where] = await makeKey(file, `k${Object.keys(keys).length}`, '--role', 'write', '--rate', '1/s');
    }
    const server = await lab.start({ settings: { KEYS_FILE: file, ANONYMOUS: 'read' } });
    let stored = 0;
    for (const [where, { body, says }] of Object.entries(PROTOCOLS)) {
        // A bucket that is full takes one request of any size; it is paid off in some minutes.
        const many = where === '/gelf' ? 1 : 600;
        let answer = await post(server, keys[where], where, body(many));
        assert.ok(answer.status < 300, `${where}: ${answer.status} ${answer.text}`);
        stored += many;
        while (where === '/gelf' && answer.status !== 429) {
            answer = await post(server, keys[where], where, body(1));
            stored += answer.status === 429 ? 0 : 1;
        }
        answer = where === '/gelf' ? answer : await post(server, keys[where], where, body(2));
        const wait = waitOf(answer);
        assert.match(answer.text, says, where);
        if (where !== '/gelf') {
            assert.ok(wait > 300 && wait <= 600, `${where}: ${wait}`);
        }
    }
    await atRest(server);
    const seen = await metrics(server);
    assert.equal(metric(seen, 'logmill_logs_accepted_total'), stored);
    assert.equal(metric(seen, 'logmill_logs_refused_total{reason="rate"}'), Object.keys(PROTOCOLS).length);
    assert.equal(metric(seen, 'logmill_received_refused_total{protocol="hec",reason="rate"}'), 1);
    assert.equal(metric(seen, 'logmill_inflight_bytes'), 0);
    // Each key has rows of its own.
    const boss = await makeKey(file, 'boss', '--role', 'admin');
    const rows = await eventually('the key', async () => {
        const samples = parseMetrics((await get(server, '/metrics', bearer(boss))).text);
        return samples.has('logmill_key_logs_total{key="k0",protocol="logmill"}') && samples;
    });
    assert.equal(metric(rows, 'logmill_key_logs_total{key="k0",protocol="logmill"}'), 600);
    assert.equal(metric(rows, 'logmill_key_refused_total{key="k3",protocol="hec",reason="rate"}'), 1);
    assert.equal(metric(rows, 'logmill_key_bytes_total{key="k3",protocol="hec"}'), 600 * '{"event":"m"}'.length);
});

scenario('of _bulk each item is told to come again, but for those that never could', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'bulk', '--role', 'write', '--rate', '1/s');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const item = '{"create":{"_index":"i","_id":"a"}}\n{"message":"m"}\n';
    const wrong = '{"create":{"_index":"i","_id":"b"}}\n[]\n';
    assert.equal((await post(server, key, '/_bulk', item.repeat(600))).status, 200);
    const answer = await post(server, key, '/_bulk', item + wrong);
    assert.equal(answer.status, 200);
    assert.match(String(answer.headers['retry-after']), /^[0-9]+$/);
    const told = JSON.parse(answer.text) as {
        errors: boolean;
        items: { create: { _id: string; status: number; error: { type: string; reason: string } } }[];
    };
    assert.equal(told.errors, true);
    assert.deepEqual(
        told.items.map((i) => [i.create._id, i.create.status, i.create.error.type]),
        [
            ['a', 429, 'es_rejected_execution_exception'],
            ['b', 400, 'document_parsing_exception'],
        ],
    );
    assert.match(told.items[0]?.create.error.reason ?? '', /this key may send 1 logs a second/);
    const seen = await atRest(server);
    assert.equal(metric(seen, 'logmill_received_refused_total{protocol="elasticsearch",reason="rate"}'), 1);
    assert.equal(metric(seen, 'logmill_received_left_out_total{protocol="elasticsearch"}'), 0);
    assert.equal(metric(seen, 'logmill_logs_accepted_total'), 600);
});

scenario('a _bulk of which not each item can be told is told whole to come again', async (lab) => {
    const file = fileOf(lab);
    const free = await makeKey(file, 'free', '--role', 'write');
    const key = await makeKey(file, 'bulk', '--role', 'write', '--rate', '1/s');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const item = `{"create":{"_index":"${'i'.repeat(60)}","_id":"${'d'.repeat(40)}"}}\n{"message":"m"}\n`;
    const body = item.repeat(80_000);
    assert.equal((await post(server, free, '/_bulk', body)).status, 200);
    assert.equal((await post(server, key, '/log', '{"message":"m","level":"info"}')).status, 201);
    const answer = await post(server, key, '/_bulk', body);
    waitOf(answer);
    assert.match(answer.text, /es_rejected_execution_exception.*this key may send 1 logs a second/);
    const seen = await atRest(server);
    assert.equal(metric(seen, 'logmill_received_refused_total{protocol="elasticsearch",reason="too_large"}'), 0);
});

scenario('bytes are those of the body, unpacked; who waits as long as was said is let in', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'bytes', '--role', 'write', '--bytes', '100KB/s');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const large = logs(1, 'x'.repeat(150000));
    assert.equal((await post(server, key, '/logs', large)).status, 201);
    const refused = await post(server, key, '/logs', large);
    assert.match(refused.text, /this key may send 100000 bytes a second/);
    assert.equal(waitOf(refused), 2);
    await eventually('let in', async () => (await post(server, key, '/logs', large)).status === 201);
    await atRest(server);
    assert.equal(metric(await metrics(server), 'logmill_logs_accepted_total'), 2);
});

/** A push of Loki's clients, of one line of so many letters: Protocol Buffers in Snappy, some 5 % of that. */
function smallPush(letters: number): Buffer {
    const varint = (n: number): Buffer => {
        const bytes: number[] = [];
        for (; n > 127; n = Math.floor(n / 128)) {
            bytes.push((n % 128) + 128);
        }
        return Buffer.from([...bytes, n]);
    };
    const field = (n: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([n * 8 + 2]), varint(body.length), body]);
    const time = Buffer.concat([Buffer.from([8]), varint(1_700_000_000)]);
    const entry = Buffer.concat([field(1, time), field(2, Buffer.alloc(letters, 'x'))]);
    const plain = field(1, Buffer.concat([field(1, Buffer.from('{app="a"}')), field(2, entry)]));
    // All up to the first letter as it is, then copies of the byte before.
    const first = plain.length - letters + 1;
    assert.ok(first <= 60);
    const parts = [varint(plain.length), Buffer.from([(first - 1) * 4]), plain.subarray(0, first)];
    for (let left = letters - 1; left > 0; left -= 64) {
        parts.push(Buffer.from([(Math.min(left, 64) - 1) * 4 + 2, 1, 0]));
    }
    return Buffer.concat(parts);
}

scenario('what is packed counts as it is unpacked', async (lab) => {
    const file = fileOf(lab);
    const [one, two] = [
        await makeKey(file, 'one', '--role', 'write', '--bytes', '1000/s'),
        await makeKey(file, 'two', '--role', 'write', '--bytes', '1000/s'),
    ];
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const zipped = gzipSync(logs(1, 'x'.repeat(300000)));
    assert.ok(zipped.length < 1000);
    assert.equal((await post(server, one, '/logs', zipped, { 'Content-Encoding': 'gzip' })).status, 201);
    assert.ok(waitOf(await post(server, one, '/logs', zipped, { 'Content-Encoding': 'gzip' })) > 200);
    const push = smallPush(300000);
    assert.ok(push.length < 20000);
    const packed = { 'Content-Type': 'application/x-protobuf' };
    assert.equal((await post(server, two, '/loki/api/v1/push', push, packed)).status, 204);
    assert.ok(waitOf(await post(server, two, '/loki/api/v1/push', push, packed)) > 200);
    await atRest(server);
});

scenario('what all who have no key may send is theirs together, and nobody else is slowed', async (lab) => {
    const file = fileOf(lab);
    const free = await makeKey(file, 'free', '--role', 'write');
    const boss = await makeKey(file, 'boss', '--role', 'admin', '--rate', '1/s');
    const server = await lab.start({
        settings: {
            KEYS_FILE: file,
            ANONYMOUS: 'all',
            ANONYMOUS_RATE: '2',
            ANONYMOUS_BYTES: '1000000',
        },
    });
    assert.equal((await post(server, undefined, '/logs', logs(600))).status, 201);
    const refused = await post(server, undefined, '/log', '{"message":"m","level":"info"}');
    assert.match(refused.text, /all who have no key may send 2 logs a second \(ANONYMOUS_RATE\)/);
    waitOf(refused);
    assert.equal((await post(server, free, '/logs', logs(600))).status, 201);
    assert.equal((await post(server, free, '/logs', logs(600))).status, 201);
    assert.equal((await post(server, boss, '/logs', logs(600))).status, 201);
    waitOf(await post(server, boss, '/logs', logs(1)));
    // Reads are not what is limited.
    await atRest(server);
    assert.equal((await allLogs(server)).length, 2400);
});

scenario('keys list tells what a server that is named has counted of each', async (lab) => {
    const file = fileOf(lab);
    const settings = { KEYS_FILE: file };
    const key = await makeKey(file, 'shop', '--role', 'write', '--rate', '1/s');
    const boss = await makeKey(file, 'boss', '--role', 'admin');
    const server = await lab.start({ settings: { ...settings, ANONYMOUS: 'write', OPS_ACCESS: 'admin' } });
    const body = logs(600);
    assert.equal((await post(server, key, '/logs', body)).status, 201);
    assert.equal((await post(server, key, '/logs', body)).status, 429);
    assert.equal((await post(server, undefined, '/logs', logs(2))).status, 201);
    const url = `http://127.0.0.1:${server.port}`;
    const asked = await runLogmill(['keys', 'list', '--url', url], { ...settings, LOGMILL_KEY: boss });
    assert.equal(asked.code, 0, asked.stderr);
    assert.match(asked.stdout, /ONLY +SENT +SENT BYTES +REFUSED/);
    assert.match(asked.stdout, new RegExp(`^shop .* 600 +${body.length} +1 *$`, 'm'));
    assert.match(asked.stdout, new RegExp(`^\\(none\\) +2 +${logs(2).length} +0 *$`, 'm'));
    assert.match(asked.stdout, /^boss +admin .*valid *$/m);
    // Without a server, or one that does not answer, there is the list all the same.
    const alone = await runLogmill(['keys', 'list'], settings);
    assert.doesNotMatch(alone.stdout, /SENT/);
    const refused = await runLogmill(['keys', 'list', '--url', url], settings);
    assert.equal(refused.code, 1);
    assert.match(refused.stdout, /^shop +write/m);
    assert.match(refused.stderr, /answered 401/);
});

scenario('rows by key are for who may read everything', async (lab) => {
    const file = fileOf(lab);
    const shop = await makeKey(file, 'shop', '--role', 'write');
    const reader = await makeKey(file, 'reader', '--role', 'read');
    const tenant = await makeKey(file, 'tenant', '--role', 'read', '--only', 'service:shop');
    const boss = await makeKey(file, 'boss', '--role', 'admin');
    for (const access of ['open', 'read']) {
        const server = await lab.start({ settings: { KEYS_FILE: file, OPS_ACCESS: access } });
        assert.equal((await post(server, shop, '/logs', logs(2))).status, 201);
        for (const [key, sees] of [
            [reader, true],
            [boss, true],
            [tenant, false],
            ...(access === 'open' ? ([[shop, false], [undefined, false], ['lm_none', false]] as const) : []),
        ] as const) {
            const answer = await get(server, '/metrics', key ? bearer(key) : {});
            assert.equal(answer.status, 200, `${access} ${key}`);
            assert.match(answer.text, /logmill_http_requests_total/);
            assert.equal(/logmill_key_|shop/.test(answer.text), sees, `${access} ${key}`);
            const listed = await runLogmill(['keys', 'list', '--url', `http://127.0.0.1:${server.port}`], {
                KEYS_FILE: file,
                ...(key ? { LOGMILL_KEY: key } : {}),
            });
            assert.match(listed.stdout, /^shop +write/m);
            assert.equal(listed.code, sees ? 0 : 1, `${access} ${key}: ${listed.stderr}`);
            assert.match(listed.stderr, sees ? /^$/ : /only to one that may read everything|mistyped/);
        }
    }
    const open = await lab.start();
    assert.equal((await post(open, undefined, '/logs', logs(2))).status, 201);
    assert.match((await get(open, '/metrics')).text, /logmill_key_logs_total\{key="\(none\)"/);
});

scenario('what is refused for what is in it counts its bytes', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'k', '--role', 'write', '--bytes', '1000/s');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const wrong = logs(2000).replace(/\}\]$/, ',"no":}]');
    assert.equal((await post(server, key, '/logs', wrong)).status, 422);
    const wait = waitOf(await post(server, key, '/log', '{"message":"m","level":"info"}'));
    assert.ok(wait > 30 && wait <= 60, String(wait));
});

scenario('a rate has a form, and goes where keys are written', async (lab) => {
    const file = fileOf(lab);
    const settings = { KEYS_FILE: file };
    await makeKey(file, 'a', '--role', 'write', '--rate', '10k/s', '--bytes', '512KiB/s');
    const listed = await runLogmill(['keys', 'list'], settings);
    assert.match(listed.stdout, /NAME +ROLE .* RATE +BYTES/);
    assert.match(listed.stdout, /a +write .* 10000\/s +524288\/s/);
    for (const [args, says] of [
        [['--rate', '0'], /--rate: a number a second, 1 to 10\^12, such as 5000\/s/],
        [['--rate', '5MB/s'], /--rate: a number/],
        [['--rate', '5/m'], /--rate: a number/],
        [['--bytes', '10X/s'], /--bytes: a number a second.*10MB\/s/],
        [['--bytes', '999999999999GB/s'], /--bytes: a number/],
    ] as const) {
        const ran = await runLogmill(['keys', 'add', 'b', '--role', 'write', ...args], settings);
        assert.equal(ran.code, 1, ran.stderr);
        assert.match(ran.stderr, says);
    }
    const reader = await runLogmill(['keys', 'add', 'b', '--role', 'read', '--rate', '5/s'], settings);
    assert.match(reader.stderr, /whose role is write or admin/);
});
