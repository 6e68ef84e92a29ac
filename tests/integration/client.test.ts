/* The commands that talk to a server: send, query, tail, import, export; completion, man. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';

import {
    BINARY,
    type Lab,
    type Logmill,
    type Ran,
    environment,
    eventually,
    freePort,
    run,
    scenario,
    sleep,
    zstd,
} from '../support/harness';
import { type Log, atRest, page, postLog, postLogs, uuid7 } from '../support/logs';

const url = (port: number): string => `http://127.0.0.1:${port}`;

/** Where import remembers times: not in the home of whoever runs the tests. */
const STATE = mkdtempSync(path.join(tmpdir(), 'logmill-test-state-'));
process.on('exit', () => rmSync(STATE, { recursive: true, force: true }));

/** Runs a client command to its end. */
function client(
    server: { port: number },
    args: string[],
    input?: string | Buffer,
    settings: Record<string, string> = {},
): Promise<Ran> {
    return run([BINARY, ...args], {
        settings: { LOGMILL_URL: url(server.port), XDG_STATE_HOME: STATE, ...settings },
        ...(input === undefined ? {} : { input }),
    });
}

/** A client command that goes on. */
class Going {
    stdout = '';
    stderr = '';
    code: number | null | undefined;
    readonly child: ChildProcess;

    constructor(lab: Lab, port: number, args: string[]) {
        this.child = spawn(BINARY, args, { env: environment({ LOGMILL_URL: url(port) }) });
        this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
        this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
        this.child.stdin!.on('error', () => {});
        this.child.on('close', (code) => (this.code = code));
        lab.finally(() => void this.child.kill('SIGKILL'));
    }

    async ended(): Promise<number | null> {
        await eventually('the client to end', async () => this.code !== undefined);
        return this.code!;
    }

    lines(): string[] {
        return this.stdout.split('\n').slice(0, -1);
    }
}

/** All logs of the server, oldest first, once there are `count`. */
async function allLogs(server: Logmill, count: number, query = ''): Promise<Log[]> {
    return eventually(`${count} logs`, async () => {
        const logs: Log[] = [];
        for (let next: string | null = ''; next !== null; ) {
            const cursor = next === '' ? '' : `&cursor=${next}`;
            const one = await page(server, `limit=1000${query}${cursor}`);
            logs.push(...one.logs);
            next = one.next;
        }
        return logs.length >= count && logs.reverse();
    });
}

const messages = (logs: Log[]): string[] => logs.map((log) => log.message);

/* ---- send ---- */

scenario('send: a message as arguments, lines as they are, JSON objects as logs', async (lab) => {
    const server = await lab.start();
    const one = await client(server, ['send', '--level', 'warn', '--attr', 'host=a', 'two', 'words']);
    assert.deepEqual([one.code, one.stdout, one.stderr], [0, '', '']);
    const time = '2026-02-03T04:05:06.789012Z';
    const id = uuid7(Date.parse('2026-02-03T04:05:06.789Z'));
    const lines = [
        'a plain line\r',
        '',
        '{"message":"an object","host":"b","n":1e2}',
        `{"message":"all its own","level":"Error","timestamp":"${time}","id":"${id}"}`,
        '{"no message":1}',
        'the last, without a newline \xe9',
    ];
    const many = await client(server, ['send', '--attr', 'host=a'], Buffer.from(lines.join('\n'), 'latin1'));
    assert.equal(many.code, 0);
    assert.match(many.stderr, /^logmill send: line 6 is not UTF-8: U\+FFFD stands for what is not[^\n]*\n$/);
    const logs = await allLogs(server, 6);
    assert.deepEqual(
        logs.map(({ level, message, attributes }) => [level, message, attributes]),
        [
            ['Error', 'all its own', {}],
            ['warn', 'two words', { host: 'a' }],
            ['info', 'a plain line', { host: 'a' }],
            ['info', 'an object', { host: 'b', n: 100 }],
            ['info', lines[4], { host: 'a' }],
            ['info', 'the last, without a newline \ufffd', { host: 'a' }],
        ],
    );
    assert.deepEqual([logs[0]!.timestamp, logs[0]!.id], [time, id]);
});

scenario('send: what the server refuses is named by its line, the rest is stored', async (lab) => {
    const server = await lab.start({ settings: { MAX_BODY_BYTES: '20000' } });
    const lines = Array.from({ length: 50 }, (_, i) => `{"message":"${i}"}`);
    lines[3] = '{"message":5}';
    lines[20] = 'no JSON';
    lines[30] = `{"message":"${'x'.repeat(30_000)}"}`;
    lines[49] = '{"message":"bad time","timestamp":"yesterday"}';
    const ran = await client(server, ['send', '--format', 'json'], lines.join('\n'));
    assert.equal(ran.code, 1);
    const named = [...ran.stderr.matchAll(/^logmill send: line (\d+) is left out: (.*)$/gm)];
    assert.deepEqual(named.map((match) => Number(match[1])).sort((a, b) => a - b), [4, 21, 31, 50]);
    assert.match(ran.stderr, /line 4 .*message: Input should be a valid string/);
    const left = lines.map((_, i) => String(i)).filter((i) => !['3', '20', '30', '49'].includes(i));
    assert.deepEqual(messages(await allLogs(server, left.length)), left);
});

scenario('send: a long plain line becomes several logs, nothing of it is lost', async (lab) => {
    const server = await lab.start();
    const line = 'é\u001b'.repeat(100_000);
    assert.equal((await client(server, ['send'], line)).code, 0);
    const logs = await allLogs(server, 3);
    assert.equal(messages(logs).join(''), line);
    assert.deepEqual(logs.map((log) => log.attributes['part']), [1, 2, 3]);
});

scenario(
    'send: a pipe loses and doubles nothing while the server is killed and restarted',
    async (lab) => {
        const port = await freePort();
        const folder = lab.folder();
        const settings = { PORT: String(port) };
        let server = await lab.start({ settings }, folder);
        const sender = new Going(lab, port, ['send', '--level', 'debug']);
        const sent: string[] = [];
        let writing = true;
        const writer = (async () => {
            while (writing) {
                const text = Array.from({ length: 40 }, (_, i) => `line ${sent.length + i}`);
                sent.push(...text);
                if (!sender.child.stdin!.write(`${text.join('\n')}\n`)) {
                    await new Promise((resolve) => sender.child.stdin!.once('drain', resolve));
                }
                await sleep(2);
            }
        })();
        for (let round = 0; round < 4; round++) {
            await sleep(250 + 70 * round);
            await server.kill();
            await sleep(round === 2 ? 1500 : 100);
            server = await lab.start({ settings }, folder);
        }
        writing = false;
        await writer;
        sender.child.stdin!.end('the end, without a newline');
        sent.push('the end, without a newline');
        assert.equal(await sender.ended(), 0, sender.stderr);
        assert.match(sender.stderr, / http:\/\/127\.0\.0\.1:\d+.*; trying again/); // no server, or reset
        assert.match(sender.stderr, /takes logs again/);
        await allLogs(server, sent.length);
        await sleep(300); // for what would be there twice
        assert.deepEqual(messages(await allLogs(server, sent.length)), sent);
    },
);

scenario('send: a line does not wait for others for long', async (lab) => {
    const server = await lab.start();
    const sender = new Going(lab, server.port, ['send']);
    sender.child.stdin!.write('alone\nnot whole');
    assert.deepEqual(messages(await allLogs(server, 1)), ['alone']);
    sender.child.stdin!.end();
    assert.equal(await sender.ended(), 0);
    assert.deepEqual(messages(await allLogs(server, 2)), ['alone', 'not whole']);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    scenario(`send: ${signal} sends what was read, and ends`, async (lab) => {
        const port = await freePort();
        const sender = new Going(lab, port, ['send']);
        sender.child.stdin!.write('first\n');
        await eventually('the server to be missed', async () => /trying again/.test(sender.stderr));
        // More than is read at a time; it waits in the kernel, since nobody reads now.
        const rest = Array.from({ length: 1200 }, (_, i) => `${i} ${'z'.repeat(100)}`);
        sender.child.stdin!.write(rest.join('\n'));
        await eventually('the kernel to have it', async () => sender.child.stdin!.writableLength === 0);
        sender.child.kill(signal);
        const server = await lab.start({ settings: { PORT: String(port) } });
        assert.equal(await sender.ended(), 0, sender.stderr);
        assert.deepEqual(messages(await allLogs(server, 1201)), ['first', ...rest]);
    });
}

scenario('send: holds no more than a batch while the server is away', async (lab) => {
    const sender = new Going(lab, await freePort(), ['send']);
    const line = `${'y'.repeat(1000)}\n`;
    let taken = 0;
    await eventually('the pipe to be full', async () => {
        for (let i = 0; i < 1000; i++) {
            if (!sender.child.stdin!.write(line)) {
                const before = sender.child.stdin!.writableLength;
                await sleep(300);
                taken += 1;
                return sender.child.stdin!.writableLength === before;
            }
        }
        return false;
    });
    assert.ok(taken > 0);
    sender.child.kill('SIGKILL');
});

scenario('send: --timeout gives up, and says what was not sent', async () => {
    const port = await freePort();
    const ran = await client({ port }, ['send', '--timeout', '1'], 'a\nb\n');
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /gave up, 2 logs are not sent: no server at http/);
});

/* ---- Wrong usage ---- */

scenario('a wrong command line is told what is wrong and what is allowed; exit status 2', async () => {
    for (const [args, said] of [
        [['send', '--nope'], /--nope: no such flag/],
        [['send', '--format', 'xml'], /"xml" is not one of auto\|json\|logfmt\|/],
        [['send', '--timeout', '-1'], /"-1" is not a whole number from 0 to 86400/],
        [['send', '--level'], /--level: needs a value, LEVEL/],
        [['send', '--attr', 'x'], /"x" is not NAME=VALUE/],
        [['send', '--attr', 'id=x'], /id is a field of every log/],
        [['send', '--url', 'ftp://x', 'hi'], /--url is not a URL like/],
        [['send', '--url', 'http://me:secret@x', 'hi'], /LOGMILL_URL only/],
        [['send', '--url', 'http://127.0.0.1:1/logs', 'hi'], /--url has a path; it is the server's address alone/],
        [['query', '--url', 'http://127.0.0.1:1//x'], /--url has a path/],
        [['query', 'x:'], /^ {2}x:\n {4}\^\nlogmill query: at character 3: /],
        [['man', 'x'], /x: not expected here/],
        [['completion', 'fish'], /"fish" is not one of bash, zsh/],
    ] as [string[], RegExp][]) {
        const ran = await client({ port: 1 }, args);
        assert.equal(ran.code, 2, args.join(' '));
        assert.match(ran.stderr, said);
        assert.doesNotMatch(ran.stderr, /secret/);
        assert.equal(ran.stdout, '');
    }
});

/* ---- query ---- */

/** Logs of one second each, oldest first. */
async function sample(server: Logmill, count: number): Promise<Log[]> {
    const levels = ['info', 'error', 'debug'];
    await postLogs(
        server,
        Array.from({ length: count }, (_, i) => ({
            message: `message ${i}`,
            level: levels[i % 3],
            timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString(),
            parity: i % 2 === 0 ? 'even' : 'odd',
        })),
    );
    return allLogs(server, count);
}

const parsed = (text: string): Log[] =>
    text.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Log);

scenario('query: the newest, newest last, by every filter; NDJSON in a pipe', async (lab) => {
    const server = await lab.start();
    const logs = await sample(server, 2500);
    const ask = async (...args: string[]): Promise<Log[]> => {
        const ran = await client(server, ['query', ...args]);
        assert.deepEqual([ran.code, ran.stderr], [0, '']);
        return parsed(ran.stdout);
    };
    assert.deepEqual(await ask(), logs.slice(-100));
    assert.deepEqual(await ask('-n', '2200'), logs.slice(-2200));
    assert.deepEqual(await ask('-n1200', '--reverse'), logs.slice(-1200).reverse());
    assert.deepEqual(await ask('--all'), [...logs].reverse());
    const filters: [string[], (log: Log) => boolean][] = [
        [['--level', 'ERROR', '--level=debug'], (log) => log.level !== 'info'],
        [['--not-level', 'info'], (log) => log.level !== 'info'],
        [['-q', 'MESSAGE 24'], (log) => log.message.startsWith('message 24')],
        [['--not-text', '1'], (log) => !log.message.includes('1')],
        [['--attr', 'parity=odd'], (log) => log.attributes['parity'] === 'odd'],
        [['--not-attr', 'parity=odd'], (log) => log.attributes['parity'] !== 'odd'],
        [['--since', '2026-01-01T01:00:30+01:00'], (log) => log.timestamp >= '2026-01-01T00:00:30'],
        [['--until', '2026-01-01T00:00:30'], (log) => log.timestamp < '2026-01-01T00:00:30'],
        [['--since', '1m'], () => false],
        [['--until', '2h ago'], () => true],
        [['--since', 'now-1h'], () => false],
        [['--since', '2026-01-01', '--until', 'yesterday'], () => true],
    ];
    for (const [args, matches] of filters) {
        assert.deepEqual(await ask('-n', '5000', ...args), logs.filter(matches), args.join(' '));
    }
    const text = await client(server, ['query', '--output', 'message', '-n', '2']);
    assert.equal(text.stdout, 'message 2498\nmessage 2499\n');
    for (const command of ['query', 'tail', 'export']) {
        const wrong = await client(server, [command, '--since', 'last week']);
        assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
        assert.match(wrong.stderr, /--since: "last week" is no time; allowed: .*2h, 30m.*yesterday/);
    }
});

scenario('yesterday begins at midnight by local time; --local shows times so, with their zone', async (lab) => {
    const server = await lab.start();
    const zone = { TZ: 'Pacific/Kiritimati' }; // UTC+14: always another day than UTC-11
    const day = new Date(Date.now() + 14 * 3_600_000).toISOString().slice(0, 10);
    const midnight = Date.parse(`${day}T00:00:00+14:00`);
    const at = (ms: number): string => new Date(ms).toISOString();
    await postLogs(server, [
        { message: 'before', level: 'info', timestamp: at(midnight - 86_400_001) },
        { message: 'yesterday', level: 'info', timestamp: at(midnight - 86_400_000) },
        { message: 'today', level: 'info', timestamp: at(midnight) },
    ]);
    await allLogs(server, 3);
    const ask = async (args: string[]): Promise<string> => {
        const ran = await client(server, ['query', ...args], undefined, zone);
        assert.deepEqual([ran.code, ran.stderr], [0, '']);
        return ran.stdout;
    };
    assert.equal(await ask(['--since', 'yesterday', '--output', 'message']), 'yesterday\ntoday\n');
    assert.equal(await ask(['--since', 'today', '--output', 'message']), 'today\n');
    assert.equal(await ask(['--until', 'yesterday', '--output', 'message']), 'before\n');
    const shown = `${day}T00:00:00.000000+14:00`;
    const last = await ask(['--since', 'today', '--local']);
    assert.equal(parsed(last)[0]!.timestamp, shown);
    assert.deepEqual({ ...parsed(last)[0]!, timestamp: at(midnight) },
        { ...parsed(await ask(['--since', 'today']))[0]!, timestamp: at(midnight) });
    for (const form of ['pretty', 'csv']) {
        assert.ok((await ask(['--local', '--output', form])).includes(shown), form);
    }
});

scenario('query: no match is said, on a terminal', async (lab) => {
    const server = await lab.start();
    const shown = await onTerminal(server, 'query --level fatal');
    assert.deepEqual([shown.code, shown.stdout], [0, 'logmill query: no log matches\r\n']);
    const piped = await client(server, ['query', '--level', 'fatal']);
    assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, '', '']);
});

scenario('query: goes on where an answer had no more time, and tells how far it is', async (lab) => {
    const log = (n: number): string =>
        `{"id":"0${n}","timestamp":"2026-01-0${n}","level":"l","message":"m${n}","attributes":{}}`;
    const pages: Record<string, string> = {
        '': `{"logs":[],"next":"c1","searched_to":"2026-01-05T00:00:00Z"}`,
        c1: `{"logs":[${log(3)}],"next":"c2","searched_to":"2026-01-02T12:00:00Z"}`,
        c2: `{"logs":[${log(2)},${log(1)}],"next":null,"searched_to":null}`,
    };
    const asked: string[] = [];
    const server = http.createServer((request, response) => {
        const params = new URL(request.url!, 'http://x').searchParams;
        asked.push([params.get('slice'), params.get('cursor'), params.get('limit')].join());
        response.end(pages[params.get('cursor') ?? '']);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    lab.finally(() => void server.close());
    const fake = { port: (server.address() as net.AddressInfo).port };
    const ran = await client(fake, ['query', '--output', 'message', '-q', 'm', '-n', '50']);
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, 'm1\nm2\nm3\n', '']);
    assert.deepEqual(asked, ['1,,50', '1,c1,50', '1,c2,49']);
    const shown = await onTerminal(fake, 'query --reverse --output message');
    const told = 'searched back to 2026-01-05T00:00:00Z; 0 logs so far';
    assert.ok(shown.stdout.startsWith(`\r\u001b[K${told}\r\u001b[Km3\r\n`), JSON.stringify(shown.stdout));
});

scenario('the attributes of a text of several lines have a line of their own', async (lab) => {
    const server = await lab.start();
    await postLogs(server, [
        { message: 'one line', level: 'info', a: 1 },
        { message: 'Traceback:\n  File "x"', level: 'error', a: 1, b: 'two' },
        { message: 'ends so\n', level: 'error', a: 1 },
        { message: 'no\nattributes', level: 'error' },
    ]);
    await allLogs(server, 4);
    const { stdout } = await client(server, ['query', '--output', 'pretty']);
    assert.deepEqual(stdout.replace(/^2\S* /gm, '').split('\n'), [
        'info  one line a=1',
        'error Traceback:', '      File "x"', '    a=1 b="two"',
        'error ends so', '    a=1',
        'error no', '    attributes',
        '',
    ]);
});

scenario('query and export: CSV is the same', async (lab) => {
    const server = await lab.start();
    await sample(server, 20);
    await postLogs(server, [{ message: 'a "quoted"\nline, with\ttab', level: 'in"fo' }]);
    await allLogs(server, 21);
    const query = await client(server, ['query', '--reverse', '--output', 'csv']);
    const exported = await client(server, ['export', '--format', 'csv']);
    assert.equal(query.stdout, exported.stdout);
    assert.equal(query.stdout.split('\r\n').length, 23);
});

scenario('where no server is, or another one, the commands say so', async (lab) => {
    const port = await freePort();
    for (const command of ['query', 'export']) {
        const ran = await client({ port }, [command]);
        assert.equal(ran.code, 1);
        assert.match(ran.stderr, new RegExp(`^logmill ${command}: no server at http://127.0.0.1:${port} `));
        const secret = await client({ port }, [command], undefined, {
            LOGMILL_URL: `http://me:secret@127.0.0.1:${port}`,
        });
        assert.match(secret.stderr, /no server at/);
        assert.doesNotMatch(secret.stderr, /secret/);
    }
    const other = http.createServer((_, response) => response.writeHead(404).end('Not Found'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', () => resolve()));
    lab.finally(() => void other.close());
    const lost = await client({ port: (other.address() as net.AddressInfo).port }, ['query']);
    assert.deepEqual([lost.code, lost.stderr.replace(/:\d+/, '')],
        [1, 'logmill query: http://127.0.0.1 answered 404: Not Found\n']);
});

/* ---- On a terminal ---- */

/** Runs a client command on a terminal of its own. */
function onTerminal(server: { port: number }, args: string, settings: Record<string, string> = {}): Promise<Ran> {
    return run(['script', '-qec', `${BINARY} ${args}`, '/dev/null'], {
        settings: { LOGMILL_URL: url(server.port), XDG_STATE_HOME: STATE, ...settings },
    });
}

scenario('no log can control the terminal', async (lab) => {
    const server = await lab.start();
    const hostile = 'a\u001b]0;title\u0007b\u009b31mc\rd\u007f\u0000e\u202ef\ng\u001b[2J';
    await postLogs(server, [{ message: hostile, level: hostile, [hostile]: { [hostile]: hostile } }]);
    await allLogs(server, 1);
    const args = ['pretty', 'json', 'csv', 'message'].map((form) => `query --output ${form}`);
    for (const command of [...args, 'export', 'export --format csv', 'query --output pretty --color never']) {
        const ran = await onTerminal(server, command, { NO_COLOR: '1' });
        assert.equal(ran.code, 0, command);
        // The terminal itself puts \r before \n.
        const shown = ran.stdout.replaceAll('\r\n', '\n');
        assert.doesNotMatch(shown, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/, command);
        assert.ok(shown.includes('title'), command);
    }
    const pretty = await onTerminal(server, 'query', { NO_COLOR: '1' });
    assert.match(pretty.stdout, /a␛\]0;title␇b\\u009b31mc␍d␡.e\\u202ef\r\n {4}g␛\[2J/);
});

scenario('colors: on a terminal, by level; not in a pipe, nor with NO_COLOR', async (lab) => {
    const server = await lab.start();
    await postLogs(server, [{ message: 'red', level: 'ERROR' }]);
    await allLogs(server, 1);
    assert.match((await onTerminal(server, 'query')).stdout, /\u001b\[31mERROR\u001b\[0m red/);
    assert.match((await onTerminal(server, 'query --color never')).stdout, /Z ERROR red/);
    assert.match((await onTerminal(server, 'query', { NO_COLOR: '1' })).stdout, /Z ERROR red/);
    assert.match((await client(server, ['query', '--output', 'pretty'])).stdout, /Z ERROR red/);
    const forced = await client(server, ['query', '--output', 'pretty', '--color', 'always']);
    assert.match(forced.stdout, /\u001b\[31mERROR/);
});

scenario('send: long input gets a progress line, on a terminal', async (lab) => {
    const server = await lab.start();
    const slow = `(echo a; sleep 1.3; echo b; sleep 0.4; echo c) | ${BINARY} send`;
    const ran = await run(['script', '-qec', slow, '/dev/null'], {
        settings: { LOGMILL_URL: url(server.port) },
    });
    assert.equal(ran.code, 0);
    assert.match(ran.stdout, /\r\u001b\[K2 logs, 0\.0 MB sent/);
    assert.match(ran.stdout, /\r\u001b\[Klogmill send: 3 logs in \d+\.\d s\r\n$/);
    const file = path.join(lab.folder(), 'x');
    const exported = await onTerminal(server, `export -o ${file}`);
    assert.match(exported.stdout, /^logmill export: \d+ logs, 0\.0 MB in \d+\.\d s\r\n$/);
    const one = await onTerminal(server, 'send hello');
    assert.match(one.stdout, /^logmill send: 1 log in \d+\.\d s\r\n$/);
    const piped = await run(['sh', '-c', slow], { settings: { LOGMILL_URL: url(server.port) } });
    assert.deepEqual([piped.code, piped.stdout, piped.stderr], [0, '', '']);
});

/* ---- tail ---- */

scenario('tail: the last ones first, then what comes, by the same filters', async (lab) => {
    const server = await lab.start();
    const logs = await sample(server, 50);
    const tail = new Going(lab, server.port, ['tail', '-n', '3', '--level', 'error']);
    const errors = logs.filter((log) => log.level === 'error').slice(-3);
    await eventually('the last ones', async () => tail.lines().length === 3);
    assert.deepEqual(parsed(tail.stdout), errors);
    await postLogs(server, [
        { message: 'not this', level: 'info' },
        { message: 'this', level: 'error', n: 1 },
    ]);
    await eventually('the new one', async () => tail.lines().length === 4);
    assert.equal(parsed(tail.stdout)[3]!.message, 'this');
    assert.equal(tail.stderr, '');
});

scenario('tail: ends when its reader has, though no log comes; also while the server is away', async (lab) => {
    const port = await freePort();
    const server = await lab.start({ settings: { PORT: String(port) } });
    await sample(server, 3);
    const script = `set -o pipefail; ${BINARY} tail -n 1 --output message | head -n 1`;
    const ran = await run(['bash', '-c', script], { settings: { LOGMILL_URL: url(port) } });
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, 'message 2\n', '']);

    const tail = new Going(lab, port, ['tail', '-n', '1']);
    await eventually('the last one', async () => tail.lines().length === 1);
    await server.stop();
    await eventually('the loss to be said', async () => /trying again/.test(tail.stderr));
    tail.child.stdout!.destroy();
    assert.equal(await tail.ended(), 0);
});

scenario('tail: comes back after kill -9 of the server, without a gap or a repeat', async (lab) => {
    const port = await freePort();
    const folder = lab.folder();
    const settings = { PORT: String(port) };
    let server = await lab.start({ settings }, folder);
    await sample(server, 5);
    const tail = new Going(lab, port, ['tail', '-n', '5', '--output', 'message']);
    const sent = Array.from({ length: 5 }, (_, i) => `message ${i}`);
    await eventually('the last ones', async () => tail.lines().length === 5);
    for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 20; i++) {
            sent.push(`round ${round}, ${i}`);
            await postLogs(server, [{ message: sent.at(-1), level: 'info' }]);
        }
        await server.kill();
        await eventually('the loss to be said', async () =>
            (tail.stderr.match(/trying again/g) ?? []).length === round + 1);
        server = await lab.start({ settings }, folder);
        sent.push(`while it was away ${round}`);
        await postLogs(server, [{ message: sent.at(-1), level: 'info' }]);
        await eventually('the tail to be back', async () => tail.lines().length >= sent.length);
    }
    assert.deepEqual(tail.lines(), sent);
});

scenario('tail: says how many logs were missed, and which are too old', async (lab) => {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () =>
            socket.write(
                'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\n\n' +
                    'event: missed\ndata: {"missed":12}\n\nevent: lost\ndata: {"detail":"x"}\n\n' +
                    'id: 2\ndata: {"message":"m","level":"info","attributes":{}}\n\n',
            ),
        );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => void server.close());
    const port = (server.address() as net.AddressInfo).port;
    const tail = new Going(lab, port, ['tail', '-n', '0', '--output', 'message']);
    await eventually('the log', async () => tail.stdout === 'm\n');
    assert.match(tail.stderr, /^logmill tail: 12 logs were missed/);
    assert.match(tail.stderr, /logs before this are too long ago/);
    tail.child.kill();
    await tail.ended();
});

scenario('tail: what is stored between the stream and the last ones is shown once', async (lab) => {
    const log = (n: number): string =>
        `{"id":"${n}1890a5d-ac96-774b-bcce-b302099a8057","timestamp":"t","level":"l","message":"${n}","attributes":{}}`;
    const server = http.createServer((request, response) => {
        if (request.url!.startsWith('/logs/tail')) {
            response.write(`id: 1\n\nid: 2\ndata: ${log(1)}\n\n`);
            response.write(`id: 3\ndata: ${log(2)}\n\nid: 4\nda`);
            setTimeout(() => response.write(`ta: ${log(3)}\n\n`), 50);
        } else {
            response.end(`{"logs":[${log(2)},${log(1)}],"next":null}`);
        }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    lab.finally(() => void server.close());
    const port = (server.address() as net.AddressInfo).port;
    const tail = new Going(lab, port, ['tail', '--output', 'message']);
    await eventually('all of them', async () => tail.lines().includes('3'));
    assert.deepEqual(tail.lines(), ['1', '2', '3']);
    tail.child.kill();
    await tail.ended();
});

/* ---- export and import ---- */

scenario('export to a file, and import of it: plain, gzip and zstd, twice: stored once', async (lab) => {
    const server = await lab.start();
    const logs = await sample(server, 3000);
    await postLogs(server, [{ message: 'odd \u001b[1m\u0001', level: 'x', deep: { a: [1, 1e2, null] } }]);
    await allLogs(server, 3001);
    const folder = lab.folder();
    const file = path.join(folder, 'logs.ndjson');
    const exported = await client(server, ['export', '-o', file]);
    assert.deepEqual([exported.code, exported.stdout, exported.stderr], [0, '', '']);
    assert.equal(existsSync(`${file}.part`), false);
    const text = readFileSync(file);
    assert.equal((await client(server, ['export'])).stdout, text.toString());
    const some = await client(server, ['export', '--level', 'error']);
    assert.deepEqual(parsed(some.stdout), logs.filter((log) => log.level === 'error').reverse());

    writeFileSync(`${file}.gz`, Buffer.concat([gzipSync(text), gzipSync('')]));
    writeFileSync(`${file}.zst`, await zstd(text));
    const other = await lab.start();
    for (const name of [file, `${file}.gz`, `${file}.zst`, file]) {
        const imported = await client(other, ['import', name]);
        assert.deepEqual([imported.code, imported.stdout], [0, '']);
        assert.match(imported.stderr, /^logmill import: 3,001 logs in \d+\.\d s\n$/);
    }
    await allLogs(other, 3001);
    await sleep(300); // for what would be there twice
    assert.equal((await client(other, ['export'])).stdout, text.toString());
});

/** The settled logs of a server: `count` of them, and none more a moment later. */
async function settled(server: Logmill, count: number): Promise<Log[]> {
    await allLogs(server, count);
    await sleep(300); // for what would be there twice
    const logs = await allLogs(server, count);
    assert.equal(logs.length, count);
    return logs;
}

async function imported(server: Logmill, ...args: string[]): Promise<void> {
    const ran = await client(server, ['import', ...args]);
    assert.equal(ran.code, 0, ran.stderr);
}

scenario('import: a file that has grown, or was copied or compressed, is stored once, in order', async (lab) => {
    const server = await lab.start();
    const folder = lab.folder();
    const file = path.join(folder, 'app.log');
    let lines = ['b', 'a', 'a', '{"message":"an object","id":null,"timestamp":null}'];
    const text = (): string => lines.map((line) => `${line}\n`).join('');
    writeFileSync(file, text());
    for (let i = 0; i < 2; i++) await imported(server, file);
    await settled(server, 4);
    await sleep(20); // for another time of change
    lines = [...lines, 'c', '  at d', ...Array.from({ length: 3000 }, (_, i) => `line ${i * 7919 % 3000}`)];
    appendFileSync(file, text().slice(readFileSync(file).length));
    await imported(server, file);
    writeFileSync(`${file}.copy`, text());
    await imported(server, `${file}.copy`);
    writeFileSync(`${file}.gz`, gzipSync(text()));
    await imported(server, `${file}.gz`);
    const stored = messages(await settled(server, lines.length));
    assert.deepEqual(stored, lines.map((line) => line.replace(/^\{.*/, 'an object')));
});

scenario('import: lines of one time keep the order of the file; so do the pieces of a long one', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'dpkg.ndjson');
    const lines = Array.from({ length: 500 }, (_, i) => ({
        message: `${(i * 7919) % 500}`, timestamp: `2026-01-01 00:00:0${Math.floor(i / 100)}`,
    }));
    const long = 'x'.repeat(300_000) + 'é'.repeat(300_000) + 'z'.repeat(300_000);
    writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n${long}\nbehind`);
    for (let i = 0; i < 2; i++) await imported(server, file);
    const pieces = Math.ceil(Buffer.byteLength(long) / (128 * 1024));
    const logs = await settled(server, 500 + pieces + 1), stored = messages(logs);
    assert.deepEqual(stored.slice(0, 500), lines.map((line) => line.message));
    assert.deepEqual(
        logs.slice(499).map((log) => log.attributes['part']),
        [undefined, ...Array.from({ length: pieces }, (_, i) => i + 1), undefined],
    );
    assert.equal(stored.slice(500, -1).join(''), long);
    assert.equal(stored.at(-1), 'behind');
});

scenario('import: another file, other attributes or another level are other logs', async (lab) => {
    const server = await lab.start();
    const folder = lab.folder();
    const line = '{"message":"same","timestamp":"2026-01-01"}\n';
    for (const [name, before] of [['a', ''], ['b', '{"message":"other","timestamp":"2026-01-01"}\n']] as const) {
        writeFileSync(path.join(folder, name), before + line);
    }
    const a = path.join(folder, 'a');
    for (let i = 0; i < 2; i++) {
        await imported(server, a);
        await imported(server, path.join(folder, 'b'));
        await imported(server, '--attr', 'host=a', a);
        await imported(server, '--attr', 'host=b', a);
        await imported(server, '--level', 'warn', a);
    }
    const logs = await settled(server, 6);
    assert.deepEqual(
        logs.map((log) => [log.message, log.level, log.attributes['host']].join()).sort(),
        ['other,info,', 'same,info,', 'same,info,', 'same,info,a', 'same,info,b', 'same,warn,'],
    );
});

scenario('import: a line without a time has that of the line before, the first ones that of the next', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'trace.log');
    writeFileSync(file,
        'head\n{"message":"failed","timestamp":"2026-01-01T00:00:01.5Z"}\n  at a\n  at b\n' +
        '{"message":"next","timestamp":"2026-01-01T00:00:02Z"}\n  at c\n');
    await imported(server, file);
    const logs = await settled(server, 6);
    assert.deepEqual(messages(logs), ['head', 'failed', '  at a', '  at b', 'next', '  at c']);
    assert.deepEqual(logs.map((log) => log.timestamp.slice(17, 21)), ['01.5', '01.5', '01.5', '01.5', '02.0', '02.0']);
});

scenario('import: where times cannot be remembered, that is said', async (lab) => {
    const server = await lab.start();
    const folder = lab.folder();
    const file = path.join(folder, 'x');
    writeFileSync(file, 'line\n');
    const ran = await client(server, ['import', file], undefined, { XDG_STATE_HOME: file });
    assert.equal(ran.code, 0);
    assert.match(ran.stderr, /lines have no time, .* cannot be remembered.*import-times: Not a directory/);
});

/** JSON lines that POST refuses, and what import says of them. */
const NO_LOGS: [string, RegExp][] = [
    ['{"message":2}', /message: Input should be a valid string/],
    ['{"message":"m","level":null}', /level: Input should be a valid string/],
    ['{"message":"m","timestamp":1700000000000000000}', /timestamp: .*after 9999.*; allowed: 2026-.* or Unix seconds or milli/],
    ['{"message":"m","timestamp":"2016-12-31T23:59:60Z"}', /timestamp: .*; allowed: /],
    ['{"message":"m","timestamp":"2026-01-01T00:00:00+02"}', /timestamp: .*; allowed: /],
    ['{"message":"m","id":"x"}', /id: Input should be a valid UUID.*; allowed: a UUID of version 7/],
    ['{"message":"m","id":"01890a5d-ac96-774b-bcce-b302099a8057","timestamp":0}', /id: .*millisecond/],
    ['{"message":"\xe9"}', /not JSON: Invalid UTF-8 at character 12/],
    ['{"message":"\\ud800"}', /not JSON: Lone surrogate/],
    ['{"message":"m","n":NaN}', /not JSON: Expecting value/],
    ['{"message":"m",}', /not JSON/],
    ['{"message":"cut off', /not JSON: Unterminated string/],
    ['{"message":"one"}{"message":"two"}', /not JSON: Extra data/],
    [`{"message":"m","level":"${'x'.repeat(2000)}"}`, /level: .*1024/],
];

scenario('what POST refuses as JSON, import refuses by file and line, and send by line', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'a.ndjson');
    for (const [line, reason] of NO_LOGS) {
        const bytes = Buffer.from(line, 'latin1');
        const posted = await fetch(`${url(server.port)}/log`, {
            method: 'POST', headers: { 'content-type': 'application/json' },
            body: line.includes('"level"') ? bytes
                : Buffer.from(line.replace(/^\{/, '{"level":"info",'), 'latin1'),
        });
        assert.equal(posted.status, 422, line);
        writeFileSync(file, Buffer.concat([Buffer.from('before\n'), bytes, Buffer.from('\nafter\n')]));
        const strict = await client(server, ['import', file]);
        assert.equal(strict.code, 1, line);
        assert.ok(strict.stderr.startsWith(`logmill import: ${file}: line 2 cannot be a log: `), strict.stderr);
        assert.match(strict.stderr.split('\n')[0]!, reason);
        const going = await client(server, ['import', '--keep-going', file]);
        assert.equal(going.code, 1);
        assert.match(going.stderr, /line 2 is left out: .*\nlogmill import: 2 logs in \d+\.\d s; 1 left out\n$/);
        const sent = await client(server, ['send'], bytes);
        assert.equal(sent.code, 1);
        assert.match(sent.stderr, /^logmill send: line 1 is left out: /);
        assert.match(sent.stderr, reason);
    }
    assert.ok(messages(await allLogs(server, 1)).every((text) => ['before', 'after'].includes(text)));
});

scenario('import: ends at what cannot be a log; with --keep-going it sends the rest', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'a.ndjson');
    writeFileSync(file, '{"message":"1"}\n{"message":2}\n{"message":"3"}\n');
    const strict = await client(server, ['import', file, file]);
    assert.equal(strict.code, 1);
    assert.match(strict.stderr, /stopped there\. Mend it .*--keep-going\nlogmill import: 1 log in /);
    assert.deepEqual(messages(await settled(server, 1)), ['1']);
    assert.equal((await client(server, ['import', '--keep-going', file])).code, 1);
    assert.deepEqual(messages(await settled(server, 2)), ['1', '3']);
});

scenario('a JSON line is the same log whichever way it is sent', async (lab) => {
    const time = '"timestamp":"2026-01-01T00:00:00Z"';
    const lines = [
        `{"message":"null id","level":"a","id":null,${time}}`,
        `{"message":"twice","message":"last","level":"b","level":"c",${time}}`,
        `{"message":"attributes","level":"a",${time},"attributes":{"n":1.10,"message":"x"},"m":9007199254740993}`,
        `{"message":"null attributes","level":"a",${time},"attributes":null}`,
        `{"message":"space","level":"a",${time}}  \r`,
        `{"message":"nul \\u0000","level":"a",${time},"deep":[[[{"a":[]}]]]}`,
        `{"message":"id","level":"a","id":"019b76da-a800-7000-8000-000000000001"}`,
        '   ',
        `{"message":"seconds","level":"a","timestamp":1767225600.5}`,
    ];
    const told = async (send: (server: Logmill) => Promise<unknown>): Promise<string[]> => {
        const server = await lab.start();
        await send(server);
        return (await settled(server, 8)).map(({ timestamp, level, message, attributes }) =>
            JSON.stringify([timestamp, level, message, attributes])).sort();
    };
    const body = lines.join('\n');
    const posted = await told((server) => fetch(`${url(server.port)}/logs`, {
        method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body }));
    assert.deepEqual(await told((server) => client(server, ['send', '--level', 'z'], `\ufeff${body}`)), posted);
    const file = path.join(lab.folder(), 'x.ndjson');
    writeFileSync(file, `\ufeff${body}`);
    assert.deepEqual(await told((server) => imported(server, file)), posted);
    const utf16 = Buffer.from(`\ufeff${body}`, 'utf16le');
    writeFileSync(file, utf16);
    assert.deepEqual(await told((server) => imported(server, file)), posted);
    writeFileSync(file, utf16.swap16());
    assert.deepEqual(await told((server) => imported(server, file)), posted);
});

scenario('import: takes what export and GET /logs give, and changes nothing of it', async (lab) => {
    const server = await lab.start();
    await postLogs(server, [
        { message: 'a "quoted"\r\nline,\twith \u2028', level: 'in"fo', n: { a: [1, null] } },
        { message: '', level: '', host: 'own' },
    ]);
    await postLogs(server, Array.from({ length: 300 }, (_, i) => ({ message: `${i}`, level: 'info', i })));
    await allLogs(server, 302);
    const folder = lab.folder();
    const whole = (await client(server, ['export'])).stdout;
    const files = {
        'a.ndjson': whole,
        'a.csv': (await client(server, ['export', '--format', 'csv'])).stdout,
        'a.json': await (await fetch(`${url(server.port)}/logs?limit=1000`)).text(),
        'pretty.json': JSON.stringify(JSON.parse(`[${whole.trim().replaceAll('\n', ',')}]`), null, 2),
    };
    for (const [name, text] of Object.entries(files)) {
        writeFileSync(path.join(folder, name), text);
        for (const flags of [[], ['--attr', 'host=other', '--level', 'debug', '--format', 'json']]) {
            const other = await lab.start();
            await imported(other, ...flags, path.join(folder, name));
            await settled(other, 302);
            assert.equal((await client(other, ['export'])).stdout, whole, `${name} ${flags}`);
        }
    }
    const piped = await lab.start();
    const ran = await client(piped, ['send', '--attr', 'host=other'], files['a.csv']);
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    await settled(piped, 302);
    assert.equal((await client(piped, ['export'])).stdout, whole);

    writeFileSync(path.join(folder, 'cut.json'), files['a.json'].slice(0, 1000));
    const cut = await client(await lab.start(), ['import', path.join(folder, 'cut.json')]);
    assert.equal(cut.code, 1);
    assert.match(cut.stderr, /its JSON array is cut off/);
});

scenario('import: compressed files are read whole, or refused by name', async (lab) => {
    const folder = lab.folder();
    const text = Array.from({ length: 3000 }, (_, i) => `{"message":"${i * 7919}","timestamp":0}\n`).join('');
    const plain = path.join(folder, 'plain');
    writeFileSync(plain, text);
    const xz = async (part: string): Promise<Buffer> => {
        const ran = await run(['xz', '-c'], { input: part });
        assert.equal(ran.code, 0, ran.stderr);
        return ran.bytes;
    };
    const read: Record<string, Buffer> = {
        'members.gz': Buffer.concat([gzipSync(text.slice(0, 999)), gzipSync(text.slice(999))]),
        'zeros.gz': Buffer.concat([gzipSync(text), Buffer.alloc(70_000)]),
        'frames.zst': Buffer.concat([await zstd(text.slice(0, 999)), await zstd(text.slice(999))]),
        // As pzstd writes it: before each frame one to be skipped, which tells its length.
        'skipped.zst': Buffer.concat([Buffer.from('502a4d180400000012345678', 'hex'), await zstd(text)]),
        'streams.xz': Buffer.concat([await xz(text.slice(0, 999)), Buffer.alloc(8), await xz(text.slice(999))]),
    };
    for (const [name, bytes] of Object.entries(read)) {
        const server = await lab.start();
        writeFileSync(path.join(folder, name), bytes);
        await imported(server, path.join(folder, name));
        await settled(server, 3000);
    }
    const server = await lab.start();
    for (const [tool, name] of [['bzip2', 'bzip2'], ['lz4', 'lz4']] as const) {
        const file = path.join(folder, `x.${name}`);
        const made = await run(['sh', '-c', `${tool} -c < ${plain} > ${file}`]);
        if (made.code !== 0) continue; // not installed
        const refused = await client(server, ['import', file]);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, new RegExp(`x\\.${name}: it is ${name}, not text; pipe it through: ${tool} -dc`));
        const sent = await client(server, ['send'], readFileSync(file));
        assert.equal(sent.code, 1);
        assert.match(sent.stderr, new RegExp(`it is ${name}, not text`));
    }
    for (const [name, bytes] of [['gzip', gzipSync(text)], ['xz', await xz(text)]] as const) {
        const sent = await client(server, ['send'], bytes);
        assert.match(sent.stderr, new RegExp(`it is ${name}, not text; give it to \`logmill import\``));
    }
    for (const [name, bytes, said] of [
        ['cut.gz', gzipSync(text).subarray(0, -20), /its gzip is cut off/],
        ['cut.zst', (await zstd(text)).subarray(0, -20), /its zstd is cut off/],
        ['cut.xz', (await xz(text)).subarray(0, -20), /its xz is cut off/],
        ['more.gz', Buffer.concat([gzipSync('{"message":"1"}\n'), Buffer.from('more')]), /behind its gzip comes something else/],
    ] as const) {
        writeFileSync(path.join(folder, name), bytes);
        const ran = await client(server, ['import', path.join(folder, name)]);
        assert.equal(ran.code, 1, name);
        assert.match(ran.stderr, said);
    }
    const wide = path.join(folder, 'wide.zst');
    assert.equal((await run(['sh', '-c', `yes "$(head -c 300 ${plain})" | head -c 200000000 | zstd -q --long=30 > ${wide}`])).code, 0);
    assert.match((await client(server, ['import', wide])).stderr, /wide\.zst: its zstd needs more than 128 MiB.*zstd -dc --long=31/);
    assert.match((await client(server, ['import', folder])).stderr, /Is a directory/);
    assert.match((await client(server, ['import', '/nowhere'])).stderr, /No such file/);
});

scenario('a JSON line of 5 MiB is one log, and one of more than MAX_BODY_BYTES is named, not cut', async (lab) => {
    const server = await lab.start({ settings: { MAX_BODY_BYTES: String(6 << 20) } });
    const folder = lab.folder();
    const line = (size: number): string => `{"message":"${'x'.repeat(size)}","timestamp":0}`;
    writeFileSync(path.join(folder, 'large'), `${line(5 << 20)}\n${line(7 << 20)}\nbehind\n`);
    const ran = await client(server, ['import', '--keep-going', path.join(folder, 'large')]);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /large: line 2 is left out: /);
    assert.match(ran.stderr, /2 logs in .*; 1 left out/);
    assert.deepEqual(messages(await settled(server, 2)).map((text) => text.length), [5 << 20, 6]);
});

scenario('export: what breaks off is an error, and leaves no file', async (lab) => {
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\n\n\r\n');
            setTimeout(() => socket.destroy(), 50);
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => void server.close());
    const port = (server.address() as net.AddressInfo).port;
    const file = path.join(lab.folder(), 'x');
    const ran = await client({ port }, ['export', '-o', file]);
    assert.equal(ran.code, 1);
    assert.notEqual(ran.stderr, '');
    assert.deepEqual([existsSync(file), existsSync(`${file}.part`)], [false, false]);
    assert.equal((await client({ port }, ['export'])).code, 1);
    assert.match((await client({ port }, ['export', '-o', '/nowhere/x'])).stderr, /cannot write/);
});

/* ---- Help, completion, manual: one table ---- */

const COMMANDS = ['send', 'query', 'stats', 'fields', 'patterns', 'tail', 'import', 'export'];

scenario('what cannot be printed is a failure', async () => {
    for (const args of ['man', 'completion bash', 'send --help']) {
        const { code, stderr } = await run(['sh', '-c', `exec "$0" ${args} > /dev/full`, BINARY]);
        assert.deepEqual([code, /cannot write to standard output/.test(stderr)], [1, true], args);
    }
});

scenario('each flag is in --help, the manual page and both completions', async (lab) => {
    const [help, man, bash, zsh] = await Promise.all(
        [['help'], ['man'], ['completion', 'bash'], ['completion', 'zsh']].map((args) =>
            client({ port: 1 }, args),
        ),
    );
    for (const command of COMMANDS) {
        assert.match(help!.stdout, new RegExp(`^  ${command} `, 'm'));
        const own = await client({ port: 1 }, [command, '--help']);
        assert.deepEqual([own.code, own.stderr], [0, '']);
        const flags = [...own.stdout.matchAll(/^ .*--([a-z-]+)/gm)].map((match) => match[1]!);
        assert.ok(flags.includes('url') && flags.length >= 4, own.stdout);
        const section = man!.stdout.split('.SH ').find((text) => text.startsWith(`LOGMILL ${command}`));
        for (const flag of flags) {
            assert.ok(section!.includes(`\\-\\-${flag.replaceAll('-', '\\-')}`), flag);
            assert.match(bash!.stdout, new RegExp(`^ *${command}\\) words='.*--${flag} `, 'm'));
            assert.ok(zsh!.stdout.includes(`'*--${flag}`), flag);
        }
    }
    assert.match(man!.stdout, /^\.TH LOGMILL 1 /);
    for (const line of man!.stdout.split('\n').filter((text) => /^[.']/.test(text))) {
        assert.match(line, /^\.(TH|SH|PP|TP|B|br)( \S|$)/);
    }
    const folder = lab.folder();
    writeFileSync(path.join(folder, 'logmill.bash'), bash!.stdout);
    symlinkSync(BINARY, path.join(folder, 'logmill')); // it may have another name here
    const script = `source ${folder}/logmill.bash
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _logmill; echo "\${COMPREPLY[*]}"; }
        ask logmill que; ask logmill query --not-; ask logmill send --format p; ask logmill completion z
        ask logmill serve --data-d`;
    writeFileSync(path.join(folder, 'try'), script);
    const tried = await run(['bash', path.join(folder, 'try')], {
        settings: { PATH: `${folder}:${process.env['PATH']}` },
    });
    assert.deepEqual([tried.stderr, tried.stdout],
        ['', 'query\n--not-level --not-text --not-attr\nplain\nzsh\n--data-dir\n']);
});

scenario('fields and values are completed as the server has them, if there is one', async (lab) => {
    const server = await lab.start();
    for (const service of ['pay', 'party', 'cart', 'two words']) {
        await postLog(server, { level: 'error', message: 'm', service, http: { status: 500 } });
    }
    await atRest(server);
    const words = async (word: string, port = server.port): Promise<string[]> => {
        const ran = await client({ port }, ['completion', 'word', '--', word]);
        assert.deepEqual([ran.code, ran.stderr], [0, '']);
        return ran.stdout.split('\n').slice(0, -1).sort();
    };
    assert.deepEqual(await words('s'), ['service:', 'since:']);
    assert.deepEqual(await words('-ht'), ['-http.status:']);
    assert.deepEqual(await words('service:pa'), ['service:party', 'service:pay']);
    assert.deepEqual(await words('service:t'), []);
    assert.deepEqual(await words('level:>=e'), ['level:>=error']);
    assert.deepEqual(await words('http.status:5'), ['http.status:500']);
    assert.deepEqual(await words('service:p', 1), []);

    const folder = lab.folder();
    writeFileSync(path.join(folder, 'logmill.bash'), (await client(server, ['completion', 'bash'])).stdout);
    symlinkSync(BINARY, path.join(folder, 'logmill'));
    writeFileSync(
        path.join(folder, 'try'),
        `source ${folder}/logmill.bash
        ask() { COMP_LINE=$1; shift; COMP_POINT=\${#COMP_LINE}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
                _logmill; echo "\${COMPREPLY[*]}"; }
        ask 'logmill query serv' logmill query serv
        ask 'logmill query service:pay service:c' logmill query service : pay service : c
        ask "logmill tail 'level:error service:par" logmill tail "'level:error service:par"
        ask 'logmill query --since s' logmill query --since s`,
    );
    const tried = await run(['bash', path.join(folder, 'try')], {
        settings: { PATH: `${folder}:${process.env['PATH']}`, LOGMILL_URL: `http://127.0.0.1:${server.port}` },
    });
    assert.deepEqual(
        [tried.stderr, tried.stdout],
        ['', 'service:\ncart\nlevel:error service:party\n\n'],
    );
});
