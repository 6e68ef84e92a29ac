/*
 * A restart refuses nobody: sockets that logmill is given at its start (LISTEN_FDS), as systemd or
 * any other starter hands them over; and those of the process whose place it takes (--take-over).
 */
import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';

import {
    PATIENCE_MS,
    ROOT,
    type Lab,
    type Logmill,
    type StartOptions,
    eventually,
    freePort,
    runLogmill,
    scenario,
    sleep,
} from '../support/harness';
import { RawConnection, rawPost, requestOn } from '../support/http';
import { allLogs, postLog, stored } from '../support/logs';
import { type Place, connect, finish, place, sendDatagrams, write } from '../support/streams';

const ACTIVATE = path.join(ROOT, 'tests', 'support', 'activate.py');

/** Starts `serve` with sockets of these names and addresses. */
function given(
    lab: Lab,
    sockets: string[],
    settings: Record<string, string> = {},
    dataDir?: string,
): Logmill {
    const wrapper = ['python3', ACTIVATE, ...sockets, '--'];
    return lab.launch({ wrapper, settings }, dataDir);
}

/** Logs over connections of their own, so that every listening socket has some. */
async function postOnManyConnections(server: Logmill, n: number): Promise<void> {
    for (let i = 0; i < n; i++) {
        const agent = new http.Agent();
        const answer = await requestOn(agent, server, {
            method: 'POST',
            path: '/log',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ message: `log ${i}`, level: 'info' }),
        });
        assert.equal(answer.status, 201, answer.text);
        agent.destroy();
    }
}

/** The sockets of this process that listen, as the kernel lists them: "127.0.0.1:8000". */
function listeningOf(server: Logmill): string[] {
    const own = new Set(
        execFileSync('ls', ['-l', `/proc/${server.pid}/fd`], { encoding: 'utf8' })
            .split('\n')
            .map((line) => /socket:\[(\d+)\]/.exec(line)?.[1]),
    );
    return readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter((cells) => cells[3] === '0A' && own.has(cells[9]))
        .map((cells) => String(parseInt(cells[1]!.split(':')[1]!, 16)));
}

scenario('a socket that is given by name is served, whatever HOST and PORT say', async (lab) => {
    const port = await freePort();
    const server = given(lab, [`http=tcp:127.0.0.1:${port}`], { PORT: '1' });
    await server.ready();
    assert.equal(server.port, port);
    assert.deepEqual(listeningOf(server), [String(port)], 'nothing else is bound');
    await stored(server, await postLog(server, { message: 'hello', level: 'info' }));
});

scenario('a socket at the address of the settings is served, whatever its name', async (lab) => {
    const port = await freePort();
    const server = given(lab, [`logmill.socket=tcp:0.0.0.0:${port}`], { PORT: String(port) });
    await server.ready();
    assert.deepEqual(listeningOf(server), [String(port)]);
    await stored(server, await postLog(server, { message: 'hello', level: 'info' }));
});

scenario('sockets fewer and more than threads are all accepted from', async (lab) => {
    for (const [sockets, threads] of [
        [1, 2],
        [3, 2],
    ] as const) {
        const port = await freePort();
        const all = Array.from({ length: sockets }, () => `http=tcp:127.0.0.1:${port}`);
        const server = given(lab, all, { WEB_CONCURRENCY: String(threads) });
        await server.ready();
        await postOnManyConnections(server, 40);
        await server.stop();
    }
});

scenario('a socket that matches no setting stops the start, with its name', async (lab) => {
    const [port, other] = [await freePort(), await freePort()];
    const server = given(lab, [`http=tcp:127.0.0.1:${port}`, `htpp=tcp:127.0.0.1:${other}`]);
    assert.equal((await server.refuses()).code, 1);
    assert.match(server.stderr, new RegExp(`htpp.*127.0.0.1:${other}, TCP.*matches no setting`));
});

scenario(
    'systemd-socket-activate starts it, and what came before it ran is answered',
    async (lab) => {
        const port = await freePort();
        const server = lab.launch({
            wrapper: [
                'systemd-socket-activate',
                `--listen=127.0.0.1:${port}`,
                '--fdname=http',
                ...['PATH', 'HOME', 'LC_ALL', 'DATA_DIR', 'PORT', 'ASAN_OPTIONS', 'ALLOWED_HOSTS'].map(
                    (name) => `--setenv=${name}`,
                ),
            ],
        });
        server.port = port;
        const answer = await requestUntilListening(server);
        assert.equal(answer, 201);
        await server.ready();
        await eventually('the first log', async () => {
            const logs = await allLogs(server);
            return logs.length === 1 && logs[0]!.message === 'first';
        });
    },
    { skip: spawnSync('systemd-socket-activate', ['--version']).error ? 'no systemd here' : false },
);

/** The first request that finds a listening socket, which is the one that starts logmill. */
async function requestUntilListening(server: Logmill): Promise<number> {
    for (;;) {
        try {
            const answer = await requestOn(new http.Agent(), server, {
                method: 'POST',
                path: '/log',
                headers: { 'Content-Type': 'application/json' },
                body: JSON.stringify({ message: 'first', level: 'info' }),
            });
            return answer.status;
        } catch (error) {
            assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
            await sleep(20);
        }
    }
}

// ---- --take-over ----

const RESTARTS = 20;

/** Starts a process that takes the place of `old`, and waits until that has ended. */
async function takeOver(
    lab: Lab,
    old: Logmill,
    options: Pick<StartOptions, 'command' | 'settings'> = {},
): Promise<Logmill> {
    const next = lab.launch({ ...old.options, args: ['--take-over'], ...options }, old.dataDir);
    await next.ready();
    await old.waitForEnd(PATIENCE_MS);
    old.verifyEnd();
    return next;
}

/** Clients that never try again: each log that they were told is safe, and what went wrong. */
class Senders {
    readonly sent: string[] = [];
    readonly failures: string[] = [];
    longestMs = 0;
    private isOver = false;
    private readonly all: Promise<void>[] = [];

    constructor(readonly port: number) {}

    /** One that keeps its connection as long as it is told to, or makes a new one each time. */
    add(name: string, keepAlive: boolean): void {
        this.all.push(this.run(name, keepAlive));
    }

    async end(): Promise<void> {
        this.isOver = true;
        await Promise.all(this.all);
    }

    private async run(name: string, keepAlive: boolean): Promise<void> {
        const agent = new http.Agent({ keepAlive, maxSockets: 1 });
        for (let i = 0; !this.isOver; i++) {
            const message = `${name} ${i}`;
            const started = performance.now();
            try {
                const answer = await requestOn(agent, this, {
                    method: 'POST',
                    path: '/log',
                    headers: { 'Content-Type': 'application/json' },
                    body: JSON.stringify({ message, level: 'info' }),
                });
                assert.equal(answer.status, 201, answer.text);
                this.sent.push(message);
            } catch (error) {
                this.failures.push(`${message}: ${String(error)}`);
            }
            this.longestMs = Math.max(this.longestMs, performance.now() - started);
        }
        agent.destroy();
    }
}

/** Waits until all of `sent` are there, and fails unless each is there once, and nothing else. */
async function assertAllOnce(server: Logmill, sent: string[]): Promise<void> {
    const logs = await eventually('all logs to be stored', async () => {
        const found = await allLogs(server);
        return found.length >= sent.length && found;
    });
    assert.deepEqual(logs.map((log) => log.message).sort(), [...sent].sort());
}

scenario(`${RESTARTS} take-overs under load: no request fails, each log is there once`, async (lab) => {
    let server = await lab.start({ settings: { WEB_CONCURRENCY: '2' } });
    const senders = new Senders(server.port);
    for (let i = 0; i < 3; i++) {
        senders.add(`kept ${i}`, true);
        senders.add(`new ${i}`, false);
    }
    const port = server.port;
    for (let i = 0; i < RESTARTS; i++) {
        await eventually('some logs', async () => senders.sent.length > i * 20);
        server = await takeOver(lab, server);
        assert.equal(server.port, port);
    }
    await senders.end();
    console.log(`${senders.sent.length} logs, longest answer ${Math.round(senders.longestMs)} ms`);
    assert.deepEqual(senders.failures, []);
    await assertAllOnce(server, senders.sent);
});

scenario('a connection that rests goes on in the next process, unanswered bytes and all', async (lab) => {
    let server = await lab.start();
    const resting = await RawConnection.open(server);
    const asked = await RawConnection.open(server);
    asked.send(rawPost('/log', JSON.stringify({ message: 'before', level: 'info' })));
    assert.equal((await asked.answer()).status, 201);
    for (let i = 0; i < 3; i++) {
        server = await takeOver(lab, server);
    }
    for (const connection of [resting, asked]) {
        connection.send(rawPost('/log', JSON.stringify({ message: 'after', level: 'info' })));
        assert.equal((await connection.answer()).status, 201);
        connection.close();
    }
    await assertAllOnce(server, ['before', 'after', 'after']);
});

scenario('a request under way is answered by the old process, and nobody waits for it', async (lab) => {
    const old = await lab.start();
    const slow = await RawConnection.open(old);
    const request = rawPost('/log', JSON.stringify({ message: 'slow', level: 'info' }));
    slow.send(request.slice(0, -5));
    await postLog(old, { message: 'one', level: 'info' }); // by now the slow one is being read
    const next = lab.launch({ args: ['--take-over'] , settings: { PORT: String(old.port) } }, old.dataDir);
    await next.ready();
    await postLog(next, { message: 'two', level: 'info' });
    assert.equal(old.ended, undefined, 'it has not gone yet');
    slow.send(request.slice(-5));
    const answer = await slow.answer();
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.connection, 'close');
    await old.waitForEnd(PATIENCE_MS);
    await assertAllOnce(next, ['slow', 'one', 'two']);
});

/** A port that somebody else listens on until the scenario ends. */
async function takenPort(lab: Lab): Promise<string> {
    const taken = net.createServer().listen(0, '127.0.0.1');
    lab.finally(() => void taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    return String((taken.address() as net.AddressInfo).port);
}

scenario('a process that cannot start leaves the old one as it was', async (lab) => {
    const old = await lab.start();
    const kept = await RawConnection.open(old);
    const PORT = await takenPort(lab);
    const next = lab.launch({ args: ['--take-over'], settings: { PORT } }, old.dataDir);
    assert.equal((await next.refuses()).code, 1);
    assert.match(next.stderr, /cannot listen on/);
    await eventually('the old one to go on', async () => {
        return old.diagnostics().filter((line) => line.msg === 'listening').length === 2;
    });
    await postLog(old, { message: 'by a new connection', level: 'info' });
    kept.send(rawPost('/log', JSON.stringify({ message: 'by an old one', level: 'info' })));
    assert.equal((await kept.answer()).status, 201);
    kept.close();
    await assertAllOnce(old, ['by a new connection', 'by an old one']);
    await assertAllOnce(await takeOver(lab, old), ['by a new connection', 'by an old one']);
});

scenario('a process that has taken over goes on where the next one cannot start', async (lab) => {
    const old = await takeOver(lab, await lab.start());
    const PORT = await takenPort(lab);
    for (let i = 0; i < 2; i++) {
        const next = lab.launch({ args: ['--take-over'], settings: { PORT } }, old.dataDir);
        assert.equal((await next.refuses()).code, 1);
        await postLog(old, { message: `log ${i}`, level: 'info' });
    }
    await assertAllOnce(await takeOver(lab, old), ['log 0', 'log 1']);
});

scenario('a request under way holds up nobody where the next process cannot start', async (lab) => {
    const old = await lab.start({ settings: { SHUTDOWN_TIMEOUT: '3600' } });
    const slow = await RawConnection.open(old);
    slow.send(rawPost('/log', JSON.stringify({ message: 'slow', level: 'info' })).slice(0, -5));
    await postLog(old, { message: 'one', level: 'info' }); // by now the slow one is being read
    const PORT = await takenPort(lab);
    const next = lab.launch({ args: ['--take-over'], settings: { PORT } }, old.dataDir);
    assert.equal((await next.refuses()).code, 1);
    await postLog(old, { message: 'two', level: 'info' });
    slow.close();
    await assertAllOnce(old, ['one', 'two']);
});

scenario('more connections are taken over than files may be open at first', async (lab) => {
    const wrapper = ['prlimit', '--nofile=160:4096'];
    const old = await lab.start({ wrapper });
    const resting = await Promise.all(
        Array.from({ length: 300 }, async () => await RawConnection.open(old)),
    );
    await takeOver(lab, old);
    for (const connection of resting) {
        connection.send('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    }
    for (const connection of resting) {
        assert.equal((await connection.answer()).status, 200);
        connection.close();
    }
});

scenario('a new process that is killed in the middle leaves the old one as it was', async (lab) => {
    let old = await lab.start();
    for (let i = 0; i < 5; i++) {
        const next = lab.launch({ ...old.options, args: ['--take-over'] }, old.dataDir);
        await eventually('it to take over', async () => next.stderr.includes('taking over'));
        await next.kill();
        await postLog(old, { message: 'still here', level: 'info' }).catch(async () => {
            // it was late: the new one had it all already, and nothing runs any more
            await old.waitForEnd(PATIENCE_MS);
            old = await lab.start(old.options, old.dataDir);
        });
    }
});

scenario('another command is refused, nobody there is no error, and it is for no other command', async (lab) => {
    const old = await lab.start();
    const other = lab.launch({ command: 'api', args: ['--take-over'] }, old.dataDir);
    assert.equal((await other.refuses()).code, 1);
    assert.match(other.stderr, /started by another command/);
    await old.stop();
    await lab.start({ args: ['--take-over'] }, old.dataDir);
    const ran = await runLogmill(['config', '--take-over']);
    assert.equal(ran.code, 2);
});

scenario('api and worker are taken over each by itself', async (lab) => {
    const settings = { METRICS_PORT: String(await freePort()) };
    let api = await lab.start({ command: 'api' });
    let worker = await lab.start({ command: 'worker', settings }, api.dataDir);
    const sent: string[] = [];
    for (let i = 0; i < 4; i++) {
        sent.push(`log ${i}`);
        await postLog(api, { message: `log ${i}`, level: 'info' });
        api = i % 2 ? await takeOver(lab, api) : api;
        worker = i % 2 ? worker : await takeOver(lab, worker);
        assert.equal(worker.port, Number(settings.METRICS_PORT));
    }
    await assertAllOnce(api, sent);
});

// ---- systemd's descriptor store ----

const MANAGER = path.join(ROOT, 'tests', 'support', 'manager.py');

/** A service under a manager that keeps descriptors; `restart` waits for the next process. */
async function managed(
    lab: Lab,
    settings: Record<string, string> = {},
): Promise<{ server: Logmill; restart: (signal?: 'SIGUSR1' | 'SIGUSR2') => Promise<void> }> {
    const notify = path.join(lab.folder(), 'notify');
    const server = lab.launch({ wrapper: ['python3', MANAGER, notify], settings });
    const ready = (): number => server.stdout.split('READY=1').length - 1;
    await server.ready();
    await eventually('READY=1', async () => ready() === 1);
    return {
        server,
        restart: async (signal = 'SIGUSR1') => {
            const before = ready();
            server.signal(signal);
            await eventually('the next process', async () => ready() === before + 1);
        },
    };
}

scenario('the descriptor store keeps the port and connections at rest open', async (lab) => {
    const { server, restart } = await managed(lab);
    const kept = await RawConnection.open(server);
    const unused = await RawConnection.open(server);
    const sent: string[] = [];
    for (let i = 0; i < 5; i++) {
        sent.push(`log ${i}`);
        kept.send(rawPost('/log', JSON.stringify({ message: `log ${i}`, level: 'info' })));
        assert.equal((await kept.answer()).status, 201);
        await restart();
    }
    sent.push('last');
    unused.send(rawPost('/log', JSON.stringify({ message: 'last', level: 'info' })));
    assert.equal((await unused.answer()).status, 201);
    kept.close();
    unused.close();
    await assertAllOnce(server, sent);
    assert.match(server.stdout, /STOPPING=1/);
    assert.match(server.stdout, /FDSTORE=1 FDNAME=logmill-stored [1-9]/);
    assert.match(server.stdout, /FDSTOREREMOVE=1 FDNAME=logmill-stored 0\n(.*\n)*.*READY=1/);
});

scenario('clients that never try again do not notice restarts by a manager', async (lab) => {
    const { server, restart } = await managed(lab, { WEB_CONCURRENCY: '2' });
    const senders = new Senders(server.port);
    for (let i = 0; i < 3; i++) {
        senders.add(`kept ${i}`, true);
        senders.add(`new ${i}`, false);
    }
    for (let i = 0; i < 10; i++) {
        await eventually('some logs', async () => senders.sent.length > i * 20);
        await restart();
    }
    await senders.end();
    console.log(`${senders.sent.length} logs, longest answer ${Math.round(senders.longestMs)} ms`);
    assert.deepEqual(senders.failures, []);
    await assertAllOnce(server, senders.sent);
});

// ---- Connections that go one way, and are never made again ----

const LISTENING = {
    SYSLOG_LISTEN: 'tcp://127.0.0.1:0,udp://127.0.0.1:0',
    GELF_LISTEN: 'tcp://127.0.0.1:0,udp://127.0.0.1:0',
};

/** How programs put a message on a connection. */
const FRAMINGS: [string, (text: string) => string][] = [
    ['syslog', (text) => `<14>1 - host app - - - ${text}\n`],
    ['syslog', (text) => `<14>${text}\0`],
    ['syslog', (text) => octets(`<14>1 - host app - - - ${text}`)],
    ['gelf', (text) => `${JSON.stringify({ version: '1.1', host: 'h', short_message: text })}\0`],
];

function octets(message: string): string {
    return `${Buffer.byteLength(message)} ${message}`;
}

function listeningPlaces(server: Logmill): Record<string, Place> {
    return { syslog: place(server, 'syslog', 'tcp'), gelf: place(server, 'gelf', 'tcp') };
}

/** Until a message is stored: then the server has read all that was written with it. */
async function isStored(server: Logmill, message: string): Promise<void> {
    await eventually(`"${message}" to be stored`, async () =>
        (await allLogs(server)).some((log) => log.message === message),
    );
}

/**
 * Sends messages on one connection, each in two parts with a pause between, until it is told. The first one goes alone,
 * and whole: by that the server knows that they end with what is between them, however long the other part takes.
 */
class OneWay {
    readonly sent: string[] = [];
    isOver = false;
    private readonly done: Promise<void>;

    constructor(
        private readonly server: Logmill,
        to: Place,
        name: string,
        frame: (text: string) => string,
    ) {
        this.done = this.run(to, name, frame);
    }

    async end(): Promise<void> {
        this.isOver = true;
        await this.done;
    }

    /** Until it sends messages in parts. */
    async begins(): Promise<void> {
        await eventually('a message in parts', async () => this.sent.length > 1);
    }

    private async run(to: Place, name: string, frame: (text: string) => string): Promise<void> {
        const socket = await connect(to);
        await write(socket, frame(`${name} first`));
        await isStored(this.server, `${name} first`);
        this.sent.push(`${name} first`);
        for (let i = 0; !this.isOver; i++) {
            const message = `${name} message ${i}`;
            const bytes = Buffer.from(frame(message));
            const cut = 1 + ((i * 7) % (bytes.length - 1));
            await write(socket, bytes.subarray(0, cut));
            await sleep(i % 5);
            await write(socket, bytes.subarray(cut));
            this.sent.push(message);
        }
        await finish(socket);
    }
}

/** What was sent in halves around a restart, over connections and datagrams during some more. */
async function oneWayThroughRestarts(
    server: Logmill,
    restarts: number,
    restart: () => Promise<Logmill>,
): Promise<void> {
    const places = listeningPlaces(server);
    const udp = place(server, 'gelf', 'udp');
    const senders = FRAMINGS.map(
        ([protocol, frame], i) => new OneWay(server, places[protocol]!, `sender ${i}`, frame),
    );
    await Promise.all(senders.map((sender) => sender.begins()));
    const sent: string[] = [];
    for (let i = 0; i < restarts; i++) {
        const halves = await Promise.all(FRAMINGS.map(([protocol]) => connect(places[protocol]!)));
        const parts = FRAMINGS.map(([, frame], k) => {
            sent.push(`first ${i} ${k}`, `whole ${i} ${k}`, `halved ${i} ${k}`);
            const [whole, halved] = [frame(`whole ${i} ${k}`), frame(`halved ${i} ${k}`)];
            const cut = 3 + ((i * 5) % (halved.length - 4));
            return [frame(`first ${i} ${k}`) + whole, halved.slice(0, cut), halved.slice(cut)] as const;
        });
        await Promise.all(
            halves.map(async (socket, k) => {
                // Apart from the rest, so that it is known to end with what is between messages.
                await write(socket, parts[k]![0]);
                await isStored(server, `first ${i} ${k}`);
                await write(socket, parts[k]![1]);
            }),
        );
        const datagrams = Array.from({ length: 20 }, (_, k) => `datagram ${i} ${k}`);
        const sending = sendDatagrams(
            udp,
            datagrams.map((text) => JSON.stringify({ version: '1.1', host: 'h', short_message: text })),
        );
        sent.push(...datagrams);
        server = await restart();
        await sending;
        await Promise.all(halves.map((socket, k) => write(socket, parts[k]![2])));
        await Promise.all(halves.map((socket) => finish(socket)));
    }
    await Promise.all(senders.map((sender) => sender.end()));
    senders.forEach((sender) => sent.push(...sender.sent));
    await assertAllOnce(server, sent);
}

scenario('one-way connections and datagrams go on through take-overs, cut anywhere', async (lab) => {
    let server = await lab.start({ settings: LISTENING });
    await oneWayThroughRestarts(server, 10, async () => (server = await takeOver(lab, server)));
});

scenario('one-way connections and datagrams go on through restarts by a manager', async (lab) => {
    const { server, restart } = await managed(lab, LISTENING);
    await oneWayThroughRestarts(server, 5, async () => {
        await restart();
        return server;
    });
});

scenario('who copies the directory of a process that has stopped finds files alone', async (lab) => {
    const first = await lab.start();
    const others = (): string[] =>
        readdirSync(first.dataDir).filter(
            (name) => !lstatSync(path.join(first.dataDir, name)).isFile(),
        );
    assert.deepEqual(others(), ['api.next']);
    const second = await takeOver(lab, first);
    assert.deepEqual(others(), ['api.next']);
    await second.stop();
    assert.deepEqual(others(), []);
});

scenario('given sockets of other protocols are theirs by name', async (lab) => {
    const [http, tcp, udp] = [await freePort(), await freePort(), await freePort()];
    const server = given(
        lab,
        [
            `http=tcp:127.0.0.1:${http}`,
            `syslog=tcp:127.0.0.1:${tcp}`,
            `syslog=udp:127.0.0.1:${udp}`,
        ],
        { SYSLOG_LISTEN: 'tcp://127.0.0.1:1,udp://127.0.0.1:1' },
    );
    await server.ready();
    const socket = await connect({ host: '127.0.0.1', port: tcp });
    await write(socket, '<14>1 - host app - - - by tcp\n');
    await finish(socket);
    await sendDatagrams({ host: '127.0.0.1', port: udp }, ['<14>1 - host app - - - by udp']);
    await assertAllOnce(server, ['by tcp', 'by udp']);
});
