/*
 * GET /logs/tail of several apis over PostgreSQL that several workers store to, with Redis and
 * without, while all of them are killed and started again.
 */
import { strict as assert } from 'node:assert';

import { type Lab, type Logmill, eventually, scenario } from '../support/harness';
import { Load } from '../support/load';
import { type Log, postLog, postLogs } from '../support/logs';
import { type Cloud, type Site, sharedCloud } from '../support/servers/cloud';
import { Tail } from '../support/sse';

const { cloud, end } = sharedCloud();

const WITHOUT_REDIS = { REDIS_URL: '' };
const FILTER = 'attr.k=0&q=client%201';

function isPicked(log: Log): boolean {
    return log.attributes['k'] === 0 && log.message.startsWith('client 1');
}

/** That `tail` got exactly these logs, each once. */
async function verifyWhole(tail: Tail, wanted: Log[]): Promise<void> {
    await tail.has(wanted.length);
    assert.deepEqual(tail.events, []);
    const got = tail.logs.map((log) => log.id);
    assert.equal(new Set(got).size, got.length, 'none twice');
    assert.deepEqual(got.sort(), wanted.map((log) => log.id).sort());
}

interface Stage {
    site: Site;
    cloud: Cloud;
    apis: (Logmill | undefined)[];
    workers: Logmill[];
    startApi: () => Promise<Logmill>;
    startWorker: () => Promise<Logmill>;
    /** Until so many more logs were answered 201. */
    taken: (n: number) => Promise<void>;
}

/**
 * Two apis, three workers of several threads, clients that send to both apis, and on each api a tail
 * of all and one with a filter; then `faults`; then each tail must have got each log once.
 */
async function onStage(
    lab: Lab,
    settings: Record<string, string>,
    faults: (stage: Stage) => Promise<void>,
): Promise<void> {
    const the = await cloud();
    const site = await the.site({ visibilityTimeout: 1 });
    Object.assign(site.settings, settings);
    const startApi = (): Promise<Logmill> => site.api(lab);
    const startWorker = (): Promise<Logmill> => site.worker(lab, { WORKER_THREADS: '2' });
    const workers = await Promise.all([startWorker(), startWorker(), startWorker()]);
    const apis: (Logmill | undefined)[] = await Promise.all([startApi(), startApi()]);
    const tails = [0, 1].flatMap((n) => [
        new Tail(() => apis[n]),
        new Tail(() => apis[n], { query: FILTER }),
    ]);
    await eventually('all to follow', async () => tails.every((tail) => tail.lastId !== ''));
    let turn = 0;
    const load = new Load(
        () => apis[turn++ % 2] ?? apis[turn++ % 2],
        ['single', 'single', 'batch', 'batch', 'retry', 'retry'],
    );
    load.pauseMs = 5;
    const taken = async (n: number): Promise<void> => {
        const before = load.acknowledged;
        await eventually('logs to be taken', async () => load.acknowledged >= before + n);
    };
    try {
        await taken(100);
        await faults({ site, cloud: the, apis, workers, startApi, startWorker, taken });
        await taken(100);
    } finally {
        await load.stop();
    }
    await site.verify(load);
    const rows = await site.rows();
    for (const [n, tail] of tails.entries()) {
        await verifyWhole(tail, n % 2 === 0 ? rows : rows.filter(isPicked));
        tail.close();
    }
}

async function killInTurn({ apis, workers, startApi, startWorker, taken }: Stage): Promise<void> {
    for (let round = 0; round < 4; round++) {
        const n = round % 2;
        const api = apis[n]!;
        apis[n] = undefined;
        await Promise.all([api.kill(), workers[n]!.kill()]);
        await taken(50);
        [apis[n], workers[n]] = await Promise.all([startApi(), startWorker()]);
        await taken(50);
    }
}

scenario('a log comes to the tails of every api, told by Redis', async (lab) => {
    const site = await (await cloud()).site();
    const [one, two] = await Promise.all([site.api(lab), site.api(lab), site.worker(lab)]);
    const tails = await Promise.all([Tail.open(one), Tail.open(two)]);
    const late = { message: 'late', level: 'info', timestamp: '2001-02-03T04:05:06Z' };
    for (let n = 1; n <= 5; n++) {
        await postLog(one, n === 3 ? late : { message: `log ${n}`, level: 'info' });
        await Promise.all(tails.map((tail) => tail.has(n)));
    }
    const rows = await site.rows();
    for (const tail of tails) {
        await verifyWhole(tail, rows);
        tail.close();
    }
});

scenario('kills of apis and workers: with Redis', (lab) => onStage(lab, {}, killInTurn));

scenario('kills of apis and workers: without Redis', (lab) => {
    return onStage(lab, WITHOUT_REDIS, killInTurn);
});

scenario('kills of PostgreSQL and Redis, and sessions that are ended', (lab) => {
    return onStage(lab, {}, async ({ cloud: the, taken }) => {
        for (let round = 0; round < 2; round++) {
            await the.postgres.endSessions();
            await taken(50);
            await the.redis.kill();
            await taken(50);
            await the.postgres.kill();
            await taken(50);
            await the.postgres.start();
            await the.redis.start();
            await taken(50);
        }
    });
});

scenario('an open transaction holds later logs back, and none is left out', async (lab) => {
    const the = await cloud();
    const site = await the.site();
    const [api] = await Promise.all([site.api(lab), site.worker(lab)]);
    await postLog(api, { message: 'before', level: 'info' });
    await site.stored(1);
    const tail = await Tail.open(api);
    await the.postgres.holding('CREATE TABLE somebodys (n int)', async () => {
        await postLog(api, { message: 'meanwhile', level: 'info' });
        await site.stored(2);
    });
    await tail.has(1);
    assert.deepEqual(tail.messages, ['meanwhile']);
    tail.close();
});

scenario('after hours without a log, nothing is said to be lost', async (lab) => {
    const the = await cloud();
    const site = await the.site({ visibilityTimeout: 1 });
    const [api, first] = await Promise.all([site.api(lab), site.worker(lab)]);
    const tail = await Tail.open(api);
    await postLogs(api, [{ message: 'long ago', level: 'info' }]);
    await tail.has(1);
    await first.stop();
    await the.postgres.query("UPDATE arrivals SET stored = stored - interval '2 hours'");
    await the.postgres.query(
        'INSERT INTO arrivals (transaction, timestamps, ids) ' +
            "SELECT '99999999999', timestamps, ids FROM arrivals", // of a dump of another server
    );
    await site.worker(lab); // which looks for what to forget when it stores first
    await postLog(api, { message: 'at last', level: 'info' });
    await tail.has(2);
    assert.deepEqual([tail.messages, tail.events], [['long ago', 'at last'], []]);
    const [{ n }] = (await the.postgres.query('SELECT count(*)::int AS n FROM arrivals')) as [
        { n: number },
    ];
    assert.equal(n, 2, 'the last before the horizon is kept');
    tail.close();
});

scenario('from past the horizon, a tail says what is lost', async (lab) => {
    const the = await cloud();
    const site = await the.site({ visibilityTimeout: 1 });
    const [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
    const first = await Tail.open(api);
    const send = async (message: string, n: number): Promise<void> => {
        await postLog(api, { message, level: 'info' });
        await first.has(n);
    };
    await send('first', 1);
    const place = first.lastId;
    await send('forgotten', 2);
    await send('kept', 3);
    first.close();
    await worker.stop();
    await the.postgres.query("UPDATE arrivals SET stored = stored - interval '2 hours'");
    await site.worker(lab);
    await postLog(api, { message: 'known', level: 'info' });
    await site.stored(4);
    const late = await Tail.open(api, { lastId: place });
    await eventually('the last', async () => late.messages.includes('known'));
    assert.deepEqual([late.events, late.messages], [['lost'], ['kept', 'known']]);
    late.close();
    const foreign = await Tail.open(api, { lastId: '999999999-7-1' });
    await eventually('an event', async () => foreign.events.length > 0);
    assert.deepEqual([foreign.events, foreign.messages], [['lost'], []]);
    assert.equal(foreign.lastId, late.lastId);
    foreign.close();
});

end();
