/* Files that are renamed, compressed, moved and deleted while they are followed. */
import { renameSync } from 'node:fs';

import { play, scene } from './scenes';
import type { Stage, Writer } from './stage';

const L = 'app.log';

/** As logrotate's create: the writer goes on in the old file. */
async function create(s: Stage): Promise<void> {
    await s.shift(L);
    await s.rename(L, `${L}.1`);
    await s.create(L);
}

for (const [seconds, rotations, naive] of [
    [0.3, 4, 800],
    [3, 2, 400],
] as const) {
    scene(
        `create, the writer reopens after ${seconds} s`,
        async (s) => {
            const w = await s.open(L);
            await s.follow(L);
            await w.lines(300, 200);
            for (let i = 0; i < rotations; i++) {
                await s.mayCatchUp();
                await create(s);
                await w.lines(200, seconds * 1000);
                await w.reopen(L);
                await w.lines(300, 200);
            }
        },
        { naive },
    );
}

/** Closes, moves the file away by `moves`, and opens a new one: `times` times. */
async function rotations(
    s: Stage,
    w: Writer,
    times: number,
    lines: number,
    moves: () => Promise<void>,
): Promise<void> {
    await w.lines(100, 50);
    for (let i = 0; i < times; i++) {
        await w.lines(lines, s.dice.chance(0.5) ? 0 : 200);
        await s.mayCatchUp();
        w.close();
        await moves();
        await w.open(L);
    }
    await w.lines(lines);
}

scene(
    'rename, gz and unlink at once',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await rotations(s, w, 4, 800, async () => {
            await s.shift(L, '.gz');
            await s.rename(L, `${L}.1`);
            await s.compress(`${L}.1`, `${L}.1.gz`);
        });
    },
);

scene('gz in place, unlink, create', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await rotations(s, w, 4, 800, async () => {
        await s.shift(L, '.gz');
        await s.compress(L, `${L}.1.gz`);
    });
});

scene('gz by a name between (concurrent-log-handler)', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    let n = 1000;
    await rotations(s, w, 4, 400, async () => {
        const between = `${L}.rotate.8301760113726153${n++}`;
        await s.rename(L, between);
        await s.compress(between, `${between}.gz`);
        await s.shift(L, '.gz');
        await s.rename(`${between}.gz`, `${L}.1.gz`);
    });
});

scene('gz by a temporary name (timberjack)', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    let n = 1000;
    await rotations(s, w, 4, 400, async () => {
        const backup = `app-2026-11-28T10-00-00.${n++}-size.log`;
        await s.rename(L, backup);
        await w.open(L);
        await w.lines(50);
        await s.compress(backup, `${backup}.gz.tmp`, { unlinks: false });
        await s.rename(`${backup}.gz.tmp`, `${backup}.gz`);
        await s.unlink(backup);
        w.close();
    });
});

for (const form of ['zstd', 'xz'] as const) {
    const ending = { zstd: 'zst', xz: 'xz' }[form];
    scene(`rename, ${ending} and unlink`, async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await rotations(s, w, 3, 300, async () => {
            await s.shift(L, `.${ending}`);
            await s.rename(L, `${L}.1`);
            await s.compress(`${L}.1`, `${L}.1.${ending}`, { form });
        });
    });
}

scene(
    '5 rotations within 20 ms, 3 times',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(100, 50);
        for (let i = 0; i < 3; i++) {
            await s.mayCatchUp();
            for (let j = 0; j < 5; j++) {
                w.now(48);
                w.close();
                for (let n = 5 * i + j; n > 0; n--) {
                    renameSync(s.at(`${L}.${n}`), s.at(`${L}.${n + 1}`));
                }
                renameSync(s.at(L), s.at(`${L}.1`));
                await w.open(L);
            }
            await w.lines(120, 100);
        }
    },
    { naive: 720 },
);

scene(
    'another file is renamed over it',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(900, 200);
        for (let i = 0; i < 2; i++) {
            await s.caughtUp();
            w.close();
            await w.open(`${L}.new`);
            await w.lines(900);
            await s.rename(`${L}.new`, L);
        }
    },
);

scene(
    'unlinked while it is written for 0.5 s more',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(300, 100);
        for (let i = 0; i < 3; i++) {
            await s.caughtUp();
            await s.unlink(L);
            await w.lines(300, 500);
            await w.reopen(L);
            await w.lines(300, 200);
        }
    },
);

scene('unlinked, the new one is longer, 2 s of quiet', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await w.lines(400);
    for (const lines of [800, 1200]) {
        await s.caughtUp();
        w.close();
        await s.unlink(L);
        await w.open(L);
        await w.lines(lines);
        await s.pause(2000);
    }
});

scene(
    'delaycompress, and the writer never reopens',
    async (s) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(300, 100);
        await s.mayCatchUp();
        await s.rename(L, `${L}.1`);
        await s.create(L);
        await w.lines(600, 300);
        await s.compress(`${L}.1`, `${L}.2.gz`);
        // from here on what it writes has no name
        await w.lines(900, 500);
    },
    { naive: 1500 },
);

scene('compressed while it is written to the moment', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await w.lines(100, 50);
    for (let i = 0; i < 3; i++) {
        await s.shift(L, '.gz');
        await s.rename(L, `${L}.1`);
        await s.create(L);
        await w.lines(200, 200);
        await s.compress(`${L}.1`, `${L}.1.gz`, { unlinks: false });
        await w.lines(100, 50); // gzip did not see them
        await s.unlink(`${L}.1`);
        await w.lines(100, 100);
        await w.reopen(L);
        await w.lines(100);
    }
});

scene('two processes, one of which stays in the old file through 3 more renames', async (s) => {
    const one = await s.open(L, { note: 'by one' });
    const other = await s.open(L, { note: 'by the other' });
    await s.follow(L);
    await one.lines(100, 100);
    await other.lines(100, 100);
    for (let i = 0; i < 4; i++) {
        await s.shift(L);
        await s.rename(L, `${L}.1`);
        await one.reopen(L);
        await Promise.all([one.lines(150, 300), other.lines(60, 300)]);
        await s.mayCatchUp();
    }
    await other.reopen(L);
    await Promise.all([one.lines(50), other.lines(50)]);
});

scene('olddir in another folder', async (s) => {
    const w = await s.open(L);
    await s.mkdir('old');
    await s.follow(L, 'old/*');
    await w.lines(300, 100);
    for (let i = 0; i < 3; i++) {
        await s.mayCatchUp();
        await s.shift(`old/${L}`);
        await s.rename(L, `old/${L}.1`);
        await s.create(L);
        await w.lines(200, 200);
        await w.reopen(L);
        await w.lines(200);
    }
});

scene(
    'olddir that is not followed',
    async (s) => {
        const w = await s.open(L);
        await s.mkdir('old');
        await s.follow(L);
        await w.lines(300, 100);
        for (let i = 0; i < 3; i++) {
            await s.caughtUp();
            await s.shift(`old/${L}`);
            await s.rename(L, `old/${L}.1`);
            await s.create(L);
            await w.lines(200, 200);
            await w.reopen(L);
            await w.lines(200);
        }
    },
    { variants: ['plain', 'server'], naive: 600 },
);

scene('multilog: current, previous, @time.s', async (s) => {
    const w = await s.open('current');
    await s.follow('current');
    for (let i = 0; i < 4; i++) {
        await w.lines(300, 100);
        w.close();
        await s.rename('current', 'previous');
        await w.open('current');
        await w.lines(20);
        const archive = `@4000000067482c0${i}0a1b2c3d.s`;
        await s.link('previous', archive);
        await s.unlink('previous');
    }
    await w.lines(100);
});

scene('s6-log: a second link to current, then a new one', async (s) => {
    const w = await s.open('current');
    await s.follow('current');
    for (let i = 0; i < 4; i++) {
        await w.lines(300, 100);
        w.close();
        await s.link('current', `@4000000067482c0${i}0a1b2c3d.s`);
        await s.unlink('current');
        await w.open('current');
    }
    await w.lines(100);
});

scene('svlogd with gzip: @time.u, @time.t, @time.s', async (s) => {
    const w = await s.open('current');
    await s.follow('current');
    for (let i = 0; i < 4; i++) {
        await w.lines(300, s.dice.chance(0.5) ? 0 : 100);
        w.close();
        const name = `@4000000067482c0${i}0a1b2c3d`;
        await s.rename('current', `${name}.u`);
        await w.open('current');
        await w.lines(20);
        await s.compress(`${name}.u`, `${name}.t`, { unlinks: false });
        await s.rename(`${name}.t`, `${name}.s`);
        await s.unlink(`${name}.u`);
    }
    await w.lines(100);
});

scene('an empty file comes and goes under the name of the archive (rotating-file-stream)', async (s) => {
    const w = await s.open(L);
    await s.follow('app*.log');
    let n = 0;
    await rotations(s, w, 5, 200, async () => {
        const archive = `app-20261128-10${n++}.log`;
        await s.create(archive);
        await s.unlink(archive);
        await s.rename(L, archive);
    });
});

scene('the .gz is finished after its source has gone (file-rotate, winston)', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await rotations(s, w, 4, 300, async () => {
        await s.shift(L, '.gz');
        await s.rename(L, `${L}.1`);
        await s.compressLate(`${L}.1`, `${L}.1.gz`);
    });
});

play();
