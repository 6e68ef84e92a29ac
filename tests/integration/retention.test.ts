/* RETENTION_DAYS: what is too old goes, what is not stays, and writing goes on meanwhile. */
import { strict as assert } from 'node:assert';

import { type Logmill, eventually, scenario } from './harness';
import { Load } from './load';
import { allLogs, atRest, metric, metrics, page, postLogs, stored, postLog } from './logs';

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
