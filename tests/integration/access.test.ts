/* Who may reach it from a browser: Host, pages of other sites, CORS; and who may read its files. */
import { strict as assert } from 'node:assert';
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';

import { type Logmill, scenario } from '../support/harness';
import { type Answer, RawConnection, get, request } from '../support/http';
import { atRest, metric, postLog, stored } from '../support/logs';

const DEFAULTS = { ALLOWED_HOSTS: '' };
const LOG = JSON.stringify({ message: 'from a page', level: 'error' });
const JSON_TYPE = { 'Content-Type': 'application/json' };

function postAs(server: Logmill, headers: Record<string, string>): Promise<Answer> {
    return request(server, {
        method: 'POST',
        path: '/log',
        headers: { ...JSON_TYPE, ...headers },
        body: LOG,
    });
}

scenario('a name that a page points at 127.0.0.1 is answered 421 everywhere', async (lab) => {
    const server = await lab.start({ settings: DEFAULTS });
    for (const where of ['/', '/logs', '/logs/tail', '/metrics', '/docs', '/nothing', '/log']) {
        const answer = await get(server, where, { Host: `evil.example:${server.port}` });
        assert.equal(answer.status, 421, where);
        assert.match(answer.json().detail, /ALLOWED_HOSTS/);
    }
    assert.equal((await postAs(server, { Host: 'evil.example' })).status, 421);
    for (const host of ['127.0.0.1', `[::1]:${server.port}`, '10.0.0.7', 'localhost', 'a.localhost']) {
        assert.equal((await get(server, '/health', { Host: host })).status, 200, host);
        assert.equal((await postAs(server, { Host: host })).status, 201, host);
    }
    assert.equal(metric(await atRest(server), 'logmill_logs_accepted_total'), 5);
});

scenario('it is refused before a byte of the body is read', async (lab) => {
    const server = await lab.start({ settings: DEFAULTS });
    const client = await RawConnection.open(server);
    client.send('POST /log HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 900000\r\n\r\n');
    assert.equal((await client.answer()).status, 421);
    assert.equal(metric(await atRest(server), 'logmill_inflight_bytes'), 0);
    await client.end();
});

scenario('names in ALLOWED_HOSTS are answered, and no others', async (lab) => {
    const settings = { ALLOWED_HOSTS: 'logs.example.com, *.corp.example' };
    const server = await lab.start({ settings });
    for (const host of ['logs.example.com', 'LOGS.example.com:80', 'x.corp.example', '127.0.0.1']) {
        assert.equal((await get(server, '/logs', { Host: host })).status, 200, host);
    }
    assert.equal((await get(server, '/logs', { Host: 'corp.example' })).status, 421);
});

scenario('on an address that others reach any Host is answered, and that is said', async (lab) => {
    const server = await lab.start({ settings: { ...DEFAULTS, HOST: '0.0.0.0' } });
    assert.equal((await postAs(server, { Host: 'logs.example.com' })).status, 201);
    assert.match(server.stderr, /any Host.*ALLOWED_HOSTS/);
    const strict = await lab.start({ settings: { ALLOWED_HOSTS: 'a.example', HOST: '0.0.0.0' } });
    assert.equal((await postAs(strict, { Host: 'logs.example.com' })).status, 421);
    assert.doesNotMatch(strict.stderr, /any Host/);
});

scenario('pages of other sites get nothing, but for a link to a page of ours', async (lab) => {
    const server = await lab.start({ settings: DEFAULTS });
    const crossSite = (mode: string, dest: string): Record<string, string> => ({
        'Sec-Fetch-Site': 'cross-site',
        'Sec-Fetch-Mode': mode,
        'Sec-Fetch-Dest': dest,
    });
    assert.equal((await get(server, '/', crossSite('navigate', 'document'))).status, 200);
    assert.equal((await get(server, '/docs', crossSite('navigate', 'document'))).status, 200);
    assert.equal((await get(server, '/', crossSite('navigate', 'iframe'))).status, 403);
    assert.equal((await get(server, '/logs', crossSite('navigate', 'document'))).status, 403);
    assert.equal((await get(server, '/metrics', crossSite('no-cors', 'image'))).status, 403);
    assert.equal((await postAs(server, crossSite('no-cors', 'empty'))).status, 403);
    const refused = await postAs(server, { ...crossSite('cors', 'empty'), Origin: 'https://x.example' });
    assert.equal(refused.status, 403);
    assert.match(refused.json().detail, /CORS_ORIGINS/);
    for (const site of ['same-origin', 'none', 'same-site']) {
        assert.equal((await get(server, '/logs', { 'Sec-Fetch-Site': site })).status, 200, site);
    }
});

scenario('a page of an origin in CORS_ORIGINS asks, sends and reads', async (lab) => {
    const settings = { ...DEFAULTS, CORS_ORIGINS: 'https://app.example, http://localhost:3000' };
    const server = await lab.start({ settings });
    const Origin = 'https://app.example';
    const asked = await request(server, {
        method: 'OPTIONS',
        path: '/log',
        headers: { Origin, 'Access-Control-Request-Method': 'POST' },
    });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers['access-control-allow-origin'], Origin);
    assert.match(asked.headers['access-control-allow-methods']!, /POST/);
    assert.match(asked.headers['access-control-allow-headers']!, /content-type/);
    assert.equal(asked.headers['access-control-max-age'], '7200');
    assert.match(asked.headers.vary!, /Origin/);

    const taken = await postAs(server, { Origin, 'Sec-Fetch-Site': 'cross-site' });
    assert.equal(taken.status, 201);
    assert.equal(taken.headers['access-control-allow-origin'], Origin);
    assert.equal(taken.headers['cross-origin-resource-policy'], 'cross-origin');
    await stored(server, taken.json().id);

    const other = await postAs(server, { Origin: 'https://app.example.evil', 'Sec-Fetch-Site': 'cross-site' });
    assert.equal(other.status, 403);
    assert.equal(other.headers['access-control-allow-origin'], undefined);
    const asksInVain = await request(server, {
        method: 'OPTIONS',
        path: '/log',
        headers: { Origin: 'https://app.example.evil', 'Access-Control-Request-Method': 'POST' },
    });
    assert.equal(asksInVain.status, 405);
    assert.equal(asksInVain.headers['access-control-allow-origin'], undefined);
    assert.equal((await get(server, '/logs')).headers.vary, 'Origin'); // no cache mixes them up
});

scenario('every answer says that it is not to be guessed at nor embedded', async (lab) => {
    const server = await lab.start({ settings: DEFAULTS });
    const id = await postLog(server, { message: 'm', level: 'info' });
    await stored(server, id);
    const answers = [
        await postAs(server, {}),
        await postAs(server, { 'Content-Type': 'text/plain' }),
        await get(server, '/logs'),
        await get(server, '/logs?format=ndjson'),
        await get(server, `/logs/${id}`),
        await get(server, '/nothing'),
        await get(server, '/health'),
        await get(server, '/openapi.json'),
        await request(server, { method: 'DELETE', path: '/log' }),
    ];
    for (const { status, headers } of answers) {
        assert.equal(headers['x-content-type-options'], 'nosniff', String(status));
        assert.equal(headers['cross-origin-resource-policy'], 'same-origin', String(status));
    }
});

scenario('settings that cannot be meant end the start by name', async (lab) => {
    const wrong: [string, string][] = [
        ['ALLOWED_HOSTS', 'http://logs.example.com'],
        ['CORS_ORIGINS', 'app.example'],
        ['TRUSTED_PROXIES', '10.0.0.0/99'],
    ];
    for (const [name, value] of wrong) {
        const server = lab.launch({ settings: { [name]: value } });
        await server.refuses();
        assert.match(server.stderr, new RegExp(`${name}.*${value}`));
    }
});

scenario('a trusted proxy says which scheme a redirect has', async (lab) => {
    const locationOf = async (server: Logmill, proto?: string): Promise<unknown> => {
        const headers = { Host: '127.0.0.1', ...(proto && { 'X-Forwarded-Proto': proto }) };
        const answer = await get(server, '/logs/?x=1', headers);
        assert.equal(answer.status, 307);
        return answer.headers.location;
    };
    const server = await lab.start();
    assert.equal(await locationOf(server), 'http://127.0.0.1/logs?x=1');
    assert.equal(await locationOf(server, 'https'), 'https://127.0.0.1/logs?x=1');
    assert.equal(await locationOf(server, 'HTTPS, http'), 'https://127.0.0.1/logs?x=1');
    assert.equal(await locationOf(server, 'javascript'), 'http://127.0.0.1/logs?x=1');
    for (const proxies of ['10.0.0.0/8', 'none']) {
        const strict = await lab.start({ settings: { TRUSTED_PROXIES: proxies } });
        assert.equal(await locationOf(strict, 'https'), 'http://127.0.0.1/logs?x=1', proxies);
    }
});

scenario('the files are their owner\'s alone, also those from before', async (lab) => {
    const dataDir = path.join(lab.folder(), 'data');
    const modes = (): string[] =>
        readdirSync(dataDir).map((name) => {
            return `${name} ${(statSync(path.join(dataDir, name)).mode & 0o777).toString(8)}`;
        });
    const server = await lab.start({}, dataDir);
    await stored(server, await postLog(server, { message: 'm', level: 'info' }));
    assert.ok(readdirSync(dataDir).includes('logs.db-wal'));
    assert.deepEqual(modes().filter((mode) => !mode.endsWith(' 600')), []);
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
    await server.stop();
    for (const name of readdirSync(dataDir)) {
        chmodSync(path.join(dataDir, name), 0o644);
    }
    writeFileSync(path.join(dataDir, 'notes.txt'), 'not ours', { mode: 0o644 });
    await lab.start({}, dataDir);
    assert.deepEqual(modes().filter((mode) => !mode.endsWith(' 600')), ['notes.txt 644']);
});
