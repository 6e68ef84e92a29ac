/* Clients that send anything at all: the server lives, and those who behave are served. */
import { strict as assert } from 'node:assert';
import * as zlib from 'node:zlib';

import { type Logmill, eventually, scenario, sleep } from './harness';
import { RawConnection, get, rawPost } from './http';
import { Load } from './load';
import { allLogs, atRest, metric, metrics, uuid7 } from './logs';

const SECONDS = Number(process.env['HOSTILE_SECONDS'] ?? 5);

/** Numbers that a seed repeats (mulberry32). */
function random(seed: number): () => number {
    return () => {
        seed = (seed + 0x6d2b79f5) | 0;
        let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}

const LOG = JSON.stringify({
    message: 'hostile ä€😀',
    level: 'info',
    hostile: true,
    deep: [[{ a: 'b' }]],
});

/** Requests that are right, to be spoiled. */
function seeds(): Buffer[] {
    const gzip = zlib.gzipSync(LOG);
    const head = (more: string): string =>
        `POST /log HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n${more}\r\n`;
    return [
        Buffer.from(rawPost('/log', LOG)),
        Buffer.from(rawPost('/logs', `[${LOG},${LOG}]`)),
        Buffer.from(rawPost('/logs', `${LOG}\n${LOG}\n`, 'Content-Type: application/x-ndjson\r\n')),
        Buffer.concat([
            Buffer.from(head(`Content-Encoding: gzip\r\nContent-Length: ${gzip.length}\r\n`)),
            gzip,
        ]),
        Buffer.from(
            `${head('Transfer-Encoding: chunked\r\n')}5\r\n${LOG.slice(0, 5)}\r\n0\r\nX: y\r\n\r\n`,
        ),
        Buffer.from(
            `${head(`Expect: 100-continue\r\nContent-Length: ${Buffer.byteLength(LOG)}\r\n`)}${LOG}`,
        ),
        Buffer.from(
            'GET /logs?limit=10&level=info&q=%C3%A4&attr.hostile=true&since=2020-01-01 HTTP/1.1\r\nHost: test\r\n\r\n',
        ),
        Buffer.from('GET /logs/stats?bucket=60&level=a&level=b HTTP/1.1\r\nHost: test\r\n\r\n'),
        Buffer.from(`GET /logs/${uuid7()} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`),
        Buffer.from(
            'GET /metrics HTTP/1.1\r\nHost: test\r\n\r\nHEAD /docs HTTP/1.1\r\nHost: test\r\n\r\n',
        ),
        Buffer.from('OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n'),
    ];
}

/** One of the seeds, or several in a row, with some bytes changed, cut, doubled or put in. */
function spoiled(all: Buffer[], next: () => number): Buffer {
    const pick = (n: number): number => Math.floor(next() * n);
    let bytes = Buffer.concat(Array.from({ length: 1 + pick(3) }, () => all[pick(all.length)]!));
    for (let n = pick(4); n > 0; n--) {
        const at = pick(bytes.length);
        const end = Math.min(bytes.length, at + 1 + pick(20));
        switch (pick(4)) {
            case 0:
                bytes = Buffer.from(bytes);
                bytes[at] = pick(256);
                break;
            case 1:
                bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
                break;
            case 2:
                bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
                break;
            default:
                bytes = Buffer.concat([
                    bytes.subarray(0, at),
                    Buffer.alloc(1 + pick(9), pick(256)),
                    bytes.subarray(at),
                ]);
        }
    }
    return bytes;
}

async function hostile(server: Logmill, seed: number, going: () => boolean): Promise<void> {
    const next = random(seed);
    const all = seeds();
    while (going()) {
        const client = await RawConnection.open(server);
        const bytes = spoiled(all, next);
        const step = next() < 0.3 ? 1 + Math.floor(next() * 50) : bytes.length;
        for (let at = 0; at < bytes.length && !client.closed; at += step) {
            client.send(bytes.subarray(at, at + step));
            if (step < bytes.length) {
                await new Promise((resolve) => setImmediate(resolve));
            }
        }
        const end = next();
        if (end < 0.3) {
            client.socket.end(); // the server sees the end of the request
        } else if (end < 0.5) {
            client.socket.resetAndDestroy();
        }
        await sleep(next() * 10);
        client.close();
    }
}

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
