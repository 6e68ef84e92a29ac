/* Retention by days, levels and size: what is too old goes, what is not stays, and writing goes on meanwhile. */
import { strict as assert } from 'node:assert';

import { randomBytes } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import * as path from 'node:path';

import { clockSettings, findFaketime, setClock } from '../support/clock';
import { type Lab, type Logmill, OPTIMISED, eventually, scenario, sleep } from '../support/harness';
import { Load } from '../support/load';
import { allLogs, atRest, metric, metrics, page, postLogs, stored, postLog } from '../support/logs';
import { PostgresServer } from '../support/servers/postgres';

const DAY_MS = 86_400_000;
const OLD = 30_000;

function old(days: number, n: number): Record<string, unknown> {
    return {
        message: 'old',
        level: 'info',
        timestamp: new Date(Date.now() - days * DAY_MS).toISOString(),
        n,
    };
}

scenario(
    'RETENTION_DAYS deletes older logs in small steps while writes go on, and nothing else',
    async (lab) => {
        const folder = lab.folder();
        const first = await lab.start({}, folder);
        for (let at = 0; at < OLD; at += 5000) {
            await postLogs(
                first,
                Array.from({ length: 5000 }, (_, n) => old(2.01 + n / 1000, at + n)),
            );
        }
        await postLogs(
            first,
            Array.from({ length: 100 }, (_, n) => ({ ...old(1.99, n), message: 'young enough' })),
        );
        await atRest(first);
        await first.stop();

        const server: Logmill = await lab.start({ settings: { RETENTION_DAYS: '2' } }, folder);
        const load = new Load(() => server, ['single', 'single', 'batch']);
        try {
            await eventually(
                'the old ones to be gone',
                async () => {
                    return (await page(server, 'q=old&limit=1')).logs.length === 0;
                },
                60_000,
            );
            const before = load.acknowledged;
            await eventually('writes to go on', async () => load.acknowledged > before + 50);
        } finally {
            await load.stop();
        }
        assert.deepEqual(load.refusals, []);
        assert.equal(load.failures, 0);
        await atRest(server);
        await load.verify(server);
        assert.equal((await allLogs(server, 'q=young')).length, 100);
        assert.equal(metric(await metrics(server), 'logmill_logs_expired_total'), OLD);
    },
);

scenario(
    'deleting keeps up with what is stored, and the disk of a backlog is given back',
    async (lab) => {
        const folder = lab.folder();
        const size = (name: string): number => statSync(path.join(folder, name)).size;
        const text = 'x'.repeat(400);
        const send = async (to: Logmill, times: number): Promise<void> => {
            const logs = Array.from({ length: 1000 }, (_, n) => ({ ...old(3, n), text }));
            for (let i = 0; i < times; i++) {
                await postLogs(to, logs);
            }
        };
        const api = await lab.start({ command: 'api', binary: OPTIMISED }, folder);
        await send(api, 100);
        await api.stop();
        assert.ok(size('queue.db') > 40 << 20);

        const settings = { RETENTION_DAYS: '2' };
        const server = await lab.start({ binary: OPTIMISED, settings }, folder);
        const count = async (name: string): Promise<number> =>
            metric(await metrics(server), `logmill_logs_${name}_total`);
        // Two are deleted for each that is stored. Before, it was 1,000 in each 0.5 s.
        let rounds = 0;
        while ((await count('expired')) < 150_000) {
            assert.ok(rounds++ < 200, 'deleting falls behind');
            await send(server, 2);
            await sleep(50);
        }
        const behind = async (): Promise<number> =>
            (await count('stored')) - (await count('expired'));
        await eventually('all to be deleted', async () => (await behind()) === 0, 60_000);
        await eventually(
            'the disk to be given back',
            async () =>
                // 16 MiB of free pages stay.
                size('queue.db') < 17 << 20 &&
                size('logs.db') < 32 << 20 &&
                ['queue.db-wal', 'logs.db-wal'].every((name) => size(name) <= 4 << 20),
            60_000,
        );
    },
);

scenario('without RETENTION_DAYS logs are kept for ever', async (lab) => {
    const server = await lab.start();
    const id = await postLog(server, {
        message: 'ancient',
        level: 'info',
        timestamp: '1950-01-01T00:00:00Z',
    });
    await stored(server, id);
    await postLog(server, { message: 'new', level: 'info' });
    await atRest(server);
    assert.equal((await stored(server, id)).message, 'ancient');
});

scenario('a log that is too old when it comes is counted and told', async (lab) => {
    const server = await lab.start({ settings: { RETENTION_DAYS: '2' } });
    await postLogs(server, [old(3, 1), old(3, 2), old(1, 3)]);
    await atRest(server);
    await eventually('them to be counted', async () => {
        return metric(await metrics(server), 'logmill_logs_too_old_total') === 2;
    });
    assert.equal(
        server.diagnostics().filter((line) => /older than RETENTION_DAYS/.test(line.msg)).length,
        1,
    );
});

/**
 * Debug logs of two and four days ago, and others; some come when their time is over. What is named
 * error is none of err, though `level=err` finds it.
 */
async function keepsByLevel(server: Logmill): Promise<void> {
    const of = (level: string, days: number): Record<string, unknown>[] =>
        Array.from({ length: 300 }, (_, n) => ({ ...old(days, n), level }));
    const count = async (level: string): Promise<number> =>
        (await allLogs(server, `level=${level}`)).length;

    await postLogs(server, [...of('debug', 4), ...of('Debug', 2), ...of('info', 4)]);
    await atRest(server);
    await eventually('old debug logs to be gone', async () => (await count('debug')) === 300);
    await postLogs(server, [...of('DEBUG', 50), ...of('error', 50)]);
    await atRest(server);
    await eventually('late ones to be gone', async () => (await count('debug')) === 300);
    assert.equal(await count('info'), 300);
    assert.equal(await count('error'), 300);
    assert.equal(metric(await metrics(server), 'logmill_logs_expired_total'), 600);
}

scenario('a level may have days of its own', async (lab) => {
    await keepsByLevel(await lab.start({ settings: { RETENTION_DAYS_BY_LEVEL: 'debug:3,err:3' } }));
});

scenario('with PostgreSQL, too, a level may have days of its own', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    await keepsByLevel(
        await lab.start({
            settings: { RETENTION_DAYS_BY_LEVEL: 'debug:3,err:3', DATABASE_URL: postgres.url },
        }),
    );
});

scenario('past RETENTION_MB the oldest logs go, and the newest stay', async (lab) => {
    const folder = lab.folder();
    const settings = { RETENTION_MB: '8' };
    const server = await lab.start({ binary: OPTIMISED, settings }, folder);
    const text = (): string => randomBytes(300).toString('base64');
    for (let i = 0; i < 80; i++) {
        await postLogs(
            server,
            Array.from({ length: 1000 }, (_, n) => ({ ...old(30 - i / 4, n), i, text: text() })),
        );
    }
    await atRest(server);
    const expired = async (): Promise<number> =>
        metric(await metrics(server), 'logmill_logs_expired_total');
    await eventually('the oldest to be gone', async () => (await expired()) > 20_000);
    await eventually(
        'the file to be small',
        async () => statSync(path.join(folder, 'logs.db')).size < 26 << 20,
        60_000,
    );
    const left = await allLogs(server);
    assert.equal(left.length, 80_000 - (await expired()));
    assert.ok(left.length > 5000);
    assert.equal((left[0]?.attributes as { i: number }).i, 79);
});

scenario('with PostgreSQL whole days go past RETENTION_MB, but never today', async (lab) => {
    const postgres = await PostgresServer.start(lab);
    const server = await lab.start({
        settings: { RETENTION_MB: '1', DATABASE_URL: postgres.url },
    });
    const text = 'x'.repeat(500);
    for (const days of [40, 40, 3, 3, 0, 0]) {
        await postLogs(
            server,
            Array.from({ length: 1000 }, (_, n) => ({ ...old(days, n), days, text })),
        );
    }
    await atRest(server);
    await eventually(
        'all but today to be gone',
        async () => metric(await metrics(server), 'logmill_logs_expired_total') === 4000,
        60_000,
    );
    const left = await allLogs(server);
    assert.equal(left.length, 2000);
});

/** A little more than the time between two looks of the worker for what is too old. */
const LOOK_MS = 13_000;
const YEAR_S = 365 * 86_400;
const faketime = findFaketime();

/** A file that tells a clock, which is right at first; others than we may read it. */
function clockFile(lab: Lab): string {
    const folder = lab.folder();
    const file = path.join(folder, 'clock');
    chmodSync(folder, 0o755);
    setClock(file, '+0');
    return file;
}

/** Days of logs: most are too old only for a clock that is a year ahead. */
async function fill(server: Logmill): Promise<void> {
    for (const days of [0, 1, 5, 20, 29]) {
        await postLogs(
            server,
            Array.from({ length: 100 }, (_, n) => old(days, n)),
        );
    }
    await atRest(server);
}

/** The clock that `file` tells is a year ahead for a while: nothing is deleted, and that is said. */
async function jump(file: string, server: Logmill): Promise<void> {
    setClock(file, `+${YEAR_S}`);
    await eventually(
        'the diagnostic',
        async () => server.diagnostics().find((line) => /more than a day off/.test(line.msg)),
    );
    await sleep(LOOK_MS);
    setClock(file, '+0');
    await eventually(
        'the end of the doubt',
        async () => server.diagnostics().find((line) => /believed again/.test(line.msg)),
    );
    assert.equal((await allLogs(server)).length, 500);
    assert.equal(metric(await metrics(server), 'logmill_logs_expired_total'), 0);
}

if (faketime !== undefined) {
    scenario('a clock that is a year ahead for a while deletes nothing', async (lab) => {
        const file = clockFile(lab);
        const options = {
            binary: OPTIMISED,
            settings: { RETENTION_DAYS: '30', ...clockSettings(faketime, file) },
        };
        const folder = lab.folder();
        const server = await lab.start(options, folder);
        await fill(server);
        await jump(file, server);
        await server.stop();
        // Nor if it is ahead at the start.
        setClock(file, `+${YEAR_S}`);
        const next = await lab.start(options, folder);
        await sleep(LOOK_MS);
        assert.equal(metric(await metrics(next), 'logmill_logs_expired_total'), 0);
        assert.equal((await allLogs(next)).length, 500);
    });

    scenario('with PostgreSQL its clock counts, and is no more believed', async (lab) => {
        const file = clockFile(lab);
        const postgres = await PostgresServer.start(lab, {
            environment: clockSettings(faketime, file),
        });
        const ours = clockFile(lab);
        const server = await lab.start({
            binary: OPTIMISED,
            settings: {
                RETENTION_DAYS: '30',
                DATABASE_URL: postgres.url,
                ...clockSettings(faketime, ours),
            },
        });
        await fill(server);
        setClock(ours, `+${YEAR_S}`);
        await sleep(LOOK_MS);
        assert.equal((await allLogs(server)).length, 500);
        assert.equal(
            server.diagnostics().find((line) => /more than a day off/.test(line.msg)),
            undefined,
        );
        setClock(ours, '+0');
        await jump(file, server);
    });
}
