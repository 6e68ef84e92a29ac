/*
 * Processes of logmill that are killed or told to stop while numbered logs are sent: what was
 * answered 201 is stored exactly once, in order.
 */
import { strict as assert } from 'node:assert';

import { type Logmill, STOP_MS, eventually, scenario, sleep } from '../support/harness';
import { get } from '../support/http';
import { Load } from '../support/load';
import { postLogs } from '../support/logs';
import { assertBalanced, sharedCloud } from '../support/servers/cloud';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 5);

const { cloud, end } = sharedCloud();

async function taken(load: Load, n: number): Promise<void> {
    const before = load.acknowledged;
    await eventually('logs to be taken', async () => load.acknowledged >= before + n);
}

scenario('kill -9 of the worker at any moment, again and again', async (lab) => {
    const site = await (await cloud()).site({ visibilityTimeout: 1 });
    const api = await site.api(lab);
    const load = new Load(() => api, ['single', 'single', 'single', 'batch', 'batch', 'retry']);
    let worker: Logmill;
    try {
        for (let round = 0; round < ROUNDS; round++) {
            worker = await site.worker(lab);
            await taken(load, 50);
            await sleep(Math.random() * 1000);
            await worker.kill();
        }
        worker = await site.worker(lab);
        await taken(load, 50);
    } finally {
        await load.stop();
    }
    assert.deepEqual(load.refusals, [], 'the api noticed nothing');
    assert.equal(load.failures, 0);
    await site.verify(load);
    const account = await site.account([api]);
    assert.equal(account.accepted, load.acknowledged);
    assert.equal((await site.rows()).length, account.accepted);
});

scenario('kill -9 of api and worker at any moment, two of each', async (lab) => {
    const site = await (await cloud()).site({ visibilityTimeout: 1 });
    const apis: (Logmill | undefined)[] = await Promise.all([site.api(lab), site.api(lab)]);
    const workers = await Promise.all([site.worker(lab), site.worker(lab)]);
    let turn = 0;
    const load = new Load(
        () => apis[turn++ % 2] ?? apis[turn++ % 2],
        ['single', 'single', 'single', 'batch', 'batch', 'retry', 'retry'],
    );
    try {
        for (let round = 0; round < ROUNDS; round++) {
            const n = round % 2;
            await taken(load, 50);
            await sleep(Math.random() * 500);
            const killed = apis[n]!;
            apis[n] = undefined;
            await Promise.all([killed.kill(), workers[1 - n]!.kill()]);
            [apis[n], workers[1 - n]] = await Promise.all([site.api(lab), site.worker(lab)]);
        }
        await taken(load, 50);
    } finally {
        await load.stop();
    }
    assert.deepEqual(load.refusals, []);
    await site.verify(load);
});

scenario(
    'SIGTERM of api and worker under load: both end within 10 s, what was answered 201 is stored by the next ones',
    async (lab) => {
        const site = await (await cloud()).site();
        const first = await Promise.all([site.api(lab), site.worker(lab)]);
        let api: Logmill | undefined = first[0];
        const load = new Load(
            () => api,
            ['single', 'single', 'single', 'single', 'batch', 'batch', 'retry'],
        );
        try {
            await taken(load, 300);
            first.forEach((process) => process.signal('SIGTERM'));
            for (const process of first) {
                const ended = await process.waitForEnd(STOP_MS);
                assert.deepEqual(ended, { code: 0, signal: null }, process.stderr);
            }
            api = undefined;
            await sleep(50);
            const next = await Promise.all([site.api(lab), site.worker(lab)]);
            api = next[0];
            await taken(load, 100);
        } finally {
            await load.stop();
        }
        assert.deepEqual(
            load.refusals.filter((status) => status !== 503),
            [],
        );
        await site.verify(load);
    },
);

scenario('a worker that is told to stop returns at once what it has not stored', async (lab) => {
    // A visibility timeout that nobody would wait for: 5 minutes.
    const site = await (await cloud()).site({ visibilityTimeout: 300 });
    const [api, first] = await Promise.all([site.api(lab), site.worker(lab)]);
    const load = new Load(() => api, ['single', 'single', 'batch']);
    let next: Logmill;
    try {
        for (let round = 0; round < 3; round++) {
            await taken(load, 100);
            const worker = round === 0 ? first : next!;
            await worker.stop();
            next = await site.worker(lab);
        }
        await taken(load, 50);
    } finally {
        await load.stop();
    }
    await site.atRest();
    await site.verify(load);
    assert.deepEqual(load.refusals, []);
});

/** The default is 8 s, which leaves 2 of the 10 that are promised; so it is here. */
const SHORT_STOP = { SHUTDOWN_TIMEOUT: '3' };

/** SIGTERM to processes with SHORT_STOP; fails if one does not end well soon after that. */
async function stopInTime(processes: Logmill[]): Promise<void> {
    const end = Date.now() + STOP_MS; // it is 2 s on a machine that does nothing else
    processes.forEach((process) => process.signal('SIGTERM'));
    for (const process of processes) {
        const ended = await process.waitForEnd(end - Date.now());
        assert.deepEqual(ended, { code: 0, signal: null }, process.stderr);
    }
}

for (const [what, begin, after] of [
    ['hangs', 'hang', 'goOn'],
    ['is away', 'kill', 'ensure'],
] as const) {
    scenario(
        `SIGTERM ends both in time though PostgreSQL ${what}, and nothing is lost`,
        async (lab) => {
            const site = await (await cloud()).site({ visibilityTimeout: 2 });
            const { postgres } = site.cloud;
            const [api, worker] = await Promise.all([
                site.api(lab, SHORT_STOP),
                site.worker(lab, SHORT_STOP),
            ]);
            const load = new Load(() => api, ['single', 'single', 'batch']);
            lab.finally(() => postgres[after]());
            const reads: Promise<unknown>[] = [];
            try {
                await taken(load, 100);
                await postgres[begin]();
                await taken(load, 100);
                reads.push(get(api, '/logs?q=nothing').catch(() => {}));
                await sleep(500);
            } finally {
                await load.stop();
            }
            await stopInTime([api, worker]);
            await Promise.all(reads);
            await postgres[after]();
            const next = await site.worker(lab);
            await site.verify(load);
            await next.stop();
        },
    );
}

scenario('SIGTERM ends both in time though SQS hangs, and nothing is lost', async (lab) => {
    const site = await (await cloud()).site({ visibilityTimeout: 2 });
    const proxy = await site.proxy(lab);
    const [api, worker] = await Promise.all([
        site.api(lab, SHORT_STOP),
        site.worker(lab, SHORT_STOP),
    ]);
    let target: Logmill | undefined = api;
    const load = new Load(() => target, ['single', 'single', 'batch']);
    try {
        await taken(load, 100);
        proxy.fault = () => 'hang';
        await sleep(500);
        await stopInTime([api, worker]);
        target = undefined;
    } finally {
        await load.stop();
    }
    assert.deepEqual(
        load.refusals.filter((status) => status !== 503),
        [],
    );
    proxy.fault = () => undefined;
    const next = await site.worker(lab);
    await site.verify(load);
    await next.stop();
});

scenario('an idle worker ends at once when it is told to, though it waits for SQS', async (lab) => {
    const site = await (await cloud()).site();
    const worker = await site.worker(lab, { SHUTDOWN_TIMEOUT: '60' });
    await sleep(1500);
    const started = Date.now();
    await worker.stop();
    assert.ok(Date.now() - started < 17_000, `after ${Date.now() - started} ms, not the 20 s of a wait`);
});

scenario(
    '`serve` does over SQS and PostgreSQL what api and worker do, and adds up alone',
    async (lab) => {
        const site = await (await cloud()).site();
        const serve = await lab.start({ command: 'serve', settings: site.settings });
        await postLogs(
            serve,
            Array.from({ length: 500 }, (_, n) => ({ message: 'one process', level: 'info', n })),
        );
        await site.stored(500);
        await site.atRest();
        const account = await site.account([serve]);
        assert.equal(account.accepted, 500);
        assert.equal(account.stored, 500);
        assertBalanced(account);
    },
);

scenario(
    'METRICS_PORT of a worker serves /metrics, /health and /ready, and nothing else',
    async (lab) => {
        const site = await (await cloud()).site();
        const worker = await site.worker(lab);
        assert.equal((await get(worker, '/health')).status, 200);
        assert.equal((await get(worker, '/ready')).status, 200);
        assert.match((await get(worker, '/metrics')).text, /^logmill_logs_stored_total 0$/m);
        assert.equal((await get(worker, '/logs')).status, 404);
        const silent = await site.worker(lab, { METRICS_PORT: '0' });
        assert.equal(silent.port, 0);
    },
);

end();
