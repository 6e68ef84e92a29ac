/* One sender against `api` and `worker` on ElasticMQ and PostgreSQL, each of which is killed meanwhile. */
import { strict as assert } from 'node:assert';

import { eventually, scenario } from '../support/harness';
import { sharedCloud } from '../support/servers/cloud';
import { Tap, numbersIn } from './tap';
import { LOGS, node } from './trial';

const NAME = 'otel-js';
const { cloud, end } = sharedCloud();

scenario('OpenTelemetry JS to api and worker: what it was told is safe is there', async (lab) => {
    const site = await (await cloud()).site();
    const tap = await Tap.of(lab, NAME);
    let [api, worker] = await Promise.all([site.api(lab), site.worker(lab)]);
    await tap.up(api.port);
    const place = { port: tap.port, folder: lab.folder(), lab };
    const sending = node('otel', NAME)(NAME)(place, 0, LOGS);
    lab.finally(() => sending.stop('SIGKILL'));

    const told = (part: number): Promise<boolean> =>
        eventually('logs to be safe', async () => sending.ended || tap.told.size >= LOGS * part);
    await told(0.2);
    await api.kill();
    await tap.down();
    api = await site.api(lab);
    await tap.up(api.port);
    await told(0.5);
    await worker.kill();
    worker = await site.worker(lab);
    await sending.wait();
    await tap.quiet();

    await site.atRest(120_000);
    const times = new Map<number, number>();
    for (const log of await site.rows()) {
        const [n] = numbersIn(NAME, Buffer.from(log.message));
        assert.ok(n !== undefined, log.message);
        times.set(n, (times.get(n) ?? 0) + 1);
        assert.equal(log.level, ['INFO', 'WARN', 'ERROR'][n % 3]);
        assert.equal(log.attributes['n'], n);
        assert.equal(log.attributes['service.name'], 'shop');
    }
    const missing = [...tap.told].filter((n) => !times.has(n));
    assert.deepEqual(missing, [], sending.said);
    assert.ok(tap.told.size > LOGS / 2, sending.said);
    const twice = [...times.values()].filter((often) => often > 1).length;
    console.log(`to api and worker: ${tap.told.size} told safe, ${times.size} there, ${twice} twice`);
});

end();
