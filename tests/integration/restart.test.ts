/*
 * A restart refuses nobody: sockets that logmill is given at its start (LISTEN_FDS), as systemd or
 * any other starter hands them over.
 */
import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as path from 'node:path';

import {
    ROOT,
    type Lab,
    type Logmill,
    eventually,
    freePort,
    scenario,
    sleep,
} from '../support/harness';
import { requestOn } from '../support/http';
import { allLogs, postLog, stored } from '../support/logs';

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
