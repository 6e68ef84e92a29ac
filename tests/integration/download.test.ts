/*
 * GET /logs as a download, and the filters that exclude, over both stores: all that matches, in
 * order and whole or visibly broken off, in constant memory.
 */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';

import { type Logmill, OPTIMISED, eventually, residentBytes } from '../support/harness';
import { RawConnection, get, post, request } from '../support/http';
import { Load } from '../support/load';
import { type Log, allLogs, assertNewestFirst, atRest, metric, metrics, postLogs } from '../support/logs';
import { overBoth } from '../support/servers/stores';

/** 60 MB, that no socket takes whole: its buffers may hold 36 MB. */
const MANY = 60_000;

async function store(server: Logmill, logs: Record<string, unknown>[]): Promise<void> {
    for (let at = 0; at < logs.length; at += 500) {
        await postLogs(server, logs.slice(at, at + 500));
    }
    await atRest(server);
    await eventually('all to be stored', async () => {
        const { total } = (await get(server, '/logs/stats?since=2000-01-01')).json();
        return total === logs.length;
    });
}

/** `n` logs, some at the same time, of about `size` bytes each. */
function numbered(n: number, size = 0): Record<string, unknown>[] {
    return Array.from({ length: n }, (_, i) => ({
        timestamp: 1_700_000_000 + Math.floor(i / 3),
        level: ['debug', 'info', 'Error'][i % 3],
        message: `log ${i} ${'m'.repeat(size)}`,
        ...(i % 2 === 0 ? { n: i % 10 } : {}),
    }));
}

async function ndjson(server: Logmill, query = ''): Promise<Log[]> {
    const answer = await get(server, `/logs?${query}`, { Accept: 'application/x-ndjson' });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'application/x-ndjson');
    assert.ok(answer.text === '' || answer.text.endsWith('\n'));
    return answer.text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
}

/** RFC 4180: rows of fields. */
function parseCsv(text: string): string[][] {
    const rows: string[][] = [];
    const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
    let row: string[] = [];
    while (field.lastIndex < text.length) {
        const at = field.lastIndex;
        const match = field.exec(text);
        assert.ok(match, `CSV at ${at}: ${text.slice(at, at + 100)}`);
        row.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
        if (match[3] !== ',') {
            rows.push(row);
            row = [];
        }
    }
    assert.equal(row.length, 0, 'the last line ends');
    return rows;
}

async function csv(server: Logmill, query = ''): Promise<Log[]> {
    const answer = await get(server, `/logs?format=csv&${query}`);
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-type'], 'text/csv; charset=utf-8; header=present');
    const [names, ...rows] = parseCsv(answer.text);
    assert.deepEqual(names, ['timestamp', 'id', 'level', 'message', 'attributes']);
    return rows.map(([timestamp, id, level, message, attributes]) => ({
        id: id!,
        timestamp: timestamp!,
        level: level!,
        message: message!,
        attributes: JSON.parse(attributes!),
    }));
}

/** A download whose client reads nothing more once the first bytes are there. */
class Stalled {
    private constructor(
        private readonly sent: http.ClientRequest,
        readonly response: http.IncomingMessage,
    ) {}

    static begin(server: Logmill, path = '/logs?format=ndjson'): Promise<Stalled> {
        return new Promise((resolve, reject) => {
            const sent = http.get({ agent: false, port: server.port, path }, (response) => {
                response.on('error', () => {}); // `end` tells
                response.once('readable', () => resolve(new Stalled(sent, response)));
            });
            sent.on('error', reject);
        });
    }

    /** Reads on to the end: how many bytes came, and whether they were all. */
    async end(): Promise<{ bytes: number; whole: boolean }> {
        let bytes = 0;
        const closed = new Promise((resolve) => this.response.once('close', resolve));
        this.response.on('data', (piece: Buffer) => (bytes += piece.length));
        await closed;
        return { bytes, whole: this.response.complete };
    }

    leave(): void {
        this.sent.destroy();
    }
}

overBoth('whatever a log holds comes back equal, as NDJSON and as CSV', async (server) => {
    const texts = ['', ' ', 'a,b', '"', '""', 'say ""hi"", "you"', 'a\nb', 'a\r\nb\r', '=1+1'];
    const more = ['\u{1f600} k\u00f6ln \u2028', '\u0001\u001b[31m', "'", '\\', 'null', '</script>'];
    await store(
        server,
        [...texts, ...more].flatMap((text) => [
            { level: text, message: text },
            { level: 'info', message: 'm', [text]: text, nested: { [text]: [text, 1.5, null] } },
        ]),
    );
    const wanted = await allLogs(server);
    assert.equal(wanted.length, 2 * (texts.length + more.length));
    assert.deepEqual(await ndjson(server), wanted);
    assert.deepEqual(await csv(server), wanted);

    const { text } = await get(server, '/logs?format=ndjson');
    const again = await post(server, '/logs', text, { 'Content-Type': 'application/x-ndjson' });
    assert.equal(again.status, 201, again.text);
    await eventually('all to be repeats', async () => {
        const samples = await metrics(server);
        return metric(samples, 'logmill_logs_repeated_total') === wanted.length;
    });
    assert.deepEqual(await allLogs(server), wanted);
});

overBoth('a download has all that matches in order; limit, offset and cursor', async (server) => {
    await store(server, numbered(5003));
    const all = await allLogs(server);
    assertNewestFirst(all);
    assert.equal(all.length, 5003); // several pages of the store
    assert.deepEqual(await ndjson(server), all);
    assert.deepEqual(await csv(server), all);
    assert.deepEqual(await ndjson(server, 'limit=4500&offset=7'), all.slice(7, 4507));
    assert.deepEqual(await ndjson(server, 'limit=2000'), all.slice(0, 2000));
    assert.deepEqual(await ndjson(server, 'offset=6000'), []);
    const { next } = (await get(server, '/logs?limit=10')).json();
    assert.deepEqual(await csv(server, `cursor=${next}&limit=2500`), all.slice(10, 2510));
    const errors = all.filter((log) => log.level === 'Error');
    assert.deepEqual(await ndjson(server, 'level=error'), errors);
    const some = errors.filter((log) => log.attributes['n'] === 2 && log.message.includes('2'));
    assert.ok(some.length > 100);
    assert.deepEqual(await csv(server, 'level=error&attr.n=2&q=2'), some);
    assert.deepEqual(await csv(server, 'q=nothing'), []);

    for (const [query, name] of [
        ['limit=0', 'limit'],
        ['since=x', 'since'],
        ['cursor=x', 'cursor'],
    ]) {
        const refused = await get(server, `/logs?format=csv&${query}`);
        assert.equal(refused.status, 422);
        assert.deepEqual(refused.json().detail[0].loc, ['query', name]);
    }
    const refused = await get(server, '/logs?format=xml');
    assert.deepEqual([refused.status, refused.json().detail[0].loc], [422, ['query', 'format']]);
});

overBoth('the filters that exclude: pages, counts and downloads agree', async (server) => {
    await store(server, numbered(300));
    const all = await allLogs(server);
    const n = (log: Log): unknown => log.attributes['n'];
    const cases: [string, (log: Log) => boolean][] = [
        ['not.level=ERROR', (log) => log.level !== 'Error'],
        ['not.level=error&not.level=info', (log) => log.level === 'debug'],
        ['level=error&not.level=error', () => false],
        ['not.q=LOG%202', (log) => !log.message.startsWith('log 2')],
        ['q=1&not.q=2', (log) => log.message.includes('1') && !log.message.includes('2')],
        ['not.attr.n=2', (log) => n(log) !== 2], // also the half that has no n
        ['not.attr.n=2&not.attr.n=4', (log) => n(log) !== 2 && n(log) !== 4],
        ['attr.n=2&not.attr.x=1', (log) => n(log) === 2],
        ['attr.n=2&not.attr.n=2', () => false],
    ];
    for (const [query, matches] of cases) {
        const wanted = all.filter(matches);
        assert.deepEqual(await allLogs(server, query, 70), wanted, query);
        assert.deepEqual(await ndjson(server, query), wanted, query);
        const path = `/logs/stats?since=2023-11-14&until=2023-11-16&${query}`;
        assert.equal((await get(server, path)).json().total, wanted.length, query);
    }
});

overBoth('HEAD, HTTP/1.0, and what a browser is told', async (server) => {
    await store(server, numbered(3000));
    const path = '/logs?limit=2500&format=csv';
    const head = await request(server, { method: 'HEAD', path });
    const { headers, text } = await get(server, path);
    for (const told of [head.headers, headers]) {
        assert.equal(told['content-disposition'], 'attachment; filename="logs.csv"');
        assert.equal(told['vary'], 'Accept');
    }
    assert.deepEqual([head.status, head.text], [200, '']);

    const old = await RawConnection.open(server);
    old.send(`GET ${path} HTTP/1.0\r\n\r\n`);
    await old.end();
    const [oldHead, ...body] = old.unread.split('\r\n\r\n');
    assert.match(oldHead!, /^HTTP\/1\.[01] 200 /);
    assert.doesNotMatch(oldHead!, /chunked/i);
    assert.equal(body.join('\r\n\r\n'), text);
});

overBoth('while others write: what was there before is whole, nothing twice', async (server) => {
    await store(server, numbered(5000));
    const load = new Load(() => server, ['single', 'batch', 'retry']);
    try {
        for (let round = 1; round <= 5; round++) {
            await eventually('more logs', async () => load.acknowledged > 50 * round);
            const before = await allLogs(server);
            const got = await ndjson(server);
            assertNewestFirst(got); // strictly: none twice
            const ids = new Set(got.map((log) => log.id));
            assert.deepEqual(
                before.filter((log) => !ids.has(log.id)),
                [],
            );
        }
    } finally {
        await load.stop();
    }
});

overBoth(
    'a client that takes nothing for a while costs no memory, and gets all in the end',
    async (server) => {
        await store(server, numbered(MANY, 900));
        await ndjson(server, 'limit=5000'); // what every read needs is there
        const before = residentBytes(server.pid);
        const stalled = await Promise.all([1, 2, 3].map(() => Stalled.begin(server)));
        await new Promise((resolve) => setTimeout(resolve, 3000)); // sockets fill meanwhile
        const during = residentBytes(server.pid);
        const ends = await Promise.all(stalled.map((download) => download.end()));
        const after = residentBytes(server.pid);
        for (const { bytes, whole } of ends) {
            assert.ok(whole && bytes > MANY * 1000, `${bytes} bytes`);
        }
        const grown = Math.max(during, after) - before;
        assert.ok(grown < 12e6, `${grown / 1e6} MB more for 180 MB`);
    },
    { binary: OPTIMISED }, // AddressSanitizer takes more
);

overBoth('a client may leave at any moment', async (server) => {
    await store(server, numbered(MANY, 900));
    for (let round = 0; round < 10; round++) {
        const stalled = await Promise.all([1, 2, 3, 4].map(() => Stalled.begin(server)));
        stalled.forEach((download) => download.leave());
    }
    assert.equal((await ndjson(server, 'limit=3000')).length, 3000);
    await eventually('nothing to be held for them', async () => {
        return metric(await metrics(server), 'logmill_inflight_bytes') < 10_000;
    });
});

overBoth(
    'a stop waits no longer than it may for a client that takes nothing',
    async (server) => {
        await store(server, numbered(MANY, 900));
        const stalled = await Stalled.begin(server);
        await server.stop();
        assert.equal((await stalled.end()).whole, false);
    },
    { settings: { SHUTDOWN_TIMEOUT: '2' } },
);

overBoth(
    'where the store fails, a download is refused, or visibly not whole',
    async (server, { fail }) => {
        await store(server, numbered(MANY, 900));
        const stalled = await Stalled.begin(server);
        await fail(server);
        assert.equal((await stalled.end()).whole, false);
        const refused = await get(server, '/logs?format=csv');
        assert.equal(refused.status, 503);
        assert.equal(refused.headers['retry-after'], '1');
    },
    { settings: { QUERY_TIMEOUT: '5' } },
);
