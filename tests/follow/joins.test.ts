/* Lines and records that are cut: by pauses, and by rotations. */
import { play, scene } from './scenes';
import type { Stage, Writer } from './stage';

const L = 'app.log';

async function rotate(s: Stage, w: Writer): Promise<void> {
    await s.shift(L);
    w.close();
    await s.rename(L, `${L}.1`);
    await w.open(L);
}

scene('half a line, 1.5 s, the rest', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 3; i++) {
        await w.lines(100);
        const line = w.line();
        const cut = s.dice.int(1, line.length);
        await s.step(() => w.raw(line.slice(0, cut)));
        await s.pause(1500);
        await s.step(() => w.raw(`${line.slice(cut)}\n`));
    }
    await w.lines(100);
});

scene('lines that are written byte by byte', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 20; i++) {
        for (const byte of `${w.line()}\n`) {
            await s.step(() => w.raw(byte), 0.002);
        }
    }
});

scene('half a line, a rotation, and the rest into the old file', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 3; i++) {
        await w.lines(100, 50);
        const line = w.line();
        const cut = s.dice.int(1, line.length);
        await s.step(() => w.raw(line.slice(0, cut)));
        await s.shift(L);
        await s.rename(L, `${L}.1`);
        await s.create(L);
        await s.pause(300);
        await s.step(() => w.raw(`${line.slice(cut)}\n`));
        await w.lines(50);
        await w.reopen(L);
    }
    await w.lines(100);
});

scene('the rotated file ends without a line feed', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    await w.lines(100);
    for (let i = 0; i < 3; i++) {
        await w.lines(100, 50);
        await s.step(() => w.raw(w.line()));
        await s.mayRest();
        await rotate(s, w);
        await w.lines(100);
    }
});

scene('the next file begins with the line feed (file-rotate)', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await w.lines(150, 50);
        await s.step(() => w.raw(w.line()));
        await s.mayRest();
        await rotate(s, w);
        await s.step(() => w.raw('\n'));
    }
    await w.lines(100);
});

/** Writes a line whose beginning is the end of one file, and its rest the beginning of the next. */
async function cutLine(s: Stage, w: Writer): Promise<void> {
    const text = w.expected((line) => {
        const cut = s.dice.int(8, line.length - 20);
        return [line.slice(0, cut), line.slice(cut)];
    });
    await s.step(() => w.raw(text[0]!));
    await s.mayRest();
    await rotate(s, w);
    await s.step(() => w.raw(`${text[1]}\n`));
}

scene('a line that a rotation cuts (rotatelogs, supervisor)', async (s) => {
    const w = await s.open(L);
    await s.follow(L);
    for (let i = 0; i < 4; i++) {
        await w.lines(150, 50);
        await cutLine(s, w);
    }
    await w.lines(100);
});

scene('a line that a rotation cuts, by new names', async (s) => {
    const w = await s.open('app.1795900800.log');
    await s.follow('app.*.log');
    for (let i = 1; i < 5; i++) {
        await w.lines(150, 50);
        const [first, rest] = w.expected((line) => {
            const cut = s.dice.int(8, line.length - 20);
            return [line.slice(0, cut), line.slice(cut)];
        });
        await s.step(() => w.raw(first!));
        await s.mayRest();
        await w.reopen(`app.${1_795_900_800 + 100 * i}.log`);
        await s.step(() => w.raw(`${rest}\n`));
    }
    await w.lines(100);
});

const FRAMES = ['    at shop.Cart.pay(Cart.java:17)', '    at shop.Main.main(Main.java:4)', '    ... 3 more'];

scene('a record of many lines that a rotation cuts, --multiline', async (s) => {
    const w = await s.open(L);
    await s.follow(L, '--multiline');
    for (let i = 0; i < 4; i++) {
        await w.lines(100);
        const [head] = w.expected((line) => [line, ...FRAMES], '\n');
        const cut = s.dice.int(0, 3);
        await s.step(() => w.raw([head, ...FRAMES.slice(0, cut)].map((line) => `${line}\n`).join('')));
        await rotate(s, w);
        await s.step(() => w.raw(FRAMES.slice(cut).map((line) => `${line}\n`).join('')));
    }
    await w.lines(50);
});

scene('records of many lines, --multiline', async (s) => {
    const w = await s.open(L);
    await s.follow(L, '--multiline');
    for (let i = 0; i < 60; i++) {
        const lines = w.expected((line) => [line, ...FRAMES], '\n');
        await s.step(() => w.raw(lines.map((line) => `${line}\n`).join('')), 0.03);
        if (i % 20 === 19) {
            await rotate(s, w);
        }
    }
});

/** A time of the runtime's. */
let clock = Date.now() - 3_600_000;
const stamp = (): string => new Date(clock++).toISOString().replace('Z', '000000Z');

const CRI = (text: string, tag = 'F'): string => `${stamp()} stdout ${tag} ${text}`;
const DOCKER = (text: string, end = '\n'): string =>
    JSON.stringify({ log: text + end, stream: 'stdout', time: stamp() });

for (const [name, wrap, part] of [
    ['CRI', CRI, (text: string) => CRI(text, 'P')],
    ['Docker', DOCKER, (text: string) => DOCKER(text, '')],
] as const) {
    scene(
        `parts of a line over two files: ${name}`,
        async (s) => {
            const w = await s.open('0.log', { wrap: (text) => wrap(text) });
            await s.follow('0.log');
            for (let i = 0; i < 4; i++) {
                await w.lines(100, 50);
                const long = `${s.ledger.text()} ${'x'.repeat(20_000)}`;
                const pieces = [
                    part(long.slice(0, 8000)),
                    part(long.slice(8000, 16_000)),
                    wrap(long.slice(16_000)),
                ];
                s.ledger.add(long, w.group, pieces);
                const cut = s.dice.int(1, 3);
                const lines = pieces.map((line) => `${line}\n`);
                await s.step(() => w.raw(lines.slice(0, cut).join('')));
                await s.shift('0.log');
                w.close();
                await s.rename('0.log', '0.log.1');
                await w.open('0.log');
                await s.step(() => w.raw(lines.slice(cut).join('')));
            }
            await w.lines(50);
        },
        { hasTimes: false },
    );
}

play();
