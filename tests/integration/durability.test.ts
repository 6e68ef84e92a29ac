/* Nothing that was answered 201 is lost: kill -9, SIGTERM, processes apart, full disks. */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

import { type Lab, type Logmill, STOP_MS, eventually, run, scenario, sleep } from '../support/harness';
import { RawConnection, get, post, rawPost } from '../support/http';
import { Load } from '../support/load';
import { allLogs, atRest, metric, metrics, postLog, postLogs, stored } from '../support/logs';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 5);

function randomBetween(low: number, high: number): number {
    return low + Math.random() * (high - low);
}

scenario(
    'after kill -9 at any moment, every log answered 201 is there exactly once, in order',
    async (lab) => {
        const folder = lab.folder();
        let server: Logmill | undefined;
        const habits = [
            'single',
            'single',
            'single',
            'single',
            'batch',
            'batch',
            'retry',
            'retry',
        ] as const;
        const load = new Load(() => server, [...habits]);
        try {
            for (let round = 0; round < ROUNDS; round++) {
                const started = await lab.start({ settings: { WEB_CONCURRENCY: '2' } }, folder);
                server = started;
                const before = load.acknowledged;
                await eventually(
                    'some logs to be taken',
                    async () => load.acknowledged > before + 20,
                );
                await sleep(randomBetween(0, 700));
                server = undefined;
                await started.kill();
            }
            server = await lab.start({}, folder);
            const before = load.acknowledged;
            await eventually(
                'clients to go on after the last restart',
                async () => load.acknowledged > before + 20,
            );
        } finally {
            await load.stop();
        }
        assert.deepEqual(
            load.refusals.filter((status) => status !== 503),
            [],
        );
        await atRest(server!);
        await load.verify(server!);
    },
);

scenario('kill -9 in the middle of a start loses nothing either', async (lab) => {
    const folder = lab.folder();
    const first = await lab.start({}, folder);
    await postLogs(
        first,
        Array.from({ length: 200 }, (_, n) => ({ message: 'kept', level: 'info', n })),
    );
    await first.kill();
    for (let round = 0; round < 6; round++) {
        const starting = lab.launch({}, folder);
        await sleep(randomBetween(0, 200));
        await starting.kill();
    }
    const last = await lab.start({}, folder);
    await atRest(last);
    assert.equal((await allLogs(last)).length, 200);
});

scenario(
    'SIGTERM under load answers what is in flight, exits 0 within 10 s and loses nothing',
    async (lab) => {
        const folder = lab.folder();
        const first = await lab.start({ settings: { WEB_CONCURRENCY: '2' } }, folder);
        let target: Logmill | undefined = first;
        const load = new Load(
            () => target,
            ['single', 'single', 'single', 'batch', 'batch', 'retry'],
        );
        // A request that has begun when the signal comes, and is finished after it:
        const begun = await RawConnection.open(first);
        const text = rawPost(
            '/log',
            JSON.stringify({ message: 'begun before the stop '.padEnd(500_000, '.'), level: 'info' }),
        );
        try {
            await eventually('some logs to be taken', async () => load.acknowledged > 100);
            begun.send(text.slice(0, -10));
            await eventually('it to be begun', async () => {
                const held = 'logmill_inflight_class_bytes{class="bodies"}';
                return metric(await metrics(first), held) > 400_000;
            });
            first.signal('SIGTERM');
            const end = Date.now() + STOP_MS;
            await eventually('the stop', async () => /"msg":"stopping"/.test(first.stderr));
            await sleep(50);
            begun.send(text.slice(-10));
            const answer = await begun.answer();
            assert.equal(answer.status, 201, answer.text);
            assert.equal(String(answer.headers['connection']).toLowerCase(), 'close');
            const ended = await first.waitForEnd(end - Date.now());
            assert.deepEqual(ended, { code: 0, signal: null }, first.stderr);
            target = undefined;
        } finally {
            await load.stop();
            begun.close();
        }
        assert.deepEqual(
            load.refusals.filter((status) => status !== 503),
            [],
        );
        const second = await lab.start({}, folder);
        await atRest(second);
        await load.verify(second);
        assert.equal((await allLogs(second, 'q=begun%20before')).length, 1);
    },
);

scenario('SIGTERM stores what was queued: after it nothing waits', async (lab) => {
    const folder = lab.folder();
    const filling = await lab.start({ command: 'api' }, folder);
    const many = Array.from({ length: 5000 }, (_, n) => ({
        message: `waits for a worker ${'.'.repeat(80)}`,
        level: 'info',
        n,
    }));
    const rounds = 20; // more than a worker takes at once
    for (let round = 0; round < rounds; round++) {
        await postLogs(filling, many);
    }
    await filling.stop();

    const serve = await lab.start({}, folder);
    await serve.stop();
    const api = await lab.start({ command: 'api' }, folder); // no worker: it stores nothing
    assert.equal((await allLogs(api)).length, rounds * many.length);
    assert.equal(metric(await metrics(api), 'logmill_queue_depth'), 0);
});

scenario('SIGINT stops as SIGTERM does, and idle connections do not hold it up', async (lab) => {
    const server = await lab.start();
    const idle = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(server)));
    idle[0]!.send('GET /health HTTP/1.1\r\nHost: test\r\n\r\n');
    await idle[0]!.answer();
    server.signal('SIGINT');
    assert.deepEqual(
        await server.waitForEnd(STOP_MS / 2),
        { code: 0, signal: null },
        server.stderr,
    );
    idle.forEach((connection) => connection.close());
});

scenario(
    'a request that never ends holds a stop up for SHUTDOWN_TIMEOUT and no longer',
    async (lab) => {
        const server = await lab.start({ settings: { SHUTDOWN_TIMEOUT: '2' } });
        const endless = await RawConnection.open(server);
        endless.send('POST /log HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{');
        await eventually('it to be begun', async () => {
            return metric(await metrics(server), 'logmill_http_connections_open') >= 2;
        });
        server.signal('SIGTERM');
        assert.deepEqual(
            await server.waitForEnd(STOP_MS),
            { code: 0, signal: null },
            server.stderr,
        );
        endless.close();
    },
);

scenario(
    'api and worker as two processes do as serve does, and each may be killed alone',
    async (lab) => {
        const folder = lab.folder();
        const startApi = (): Promise<Logmill> => lab.start({ command: 'api' }, folder);
        const startWorker = (): Promise<Logmill> => lab.start({ command: 'worker' }, folder);
        // Both at once on an empty folder: neither depends on the other's having been first.
        const [firstApi, firstWorker] = await Promise.all([startApi(), startWorker()]);
        let api: Logmill | undefined = firstApi;
        let worker: Logmill = firstWorker;
        const id = await postLog(api, { message: 'through two processes', level: 'info' });
        assert.equal((await stored(api, id)).message, 'through two processes');

        const load = new Load(() => api, ['single', 'single', 'batch', 'retry']);
        try {
            for (let round = 0; round < 3; round++) {
                await worker.kill();
                const before = load.acknowledged;
                await eventually(
                    'the api to go on without a worker',
                    async () => load.acknowledged > before + 20,
                );
                worker = await startWorker();

                const killed: Logmill = api!;
                api = undefined;
                await killed.kill();
                await sleep(randomBetween(0, 300));
                api = await startApi();
                const again = load.acknowledged;
                await eventually('clients to go on', async () => load.acknowledged > again + 20);
            }
        } finally {
            await load.stop();
        }
        await atRest(api!);
        await load.verify(api!);
        await worker.stop();
        await api!.stop();
    },
);

scenario(
    'while no worker runs logs wait in the queue; one started later stores them',
    async (lab) => {
        const folder = lab.folder();
        const api = await lab.start({ command: 'api' }, folder);
        await postLogs(
            api,
            Array.from({ length: 50 }, (_, n) => ({ message: 'waits', level: 'info', n })),
        );
        await sleep(300);
        assert.equal((await get(api, '/logs')).json().logs.length, 0);
        assert.ok(metric(await metrics(api), 'logmill_queue_depth') > 0);
        assert.equal((await get(api, '/ready')).status, 200, 'it can take logs');
        const worker = await lab.start({ command: 'worker' }, folder);
        await atRest(api);
        assert.equal((await allLogs(api)).length, 50);
        await worker.stop();
    },
);

/** Fails if `second` does not end with one clear line and a failure's exit code. */
async function assertRefusesToStart(second: Logmill, folder: string): Promise<void> {
    const { code, signal } = await second.refuses();
    assert.equal(signal, null);
    assert.ok(code !== 0 && code !== null, `exit code ${code}`);
    const lines = second.stderr.trim().split('\n');
    const errors = second.diagnostics().filter((line) => line.level === 'error');
    const said = errors.length > 0 ? errors.map((line) => JSON.stringify(line)) : lines;
    assert.equal(said.length, 1, second.stderr);
    assert.ok(said[0]!.includes(folder), `the line names the folder: ${said[0]}`);
    assert.match(said[0]!, /another|already|in use/, 'and the reason');
}

scenario(
    'a second process of the same role on one DATA_DIR refuses to start, and the first goes on',
    async (lab) => {
        const folder = lab.folder();
        const serve = await lab.start({}, folder);
        for (const command of ['serve', 'api', 'worker'] as const) {
            await assertRefusesToStart(lab.launch({ command }, folder), folder);
        }
        const id = await postLog(serve, { message: 'unharmed', level: 'info' });
        await stored(serve, id);
        await serve.stop();

        const api = await lab.start({ command: 'api' }, folder);
        const worker = await lab.start({ command: 'worker' }, folder);
        for (const command of ['serve', 'api', 'worker'] as const) {
            await assertRefusesToStart(lab.launch({ command }, folder), folder);
        }
        await stored(api, await postLog(api, { message: 'unharmed as well', level: 'info' }));
        await worker.kill();
        const next = await lab.start({ command: 'worker' }, folder); // a killed process leaves no lock behind
        await next.stop();
    },
);

scenario('a port that is taken is said in one line, and the start fails', async (lab) => {
    const first = await lab.start();
    const second = lab.launch({ settings: { PORT: String(first.port) } });
    const { code } = await second.refuses();
    assert.ok(code !== 0 && code !== null);
    const errors = second.diagnostics().filter((line) => line.level === 'error');
    assert.equal(errors.length, 1, second.stderr);
    assert.match(JSON.stringify(errors[0]), new RegExp(String(first.port)));
});

/**
 * The story of every full disk: under load, `fill` takes the room away, clients get 503 and nothing
 * else; `free` gives it back, and all goes on by itself with nothing lost.
 */
async function fullDisk(
    lab: Lab,
    folder: string,
    wrapper: string[],
    fill: (server: Logmill) => Promise<void>,
    free: (server: Logmill) => Promise<void>,
): Promise<void> {
    const server = await lab.start({ wrapper }, folder);
    const load = new Load(() => server, ['single', 'single', 'batch', 'retry'], 'p'.repeat(4000));
    try {
        await eventually('some logs to be taken', async () => load.acknowledged > 20);
        await fill(server);
        await eventually('503 while the disk is full', async () => load.answers(503) > 10);
        const refused = await post(server, '/log', {
            message: 'refused',
            level: 'info',
            padding: 'p'.repeat(100_000),
        });
        if (refused.status !== 201) {
            assert.equal(refused.status, 503, refused.text);
            assert.ok(Number(refused.headers['retry-after']) > 0, 'Retry-After');
            assert.equal(typeof refused.json().detail, 'string');
        }
        assert.equal((await get(server, '/health')).status, 200, 'the process lives');
        assert.equal(server.ended, undefined);
        await sleep(500);
        const before = load.acknowledged;
        await free(server);
        await eventually('it to go on by itself', async () => load.acknowledged > before + 20);
        assert.equal(
            (
                await eventually('/ready', async () => {
                    const ready = await get(server, '/ready');
                    return ready.status === 200 ? ready : undefined;
                })
            ).status,
            200,
        );
    } finally {
        await load.stop();
    }
    assert.deepEqual(load.refusals, [503]);
    assert.equal(load.failures, 0, 'no connection was broken');
    await atRest(server);
    await load.verify(server);
}

/** A reason why no file system can be mounted here, or false. */
function whyNoMount(): string | false {
    if (process.getuid?.() !== 0) {
        return 'only root can mount';
    }
    try {
        // tried in a namespace of its own, so that nothing is left of it
        execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], {
            stdio: 'ignore',
        });
        return false;
    } catch {
        return 'mounting is not allowed here';
    }
}

scenario(
    'a full disk: 503, the process lives, and it goes on by itself when there is room',
    async (lab) => {
        const folder = lab.folder();
        const disk = path.join(folder, 'disk');
        mkdirSync(disk);
        assert.equal(
            (await run(['mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk])).code,
            0,
        );
        lab.finally(async () => {
            await run(['umount', disk]);
        });
        const filler = path.join(disk, 'filler');
        const fill = async (): Promise<void> => {
            // dd fails when the disk is full, which is what it is for
            await run(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=64k']);
            assert.ok(statSync(filler).size > 1_000_000);
        };
        await fullDisk(lab, disk, [], fill, async () => {
            writeFileSync(filler, '');
        });
    },
    { skip: whyNoMount() },
);

scenario(
    'files that may grow no more (a quota): 503, and it goes on by itself when they may',
    async (lab) => {
        const limit = (server: Logmill, bytes: string): Promise<void> =>
            run(['prlimit', `--pid=${server.pid}`, `--fsize=${bytes}:`]).then((ran) => {
                assert.equal(ran.code, 0, ran.stderr);
            });
        // 64 KiB is less than what is there: no file can grow.
        await fullDisk(
            lab,
            lab.folder(),
            [],
            (server) => limit(server, '65536'),
            (server) => limit(server, 'unlimited'),
        );
    },
);

scenario(
    'a DATA_DIR that cannot be made or written is said in one line, and the start fails',
    async (lab) => {
        const folder = lab.folder();
        writeFileSync(path.join(folder, 'file'), '');
        const server = lab.launch({}, path.join(folder, 'file', 'sub'));
        const { code } = await server.refuses();
        assert.ok(code !== 0 && code !== null, `exit code ${code}`);
        assert.match(server.stderr, /file\/sub/);
        assert.equal(server.stderr.trim().split('\n').length, 1, server.stderr);
    },
);

scenario('a queue past QUEUE_MAX_BYTES answers 503 until there is room again', async (lab) => {
    const settings = { QUEUE_MAX_BYTES: String(4 << 20) };
    const folder = lab.folder();
    const api = await lab.start({ command: 'api', settings }, folder);
    const log = { level: 'info', message: 'x'.repeat(100_000) };
    let taken = 0;
    let answer = await post(api, '/log', log);
    for (; answer.status === 201 && taken < 100; taken++) {
        answer = await post(api, '/log', log);
    }
    assert.equal(answer.status, 503);
    assert.match(answer.json().detail, /QUEUE_MAX_BYTES allows: not accepted/);
    assert.ok(taken > 30 && taken < 42, String(taken));
    const worker = await lab.start({ command: 'worker', settings }, folder);
    await eventually('room', async () => (await post(api, '/log', log)).status === 201);
    await eventually('all to be stored', async () => (await allLogs(api)).length === taken + 1);
    await worker.stop();
});

scenario('where compaction cannot keep up, logs wait in the queue, at last 503, and none is lost', async (lab) => {
    const settings = {
        QUEUE_MAX_BYTES: String(4 << 20),
        LOGMILL_STORE_SIZES: 'block_rows=16,segment_blocks=2,seal_rows=32,keep_rows=8,backlog_blocks=1',
    };
    const server = await lab.start({ settings });
    const logs = Array.from({ length: 500 }, (_, n) => ({ level: 'info', message: `${n} `.repeat(50) }));
    let taken = 0;
    const send = async (): Promise<number> => {
        const { status } = await post(server, '/logs', logs);
        taken += status === 201 ? logs.length : 0;
        return status;
    };
    await eventually('503', async () => (await send()) === 503);
    assert.match(server.stderr, /compaction is too far behind to take more logs now/);
    await eventually('room', async () => (await send()) === 201);
    await eventually(
        'all to be stored',
        async () => (await metrics(server)).get('logmill_queue_depth') === 0,
        240_000,
    );
    assert.equal((await allLogs(server)).length, taken);
});
