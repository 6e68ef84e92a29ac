/*
 * The cache in Redis or Valkey, seen from outside: what X-Cache says, and that no answer is wrong
 * for longer than the rebuild interval, whatever becomes of Redis.
 */
import { strict as assert } from 'node:assert';

import { type Lab, type Logmill, eventually, scenario, sleep } from '../support/harness';
import { get } from '../support/http';
import { type Log, type Page, atRest, postLog, postLogs } from '../support/logs';
import { RedisServer } from '../support/servers/redis';

const REBUILD_SECONDS = 2;
/** From a log's 201 to its being in the store, on a busy machine. */
const STORING_MS = 2000;

interface CachedPage extends Page {
    cache: string | undefined;
}

async function read(server: Logmill, query: string): Promise<CachedPage> {
    const answer = await get(server, `/logs?${query}`);
    assert.equal(answer.status, 200, answer.text);
    const cache = answer.headers['x-cache'];
    return { ...answer.json<Page>(), cache: typeof cache === 'string' ? cache : undefined };
}

function start(lab: Lab, redis: RedisServer, settings: Record<string, string> = {}) {
    return lab.start({
        settings: {
            REDIS_URL: redis.url,
            CACHE_REBUILD_SECONDS: String(REBUILD_SECONDS),
            ...settings,
        },
    });
}

/** A read that the cache answers, once it does. */
function hit(server: Logmill, query: string): Promise<CachedPage> {
    return eventually('a hit', async () => {
        const page = await read(server, query);
        return page.cache === 'hit' && page;
    });
}

/** Posts one log after another, and knows when each was acknowledged. */
class Sequence {
    readonly acknowledged: { n: number; at: number }[] = [];
    private stopping = false;
    private readonly running: Promise<void>;

    constructor(private readonly server: Logmill) {
        this.running = this.post();
    }

    private async post(): Promise<void> {
        for (let n = 0; !this.stopping; n++) {
            await postLog(this.server, { message: 'numbered', level: 'info', n });
            this.acknowledged.push({ n, at: Date.now() });
            await sleep(5);
        }
    }

    /** Fails if a read misses a log that has been there for longer than is allowed. */
    async check(): Promise<string | undefined> {
        const before = Date.now() - REBUILD_SECONDS * 1000 - STORING_MS;
        const page = await read(this.server, 'limit=1000');
        const got = new Set(page.logs.map((log: Log) => log.attributes['n'] as number));
        assert.equal(got.size, page.logs.length, 'a log came twice');
        const oldest = page.next === null ? -1 : Math.min(...got);
        for (const { n, at } of this.acknowledged) {
            assert.ok(
                at > before || n < oldest || got.has(n),
                `log ${n} is missing ${Date.now() - at} ms after its 201 (${page.cache})`,
            );
        }
        return page.cache;
    }

    async stop(): Promise<number> {
        this.stopping = true;
        await this.running;
        return this.acknowledged.length;
    }
}

scenario('without REDIS_URL there is no X-Cache', async (lab) => {
    const server = await lab.start();
    assert.equal((await read(server, 'limit=1')).cache, undefined);
    assert.equal((await read(server, 'limit=1&order=oldest')).cache, undefined);
});

scenario('the last logs and the last minutes come from the cache, older ones do not', async (lab) => {
    const redis = await RedisServer.start(lab);
    const server = await start(lab, redis, { CACHE_LOGS: '100' });
    await postLogs(
        server,
        Array.from({ length: 300 }, (_, n) => ({
            message: `log ${n}`,
            level: n % 2 ? 'info' : 'error',
            timestamp: new Date(Date.now() - 3_600_000 + n * 1000).toISOString(),
        })),
    );
    await atRest(server);
    const messages = (page: Page): string[] => page.logs.map((log) => log.message);
    const expected = (from: number, n: number): string[] =>
        Array.from({ length: n }, (_, i) => `log ${from - i}`);

    const first = await hit(server, 'limit=50');
    assert.deepEqual(messages(first), expected(299, 50));
    const second = await read(server, `limit=40&cursor=${first.next}`);
    assert.equal(second.cache, 'hit');
    assert.deepEqual(messages(second), expected(249, 40));
    const oldest = await read(server, 'limit=1&order=oldest');
    assert.equal(oldest.cache, 'bypass');
    assert.deepEqual(messages(oldest), ['log 0']);
    assert.deepEqual(messages(await hit(server, 'limit=10&offset=80')), expected(219, 10));
    const since = encodeURIComponent(first.logs[9]!.timestamp);
    assert.deepEqual(messages(await hit(server, `since=${since}`)), expected(299, 10));
    assert.equal((await hit(server, 'limit=20&level=ERROR')).logs.length, 20);

    const deep = await read(server, 'limit=50&offset=80');
    assert.equal(deep.cache, 'miss');
    assert.deepEqual(messages(deep), expected(219, 50));

    await postLog(server, { message: 'new', level: 'info' });
    await eventually('the new log', async () => (await read(server, '')).logs[0]?.message === 'new');
    assert.equal((await read(server, 'limit=5')).cache, 'hit');
});

scenario(
    'Redis killed, empty, hanging, back with old data: no read is wrong for long, none fails',
    async (lab) => {
        const redis = await RedisServer.start(lab);
        const server = await start(lab, redis);
        await hit(server, 'limit=1');
        const sequence = new Sequence(server);
        const seen = new Set<string | undefined>();
        const watch = async (ms: number): Promise<void> => {
            for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) {
                seen.add(await sequence.check());
            }
        };
        await watch(1000);
        await redis.kill();
        await watch(1000);
        await redis.start();
        await watch(3000);
        await hit(server, 'limit=1');
        await redis.save();
        await watch(1000);
        await redis.kill();
        await redis.start();
        await watch(3000);
        redis.hang();
        await watch(1500);
        redis.goOn();
        await watch(3000);
        await hit(server, 'limit=1');
        const sent = await sequence.stop();
        await atRest(server);
        assert.deepEqual([...seen].sort(), ['bypass', 'hit']);

        const all = await hit(server, 'limit=1000');
        const numbers = all.logs.map((log) => log.attributes['n'] as number);
        assert.deepEqual(
            numbers,
            Array.from({ length: Math.min(sent, 1000) }, (_, i) => sent - 1 - i),
        );
    },
);

scenario('a wrong password is told in one line, and reads go to the store', async (lab) => {
    const redis = await RedisServer.start(lab, { password: 'right-password' });
    const server = await start(lab, redis, {
        REDIS_URL: redis.url.replace('right-password', 'wrong-password'),
    });
    await postLog(server, { message: 'm', level: 'info' });
    await atRest(server);
    const page = await read(server, '');
    assert.equal(page.cache, 'bypass');
    assert.equal(page.logs.length, 1);
    const told = server.diagnostics().filter((line) => line.level === 'warn');
    assert.equal(told.length, 1, server.stderr);
    assert.match(String(told[0]!['reason']), /WRONGPASS/);
    assert.doesNotMatch(server.stderr, /wrong-password/);
});

scenario('a REDIS_URL that cannot be used stops the start, and its password is not told', async (lab) => {
    for (const url of ['http://u:secret@h', 'redis://u:secret@h:0', 'redis://secret@h']) {
        const server = lab.launch({ settings: { REDIS_URL: url } });
        assert.notEqual((await server.refuses()).code, 0);
        assert.match(server.stderr, /REDIS_URL/);
        assert.doesNotMatch(server.stderr, /secret/);
    }
});
