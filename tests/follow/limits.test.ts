/* What cannot be read, written, opened or watched; what is very long, or very much. */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';

import { type Lab, run } from '../support/harness';
import type { Log } from '../support/logs';
import { type Play, play, scene } from './scenes';

const L = 'app.log';
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;

/** Fails if more than one line of a life of the follower is about `what`. */
function isSaidOnce(played: Play, what: RegExp): void {
    const { stderr, lives } = played.follower!;
    const lines = stderr.split('\n').filter((line) => what.test(line));
    assert.ok(lines.length >= 1, `nothing is said of ${what}:\n${stderr}`);
    assert.ok(lines.length <= lives, `it is said again:\n${lines.join('\n')}`);
}

/** The parts of a long line, which are logs of their own, together. */
function whole(logs: Log[]): Log[] {
    const parts = logs.filter(({ attributes }) => attributes['part'] !== undefined);
    const others = logs.filter(({ attributes }) => attributes['part'] === undefined);
    if (parts.length === 0) {
        return logs;
    }
    parts.sort((a, b) => Number(a.attributes['part']) - Number(b.attributes['part']));
    const first = Number(parts[0]!.attributes['part']);
    parts.forEach(({ attributes }, index) => assert.equal(attributes['part'], first + index));
    return [...others, { ...parts[0]!, message: parts.map(({ message }) => message).join('') }];
}

scene(
    'a line of 10 MB',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(100);
        const long = `${s.ledger.text()} ${'0123456789abcdef'.repeat(655_360)} its end`;
        s.ledger.add(long, s.ledger.group());
        for (let at = 0; at < long.length; at += 1 << 18) {
            await s.step(() => w.raw(long.slice(at, at + (1 << 18))), 0.03);
        }
        await s.step(() => w.raw('\n'));
        await w.lines(100, 50);
    },
    { assemble: whole, hasTimes: false },
);

scene(
    'a hole of 1 GiB before the lines',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(100);
        await s.step(() => fs.truncateSync(s.at(L), 1 << 30));
        await w.lines(100, 50);
        await s.caughtUp();
        await s.truncate(L);
        w.begin();
        await w.lines(100);
    },
    { variants: ['plain', 'both'] },
);

scene('links that lead to each other, and then to a file', async (s, played) => {
    const w = await s.open(L);
    await s.symlink('loop-b.log', 'loop-a.log');
    await s.symlink('loop-a.log', 'loop-b.log');
    await s.symlink('nowhere.log', 'dangling.log');
    await s.follow(L, 'loop-a.log', 'loop-b.log', 'dangling.log');
    await w.lines(200, 100);
    await s.caughtUp();
    const late = await s.open('nowhere.log');
    await late.lines(100);
    await s.unlink('loop-a.log');
    const other = await s.open('loop-a.log');
    await other.lines(100, 50);
    await s.caughtUp();
    isSaidOnce(played, /loop-b\.log cannot/);
});

scene(
    'a file that cannot be read for a while',
    async (s, played) => {
        const w = await s.open(L);
        const secret = await s.open('secret.log');
        fs.chmodSync(s.at('secret.log'), IS_ROOT ? 0o600 : 0o000);
        if (IS_ROOT) {
            fs.chmodSync(s.folder, 0o755);
            fs.chownSync(path.dirname(played.state), NOBODY, NOBODY);
        }
        await s.follow('*.log');
        await w.lines(200, 100);
        await secret.lines(100);
        await s.pause(500);
        isSaidOnce(played, /secret\.log cannot/);
        await s.step(() => fs.chmodSync(s.at('secret.log'), 0o644));
        await w.lines(100, 50);
        await secret.lines(100, 50);
    },
    IS_ROOT ? { uid: NOBODY } : {},
);

scene('what is no regular file, by a pattern', async (s) => {
    const w = await s.open(L);
    await s.mkdir('folder.log');
    assert.equal((await run(['mkfifo', s.at('pipe.log')])).code, 0);
    await s.follow('*.log', 'pipe.log');
    await w.lines(200, 100);
    w.close();
    await s.rename(L, `${L}.1`);
    await w.open(L);
    await w.lines(100, 50);
});

/** A reason why no file system can be mounted here, or false. */
function whyNoMount(): string | false {
    if (!IS_ROOT) {
        return 'only root can mount';
    }
    try {
        execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], {
            stdio: 'ignore',
        });
        return false;
    } catch {
        return 'mounting is not allowed here';
    }
}

function smallDisk(lab: Lab): string {
    const disk = lab.folder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
    lab.finally(async () => void (await run(['umount', '-l', disk])));
    return disk;
}

scene(
    'the disk of the state is full for a while',
    async (s, played) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(200, 100);
        await s.caughtUp();
        const filler = path.join(path.dirname(played.state), 'filler');
        await run(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=4k']);
        assert.ok(fs.statSync(filler).size > 100_000);
        await w.lines(300, 200);
        w.close();
        await s.rename(L, `${L}.1`);
        await w.open(L);
        await w.lines(200, 100);
        await s.caughtUp();
        isSaidOnce(played, /follow\.db/);
        fs.unlinkSync(filler);
        await w.lines(200, 200);
    },
    { variants: ['plain', 'server'], stateFolder: smallDisk, skip: whyNoMount() },
);

scene(
    'the state may grow no more, and the follower dies',
    async (s, played) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(200, 100);
        await s.caughtUp();
        const { pid } = played.follower!;
        assert.equal((await run(['prlimit', `--pid=${pid}`, '--fsize=4096:'])).code, 0);
        await w.lines(300, 200);
        await s.caughtUp();
        await s.crash();
        await w.lines(200, 100);
    },
    { variants: ['plain'], hasTimes: true },
);

scene(
    'the state is deleted while it is in use, and the follower dies',
    async (s, played) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(200, 100);
        await s.caughtUp();
        fs.unlinkSync(played.state);
        await w.lines(300, 200);
        await s.caughtUp();
        isSaidOnce(played, /the state was deleted/);
        await s.crash();
        await w.lines(200, 100);
    },
    { variants: ['plain', 'server'], hasTimes: false },
);

scene(
    '10,000 files',
    async (s) => {
        await s.mkdir('logs');
        const names = Array.from({ length: 10_000 }, (_, n) => `logs/service-${n}/out.log`);
        const write = async (name: string): Promise<void> => {
            const text = s.ledger.text();
            s.ledger.add(text, s.ledger.group());
            fs.appendFileSync(s.at(name), `${text}\n`);
        };
        for (const name of names.slice(0, 9000)) {
            fs.mkdirSync(path.dirname(s.at(name)));
            await write(name);
        }
        await s.follow('logs');
        for (const name of names.slice(9000)) {
            fs.mkdirSync(path.dirname(s.at(name)));
            await s.step(() => write(name), 0.002);
        }
        for (let i = 0; i < 500; i++) {
            await s.step(() => write(s.dice.pick(names)), 0.002);
        }
    },
    { variants: ['plain', 'both'] },
);

scene(
    'fewer descriptors than files',
    async (s) => {
        const writers = [];
        for (let n = 0; n < 120; n++) {
            writers.push(await s.open(`app-${n}-out.log`));
        }
        await s.follow('app-*-out.log');
        for (let round = 0; round < 3; round++) {
            for (const w of writers) {
                await s.step(() => w.now(2), 0.002);
            }
            await s.mayCatchUp();
        }
        for (let n = 0; n < 120; n += 10) {
            writers[n]!.close();
            await s.rename(`app-${n}-out.log`, `app-${n}-out.log.1`);
            await writers[n]!.open(`app-${n}-out.log`);
            writers[n]!.now(3);
        }
    },
    { wrapper: ['prlimit', '--nofile=100:100'] },
);

/** A follower that may watch 2 folders or files has to look for the others. */
const FEW_WATCHES = [
    'unshare',
    '--user',
    '--map-root-user',
    'sh',
    '-c',
    'echo 2 >/proc/sys/user/max_inotify_watches && exec "$@"',
    'sh',
];

function whyNoFewWatches(): string | false {
    try {
        execFileSync(FEW_WATCHES[0]!, [...FEW_WATCHES.slice(1), 'true'], { stdio: 'ignore' });
        return false;
    } catch {
        return 'no namespaces of users here';
    }
}

scene(
    'fewer watches than files',
    async (s) => {
        const writers = [];
        for (let n = 0; n < 10; n++) {
            await s.mkdir(`logs/${n}`);
            writers.push(await s.open(`logs/${n}/${L}`));
        }
        await s.follow('logs');
        for (let round = 0; round < 3; round++) {
            for (const [n, w] of writers.entries()) {
                await w.lines(30);
                if (round === 1) {
                    await s.rename(`logs/${n}/${L}`, `logs/${n}/${L}.1`);
                    await w.lines(10);
                    await w.reopen(`logs/${n}/${L}`);
                    await w.lines(10);
                }
            }
            await s.caughtUp();
        }
    },
    { wrapper: FEW_WATCHES, skip: whyNoFewWatches() },
);

play();
