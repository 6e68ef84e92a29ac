/*
 * `logmill send --follow`: its flags, the plain uses end to end, crashes of either side, --status.
 * What rotations do is in tests/follow.
 */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import {
    appendFileSync,
    existsSync,
    mkdirSync,
    renameSync,
    symlinkSync,
    truncateSync,
    unlinkSync,
    writeFileSync,
} from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';

import {
    BINARY,
    type Lab,
    type Logmill,
    ROOT,
    type Ran,
    STOP_MS,
    endChild,
    environment,
    eventually,
    freePort,
    release,
    run,
    scenario,
    sleep,
} from '../support/harness';
import { type Log, page } from '../support/logs';

const MANAGER = path.join(ROOT, 'tests', 'support', 'manager.py');
const SANITIZER_REPORT = /ERROR: \w+Sanitizer|SUMMARY: \w+Sanitizer|runtime error:/;

/** A folder of logs, with a state beside it, and who follows there. */
class Desk {
    readonly folder: string;
    readonly state: string;
    private readonly home: string;

    constructor(
        readonly lab: Lab,
        private port: number,
    ) {
        this.folder = lab.folder();
        this.home = lab.folder();
        this.state = path.join(this.home, 'logmill', 'follow.db');
    }

    file(name: string): string {
        return path.join(this.folder, name);
    }

    write(name: string, text: string): void {
        appendFileSync(this.file(name), text);
    }

    follow(...args: string[]): Going {
        return new Going(this.lab, ['--follow', ...args], this.settings(), this.folder);
    }

    /** The same as systemd starts its service. What that is told is its stdout. */
    serve(...args: string[]): Going {
        const manager = ['python3', MANAGER, path.join(this.home, 'notify')];
        return new Going(this.lab, ['--follow', ...args], this.settings(), this.folder, manager);
    }

    ask(...args: string[]): Promise<Ran> {
        return run([BINARY, 'send', ...args], { settings: this.settings(), input: '' });
    }

    /** The objects that --status prints; the last has the sums. */
    async status(code: number): Promise<Record<string, any>[]> {
        const ran = await this.ask('--status');
        assert.deepEqual([ran.code, ran.stderr], [code, '']);
        return ran.stdout
            .split('\n')
            .slice(0, -1)
            .map((line) => JSON.parse(line) as Record<string, any>);
    }

    /** Until a follower has the state. */
    async isFollowed(): Promise<void> {
        await eventually('somebody to follow', async () => (await this.ask('--status')).code === 0);
    }

    /** Until nothing is behind. */
    async isThrough(): Promise<void> {
        await eventually('nothing of a file to be behind', async () => {
            const ran = await this.ask('--status');
            const lines = ran.stdout.trimEnd().split('\n');
            const sums = lines.pop()!; // of no files, before the follower has found them, they are 0
            return (
                ran.code === 0 &&
                lines.length > 0 &&
                (JSON.parse(sums) as Record<string, any>)['behind_bytes'] === 0
            );
        });
    }

    private settings(): Record<string, string> {
        return { LOGMILL_URL: `http://127.0.0.1:${this.port}`, XDG_STATE_HOME: this.home };
    }
}

class Going {
    stdout = '';
    stderr = '';
    readonly child: ChildProcess;

    constructor(
        lab: Lab,
        args: string[],
        settings: Record<string, string>,
        cwd: string,
        wrapper: string[] = [],
    ) {
        const command = [...wrapper, BINARY, 'send', ...args];
        this.child = spawn(command[0]!, command.slice(1), {
            cwd,
            env: environment(settings),
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        release(this.child);
        this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
        this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
        lab.finally(() => endChild(this.child, () => void this.child.kill('SIGKILL')));
    }

    async kill(): Promise<void> {
        await endChild(this.child, () => void this.child.kill('SIGKILL'));
        assert.equal(this.child.signalCode, 'SIGKILL', this.stderr);
    }

    /** SIGTERM: it ends by itself, with 0. */
    async stop(): Promise<void> {
        const late = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
        await endChild(this.child, () => void this.child.kill('SIGTERM'));
        clearTimeout(late);
        assert.deepEqual([this.child.exitCode, this.child.signalCode], [0, null], this.stderr);
        assert.doesNotMatch(this.stderr, SANITIZER_REPORT);
    }

    /** Until it says that. */
    async says(pattern: RegExp): Promise<void> {
        await eventually(`it to say ${pattern}, it says ${this.stderr}`, async () =>
            pattern.test(this.stderr),
        );
    }
}

/** All logs of the server, oldest first, once there are so many. */
async function logs(server: Logmill, count: number): Promise<Log[]> {
    let last = 0;
    return eventually(`${count} logs`, async () => {
        const all: Log[] = [];
        for (let next: string | null = ''; next !== null; ) {
            const one = await page(server, `limit=1000${next === '' ? '' : `&cursor=${next}`}`);
            all.push(...one.logs);
            next = one.next;
        }
        last = all.length;
        return all.length >= count && all.reverse();
    }).catch((error: unknown) => {
        throw new Error(`${last} of ${count} logs`, { cause: error });
    });
}

async function messages(server: Logmill, count: number): Promise<string[]> {
    return (await logs(server, count)).map((log) => log.message);
}

const numbered = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `line ${String(from + i).padStart(6, '0')}`);

const text = (lines: string[]): string => lines.map((line) => `${line}\n`).join('');

/* ---- What is given ---- */

scenario('a file, a pattern and a folder: each line once, with its file', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    for (const folder of ['b', 'c', 'c/d']) {
        mkdirSync(desk.file(folder));
    }
    desk.write('a.log', 'a1\na2\n');
    desk.write('b/x-1.log', 'x1\n');
    desk.write('b/y.txt', 'not asked for\n');
    desk.write('c/d/z', 'z1\n');
    desk.write('c/z.json', 'not wanted\n');
    const follower = desk.follow('--offset', '--exclude', '*.json', '--attr', 'host=h',
        'a.log', 'b/*.log', 'c', 'later.log');
    await logs(server, 4);
    desk.write('a.log', 'a3\n');
    desk.write('b/x-2.log', 'x2\n');
    desk.write('c/d/new', 'n1\n');
    desk.write('later.log', 'l1\n');
    const found = await logs(server, 8);
    await follower.stop();
    assert.equal(follower.stderr, 'logmill send: later.log is not there yet; it is waited for\n');
    assert.deepEqual(
        found
            .map(({ message, attributes: { file, offset, host } }) => [message, file, offset, host])
            .sort(),
        [
            ['a1', desk.file('a.log'), 0, 'h'],
            ['a2', desk.file('a.log'), 3, 'h'],
            ['a3', desk.file('a.log'), 6, 'h'],
            ['l1', desk.file('later.log'), 0, 'h'],
            ['n1', desk.file('c/d/new'), 0, 'h'],
            ['x1', desk.file('b/x-1.log'), 0, 'h'],
            ['x2', desk.file('b/x-2.log'), 0, 'h'],
            ['z1', desk.file('c/d/z'), 0, 'h'],
        ],
    );
});

scenario('--from: end passes over what is there, saved goes on, start begins anew', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', 'old\n');
    let follower = desk.follow('--from', 'end', 'a.log');
    await desk.isFollowed();
    desk.write('a.log', '2026-11-28T10:00:00Z new\n');
    await logs(server, 1);
    await follower.stop();
    desk.write('a.log', '2026-11-28T10:00:01Z meanwhile\n');
    follower = desk.follow('a.log');
    assert.equal((await logs(server, 2)).length, 2);
    await follower.stop();
    follower = desk.follow('--from', 'start', 'a.log');
    const all = await messages(server, 3);
    await desk.isThrough();
    await follower.stop();
    assert.deepEqual((await messages(server, 3)).sort(), all.sort());
    assert.equal(all.filter((message) => message === 'old').length, 1);
});

scenario('flags that do not go together are told, and standard input is as it was', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    const wrong: [string[], RegExp][] = [
        [['--follow'], /--follow: no FILE/],
        [['--follow', '-'], /standard input is no file/],
        [['--follow', 'x', '--from', 'there'], /--from.*saved\|start\|end|--from.*saved, start, end/],
        [['--follow', 'x', '--output', 'json'], /--output is for --status/],
        [['--from', 'end', 'x'], /--from is for --follow/],
        [['--exclude', 'y', 'x'], /--exclude is for --follow/],
        [['--offset'], /--offset is for --follow/],
        [['--state', 'y', 'x'], /--state is for --follow and --status/],
        [['--output', 'json'], /--output is for --status/],
        [['--status', 'x'], /--status takes no FILE/],
        [['--status', '--from', 'end'], /--from is for --follow, without --status/],
    ];
    for (const [args, reason] of wrong) {
        const ran = await desk.ask(...args);
        assert.equal(ran.code, 2, args.join(' '));
        assert.match(ran.stderr, reason);
        assert.match(ran.stderr, /^logmill send: [^\n]*\n$/);
    }
    const piped = await run([BINARY, 'send'], {
        settings: { LOGMILL_URL: `http://127.0.0.1:${server.port}` },
        input: 'from a pipe\n',
    });
    assert.equal(piped.code, 0, piped.stderr);
    assert.deepEqual((await logs(server, 1)).map((log) => [log.message, log.attributes]),
        [['from a pipe', {}]]);
});

/* ---- Ends and crashes ---- */

scenario('a new start goes on where the last one ended; SIGTERM sends what was read', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    const wanted: string[] = [];
    for (let round = 0; round < 4; round++) {
        const lines = numbered(round * 100, round * 100 + 100);
        const follower = desk.follow('a.log');
        desk.write('a.log', text(lines));
        wanted.push(...lines);
        if (round % 2 === 0) {
            await logs(server, wanted.length);
        } else {
            await desk.isFollowed();
        }
        await follower.stop();
    }
    const follower = desk.follow('a.log');
    await logs(server, wanted.length);
    await desk.isThrough();
    await follower.stop();
    assert.deepEqual((await messages(server, wanted.length)).sort(), wanted);
});

scenario('kill -9 of the follower, again and again: each line once', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    let follower = desk.follow('a.log', 'b.log');
    await desk.isFollowed(); // what is a rotated file before that is passed over
    let written = 0;
    for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 20; i++) {
            const to = written + 100;
            desk.write(i % 2 ? 'a.log' : 'b.log', text(numbered(written, to)));
            written = to;
            await sleep(5);
        }
        await follower.kill();
        if (round === 3) {
            renameSync(desk.file('a.log'), desk.file('a.log.1'));
        }
        follower = desk.follow('a.log', 'b.log');
    }
    await logs(server, written);
    await desk.isThrough();
    await follower.stop();
    assert.deepEqual((await messages(server, written)).sort(), numbered(0, written));
});

scenario('kill -9 of the server, and a time without one: told once, and nothing is lost', async (lab) => {
    const port = await freePort();
    const data = lab.folder();
    const start = (): Promise<Logmill> =>
        lab.start({ settings: { PORT: String(port) } }, data);
    let server = await start();
    const desk = new Desk(lab, port);
    const follower = desk.follow('a.log');
    let written = 0;
    const write = (count: number): void => {
        desk.write('a.log', text(numbered(written, written + count)));
        written += count;
    };
    write(100);
    await logs(server, 100);
    await server.kill();
    for (let i = 0; i < 5; i++) {
        write(2000);
        renameSync(desk.file('a.log'), desk.file(`a.log.${i}`));
        write(100);
        await sleep(100);
    }
    await follower.says(/no server at .*; trying again until it takes the logs\n/);
    unlinkSync(desk.file('a.log.0'));
    server = await start();
    await follower.says(/takes logs again\n/);
    assert.deepEqual((await messages(server, written)).sort(), numbered(0, written));
    await follower.stop();
    assert.equal(follower.stderr.match(/no server at/g)?.length, 1, follower.stderr);
    assert.equal((await logs(server, written)).length, written);
});

scenario('SIGTERM while the server hangs: it ends, and the next one sends it, once', async (lab) => {
    const sockets = new Set<net.Socket>();
    const hanging = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    lab.finally(() => {
        sockets.forEach((socket) => socket.destroy());
        hanging.close();
    });
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', text(numbered(0, 10)));
    const stuck = new Going(lab,
        ['--follow', 'a.log', '--state', desk.state, '--url',
            `http://127.0.0.1:${(hanging.address() as net.AddressInfo).port}`],
        {}, desk.folder);
    mkdirSync(path.dirname(desk.state), { recursive: true });
    await eventually('a request', async () => sockets.size > 0);
    await stuck.stop();
    assert.match(stuck.stderr, /gave up, 10 logs are not sent: .*\n.*is read again at the next start\n$/);
    const follower = desk.follow('a.log');
    assert.deepEqual((await messages(server, 10)).sort(), numbered(0, 10));
    await follower.stop();
});

scenario('what the server refuses is left out, told by file and byte, and not tried for ever', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    const follower = desk.follow('a.log');
    desk.write('a.log', 'one\n{"message":"two","timestamp":"never"}\nthree\n');
    assert.deepEqual((await messages(server, 2)).sort(), ['one', 'three']);
    await follower.says(/a\.log: byte 4 is left out: timestamp: /);
    await desk.isThrough();
    await follower.stop();
    assert.match(follower.stderr, /\nlogmill send: 2 logs in [0-9.]+ s; 1 left out\n$/);
});

scenario('lines that are not of --format are text, and told once', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', 'level=info msg=fits\nnone\nnone either\n');
    const follower = desk.follow('--format', 'logfmt', 'a.log');
    assert.deepEqual((await messages(server, 3)).sort(), ['fits', 'none', 'none either']);
    await follower.stop();
    assert.match(follower.stderr, /^logmill send: \S+a\.log: byte 20 is not of the form logfmt: kept as text[^\n]*\n$/);
});

scenario('a server that refuses one of a batch, and a wrong address, are told apart', async (lab) => {
    const bodies: string[] = [];
    let isThere = false;
    const server = http.createServer((request, answer) => {
        let body = '';
        request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        request.on('end', () => {
            if (!isThere) {
                answer.writeHead(404).end('{"detail":"Not Found"}');
            } else if (body.includes('bad')) {
                const index = body.split('\n').findIndex((line) => line.includes('bad'));
                answer.writeHead(422).end(JSON.stringify({
                    detail: [{ loc: ['body', index, 'message'], type: 'value_error', msg: 'is bad' }],
                }));
            } else {
                bodies.push(body);
                answer.writeHead(201).end('{"status":"queued"}');
            }
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => {
        server.closeAllConnections();
        server.close();
    });
    const desk = new Desk(lab, (server.address() as net.AddressInfo).port);
    desk.write('a.log', 'good 1\nbad\ngood 2\n');
    const follower = desk.follow('a.log');
    await follower.says(/answered 404: Not Found; trying again/);
    isThere = true;
    await follower.says(/a\.log: byte 7 is left out: message: is bad/);
    await desk.isThrough();
    await follower.stop();
    const sent = bodies.join('').split('\n').slice(0, -1)
        .map((line) => (JSON.parse(line) as Log).message);
    assert.deepEqual(sent, ['good 1', 'good 2']);
});

scenario('what is no logmill has stored nothing and refuses nothing, whatever it answers', async (lab) => {
    const answers: [number, string][] = [
        [200, '<html>Welcome</html>'],
        [204, ''],
        [422, 'Unprocessable'],
        [422, '{"detail":"no"}'],
    ];
    const taken: string[] = [];
    const server = http.createServer((request, answer) => {
        let body = '';
        request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        request.on('end', () => {
            const [code, said] = answers.shift() ?? [201, '{"status":"queued"}'];
            if (code === 201) {
                taken.push(...body.split('\n').slice(0, -1));
            }
            answer.writeHead(code).end(said);
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => {
        server.closeAllConnections();
        server.close();
    });
    const desk = new Desk(lab, (server.address() as net.AddressInfo).port);
    desk.write('a.log', 'one\ntwo\n');
    const follower = desk.follow('a.log');
    await follower.says(/answered 200, as no logmill does; trying again/);
    await follower.says(/takes logs again/);
    await desk.isThrough();
    await follower.stop();
    assert.deepEqual(taken.map((line) => (JSON.parse(line) as Log).message), ['one', 'two']);
    assert.doesNotMatch(follower.stderr, /left out/);
});

/* ---- Several lines ---- */

scenario('--multiline does not wait in vain for lines that a server has no room for', async (lab) => {
    const sent: string[] = [];
    let firstMs = 0;
    const server = http.createServer((request, answer) => {
        let body = '';
        request.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        request.on('end', () => {
            firstMs ||= Date.now();
            if (Date.now() - firstMs < 2500) { // more than --multiline-timeout
                answer.writeHead(503).end('{"detail":"busy"}');
                return;
            }
            const logs = body.split('\n').slice(0, -1);
            sent.push(...logs.map((log) => (JSON.parse(log) as Log).message));
            answer.writeHead(201).end('{"status":"queued"}');
        });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    lab.finally(() => {
        server.closeAllConnections();
        server.close();
    });
    const desk = new Desk(lab, (server.address() as net.AddressInfo).port);
    // Of more bytes than are taken while none are sent.
    const frames = Array.from({ length: 400 }, (_, n) => `    at shop.Main.run${n}(Main.java:4)`);
    const records = Array.from({ length: 200 }, (_, n) => [`record ${n}`, ...frames].join('\n'));
    desk.write('a.log', `${records.join('\n')}\n`);
    const follower = desk.follow('--multiline', '--multiline-timeout', '1', 'a.log');
    await desk.isThrough();
    await follower.stop();
    assert.deepEqual(sent.map((text) => text.length), records.map((text) => text.length));
    assert.deepEqual(sent, records);
});

scenario('--multiline puts together what a rotation has cut, and waits for the rest', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    const follower = desk.follow('--multiline', '--multiline-timeout', '3600', 'a.log');
    desk.write('a.log', '2026-11-28 10:00:00 ERROR first\n  at one\n');
    await eventually('it to have been read', async () => {
        const files = await desk.status(0).catch(() => []);
        return files.length === 2 && files[0]!['size'] > 0;
    });
    renameSync(desk.file('a.log'), desk.file('a.log.1'));
    desk.write('a.log', '  at two\n2026-11-28 10:00:01 INFO second\n2026-11-28 10:00:02 INFO held\n');
    assert.deepEqual(await messages(server, 2), [
        '2026-11-28 10:00:00 ERROR first\n  at one\n  at two',
        '2026-11-28 10:00:01 INFO second',
    ]);
    await follower.kill();
    const next = desk.follow('--multiline', '--multiline-timeout', '1', 'a.log');
    const found = await messages(server, 3);
    await desk.isThrough();
    await next.stop();
    assert.deepEqual(await messages(server, 3), found);
    assert.equal(found[2], '2026-11-28 10:00:02 INFO held');
});

/* ---- The state ---- */

scenario('--status tells of each file and all, while it runs and after', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    const none = await desk.ask('--status');
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.notEqual(none.stderr, '');
    desk.write('a.log', 'level=info msg=one\nlevel=info msg=two\n');
    desk.write('b.log', 'plain text\n');
    const follower = desk.follow('a.log', 'b.log');
    await logs(server, 3);
    await desk.isThrough();
    const lines = await desk.status(0); // files in no order that is promised, then the sums
    const [a, b] = ['a.log', 'b.log'].map((name) => lines.find((line) => line['path'] === desk.file(name)));
    const sums = lines.at(-1);
    assert.equal(lines.length, 3);
    assert.deepEqual(
        [a!['path'], a!['behind_bytes'], a!['behind_seconds'], a!['offset'], a!['form']],
        [desk.file('a.log'), 0, 0, 38, 'logfmt'],
    );
    assert.deepEqual([b!['path'], b!['form'], b!['deleted']], [desk.file('b.log'), '', false]);
    assert.deepEqual([sums!['followed'], sums!['pid']], [2, follower.child.pid]);
    const table = await desk.ask('--status', '--output', 'pretty');
    assert.equal(table.code, 0);
    assert.match(table.stdout, /^ +BEHIND +FOR +FORM +FILE\n(.*\n){2}.* in 2 files; changed .* pid \d+\n$/);
    assert.ok(table.stdout.includes(desk.file('a.log')));
    await follower.stop();
    desk.write('b.log', 'more\n');
    const after = await desk.status(1);
    const grown = after.find((line) => line['path'] === desk.file('b.log'));
    assert.deepEqual([grown!['behind_bytes'], after[2]!['behind_bytes'], after[2]!['pid']], [5, 5, null]);
});

scenario('--status names what cannot be read, until it can be', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', 'one\n');
    symlinkSync('loop.log', desk.file('loop.log'));
    const follower = desk.follow('a.log', 'loop.log');
    await logs(server, 1);
    const named = (all: Record<string, any>[]): unknown =>
        all.filter((line) => 'unreadable' in line && 'path' in line);
    const reason = 'Too many levels of symbolic links';
    const expected = [{ path: desk.file('loop.log'), unreadable: reason }];
    await eventually('it to be named', async () => (await desk.status(0)).at(-1)!['unreadable'] === 1);
    assert.deepEqual(named(await desk.status(0)), expected);
    const table = await desk.ask('--status', '--output', 'pretty');
    assert.match(table.stdout, / unread +\/.*loop\.log: Too many .*\n.*; 1 cannot be read; changed/);
    await follower.stop();
    assert.deepEqual(named(await desk.status(1)), expected);
    unlinkSync(desk.file('loop.log'));
    desk.write('loop.log', 'two\n');
    const next = desk.follow('a.log', 'loop.log');
    await logs(server, 2);
    await eventually('nothing to be named', async () => (await desk.status(0)).at(-1)!['unreadable'] === 0);
    await next.stop();
    const sums = (await desk.status(1)).at(-1)!;
    assert.deepEqual([sums['unreadable'], sums['lost_bytes']], [0, 0]);
});

scenario('--status counts bytes that were gone before they could be sent, for good', async (lab) => {
    const desk = new Desk(lab, await freePort());
    desk.write('a.log', text(numbered(0, 10)));
    const first = desk.follow('a.log');
    await eventually('it to be behind', async () =>
        (await desk.ask('--status')).stdout.includes('"behind_bytes":120'),
    );
    await first.kill();
    unlinkSync(desk.file('a.log'));
    for (let life = 0; life < 2; life++) {
        const next = desk.follow('a.log');
        await desk.isFollowed();
        await eventually('the loss to be counted', async () =>
            (await desk.ask('--status')).stdout.includes('"lost_bytes":120,'),
        );
        await next.stop();
    }
    const table = await desk.ask('--status', '--output', 'pretty');
    assert.match(table.stdout, /; 120 bytes lost; changed/);
});

scenario('a service manager is told when it is ready, how far it is, and that it ends', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', 'one\n');
    symlinkSync('loop.log', desk.file('loop.log'));
    const follower = desk.serve('a.log', 'loop.log');
    await eventually('READY=1', async () => follower.stdout.includes('READY=1'));
    assert.equal((await desk.ask('--status')).code, 0); // the state is its own by then
    await eventually('STATUS=', async () =>
        /STATUS=1 file, all that is there is stored; 1 cannot be read/.test(follower.stdout),
    );
    await server.stop();
    desk.write('a.log', 'two\n');
    await eventually('STATUS= of what is left', async () =>
        /STATUS=4 bytes behind, for \d+ s, in 1 file; 1 cannot be read/.test(follower.stdout),
    );
    await follower.stop();
    assert.match(follower.stdout, /STOPPING=1 STATUS=sending what was read/);
    assert.doesNotMatch(follower.stdout, /READY=1(.|\n)*READY=1/);
});

scenario('names of any bytes do not spoil --status, whose every line is a file', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    const folder = desk.file(`${'deep/'.repeat(120)}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(Buffer.concat([Buffer.from(desk.file('x-')), Buffer.from([0xff, 0xfe])]), 'one\n');
    desk.write('a\nb\u001b[31m.log', 'two\n');
    writeFileSync(path.join(folder, 'c.log'), Buffer.from([0xff, 0x0a]));
    const follower = desk.follow('.', `${folder}c.log`);
    await logs(server, 3);
    await desk.isThrough();
    const files = (await desk.status(0)).slice(0, -1).map((file) => file['path'] as string);
    assert.deepEqual(files.sort(),
        [desk.file('a\nb\u001b[31m.log'), path.join(folder, 'c.log'), desk.file('x-\ufffd\ufffd')].sort());
    const table = await desk.ask('--status', '--output', 'pretty');
    assert.equal(table.stdout.split('\n').length, 1 + 3 + 1 + 1, table.stdout);
    assert.doesNotMatch(table.stdout, /\u001b/);
    await follower.stop();
    assert.match(follower.stderr, /c\.log: byte 0 is not UTF-8: U\+FFFD stands/); // behind a long path
});

scenario('one follower has a state: the second one ends, and names the first', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', 'one\n');
    const follower = desk.follow('a.log');
    await logs(server, 1);
    const second = await desk.ask('--follow', desk.file('a.log'));
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`\\b${follower.child.pid}\\b`));
    const other = await desk.ask('--follow', desk.file('a.log'), '--state', '/dev/null/x');
    assert.equal(other.code, 1);
    assert.match(other.stderr, /\/dev\/null\/x/);
    await follower.stop();
    assert.ok(existsSync(desk.state));
});

scenario('a truncated file is read from its beginning, and counted as another one', async (lab) => {
    const server = await lab.start();
    const desk = new Desk(lab, server.port);
    desk.write('a.log', 'one\ntwo\n');
    writeFileSync(desk.file('b.log'), '');
    const follower = desk.follow('a.log', 'b.log');
    await logs(server, 2);
    await desk.isThrough();
    truncateSync(desk.file('a.log'));
    desk.write('a.log', 'six\nten\n'); // as long as it was
    assert.deepEqual((await messages(server, 4)).sort(), ['one', 'six', 'ten', 'two']);
    await follower.stop();
});
