/* Files that are copied and truncated, overwritten, and switched by a link. */
import * as fs from 'node:fs';

import { play, scene } from './scenes';
import type { Stage, Writer } from './stage';

const L = 'app.log';

/** Truncated, and so many lines written before anybody else has a turn. */
async function rewrite(s: Stage, w: Writer, lines: number): Promise<void> {
    await s.step(() => {
        fs.truncateSync(s.at(L));
        w.begin();
        w.now(lines);
    }, 0.3);
}

for (const [name, given] of [
    ['copytruncate', L],
    ['copytruncate, followed by a pattern that has the copies, too', `${L}*`],
] as const) {
    scene(
        `${name}, busy to the moment`,
        async (s) => {
            const w = await s.open(L);
            await s.follow(given);
            for (let i = 0; i < 5; i++) {
                await w.lines(800, s.dice.chance(0.5) ? 0 : 300);
                await s.shift(L);
                await s.copyTruncate(w, L, `${L}.1`);
            }
            await w.lines(100);
        },
        given === L ? { naive: 4000 } : {},
    );

    scene(`${name}, after 1.5 s of quiet`, async (s) => {
        const w = await s.open(L);
        await s.follow(given);
        await w.lines(400, 100);
        for (let i = 0; i < 2; i++) {
            await s.pause(1500);
            await s.shift(L);
            await s.copyTruncate(w, L, `${L}.1`);
            await w.lines(300);
        }
    });
}

scene('copytruncate, lines between the copy and the cut', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await w.lines(300, 200);
        await s.shift(L);
        await s.copyTruncate(w, L, `${L}.1`, s.dice.int(1, 40));
        await w.lines(s.dice.int(1, 600));
    }
});

scene('copytruncate and gz', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await w.lines(500, s.dice.chance(0.5) ? 0 : 200);
        await s.shift(L, '.gz');
        await s.copyTruncate(w, L, `${L}.1`);
        await w.lines(100);
        await s.compress(`${L}.1`, `${L}.1.gz`);
    }
    await w.lines(100);
});

scene('a writer without O_APPEND leaves a hole of NULs', async (s) => {
    const w = await s.open(L, { appends: false });
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await w.lines(500, 200);
        await s.mayCatchUp();
        await s.shift(L);
        await s.copyTruncate(w, L, `${L}.1`);
    }
    await w.lines(200);
});

scene(
    'truncated, longer at once',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(300);
        for (const lines of [800, 1600]) {
            await s.caughtUp();
            await rewrite(s, w, lines);
        }
    },
    { naive: 1100 },
);

scene(
    'truncated, exactly as long',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(300);
        for (let i = 0; i < 3; i++) {
            await s.caughtUp();
            await rewrite(s, w, 300);
        }
    },
    { naive: 900 },
);

scene('truncated, shorter', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await w.lines(300);
    for (const lines of [200, 100, 0, 50]) {
        await s.caughtUp();
        await rewrite(s, w, lines);
    }
});

/** Everything but what stands at the end has gone when a small file is truncated and grows. */
scene('truncated, and the first lines are the same', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    const banner = Array.from({ length: 3 }, (_, n) => `banner line ${n} `.padEnd(99, 'x'));
    for (let i = 0; i < 4; i++) {
        await s.step(() => {
            fs.truncateSync(s.at(L));
            w.begin();
            banner.forEach((line) => w.raw(`${s.ledger.add(line, w.group)}\n`));
            w.now(200);
        });
        await s.caughtUp();
    }
});

/** 1,300 bytes with which every file begins. */
const BANNER = Array.from({ length: 13 }, (_, n) => `banner line ${n} `.padEnd(99, 'x'));

function banner(s: Stage, w: Writer): void {
    BANNER.forEach((line) => w.raw(`${s.ledger.add(line, w.group)}\n`));
}

scene('every file begins with the same 1,300 bytes, create', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    banner(s, w);
    await w.lines(287, 100);
    for (let i = 0; i < 3; i++) {
        await s.mayCatchUp();
        await s.shift(L);
        w.close();
        await s.rename(L, `${L}.1`);
        await w.open(L);
        await s.step(() => banner(s, w));
        await w.lines(320, 50);
    }
});

scene('every file begins with the same 1,300 bytes, copytruncate', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    banner(s, w);
    await w.lines(400, 100);
    for (let i = 0; i < 4; i++) {
        await s.mayCatchUp();
        await s.shift(L);
        await s.copyTruncate(w, L, `${L}.1`);
        await s.step(() => banner(s, w));
        await w.lines(s.dice.int(300, 600), 50);
    }
});

scene('every file begins with the same 1,300 bytes, gz in place', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await s.step(() => banner(s, w));
        await w.lines(300, 50);
        await s.mayCatchUp();
        await s.shift(L, '.gz');
        w.close();
        await s.compress(L, `${L}.1.gz`);
        await w.open(L);
    }
    await s.step(() => banner(s, w));
});

scene('nothing but the same 1,300 bytes in every file', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await s.step(() => banner(s, w));
        await s.caughtUp();
        w.close();
        await s.shift(L);
        await s.rename(L, `${L}.1`);
        await w.open(L);
    }
});

scene(
    'symlink switched, the old one grows 0.3 s more',
    async (s) => {
        let old = await s.open('app-1.log');
        await s.symlink('app-1.log', 'current');
        await s.follow('current');
        await old.lines(300, 100);
        for (let i = 2; i < 6; i++) {
            await s.caughtUp();
            const next = await s.open(`app-${i}.log`);
            await s.relink(`app-${i}.log`, 'current');
            await old.lines(200, 300);
            old.close();
            await next.lines(300, 100);
            old = next;
        }
    },
    { naive: 800, variants: ['plain', 'server'] },
);

scene('symlink that leads nowhere for a while (pino-roll, winston), by a pattern', async (s) => {
    let old = await s.open('app.1.log');
    await s.symlink('app.1.log', 'current.log');
    await s.follow('*.log');
    for (let i = 2; i < 6; i++) {
        await old.lines(300, 100);
        await s.step(() => {
            fs.unlinkSync(s.at('current.log'));
            fs.symlinkSync(`app.${i}.log`, s.at('current.log'));
        });
        await old.lines(3);
        const next = await s.open(`app.${i}.log`);
        await old.lines(2);
        old.close();
        await next.lines(200, 50);
        old = next;
    }
});

scene('a ring of names, each truncated when its turn comes (rotatelogs -n 3)', async (s) => {
    const ring = [L, `${L}.1`, `${L}.2`];
    const w = await s.open(L, { truncates: true });
    await s.follow(`${L}*`);
    for (let i = 1; i < 8; i++) {
        await w.lines(s.dice.int(100, 400), 50);
        await s.caughtUp();
        await w.reopen(ring[i % 3]!);
    }
    await w.lines(200);
});

scene('copied in a stream under a name that is followed, then truncated (pm2)', async (s) => {
    const w = await s.open('app-out.log');
    await s.follow('app-out*.log');
    for (let i = 0; i < 4; i++) {
        await w.lines(500, 200);
        const fd = fs.openSync(s.at(`app-out__2026-11-28_10-00-0${i}.log`), 'wx');
        const bytes = fs.readFileSync(s.at('app-out.log'));
        for (let at = 0; at < bytes.length; at += 16_384) {
            await s.step(() => fs.writeSync(fd, bytes, at, Math.min(16_384, bytes.length - at)));
        }
        fs.closeSync(fd);
        await s.step(() => {
            fs.truncateSync(s.at('app-out.log'));
            w.begin();
        });
    }
    await w.lines(100);
});

play();
