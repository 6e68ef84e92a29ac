/* TLS at the real program: HTTPS beside HTTP, syslog over TLS, certificates, the command line. */
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import * as https from 'node:https';
import * as path from 'node:path';
import * as tls from 'node:tls';

import { Authority, type Pair, replacePair } from '../support/certificates';
import {
    BINARY,
    type Lab,
    type Logmill,
    type Ran,
    eventually,
    freePort,
    run,
    runLogmill,
    scenario,
} from '../support/harness';
import { type Answer, get } from '../support/http';
import { allLogs, metric, metrics } from '../support/logs';
import { connect, place } from '../support/streams';

const NAMES = 'DNS:localhost,IP:127.0.0.1';

interface Site {
    server: Logmill;
    port: number;
    ca: Authority;
    pair: Pair;
    folder: string;
}

/** HTTP on PORT and HTTPS on TLS_PORT, with a certificate of `ca`. */
async function site(lab: Lab, settings: Record<string, string> = {}): Promise<Site> {
    const folder = lab.folder();
    const ca = new Authority(folder, 'authority');
    const pair = ca.sign('localhost', NAMES);
    const port = await freePort();
    const server = await lab.start({
        settings: {
            TLS_PORT: String(port),
            TLS_CERT_FILE: pair.cert,
            TLS_KEY_FILE: pair.key,
            ...settings,
        },
    });
    return { server, port, ca, pair, folder };
}

function readText(file: string): string {
    return readFileSync(file, 'utf8');
}

interface Asked {
    status: number;
    body: string;
    reused: boolean;
    cert: string;
}

/** One request by Node's own client. */
function ask(
    at: Site,
    options: https.RequestOptions = {},
    body?: string,
): Promise<Asked> {
    return new Promise((resolve, reject) => {
        const request = https.request(
            {
                host: 'localhost',
                port: at.port,
                path: '/health',
                ca: readText(at.ca.cert),
                ...(body === undefined
                    ? {}
                    : { method: 'POST', headers: { 'Content-Type': 'application/json' } }),
                ...options,
            },
            (response) => {
                const socket = response.socket as tls.TLSSocket;
                const reused = socket.isSessionReused();
                const cert = socket.getPeerCertificate().serialNumber ?? '';
                let text = '';
                response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
                response.on('end', () =>
                    resolve({ status: response.statusCode!, body: text, reused, cert }),
                );
            },
        );
        request.on('error', reject);
        request.end(body);
    });
}

const log = (n: number | string): string => JSON.stringify({ message: `log ${n}`, level: 'info' });

/** What openssl's own client says, given nothing to send. */
function sClient(at: Site, ...args: string[]): Promise<Ran> {
    return run([
        'bash',
        '-c',
        'openssl s_client "$@" < /dev/null 2>&1',
        'bash',
        '-connect',
        `127.0.0.1:${at.port}`,
        '-CAfile',
        at.ca.cert,
        ...args,
    ]);
}

scenario('HTTP and HTTPS are served at once, to curl, Node and Python', async (lab) => {
    const at = await site(lab);
    const listening = at.server.diagnostics().find((line) => line.msg === 'listening');
    assert.equal(listening?.['tls_port'], at.port);
    assert.equal((await ask(at, { path: '/log' }, log(1))).status, 201);
    const curl = await run([
        'curl', '-sS', '--cacert', at.ca.cert, '-H', 'content-type: application/json',
        '-d', log(2), '-o', '/dev/null', '-w', '%{http_code} %{http_version}',
        `https://localhost:${at.port}/log`,
    ]); // prettier-ignore
    assert.equal(curl.stdout, '201 1.1', curl.stderr);
    // Strict, as Python 3.13 is by itself.
    const python = await run([
        'python3', '-c',
        'import ssl,sys,urllib.request as r\n' +
            'c=ssl.create_default_context(cafile=sys.argv[1])\n' +
            'c.verify_flags|=ssl.VERIFY_X509_STRICT\n' +
            'q=r.Request(sys.argv[2],sys.argv[3].encode(),{"content-type":"application/json"})\n' +
            'print(r.urlopen(q,context=c).status)',
        at.ca.cert, `https://localhost:${at.port}/log`, log(3),
    ]); // prettier-ignore
    assert.equal(python.stdout, '201\n', python.stderr);
    assert.equal((await get(at.server, '/health')).status, 200);
    await eventually('three logs', async () => (await allLogs(at.server)).length === 3);
    const seen = await metrics(at.server);
    assert.equal(metric(seen, 'logmill_tls_handshakes_total{result="done"}'), 3);
});

scenario('without a TLS_PORT, PORT itself speaks TLS, and says so to plain HTTP', async (lab) => {
    const folder = lab.folder();
    const ca = new Authority(folder, 'authority');
    const pair = ca.sign('localhost', NAMES);
    const port = await freePort();
    const settings = { PORT: String(port), TLS_CERT_FILE: pair.cert, TLS_KEY_FILE: pair.key };
    const server = lab.launch({ settings });
    const at = { server, port, ca, pair, folder };
    await eventually('start', async () => (await ask(at)).status === 200);
    const plain: Answer = await get({ port }, '/health');
    assert.equal(plain.status, 400);
    assert.equal(plain.json().detail, 'this port speaks TLS: the URL has to begin with https');
    const redirect = await ask(at, { path: '/health/' });
    assert.equal(redirect.status, 307);
    const health = await runLogmill(['health'], settings);
    assert.equal(health.code, 0, health.stderr);
});

scenario('large bodies and answers, pipelined and in pieces, are whole', async (lab) => {
    const at = await site(lab);
    const text = 'x'.repeat(500_000);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 4; i++) {
        const body = JSON.stringify({ message: `${i}${text}`, level: 'info' });
        assert.equal((await ask(at, { path: '/log', agent }, body)).status, 201);
    }
    await eventually('all', async () => (await allLogs(at.server)).length === 4);
    const answer = await ask(at, { path: '/logs?limit=10', agent });
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.body).logs.length, 4);
    agent.destroy();
    const socket = tls.connect({ port: at.port, host: 'localhost', ca: readText(at.ca.cert) });
    const got: string[] = [];
    socket.setEncoding('utf8').on('data', (piece: string) => got.push(piece));
    const request = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
    socket.write(request.repeat(30) + 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(got.join('').match(/HTTP\/1.1 200 OK/g)?.length, 31);
});

scenario('TLS 1.2 and 1.3 are spoken, nothing older, and sessions are resumed', async (lab) => {
    const at = await site(lab);
    for (const [version, said] of [
        ['-tls1_2', 'TLSv1.2'],
        ['-tls1_3', 'TLSv1.3'],
    ] as const) {
        const ran = await sClient(at, version);
        assert.match(ran.stdout, new RegExp(`New, ${said}, Cipher is`), ran.stdout);
        assert.match(ran.stdout, /Verify return code: 0 \(ok\)/);
        assert.match(ran.stdout, /Compression: NONE/);
        const session = path.join(at.folder, `session${version}`);
        const first = await run([
            'bash', '-c',
            'openssl s_client "$@" -ign_eof 2>&1 < <(printf "GET /health HTTP/1.1\\r\\n' +
                'Host: a\\r\\nConnection: close\\r\\n\\r\\n")',
            'bash', '-connect', `127.0.0.1:${at.port}`, version, '-sess_out', session,
        ]); // prettier-ignore
        assert.match(first.stdout, /HTTP\/1.1 200/);
        const again = await sClient(at, version, '-sess_in', session);
        assert.match(again.stdout, /Reused, TLS/, again.stdout);
    }
    for (const version of ['-tls1', '-tls1_1']) {
        const ran = await sClient(at, version, '-cipher', 'DEFAULT@SECLEVEL=0');
        assert.doesNotMatch(ran.stdout, /Cipher is [A-Z]+-/, ran.stdout);
    }
});

scenario('a slow handshake is ended, and holds up nobody', async (lab) => {
    const at = await site(lab, { TLS_HANDSHAKE_TIMEOUT: '1', WEB_CONCURRENCY: '1' });
    const late = 'logmill_tls_handshakes_total{result="timed_out"}';
    const slow = [];
    for (let i = 0; i < 30; i++) {
        const socket = await connect({ host: '127.0.0.1', port: at.port });
        if (i % 2 === 0) {
            socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));
        }
        slow.push(new Promise((resolve) => socket.on('end', resolve).resume()).then(() => socket.destroy()));
    }
    for (let i = 0; i < 20; i++) {
        assert.equal((await ask(at, { agent: new https.Agent() })).status, 200);
    }
    await Promise.all(slow);
    assert.equal(metric(await metrics(at.server), late), 30);
    assert.equal((await ask(at)).status, 200);
});

scenario('a certificate is renewed under load, and no connection is dropped', async (lab) => {
    const at = await site(lab);
    const old = (await ask(at)).cert;
    const agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
    const next = at.ca.sign('localhost', NAMES);
    const statuses = new Map<number, number>();
    let isOver = false;
    const opened = new Set<string>();
    agent.on('free', (socket: tls.TLSSocket) => opened.add(String(socket.localPort)));
    const work = Array.from({ length: 8 }, async (_, n) => {
        for (let i = 0; !isOver; i++) {
            const { status } = await ask(at, { path: '/log', agent }, log(`${n}.${i}`));
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
    });
    const fresh = (): Promise<Asked> => ask(at, { agent: new https.Agent() });
    writeFileSync(at.pair.cert, 'half a certificate');
    await eventually('told', async () =>
        at.server.stderr.includes('the new certificate is of no use'),
    );
    assert.equal((await fresh()).cert, old, 'the one before stays in use');
    replacePair(next, at.pair);
    await eventually('the new one', async () => (await fresh()).cert !== old);
    isOver = true;
    await Promise.all(work);
    agent.destroy();
    assert.deepEqual([...statuses.keys()], [201]);
    assert.ok(opened.size <= 8, `connections were opened anew: ${opened.size}`);
    const told = at.server.diagnostics().find((line) => line.msg.includes('of no use'));
    assert.match(String(told?.['reason']), /^TLS_CERT_FILE: .*: has no certificate in PEM/);
});

scenario('clients prove who they are where TLS_CLIENT_CA_FILE is set', async (lab) => {
    const folder = lab.folder();
    const clients = new Authority(folder, 'clients');
    const strangers = new Authority(folder, 'strangers');
    const at = await site(lab, { TLS_CLIENT_CA_FILE: clients.cert });
    const known = clients.sign('shop');
    const unknown = strangers.sign('shop');
    const by = (pair: Pair): https.RequestOptions => ({
        cert: readText(pair.cert),
        key: readText(pair.key),
        agent: new https.Agent(),
    });
    assert.equal((await ask(at, by(known))).status, 200);
    await assert.rejects(ask(at, by(unknown)));
    await assert.rejects(ask(at, { agent: new https.Agent() }));
    assert.ok(metric(await metrics(at.server), 'logmill_tls_handshakes_total{result="failed"}') >= 2);
    assert.match(at.server.stderr, /a TLS handshake has failed/);
});

scenario('whoever has a certificate whose name is a key\'s may do what that key may', async (lab) => {
    const folder = lab.folder();
    const clients = new Authority(folder, 'clients');
    const strangers = new Authority(folder, 'strangers');
    const settings = { KEYS_FILE: path.join(folder, 'keys') };
    const keys = (...args: string[]): Promise<Ran> => runLogmill(['keys', ...args], settings);
    const added = await keys('add', 'shop', '--role', 'write', '--set', 'team=shop', '--certificate', 'the shop, Berlin');
    assert.equal(added.code, 0, added.stderr);
    assert.equal(added.stdout, '');
    const reader = (await keys('add', 'anna', '--role', 'read')).stdout.trim();
    const at = await site(lab, {
        ...settings,
        TLS_CLIENT_CA_FILE: clients.cert,
        TLS_CLIENT_CERTIFICATES: 'optional',
    });
    const by = (pair: Pair): https.RequestOptions => ({
        cert: readText(pair.cert),
        key: readText(pair.key),
        agent: new https.Agent(),
    });
    const shop = by(clients.sign('the shop, Berlin'));
    const write = (options: https.RequestOptions): Promise<Asked> => ask(at, { path: '/log', ...options }, log(1));
    const bearer = (key: string): https.RequestOptions => ({
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${key}` },
    });
    assert.equal((await write(shop)).status, 201);
    // It is a key as others are: of its role, with its attributes, until it is revoked.
    assert.equal((await ask(at, { ...shop, path: '/logs' })).status, 403);
    assert.equal((await write(by(clients.sign('another')))).status, 401);
    assert.equal((await write(by(clients.sign('shop')))).status, 401); // the name of the key is another
    assert.equal((await write({ agent: new https.Agent() })).status, 401);
    await assert.rejects(write(by(strangers.sign('the shop, Berlin'))));
    // A key that is borne goes before it, also one that is wrong.
    assert.equal((await ask(at, { ...shop, ...bearer(reader), path: '/logs' })).status, 200);
    assert.equal((await write({ ...shop, ...bearer(reader) })).status, 403);
    assert.equal((await write({ ...shop, ...bearer(`${reader.slice(0, -1)}!`) })).status, 401);
    await eventually('the log', async () => {
        const found = await ask(at, { ...bearer(reader), path: '/logs?query=team:shop', agent: new https.Agent() });
        return (JSON.parse(found.body) as { logs: unknown[] }).logs.length === 1;
    });
    // What cannot be a certificate's, as no text of a key is one.
    assert.equal((await write({ ...bearer('certificate:the shop, Berlin'), agent: new https.Agent() })).status, 401);
    const logIn = JSON.stringify({ key: 'certificate:the shop, Berlin' });
    assert.equal((await ask(at, { path: '/login', agent: new https.Agent() }, logIn)).status, 401);
    assert.match((await keys('rotate', 'shop')).stderr, /shop is a certificate's/);
    assert.match((await keys('add', 'shop2', '--role', 'write', '--certificate', 'the shop, Berlin')).stderr, /of a certificate of this name/);
    assert.match((await keys('list')).stdout, /^shop +write .* the shop, Berlin /m);
    assert.equal((await keys('revoke', 'shop')).code, 0);
    await eventually('the end', async () => (await write(shop)).status === 401);
});

scenario('syslog, Fluent and GELF come over TLS', async (lab) => {
    const at = await site(lab, {
        SYSLOG_LISTEN: 'tls://127.0.0.1:0,tcp://127.0.0.1:0',
        FLUENT_LISTEN: 'tls://127.0.0.1:0',
        FLUENT_SHARED_KEY: 'a key', // so that the server greets
        GELF_LISTEN: 'tls://127.0.0.1:0',
    });
    const open = (protocol: string): Promise<tls.TLSSocket> =>
        new Promise((resolve, reject) => {
            const to = place(at.server, protocol, 'tls');
            const socket = tls.connect({ ...to, ca: readText(at.ca.cert) }, () => resolve(socket));
            socket.on('error', reject);
        });
    const finish = async (socket: tls.TLSSocket): Promise<void> => {
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.resume();
        socket.end();
        await closed;
    };
    const syslog = await open('syslog');
    const message = `<14>1 2026-11-29T10:00:00Z host app - - - ${'x'.repeat(40_000)}`;
    for (let i = 0; i < 50; i++) {
        syslog.write(`${message.length} ${message}`);
    }
    await finish(syslog);
    const gelf = await open('gelf');
    gelf.write(`${JSON.stringify({ version: '1.1', short_message: 'gelf', host: 'a' })}\0`);
    await finish(gelf);
    const fluent = await open('fluent');
    const hello = await new Promise<Buffer>((resolve) => fluent.once('data', resolve));
    assert.ok(hello.includes('HELO'));
    fluent.destroy();
    await eventually('51 logs', async () => (await allLogs(at.server)).length === 51);
});

scenario('a half-written TLS stream at a stop: what has come whole is stored', async (lab) => {
    const at = await site(lab, { SYSLOG_LISTEN: 'tls://127.0.0.1:0' });
    const to = place(at.server, 'syslog', 'tls');
    const socket = tls.connect({ ...to, ca: readText(at.ca.cert) });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    socket.write('<14>1 2026-11-29T10:00:00Z host app - - - one\n');
    await eventually('one', async () => (await allLogs(at.server)).length === 1);
    socket.write('<14>1 2026-11-29T10:00:00Z host app - - - two\n<14>1 2026-');
    await eventually('two', async () => (await allLogs(at.server)).length === 2);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume().on('error', () => {});
    await at.server.stop();
    await closed;
});

scenario('the next process takes over both ports', async (lab) => {
    const at = await site(lab);
    const next = lab.launch(
        { args: ['--take-over'], settings: at.server.options.settings! },
        at.server.dataDir,
    );
    const statuses: number[] = [];
    let isOver = false;
    const work = (async () => {
        while (!isOver) {
            statuses.push((await ask(at, { agent: new https.Agent() })).status);
        }
    })();
    await eventually('taken over', async () => at.server.ended !== undefined);
    await next.ready();
    isOver = true;
    await work;
    assert.deepEqual([...new Set(statuses)], [200]);
    assert.equal((await ask(at)).status, 200);
});

scenario('the command line speaks HTTPS, and says why it does not believe', async (lab) => {
    const at = await site(lab);
    const client = (url: string, ...args: string[]): Promise<Ran> =>
        run([BINARY, 'query', '--url', url, ...args]);
    const good = `https://localhost:${at.port}`;
    assert.equal((await ask(at, { path: '/log' }, log('by TLS'))).status, 201);
    await eventually('the log', async () => (await allLogs(at.server)).length === 1);
    const ran = await client(good, '--ca-file', at.ca.cert);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /by TLS/);
    const unknown = await client(good);
    assert.match(unknown.stderr, /certificate is of an unknown authority; --ca-file names a file/);
    const other = new Authority(at.folder, 'other');
    const wrong = await client(good, '--ca-file', other.cert);
    assert.match(wrong.stderr, /of an authority that is not in --ca-file/);
    const missing = await client(good, '--ca-file', '/does/not/exist');
    assert.match(missing.stderr, /--ca-file cannot be read, or has no certificate/);
    const plain = await client(`http://localhost:${at.port}`);
    assert.match(plain.stderr, /answered 400: this port speaks TLS: the URL has to begin with https/);
    replacePair(at.ca.sign('localhost', NAMES, -1), at.pair);
    await eventually('told', async () => at.server.stderr.includes('the certificate has expired'));
    const expired = await client(good, '--ca-file', at.ca.cert);
    assert.match(expired.stderr, /the server's certificate has expired/);
    replacePair(at.ca.sign('elsewhere', 'DNS:elsewhere'), at.pair);
    await eventually('another name', async () => {
        const said = await client(good, '--ca-file', at.ca.cert);
        return /certificate is for another name than that of the URL/.test(said.stderr);
    });
});

scenario('a start with bad TLS settings is refused, and says what is wrong', async (lab) => {
    const folder = lab.folder();
    const ca = new Authority(folder, 'authority');
    const pair = ca.sign('localhost', NAMES);
    const rows: [Record<string, string>, RegExp][] = [
        [{ TLS_CERT_FILE: pair.cert }, /TLS needs TLS_CERT_FILE and TLS_KEY_FILE; TLS_KEY_FILE is/],
        [{ TLS_PORT: '1' }, /TLS needs TLS_CERT_FILE and TLS_KEY_FILE; TLS_CERT_FILE is not set/],
        [
            { TLS_CERT_FILE: pair.cert, TLS_KEY_FILE: `${folder}/none` },
            /TLS_KEY_FILE: .*\/none: No such file or directory/,
        ],
        [{ SYSLOG_LISTEN: 'tls://127.0.0.1:0' }, /SYSLOG_LISTEN: tls:\/\/ needs TLS_CERT_FILE/],
    ];
    for (const [settings, said] of rows) {
        const server = lab.launch({ settings });
        assert.notEqual((await server.refuses()).code, 0);
        assert.match(server.stderr, said);
    }
});
