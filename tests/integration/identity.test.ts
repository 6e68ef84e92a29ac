/* (timestamp, id) is a log's identity: what a second log with the same one becomes. */
import { strict as assert } from 'node:assert';

import { eventually, scenario } from '../support/harness';
import { allLogs, atRest, metric, metrics, postLogs, uuid7, uuid7Ms } from '../support/logs';

scenario(
    'another log under a timestamp and id that are taken is left out, counted and told',
    async (lab) => {
        const server = await lab.start();
        const id = uuid7();
        const timestamp = new Date(uuid7Ms(id)).toISOString();
        const log = { id, timestamp, level: 'info', message: 'the first', n: 1 };
        await postLogs(server, [log]);
        await postLogs(server, [
            log,
            { ...log, message: 'the second' },
            { ...log, n: 2 },
            { ...log, level: 'warn' },
        ]);
        await atRest(server);
        const [stored, ...others] = await allLogs(server, '');
        assert.deepEqual(others, []);
        assert.equal(stored?.message, 'the first');
        const samples = await metrics(server);
        const count = (name: string): number => metric(samples, `logmill_logs_${name}_total`);
        assert.deepEqual(
            ['accepted', 'stored', 'repeated', 'conflicting'].map(count),
            [5, 1, 1, 3],
        );
        await eventually('the diagnostic', async () =>
            server.diagnostics().find((line) => line['one_id'] === id && line['logs'] === 3),
        );
    },
);

scenario('one id under two microseconds of its millisecond is two logs', async (lab) => {
    const server = await lab.start();
    const id = uuid7();
    const millisecond = new Date(uuid7Ms(id)).toISOString().slice(0, -1);
    await postLogs(
        server,
        ['001', '002'].map((us) => ({
            id,
            timestamp: `${millisecond}${us}Z`,
            level: 'info',
            message: us,
        })),
    );
    await atRest(server);
    assert.deepEqual(
        (await allLogs(server, '')).map(({ message }) => message),
        ['002', '001'],
    );
});
