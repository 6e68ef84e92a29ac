/* POST /log and POST /logs: what is taken, how it may be sent, and what is refused. */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';
import * as zlib from 'node:zlib';

import { eventually, run, shared, zstd } from '../support/harness';
import { type Answer, RawConnection, get, post, rawPost, request, requestOn } from '../support/http';
import {
    allLogs,
    assertNewestFirst,
    atRest,
    metric,
    metrics,
    microseconds,
    postLog,
    postLogs,
    stored,
    uuid7,
    uuid7Ms,
} from '../support/logs';

const { check, end } = shared();
const JSON_HEADERS = { 'Content-Type': 'application/json' };
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Fails if `answer` is not an error of this status in JSON with `detail`. */
function assertRefused(answer: Answer, status: number): void {
    assert.equal(answer.status, status, answer.text);
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    assert.ok('detail' in answer.json(), answer.text);
}

check('POST /log answers 201 with the id by which the log is then found', async (server) => {
    const before = BigInt(Date.now()) * 1000n;
    const answer = await post(server, '/log', { message: 'hello', level: 'info' });
    const after = BigInt(Date.now() + 1) * 1000n;
    assert.equal(answer.status, 201, answer.text);
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    const { id, ...rest } = answer.json();
    assert.deepEqual(rest, { status: 'queued' });
    assert.match(id, UUID7);

    const log = await stored(server, id);
    assert.deepEqual(Object.keys(log).sort(), [
        'attributes',
        'id',
        'level',
        'message',
        'timestamp',
    ]);
    assert.equal(log.id, id);
    assert.equal(log.message, 'hello');
    assert.equal(log.level, 'info');
    assert.deepEqual(log.attributes, {});
    const arrival = microseconds(log.timestamp);
    assert.ok(before <= arrival && arrival < after, `arrival ${log.timestamp}`);
    assert.equal(BigInt(uuid7Ms(id)), arrival / 1000n);

    const { logs } = (await get(server, '/logs?limit=1000')).json();
    assert.deepEqual(
        logs.filter((l: { id: string }) => l.id === id),
        [log],
    );
});

check(
    'every field a client sends comes back: microseconds, level as sent, any JSON as attributes',
    async (server) => {
        const attributes = {
            service: 'billing',
            count: 3,
            ratio: -0.5,
            big: 12345678901234,
            ok: true,
            nothing: null,
            tags: ['a', 1, { deep: [] }],
            nested: { a: { b: { c: 'd' } } },
            'name with "quotes" and ü': '\u{1f600}',
        };
        const id = await postLog(server, {
            message: 'all of it',
            level: 'WaRn',
            timestamp: '2026-03-04T05:06:07.123456+01:30',
            ...attributes,
        });
        assert.deepEqual(await stored(server, id), {
            id,
            timestamp: '2026-03-04T03:36:07.123456Z',
            level: 'WaRn',
            message: 'all of it',
            attributes,
        });
        assert.equal(uuid7Ms(id), Date.parse('2026-03-04T03:36:07.123Z'));
    },
);

check(
    'timestamps may be text without a zone, or numbers of seconds or milliseconds',
    async (server) => {
        const cases: [string | number, string][] = [
            ['2026-03-04T05:06:07', '2026-03-04T05:06:07.000000Z'],
            ['2026-03-04 05:06:07.5Z', '2026-03-04T05:06:07.500000Z'],
            [1_700_000_000, '2023-11-14T22:13:20.000000Z'],
            [1_700_000_000.25, '2023-11-14T22:13:20.250000Z'],
            [1_700_000_000_123, '2023-11-14T22:13:20.123000Z'],
            [-1, '1969-12-31T23:59:59.000000Z'],
            ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000000Z'],
            ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
        ];
        for (const [timestamp, expected] of cases) {
            const id = await postLog(server, { message: 'when', level: 'info', timestamp });
            assert.equal((await stored(server, id)).timestamp, expected, String(timestamp));
        }
    },
);

check('POST /logs takes an array, in its order', async (server) => {
    const logs = Array.from({ length: 250 }, (_, n) => ({
        message: `array ${n}`,
        level: 'info',
        n,
    }));
    await postLogs(server, logs);
    await atRest(server);
    const found = await allLogs(server, 'q=array%20');
    assertNewestFirst(found);
    assert.deepEqual(
        found.map((log) => log.attributes['n']).reverse(),
        logs.map((log) => log.n),
    );
});

check('POST /logs takes NDJSON under each of its names, empty lines skipped', async (server) => {
    const types = [
        'application/x-ndjson',
        'application/jsonl',
        'application/ndjson; charset=utf-8',
    ];
    for (const [i, type] of types.entries()) {
        const lines = [0, 1, 2].map((n) =>
            JSON.stringify({ message: `ndjson ${i}`, level: 'info', n }),
        );
        const body = `${lines[0]}\n\n${lines[1]}\r\n${lines[2]}${i === 0 ? '\n' : ''}`;
        const answer = await post(server, '/logs', body, { 'Content-Type': type });
        assert.equal(answer.status, 201, answer.text);
        assert.deepEqual(answer.json(), { status: 'queued', accepted: 3 });
        await atRest(server);
        const found = await allLogs(server, `q=${encodeURIComponent(`ndjson ${i}`)}`);
        assert.deepEqual(
            found.map((log) => log.attributes['n']),
            [2, 1, 0],
        );
    }
});

check(
    'POST /logs is all or nothing: with one bad item none is taken, and each bad one is named',
    async (server) => {
        const items = [
            { message: 'nothing of this', level: 'info' },
            { message: 'nothing of this' },
            { message: 'nothing of this', level: 'info' },
            { message: 3, level: 'info', timestamp: 'never' },
        ];
        const ndjson = items.map((item) => JSON.stringify(item)).join('\n');
        const answers = [
            await post(server, '/logs', items),
            await post(server, '/logs', ndjson, { 'Content-Type': 'application/x-ndjson' }),
        ];
        for (const answer of answers) {
            assert.equal(answer.status, 422, answer.text);
            assert.deepEqual(
                answer.json().detail.map((error: any) => [error.type, ...error.loc]),
                [
                    ['missing', 'body', 1, 'level'],
                    ['string_type', 'body', 3, 'message'],
                    ['datetime_from_date_parsing', 'body', 3, 'timestamp'],
                ],
            );
        }
        await postLog(server, { message: 'a log after it', level: 'info' });
        await atRest(server);
        assert.deepEqual(await allLogs(server, 'q=nothing%20of%20this'), []);
    },
);

check('an empty array is taken and stores nothing', async (server) => {
    const answer = await post(server, '/logs', []);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(answer.json(), { status: 'queued', accepted: 0 });
});

check('gzip and zstd bodies are inflated', async (server) => {
    const log = JSON.stringify({ message: 'compressed '.repeat(1000), level: 'info' });
    const bodies: [string, Buffer][] = [
        ['gzip', zlib.gzipSync(log)],
        ['GZip', zlib.gzipSync(log)],
        ['zstd', await zstd(log)],
    ];
    for (const [coding, body] of bodies) {
        const answer = await post(server, '/log', body, { 'Content-Encoding': coding });
        assert.equal(answer.status, 201, `${coding}: ${answer.text}`);
        assert.equal((await stored(server, answer.json().id)).message, 'compressed '.repeat(1000));
    }
    const items = JSON.stringify([{ message: 'gzip array', level: 'info' }]);
    assert.equal(
        (await post(server, '/logs', zlib.gzipSync(items), { 'Content-Encoding': 'gzip' })).status,
        201,
    );
});

check(
    'a compressed body that is broken or cut short is refused, not taken in part',
    async (server) => {
        const log = JSON.stringify({ message: 'broken', level: 'info' });
        const whole = zlib.gzipSync(log);
        const bodies: [string, Buffer][] = [
            ['gzip', whole.subarray(0, whole.length - 9)],
            ['gzip', Buffer.from(log)],
            ['zstd', (await zstd(log)).subarray(0, 12)],
            ['zstd', Buffer.from(log)],
        ];
        for (const [coding, body] of bodies) {
            assertRefused(await post(server, '/log', body, { 'Content-Encoding': coding }), 400);
        }
    },
);

check('chunked bodies are taken, whatever the chunks', async (server) => {
    const body = Buffer.from(JSON.stringify({ message: 'in pieces ä€😀', level: 'info' }));
    const byNode = await request(server, {
        method: 'POST',
        path: '/log',
        headers: JSON_HEADERS,
        pieces: [body.subarray(0, 5), body.subarray(5, 21), body.subarray(21)],
    });
    assert.equal(byNode.status, 201, byNode.text);
    assert.equal((await stored(server, byNode.json().id)).message, 'in pieces ä€😀');

    const raw = await RawConnection.open(server);
    const chunks = [...body].map((byte) =>
        Buffer.concat([Buffer.from('1\r\n'), Buffer.of(byte), Buffer.from('\r\n')]),
    );
    const head =
        'POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    const bytes = Buffer.concat([
        Buffer.from(head),
        ...chunks,
        Buffer.from('0\r\nX-Trailer: 1\r\n\r\n'),
    ]);
    for (let at = 0; at < bytes.length; at += 7) {
        raw.send(bytes.subarray(at, at + 7)); // splits lines, chunks and characters anywhere
        if (at % 70 === 0) {
            await new Promise((resolve) => setImmediate(resolve));
        }
    }
    const byHand = await raw.answer();
    raw.close();
    assert.equal(byHand.status, 201, byHand.text);
    assert.equal((await stored(server, byHand.json().id)).message, 'in pieces ä€😀');
});

check('one connection is kept alive over many requests', async (server) => {
    const one = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    one.on('free', (socket) => sockets.add(socket));
    for (let n = 0; n < 50; n++) {
        const body = JSON.stringify({ message: `kept alive ${n}`, level: 'info' });
        const answer = await requestOn(one, server, {
            method: 'POST',
            path: '/log',
            headers: JSON_HEADERS,
            body,
        });
        assert.equal(answer.status, 201);
    }
    one.destroy();
    assert.equal(sockets.size, 1);
});

check(
    'Connection: close and HTTP/1.0 are answered, then the connection is closed',
    async (server) => {
        for (const head of [
            'GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n',
            'GET /health HTTP/1.0\r\n\r\n',
        ]) {
            const raw = await RawConnection.open(server);
            raw.send(head);
            assert.equal((await raw.answer()).status, 200);
            await raw.end();
        }
    },
);

check('pipelined requests are all answered, in their order', async (server) => {
    const raw = await RawConnection.open(server);
    const count = 300; // more than a connection may have under way at once
    let bytes = '';
    for (let n = 0; n < count; n++) {
        bytes +=
            n % 10 === 9
                ? 'GET /health HTTP/1.1\r\nHost: test\r\n\r\n'
                : rawPost('/log', JSON.stringify({ message: 'pipelined', level: 'info', n }));
    }
    raw.send(bytes);
    const ids: string[] = [];
    for (let n = 0; n < count; n++) {
        const answer = await raw.answer();
        assert.equal(answer.status, n % 10 === 9 ? 200 : 201, `answer ${n}: ${answer.text}`);
        if (n % 10 !== 9) {
            ids.push(answer.json().id);
        }
    }
    raw.close();
    await atRest(server);
    const found = await allLogs(server, 'q=pipelined');
    assert.deepEqual(
        found.map((log) => log.id),
        [...ids].reverse(),
        'ids ascend in order of arrival',
    );
    assert.deepEqual(
        found.map((log) => log.attributes['n']).reverse(),
        Array.from({ length: count }, (_, n) => n).filter((n) => n % 10 !== 9),
    );
});

check('a refused request in a pipeline spoils none of its neighbours', async (server) => {
    const raw = await RawConnection.open(server);
    const good = rawPost('/log', '{"message":"neighbour","level":"info"}');
    raw.send(good + rawPost('/log', '{"message":') + good + rawPost('/nowhere', '{}') + good);
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) {
        statuses.push((await raw.answer()).status);
    }
    raw.close();
    assert.deepEqual(statuses, [201, 422, 201, 404, 201]);
});

check(
    'Expect: 100-continue gets its 100 before the body is sent, and curl its 201',
    async (server) => {
        const body = JSON.stringify({ message: 'expected', level: 'info' });
        const raw = await RawConnection.open(server);
        raw.send(
            `POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n` +
                `Content-Length: ${body.length}\r\n\r\n`,
        );
        assert.equal((await raw.answer()).status, 100);
        raw.send(body);
        assert.equal((await raw.answer()).status, 201);
        raw.close();

        const large = JSON.stringify({ message: 'x'.repeat(900_000), level: 'info' });
        const curl = await run(
            [
                'curl',
                '-sS',
                '-w',
                '\n%{http_code}',
                '-H',
                'Expect: 100-continue',
                '-H',
                'Content-Type: application/json',
                '--data-binary',
                '@-',
                `http://127.0.0.1:${server.port}/log`,
            ],
            { input: large },
        );
        assert.equal(curl.code, 0, curl.stderr);
        assert.match(curl.stdout, /"status":"queued".*\n201$/s);
    },
);

check('a body that will be refused for its length is refused instead of a 100', async (server) => {
    const raw = await RawConnection.open(server);
    raw.send(
        'POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n' +
            'Content-Length: 99999999\r\n\r\n',
    );
    assertRefused(await raw.answer(), 413);
    raw.close();

    const other = await RawConnection.open(server);
    other.send(
        'POST /log HTTP/1.1\r\nHost: test\r\nExpect: a-miracle\r\nContent-Length: 2\r\n\r\n',
    );
    assertRefused(await other.answer(), 417);
    other.close();
});

check(
    'a body past MAX_BODY_BYTES is answered 413, by length, chunked or inflated; one at it is taken',
    async (server) => {
        const limit = 1024 * 1024;
        const envelope = JSON.stringify({ message: '', level: 'info' }).length;
        const fits = JSON.stringify({ message: 'm'.repeat(limit - envelope), level: 'info' });
        const passes = JSON.stringify({ message: 'm'.repeat(limit - envelope + 1), level: 'info' });
        assert.equal(fits.length, limit);

        const taken = await post(server, '/log', fits);
        assert.equal(taken.status, 201, taken.text);
        assert.equal((await stored(server, taken.json().id)).message.length, limit - envelope);
        assertRefused(await post(server, '/log', passes), 413);
        assertRefused(
            await post(server, '/log', zlib.gzipSync(passes), { 'Content-Encoding': 'gzip' }),
            413,
        );
        assertRefused(
            await post(server, '/log', await zstd(passes), { 'Content-Encoding': 'zstd' }),
            413,
        );

        const raw = await RawConnection.open(server);
        raw.send(
            'POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n' +
                `${passes.length.toString(16)}\r\n${passes}\r\n0\r\n\r\n`,
        );
        assertRefused(await raw.answer(), 413);
        raw.close();
    },
);

check('an unknown Content-Encoding is answered 415', async (server) => {
    for (const coding of ['br', 'deflated', 'gzip, br', 'x']) {
        assertRefused(
            await post(server, '/log', '{"message":"m","level":"l"}', {
                'Content-Encoding': coding,
            }),
            415,
        );
    }
    const plain = await post(server, '/log', '{"message":"m","level":"l"}', {
        'Content-Encoding': 'identity',
    });
    assert.equal(plain.status, 201, plain.text);
});

check(
    'headers past MAX_HEADER_BYTES are answered 431, a request line past it 414 or 431',
    async (server) => {
        const raw = await RawConnection.open(server);
        raw.send(`GET /health HTTP/1.1\r\nHost: test\r\nX-Large: ${'h'.repeat(20_000)}\r\n\r\n`);
        assertRefused(await raw.answer(), 431);
        await raw.end();

        const long = await RawConnection.open(server);
        long.send(`GET /logs?q=${'q'.repeat(20_000)} HTTP/1.1\r\nHost: test\r\n\r\n`);
        const answer = await long.answer();
        assert.ok([414, 431].includes(answer.status), answer.text);
        assert.ok('detail' in answer.json());
        await long.end();
    },
);

check('what is no HTTP is answered 400 in JSON, and the connection closed', async (server) => {
    const bad = [
        'GET /health HTTP/1.1\r\nHost test\r\n\r\n',
        'GET /health HTTP/9.9\r\n\r\n',
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'POST /log HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}',
        'POST /log HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        'POST /log HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
        'POST /log HTTP/1.1\r\nHost: test\r\nContent-Length: -2\r\n\r\n{}',
    ];
    for (const bytes of bad) {
        const raw = await RawConnection.open(server);
        raw.send(Buffer.from(bytes, 'latin1'));
        assertRefused(await raw.answer(), 400);
        await raw.end();
    }
});

check('a method that HTTP does not know is refused in JSON as well', async (server) => {
    for (const line of ['HELLO', 'BREW /log HTTP/1.1', 'get /health HTTP/1.1']) {
        const raw = await RawConnection.open(server);
        raw.send(`${line}\r\nHost: test\r\n\r\n`);
        const answer = await raw.answer();
        assert.ok([400, 405, 501].includes(answer.status), `${line}: ${answer.status}`);
        assert.equal(typeof answer.json().detail, 'string');
        raw.close();
    }
});

check('text of any script, and every escape, comes back as it was sent', async (server) => {
    const message =
        'Grüße, Ελληνικά, 日本語, עברית, \u{1f469}\u200d\u{1f680}, \u0001\u001f\u007f\ufffe\uffff\u2028 "\\/\b\f\n\r\t';
    const id = await postLog(server, { message, level: 'ΣΊΣΥΦΟΣ', ключ: message });
    const log = await stored(server, id);
    assert.equal(log.message, message);
    assert.equal(log.level, 'ΣΊΣΥΦΟΣ');
    assert.deepEqual(log.attributes, { ключ: message });
});

check('U+0000 is replaced with U+FFFD and counted', async (server) => {
    const before = metric(await metrics(server), 'logmill_nul_characters_replaced_total');
    const id = await postLog(server, {
        message: 'a\u0000b',
        level: 'in\u0000fo',
        x: ['\u0000', { y: '\u0000' }],
    });
    const log = await stored(server, id);
    assert.equal(log.message, 'a\ufffdb');
    assert.equal(log.level, 'in\ufffdfo');
    assert.deepEqual(log.attributes, { x: ['\ufffd', { y: '\ufffd' }] });
    const after = metric(await metrics(server), 'logmill_nul_characters_replaced_total');
    assert.equal(after - before, 4);
});

check(
    'invalid UTF-8 and lone surrogates are refused with 422, wherever they stand',
    async (server) => {
        const texts = [
            '\\ud800',
            '\\udc00',
            '\\ud800\\ud800',
            '\\ud83d x',
            '\xff',
            '\xc3',
            '\xc0\x80',
            '\xed\xa0\x80',
            '\xf4\x90\x80\x80',
        ];
        for (const text of texts) {
            for (const body of [
                `{"message":"before ${text} after","level":"info"}`,
                `{"message":"m","level":"${text}"}`,
                `{"message":"m","level":"l","attribute":{"deep":["${text}"]}}`,
                `{"message":"m","level":"l","${text}":1}`,
            ]) {
                assertRefused(await post(server, '/log', Buffer.from(body, 'latin1')), 422);
                assertRefused(await post(server, '/logs', Buffer.from(`[${body}]`, 'latin1')), 422);
                const lines = Buffer.from(`{"message":"m","level":"l"}\n${body}\n`, 'latin1');
                assertRefused(
                    await post(server, '/logs', lines, { 'Content-Type': 'application/x-ndjson' }),
                    422,
                );
            }
        }
        assert.equal((await get(server, '/health')).status, 200);
    },
);

check('deep nesting is refused with 422, not with a crash', async (server) => {
    for (const depth of [200, 100_000, 500_000]) {
        const body = `{"message":"m","level":"l","deep":${'['.repeat(depth)}${']'.repeat(depth)}}`;
        assertRefused(await post(server, '/log', body), 422);
        assertRefused(await post(server, '/log', '{"a":'.repeat(depth / 4)), 422);
    }
    const id = await postLog(server, { message: 'm', level: 'l', deep: [[[[[[[[]]]]]]]] });
    assert.deepEqual((await stored(server, id)).attributes, { deep: [[[[[[[[]]]]]]]] });
});

check(
    "a client's retry with its own id is stored once, and counted as a repeat",
    async (server) => {
        const before = await atRest(server);
        const log = { message: 'retried', level: 'info', id: uuid7() };
        for (let n = 0; n < 3; n++) {
            assert.equal(await postLog(server, log), log.id);
        }
        await postLogs(server, [log, log]);
        const after = await atRest(server);
        assert.equal((await allLogs(server, 'q=retried')).length, 1);
        assert.equal(
            metric(after, 'logmill_logs_repeated_total') -
                metric(before, 'logmill_logs_repeated_total'),
            4,
        );
        assert.equal(
            metric(after, 'logmill_logs_stored_total') -
                metric(before, 'logmill_logs_stored_total'),
            1,
        );
    },
);

check('the first log stored under an id stays', async (server) => {
    const id = uuid7();
    await postLog(server, { message: 'the first', level: 'info', id });
    await stored(server, id);
    await postLog(server, { message: 'the second', level: 'error', id });
    await atRest(server);
    assert.equal((await stored(server, id)).message, 'the first');
});

check('an id alone is the timestamp too', async (server) => {
    const ms = Date.parse('2025-06-07T08:09:10.111Z');
    const id = await postLog(server, {
        message: 'by id',
        level: 'info',
        id: uuid7(ms).toUpperCase(),
    });
    const log = await stored(server, id);
    assert.equal(log.timestamp, '2025-06-07T08:09:10.111000Z');
    assert.equal(log.id, id.toLowerCase());
});

check(
    'an id and a timestamp that agree to the millisecond are both kept; others are refused',
    async (server) => {
        const ms = Date.parse('2025-06-07T08:09:10.111Z');
        const id = uuid7(ms);
        await postLog(server, {
            message: 'both',
            level: 'info',
            id,
            timestamp: '2025-06-07T08:09:10.111222Z',
        });
        assert.equal((await stored(server, id)).timestamp, '2025-06-07T08:09:10.111222Z');

        const refused = await post(server, '/log', {
            message: 'm',
            level: 'l',
            id,
            timestamp: '2025-06-07T08:09:10.112Z',
        });
        assert.equal(refused.status, 422, refused.text);
        assert.deepEqual(refused.json().detail[0].loc, ['body', 'id']);
        const version4 = await post(server, '/log', {
            message: 'm',
            level: 'l',
            id: '7d444840-9dc0-4a8b-9c5e-0d4f6f7a1b2c',
        });
        assert.equal(version4.status, 422, version4.text);
    },
);

check('what GET /logs returns can be sent again and is the same log', async (server) => {
    const id = await postLog(server, {
        message: 'there and back',
        level: 'info',
        timestamp: '2025-01-01T00:00:00.000001Z',
        a: { b: 1 },
    });
    const log = await stored(server, id);
    const before = await atRest(server);
    assert.equal(await postLog(server, { ...log }), id);
    const after = await atRest(server);
    assert.equal(
        metric(after, 'logmill_logs_repeated_total') -
            metric(before, 'logmill_logs_repeated_total'),
        1,
    );
    assert.deepEqual(await stored(server, id), log);
});

check('fetch, which many programs use, works', async (server) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/log`, {
        method: 'POST',
        headers: JSON_HEADERS,
        body: JSON.stringify({ message: 'by fetch', level: 'info' }),
    });
    assert.equal(answer.status, 201);
    const { id } = (await answer.json()) as { id: string };
    await stored(server, id);
    const read = await fetch(`http://127.0.0.1:${server.port}/logs?q=by%20fetch`);
    assert.equal(((await read.json()) as { logs: unknown[] }).logs.length, 1);
});

check('HEAD answers as GET would, without the body', async (server) => {
    for (const path of ['/health', '/logs?limit=1', '/nowhere']) {
        const raw = await RawConnection.open(server);
        raw.send(
            `HEAD ${path} HTTP/1.1\r\nHost: test\r\n\r\nGET /health HTTP/1.1\r\nHost: test\r\n\r\n`,
        );
        const head = await raw.answer({ bodyless: true });
        assert.equal(head.status, path === '/nowhere' ? 404 : 200);
        assert.ok(Number(head.headers['content-length']) > 0);
        assert.equal((await raw.answer()).status, 200, 'the next answer follows at once');
        raw.close();
    }
});

check('an unknown path is answered 404, a wrong method 405 with Allow', async (server) => {
    for (const path of ['/nowhere', '/log/x/y', '/logs/a/b']) {
        const answer = await get(server, path);
        assertRefused(answer, 404);
        assert.deepEqual(answer.json(), { detail: 'Not Found' });
    }
    const wrong: [string, string, string[]][] = [
        ['GET', '/log', ['POST']],
        ['PUT', '/logs', ['DELETE', 'GET', 'POST']],
        ['POST', '/logs/stats', ['GET']],
        ['PUT', '/health', ['GET']],
    ];
    for (const [method, path, allowed] of wrong) {
        const answer = await request(server, { method, path });
        assertRefused(answer, 405);
        assert.deepEqual(answer.json(), { detail: 'Method Not Allowed' });
        const allow = String(answer.headers['allow']).split(/,\s*/);
        assert.deepEqual(allow.filter((name) => name !== 'HEAD').sort(), allowed);
    }
});

check(
    'many clients at once: every log answered 201 is stored once, and the counts add up',
    async (server) => {
        const before = await atRest(server);
        const clients = 32;
        const each = 40;
        const acknowledged: string[] = [];
        const client = async (c: number): Promise<void> => {
            for (let n = 0; n < each; n++) {
                acknowledged.push(await postLog(server, { message: 'crowd', level: 'info', c, n }));
            }
        };
        await Promise.all(Array.from({ length: clients }, (_, c) => client(c)));
        const after = await eventually('accepted = stored', async () => {
            const now = await atRest(server);
            const grown = (name: string): number => metric(now, name) - metric(before, name);
            return grown('logmill_logs_accepted_total') === grown('logmill_logs_stored_total')
                ? now
                : undefined;
        });
        assert.equal(
            metric(after, 'logmill_logs_accepted_total') -
                metric(before, 'logmill_logs_accepted_total'),
            clients * each,
        );
        const found = await allLogs(server, 'q=crowd');
        assertNewestFirst(found);
        assert.deepEqual(found.map((log) => log.id).sort(), acknowledged.sort());
        for (let c = 0; c < clients; c++) {
            const order = found
                .filter((log) => log.attributes['c'] === c)
                .map((log) => log.attributes['n']);
            assert.deepEqual(
                order.reverse(),
                Array.from({ length: each }, (_, n) => n),
            );
        }
    },
);

end();
