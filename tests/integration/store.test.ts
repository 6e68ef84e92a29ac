/* `logmill store info|verify|compact|recount`: on a server's data, while it runs. */
import { strict as assert } from 'node:assert';
import * as path from 'node:path';

import { type Lab, type Logmill, eventually, runLogmill, scenario, sqlite } from '../support/harness';
import { allLogs, atRest, postLogs } from '../support/logs';

const LOGS = 1200;
/** So small that a few hundred logs become blocks. */
const SIZES = { LOGMILL_STORE_SIZES: 'block_rows=64,seal_rows=200,keep_rows=50,segment_blocks=4' };

interface Part {
    logs: number;
    erased: number;
    bytes: number;
    blocks: number;
}

interface Info {
    logs: number;
    file_bytes: number;
    tombstones: number;
    damaged_blocks: number;
    recent: Part;
    hot: Part;
    cold: Part;
    old: Part;
    columns: { name: string; kinds: string; blocks: number; bytes: number }[];
}

async function filled(lab: Lab): Promise<Logmill> {
    const server = await lab.start({ settings: SIZES });
    for (let at = 0; at < LOGS; at += 60) {
        await postLogs(
            server,
            Array.from({ length: 60 }, (_, n) => ({
                message: `request ${at + n} took ${n} ms`,
                level: n % 2 === 0 ? 'info' : 'error',
                user: `u${n % 5}`,
            })),
        );
        await atRest(server);
    }
    return server;
}

async function info(settings: Record<string, string>): Promise<Info> {
    const ran = await runLogmill(['store', 'info', '--json'], settings);
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout) as Info;
}

scenario('store info, verify and compact tell and do what they say while the server runs', async (lab) => {
    const server = await filled(lab);
    const settings = { DATA_DIR: server.dataDir, ...SIZES };
    const before = await info(settings);
    assert.equal(before.logs, LOGS);
    assert.equal(before.recent.logs + before.hot.logs + before.cold.logs, LOGS);
    assert.ok(before.hot.blocks + before.cold.blocks > 0);
    assert.ok(before.columns.some((column) => column.name === 'message'));
    assert.ok(before.columns.reduce((sum, column) => sum + column.bytes, 0) > 0);
    const table = await runLogmill(['store', 'info', '--data-dir', server.dataDir], SIZES);
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^together +1,200 /m);
    assert.match(table.stdout, / message/m);

    const deleted = await runLogmill(
        ['delete', '--attr', 'user=u1', '--yes', '--reason', 'asked'],
        settings,
    );
    assert.match(deleted.stdout, /^deleted 240 logs$/m);
    const marked = await info(settings);
    assert.equal(marked.logs, LOGS - 240);
    assert.equal(marked.tombstones, 240);

    const compacted = await runLogmill(['store', 'compact'], settings);
    assert.equal(compacted.code, 0, compacted.stderr);
    await eventually('nothing to be marked any more', async () => {
        await runLogmill(['store', 'compact'], settings);
        const after = await info(settings);
        return after.hot.erased + after.cold.erased === 0;
    });
    assert.equal((await info(settings)).logs, LOGS - 240);
    assert.equal((await allLogs(server)).length, LOGS - 240);
    const verified = await runLogmill(['store', 'verify'], settings);
    assert.equal(verified.code, 0, verified.stderr + verified.stdout);
    assert.match(verified.stdout, /^960 logs in \d+ segments, \d+ blocks: all is whole$/m);
});

scenario('store verify names a damaged block, and all else goes on', async (lab) => {
    const server = await filled(lab);
    await server.stop();
    const file = path.join(server.dataDir, 'logs.db');
    await sqlite(
        file,
        "UPDATE blocks SET data = CAST(substr(data, 1, 40) || x'00ff00' || substr(data, 44) AS BLOB) " +
            'WHERE number = (SELECT max(number) FROM blocks)',
    );
    const settings = { DATA_DIR: server.dataDir, ...SIZES };
    const ran = await runLogmill(['store', 'verify'], settings);
    assert.equal(ran.code, 1, ran.stdout);
    assert.match(ran.stdout, /^block \d+ of segment \d+: .+$/m);
    assert.match(ran.stdout, /^ {2}\d+ logs at most, from \S+Z to \S+Z$/m);
    assert.match(ran.stdout, /: damaged, as said above$/m);
    assert.match(ran.stderr, /restore that into another DATA_DIR/);
    assert.equal((await info(settings)).damaged_blocks, 1);

    const counted = await runLogmill(['delete', '--text', 'request'], settings);
    assert.equal(counted.code, 1, counted.stdout);
    assert.match(counted.stderr, /\d+ logs could not be looked at: .*block \d+ is damaged/);
    const deleted = await runLogmill(['delete', '--text', 'request', '--reason', 'x', '--yes'], settings);
    assert.equal(deleted.code, 1, deleted.stdout);
    assert.match(deleted.stdout, /^deleted [\d,]+ logs, and not all that match/m);
    assert.match(deleted.stderr, /\d+ logs could not be looked at: .*block \d+ is damaged/);

    const again = await lab.start({ settings: SIZES }, server.dataDir);
    await postLogs(again, [{ message: 'still taken', level: 'info' }]);
    await eventually('the new log', async () => (await allLogs(again, 'q=still')).length === 1);
});

scenario('store refuses what it cannot do', async (lab) => {
    for (const args of [[], ['look'], ['info', 'verify']]) {
        const ran = await runLogmill(['store', ...args], { DATA_DIR: lab.folder() });
        assert.equal(ran.code, 2, ran.stderr);
        assert.match(ran.stderr, /one of info, verify, compact, recount/);
    }
    for (const verb of ['info', 'verify', 'compact']) {
        const nowhere = await runLogmill(['store', verb], { DATA_DIR: lab.folder() });
        assert.equal(nowhere.code, 1);
        assert.match(nowhere.stderr, /holds no data/);
        const cloud = await runLogmill(['store', verb], { DATABASE_URL: 'postgresql://127.0.0.1:1/x' });
        assert.equal(cloud.code, 1);
        assert.match(cloud.stderr, /the logs are in PostgreSQL/);
    }
    const here = await runLogmill(['store', 'recount'], { DATA_DIR: lab.folder() });
    assert.equal(here.code, 1);
    assert.match(here.stderr, /nothing to count anew/);
});
