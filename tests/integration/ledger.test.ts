/*
 * The ledger of memory (src/base/ledger.h): clients fill one class of it as far as they can, and
 * hold it; everybody else is served all the same, and when they go all of it comes back.
 */
import { strict as assert } from 'node:assert';

import { type Lab, type Logmill, SANITIZED, eventually, residentBytes, scenario, sleep } from '../support/harness';
import { RawConnection, get, post, rawPost } from '../support/http';
import { atRest, metric, metrics, postLog, postLogs, stored } from '../support/logs';

const MIB = 1024 * 1024;
const INFLIGHT = 16 * MIB;
const SIXTEENTH = INFLIGHT / 16;
const PAGE = 'GET /logs?limit=1000 HTTP/1.1\r\nHost: test\r\n\r\n';

type Class = 'bodies' | 'intake' | 'answers' | 'reads' | 'tails' | 'ops';

async function held(server: Logmill, name: Class): Promise<number> {
    return metric(await metrics(server), `logmill_inflight_class_bytes{class="${name}"}`);
}

/** A server with 1,000 logs of 2 KB. */
async function filled(lab: Lab, settings: Record<string, string> = {}): Promise<Logmill> {
    const server = await lab.start({
        settings: { MAX_INFLIGHT_BYTES: String(INFLIGHT), WEB_CONCURRENCY: '1', ...settings },
    });
    const logs = Array.from({ length: 250 }, (_, n) => ({
        message: `${n} ${'x'.repeat(2000)}`,
        level: 'info',
    }));
    for (let n = 0; n < 4; n++) {
        await postLogs(server, logs);
    }
    await atRest(server);
    return server;
}

/** Connections that ask and take no byte of what they are answered. */
async function greedy(lab: Lab, server: Logmill, count: number, text: string): Promise<RawConnection[]> {
    const clients = await Promise.all(Array.from({ length: count }, () => RawConnection.open(server)));
    for (const client of clients) {
        client.socket.pause();
        client.send(text);
    }
    lab.finally(() => clients.forEach((client) => client.close()));
    return clients;
}

/** Logs are taken, stored and found while the attack goes on. */
async function othersAreServed(server: Logmill): Promise<void> {
    for (let n = 0; n < 20; n++) {
        const answer = await post(server, '/log', { message: `other ${n}`, level: 'info' });
        assert.equal(answer.status, 201, answer.text);
    }
    const batch = await post(server, '/logs', [{ message: 'b'.repeat(50_000), level: 'info' }]);
    assert.equal(batch.status, 201, batch.text);
    assert.equal((await get(server, '/health')).status, 200);
    assert.equal((await get(server, '/ready')).status, 200);
}

async function comesBack(server: Logmill, clients: RawConnection[]): Promise<void> {
    clients.forEach((client) => client.close());
    await eventually('all of the ledger to be given back', async () => {
        return metric(await metrics(server), 'logmill_inflight_bytes') === 0;
    });
    await stored(server, await postLog(server, { message: 'still served', level: 'info' }));
}

scenario('a tail with pages pipelined behind it holds nothing of them', async (lab) => {
    const server = await filled(lab);
    const tail = 'GET /logs/tail HTTP/1.1\r\nHost: test\r\n\r\n';
    const clients = await greedy(lab, server, 20, tail + PAGE.repeat(63));
    await eventually('the tails', async () => {
        const samples = await metrics(server);
        return metric(samples, 'logmill_http_responses_total{code="200"}') >= 20;
    });
    await sleep(500);
    const inflight = metric(await metrics(server), 'logmill_inflight_bytes');
    assert.ok(inflight < 20 * 64 * 1024, `${inflight} bytes are held`);
    await othersAreServed(server);
    assert.equal((await get(server, '/logs?limit=1000')).status, 200);
    await comesBack(server, clients);
});

scenario('answers that nobody takes keep no log out', async (lab) => {
    const server = await filled(lab, { MAX_READS_PER_CLIENT: '1000' });
    const clients = await greedy(lab, server, 60, PAGE.repeat(64));
    await eventually('the answers to pile up', async () => {
        return (await held(server, 'answers')) > 2 * SIXTEENTH;
    });
    await othersAreServed(server);
    assert.ok((await held(server, 'answers')) <= 8 * SIXTEENTH);
    await comesBack(server, clients);
});

scenario('metrics that nobody takes keep nobody out', async (lab) => {
    const server = await filled(lab, { MAX_CONNECTIONS: '1000' });
    const asked = 'GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(200);
    const clients: RawConnection[] = [];
    await eventually('metrics to pile up', async () => {
        clients.push(...(await greedy(lab, server, 10, asked)));
        return (await held(server, 'ops')) > SIXTEENTH;
    });
    await othersAreServed(server);
    // They hold no more than what is theirs, or are cut off.
    await eventually('metrics to be answered', async () => (await get(server, '/metrics')).status === 200);
    assert.ok((await held(server, 'ops')) <= 6.5 * SIXTEENTH);
    assert.equal((await get(server, '/logs?limit=1000')).status, 200);
    await comesBack(server, clients);
});

scenario('downloads that nobody takes keep no log out', async (lab) => {
    const server = await filled(lab, { MAX_READS_PER_CLIENT: '1000' });
    const download = 'GET /logs?format=ndjson HTTP/1.1\r\nHost: test\r\n\r\n';
    const clients = await greedy(lab, server, 60, download.repeat(64));
    await eventually('the downloads to pile up', async () => {
        return (await held(server, 'answers')) > SIXTEENTH;
    });
    await othersAreServed(server);
    await comesBack(server, clients);
});

scenario('where answers have no room, a page or a download is refused before it begins', async (lab) => {
    const server = await filled(lab);
    const clients: RawConnection[] = [];
    const download = 'GET /logs?format=ndjson HTTP/1.1\r\nHost: test\r\n\r\n';
    const missing = new Set(['/logs?limit=1000', '/logs?format=ndjson&limit=500', '/logs?format=csv&limit=500']);
    const statuses = new Set<string>();
    // Those who take nothing are cut off after a while, so more come until each was refused.
    await eventually('each to be refused', async () => {
        clients.push(...(await greedy(lab, server, 40, download)));
        for (const path of missing) {
            const other = await RawConnection.open(server);
            other.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
            await eventually('an answer', async () => other.closed || other.unread.length >= 12);
            const status = other.unread.slice(0, 12);
            statuses.add(status);
            if (status === 'HTTP/1.1 503') {
                missing.delete(path);
            }
            other.close();
        }
        return missing.size === 0;
    });
    statuses.delete('HTTP/1.1 200'); // if some room came back
    assert.deepEqual([...statuses], ['HTTP/1.1 503']);
    await comesBack(server, clients);
});

scenario('bodies that never come whole keep no log out that does', async (lab) => {
    const server = await filled(lab, { MAX_CONNECTIONS: '1000' });
    const text = rawPost('/log', JSON.stringify({ message: 'm'.repeat(1_000_000), level: 'info' }));
    const clients = await greedy(lab, server, 60, text.slice(0, 900_000));
    await eventually('the bodies to pile up', async () => {
        return (await held(server, 'bodies')) > 7 * SIXTEENTH;
    });
    await othersAreServed(server);
    await comesBack(server, clients);
});

/** Those that came whole at the same moment were all refused once, each for the others' bodies. */
scenario('a log larger than what intake has of its own is taken when its body has come whole', async (lab) => {
    const small = 4 * MIB;
    const server = await filled(lab, { MAX_INFLIGHT_BYTES: String(small), MAX_CONNECTIONS: '1000' });
    const text = rawPost('/log', JSON.stringify({ message: 'm'.repeat(1_000_000), level: 'info' }));
    const whole = await RawConnection.open(server);
    whole.send(text.slice(0, -100));
    await eventually('its body', async () => (await held(server, 'bodies')) >= 1_000_000);
    const others: RawConnection[] = [];
    await eventually('the others to use up what is shared', async () => {
        others.push(...(await greedy(lab, server, 5, text.slice(0, 20_000))));
        return (await held(server, 'bodies')) > 8 * (small / 16) - 64 * 1024;
    });
    whole.send(text.slice(-100));
    const answer = await whole.answer();
    assert.equal(answer.status, 201, answer.text);
    await comesBack(server, [whole, ...others]);
});

scenario('a flood of large bodies lets others in at the second try at the latest', async (lab) => {
    const server = await filled(lab);
    const large = JSON.stringify({ message: 'm'.repeat(900_000), level: 'info' });
    let going = true;
    const floods = Array.from({ length: 20 }, async () => {
        while (going) {
            await post(server, '/log', large).catch(() => {}); // refused, some of it may be cut off
        }
    });
    let late = 0;
    for (let n = 0; n < 25; n++) {
        let tries = 1;
        while ((await post(server, '/log', { message: 'small', level: 'info' })).status === 503) {
            tries++;
            await sleep(20);
        }
        late += tries > 2 ? 1 : 0;
    }
    going = false;
    await Promise.all(floods);
    assert.ok(late <= 3, `${late} of 25 needed more than two tries`);
    await atRest(server);
    await comesBack(server, []);
});

scenario('attributes that many logs have in common are charged for each of them', async (lab) => {
    const settings = { ASAN_OPTIONS: 'detect_leaks=1:quarantine_size_mb=8:malloc_context_size=5' };
    const server = await filled(lab, settings);
    const large = 'a'.repeat(64 * 1024);
    const bodies: [string, unknown][] = [
        [
            '/v1/logs',
            {
                resourceLogs: [
                    {
                        resource: { attributes: [{ key: 'a', value: { stringValue: large } }] },
                        scopeLogs: [{ logRecords: Array.from({ length: 20_000 }, () => ({})) }],
                    },
                ],
            },
        ],
        [
            '/loki/api/v1/push',
            {
                streams: [
                    { stream: { a: large }, values: Array.from({ length: 20_000 }, () => ['1', '']) },
                ],
            },
        ],
    ];
    const before = residentBytes(server.pid);
    const peak = { bytes: 0 };
    const watch = setInterval(() => {
        peak.bytes = Math.max(peak.bytes, residentBytes(server.pid));
    }, 5);
    lab.finally(() => clearInterval(watch));
    for (const [path, body] of bodies) {
        await atRest(server);
        const alone = await post(server, path, body);
        assert.equal(alone.status, 413, alone.text);
        assert.match(alone.text, /MAX_INFLIGHT_BYTES/);
        const asked = Array.from({ length: 3 }, () => post(server, path, body));
        await othersAreServed(server);
        for (const { status, text } of await Promise.all(asked)) {
            assert.ok(status === 413 || status === 503, text); // busy, if logs of others wait
        }
    }
    clearInterval(watch);
    const grown = peak.bytes - before;
    assert.ok(grown < (SANITIZED ? 200 : 64) * MIB, `grew by ${grown / MIB} MiB`);
    await comesBack(server, []);
});

scenario('levels that are pages long cannot be made to fill an answer', async (lab) => {
    const settings = { ASAN_OPTIONS: 'detect_leaks=1:quarantine_size_mb=8:malloc_context_size=5' };
    const server = await filled(lab, settings);
    const before = residentBytes(server.pid);
    for (let n = 0; n < 300; n++) {
        const level = `${n}`.padEnd(1000, 'l'); // longer ones are refused (record/limits.h)
        const body = JSON.stringify({ message: 'm', level });
        assert.equal((await post(server, '/log', body)).status, 201);
    }
    const refused = await post(server, '/log', { message: 'm', level: 'l'.repeat(900_000) });
    assert.equal(refused.status, 422);
    await atRest(server);
    const answers = await Promise.all(
        Array.from({ length: 60 }, () => get(server, '/logs/stats')),
    );
    for (const { status, text } of answers) {
        assert.ok(status === 200 || status === 503, text.slice(0, 500));
    }
    assert.ok(answers.some((answer) => answer.status === 200), answers[0]!.text.slice(0, 500));
    const grown = residentBytes(server.pid) - before;
    assert.ok(grown < (SANITIZED ? 200 : 64) * MIB, `grew by ${grown / MIB} MiB`);
    await comesBack(server, []);
});
