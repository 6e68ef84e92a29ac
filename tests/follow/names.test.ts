/* Which files are meant: patterns, folders, links, copies; --from. */
import * as fs from 'node:fs';

import { play, scene } from './scenes';

const L = 'app.log';

scene('new dated names only, by a pattern', async (s) => {
    const w = await s.open('app-2026-11-20.log');
    await s.follow('app-*.log');
    for (let day = 21; day < 27; day++) {
        await w.lines(340, 50);
        await w.reopen(`app-2026-11-${day}.log`);
    }
    await w.lines(340);
});

scene('dated names, the old ones compressed and deleted, by a pattern', async (s) => {
    const w = await s.open('app-2026-11-20.log');
    await s.follow('app-*.log');
    for (let day = 20; day < 26; day++) {
        await w.lines(200, 50);
        await w.reopen(`app-2026-11-${day + 1}.log`);
        await s.compress(`app-2026-11-${day}.log`, `app-2026-11-${day}.log.gz`);
        if (day > 22) {
            await s.unlink(`app-2026-11-${day - 2}.log.gz`);
        }
    }
    await w.lines(100);
});

scene('rename and gz, by a pattern that has the archives, too', async (s) => {
    const w = await s.open(L);
    await s.follow(`${L}*`);
    for (let i = 0; i < 4; i++) {
        await w.lines(300, 50);
        await s.shift(L, '.gz', 2);
        if (i > 0) {
            await s.compress(`${L}.1`, `${L}.2.gz`);
        }
        w.close();
        await s.rename(L, `${L}.1`);
        await w.open(L);
    }
    await w.lines(100);
});

scene('a folder, with folders that come', async (s) => {
    await s.mkdir('logs');
    const one = await s.open('logs/one.log');
    await s.follow('logs');
    await one.lines(200, 50);
    for (let i = 0; i < 3; i++) {
        await s.mkdir(`logs/pod-${i}/app`);
        const w = await s.open(`logs/pod-${i}/app/0.log`);
        await w.lines(200);
        w.close();
        await s.rename(`logs/pod-${i}/app/0.log`, `logs/pod-${i}/app/0.log.20261128-100000`);
        await w.open(`logs/pod-${i}/app/0.log`);
        await w.lines(100, 50);
        await one.lines(50);
    }
});

scene('a folder that is deleted and made again', async (s) => {
    await s.mkdir('logs');
    let w = await s.open(`logs/${L}`);
    await s.follow(`logs/${L}`);
    for (let i = 0; i < 3; i++) {
        await w.lines(200, 50);
        await s.caughtUp();
        w.close();
        await s.remove('logs');
        await s.pause(s.dice.int(0, 500));
        await s.mkdir('logs');
        w = await s.open(`logs/${L}`);
    }
    await w.lines(200);
});

scene('a DIR with others in it that is deleted and made again, at once or soon', async (s) => {
    await s.mkdir('logs/sub');
    let a = await s.open(`logs/${L}`);
    let b = await s.open(`logs/sub/${L}`);
    await s.follow('logs');
    for (let i = 0; i < 8; i++) {
        await a.lines(20);
        await b.lines(20);
        await s.caughtUp();
        a.close();
        b.close();
        await s.step(() => fs.rmSync(s.at('logs'), { recursive: true }));
        await s.pause(i % 2 === 0 ? 0 : s.dice.int(0, 700));
        await s.mkdir('logs/sub');
        b = await s.open(`logs/sub/${L}`);
        a = await s.open(`logs/${L}`);
    }
    await a.lines(100);
    await b.lines(100);
});

scene('a folder that is not there yet', async (s) => {
    await s.follow(`a/b/${L}`, 'c/d/*.log');
    await s.pause(300);
    await s.mkdir('a/b');
    const w = await s.open(`a/b/${L}`);
    await w.lines(100, 50);
    await s.mkdir('c');
    await s.pause(100);
    await s.mkdir('c/d');
    const other = await s.open(`c/d/${L}`);
    await other.lines(100, 50);
});

scene('hard links and symlinks beside the file, by a pattern', async (s) => {
    const w = await s.open(L);
    await s.link(L, 'app-hard.log');
    await s.symlink(L, 'app-soft.log');
    await s.symlink('app-soft.log', 'app-softer.log');
    await s.follow('app*.log');
    await w.lines(300, 100);
    await s.link(L, 'app-late.log');
    await s.symlink(L, 'app-latest.log');
    await w.lines(300, 100);
    await s.unlink('app-hard.log');
    await s.unlink('app-soft.log');
    await w.lines(100, 100);
    w.close();
    await s.rename(L, 'app-1.log');
    await w.open(L);
    await w.lines(300, 100);
});

scene('one file by several names that are given', async (s) => {
    const w = await s.open(L);
    await s.symlink(L, 'current');
    await s.follow(L, './app.log', 'current', 'app*', `../${s.folder.split('/').pop()}/${L}`);
    await w.lines(300, 100);
    await s.shift(L);
    w.close();
    await s.rename(L, `${L}.1`);
    await w.open(L);
    await w.lines(300, 100);
});

scene('copies appear: .bak, cp -p, an older part', async (s) => {
    const w = await s.open(L);
    await s.follow('app*');
    await w.lines(300, 100);
    await s.copy(L, `${L}.bak`);
    await w.lines(100, 100);
    await s.caughtUp();
    await s.step(() => {
        fs.copyFileSync(s.at(L), s.at('app-2026-11-28.log'));
        const { atime, mtime } = fs.statSync(s.at(L));
        fs.utimesSync(s.at('app-2026-11-28.log'), atime, mtime);
    });
    await w.lines(100);
    await s.shift(L);
    w.close();
    await s.rename(L, `${L}.1`);
    await w.open(L);
    await w.lines(200, 100);
    await s.copy(`${L}.1`, `${L}.old`);
    await s.compress(`${L}.1`, 'app-2026-11-29.log.gz', { unlinks: false });
    await w.lines(100, 100);
});

scene('copies of what is not read yet, and a restart', async (s) => {
    const w = await s.open(L);
    await s.follow('app*');
    await w.lines(300, 100);
    await s.caughtUp();
    await s.stop();
    await w.lines(200);
    await s.copy(L, `${L}.bak`);
    await w.lines(100);
    await s.copy(L, 'app-2026-11-28.log');
    await s.follow();
    await w.lines(100, 100);
});

scene('moved away and back', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 3; i++) {
        await w.lines(150, 50);
        await s.rename(L, 'elsewhere');
        await w.lines(50, 50);
        await s.rename('elsewhere', L);
    }
    await w.lines(100);
});

scene('two files change their names with each other', async (s) => {
    const a = await s.open('a.log', { note: 'a' });
    const b = await s.open('b.log', { note: 'b' });
    await s.follow('*.log');
    for (let i = 0; i < 3; i++) {
        await a.lines(100, 50);
        await b.lines(100, 50);
        await s.rename('a.log', 'c.log');
        await s.rename('b.log', 'a.log');
        await s.rename('c.log', 'b.log');
    }
    await a.lines(50);
    await b.lines(50);
});

scene('names that are none: locks, notes of loggers, temporary files', async (s) => {
    await s.mkdir('logs');
    const w = await s.open(`logs/${L}`);
    await s.follow('logs', '--exclude', '*.skip');
    for (const name of [
        '.__app.log.lock',
        '.0123456789abcdef-audit.json',
        'app.log.tmp',
        'app.log.1.gz.tmp',
        '.app.log.swp',
        'app.log.skip',
    ]) {
        await s.step(() => fs.writeFileSync(s.at(`logs/${name}`), 'is no log\n'));
    }
    await w.lines(300, 100);
});

/** Not expected: what was there before anybody followed. */
const OLD = Array.from({ length: 200 }, (_, n) => `line ${n} from before`.padEnd(99, '-')).join('\n');

scene(
    '--from end: what is there is passed over, what comes is not',
    async (s, play) => {
        fs.writeFileSync(s.at(L), `${OLD}\n`);
        fs.writeFileSync(s.at(`${L}.1`), `${OLD}\n`);
        const w = await s.open(L);
        await s.follow(L, '--from', 'end');
        await play.isThrough();
        await w.lines(200, 100);
        w.close();
        await s.rename(`${L}.1`, `${L}.2`);
        await s.rename(L, `${L}.1`);
        await w.open(L);
        await w.lines(200, 100);
    },
    { variants: ['plain', 'server'] },
);

scene('the first start reads the file, and not its older siblings', async (s, play) => {
    fs.writeFileSync(s.at(`${L}.1`), `${OLD}\n`);
    fs.writeFileSync(s.at(`${L}.2`), OLD);
    await s.compress(`${L}.2`, `${L}.3.gz`);
    const w = await s.open(L);
    await w.lines(200);
    await s.follow(L);
    await w.lines(100, 50);
    await play.isThrough();
    await s.shift(L, '.gz', 3);
    await s.compress(`${L}.1`, `${L}.3.gz`);
    w.close();
    await s.rename(L, `${L}.1`);
    await w.open(L);
    await w.lines(100, 50);
});

scene(
    '--from start once more: the same logs, where lines have times',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L, '--from', 'start');
        await w.lines(300, 100);
        await s.caughtUp();
        await s.stop();
        await w.lines(100);
        await s.follow();
    },
    { hasTimes: true },
);

play();
