/*
 * Uploads of a journal (POST /upload), which are open for as long as their client runs: what has
 * come is stored while more comes, and what comes again is stored once.
 */
import { strict as assert } from 'node:assert';

import { type Logmill, PATIENCE_MS, eventually, scenario } from '../support/harness';
import { RawConnection, request } from '../support/http';
import { allLogs, metric, metrics } from '../support/logs';

const TIME = 1795827002453000;
const HEAD =
    'POST /upload HTTP/1.1\r\nHost: test\r\nContent-Type: application/vnd.fdo.journal\r\n' +
    'Transfer-Encoding: chunked\r\n\r\n';

function entry(n: number, more = ''): string {
    return (
        `__CURSOR=s=1;i=${n}\n__REALTIME_TIMESTAMP=${TIME + n}\nPRIORITY=6\n` +
        `MESSAGE=entry ${n}\nSYSLOG_IDENTIFIER=shop\n${more}\n`
    );
}

function entries(first: number, count: number, more = ''): string {
    return Array.from({ length: count }, (_, i) => entry(first + i, more)).join('');
}

function chunk(text: string): string {
    return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** Until entries 0 … count - 1 are stored; each must be there once. */
async function stored(server: Logmill, count: number): Promise<void> {
    const logs = await eventually(`${count} entries`, async () => {
        const found = await allLogs(server, 'since=2000-01-01');
        return found.length >= count ? found : undefined;
    });
    assert.deepEqual(
        logs.map((log) => log.message).sort(),
        Array.from({ length: count }, (_, n) => `entry ${n}`).sort(),
    );
}

function received(server: Logmill, name: string): Promise<number> {
    return metrics(server).then((samples) =>
        metric(samples, `logmill_received_${name}{protocol="journal"}`),
    );
}

scenario('an upload of more than a batch may have is taken, whatever its framing', async (lab) => {
    const server = await lab.start({
        settings: { MAX_BATCH_BYTES: '65536', MAX_BODY_BYTES: '65536' },
    });
    const body = entries(0, 4000, `DATA=${'x'.repeat(500)}\n`);
    const declared = await request(server, { method: 'POST', path: '/upload', body });
    assert.equal(declared.status, 202, declared.text);
    assert.equal(declared.text, 'OK.\n');
    await stored(server, 4000);
    const pieces = Array.from({ length: Math.ceil(body.length / 9999) }, (_, i) =>
        body.slice(i * 9999, (i + 1) * 9999),
    );
    const chunked = await request(server, { method: 'POST', path: '/upload', pieces });
    assert.equal(chunked.status, 202, chunked.text);
    assert.equal(await received(server, 'logs_total'), 8000);
    await stored(server, 4000);
});

scenario('what an open upload has sent is read back, and its client may be silent', async (lab) => {
    const server = await lab.start({ settings: { REQUEST_TIMEOUT: '1' } });
    const upload = await RawConnection.open(server);
    upload.send(HEAD);
    upload.send(chunk(entries(0, 3) + entry(3).slice(0, 20)));
    await stored(server, 3);
    // longer than REQUEST_TIMEOUT, as another client is told
    const slow = await RawConnection.open(server);
    slow.send('POST /log HTTP/1.1\r\n');
    assert.equal((await slow.answer()).status, 408);
    upload.send(chunk(entry(3).slice(20)));
    await stored(server, 4);
    assert.equal(upload.unread, '');
    upload.send(`${chunk(entry(4))}0\r\n\r\n`);
    assert.equal((await upload.answer()).status, 202);
    await stored(server, 5);
    upload.send(`${HEAD}${chunk(entry(5))}0\r\n\r\n`); // the connection goes on
    assert.equal((await upload.answer()).status, 202);
    await stored(server, 6);
});

scenario('an upload that is cut and comes again: each entry is stored once', async (lab) => {
    const server = await lab.start({});
    const cut = await RawConnection.open(server);
    cut.send(HEAD + chunk(entries(0, 50) + entry(50).slice(0, 30)));
    await stored(server, 50);
    cut.close();
    const whole = entries(0, 100);
    const again = await request(server, { method: 'POST', path: '/upload', body: whole });
    assert.equal(again.status, 202, again.text);
    await stored(server, 100);
});

scenario('what is no journal is refused, and what came before it is stored', async (lab) => {
    const server = await lab.start({});
    const upload = await RawConnection.open(server);
    upload.send(HEAD + chunk(entries(0, 2)));
    await stored(server, 2);
    upload.send(chunk(`${entry(2)}no journal at all\n`));
    const answer = await upload.answer();
    assert.equal(answer.status, 400);
    assert.equal(answer.headers['content-type'], 'text/plain');
    assert.equal(answer.text, 'no name of a field of a journal');
    await upload.end();
    await stored(server, 3);
});

scenario('an entry that can never be stored is left out of an open upload', async (lab) => {
    const server = await lab.start({});
    const upload = await RawConnection.open(server);
    upload.send(HEAD + chunk(entry(0)));
    await stored(server, 1);
    const large = entry(999, `DATA=${'x'.repeat(17 << 20)}\n`); // JOURNAL_ENTRY_MAX is 16 MiB
    upload.send(`${chunk(large)}${chunk(entry(1))}0\r\n\r\n`);
    assert.equal((await upload.answer()).status, 202);
    await stored(server, 2);
    assert.equal(await received(server, 'left_out_total'), 1);
});

scenario('a stop ends an open upload; what had come is stored', async (lab) => {
    const server = await lab.start({});
    const upload = await RawConnection.open(server);
    upload.send(HEAD + chunk(entries(0, 20)));
    await stored(server, 20);
    upload.send(chunk(entries(20, 5)));
    await stored(server, 25);
    await server.stop();
    const answer = await upload.answer();
    assert.equal(answer.status, 503, answer.text);
    await upload.end();
    const next = await lab.start({}, server.dataDir);
    await stored(next, 25);
});

scenario('a take-over ends an open upload, which goes on with the next process', async (lab) => {
    const old = await lab.start({});
    const upload = await RawConnection.open(old);
    upload.send(HEAD + chunk(entries(0, 20)));
    await stored(old, 20);
    const next = await lab.start({ args: ['--take-over'] }, old.dataDir);
    assert.equal((await upload.answer()).status, 503);
    await old.waitForEnd(PATIENCE_MS);
    const again = await request(next, { method: 'POST', path: '/upload', body: entries(0, 30) });
    assert.equal(again.status, 202, again.text);
    await stored(next, 30);
});

scenario('a full queue ends an open upload with 503 after a while', async (lab) => {
    const api = await lab.start({ command: 'api', settings: { QUEUE_MAX_BYTES: '4194304' } });
    const upload = await RawConnection.open(api);
    upload.send(HEAD + chunk(entry(0)));
    await eventually('the first entry', async () => (await received(api, 'logs_total')) === 1);
    for (let n = 1; upload.unread === '' && !upload.closed; n++) {
        upload.send(chunk(entry(n, `DATA=${'x'.repeat(200_000)}\n`)));
        await new Promise((resolve) => upload.socket.write('', resolve));
    }
    const answer = await upload.answer();
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.text, /QUEUE_MAX_BYTES/);
});
