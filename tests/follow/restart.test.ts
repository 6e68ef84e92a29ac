/* What happens while no follower runs, or no server. */
import { strict as assert } from 'node:assert';
import * as fs from 'node:fs';

import { type SceneOptions, play, scene } from './scenes';
import type { Form, Stage, Writer } from './stage';

const L = 'app.log';
/** With the server killed meanwhile, there would be nobody to be told. */
const HERE: SceneOptions = { variants: ['plain', 'follower'] };

/** 300 lines are read; then no follower runs while `meanwhile` goes on. */
async function away(
    s: Stage,
    meanwhile: (w: Writer) => Promise<void>,
    given: string[] = [L],
): Promise<void> {
    const w = await s.open(L);
    await s.follow(...given);
    await w.lines(300, 100);
    await s.caughtUp();
    await s.stop();
    await meanwhile(w);
    await s.follow();
    await s.caughtUp();
    await w.lines(100, 100);
}

async function rotate(s: Stage, w: Writer, to = `${L}.1`): Promise<void> {
    w.close();
    await s.rename(L, to);
    await w.open(L);
}

scene(
    'restart, a rotation meanwhile',
    (s) =>
        away(s, async (w) => {
            await w.lines(300);
            await rotate(s, w);
            await w.lines(500);
        }),
    { naive: 300 },
);

scene('restart, four rotations meanwhile', (s) =>
    away(s, async (w) => {
        for (let i = 0; i < 4; i++) {
            await w.lines(200);
            await s.shift(L);
            await rotate(s, w);
        }
        await w.lines(200);
    }),
);

scene('restart, rotations by date meanwhile (dateext)', (s) =>
    away(s, async (w) => {
        for (let i = 0; i < 3; i++) {
            await w.lines(200);
            await rotate(s, w, `${L}-2026112${i + 5}`);
        }
        await w.lines(200);
    }),
);

for (const [form, ending] of [
    ['gzip', 'gz'],
    ['zstd', 'zst'],
    ['xz', 'xz'],
] as [Form, string][]) {
    scene(
        `restart, rotation and ${ending} meanwhile`,
        (s) =>
            away(s, async (w) => {
                await w.lines(300);
                await rotate(s, w);
                await s.compress(`${L}.1`, `${L}.1.${ending}`, { form });
                await w.lines(500);
            }),
        { naive: 300 },
    );
}

scene('restart, three rotations and gz meanwhile', (s) =>
    away(s, async (w) => {
        for (let i = 0; i < 3; i++) {
            await w.lines(200);
            await s.shift(L, '.gz');
            await rotate(s, w);
            await s.compress(`${L}.1`, `${L}.1.gz`);
        }
        await w.lines(300);
    }),
);

scene('restart, gz in place meanwhile, and the inode comes back', (s) =>
    away(s, async (w) => {
        const { ino } = fs.statSync(s.at(L));
        await w.lines(200);
        w.close();
        await s.compress(L, `${L}.1.gz`);
        await w.open(L);
        await w.lines(s.dice.pick([100, 500, 1000]));
        reportInode(s, ino);
    }),
);

scene('restart, one rotation is delayed, the one before is gz (delaycompress)', (s) =>
    away(s, async (w) => {
        await w.lines(200);
        await rotate(s, w);
        await w.lines(250);
        await s.compress(`${L}.1`, `${L}.2.gz`);
        await rotate(s, w);
        await w.lines(300);
    }),
);

scene('restart, gz under a name of its own meanwhile (svlogd)', async (s) => {
    const w = await s.open('current');
    await s.follow('current');
    await w.lines(300, 100);
    await s.caughtUp();
    await s.stop();
    for (let i = 0; i < 2; i++) {
        await w.lines(200);
        w.close();
        const name = `@4000000067482c0${i}0a1b2c3d`;
        await s.rename('current', `${name}.u`);
        await w.open('current');
        await s.compress(`${name}.u`, `${name}.t`, { unlinks: false });
        await s.rename(`${name}.t`, `${name}.s`);
        await s.unlink(`${name}.u`);
    }
    await w.lines(100);
    await s.follow();
});

scene('restart, the .gz is not whole yet', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await w.lines(300, 100);
    await s.caughtUp();
    await s.stop();
    await w.lines(300);
    await rotate(s, w);
    await w.lines(100);
    // the source is there until the archive is whole
    const compressing = s.compress(`${L}.1`, `${L}.1.gz`);
    await s.follow();
    await compressing;
    await w.lines(100, 100);
});

scene('restart, olddir and gz meanwhile', (s) =>
    away(
        s,
        async (w) => {
            await s.mkdir('old');
            await w.lines(200);
            await rotate(s, w, `old/${L}-20261127`);
            await s.compress(`old/${L}-20261127`, `old/${L}-20261127.gz`);
            await w.lines(100);
            await rotate(s, w, `old/${L}-20261128`);
            await w.lines(100);
        },
        [L, `old/${L}*`],
    ),
);

scene(
    'restart, copytruncate and longer',
    (s) =>
        away(s, async (w) => {
            await s.copyTruncate(w, L, `${L}.1`);
            await w.lines(500);
        }),
    { naive: 300 },
);

scene('restart, copytruncate of unread lines, and longer', (s) =>
    away(s, async (w) => {
        await w.lines(150);
        await s.copyTruncate(w, L, `${L}.1`);
        await w.lines(s.dice.pick([100, 450, 600]));
    }),
);

scene('restart, copytruncate of unread lines, and gz', (s) =>
    away(s, async (w) => {
        await w.lines(150);
        await s.copyTruncate(w, L, `${L}.1`);
        await s.compress(`${L}.1`, `${L}.1.gz`);
        await w.lines(s.dice.pick([100, 450, 600]));
    }),
);

scene('restart, same inode, longer', (s) =>
    away(s, async (w) => {
        const { ino } = fs.statSync(s.at(L));
        w.close();
        await s.unlink(L);
        await w.open(L);
        await w.lines(500);
        reportInode(s, ino);
    }),
);

scene('restart, same inode, equal beginnings', async (s) => {
    const banner = Array.from({ length: 13 }, (_, n) => `banner line ${n} `.padEnd(99, 'x'));
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 3; i++) {
        banner.forEach((line) => w.raw(`${s.ledger.add(line, w.group)}\n`));
        await w.lines(100 + 200 * i);
        await s.caughtUp();
        await s.stop();
        w.close();
        await s.unlink(L);
        await w.open(L);
        await s.follow();
    }
});

/** On ext4 the number is given away again at once; elsewhere the scene is one of a new number. */
function reportInode(s: Stage, before: number): void {
    const { ino } = fs.statSync(s.at(L));
    assert.ok(ino > 0 && before > 0);
}

scene('SIGKILL in the midst, twice', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 2; i++) {
        await w.lines(1000, 300);
        await s.crash();
    }
    await w.lines(200);
});

scene('SIGTERM and a new start, ten times, while lines come', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 10; i++) {
        await w.lines(100, s.dice.int(0, 200));
        await s.stop();
        await w.lines(20);
        await s.follow();
    }
});

scene(
    'the state is lost, and lines have times of their own',
    async (s, play) => {
        const w = await s.open(L);
        await s.follow(L);
        await w.lines(300, 100);
        await s.caughtUp();
        await s.stop();
        for (const ending of ['', '-wal', '-shm', '-journal']) {
            fs.rmSync(`${play.state}${ending}`, { force: true });
        }
        await w.lines(100);
        await s.follow();
    },
    { hasTimes: true },
);

/** The server is not there until all is over. */
function absent(title: string, rotations: (s: Stage, w: Writer) => Promise<void>): void {
    scene(
        `server absent for the whole rotation: ${title}`,
        async (s, play) => {
            const w = await s.open(L);
            await s.follow(L);
            await rotations(s, w);
            await play.server.begin();
        },
        { ...HERE, ownServer: true },
    );
}

absent('create', async (s, w) => {
    for (let i = 0; i < 3; i++) {
        await w.lines(400, 300);
        await s.shift(L);
        await s.rename(L, `${L}.1`);
        await s.create(L);
        await w.lines(100, 100);
        await w.reopen(L);
    }
    await w.lines(100);
});

absent('copytruncate', async (s, w) => {
    for (let i = 0; i < 3; i++) {
        await w.lines(2000, 400);
        await s.shift(L);
        await s.copyTruncate(w, L, `${L}.1`);
    }
    await w.lines(100);
});

absent('rename, gz and unlink', async (s, w) => {
    for (let i = 0; i < 3; i++) {
        await w.lines(2000, 300);
        await s.shift(L, '.gz');
        await rotate(s, w);
        await s.compress(`${L}.1`, `${L}.1.gz`);
    }
    await w.lines(100);
});

absent('rename, and deleted after two rotations', async (s, w) => {
    for (let i = 0; i < 4; i++) {
        await w.lines(2000, 300);
        await s.shift(L);
        await rotate(s, w);
        if (i > 1) {
            await s.unlink(`${L}.3`);
        }
    }
    await w.lines(100);
});

scene(
    'the server goes in the midst, and comes back behind the rotation',
    async (s, play) => {
        const w = await s.open(L);
        await play.server.begin();
        await s.follow(L);
        await w.lines(300, 100);
        await s.caughtUp();
        await play.server.end();
        await w.lines(3000, 200);
        await s.rename(L, `${L}.1`);
        await s.create(L);
        await w.lines(500, 200);
        await w.reopen(L);
        await w.lines(500);
        await play.server.begin();
    },
    { ...HERE, ownServer: true },
);

play();
