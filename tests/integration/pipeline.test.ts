/*
 * api and worker as two processes over SQS, PostgreSQL and Redis, with nothing going wrong: a
 * drop-in for the original service's two, by its own environment variables. What goes wrong is in
 * faults*.test.ts.
 */
import { strict as assert } from 'node:assert';

import { OPTIMISED, eventually, freePort, residentBytes, runLogmill, scenario } from '../support/harness';
import { get, post } from '../support/http';
import { Load } from '../support/load';
import { allLogs, page, postLog, postLogs, stored, uuid7Ms } from '../support/logs';
import { assertBalanced, sharedCloud } from '../support/servers/cloud';

const { cloud, end } = sharedCloud();

scenario(
    'what is posted to the api comes to PostgreSQL by the worker, once and in order, and all adds up',
    async (lab) => {
        const site = await (await cloud()).site();
        // Both at once on an empty database: neither depends on the other's having been first.
        const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
        const load = new Load(() => api, ['single', 'single', 'single', 'batch', 'batch', 'retry']);
        try {
            await eventually('many logs to be taken', async () => load.acknowledged > 2000);
        } finally {
            await load.stop();
        }
        assert.deepEqual(load.refusals, []);
        assert.equal(load.failures, 0);
        await site.verify(load);

        const account = await site.account([api, worker]);
        assert.equal(account.accepted, load.acknowledged);
        assert.equal(account.stored, load.acknowledged);
        assert.deepEqual([account.repeated, account.redelivered, account.dead], [0, 0, 0]);
        assertBalanced(account);
    },
);

scenario('a lone log is stored at once and is read back as it was sent', async (lab) => {
    const site = await (await cloud()).site();
    const [api] = await Promise.all([site.api(lab), site.worker(lab)]);
    await stored(api, await postLog(api, { message: 'warms up', level: 'info' }));
    const started = Date.now();
    const id = await postLog(api, {
        message: 'lone',
        level: 'Warning',
        timestamp: '2026-01-02T03:04:05.678901+01:00',
        service: 'pay',
        nested: { a: [1, 2.5, null, true] },
    });
    const log = await stored(api, id);
    assert.ok(Date.now() - started < 60_000, `stored after ${Date.now() - started} ms`);
    assert.deepEqual(log, {
        id,
        timestamp: '2026-01-02T02:04:05.678901Z',
        level: 'Warning',
        message: 'lone',
        attributes: { service: 'pay', nested: { a: [1, 2.5, null, true] } },
    });
    // A page may come from the cache, which is filled a moment after the store has the log.
    const found = await eventually('it in a page', async () => {
        const { logs } = await page(api, 'attr.service=pay');
        return logs.length > 0 && logs;
    });
    assert.deepEqual(found, [log]);
    const row = (await site.rows()).find((one) => one.id === id);
    assert.deepEqual(row, log, 'a SQL user sees the same');
});

scenario('GET /logs by cache and by store give the same', async (lab) => {
    const site = await (await cloud()).site();
    const [api] = await Promise.all([
        site.api(lab, { CACHE_REBUILD_SECONDS: '1' }),
        site.worker(lab, { CACHE_REBUILD_SECONDS: '1' }),
    ]);
    await postLogs(
        api,
        Array.from({ length: 300 }, (_, n) => ({ message: `log ${n}`, level: 'info', n })),
    );
    await site.stored(300);
    const cached = await eventually('a hit', async () => {
        const answer = await get(api, '/logs?limit=200');
        return answer.headers['x-cache'] === 'hit' && answer;
    });
    const rows = (await site.rows()).reverse();
    assert.deepEqual(cached.json().logs, rows.slice(0, 200));
    const direct = await get(api, '/logs?limit=200&q=LOG');
    assert.deepEqual(direct.json().logs, rows.slice(0, 200));
    assert.deepEqual(await allLogs(api, '', 37), rows);
});

scenario(
    'bare records and arrays of them, put into the queue by @aws-sdk/client-sqs, are stored',
    async (lab) => {
        const site = await (await cloud()).site({ maxReceives: 3 });
        const bare = (n: number): string =>
            JSON.stringify({
                timestamp: `2026-02-03T04:05:06.00000${n}`,
                message: `bare ${n}`,
                level: 'INFO',
            });
        // Some wait before there is a worker, and a schema.
        await site.queue.send(bare(0));
        await site.queue.sendBatch(Array.from({ length: 9 }, (_, n) => bare(n + 1)));
        const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
        await site.queue.send('{"message":"no time","level":"info","extra":{"a":1}}');
        await site.queue.send(
            '[{"message":"one","level":"info"},{"message":"two","level":"info"}]',
        );
        const rows = await site.stored(13);
        await site.atRest();
        assert.deepEqual(
            rows.slice(0, 10).map((row) => [row.timestamp, row.message, row.level]),
            Array.from({ length: 10 }, (_, n) => [
                `2026-02-03T04:05:06.00000${n}Z`,
                `bare ${n}`,
                'INFO',
            ]),
        );
        assert.deepEqual(
            rows
                .map((row) => row.message)
                .slice(10)
                .sort(),
            ['no time', 'one', 'two'],
        );
        assert.deepEqual(rows.find((row) => row.message === 'no time')!.attributes, {
            extra: { a: 1 },
        });
        for (const row of rows) {
            assert.equal(uuid7Ms(row.id), Date.parse(row.timestamp.replace(/\d{3}Z$/, 'Z')));
        }
        assert.equal(await site.queue.letters(), 0);
        assert.equal((await site.account([api, worker])).stored, 13);
    },
);

scenario(
    'U+0000, control characters, noncharacters and characters of four bytes pass through',
    async (lab) => {
        const site = await (await cloud()).site({ maxReceives: 3 });
        const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
        const texts = [
            'NUL \u0000 here',
            'all controls ' + String.fromCharCode(...Array.from({ length: 31 }, (_, n) => n + 1)),
            'DEL \u007f, C1 \u0080\u009f, LS \u2028, PS \u2029, BOM \ufeff',
            'noncharacters \ufdd0 \ufffe \uffff \u{1ffff} \u{10ffff}',
            'four bytes: 😀 𝄞 𠜎 👩‍👩‍👧',
            '"quotes" \\ back \\u0000 slashes \\n',
            '',
        ];
        for (const [n, text] of texts.entries()) {
            // in the message, in the level, and in attributes, names included
            await postLog(api, {
                message: text,
                level: n === 6 ? 'info' : text,
                n,
                value: text,
                [`name ${text}`]: [text],
            });
        }
        const rows = await site.stored(texts.length);
        await site.atRest();
        const kept = texts.map((text) => text.replaceAll('\u0000', '\ufffd'));
        assert.deepEqual(
            rows.map((row) => row.message),
            kept,
        );
        for (const [n, row] of rows.entries()) {
            assert.equal(row.level, n === 6 ? 'info' : kept[n]);
            assert.deepEqual(row.attributes, {
                n,
                value: kept[n],
                [`name ${kept[n]}`]: [kept[n]],
            });
        }
        assert.deepEqual((await allLogs(api)).reverse(), rows, 'the same through the api');
        assert.equal(await site.queue.letters(), 0);
        assertBalanced(await site.account([api, worker]));
    },
);

scenario(
    'a log just under the largest message and body is stored, one just over is refused with 413',
    async (lab) => {
        const site = await (await cloud()).site({ maxReceives: 3 });
        const small = { SQS_MAX_MESSAGE_BYTES: '8192', MAX_BODY_BYTES: '65536' };
        const [api, worker] = await Promise.all([site.api(lab, small), site.worker(lab)]);
        let accepted = 0;
        const send = async (bytes: number): Promise<number> => {
            const answer = await post(api, '/log', {
                message: `${bytes} ${'x'.repeat(bytes)}`,
                level: 'info',
            });
            accepted += answer.status === 201 ? 1 : 0;
            return answer.status;
        };
        // Find the very size at which it turns: what it takes is stored, what it does not is 413.
        let low = 1000; // taken
        let high = 9000; // refused
        assert.equal(await send(low), 201);
        assert.equal(await send(high), 413);
        while (high - low > 1) {
            const middle = Math.floor((low + high) / 2);
            const status = await send(middle);
            assert.ok(status === 201 || status === 413, `${status}`);
            [low, high] = status === 201 ? [middle, high] : [low, middle];
        }
        assert.ok(low > 7900, `${low} bytes of a message of 8192`);
        // Of many at once: none is taken if one cannot be.
        const many = await post(api, '/logs', [
            { message: 'beside a large one', level: 'info' },
            { message: 'x'.repeat(9000), level: 'info' },
        ]);
        assert.equal(many.status, 413, many.text);
        // The logs of one request travel in one message, so that they are taken together or not.
        const array = (logs: number): unknown[] =>
            Array.from({ length: logs }, (_, n) => ({
                message: `part ${n} ${'y'.repeat(900)}`,
                level: 'info',
            }));
        assert.equal((await post(api, '/logs', array(7))).status, 201);
        accepted += 7;
        assert.equal((await post(api, '/logs', array(9))).status, 413);
        // The body, whatever is in it.
        const padded = (bytes: number): string => {
            const text = '{"message":"a large body","level":"info"}';
            return text + ' '.repeat(bytes - text.length);
        };
        assert.equal((await post(api, '/log', padded(65536))).status, 201);
        accepted++;
        assert.equal((await post(api, '/log', padded(65537))).status, 413);

        const rows = await site.stored(accepted);
        await site.atRest();
        assert.equal((await site.rows()).length, accepted);
        const largest = rows.find((row) => row.message.startsWith(`${low} `));
        assert.equal(largest?.message.length, low + `${low} `.length);
        assert.equal(await site.queue.letters(), 0);
        const account = await site.account([api, worker]);
        assert.equal(account.accepted, accepted);
        assertBalanced(account);
    },
);

scenario(
    'a message is as large as the queue takes, where that is less than the setting',
    async (lab) => {
        const site = await (await cloud()).site();
        // ElasticMQ has no MaximumMessageSize of its own.
        const proxy = await site.proxy(lab);
        proxy.amend = (action, answer) => {
            if (action === 'GetQueueAttributes') {
                answer.Attributes.MaximumMessageSize = '4096';
            }
        };
        const [api] = await Promise.all([site.api(lab), site.worker(lab)]);
        const status = async (bytes: number): Promise<number> =>
            (await post(api, '/log', { message: 'x'.repeat(bytes), level: 'info' })).status;
        assert.equal(await status(3900), 201);
        assert.equal(await status(4096), 413);
        // Logs of several requests share messages no larger than that.
        const small = Array.from({ length: 50 }, (_, n) => ({
            message: 'z'.repeat(1000),
            level: 'info',
            n,
        }));
        await Promise.all(small.map((log) => postLog(api, log)));
        await site.stored(51);
    },
);

scenario('a queue that does not say what it takes gets no more than all take', async (lab) => {
    const site = await (await cloud()).site();
    const api = await site.api(lab);
    const status = async (bytes: number): Promise<number> =>
        (await post(api, '/log', { message: 'x'.repeat(bytes), level: 'info' })).status;
    assert.equal(await status(250_000), 201);
    assert.equal(await status(262_144), 413);
});

scenario('a log of a megabyte goes through a queue that says that it takes one', async (lab) => {
    const site = await (await cloud()).site();
    const proxy = await site.proxy(lab);
    proxy.amend = (action, answer) => {
        if (action === 'GetQueueAttributes') {
            answer.Attributes.MaximumMessageSize = '1048576';
        }
    };
    const [api] = await Promise.all([
        site.api(lab, { MAX_BODY_BYTES: '4194304' }),
        site.worker(lab),
    ]);
    const status = async (bytes: number): Promise<number> =>
        (await post(api, '/log', { message: 'x'.repeat(bytes), level: 'info' })).status;
    assert.equal(await status(1_048_576), 413);
    assert.equal(proxy.requests.get('SendMessage'), undefined);
    assert.equal(await status(1_000_000), 201);
    const [row] = await site.stored(1);
    assert.equal(row?.message, 'x'.repeat(1_000_000));
});

scenario(
    'a worker gives back the memory that a large backlog took',
    async (lab) => {
        const site = await (await cloud()).site({ visibilityTimeout: 30 });
        const binary = OPTIMISED; // AddressSanitizer takes more, and gives back less
        const api = await lab.start({ command: 'api', binary, settings: site.settings });
        const worker = await lab.start({
            command: 'worker',
            binary,
            settings: { ...site.settings, METRICS_PORT: String(await freePort()) },
        });
        const log = { level: 'info', message: 'm'.repeat(150), service: 'shop', request: '7f3a9c52' };
        const body = Array.from({ length: 700 }, () => log); // in one message of SQS
        for (let round = 1; round <= 2; round++) {
            worker.signal('SIGSTOP');
            for (let sent = 0; sent < 420; sent++) {
                const answer = await post(api, '/logs', body);
                assert.equal(answer.status, 201, answer.text);
            }
            worker.signal('SIGCONT');
            await site.atRest();
        }
        // Seen: 50 MB after any number of rounds, and 70 to 107 if glibc keeps what was freed.
        await eventually('its memory to go back', async () => residentBytes(worker.pid) < 65_000_000);
    },
    { timeoutMs: 900_000 },
);

scenario('`logmill migrate` by many at once makes the schema once', async (lab) => {
    const site = await (await cloud()).site();
    const ran = await Promise.all(
        Array.from({ length: 8 }, () => runLogmill(['migrate'], site.settings)),
    );
    for (const { code, stderr } of ran) {
        assert.equal(code, 0, stderr);
    }
    const again = await runLogmill(['migrate'], site.settings);
    assert.equal(again.code, 0, again.stderr);
    const [{ n }] = (await site.cloud.postgres.query<{ n: string }>(
        'SELECT count(*) AS n FROM logmill_schema',
    )) as [{ n: string }];
    const [{ top }] = (await site.cloud.postgres.query<{ top: number }>(
        'SELECT max(version) AS top FROM logmill_schema',
    )) as [{ top: number }];
    assert.equal(Number(n), top, 'each step once');

    const [api] = await Promise.all([site.api(lab), site.worker(lab), site.worker(lab)]);
    await postLog(api, { message: 'stored', level: 'info' });
    await site.stored(1);
});

end();
