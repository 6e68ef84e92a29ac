/* Syslog by sockets, sent by those who send it: rsyslog, util-linux' logger, Python's SysLogHandler. */
import { strict as assert } from 'node:assert';
import { execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';

import { type Lab, type Logmill, eventually, release, scenario } from '../support/harness';
import { type Log, allLogs } from '../support/logs';
import { capturedBytes, connect, finish, place, write } from '../support/streams';

const run = promisify(execFile);
const SETTINGS = { SYSLOG_LISTEN: 'tcp://127.0.0.1:0,udp://127.0.0.1:0' };
const TEXT = 'order 1 placed ✓';
const LINES = 'line one\n  line two';

/** Its logs, the first first, once there are `n`. */
async function logsOf(server: Logmill, n: number): Promise<Log[]> {
    const logs = await eventually(`${n} logs`, async () => {
        const found = await allLogs(server, 'since=2000-01-01');
        return found.length < n ? undefined : found;
    });
    assert.equal(logs.length, n, JSON.stringify(logs));
    return logs.reverse();
}

/** Between what was before it was sent, in whole seconds, and now. */
function assertNow(log: Log, begun: number): void {
    const at = Date.parse(log.timestamp);
    assert.ok(at >= begun - 1000 && at <= Date.now() + 1000, log.timestamp);
}

/** One of each, by its message. */
function byMessage(logs: Log[]): Map<string, Log> {
    const found = new Map(logs.map((log) => [log.message, log]));
    assert.equal(found.size, logs.length, JSON.stringify(logs));
    return found;
}

/* ---- logger ---- */

/** How it is sent. */
interface Way {
    name: string;
    flags: string[];
    scheme: 'tcp' | 'udp';
}

const QUALITY = /^\{"tzKnown":"[01]"(,"isSynced":"[01]")?(,"syncAccuracy":"\d+")?\}$/;

const WAYS: Way[] = [
    { name: 'over TCP', flags: ['--tcp'], scheme: 'tcp' },
    { name: 'over UDP', flags: ['--udp'], scheme: 'udp' },
    { name: 'counted', flags: ['--tcp', '--octet-count'], scheme: 'tcp' },
    { name: 'as RFC 3164', flags: ['--tcp', '--rfc3164'], scheme: 'tcp' },
];

for (const way of WAYS) {
    scenario(`logger ${way.name}: message, level, time and attributes are there`, async (lab) => {
        const server = await lab.start({ settings: SETTINGS });
        const to = place(server, 'syslog', way.scheme);
        const begun = Date.now();
        const send = (priority: string, text: string): Promise<unknown> =>
            run('logger', [
                ...way.flags,
                ...['--server', to.host, '--port', String(to.port), '--tag', 'shop'],
                ...['--id=4711', '--priority', priority, '--', text],
            ]);
        await send('local0.err', TEXT);
        await send('user.debug', LINES);
        const logs = byMessage(await logsOf(server, 2));
        const first = logs.get(TEXT)!;
        const second = logs.get(LINES)!;
        assert.deepEqual([first.level, second.level], ['error', 'debug']);
        for (const log of [first, second]) {
            assertNow(log, begun);
            assert.equal(log.attributes['app'], 'shop');
            assert.equal(log.attributes['procid'], '4711');
            assert.ok(log.attributes['host'].length > 0);
            if (!way.flags.includes('--rfc3164')) {
                assert.match(JSON.stringify(log.attributes['sd'].timeQuality), QUALITY);
            }
        }
        assert.deepEqual(
            [first.attributes['facility'], second.attributes['facility']],
            ['local0', 'user'],
        );
    });
}

/* ---- Python ---- */

const PYTHON = `
import logging, logging.handlers, socket, sys
kind, port = sys.argv[1], int(sys.argv[2])
handler = logging.handlers.SysLogHandler(('127.0.0.1', port), facility='local1',
    socktype=socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
log = logging.getLogger('shop')
log.setLevel(logging.DEBUG)
log.addHandler(handler)
log.info('order 1 placed \\u2713')
log.warning('line one\\n  line two')
try:
    1 / 0
except ZeroDivisionError:
    log.exception('failed')
log.critical('last')
handler.close()
`;

for (const scheme of ['tcp', 'udp'] as const) {
    scenario(`Python's SysLogHandler over ${scheme}: tracebacks are one log`, async (lab) => {
        const server = await lab.start({ settings: SETTINGS });
        const begun = Date.now();
        const script = path.join(lab.folder(), 'send.py');
        writeFileSync(script, PYTHON);
        await run('python3', [script, scheme, String(place(server, 'syslog', scheme).port)]);
        const logs = await logsOf(server, 4);
        const levels = new Map(logs.map((log) => [log.message.split('\n')[0], log.level]));
        assert.deepEqual(
            levels,
            new Map([
                [TEXT, 'info'],
                ['line one', 'warning'],
                ['failed', 'error'],
                ['last', 'critical'],
            ]),
        );
        for (const log of logs) {
            assertNow(log, begun);
            assert.deepEqual(log.attributes, { facility: 'local1' });
        }
        const failed = logs.find((log) => log.level === 'error')!;
        assert.match(failed.message, /^failed\nTraceback [^]*\nZeroDivisionError: division by zero$/);
        assert.ok(logs.some((log) => log.message === LINES));
    });
}

/* ---- rsyslog ---- */

/** rsyslogd with a socket for programs, which sends on what `tag` says by `action`. */
async function rsyslog(lab: Lab, action: string): Promise<string> {
    const folder = lab.folder();
    const socket = path.join(folder, 'log');
    const config = path.join(folder, 'rsyslog.conf');
    writeFileSync(
        config,
        `global(workDirectory="${folder}" localHostname="web-1")
        module(load="imuxsock" SysSock.Use="off")
        input(type="imuxsock" socket="${socket}" rateLimit.Interval="0" unlink="on")
        ${action}`,
    );
    const program = ['/usr/sbin/rsyslogd', '/usr/bin/rsyslogd'].find(existsSync) ?? 'rsyslogd';
    const child = spawn(program, ['-n', '-f', config, '-i', path.join(folder, 'pid')], {
        stdio: ['ignore', 'ignore', 'ignore'],
    });
    release(child);
    lab.finally(() => void child.kill('SIGKILL'));
    await eventually('the socket of rsyslogd', async () => existsSync(socket));
    return socket;
}

const FORWARDS = [
    { name: 'UDP, RFC 3164', scheme: 'udp', of: 'protocol="udp"' },
    { name: 'TCP, RFC 3164', scheme: 'tcp', of: 'protocol="tcp"' },
    {
        name: 'TCP, with ISO times',
        scheme: 'tcp',
        of: 'protocol="tcp" template="RSYSLOG_ForwardFormat"',
    },
    {
        name: 'TCP, counted, RFC 5424',
        scheme: 'tcp',
        of: 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"',
    },
] as const;

for (const forward of FORWARDS) {
    scenario(`rsyslog by ${forward.name}: what programs say is there`, async (lab) => {
        const server = await lab.start({ settings: SETTINGS });
        const to = place(server, 'syslog', forward.scheme);
        const socket = await rsyslog(
            lab,
            `action(type="omfwd" target="127.0.0.1" port="${to.port}" ${forward.of})`,
        );
        const begun = Date.now();
        const send = (priority: string, text: string): Promise<unknown> =>
            run('logger', [
                ...['--socket', socket, '--tag', 'shop', '--id=4711'],
                ...['--priority', priority, '--', text],
            ]);
        await send('local0.err', TEXT);
        await send('user.info', 'later');
        const logs = byMessage(
            (await logsOf(server, 2)).filter((log) => log.attributes['app'] === 'shop'),
        );
        assert.deepEqual(
            [logs.get(TEXT)?.level, logs.get('later')?.level],
            ['error', 'info'],
            JSON.stringify([...logs]),
        );
        for (const log of logs.values()) {
            assertNow(log, begun);
            assert.deepEqual(log.attributes, {
                facility: log.message === TEXT ? 'local0' : 'user',
                host: 'web-1',
                app: 'shop',
                procid: '4711',
            });
        }
    });
}

/* ---- What others were seen to send ---- */

scenario('without framing messages are told apart, and the last is there after a while', async (lab) => {
    const server = await lab.start({ settings: SETTINGS });
    const socket = await connect(place(server, 'syslog', 'tcp'));
    await write(socket, capturedBytes('log4j-syslog-2.26.1'));
    const logs = await logsOf(server, 4); // while the connection is open
    assert.deepEqual(
        logs.map((log) => [log.level, log.message]),
        [
            ['info', TEXT],
            ['error', 'failed'],
            ['info', 'line one\nline two'],
            ['info', 'later record'],
        ],
    );
    await finish(socket);
});

scenario('a compressed stream is closed, and the diagnostics say why', async (lab) => {
    const server = await lab.start({ settings: SETTINGS });
    const socket = await connect(place(server, 'syslog', 'tcp'));
    await write(socket, capturedBytes('rsyslog-zip-8.2302.0'));
    await finish(socket);
    const said = await eventually('the reason', async () =>
        server.diagnostics().find((line) => String(line['reason']).includes('compression.mode')),
    );
    assert.equal(said.level, 'warn');
    assert.deepEqual(await allLogs(server), []);
});
