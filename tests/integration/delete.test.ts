/* `logmill delete`: what it deletes is gone from everywhere, and stays gone; all else stays. */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import * as path from 'node:path';

import { type Lab, type Logmill, type Ran, eventually, run, BINARY, runLogmill, scenario, sleep } from '../support/harness';
import { type Answer, get, post, request } from '../support/http';
import { type Log, allLogs, atRest, postLogs, uuid7 } from '../support/logs';
import { PostgresServer } from '../support/servers/postgres';
import { RedisServer } from '../support/servers/redis';
import { Tail } from '../support/sse';

type Settings = Record<string, string>;

const LOGS = 300;

/** Every third is to be forgotten. */
function made(n: number): Record<string, unknown> {
    const ms = Date.now() - 2000 + n;
    return {
        id: uuid7(ms),
        timestamp: new Date(ms).toISOString(),
        level: n % 2 === 0 ? 'info' : 'error',
        message: n % 3 === 0 ? `card 4711-${n}` : `fine ${n}`,
        n,
        user: `u${n % 3}`,
    };
}

async function fill(server: Logmill): Promise<Record<string, unknown>[]> {
    const logs = Array.from({ length: LOGS }, (_, n) => made(n));
    for (let at = 0; at < LOGS; at += 50) {
        await postLogs(server, logs.slice(at, at + 50));
    }
    await atRest(server);
    return logs;
}

function isForgotten(log: Log): boolean {
    return log.message.startsWith('card');
}

async function deletes(args: string[], settings: Settings): Promise<Ran> {
    const ran = await runLogmill(['delete', ...args, '--yes', '--reason', 'they asked'], settings);
    assert.equal(ran.code, 0, ran.stderr);
    return ran;
}

async function count(server: Logmill, query = ''): Promise<number> {
    const answer = await get(server, `/logs/stats?since=2020-01-01T00:00:00Z&bucket=86400000&${query}`);
    assert.equal(answer.status, 200, answer.text);
    const { buckets } = answer.json<{ buckets: { total: number }[] }>();
    return buckets.reduce((sum, bucket) => sum + bucket.total, 0);
}

/** All that a tail is given from `lastId` on, until it has the log with the message `until`. */
async function replayed(server: Logmill, lastId: string, until: string): Promise<Log[]> {
    const tail = await Tail.open(server, { lastId, comesBack: false });
    await eventually('the replay', async () => tail.logs.some((log) => log.message === until));
    tail.close();
    return tail.logs;
}

/** Nothing of what was deleted is anywhere, and nothing else is missing. */
async function assertGone(server: Logmill, sent: Record<string, unknown>[]): Promise<void> {
    const left = await allLogs(server);
    assert.equal(left.filter(isForgotten).length, 0);
    assert.equal(left.length, (LOGS * 2) / 3);
    assert.equal(await count(server), (LOGS * 2) / 3);
    assert.equal(await count(server, 'q=card'), 0);
    assert.equal((await get(server, `/logs/${sent[0]!['id']}`)).status, 404);
    assert.equal((await get(server, `/logs/${sent[1]!['id']}`)).status, 200);
    assert.equal((await get(server, '/logs?q=card&limit=1')).json<{ logs: Log[] }>().logs.length, 0);
}

/** The promises, on any store. */
async function checkDeleting(server: Logmill, settings: Settings): Promise<void> {
    const before = await Tail.open(server);
    const lastId = before.lastId;
    const sent = await fill(server);
    await eventually('the tail to have all', async () => before.logs.length === LOGS);
    const last = `fine ${LOGS - 1}`;
    assert.equal((await replayed(server, lastId, last)).length, LOGS);

    await deletes(['-q', 'card 4711'], settings);
    await assertGone(server, sent);
    await eventually('the replay to be without it', async () => {
        const logs = await replayed(server, lastId, last);
        assert.ok(logs.length >= (LOGS * 2) / 3);
        return logs.filter(isForgotten).length === 0;
    });
    before.close();

    // A message that comes again does not bring it back; a new one is stored.
    await postLogs(server, sent.slice(0, 30));
    await postLogs(server, [{ ...made(999), message: 'new' }]);
    await atRest(server);
    await eventually('the new one', async () => (await allLogs(server, 'q=new')).length === 1);
    assert.equal((await allLogs(server)).filter(isForgotten).length, 0);
    await deletes(['-q', 'new'], settings);
    await assertGone(server, sent);
}

scenario('what is deleted while the server runs is gone at once, from everywhere, and stays gone', async (lab) => {
    const folder = lab.folder();
    let server = await lab.start({ settings: { WEB_CONCURRENCY: '1' } }, folder);
    await checkDeleting(server, { DATA_DIR: server.dataDir });
    await server.stop();
    server = await lab.start({}, folder);
    const left = await allLogs(server);
    assert.equal(left.length, (LOGS * 2) / 3);
    assert.equal(left.filter(isForgotten).length, 0);
});

scenario('in PostgreSQL, with a cache, the same is true, of the cache, too', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    const redis = await RedisServer.start(lab);
    const settings = {
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        CACHE_REBUILD_SECONDS: '3600',
    };
    const server = await lab.start({ settings: { WEB_CONCURRENCY: '1', ...settings } });
    await checkDeleting(server, { ...settings, DATA_DIR: server.dataDir });
    const isHit = async () => (await get(server, '/logs?limit=10')).headers['x-cache'] === 'hit';
    await eventually('a hit', isHit);
    const page = (await get(server, '/logs?limit=10')).json<{ logs: Log[] }>().logs;
    await deletes(['--attr', `n=${page[0]!.attributes['n']}`], { ...settings, DATA_DIR: server.dataDir });
    // At once: the set that had it would have been good for an hour.
    const after = (await get(server, '/logs?limit=10')).json<{ logs: Log[] }>().logs;
    assert.equal(after[0]!.id, page[1]!.id);
    await eventually('a hit', isHit);
    const again = (await get(server, '/logs?limit=10')).json<{ logs: Log[] }>().logs;
    assert.equal(again[0]!.id, page[1]!.id);
});

/** The files of the folder in which the text is. */
function filesWith(folder: string, text: string): string[] {
    return readdirSync(folder)
        .map((name) => path.join(folder, name))
        .filter((file) => statSync(file).isFile() && readFileSync(file).includes(text));
}

scenario('what is deleted is in no file some time later', async (lab) => {
    const folder = lab.folder();
    const settings = { LOGMILL_STORE_SIZES: 'block_rows=64,seal_rows=100,keep_rows=20,segment_blocks=4' };
    const server = await lab.start({ settings }, folder);
    const words = ['SECRETALPHA', 'SECRETBETA', 'SECRETGAMMA'];
    const others = Array.from({ length: 200 }, (_, n) => ({ level: 'info', message: `other ${n} ${'z'.repeat(n)}` }));
    // In blocks at last, in recent logs that are written anew again and again, and in the newest.
    for (const word of words) {
        await postLogs(server, [{ level: 'info', message: `${word} `.repeat(300) }, ...others]);
        await postLogs(server, [{ level: 'info', message: `${word}1`, attributes: { card: `${word}2` } }]);
        await postLogs(server, others.slice(0, 30));
    }
    await atRest(server);
    await eventually('all to be stored', async () => (await count(server)) === 3 * 232);
    assert.ok(filesWith(folder, 'SECRETGAMMA').length > 0);
    assert.ok(filesWith(folder, 'SECRETALPHA').length > 0);
    await deletes(['-q', 'SECRET'], { DATA_DIR: folder, ...settings });
    await eventually(
        'it to be in no file',
        async () => words.every((word) => filesWith(folder, word).length === 0),
    );
    assert.equal(await count(server), 3 * 230);
    assert.equal((await allLogs(server)).length, 3 * 230);
});

scenario('without --yes it only counts, and prints the line that deletes just these', async (lab) => {
    const server = await lab.start();
    const settings = { DATA_DIR: server.dataDir };
    const sent = await fill(server);
    const cards = sent.filter((log) => String(log['message']).startsWith('card'));
    const dry = await runLogmill(['delete', '--data-dir', server.dataDir, '-q', "card 4711", '--since', '2h']);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^100 logs match; nothing was deleted$/m);
    assert.ok(dry.stdout.includes(`oldest  ${String(cards[0]!['timestamp']).slice(0, -1)}000Z`), dry.stdout);
    assert.ok(dry.stdout.includes(`newest  ${String(cards.at(-1)!['timestamp']).slice(0, -1)}000Z`), dry.stdout);
    assert.equal((await allLogs(server)).length, LOGS);
    // What comes between is not deleted.
    await sleep(5);
    await postLogs(server, [{ message: 'card 4711-x', level: 'info' }]);
    await atRest(server);
    const line = dry.stdout.split('\n').find((text) => text.startsWith('  logmill delete'))!;
    const shell = line.trim().replace(/^logmill/, `"$LOGMILL"`).replace('--reason TEXT', "--reason 'they asked'");
    const ran = await run(['sh', '-c', shell], { settings: { LOGMILL: BINARY } });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^deleted 100 logs$/m);
    assert.equal((await allLogs(server)).length, LOGS - 100 + 1);
    assert.match((await deletes(['--all'], settings)).stdout, /^deleted 201 logs$/m);
    assert.equal((await allLogs(server)).length, 0);
    assert.match((await deletes(['--all'], settings)).stdout, /^deleted 0 logs$/m);
});

scenario('the diagnostics say who deleted how many and why, and no text or value', async (lab) => {
    const folder = lab.folder();
    const server = await lab.start({}, folder);
    await fill(server);
    await server.stop(); // no server is needed
    const { stderr } = await deletes(
        ['-q', 'card 4711', '--attr', 'user=u0', '--not-level', 'debug', '--until', '2100-01-01'],
        { DATA_DIR: server.dataDir },
    );
    const lines = stderr.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    const done = lines.find((line) => line['msg'] === 'deleted logs')!;
    assert.equal(done['deleted'], 100);
    assert.equal(done['reason'], 'they asked');
    assert.equal(typeof done['user'], 'string');
    assert.match(String(done['conditions']), /--text … --attr user=… --not-level debug --until 2100-01-01/);
    assert.ok(!/4711|u0/.test(stderr), stderr);
});

scenario('every filter deletes what query finds with it', async (lab: Lab) => {
    const server = await lab.start();
    const settings = { DATA_DIR: server.dataDir };
    await fill(server);
    const middle = (await allLogs(server))[150]!.timestamp;
    for (const args of [
        ['--level', 'ERROR', '--not-text', 'fine', '--until', middle],
        ['--not-level', 'error', '--not-attr', 'user=u1', '--since', middle],
        ['--attr', 'n=7'],
        ['-q', 'FINE', '--level', 'info'],
    ]) {
        const found = await runLogmill(['query', '--all', '--output', 'json', ...args, '--url', `http://127.0.0.1:${server.port}`]);
        assert.equal(found.code, 0, found.stderr);
        const gone = new Set(found.stdout.trim().split('\n').map((line) => (JSON.parse(line) as Log).id));
        const before = await allLogs(server);
        await deletes(args, settings);
        const left = (await allLogs(server)).map((log) => log.id);
        assert.ok(gone.size > 0);
        assert.deepEqual(left, before.map((log) => log.id).filter((id) => !gone.has(id)));
    }
});

scenario('what is not meant is refused, and deletes nothing', async (lab: Lab) => {
    const server = await lab.start();
    await fill(server);
    const settings = { DATA_DIR: server.dataDir };
    for (const [args, reason] of [
        [[], /which logs\?/],
        [['--yes', '--reason', 'x'], /which logs\?/],
        [['--all', '--level', 'info', '--yes', '--reason', 'x'], /--all is for all logs/],
        [['--all', '--yes'], /--yes needs --reason/],
        [['--all', '--yes', '--reason', ''], /--yes needs --reason/],
        [['--since', 'last week', '--yes', '--reason', 'x'], /--since: "last week" is no time/],
        [['--attr', 'n', '--yes', '--reason', 'x'], /NAME=VALUE/],
        [['--levle', 'info', '--yes', '--reason', 'x'], /--levle/],
        [['everything', '--all', '--yes', '--reason', 'x'], /--all is for all logs: not with a condition/],
        [['', '--yes', '--reason', 'x'], /no condition of these leaves any log out/],
        [['  ', ' ', '--yes', '--reason', 'x'], /no condition of these leaves any log out/],
        [['*', '--yes', '--reason', 'x'], /no condition of these leaves any log out/],
        [['--text', '', '--yes', '--reason', 'x'], /no condition of these leaves any log out/],
        [['level:', '--yes', '--reason', 'x'], /^ {2}level:\n {8}\^\nlogmill delete: at character 7: /],
        [['-q', 'y'.repeat(2000), '--yes', '--reason', 'x'], /at most 1000 characters/],
    ] as [string[], RegExp][]) {
        const ran = await runLogmill(['delete', ...args], settings);
        assert.equal(ran.code, 2, args.join(' '));
        assert.match(ran.stderr, reason);
    }
    const nowhere = await runLogmill(['delete', '--all', '--yes', '--reason', 'x'], { DATA_DIR: lab.folder() });
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /holds no data/);
    assert.equal((await allLogs(server)).length, LOGS);
    const answer = await post(server, '/logs/delete', '{}');
    assert.ok(answer.status === 404 || answer.status === 405); // the route comes with the keys
});

scenario('a tail that is behind is given no log that was deleted meanwhile', async (lab) => {
    const server = await lab.start({ settings: { WEB_CONCURRENCY: '1' } });
    const tail = await Tail.open(server);
    tail.pause();
    // More than its socket takes, less than the server keeps for tails a little behind.
    for (let batch = 0; batch < 8; batch++) {
        await postLogs(
            server,
            Array.from({ length: 50 }, () => ({ message: 'x'.repeat(16_000), level: 'info' })),
        );
    }
    await postLogs(
        server,
        Array.from({ length: 20 }, (_, n) => ({ message: `card ${n}`, level: 'info' })),
    );
    await atRest(server);
    await deletes(['-q', 'card'], { DATA_DIR: server.dataDir });
    await sleep(10_000); // it looks every two seconds
    tail.resume();
    await postLogs(server, [{ message: 'the end', level: 'info' }]);
    await eventually('the end', async () => tail.messages.includes('the end'));
    assert.equal(tail.logs.filter(isForgotten).length, 0);
    assert.equal(tail.logs.length, 8 * 50 + 1);
    tail.close();
});

/* ---- DELETE /logs ---- */

async function makeKey(file: string, name: string, role: string): Promise<string> {
    const ran = await runLogmill(['keys', 'add', name, '--role', role], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

scenario('DELETE /logs counts and deletes what matches, for an admin, with a reason', async (lab) => {
    const file = path.join(lab.folder(), 'keys');
    const keys = {
        boss: await makeKey(file, 'boss', 'admin'),
        reader: await makeKey(file, 'reader', 'read'),
        writer: await makeKey(file, 'writer', 'write'),
    };
    const server = await lab.start({ settings: { KEYS_FILE: file, ANONYMOUS: 'all' } });
    const asks = (query: string, key?: string, more: Record<string, string> = {}): Promise<Answer> =>
        request(server, {
            method: 'DELETE',
            path: `/logs${query}`,
            headers: { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...more },
        });
    await fill(server);

    assert.equal((await asks('?all=1&dry_run=1')).status, 401);
    assert.equal((await asks('?all=1&dry_run=1', keys.reader)).status, 403);
    assert.equal((await asks('?all=1&dry_run=1', keys.writer)).status, 403);
    for (const [query, says] of [
        ['', /"reason"/],
        ['?query=card', /"reason".*Field required/],
        ['?reason=why', /either a condition/],
        ['?query=*&dry_run=1', /either a condition/],
        ['?query=&reason=why', /either a condition|query/],
        ['?query=*%20*&dry_run=1', /either a condition/],
        ['?query=message:*%20OR%20level:*&reason=why', /either a condition/],
        ['?query=card%20OR%20(message:*%20timestamp:*)&reason=why', /either a condition/],
        ['?query=card&all=1&reason=why', /either a condition/],
        ['?query=card&reason=%20', /should say why/],
        ['?query=card&reason=%00abc', /no control characters/],
        ['?query=card&reason=abc%0Adef', /no control characters/],
        ['?query=card&reason=%C2%9Babc', /no control characters/],
        ['?query=card&reason=why&limit=5', /limit/],
        ['?query=(card&reason=why', /query_parsing/],
        [`?query=card&reason=${'x'.repeat(1001)}`, /at most 1000 bytes/],
        ['?query=card&dry_run=2', /dry_run/],
    ] as const) {
        const answer = await asks(query, keys.boss);
        assert.equal(answer.status, 422, `${query}: ${answer.text}`);
        assert.match(answer.text, says, query);
    }
    assert.equal(await count(server), LOGS);

    const counted = await asks('?query=card&dry_run=1', keys.boss);
    assert.equal(counted.status, 200, counted.text);
    assert.deepEqual(counted.json(), { matching: LOGS / 3 });
    assert.equal(await count(server), LOGS);
    const by = { 'X-Forwarded-For': '203.0.113.9' }; // said by one of TRUSTED_PROXIES
    const deleted = await asks('?query=card&reason=they%20asked', keys.boss, by);
    assert.equal(deleted.status, 200, deleted.text);
    assert.deepEqual(deleted.json(), { deleted: LOGS / 3 });
    assert.equal((await allLogs(server)).filter(isForgotten).length, 0);
    assert.equal(await count(server), (LOGS / 3) * 2);
    const told = /deleted logs.*"key":"boss","address":"203\.0\.113\.9","reason":"they asked","deleted":100/;
    assert.match(server.stderr, told);
    assert.ok(!server.stderr.includes('card'));
    const all = await asks('?all=1&reason=end', keys.boss);
    assert.deepEqual(all.json(), { deleted: (LOGS / 3) * 2 });
    assert.match(server.stderr, /"key":"boss","address":"127\.0\.0\.1","reason":"end"/);
    assert.equal(await count(server), 0);
    // Logs go on to be taken, and those that come anew stay.
    await postLogs(server, [made(0)]);
    await atRest(server);
});

scenario('without keys nobody deletes over HTTP', async (lab) => {
    const server = await lab.start();
    await fill(server);
    const answer = await request(server, { method: 'DELETE', path: '/logs?all=1&reason=x' });
    assert.equal(answer.status, 403);
    assert.equal(await count(server), LOGS);
});
