/* What the program says for itself: help, settings, errors, diagnostics. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';

import {
    BINARY,
    PATIENCE_MS,
    environment,
    eventually,
    freePort,
    run,
    runLogmill,
    scenario,
    sqlite,
} from '../support/harness';
import { get, post } from '../support/http';
import { postLog, stored } from '../support/logs';

/** `logmill config` as a map. */
async function config(
    args: string[],
    settings: Record<string, string> = {},
): Promise<Map<string, string>> {
    const ran = await runLogmill(['config', ...args], settings);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stderr, '');
    const lines = ran.stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
        lines.map((line) => {
            const equals = line.indexOf('=');
            assert.ok(equals > 0, line);
            return [line.slice(0, equals), line.slice(equals + 1)];
        }),
    );
}

const SECRETS = [
    ...['DATABASE_URL', 'DATABASE_PASS', 'DATABASE_WRITER_PASS', 'DATABASE_READER_PASS'],
    ...['REDIS_URL', 'FLUENT_SHARED_KEY', 'KEYS'],
];

scenario('--help names every command and every setting; --version is one line', async () => {
    const settings = [...(await config([])).keys()];
    for (const args of [['--help'], ['help'], ['serve', '--help']]) {
        const help = await runLogmill(args);
        assert.equal(help.code, 0, help.stderr);
        for (const command of ['serve', 'api', 'worker', 'migrate', 'dead-letters', 'health', 'config']) {
            assert.match(help.stdout, new RegExp(`^\\s+${command}\\b`, 'm'));
        }
        for (const name of settings) {
            const flag = `--${name.toLowerCase().replaceAll('_', '-')}`;
            const shown = SECRETS.includes(name) ? name : flag;
            assert.ok(help.stdout.includes(`  ${shown} `), name);
        }
    }
    for (const args of [['--version'], ['version']]) {
        const version = await runLogmill(args, { PORT: 'eighty' });
        assert.deepEqual([version.code, version.stderr], [0, '']);
        assert.match(version.stdout, /^logmill \d+\.\d+\.\d+\n$/);
    }
});

scenario('dead-letters in a directory without data says so, and makes nothing', async (lab) => {
    const folder = path.join(lab.folder(), 'nothing', 'here');
    for (const args of [['dead-letters'], ['dead-letters', 'requeue']]) {
        const ran = await runLogmill(args, { DATA_DIR: folder });
        assert.equal(ran.code, 1);
        assert.match(ran.stderr, /DATA_DIR: \S+ holds no data: there is no queue.db in it/);
        assert.equal(existsSync(path.dirname(folder)), false);
    }
});

scenario('a DATABASE_URL that is none of PostgreSQL is told by its name', async (lab) => {
    for (const command of ['serve', 'migrate']) {
        const ran = await runLogmill([command], {
            DATABASE_URL: 'mysql://me:hunter2@db/logs',
            DATA_DIR: lab.folder(),
        });
        assert.equal(ran.code, 1);
        assert.match(ran.stderr, /DATABASE_URL: not a connection URI .*postgresql:\/\//);
        assert.doesNotMatch(ran.stderr, /hunter2/);
    }
});

scenario('DATABASE_INDEXES may have any of its indexes, and what is none is told by its name', async (lab) => {
    const settings = { DATABASE_URL: 'postgresql://me@127.0.0.1:1/none', DATA_DIR: lab.folder() };
    const wrong = await runLogmill(['migrate'], { ...settings, DATABASE_INDEXES: 'levels,level' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /DATABASE_INDEXES: \W*level\W* is not an index: message, attributes and levels/);
    const right = await runLogmill(['migrate'], { ...settings, DATABASE_INDEXES: 'levels, attributes' });
    assert.equal(right.code, 1); /* there is no such server */
    assert.doesNotMatch(right.stderr, /DATABASE_INDEXES/);
});

scenario('what may hold a password is no flag, which every user of the machine could see', async () => {
    for (const name of SECRETS) {
        const flag = `--${name.toLowerCase().replaceAll('_', '-')}`;
        const { code, stderr } = await runLogmill(['config', flag, 'hunter2']);
        assert.equal(code, 2);
        assert.match(stderr, new RegExp(`^logmill: ${name}: .*environment variable.*\n$`));
        assert.doesNotMatch(stderr, /hunter2/);
    }
});

scenario('no command or an unknown one is said in one line, with exit code 2', async () => {
    for (const args of [
        [],
        ['srve'],
        ['serve', 'surplus'],
        ['serve', '--no-such-flag', '1'],
        ['config', 'surplus'],
    ]) {
        const ran = await runLogmill(args);
        assert.equal(ran.code, 2, `${args}: ${ran.stderr}`);
        assert.equal(ran.stdout, '');
        assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
        const culprit =
            args[args.length - 1] === '1' ? '--no-such-flag' : (args[args.length - 1] ?? 'command');
        assert.ok(ran.stderr.includes(culprit), ran.stderr);
    }
});

scenario('settings come from defaults, the environment, and flags, which win', async () => {
    const defaults = await config([]);
    for (const [name, value] of [
        ['HOST', '127.0.0.1'],
        ['PORT', '8000'],
        ['MAX_BODY_BYTES', '1048576'],
        ['MAX_INFLIGHT_BYTES', '67108864'],
        ['RETENTION_DAYS', '0'],
    ] as const) {
        assert.equal(defaults.get(name), value);
    }
    assert.ok((defaults.get('DATA_DIR') ?? '') !== '');
    const set = await config(['--port', '9001', '--data-dir=/somewhere/else'], {
        PORT: '9000',
        RETENTION_DAYS: '7',
        WEB_CONCURRENCY: '3',
        MAX_BODY_BYTES: '', // empty is not set
    });
    assert.equal(set.get('PORT'), '9001');
    assert.equal(set.get('DATA_DIR'), '/somewhere/else');
    assert.equal(set.get('RETENTION_DAYS'), '7');
    assert.equal(set.get('WEB_CONCURRENCY'), '3');
    assert.equal(set.get('MAX_BODY_BYTES'), '1048576');
});

scenario('config masks secrets', async () => {
    const secret = 'correct-horse-battery';
    const ran = await runLogmill(['config'], {
        DATABASE_URL: `postgresql://me:${secret}@db/logs`,
        REDIS_URL: `redis://:${secret}@cache`,
        DATABASE_PASS: secret,
        FLUENT_SHARED_KEY: secret,
        AWS_SECRET_ACCESS_KEY: secret,
        AWS_SESSION_TOKEN: secret,
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(!(ran.stdout + ran.stderr).includes(secret));
    assert.match(ran.stdout, /^DATABASE_URL=\*+$/m);
});

scenario(
    'a bad value stops every command with one line that names setting, value and what is allowed, exit code 2',
    async () => {
        const bad: [string, string, RegExp][] = [
            ['PORT', 'eighty', /0.*65535/],
            ['PORT', '65536', /0.*65535/],
            ['PORT', '-1', /0.*65535/],
            ['PORT', '80 ', /0.*65535/],
            ['MAX_BODY_BYTES', '1M', /from \d+ to \d+/],
            ['WEB_CONCURRENCY', '0', /from 1 to \d+/],
            ['RETENTION_DAYS', '1.5', /from 0 to \d+/],
            ['RETENTION_DAYS', '99999999999999999999999', /from 0 to \d+/],
            ['RETENTION_DAYS_BY_LEVEL', 'debug=3', /as in debug:3/],
            ['RETENTION_DAYS_BY_LEVEL', 'debug:0', /from 1 to \d+/],
            ['LOG_LEVEL', 'loud', /debug.*info.*warn.*error/],
        ];
        for (const [name, value, allowed] of bad) {
            const flag = `--${name.toLowerCase().replaceAll('_', '-')}`;
            const runs = [
                await runLogmill(['serve'], { [name]: value }),
                await runLogmill(['worker', flag, value]),
                await runLogmill(['config', `${flag}=${value}`]),
            ];
            for (const ran of runs) {
                assert.equal(ran.code, 2, `${name}=${value}: ${ran.stderr}`);
                assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr);
                assert.ok(ran.stderr.includes(name) && ran.stderr.includes(value), ran.stderr);
                assert.match(ran.stderr, allowed);
                assert.equal(ran.stdout, '');
            }
        }
        const missing = await runLogmill(['serve', '--port']);
        assert.equal(missing.code, 2);
        assert.match(missing.stderr, /--port/);
    },
);

scenario('addresses that cannot be used stop the start with a line that names the setting', async (lab) => {
    for (const name of ['SQS_QUEUE_URL', 'REDIS_URL']) {
        const server = lab.launch({ settings: { [name]: 'something' } });
        const { code } = await server.refuses();
        assert.ok(code !== 0 && code !== null);
        assert.ok(server.stderr.includes(name), server.stderr);
    }
});

scenario('migrate makes the store ready, and again does no harm', async (lab) => {
    const folder = path.join(lab.folder(), 'made', 'by', 'migrate');
    for (let n = 0; n < 2; n++) {
        const ran = await runLogmill(['migrate'], { DATA_DIR: folder });
        assert.equal(ran.code, 0, ran.stderr);
        assert.ok(existsSync(path.join(folder, 'logs.db')));
    }
    const tables = await sqlite(
        path.join(folder, 'logs.db'),
        "SELECT name FROM sqlite_master WHERE type = 'table'",
    );
    assert.ok(tables.some((table) => table['name'] === 'logs'));
    const server = await lab.start({}, folder);
    await stored(server, await postLog(server, { message: 'after migrate', level: 'info' }));
    const beside = await runLogmill(['migrate'], { DATA_DIR: folder });
    assert.equal(beside.code, 0, beside.stderr);
});

scenario(
    'diagnostics are JSON lines with ts, level and msg; the first say address, data and a curl line that works',
    async (lab) => {
        const server = await lab.start();
        const listening = server.diagnostics().find((line) => line.msg === 'listening')!;
        assert.equal(listening.level, 'info');
        assert.equal(listening['address'], '127.0.0.1');
        assert.equal(listening['port'], server.port);
        assert.equal(listening['data'], server.dataDir);
        const line = String(listening['try']);
        assert.match(line, /^curl /);
        const ran = await run(['bash', '-c', `${line.replace(/^curl/, 'curl -sS')}`]);
        assert.equal(ran.code, 0, ran.stderr);
        assert.equal(JSON.parse(ran.stdout).status, 'queued');
        await server.stop();

        assert.equal(server.stdout, '');
        const lines = server.stderr.split('\n');
        assert.equal(lines.pop(), '', 'the last line is whole');
        for (const text of lines) {
            const diagnostic = JSON.parse(text);
            assert.match(diagnostic.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
            assert.ok(Math.abs(Date.parse(diagnostic.ts) - Date.now()) < 10 * PATIENCE_MS);
            assert.match(diagnostic.level, /^(debug|info|warn|error)$/);
            assert.ok(typeof diagnostic.msg === 'string' && diagnostic.msg !== '');
        }
        assert.ok(lines.length < 20, 'no line for each request');
    },
);

scenario('LOG_LEVEL drops what is below it', async (lab) => {
    const folder = lab.folder();
    const port = await freePort(); // nothing on stderr will tell which it took
    const server = lab.launch({ settings: { LOG_LEVEL: 'error', PORT: String(port) } }, folder);
    server.port = port;
    await eventually('an answer', async () => (await get(server, '/health')).status === 200);
    await server.stop();
    assert.equal(server.stderr, '');
});

scenario('on a terminal diagnostics are readable text', async (lab) => {
    const folder = lab.folder();
    const typescript = path.join(folder, 'typescript');
    const pidFile = path.join(folder, 'pid');
    const data = path.join(folder, 'data');
    // script(1) gives the program a terminal; the shell tells its pid before it becomes logmill
    const command = `echo $$ > '${pidFile}'; exec '${BINARY}' serve --port 0 --data-dir '${data}'`;
    const whole = run(['script', '-q', '-e', '-f', '-c', command, typescript], {
        settings: environment({ SHELL: '/bin/sh' }),
    });
    const text = (): string => (existsSync(typescript) ? readFileSync(typescript, 'utf8') : '');
    try {
        const port = await eventually('the start', async () => /port=(\d+)/.exec(text())?.[1]);
        assert.equal((await get({ port: Number(port) }, '/health')).status, 200);
    } finally {
        process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGTERM');
    }
    const { code } = await whole;
    assert.equal(code, 0, text());
    const said = text()
        .split(/\r?\n/)
        .filter((line) => line.includes('listening'));
    assert.equal(said.length, 1, text());
    assert.match(said[0]!, /^\d\d:\d\d:\d\d info +listening +.*address=127\.0\.0\.1/);
    assert.doesNotMatch(text(), /\{"ts"/);
});

scenario('secrets and bodies of clients stay out of the diagnostics', async (lab) => {
    const server = await lab.start({ settings: { LOG_LEVEL: 'debug' } });
    await post(server, '/log', { message: 'private-message', level: 'info' });
    await post(server, '/log', '{"message":"private-message"');
    await get(server, '/logs?q=private-message');
    await server.stop();
    assert.ok(!server.stderr.includes('private-message'), server.stderr);
});
