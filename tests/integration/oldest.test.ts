/* Logs oldest first (`order=oldest`): the same logs as newest first, the other way round. */
import { strict as assert } from 'node:assert';

import { type Logmill, runLogmill, scenario } from '../support/harness';
import { get, halfClosed } from '../support/http';
import { impatient } from '../support/impatient';
import { type Log, allLogs, atRest, postLogs, uuid7 } from '../support/logs';
import { overBoth } from '../support/servers/stores';

const START = Date.parse('2026-03-04T05:00:00Z');
const DAY = 86_400_000;
const MANY = 60_000; // more than a turn gets through
const CROWD = 700; // of one microsecond: more than are handed out at a time

interface Page {
    logs: Log[];
    next: string | null;
    searched_to: string | null;
    searched_until: string | null;
}

const ids = (logs: Log[]): string[] => logs.map((log) => log.id);
const escaped = encodeURIComponent;

/** Sparse, dense, a crowd of one microsecond, some at random, one long ago and one to come. */
async function fill(server: Logmill): Promise<Log[]> {
    const times = [
        Date.parse('0001-01-01T00:00:00Z'),
        ...Array.from({ length: 50 }, (_, i) => START + i * 61_000),
        ...Array.from({ length: 600 }, (_, i) => START + DAY + Math.floor(i / 3)),
        ...Array.from({ length: CROWD }, () => START + 9 * DAY),
        ...Array.from({ length: 300 }, () => START + Math.floor(Math.random() ** 4 * 200 * DAY)),
        Date.parse('9999-12-31T23:59:59Z'),
    ];
    const logs = times.map((ms, i) => ({
        timestamp: new Date(ms).toISOString(),
        level: i % 5 === 0 ? 'error' : 'info',
        message: `log ${i}`,
        service: ['pay', 'cart', 'web'][i % 3],
    }));
    for (let at = 0; at < logs.length; at += 500) {
        await postLogs(server, logs.slice(at, at + 500));
    }
    await atRest(server);
    return (await allLogs(server)).reverse();
}

async function page(server: Logmill, query: string): Promise<Page> {
    const answer = await get(server, `/logs?order=oldest&${query}`);
    assert.equal(answer.status, 200, `${query}: ${answer.text}`);
    return answer.json<Page>();
}

/** All that matches, by the cursor; each page but the last has `limit` logs. */
async function all(server: Logmill, query: string, limit: number): Promise<Log[]> {
    const logs: Log[] = [];
    for (let cursor = ''; ;) {
        const got = await page(server, `${query}&limit=${limit}${cursor}`);
        assert.equal(got.searched_to, null);
        assert.equal(got.searched_until, null);
        assert.ok(got.logs.length === limit || got.next === null);
        logs.push(...got.logs);
        if (got.next === null) {
            return logs;
        }
        cursor = `&cursor=${got.next}`;
    }
}

overBoth('oldest first is newest first the other way round, whatever is asked for', async (server) => {
    const logs = await fill(server);
    for (const limit of [7, 100, 1000]) {
        assert.deepEqual(ids(await all(server, '', limit)), ids(logs), `pages of ${limit}`);
    }
    const crowd = new Date(START + 9 * DAY).toISOString();
    for (const query of [
        'level=error',
        `query=${escaped('service:pay -message:*7')}`,
        `query=${escaped('since:2026-03-05 message:"log 1"')}`,
        `since=${crowd}`,
        `until=${crowd}`,
        `since=${crowd}&until=${new Date(START + 9 * DAY + 1).toISOString()}&q=1`,
        'since=2300-01-01',
        'until=0001-01-02',
        'since=2026-03-06&until=2026-03-05',
    ]) {
        const expected = (await allLogs(server, query)).reverse();
        assert.deepEqual(ids(await all(server, query, 90)), ids(expected), query);
    }
    const newest = await get(server, '/logs?order=newest&limit=5');
    assert.deepEqual(ids(newest.json<Page>().logs), ids(logs.slice(-5).reverse()));
    const [first] = (await page(server, 'fields=&limit=1')).logs;
    assert.deepEqual(first!.attributes, {});
    assert.equal(first!.timestamp, '0001-01-01T00:00:00.000000Z');
});

overBoth('what comes while pages are turned is met once if it is newer, and never if it is older', async (server) => {
    const log = (minute: number, message: string): Record<string, unknown> => ({
        timestamp: new Date(START + minute * 60_000).toISOString(),
        level: 'info',
        message,
    });
    await postLogs(server, Array.from({ length: 20 }, (_, i) => log(i, `log ${i}`)));
    await atRest(server);
    const first = await page(server, 'limit=10');
    await postLogs(server, [log(3.5, 'too late'), log(12.5, 'between'), log(30, 'last')]);
    await atRest(server);
    const rest = await page(server, `limit=100&cursor=${first.next}`);
    assert.equal(rest.next, null);
    assert.deepEqual(
        [...first.logs, ...rest.logs].map((l) => l.message),
        [...Array.from({ length: 13 }, (_, i) => `log ${i}`), 'between',
            ...Array.from({ length: 7 }, (_, i) => `log ${13 + i}`), 'last'],
    );
});

overBoth('a search whose time is over says up to where it has come, and goes on there', async (server) => {
    for (let at = 0; at < MANY; at += 1000) {
        await postLogs(
            server,
            Array.from({ length: 1000 }, (_, i) => ({
                timestamp: (START + (at + i) * 997) / 1000,
                level: 'info',
                message: `log ${at + i}`,
            })),
        );
    }
    await atRest(server);
    const query = `query=${escaped('/ \\d*77$/')}`;
    const rare = (await allLogs(server, query)).reverse();
    const found: Log[] = [];
    let parts = 0;
    let searched = '';
    for (let cursor = ''; ; parts++) {
        const answer = await halfClosed(server, `/logs?order=oldest&limit=1000&${query}${cursor}`);
        assert.equal(answer.status, 200, answer.text);
        const got = answer.json<Page>();
        found.push(...got.logs);
        assert.equal(got.searched_until === null, got.next === null);
        if (got.next === null) {
            break;
        }
        assert.ok(got.searched_until! >= searched, `${searched} ${got.searched_until}`);
        assert.ok(found.every((log) => log.timestamp < got.searched_until!));
        searched = got.searched_until!;
        cursor = `&cursor=${got.next}`;
    }
    assert.ok(parts > 2, `${parts} parts`);
    assert.deepEqual(ids(found), ids(rare));
});

overBoth('a page ends at its bytes, with one log at least', async (server) => {
    const logs = await fill(server);
    for (const bytes of [1, 2000]) {
        const got = await page(server, `bytes=${bytes}&limit=1000`);
        const size = got.logs.reduce((sum, log) => sum + JSON.stringify(log).length, 0);
        assert.ok(got.logs.length === 1 || size <= bytes, `${got.logs.length} logs, ${size} bytes`);
        assert.ok(bytes === 1 || got.logs.length > 1);
        const more = await page(server, `limit=3&cursor=${got.next}`);
        assert.deepEqual(ids([...got.logs, ...more.logs]), ids(logs.slice(0, got.logs.length + 3)));
    }
});

overBoth('what does not go with an order is refused', async (server) => {
    await postLogs(server, Array.from({ length: 3 }, () => ({ level: 'info', message: 'm' })));
    await atRest(server);
    const newest = (await get(server, '/logs?limit=1')).json<Page>().next!;
    const oldest = (await page(server, 'limit=1')).next!;
    for (const [query, name, msg] of [
        ['order=up', 'order', /'newest' or 'oldest'/],
        ['order=oldest&offset=0', 'offset', /order=oldest; `cursor`/],
        ['order=oldest&format=csv', 'order', /newest first/],
        ['order=oldest&limit=1001', 'limit', /less than or equal to 1000/],
        ['order=oldest&same=a', 'same', /goes with `around` alone/],
        [`order=oldest&cursor=${newest}`, 'cursor', /with order=oldest/],
        [`order=newest&cursor=${oldest}`, 'cursor', /`next`/],
        [`order=oldest&around=${uuid7()}`, 'order', /`around`/],
        ['ordr=oldest', 'ordr', /'order'/],
    ] as const) {
        const answer = await get(server, `/logs?${query}`);
        assert.equal(answer.status, 422, `${query}: ${answer.text}`);
        const [wrong] = answer.json().detail;
        assert.deepEqual(wrong.loc, ['query', name], query);
        assert.match(wrong.msg, msg);
    }
    const download = await get(server, '/logs?order=oldest', { accept: 'application/x-ndjson' });
    assert.equal(download.status, 422, download.text);
    assert.equal((await get(server, '/logs?order=newest&format=csv')).status, 200);
});

overBoth('a store that fails is told', async (server, store) => {
    await store.fail(server);
    const answer = await get(server, '/logs?order=oldest');
    assert.equal(answer.status, 503, answer.text);
});

scenario('the command line shows the oldest first, however many answers that takes', async (lab) => {
    const server = await lab.start();
    const logs = await fill(server);
    const { url } = await impatient(lab, server);
    for (const from of [`http://127.0.0.1:${server.port}`, url]) {
        for (const [flags, expected] of [
            [['--limit', '1100'], logs.slice(0, 1100)],
            [['--all', 'service:pay'], logs.filter((log) => log.attributes['service'] === 'pay')],
        ] as const) {
            const ran = await runLogmill(['query', '--oldest', ...flags], { LOGMILL_URL: from });
            assert.equal(ran.code, 0, ran.stderr);
            const shown = ran.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Log);
            assert.deepEqual(ids(shown), ids(expected));
        }
    }
    for (const [flags, message] of [
        [['--reverse'], /--reverse does not go with --oldest/],
        [['--around', logs[0]!.id], /--oldest does not go with --around/],
    ] as const) {
        const ran = await runLogmill(['query', '--oldest', ...flags], { LOGMILL_URL: url });
        assert.equal(ran.code, 2, ran.stderr);
        assert.match(ran.stderr, message);
    }
});
