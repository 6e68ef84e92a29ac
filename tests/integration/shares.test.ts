/*
 * What a key may have at once: connections, scans and tails; what is told to who wants more; and that
 * whatever one takes, there is left for others.
 */
import { strict as assert } from 'node:assert';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';

import { type Lab, type Logmill, eventually, runLogmill, scenario } from '../support/harness';
import { type Answer, RawConnection, get, request } from '../support/http';
import { atRest, metric, metrics } from '../support/logs';
import { Tail } from '../support/sse';

const fileOf = (lab: Lab): string => path.join(lab.folder(), 'keys');

async function makeKey(file: string, name: string, ...more: string[]): Promise<string> {
    const ran = await runLogmill(['keys', 'add', name, ...more], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

const bearer = (key: string | undefined): Record<string, string> => (key ? { Authorization: `Bearer ${key}` } : {});

const LOG = '{"message":"m","level":"info"}';

/** A connection that has sent a log with the key, and what it was answered. */
async function connect(
    server: Logmill,
    key: string | undefined,
    where = '/log',
): Promise<{ client: RawConnection; answer: Answer }> {
    const client = await RawConnection.open(server);
    const authorization = key ? `Authorization: Bearer ${key}\r\n` : '';
    client.send(
        `POST ${where} HTTP/1.1\r\nHost: h\r\n${authorization}Content-Type: application/json\r\n` +
            `Content-Length: ${LOG.length}\r\n\r\n${LOG}`,
    );
    return { client, answer: await client.answer() };
}

/** So many connections with the key that stay open; all of them are answered so. */
async function connectAll(server: Logmill, key: string | undefined, n: number, status: number): Promise<RawConnection[]> {
    const opened: RawConnection[] = [];
    for (let i = 0; i < n; i++) {
        const { client, answer } = await connect(server, key);
        assert.equal(answer.status, status, `${i}: ${answer.text}`);
        opened.push(client);
    }
    return opened;
}

/** Refused for now, in seconds that are said. */
function assertLater(answer: { status: number; headers: Answer['headers'] }, text: string, says: RegExp): void {
    assert.equal(answer.status, 429, text);
    assert.match(text, says);
    assert.match(String(answer.headers['retry-after']), /^[1-9][0-9]*$/);
}

const closeAll = (connections: { close: () => void }[]): void => connections.forEach((c) => c.close());

scenario('a key has as many connections as it may; one more is refused, and closed', async (lab) => {
    const file = fileOf(lab);
    const two = await makeKey(file, 'two', '--role', 'write', '--connections', '2');
    const other = await makeKey(file, 'other', '--role', 'write');
    const boss = await makeKey(file, 'boss', '--role', 'admin', '--connections', '1');
    const server = await lab.start({ settings: { KEYS_FILE: file, WEB_CONCURRENCY: '2', OPS_ACCESS: 'admin' } });
    const opened = await connectAll(server, two, 2, 201);

    for (const [where, says] of [
        ['/log', /^\{"detail":"this key has as many connections as it may \(its connections\)/],
        ['/services/collector', /"text":"this key has as many connections.*"code":9/],
        ['/v1/logs', /"code":8,"message":"this key has as many/],
        ['/loki/api/v1/push', /^this key has as many/],
    ] as const) {
        const { client, answer } = await connect(server, two, where);
        assertLater(answer, answer.text, says);
        await eventually('its end', async () => client.closed);
    }
    // Also one that has sent no body.
    const without = await RawConnection.open(server);
    without.send(`GET /api/v1/validate HTTP/1.1\r\nHost: h\r\nX-API-Key: ${two}\r\n\r\n`);
    assert.equal((await without.answer()).status, 429);
    await eventually('its end', async () => without.closed);

    // Those that it has go on, and others have their own.
    opened[0]?.send(`GET /api/v1/validate HTTP/1.1\r\nHost: h\r\nX-API-Key: ${two}\r\n\r\n`);
    assert.equal((await opened[0]?.answer())?.status, 200);
    closeAll(await connectAll(server, other, 4, 201));
    // Whoever looks after the service is never refused.
    const bosses = await connectAll(server, boss, 1, 201);
    assert.equal((await connect(server, boss)).answer.status, 429);
    const looked = await get(server, '/metrics', { ...bearer(boss), Connection: 'close' });
    assert.equal(looked.status, 200);
    assert.match(looked.text, /logmill_requests_refused_total\{reason="connections"\} 6/);
    closeAll(bosses);

    // One that counts for another key from now on, or is closed, is a place.
    opened[0]?.send(`GET /api/v1/validate HTTP/1.1\r\nHost: h\r\nX-API-Key: ${other}\r\n\r\n`);
    assert.equal((await opened[0]?.answer())?.status, 200);
    const next = await connectAll(server, two, 1, 201);
    assert.equal((await connect(server, two)).answer.status, 429);
    opened[1]?.close();
    await eventually('a place', async () => (await connect(server, two)).answer.status === 201);
    closeAll([...opened, ...next]);
});

scenario('whatever one key takes of all connections, a quarter is for others', async (lab) => {
    const file = fileOf(lab);
    const greedy = await makeKey(file, 'greedy', '--role', 'write');
    const other = await makeKey(file, 'other', '--role', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file, ANONYMOUS: 'write', MAX_CONNECTIONS: '40' } });
    const taken = await connectAll(server, greedy, 30, 201);
    for (let i = 0; i < 10; i++) {
        const { answer } = await connect(server, greedy);
        assertLater(answer, answer.text, /this key has as many connections as it may/);
        const { client, answer: others } = await connect(server, other);
        assert.equal(others.status, 201, `${i}: ${others.text}`);
        client.close();
    }
    closeAll(taken);
    // So it is with all who have no key, together.
    await eventually('all closed', async () => metric(await metrics(server), 'logmill_http_connections_open') < 5);
    const nobodys = await connectAll(server, undefined, 30, 201);
    const { answer } = await connect(server, undefined);
    assertLater(answer, answer.text, /those who have no key have as many connections .*ANONYMOUS_CONNECTIONS/);
    closeAll([...(await connectAll(server, other, 5, 201)), ...nobodys]);
});

/** Resolves when the server has answered and ended its side; the client's stays open. */
function refusedWithoutClosing(server: Logmill, key: string): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
        const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
        let text = '';
        socket.on('error', reject);
        socket.on('data', (data) => (text += String(data)));
        socket.on('end', () => {
            socket.off('error', reject).on('error', () => undefined);
            return /^HTTP\/1\.1 429 /.test(text) ? resolve(socket) : reject(new Error(text));
        });
        socket.write(`GET /api/v1/validate HTTP/1.1\r\nHost: h\r\nX-API-Key: ${key}\r\n\r\n`);
    });
}

scenario('whoever is refused and does not close takes no places of others', async (lab) => {
    const file = fileOf(lab);
    const two = await makeKey(file, 'two', '--role', 'write', '--connections', '2');
    const other = await makeKey(file, 'other', '--role', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file, MAX_CONNECTIONS: '20', WEB_CONCURRENCY: '2' } });
    const opened = await connectAll(server, two, 2, 201);
    const stay: net.Socket[] = [];
    for (let i = 0; i < 30; i++) {
        stay.push(await refusedWithoutClosing(server, two));
    }
    closeAll([...(await connectAll(server, other, 10, 201)), ...opened]);
    stay.forEach((socket) => socket.destroy());
});

scenario('without keys all connections are for all, but for as many as ANONYMOUS_CONNECTIONS says', async (lab) => {
    const all = await lab.start({ settings: { MAX_CONNECTIONS: '8' } });
    closeAll(await connectAll(all, undefined, 7, 201)); // and one of the test's own
    const some = await lab.start({ settings: { MAX_CONNECTIONS: '8', ANONYMOUS_CONNECTIONS: '3', ANONYMOUS_TAILS: '1' } });
    const opened = await connectAll(some, undefined, 3, 201);
    assert.equal((await connect(some, undefined)).answer.status, 429);
    closeAll(opened);
    const tail = await eventually('a tail', async () => {
        const one = await Tail.open(some, { comesBack: false });
        return one.status === 200 && one;
    });
    const second = await Tail.open(some, { comesBack: false });
    assertLater(second, second.body, /all who have no key may have 1 live tails at once \(ANONYMOUS_TAILS\)/);
    tail.close();
});

/** A download whose client reads nothing more once its head is there: its scan goes on. */
function stuck(server: Logmill, key: string): Promise<{ close: () => void }> {
    return new Promise((resolve, reject) => {
        const options = { agent: false, port: server.port, path: '/logs?format=ndjson', headers: bearer(key) };
        const sent = http.get(options, (response) => {
            response.on('error', () => {});
            assert.equal(response.statusCode, 200);
            response.once('readable', () => resolve({ close: () => sent.destroy() }));
        });
        sent.on('error', reject);
    });
}

async function fill(server: Logmill, key: string): Promise<void> {
    const text = 'x'.repeat(8000);
    for (let i = 0; i < 40; i++) {
        const body = JSON.stringify(Array.from({ length: 100 }, (_, n) => ({ message: `${text}${i}.${n}`, level: 'info' })));
        const sent = await request(server, {
            method: 'POST',
            path: '/logs',
            headers: { 'Content-Type': 'application/json', ...bearer(key) },
            body,
        });
        assert.equal(sent.status, 201, sent.text);
    }
    await atRest(server);
}

scenario('a key has as many scans as it may, and whatever it takes others read', async (lab) => {
    const file = fileOf(lab);
    const boss = await makeKey(file, 'boss', '--role', 'admin');
    const greedy = await makeKey(file, 'greedy', '--role', 'read', '--scans', '2');
    const free = await makeKey(file, 'free', '--role', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file, MAX_READS: '8' } });
    await fill(server, boss);
    const [log] = (JSON.parse((await get(server, '/logs?limit=1', bearer(boss))).text) as { logs: { id: string }[] }).logs;

    const downloads = [await stuck(server, greedy), await stuck(server, greedy)];
    const refused = await eventually('both places to be taken', async () => {
        const answer = await get(server, '/logs?limit=1', bearer(greedy));
        return answer.status === 429 && answer;
    });
    assertLater(refused, refused.text, /this key may have 2 scans at once \(its scans\)/);
    for (const where of ['/logs/stats', '/logs/fields', '/logs/patterns', '/logs?q=x', '/logs?order=oldest', `/logs?around=${log?.id}`]) {
        assert.equal((await get(server, where, bearer(greedy))).status, 429, where);
        assert.equal((await get(server, where, bearer(boss))).status, 200, where);
    }
    // A single log is no scan.
    assert.equal((await get(server, `/logs/${log?.id}`, bearer(greedy))).status, 200);
    // One that says nothing has three quarters.
    closeAll(downloads.splice(0));
    await eventually('places', async () => (await get(server, '/logs?limit=1', bearer(greedy))).status === 200);
    for (let i = 0; i < 6; i++) {
        downloads.push(await stuck(server, free));
    }
    const more = await eventually('all places to be taken', async () => {
        const answer = await get(server, '/logs?limit=1', bearer(free));
        return answer.status === 429 && answer;
    });
    assertLater(more, more.text, /this key may have 6 scans at once/);
    for (let i = 0; i < 10; i++) {
        assert.equal((await get(server, '/logs/stats', bearer(boss))).status, 200);
    }
    assert.ok(metric(await metrics(server), 'logmill_reads_refused_total{reason="scans"}') >= 7);
    closeAll(downloads);
    await eventually('places', async () => (await get(server, '/logs?limit=1', bearer(free))).status === 200);
});

scenario('a key without limits that takes all memory for bodies leaves the others theirs', async (lab) => {
    const file = fileOf(lab);
    const greedy = await makeKey(file, 'greedy', '--role', 'write');
    const writer = await makeKey(file, 'writer', '--role', 'write');
    const reader = await makeKey(file, 'reader', '--role', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file, MAX_INFLIGHT_BYTES: '8388608' } });
    // Bodies that do not come whole, until there is no room for more of them.
    const half = Buffer.alloc(500_000, ' ');
    const slow: RawConnection[] = [];
    const head =
        `POST /logs HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${greedy}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n';
    const refused = await eventually('no room', async () => {
        const one = await RawConnection.open(server);
        slow.push(one);
        one.send(head);
        one.send(half);
        return slow.find((c) => c.unread.startsWith('HTTP/1.1 503'));
    });
    assert.match(refused.unread, /Retry-After: [1-9]/i);
    for (let i = 0; i < 20; i++) {
        const { client, answer } = await connect(server, writer);
        assert.equal(answer.status, 201, `${i}: ${answer.text}`);
        client.close();
        assert.equal((await get(server, '/logs?limit=1', bearer(reader))).status, 200);
    }
    const tail = await Tail.open(server, { comesBack: false, headers: bearer(reader) });
    assert.equal(tail.status, 200);
    tail.close();
    closeAll(slow);
    await atRest(server);
});

scenario('a key has as many tails as it may, and whatever it takes others follow', async (lab) => {
    const file = fileOf(lab);
    const writer = await makeKey(file, 'writer', '--role', 'write');
    const one = await makeKey(file, 'one', '--role', 'read', '--tails', '1');
    const greedy = await makeKey(file, 'greedy', '--role', 'read');
    const other = await makeKey(file, 'other', '--role', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file, MAX_TAILS: '8', WEB_CONCURRENCY: '2' } });
    const open = (key: string): Promise<Tail> => Tail.open(server, { comesBack: false, headers: bearer(key) });
    const tails: Tail[] = [await open(one)];
    const second = await open(one);
    assertLater(second, second.body, /this key may have 1 live tails at once \(its tails\)/);
    for (let i = 0; i < 6; i++) {
        tails.push(await open(greedy));
        assert.equal(tails.at(-1)?.status, 200);
    }
    const seventh = await open(greedy);
    assertLater(seventh, seventh.body, /this key may have 6 live tails at once/);
    const others = await open(other);
    assert.equal(others.status, 200);
    assert.equal((await request(server, { method: 'POST', path: '/log', headers: { 'Content-Type': 'application/json', ...bearer(writer) }, body: LOG })).status, 201);
    await eventually('its log', async () => others.logs.length === 1);
    assert.equal(metric(await metrics(server), 'logmill_reads_refused_total{reason="tails"}'), 2);
    tails[0]?.close();
    const again = await eventually('a place', async () => {
        const tail = await open(one);
        return tail.status === 200 && tail;
    });
    [...tails, others, again].forEach((t) => t.close());
});

scenario('what a key may have at once has a form, and is listed', async (lab) => {
    const file = fileOf(lab);
    const settings = { KEYS_FILE: file };
    await makeKey(file, 'a', '--role', 'admin', '--connections', '20', '--scans', '3', '--tails', '4');
    const listed = await runLogmill(['keys', 'list'], settings);
    assert.match(listed.stdout, /BYTES +AT ONCE +SET/);
    assert.match(listed.stdout, /^a +admin .* connections=20 scans=3 tails=4 *$/m);
    const none = await runLogmill(['keys', 'add', 'b', '--role', 'write', '--connections', '0'], settings);
    assert.notEqual(none.code, 0);
    assert.match(none.stderr, /connections.*1 .*1000000/);
    const writer = await runLogmill(['keys', 'add', 'b', '--role', 'write', '--tails', '2'], settings);
    assert.match(writer.stderr, /scans.* and .*tails.* are for keys whose role is read or admin/);
});
