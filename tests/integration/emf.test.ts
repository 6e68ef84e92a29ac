/*
 * Lines in CloudWatch's Embedded Metric Format on stdout: as its specification asks, and their sums
 * are what was accepted and stored, whatever becomes of stdout meanwhile.
 */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import * as path from 'node:path';

import { type Lab, type Logmill, eventually, run, scenario } from '../support/harness';
import { postLog, postLogs, stored, uuid7 } from '../support/logs';

const NAMES = [
    'LogsAccepted',
    'LogsStored',
    'LogsDeadLettered',
    'RequestsFailed',
    'StoreFailures',
] as const;
type Sums = Record<(typeof NAMES)[number], number>;

/** The whole lines of `text`, each held against the specification. */
function lines(text: string, namespace = 'logmill'): Record<string, any>[] {
    assert.ok(text === '' || text.endsWith('\n'), 'lines are whole');
    return text
        .split('\n')
        .slice(0, -1)
        .map((line) => {
            const { _aws, ...targets } = JSON.parse(line);
            assert.deepEqual(Object.keys(_aws).sort(), ['CloudWatchMetrics', 'Timestamp']);
            assert.ok(Number.isInteger(_aws.Timestamp));
            assert.ok(Math.abs(_aws.Timestamp - Date.now()) < 600_000, 'milliseconds of now');
            assert.deepEqual(_aws.CloudWatchMetrics, [
                {
                    Namespace: namespace,
                    Dimensions: [[]],
                    Metrics: NAMES.map((Name) => ({ Name, Unit: 'Count' })),
                },
            ]);
            assert.deepEqual(Object.keys(targets).sort(), [...NAMES].sort());
            return targets;
        });
}

function sums(text: string, namespace?: string): Sums {
    const all = lines(text, namespace);
    return Object.fromEntries(
        NAMES.map((name) => [name, all.reduce((sum, line) => sum + line[name], 0)]),
    ) as Sums;
}

function many(n: number): Record<string, unknown>[] {
    return Array.from({ length: n }, (_, i) => ({ message: `log ${i}`, level: 'info' }));
}

/** Logs, until they have been told in `wanted` more lines. */
async function logUntilTold(server: Logmill, wanted: number): Promise<number> {
    let sent = 0;
    const told = (): number =>
        server.stdout.split('\n').filter((line) => /"LogsAccepted":[1-9]/.test(line)).length;
    const before = told();
    await eventually(`${wanted} lines that tell of logs`, async () => {
        await postLogs(server, many(17));
        sent += 17;
        return told() >= before + wanted;
    });
    return sent;
}

scenario('the sums of all lines are the logs accepted and stored', async (lab) => {
    const server = await lab.start({
        settings: { EMF_INTERVAL: '1', EMF_NAMESPACE: 'Shop/logs' },
    });
    const sent = await logUntilTold(server, 2);
    const id = uuid7();
    for (let i = 0; i < 3; i++) {
        await postLog(server, { id, message: 'once', level: 'info' });
    }
    await server.stop();
    assert.deepEqual(sums(server.stdout, 'Shop/logs'), {
        LogsAccepted: sent + 3,
        LogsStored: sent + 1,
        LogsDeadLettered: 0,
        RequestsFailed: 0,
        StoreFailures: 0,
    });
});

scenario('api and worker as two processes tell what each did, to the last log', async (lab) => {
    const settings = { EMF_INTERVAL: '3600' };
    const folder = lab.folder();
    const api = await lab.start({ command: 'api', settings }, folder);
    const worker = await lab.start({ command: 'worker', settings }, folder);
    await postLogs(api, many(123));
    await stored(api, await postLog(api, { message: 'last', level: 'info' }));
    await api.stop();
    await worker.stop();
    assert.equal(lines(api.stdout).length, 1);
    assert.equal(lines(worker.stdout).length, 1);
    assert.deepEqual([sums(api.stdout).LogsAccepted, sums(api.stdout).LogsStored], [124, 0]);
    assert.deepEqual([sums(worker.stdout).LogsAccepted, sums(worker.stdout).LogsStored], [0, 124]);
});

/** A server whose stdout is a pipe that is full, and what reads from that pipe. */
async function startBlocked(lab: Lab): Promise<{ server: Logmill; drain: () => string }> {
    const fifo = path.join(lab.folder(), 'stdout');
    assert.equal((await run(['mkfifo', fifo])).code, 0);
    const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    lab.finally(() => closeSync(fd));
    assert.throws(() => {
        for (;;) {
            writeSync(fd, Buffer.alloc(4096, '.'));
        }
    }, /EAGAIN/);
    const server = await lab.start({
        settings: { EMF_INTERVAL: '1' },
        wrapper: ['sh', '-c', 'exec "$@" >"$0"', fifo],
    });
    const drain = (): string => {
        const piece = Buffer.alloc(1 << 20);
        let text = '';
        try {
            for (;;) {
                text += piece.toString('utf8', 0, readSync(fd, piece));
            }
        } catch (error) {
            assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
        }
        return text.replace(/^\.+/, '');
    };
    return { server, drain };
}

scenario('a stdout that takes nothing stops neither the service nor its end', async (lab) => {
    const { server, drain } = await startBlocked(lab);
    const end = Date.now() + 2500; // more than two lines are due
    while (Date.now() < end) {
        await postLogs(server, many(10));
    }
    await stored(server, await postLog(server, { message: 'last', level: 'info' }));
    await server.stop();
    assert.doesNotMatch(server.stderr, /took too long/);
    assert.equal(drain(), '');
});

scenario('what a full stdout did not take is told when it does again', async (lab) => {
    const { server, drain } = await startBlocked(lab);
    await postLogs(server, many(10));
    await stored(server, await postLog(server, { message: 'last', level: 'info' }));
    const begun = drain(); // may end with a first line already
    await server.stop();
    const told = sums(begun + drain());
    assert.deepEqual([told.LogsAccepted, told.LogsStored], [11, 11]);
});

scenario('a stop that takes too long tells what was counted all the same', async (lab) => {
    const server = await lab.start({ settings: { EMF_INTERVAL: '3600', SHUTDOWN_TIMEOUT: '1' } });
    // Holds the store's write lock, for which the worker waits longer than that.
    const holder = spawn('sqlite3', [path.join(server.dataDir, 'logs.db')]);
    lab.finally(() => void holder.kill('SIGKILL'));
    holder.stdin.write("BEGIN IMMEDIATE;\nSELECT 'held';\n");
    await once(holder.stdout, 'data');
    await postLogs(server, many(10));
    await server.stop();
    assert.match(server.stderr, /took too long/);
    assert.equal(sums(server.stdout).LogsAccepted, 10);
});

scenario('without EMF_INTERVAL stdout stays empty', async (lab) => {
    const server = await lab.start();
    await stored(server, await postLog(server, { message: 'x', level: 'info' }));
    await server.stop();
    assert.equal(server.stdout, '');
});

scenario('a namespace that CloudWatch does not take is refused by name', async (lab) => {
    const server = lab.launch({ settings: { EMF_INTERVAL: '60', EMF_NAMESPACE: 'AWS/logs' } });
    assert.equal((await server.refuses()).code, 1);
    assert.match(server.stderr, /EMF_NAMESPACE: \\"AWS\/logs\\" is not/);
});
