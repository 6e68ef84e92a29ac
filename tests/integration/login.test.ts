/* Logging in: a key becomes a cookie, which counts for our own page alone, and as long as its key. */
import { strict as assert } from 'node:assert';
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as https from 'node:https';
import * as path from 'node:path';

import { Authority } from '../support/certificates';
import { type Lab, type Logmill, eventually, freePort, runLogmill, scenario } from '../support/harness';
import { type Answer, RawConnection, get, request } from '../support/http';
import { metric, metrics } from '../support/logs';
import { Tail } from '../support/sse';

const fileOf = (lab: Lab): string => path.join(lab.folder(), 'keys');

async function keys(file: string, ...args: string[]): Promise<string> {
    const ran = await runLogmill(['keys', ...args], { KEYS_FILE: file });
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout.trim();
}

const makeKey = (file: string, name: string, role: string, ...more: string[]): Promise<string> =>
    keys(file, 'add', name, '--role', role, ...more);

function logIn(server: Logmill, key: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return request(server, {
        method: 'POST',
        path: '/login',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify({ key }),
    });
}

const cookieOf = (answer: Answer): string => answer.headers['set-cookie']![0]!;

/** "name=value", as a browser sends it. */
const bare = (answer: Answer): string => cookieOf(answer).split(';')[0]!;

async function session(server: Logmill, key: string): Promise<string> {
    const answer = await logIn(server, key);
    assert.equal(answer.status, 200, answer.text);
    return bare(answer);
}

const read = (server: Logmill, cookie: string, more: Record<string, string> = {}): Promise<Answer> =>
    get(server, '/logs', { Cookie: cookie, ...more });

scenario('a key becomes a cookie that scripts cannot read and that stays at its site', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read', '--only', 'service:shop', '--expires', '90d');
    const server = await lab.start({ settings: { KEYS_FILE: file, SESSION_MAX_AGE: '600' } });
    const answer = await logIn(server, key);
    assert.equal(answer.status, 200);
    assert.match(
        cookieOf(answer),
        new RegExp(`^logmill-${server.port}=[\\w+/=]+; Path=/; Max-Age=600; HttpOnly; SameSite=Strict$`),
    );
    assert.ok(!cookieOf(answer).includes(key));
    assert.ok(!Buffer.from(bare(answer).split('=')[1]!, 'base64').includes(key));
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal((await read(server, bare(answer))).status, 200);
    // The same, as a form sends it; and by another process's eyes: the name has the port in it.
    const form = await request(server, {
        method: 'POST',
        path: '/login',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', Host: 'localhost' },
        body: `user=x&key=${key}`,
    });
    assert.match(cookieOf(form), /^logmill=/);
    assert.equal((await read(server, bare(form))).status, 401);
    assert.equal((await read(server, bare(form), { Host: 'localhost' })).status, 200);

    const { expires, ...who } = (await get(server, '/whoami', { Cookie: bare(answer) })).json();
    assert.deepEqual(who, {
        ...{ name: 'anna', role: 'read', may: ['read'], only: 'service:shop', set: {} },
        ...{ anonymous: [], operate: true, session: true, keys: true, links: {}, loopback: true },
    });
    assert.match(expires, /^20\d\d-/);
    assert.match(server.stderr, /somebody has logged in.*"key":"anna".*"address":"127\.0\.0\.1"/);
    assert.ok(!server.stderr.includes(key) && !server.stderr.includes(bare(answer)));
});

scenario('over TLS the cookie is Secure and only its host can have set it', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const https = { 'X-Forwarded-Proto': 'https' };
    const answer = await logIn(server, key, https);
    assert.match(
        cookieOf(answer),
        new RegExp(`^__Host-logmill-${server.port}=[^;]+; Path=/; Max-Age=43200; .*; Secure$`),
    );
    assert.equal((await read(server, bare(answer), https)).status, 200);
    // What a page over plain HTTP could have set counts for nothing over TLS.
    const plain = bare(answer).replace('__Host-', '');
    assert.equal((await read(server, plain, https)).status, 401);
    await server.stop();

    const wary = await lab.start({ settings: { KEYS_FILE: file, TRUSTED_PROXIES: '10.0.0.1' } });
    assert.doesNotMatch(cookieOf(await logIn(wary, key, https)), /Secure|__Host/);
});

/** The status of a request over TLS, and the cookie that came. */
function overTls(port: number, ca: string, options: https.RequestOptions, body = ''): Promise<[number, string]> {
    return new Promise((resolve, reject) => {
        const asking = https.request({ host: 'localhost', port, ca, agent: false, ...options }, (answer) => {
            answer.resume();
            answer.on('end', () => resolve([answer.statusCode!, answer.headers['set-cookie']?.[0] ?? '']));
        });
        asking.on('error', reject);
        asking.end(body);
    });
}

scenario('a cookie of the port that speaks TLS counts there alone', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const folder = lab.folder();
    const authority = new Authority(folder, 'authority');
    const pair = authority.sign('localhost', 'DNS:localhost,IP:127.0.0.1');
    const port = await freePort();
    const server = await lab.start({
        settings: { KEYS_FILE: file, TLS_PORT: String(port), TLS_CERT_FILE: pair.cert, TLS_KEY_FILE: pair.key },
    });
    const ca = readFileSync(authority.cert, 'utf8');
    const headers = { 'Content-Type': 'application/json' };
    const [status, made] = await overTls(port, ca, { method: 'POST', path: '/login', headers }, JSON.stringify({ key }));
    assert.equal(status, 200);
    assert.match(made, new RegExp(`^__Host-logmill-${port}=[^;]+; Path=/; .*; HttpOnly; SameSite=Strict; Secure$`));
    const secure = made.split(';')[0]!;
    const [read] = await overTls(port, ca, { path: '/logs', headers: { Cookie: secure } });
    assert.equal(read, 200);
    const plain = await session(server, key);
    for (const cookie of [plain, secure.replace('__Host-', ''), plain.replace(String(server.port), String(port))]) {
        const [refused] = await overTls(port, ca, { path: '/logs', headers: { Cookie: cookie } });
        assert.equal(refused, 401, cookie);
    }
    const host = { Host: `localhost:${port}` };
    assert.equal((await get(server, '/logs', { Cookie: secure, ...host })).status, 401);
});

scenario('a wrong key logs nobody in, and many of them stop their address', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const brief = await makeKey(file, 'brief', 'read', '--expires', '1s');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    await eventually('it expires', async () => (await logIn(server, brief)).status === 401);
    for (const wrong of [`${key}x`, 'anna', `lm_${'0'.repeat(49)}`]) {
        const answer = await logIn(server, wrong);
        assert.equal(answer.status, 401, wrong);
        assert.match(answer.json().detail, /this key is not valid/);
        assert.equal(answer.headers['set-cookie'], undefined);
        // No dialogue of the browser's own, which would come before the page's form.
        assert.equal(answer.headers['www-authenticate'], 'Bearer realm="logmill"');
    }
    for (const none of ['', ' ', 7, null, ['x']]) {
        assert.equal((await logIn(server, none)).status, 422, JSON.stringify(none));
    }
    assert.equal((await logIn(server, 'x'.repeat(5000))).status, 413);
    for (const body of ['', '{', '[]', 'null']) {
        const sent = { method: 'POST', path: '/login', headers: { 'Content-Type': 'application/json' }, body };
        assert.equal((await request(server, sent)).status, 422, body);
    }
    const cookie = await session(server, key);
    for (let n = 0; n < 10; n++) await logIn(server, `lm_${n}`);
    const stopped = await logIn(server, 'lm_11');
    assert.equal(stopped.status, 429);
    assert.equal(stopped.headers['retry-after'], '60');
    // But not whoever has a key there.
    assert.equal((await logIn(server, key)).status, 200);
    assert.match(server.stderr, /an address has sent many keys/);
    // Who is logged in at that address stays so.
    assert.equal((await read(server, cookie)).status, 200);
    await server.stop();

    const open = await lab.start();
    assert.match((await logIn(open, key)).text, /nobody can log in here: KEYS_FILE is not set/);
});

/** A cookie's value, made of `key` by the recipe of access/session.h with `secret` as the digest. */
function forge(key: string, secret: Buffer, begin: Buffer, madeMs: number): string {
    const head = Buffer.concat([Buffer.from([1]), begin.subarray(0, 8)]);
    const nonce = Buffer.alloc(12, 7);
    const sealing = createHmac('sha256', secret).update('logmill session 1').digest();
    const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(head);
    const made = Buffer.alloc(8);
    made.writeBigInt64LE(BigInt(madeMs) * 1000n);
    const sealed = [cipher.update(Buffer.concat([made, Buffer.from(key)])), cipher.final()];
    return Buffer.concat([head, nonce, ...sealed, cipher.getAuthTag()]).toString('base64');
}

scenario('a cookie that was changed, forged, is old or of another time is none', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const other = await makeKey(file, 'shop', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file, SESSION_MAX_AGE: '600' } });
    const cookie = await session(server, key);
    const [name, value] = [cookie.slice(0, cookie.indexOf('=')), cookie.slice(cookie.indexOf('=') + 1)];
    const status = async (text: string): Promise<number> => (await read(server, `${name}=${text}`)).status;
    assert.equal(await status(value), 200);
    const bytes = Buffer.from(value, 'base64');
    for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        assert.equal(await status(changed.toString('base64')), 401, `byte ${at}`);
        assert.equal(await status(bytes.subarray(0, at).toString('base64')), 401, `${at} bytes`);
    }
    for (const text of ['', key, '=', 'x'.repeat(4000), `${value}${value}`]) {
        assert.equal(await status(text), 401, text);
    }

    const digest = createHash('sha256').update(key).digest();
    const now = Date.now();
    // The recipe is right: whoever has key and file could make one.
    assert.equal(await status(forge(key, digest, digest, now)), 200);
    assert.equal(await status(forge(key, digest, digest, now - 590_000)), 200);
    assert.equal(await status(forge(key, digest, digest, now - 601_000)), 401);
    assert.equal(await status(forge(key, digest, digest, now + 3_600_000)), 401);
    // The file alone does not do.
    const line = readFileSync(file, 'utf8').split('\n').find((text) => text.includes('"anna"'))!;
    const known = Buffer.from(JSON.parse(line).sha256, 'hex');
    assert.deepEqual(known, digest);
    for (const guess of [line, 'x', `lm_${'0'.repeat(49)}`, other].map((text) => text.slice(0, 200))) {
        assert.equal(await status(forge(guess, known, known, now)), 401, guess);
    }
    // Another key's, however it is put together: that one only writes.
    const others = createHash('sha256').update(other).digest();
    assert.equal(await status(forge(other, others, others, now)), 403);
    assert.equal(await status(forge(key, others, others, now)), 401);
    assert.equal(await status(forge(other, digest, others, now)), 401);

    const seen = await metrics(server);
    assert.ok(metric(seen, 'logmill_requests_refused_total{reason="key"}') > bytes.length);
    const refused = await read(server, `${name}=x`);
    assert.match(refused.json().detail, /nobody is logged in any more/);
});

scenario('a cookie holds across a restart, and ends when its key is revoked or changed', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const boss = await makeKey(file, 'boss', 'admin');
    const settings = { KEYS_FILE: file, PORT: '0' };
    const first = await lab.start({ settings });
    const host = { Host: 'localhost' };
    const cookie = bare(await logIn(first, key, host));
    const bosses = bare(await logIn(first, boss, host));
    await first.stop();
    const second = await lab.start({ settings });
    assert.equal((await read(second, cookie, host)).status, 200);
    await keys(file, 'revoke', 'anna');
    await eventually('it ends', async () => (await read(second, cookie, host)).status === 401);
    const brief = await makeKey(file, 'brief', 'read', '--expires', '5s');
    await eventually('it is known', async () => (await logIn(second, brief, host)).status === 200);
    const briefs = bare(await logIn(second, brief, host));
    await eventually('it expires', async () => (await read(second, briefs, host)).status === 401);
    assert.equal((await read(second, bosses, host)).status, 200);
    await second.stop();
    // Anonymous readers are not what somebody becomes unseen whose session has ended.
    const open = await lab.start({ settings: { ...settings, ANONYMOUS: 'read' } });
    assert.equal((await get(open, '/logs', host)).status, 200);
    assert.equal((await read(open, cookie, host)).status, 401);
});

scenario('a cookie counts for our own page alone', async (lab) => {
    const file = fileOf(lab);
    const boss = await makeKey(file, 'boss', 'admin');
    const allowed = 'https://app.example';
    const server = await lab.start({ settings: { KEYS_FILE: file, CORS_ORIGINS: allowed, ALLOWED_HOSTS: 'logs.example' } });
    const cookie = await session(server, boss);
    const own = `http://127.0.0.1:${server.port}`;
    const tries: [string, Record<string, string>, number][] = [
        ['no browser, or one that says nothing', {}, 200],
        ['our page', { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' }, 200],
        ['our page, with its origin', { 'Sec-Fetch-Site': 'same-origin', Origin: own }, 200],
        ['a person', { 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' }, 200],
        ['another site', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'cors' }, 403],
        ['another port of the same host', { 'Sec-Fetch-Site': 'same-site' }, 401],
        ['its origin alone', { Origin: 'http://127.0.0.1:1' }, 401],
        ['no origin', { Origin: 'null' }, 401],
        ['an origin that is allowed', { Origin: allowed, 'Sec-Fetch-Site': 'cross-site' }, 401],
        ['the same site and allowed', { Origin: allowed, 'Sec-Fetch-Site': 'same-site' }, 401],
        ['a name that was pointed here', { Host: 'rebound.example' }, 421],
    ];
    for (const [who, headers, status] of tries) {
        assert.equal((await read(server, cookie, headers)).status, status, who);
    }
    const send = (headers: Record<string, string>, method: string, where: string): Promise<Answer> =>
        request(server, {
            method, path: where, body: method === 'POST' ? '{"message":"m","level":"info"}' : '',
            headers: { 'Content-Type': 'application/json', Cookie: cookie, ...headers },
        });
    for (const [headers, post, erase] of [
        [{ Origin: own, 'Sec-Fetch-Site': 'same-origin' }, 201, 200],
        [{ Origin: 'http://127.0.0.1:1', 'Sec-Fetch-Site': 'same-site' }, 403, 403],
        [{ Origin: 'http://127.0.0.1:1' }, 403, 403],
        [{ Origin: allowed }, 401, 401],
        [{ 'Sec-Fetch-Site': 'cross-site' }, 403, 403],
    ] as const) {
        assert.equal((await send(headers, 'POST', '/log')).status, post, JSON.stringify(headers));
        assert.equal((await send(headers, 'DELETE', '/logs?all=1&dry_run=1')).status, erase);
    }
    // No other page logs somebody in, as somebody else, or out.
    for (const headers of [
        { Origin: allowed },
        { 'Sec-Fetch-Site': 'same-site' },
        { Origin: 'http://127.0.0.1:1' },
        { 'Sec-Fetch-Site': 'cross-site' },
    ] as Record<string, string>[]) {
        assert.equal((await logIn(server, boss, headers)).status, 403, JSON.stringify(headers));
        const out = await request(server, { method: 'POST', path: '/logout', headers });
        assert.equal(out.status, 403);
        assert.equal(out.headers['set-cookie'], undefined);
    }
});

scenario('a key that a request bears counts before its cookie, whatever becomes of it', async (lab) => {
    const file = fileOf(lab);
    const boss = await makeKey(file, 'boss', 'admin');
    const writer = await makeKey(file, 'shop', 'write');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const cookie = await session(server, boss);
    const by = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` });
    assert.equal((await read(server, cookie, by(writer))).status, 403);
    assert.equal((await read(server, cookie, by(`${boss}x`))).status, 401);
    assert.equal((await read(server, cookie, by('token'))).status, 200); // it is no key
    assert.equal((await read(server, `${cookie}x`, by(boss))).status, 200);
    const who = await get(server, '/whoami', { Cookie: cookie, ...by(writer) });
    assert.deepEqual([who.json().name, who.json().may], ['shop', ['write']]);
    // Among others, the first of its name.
    assert.equal((await read(server, `a=b; ${cookie};c=d`)).status, 200);
    assert.equal((await read(server, `x${cookie}`)).status, 401);
});

scenario('who logs out bears no cookie any more', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const cookie = await session(server, key);
    const out = await request(server, { method: 'POST', path: '/logout', headers: { Cookie: cookie } });
    assert.equal(out.status, 204);
    assert.equal(
        cookieOf(out),
        `logmill-${server.port}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict`,
    );
});

scenario('no body of any length is taken of whoever has no key, whatever asks for none', async (lab) => {
    const file = fileOf(lab);
    const boss = await makeKey(file, 'boss', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    for (const start of [
        'POST /login', 'POST /logout', 'GET /health', 'GET /metrics', 'GET /', 'GET /docs', 'OPTIONS /services/collector',
        'GET /services/collector/health',
    ]) {
        const head = `${start} HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n`;
        const long = await RawConnection.open(server);
        long.send(`${head}Content-Length: 4097\r\n\r\n`); // nothing of it
        assert.equal((await long.answer()).status, 413, start);
        long.close();
        const endless = await RawConnection.open(server);
        endless.send(`${head}Transfer-Encoding: chunked\r\n\r\n1800\r\n${'x'.repeat(0x1800)}\r\n`);
        assert.equal((await endless.answer()).status, 413, start);
        endless.close();
    }
    const large = await request(server, {
        method: 'POST', path: '/log', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${boss}` },
        body: JSON.stringify({ message: 'x'.repeat(50_000), level: 'info' }),
    });
    assert.equal(large.status, 201);
    // Without keys it is as it was.
    const open = await lab.start();
    const odd = await request(open, { method: 'GET', path: '/health', body: 'x'.repeat(5000) });
    assert.equal(odd.status, 200);
});

scenario('what somebody asks by a cookie is kept by no cache, and goes by whichever cookie holds', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const cookie = await session(server, key);
    for (const where of ['/logs', '/logs/stats', '/logs/fields']) {
        assert.equal((await get(server, where, { Cookie: cookie })).headers['cache-control'], 'no-store', where);
    }
    const name = cookie.slice(0, cookie.indexOf('='));
    assert.equal((await read(server, `${name}=x; ${name}=${'A'.repeat(160)}; ${cookie}`)).status, 200);
    assert.equal((await read(server, `${`${name}=x; `.repeat(4)}${cookie}`)).status, 401);
});

scenario('a tail ends with its session', async (lab) => {
    const file = fileOf(lab);
    const key = await makeKey(file, 'anna', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file, SESSION_MAX_AGE: '600' } });
    const name = (await session(server, key)).split('=')[0]!;
    const digest = createHash('sha256').update(key).digest();
    const nearlyOver = `${name}=${forge(key, digest, digest, Date.now() - 595_000)}`;
    const tail = await Tail.open(server, { headers: { Cookie: nearlyOver } });
    assert.equal(tail.status, 200);
    await eventually('the stream to end, and no other to begin', async () => tail.status === 401);
    tail.close();
});

scenario('tails and downloads work with a cookie', async (lab) => {
    const file = fileOf(lab);
    const boss = await makeKey(file, 'boss', 'admin');
    const server = await lab.start({ settings: { KEYS_FILE: file } });
    const bearer = { Authorization: `Bearer ${boss}` };
    const sent = await request(server, {
        method: 'POST', path: '/log', headers: { 'Content-Type': 'application/json', ...bearer },
        body: '{"message":"kept","level":"info"}',
    });
    assert.equal(sent.status, 201);
    const cookie = await session(server, boss);
    await eventually('it is there', async () => (await read(server, cookie)).text.includes('kept'));
    const download = await get(server, '/logs?format=csv', {
        Cookie: cookie, 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'navigate',
    });
    assert.equal(download.status, 200);
    assert.match(download.text, /kept/);
    const tail = await fetch(`http://127.0.0.1:${server.port}/logs/tail`, {
        headers: { Cookie: cookie, Accept: 'text/event-stream' },
    });
    assert.equal(tail.status, 200);
    await tail.body!.cancel();
});

scenario('whoami tells what may be done, with a key and without', async (lab) => {
    const file = fileOf(lab);
    const writer = await makeKey(file, 'shop', 'write', '--set', 'service=shop');
    const boss = await makeKey(file, 'boss', 'admin');
    const open = await lab.start();
    assert.deepEqual((await get(open, '/whoami')).json(), {
        ...{ name: null, role: null, may: ['read', 'write'], only: null, set: {}, expires: null },
        ...{ anonymous: ['read', 'write'], operate: true, session: false, keys: false, links: {}, loopback: true },
    });
    await open.stop();
    const server = await lab.start({ settings: { KEYS_FILE: file, ANONYMOUS: 'write', HOST: '0.0.0.0' } });
    const who = async (headers: Record<string, string>): Promise<any> =>
        (await get(server, '/whoami', headers)).json();
    const nobody = await who({});
    assert.deepEqual([nobody.may, nobody.anonymous, nobody.keys, nobody.loopback], [['write'], ['write'], true, false]);
    const shop = await who({ 'X-API-Key': writer });
    assert.deepEqual([shop.name, shop.may, shop.set], ['shop', ['write'], { service: 'shop' }]);
    assert.deepEqual((await who({ 'X-API-Key': boss })).may, ['read', 'write', 'admin']);
    await server.stop();
    const closed = await lab.start({ settings: { KEYS_FILE: file } });
    assert.equal((await get(closed, '/whoami')).status, 401);
});

scenario('whoami tells who may read where the values of attributes lead', async (lab) => {
    const file = fileOf(lab);
    const writer = await makeKey(file, 'shop', 'write');
    const reader = await makeKey(file, 'ann', 'read');
    const settings = {
        LINKS: 'user.id=https://users.example/{value}\nsku=http://shop.example/?q={value}',
        LINK_trace_id: 'https://traces.example/{value}#top',
        LINK_gone: '',
    };
    const links = {
        'user.id': 'https://users.example/{value}',
        sku: 'http://shop.example/?q={value}',
        trace_id: 'https://traces.example/{value}#top',
    };
    const open = await lab.start({ settings });
    assert.deepEqual((await get(open, '/whoami')).json().links, links);
    await open.stop();
    const server = await lab.start({ settings: { ...settings, KEYS_FILE: file, ANONYMOUS: 'write' } });
    for (const [headers, expected] of [[{}, {}], [{ 'X-API-Key': writer }, {}], [{ 'X-API-Key': reader }, links]] as const) {
        assert.deepEqual((await get(server, '/whoami', headers)).json().links, expected);
    }
    const shown = await runLogmill(['config'], settings);
    assert.match(shown.stdout, /^LINK_trace_id=https:\/\/traces\.example\/\{value\}#top$/m);
    for (const [wrong, message] of [
        [{ LINKS: 'a=https://x/{value} a=https://y/{value}' }, /LINKS: a: there is another link/],
        [{ LINK_a: 'javascript:alert({value})' }, /LINK_a: a URL begins with https:/],
        [{ LINK_a: 'https://{value}.example/' }, /LINK_a: a URL names its host, without \{value\}/],
    ] as const) {
        const ran = await runLogmill(['config'], wrong);
        assert.equal(ran.code, 2, ran.stderr);
        assert.match(ran.stderr, message);
    }
});

scenario('whoami tells who may look at the server itself, and who can log out', async (lab) => {
    const file = fileOf(lab);
    const anna = await makeKey(file, 'anna', 'read');
    const boss = await makeKey(file, 'boss', 'admin');
    for (const access of ['open', 'read', 'admin']) {
        const server = await lab.start({ settings: { KEYS_FILE: file, ANONYMOUS: 'write', OPS_ACCESS: access } });
        for (const [key, cookie] of [
            [undefined, false], [anna, false], [anna, true], [boss, false], [boss, true],
        ] as const) {
            const headers = !key ? {} : cookie ? { Cookie: bare(await logIn(server, key)) } : { 'X-API-Key': key };
            const { operate, session } = (await get(server, '/whoami', headers)).json();
            assert.equal(session, cookie);
            // It is as it is told.
            for (const path of ['/docs', '/openapi.json', '/metrics', '/ready']) {
                assert.equal((await get(server, path, headers)).status === 200, operate, `${path} ${access} ${key}`);
            }
        }
        await server.stop();
    }
});

scenario('a browser gets the page, and no dialogue of its own; programs get their challenge', async (lab) => {
    const file = fileOf(lab);
    await makeKey(file, 'anna', 'read');
    const server = await lab.start({ settings: { KEYS_FILE: file, OPS_ACCESS: 'read' } });
    const html = { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const page = await get(server, '/', html);
    assert.equal(page.status, 200);
    assert.match(page.text, /<div id="app">/);
    const asks = async (where: string, headers: Record<string, string>): Promise<string> => {
        const answer = await get(server, where, headers);
        assert.equal(answer.status, 401, where);
        return answer.headers['www-authenticate']!;
    };
    const basic = /^Bearer realm="logmill", Basic realm="logmill"/;
    assert.match(await asks('/', {}), basic);
    assert.match(await asks('/logs', { Accept: '*/*' }), basic);
    assert.match(await asks('/logs', { Accept: 'application/json' }), basic);
    for (const headers of [
        html,
        { 'X-Requested-With': 'logmill' },
        { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors' },
        { Cookie: `logmill-${server.port}=x`, 'Sec-Fetch-Site': 'none', 'Sec-Fetch-Mode': 'navigate' },
    ] as Record<string, string>[]) {
        assert.equal(await asks('/logs', headers), 'Bearer realm="logmill"', JSON.stringify(headers));
    }
    assert.equal(await asks('/docs', html), 'Bearer realm="logmill"');
});
