/* One log with its neighbours (`around=`), and attributes that are left out (`fields=`). */
import { strict as assert } from 'node:assert';

import { type Logmill, runLogmill, scenario } from '../support/harness';
import { get, halfClosed } from '../support/http';
import { impatient } from '../support/impatient';
import { type Log, allLogs, atRest, microseconds, postLogs, uuid7 } from '../support/logs';
import { overBoth } from '../support/servers/stores';

const START = Date.parse('2026-03-04T05:00:00Z');
const DAY = 86_400_000;
const MANY = 60_000; // more than a turn gets through
const CROWD = 700; // of one microsecond: more than are handed out at a time

interface Near {
    logs: Log[];
    around: number | null;
    next: string | null;
    searched_to: string | null;
    previous: string | null;
    searched_until: string | null;
}

/** Few, then a burst, then nothing for days, a crowd of one microsecond, and a few after years. */
function times(): number[] {
    return [
        ...Array.from({ length: 60 }, (_, i) => START + i * 61_000),
        ...Array.from({ length: 900 }, (_, i) => START + DAY + Math.floor(i / 3)),
        ...Array.from({ length: CROWD }, () => START + 9 * DAY),
        ...Array.from({ length: 9 }, (_, i) => START + (400 + 100 * i) * DAY),
    ];
}

async function fill(server: Logmill): Promise<Log[]> {
    const logs = times().map((ms, i) => ({
        id: uuid7(ms),
        timestamp: new Date(ms).toISOString(),
        level: i % 5 === 0 ? 'error' : 'info',
        message: `log ${i}`,
        service: ['pay', 'cart', 'web'][i % 3],
        ...(i % 4 === 0 ? { host: { name: `h${i % 8}` } } : {}),
        tags: i % 2 === 0 ? ['a', `t${i % 6}`] : [],
        n: i,
    }));
    for (let at = 0; at < logs.length; at += 500) {
        await postLogs(server, logs.slice(at, at + 500));
    }
    await atRest(server);
    return allLogs(server);
}

async function near(server: Logmill, id: string, query: string): Promise<Near> {
    const answer = await get(server, `/logs?around=${id}&${query}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json<Near>();
}

const ids = (logs: Log[]): string[] => logs.map((l) => l.id);

overBoth('a log comes with those before and after it, wherever they are', async (server) => {
    const all = await fill(server);
    /* All of one microsecond, and where what is near becomes far. */
    const places = [0, 1, 5, 8, 9, 10, 9 + CROWD / 2, 8 + CROWD, 9 + CROWD, 1000, 1608, 1609, 1640];
    for (const at of [...places, all.length - 2, all.length - 1]) {
        for (const [before, after] of [[3, 4], [0, 0], [20, 0], [0, 20], [500, 500]] as const) {
            const got = await near(server, all[at]!.id, `before=${before}&after=${after}`);
            const from = Math.max(0, at - after);
            assert.deepEqual(ids(got.logs), ids(all.slice(from, at + before + 1)), `${at} ${after}`);
            assert.equal(got.logs[got.around!]!.id, all[at]!.id);
            assert.equal(got.next !== null, at + before + 1 < all.length);
            assert.equal(got.previous !== null, from > 0);
            assert.equal(got.searched_to, null);
            assert.equal(got.searched_until, null);
        }
    }
    assert.equal((await near(server, all[800]!.id, '')).logs.length, 101);
});

overBoth('what comes before and after goes on at both ends, to the last log', async (server) => {
    const all = await fill(server);
    const query = `query=${encodeURIComponent('level:error OR -message:*7')}`;
    const matching = all.filter((l) => l.level === 'error' || !l.message.endsWith('7'));
    const log = matching[matching.length >> 1]!;
    const first = await near(server, log.id, `${query}&before=40&after=30`);
    let logs = first.logs;
    for (let next = first.next, last: Near; next !== null; next = last.next) {
        last = await near(server, log.id, `${query}&before=300&cursor=${next}`);
        assert.equal(last.around, null);
        assert.equal(last.previous, null);
        logs = [...logs, ...last.logs];
    }
    for (let previous = first.previous, last: Near; previous !== null; previous = last.previous) {
        last = await near(server, log.id, `${query}&after=170&cursor=${previous}`);
        assert.equal(last.next, null);
        logs = [...last.logs, ...logs];
    }
    assert.deepEqual(ids(logs), ids(matching));
});

overBoth('a search for neighbours whose time is over goes on where it was', async (server) => {
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
    const rare = await allLogs(server, `query=${encodeURIComponent('/ \\d*77$/')}`);
    const log = rare[rare.length >> 1]!;
    const path = `/logs?around=${log.id}&before=500&after=500&query=${encodeURIComponent('/ \\d*77$/')}`;
    const ask = async (cursor: string): Promise<Near> => {
        const answer = await halfClosed(server, path + cursor);
        assert.equal(answer.status, 200, answer.text);
        return answer.json<Near>();
    };
    const first = await ask('');
    let logs = first.logs;
    let parts = 0;
    for (let next = first.next, last: Near; next !== null; next = last.next, parts++) {
        last = await ask(`&cursor=${next}`);
        logs = [...logs, ...last.logs];
    }
    for (let previous = first.previous, last: Near; previous !== null; previous = last.previous, parts++) {
        last = await ask(`&cursor=${previous}`);
        assert.equal(last.searched_until === null, last.previous === null || last.logs.length === 500);
        logs = [...last.logs, ...logs];
    }
    assert.ok(parts > 2, `${parts} parts`);
    assert.deepEqual(ids(logs), ids(rare));
});

overBoth('neighbours are those of the same values, or without such a field as the log is', async (server) => {
    const all = await fill(server);
    const text = (value: unknown): string => JSON.stringify(value ?? null);
    const sharing = (a: Log, b: Log): boolean =>
        a.attributes['tags'].some((tag: string) => b.attributes['tags'].includes(tag));
    for (const at of [700, 701, 702, 703, 1000, 1001]) {
        const log = all[at]!;
        const cases: [string, (other: Log) => boolean][] = [
            ['same=service', (l) => l.attributes['service'] === log.attributes['service']],
            ['same=level,service', (l) => l.level === log.level && l.attributes['service'] === log.attributes['service']],
            ['same=host.name', (l) => text(l.attributes['host']?.name) === text(log.attributes['host']?.name)],
            ['same=tags', (l) => (log.attributes['tags'].length === 0 ? true : sharing(l, log))],
            ['same=missing', () => true],
        ];
        for (const [same, match] of cases) {
            if (same === 'same=tags' && log.attributes['tags'].length === 0) {
                continue;
            }
            const others = all.filter((l) => l === log || match(l));
            const place = others.indexOf(log);
            const got = await near(server, log.id, `${same}&before=7&after=9`);
            assert.deepEqual(ids(got.logs), ids(others.slice(place - 9, place + 8)), `${at} ${same}`);
            assert.equal(got.around, 9);
        }
    }
});

overBoth('a range of time bounds the neighbours, not the log', async (server) => {
    const all = await fill(server);
    const log = all[900]!;
    const since = Number(microseconds(all[905]!.timestamp) / 1000n) / 1000;
    const until = Number(microseconds(all[890]!.timestamp) / 1000n) / 1000;
    const got = await near(server, log.id, `since=${since}&until=${until}`);
    const inside = all.filter((l) => l.timestamp >= all[905]!.timestamp && l.timestamp < all[890]!.timestamp);
    assert.deepEqual(ids(got.logs), ids(inside));
    assert.equal(got.next, null);
    assert.equal(got.previous, null);
    const outside = await near(server, log.id, `until=${START / 1000}`);
    assert.deepEqual(ids(outside.logs), [log.id]);
});

overBoth('what cannot be asked around a log is refused', async (server) => {
    const missing = await get(server, `/logs?around=${uuid7()}`);
    assert.equal(missing.status, 404, missing.text);
    for (const [query, name, msg] of [
        ['around=4711', 'around', /valid UUID/],
        [`around=${uuid7()}&before=501`, 'before', /less than or equal to 500/],
        [`around=${uuid7()}&after=-1`, 'after', /greater than or equal to 0/],
        [`around=${uuid7()}&cursor=x`, 'cursor', /as `next` or `previous`/],
        [`around=${uuid7()}&same=message`, 'same', /level and attributes/],
        [`around=${uuid7()}&same=a,a`, 'same', /there twice/],
        [`around=${uuid7()}&same=a,b,c,d,e,f,g,h,i`, 'same', /at most 8/],
        [`around=${uuid7()}&limit=3`, 'limit', /`before` and `after`/],
        [`around=${uuid7()}&bytes=9`, 'bytes', /`before` and `after`/],
        ['before=3', 'before', /goes with `around` alone/],
        ['fields=a,,b', 'fields', /a name is missing/],
        ['fields=pattern', 'fields', /attr\.pattern/],
    ] as const) {
        const answer = await get(server, `/logs?${query}`);
        assert.equal(answer.status, 422, `${query}: ${answer.text}`);
        const [wrong] = answer.json().detail;
        assert.deepEqual(wrong.loc, ['query', name]);
        assert.match(wrong.msg, msg);
    }
});

overBoth('only the attributes that are asked for are there', async (server) => {
    await postLogs(server, [
        {
            level: 'info',
            message: 'm',
            service: 'pay',
            http: { status: 500, path: '/x', 'a.b': 1, a: { b: 2, c: 3 } },
            'http.status': 1e3,
            items: [{ sku: 1, price: 2 }, { price: 3 }, [{ sku: 4 }], 5],
            level2: null,
            empty: {},
        },
        { level: 'info', message: 'other' },
    ]);
    await atRest(server);
    for (const [fields, attributes] of [
        ['service', { service: 'pay' }],
        ['service,http.status', { service: 'pay', http: { status: 500 }, 'http.status': 1000 }],
        ['http.a.b', { http: { 'a.b': 1, a: { b: 2 } } }],
        ['http', { http: { status: 500, path: '/x', 'a.b': 1, a: { b: 2, c: 3 } } }],
        ['items.sku', { items: [{ sku: 1 }, [{ sku: 4 }]] }],
        ['service.x,missing,http.status.x', {}],
        ['empty,level2', { level2: null, empty: {} }],
        ['', {}],
        ['level,message,timestamp', {}],
    ] as const) {
        const answer = await get(server, `/logs?q=m&fields=${fields}`);
        assert.equal(answer.status, 200, answer.text);
        const [log] = answer.json<Near>().logs;
        assert.deepEqual(log!.attributes, attributes, fields);
        assert.equal(log!.message, 'm');
        const lines = (await get(server, `/logs?format=ndjson&fields=${fields}`)).text.trim().split('\n');
        assert.deepEqual(lines.map((line) => JSON.parse(line).attributes).sort(), [{}, attributes].sort());
        const around = await near(server, log!.id, `fields=${fields}`);
        assert.deepEqual(around.logs.find((l) => l.id === log!.id)!.attributes, attributes);
        const csv = await get(server, `/logs?format=csv&q=m&fields=${fields}`);
        const [, column] = /,"m","(.*)"\r\n/.exec(csv.text) ?? [];
        assert.deepEqual(JSON.parse(column!.replaceAll('""', '"')), attributes);
    }
});

scenario('the command line shows a log among its neighbours, marked', async (lab) => {
    const server = await lab.start();
    const all = await fill(server);
    const { url } = await impatient(lab, server);
    const log = all[900]!;
    const matching = all.filter((l) => l === log || l.attributes['service'] === log.attributes['service']);
    const at = matching.indexOf(log);
    const shown = matching.slice(at - 4, at + 401);
    for (const from of [`http://127.0.0.1:${server.port}`, url]) {
        const near = async (...more: string[]): Promise<string[]> => {
            const flags = ['--around', log.id, '--before', '400', '--after', '4', '--same', 'service'];
            const ran = await runLogmill(['query', ...flags, ...more], { LOGMILL_URL: from });
            assert.equal(ran.code, 0, ran.stderr);
            return ran.stdout.trimEnd().split('\n');
        };
        const logs = (await near('--fields', 'n')).map((line) => JSON.parse(line) as Log);
        assert.deepEqual(ids(logs), ids(shown).reverse());
        assert.deepEqual(logs.at(-1)!.attributes, { n: shown[0]!.attributes['n'] });
        const pretty = await near('--output', 'pretty', '--reverse', '--fields', '');
        assert.deepEqual(pretty.flatMap((line, i) => (line.startsWith('▶ ') ? [i] : [])), [4]);
    }
    for (const [flags, message] of [
        [['--around', log.id, '--limit', '3'], /--limit does not go with --around/],
        [['--same', 'a'], /--same goes with --around alone/],
    ] as const) {
        const ran = await runLogmill(['query', ...flags], { LOGMILL_URL: url });
        assert.equal(ran.code, 2, ran.stderr);
        assert.match(ran.stderr, message);
    }
});
