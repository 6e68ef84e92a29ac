/* Clients that send anything at all: the server lives, and those who behave are served. */
import { strict as assert } from 'node:assert';

import { eventually, scenario } from '../support/harness';
import { hostile } from '../support/hostile';
import { get } from '../support/http';
import { Load } from '../support/load';
import { allLogs, atRest, metric, metrics } from '../support/logs';

const SECONDS = Number(process.env['HOSTILE_SECONDS'] ?? 5);

scenario(
    'whatever bytes come, the server lives and loses nothing of those who behave',
    async (lab) => {
        const server = await lab.start({
            settings: { WEB_CONCURRENCY: '2', REQUEST_TIMEOUT: '2' },
        });
        const load = new Load(() => server, ['single', 'single', 'batch', 'retry']);
        const end = Date.now() + SECONDS * 1000;
        const seed = Number(process.env['HOSTILE_SEED'] ?? Date.now() % 1_000_000);
        try {
            const going = (): boolean => Date.now() < end && server.ended === undefined;
            await Promise.all(
                Array.from({ length: 8 }, (_, n) => hostile(server, seed + n, going)),
            );
            assert.equal(server.ended, undefined, `HOSTILE_SEED=${seed} ended it`);
        } finally {
            await load.stop();
        }
        assert.deepEqual(load.refusals, [], `HOSTILE_SEED=${seed}`);
        assert.equal(load.failures, 0, `HOSTILE_SEED=${seed}`);
        await atRest(server);
        await load.verify(server);
        await eventually('all memory of theirs to be given back', async () => {
            return metric(await metrics(server), 'logmill_inflight_bytes') === 0;
        });
        assert.ok(
            (await allLogs(server, 'attr.hostile=true')).length > 0,
            'some of theirs were right',
        );
        assert.equal((await get(server, '/health')).status, 200);
    },
);
