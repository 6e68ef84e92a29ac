/* The forms of lines that send and import read: other programs' files and pipes. */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

import { BINARY, type Logmill, type Ran, environment, eventually, run, scenario } from '../support/harness';
import { type Log, page } from '../support/logs';

const STATE = mkdtempSync(path.join(tmpdir(), 'logmill-test-lines-'));
process.on('exit', () => rmSync(STATE, { recursive: true, force: true }));

const settings = (server: Logmill): Record<string, string> => ({
    LOGMILL_URL: `http://127.0.0.1:${server.port}`,
    XDG_STATE_HOME: STATE,
    TZ: 'UTC',
});

const client = (server: Logmill, args: string[], input?: string | Buffer): Promise<Ran> =>
    run([BINARY, ...args], { settings: settings(server), ...(input === undefined ? {} : { input }) });

/** All logs of the server, oldest first, once there are `count`. */
const allLogs = (server: Logmill, count: number): Promise<Log[]> =>
    eventually(`${count} logs`, async () => {
        const { logs } = await page(server, 'limit=1000');
        assert.ok(logs.length <= count, `${logs.length} logs`);
        return logs.length === count && logs.reverse();
    });

/** A log as [time, level, message, attributes]. */
type Short = [string, string, string, Record<string, unknown>];
const short = ({ timestamp, level, message, attributes }: Log): Short => [timestamp, level, message, attributes];

interface Form {
    format: string;
    lines: string[];
    /** In order of their times. */
    logs: Short[];
}

const access = '10.1.2.3 - bob [28/Nov/2026:13:00:01 +0100] "GET /a?b=1 HTTP/1.1" 404 12 "-" "curl/8.5"';
const nginxError = '2026/11/28 12:00:02 [error] 7#8: *9 no such file, client: 10.1.2.3, server: localhost';
const apacheError = '[Sat Nov 28 12:00:03.000004 2026] [core:error] [pid 7:tid 8] AH00124: too many redirects';

const forms: Form[] = [
    {
        format: 'json',
        lines: [
            '{"level":50,"time":1795867201001,"pid":7,"msg":"pino"}',
            '{"level":"warn","ts":1795867202.5,"caller":"a.go:1","msg":"zap"}',
            '{"@t":"2026-11-28T12:00:03Z","@mt":"CLEF {N}","@l":"Warning","N":1}',
            '{"message":"ours","level":"debug","timestamp":"2026-11-28T12:00:04Z","n":1.5}',
            '{"@timestamp":"2026-11-28T12:00:05.000Z","log.level":"ERROR","message":"ecs"}',
        ],
        logs: [
            ['2026-11-28T12:00:01.001000Z', 'error', 'pino', { pid: 7 }],
            ['2026-11-28T12:00:02.500000Z', 'warn', 'zap', { caller: 'a.go:1' }],
            ['2026-11-28T12:00:03.000000Z', 'Warning', 'CLEF {N}', { N: 1 }],
            ['2026-11-28T12:00:04.000000Z', 'debug', 'ours', { n: 1.5 }],
            ['2026-11-28T12:00:05.000000Z', 'ERROR', 'ecs', {}],
        ],
    },
    {
        format: 'logfmt',
        lines: ['time=2026-11-28T12:00:01.000002Z level=warn msg="disk \\"sda\\"" free=0.5 ok=true id=7'],
        logs: [['2026-11-28T12:00:01.000002Z', 'warn', 'disk "sda"', { free: 0.5, ok: true, id: 7 }]],
    },
    {
        format: 'nginx',
        lines: [access, nginxError],
        logs: [
            [
                '2026-11-28T12:00:01.000000Z',
                'warning',
                access,
                {
                    client: '10.1.2.3',
                    user: 'bob',
                    method: 'GET',
                    path: '/a?b=1',
                    protocol: 'HTTP/1.1',
                    status: 404,
                    bytes: 12,
                    user_agent: 'curl/8.5',
                },
            ],
            [
                '2026-11-28T12:00:02.000000Z',
                'error',
                nginxError,
                { pid: 7, tid: 8, connection: 9, client: '10.1.2.3', server: 'localhost' },
            ],
        ],
    },
    {
        format: 'apache',
        lines: [apacheError],
        logs: [['2026-11-28T12:00:03.000004Z', 'error', apacheError, { module: 'core', pid: 7, tid: 8 }]],
    },
    {
        format: 'syslog',
        lines: [
            '2026-11-28T13:00:01.123456+01:00 web1 sshd[77]: Accepted publickey',
            '<11>1 2026-11-28T12:00:02Z web1 app 7 - - bad',
        ],
        logs: [
            [
                '2026-11-28T12:00:01.123456Z',
                'info',
                'Accepted publickey',
                { host: 'web1', app: 'sshd', procid: '77' },
            ],
            [
                '2026-11-28T12:00:02.000000Z',
                'error',
                'bad',
                { facility: 'user', host: 'web1', app: 'app', procid: '7' },
            ],
        ],
    },
    {
        format: 'journal',
        lines: [
            '{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795867201000002","PRIORITY":"4","MESSAGE":[195,164],"_PID":"7"}',
        ],
        logs: [['2026-11-28T12:00:01.000002Z', 'warning', 'ä', { _PID: '7' }]],
    },
    {
        format: 'cri',
        lines: [
            '2026-11-28T12:00:01.000000001Z stdout P one ',
            '2026-11-28T12:00:02Z stderr F [warn] two',
            '2026-11-28T12:00:03Z stdout P log',
            '2026-11-28T12:00:04Z stdout F  in parts',
            '2026-11-28T12:00:05Z stdout F {"msg":"inner","level":"debug","n":1}',
            '2026-11-28T12:00:06Z stdout F ',
        ],
        logs: [
            ['2026-11-28T12:00:01.000000Z', 'info', 'one log in parts', { stream: 'stdout', nanoseconds: 1 }],
            ['2026-11-28T12:00:02.000000Z', 'warn', '[warn] two', { stream: 'stderr' }],
            ['2026-11-28T12:00:05.000000Z', 'debug', 'inner', { stream: 'stdout', n: 1 }],
        ],
    },
    {
        format: 'docker',
        lines: [
            '{"log":"one ","stream":"stdout","time":"2026-11-28T12:00:01.000002Z"}',
            '{"log":"log\\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-11-28T12:00:02Z"}',
            '{"log":"level=warn msg=inner\\n","stream":"stderr","attrs":{"tag":"x"},"time":"2026-11-28T12:00:03Z"}',
        ],
        logs: [
            ['2026-11-28T12:00:01.000002Z', 'info', 'one log', { stream: 'stdout' }],
            ['2026-11-28T12:00:03.000000Z', 'warn', 'inner', { stream: 'stderr', attrs: { tag: 'x' } }],
        ],
    },
    {
        format: 'auto',
        lines: [
            '2026-11-28 12:00:01,123 ERROR no way',
            '[2026-11-28T12:00:02Z] info: up',
            'WARNING:root:hm',
            'E1128 12:00:03.500000 7 x.go:7] klog',
        ],
        logs: [
            ['2026-11-28T12:00:01.123000Z', 'ERROR', '2026-11-28 12:00:01,123 ERROR no way', {}],
            ['2026-11-28T12:00:02.000000Z', 'info', '[2026-11-28T12:00:02Z] info: up', {}],
            ['2026-11-28T12:00:02.000000Z', 'WARNING', 'WARNING:root:hm', {}],
            ['2026-11-28T12:00:03.500000Z', 'error', 'E1128 12:00:03.500000 7 x.go:7] klog', {}],
        ],
    },
];
for (const form of forms) {
    scenario(`${form.format}: send and import make the same logs, by name and by looking; again is once`, async (lab) => {
        const server = await lab.start();
        const text = `${form.lines.join('\n')}\n`;
        const file = path.join(lab.folder(), 'lines');
        writeFileSync(file, text);
        const count = form.logs.length;
        for (const args of [['--format', form.format], []]) {
            const ran = await client(server, ['import', ...args, file]);
            assert.equal(ran.code, 0, ran.stderr);
            assert.doesNotMatch(ran.stderr, /kept as text/);
            assert.deepEqual((await allLogs(server, count)).map(short), form.logs);
        }
        const timed = form.format !== 'auto';
        const sent = await client(server, ['send', '--attr', 'by=send'], timed ? text : '');
        assert.deepEqual([sent.code, sent.stderr], [0, '']);
        const all = await allLogs(server, timed && form.format !== 'journal' ? 2 * count : count);
        const again = all.filter((log) => log.attributes.by === 'send').map(short);
        const want = form.logs.map(([time, level, message, own]) => [time, level, message, { by: 'send', ...own }]);
        assert.deepEqual(again, timed && form.format !== 'journal' ? want : []);
    });
}

scenario('a line that is not of the form is kept whole, and told at the end', async (lab) => {
    const server = await lab.start();
    const ran = await client(server, ['send', '--format', 'nginx'], `${access}\nnot that\n2026-11-28 12:00:05 WARN nor this\n`);
    assert.equal(ran.code, 0);
    assert.equal(
        ran.stderr,
        'logmill send: line 2 and others are not of the form nginx: kept as text, 2 in all\n',
    );
    const logs = await allLogs(server, 3);
    assert.deepEqual(logs.map((log) => log.message).sort(), [access, '2026-11-28 12:00:05 WARN nor this', 'not that'].sort());
    assert.equal(logs.find((log) => /nor this/.test(log.message))!.level, 'WARN');
});

scenario('raw and plain: every line is text, whatever it looks like', async (lab) => {
    const server = await lab.start();
    const lines = [access, '{"message":"x"}', '2026-11-28 12:00:01 ERROR x'];
    for (const format of ['raw', 'plain']) {
        assert.equal((await client(server, ['send', '--format', format], lines.join('\n'))).code, 0);
    }
    const logs = await allLogs(server, 6);
    assert.deepEqual(logs.map((log) => [log.level, log.message]).sort(), [...lines, ...lines].map((m) => ['info', m]).sort());
});

scenario('zone: of times that say none, and of no others', async (lab) => {
    const server = await lab.start();
    const lines = [
        '2026-11-28 12:00:01 ERROR text',
        '2026-11-28T12:00:02Z INFO of its own zone',
        '2026/11/28 12:00:03 [error] 7#8: nginx',
        'time=2026-11-28T12:00:04 level=info msg=logfmt',
    ];
    for (const [line, args] of [
        [lines[0], []],
        [lines[1], []],
        [lines[2], ['--format', 'nginx']],
        [lines[3], ['--format', 'logfmt']],
    ] as [string, string[]][]) {
        assert.equal((await client(server, ['send', '--zone', 'XYZ-2', ...args], line)).code, 0);
    }
    assert.equal((await client(server, ['send'], '2026-11-28 12:00:05 as TZ has it')).code, 0);
    assert.deepEqual(
        (await allLogs(server, 5)).map((log) => log.timestamp.slice(11, 19)),
        ['10:00:01', '10:00:03', '10:00:04', '12:00:02', '12:00:05'],
    );
});

/* ---- Journals ---- */

scenario('journal: the export format, with binary fields; the same entry twice is one log', async (lab) => {
    const server = await lab.start();
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(7n);
    const entry = (cursor: number, message: Buffer): Buffer =>
        Buffer.concat([
            Buffer.from(`__CURSOR=s=${cursor}\n__REALTIME_TIMESTAMP=179586720100000${cursor}\nPRIORITY=3\n`),
            message,
            Buffer.from('_PID=7\n\n'),
        ]);
    const first = entry(1, Buffer.from('MESSAGE=one\n'));
    const second = entry(2, Buffer.concat([Buffer.from('MESSAGE\n'), size, Buffer.from('two\n\x00\xffé'.slice(0, 6), 'latin1'), Buffer.from('!\n')]));
    const third = entry(3, Buffer.from('MESSAGE=three\n'));
    const file = path.join(lab.folder(), 'journal');
    for (const part of [
        [first, second],
        [second, third],
    ]) {
        writeFileSync(file, Buffer.concat(part));
        const ran = await client(server, ['import', '--attr', 'by=import', file]);
        assert.equal(ran.code, 0, ran.stderr);
    }
    assert.equal((await client(server, ['send', '--format', 'journal'], third)).code, 0);
    const logs = await allLogs(server, 3);
    assert.deepEqual(
        logs.map(({ timestamp, level, attributes }) => [timestamp, level, attributes]),
        [1, 2, 3].map((n) => [`2026-11-28T12:00:01.00000${n}Z`, 'error', { by: 'import', _PID: '7' }]),
    );
    assert.deepEqual([logs[0]!.message, logs[2]!.message], ['one', 'three']);
    assert.match(logs[1]!.message, /^two\n\ufffd\ufffd.*!$/);
});

/* ---- Several lines ---- */

const traces: Record<string, string> = {
    python:
        '2026-11-28 12:00:01,123 ERROR failed\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n' +
        "    g()\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n" +
        'Traceback (most recent call last):\n  File "a.py", line 2, in <module>\n    h()\nValueError: y',
    java:
        '2026-11-28 12:00:02.000 [main] ERROR c.e.App - failed\njava.lang.IllegalStateException: no\n' +
        '\tat c.e.App.main(App.java:7)\n\tSuppressed: java.io.IOException: close\n\t\tat c.e.App.x(App.java:8)\n' +
        'Caused by: java.io.IOException: disk\n\tat c.e.App.read(App.java:9)\n\t... 1 more',
    'java, uncaught':
        'Exception in thread "main" java.lang.RuntimeException: no\n\tat c.e.App.main(App.java:7)\n' +
        'Caused by: java.lang.Error: x\n\t... 1 more',
    go:
        'panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.f(0x1)\n' +
        '\t/src/main.go:8 +0x1d\nmain.main()\n\t/src/main.go:4 +0x12\n\ngoroutine 7 [select]:\nmain.(*T).run(0xc0)\n' +
        '\t/src/t.go:3 +0x44\ncreated by main.main in goroutine 1\n\t/src/main.go:3 +0x9\nexit status 2',
    node:
        "/srv/app.js:3\n        throw new Error('x')\n        ^\n\nError: x\n    at f (/srv/app.js:3:9)\n" +
        "    at Object.<anonymous> (/srv/app.js:5:1) {\n  code: 'E'\n}\n\nNode.js v22.1.0",
    'node, logged': 'TypeError: x is not a function\n    at f (/srv/app.js:3:9)\n    at node:internal/main:1:1',
    '.NET':
        'Unhandled exception. System.InvalidOperationException: bad\n ---> System.Exception: inner\n' +
        '   at App.Main() in /src/App.cs:line 7\n   --- End of inner exception stack trace ---\n   at App.Run()',
};
const between = 'a line between';
const withTraces = Object.values(traces)
    .flatMap((trace) => [between, trace])
    .join('\n');

scenario('multiline: stack traces of Java, Python, Go, Node and .NET are one log each', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'traces');
    writeFileSync(file, `${withTraces}\n`);
    const want = Object.values(traces).flatMap((trace) => [between, trace]);
    for (let i = 0; i < 2; i++) {
        const ran = await client(server, ['import', '--multiline', file]);
        assert.equal(ran.code, 0, ran.stderr);
        assert.deepEqual((await allLogs(server, want.length)).map((log) => log.message), want);
    }
    const other = await lab.start();
    assert.equal((await client(other, ['send', '--multiline'], withTraces)).code, 0);
    assert.deepEqual(
        (await allLogs(other, want.length)).map((log) => log.message).sort(),
        [...want].sort(),
    );
});

scenario('multiline: within the lines of containers, by stream; without it, a line is a log', async (lab) => {
    const server = await lab.start();
    const lines = withTraces.split('\n').flatMap((line, i) => [
        `2026-11-28T12:00:${String(i % 60).padStart(2, '0')}Z stderr F ${line}`,
        `2026-11-28T12:00:00Z stdout F {"msg":"json ${i}"}`,
    ]);
    const file = path.join(lab.folder(), 'cri.log');
    writeFileSync(file, lines.join('\n'));
    assert.equal((await client(server, ['import', '--multiline', file])).code, 0);
    const want = Object.values(traces).flatMap((trace) => [between, trace]);
    const logs = await allLogs(server, want.length + lines.length / 2);
    const stderr = logs.filter((log) => log.attributes.stream === 'stderr').map((log) => log.message);
    assert.deepEqual(stderr.sort(), [...want].sort());
    const other = await lab.start();
    assert.equal((await client(other, ['import', file])).code, 0);
    const empty = withTraces.split('\n').filter((line) => line === '').length;
    await allLogs(other, lines.length - empty);
});

scenario('multiline-first: a pattern says how the first line of a log begins', async (lab) => {
    const server = await lab.start();
    const text = 'before\nBEGIN 1\n\n{"message":"of 1"}\n BEGIN of 1\nBEGIN 22\nBEGIN 3';
    assert.equal((await client(server, ['send', '--multiline-first', 'BEGIN ([0-9]+)'], text)).code, 0);
    assert.deepEqual(
        (await allLogs(server, 4)).map((log) => log.message).sort(),
        ['BEGIN 1\n\n{"message":"of 1"}\n BEGIN of 1', 'BEGIN 22', 'BEGIN 3', 'before'],
    );
    const wrong = await client(server, ['send', '--multiline-first', '(']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--multiline-first: "\(": /);
});

scenario('multiline: a log is bounded; what is more is another one, and nothing is lost', async (lab) => {
    const server = await lab.start();
    const lines = ['first', ...Array.from({ length: 2500 }, (_, i) => `  more ${i}`)];
    assert.equal((await client(server, ['send', '--multiline'], lines.join('\n'))).code, 0);
    const logs = await allLogs(server, 3);
    assert.deepEqual(logs.map((log) => log.message.split('\n').length).sort(), [1000, 1000, 501]);
    const wide = ['first', ...Array.from({ length: 100 }, () => `  ${'x'.repeat(10_000)}`)].join('\n');
    assert.equal((await client(server, ['send', '--multiline', '--attr', 'wide=1'], wide)).code, 0);
    const ofWide = (await allLogs(server, 3 + 8)).filter((log) => log.attributes.wide === '1');
    assert.equal(ofWide.map((log) => log.message.length).reduce((a, b) => a + b) + 7, wide.length);
    for (const log of ofWide) {
        assert.ok(log.message.length <= 128 << 10);
    }
});

scenario('send: in a stream that stays open, a log whose next line does not come is whole', async (lab) => {
    const server = await lab.start();
    const sender = spawn(BINARY, ['send', '--multiline'], { env: environment(settings(server)) });
    lab.finally(() => void sender.kill('SIGKILL'));
    sender.stdin.write(`${traces.java!}\n`);
    assert.deepEqual((await allLogs(server, 1)).map((log) => log.message), [traces.java]);
    sender.stdin.write(`${traces.python!}\n`);
    assert.deepEqual((await allLogs(server, 2)).map((log) => log.message).sort(), [traces.java, traces.python].sort());
    const code = new Promise((resolve) => sender.on('close', resolve));
    sender.stdin.write(`${traces.go!}\n`);
    sender.kill('SIGTERM'); // what was read is sent
    assert.equal(await code, 0);
    await allLogs(server, 3);
});

scenario('import: a file that has grown by more logs stores those that it had once', async (lab) => {
    const server = await lab.start();
    const file = path.join(lab.folder(), 'grown');
    const logs = Array.from({ length: 300 }, (_, i) =>
        i % 3 === 0
            ? `2026-11-28 12:00:${String(i % 60).padStart(2, '0')} ERROR ${i}\n\tat f(${i})`
            : i % 3 === 1
              ? `level=info msg=${i} time=2026-11-28T12:00:00Z`
              : `text ${i}`,
    );
    for (const count of [50, 51, 170, 300]) {
        writeFileSync(file, `${logs.slice(0, count).join('\n')}\n`);
        assert.equal((await client(server, ['import', '--multiline', file])).code, 0);
        await allLogs(server, count);
    }
    assert.equal(readFileSync(file, 'utf8').split('\n').length, 401);
});
