/*
 * What each logger goes through: it writes numbered lines and rotates, while `logmill send
 * --follow` reads its files. In most runs follower and server are killed (kill -9) meanwhile, at
 * moments that dice choose. At the end each line that is in a file, archives included, has to be
 * stored once, whole.
 *
 * Lines that the logger has thrown away itself are in no file: those that were read before are
 * stored, the others counted. Where an open file still had them, a follower that was not killed has
 * to have them all.
 */
import { strict as assert } from 'node:assert';
import {
    appendFileSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    statSync,
    writeFileSync,
} from 'node:fs';
import * as path from 'node:path';

import { type Lab, PATIENCE_MS, eventually, scenario, sleep } from '../../support/harness';
import { random } from '../../support/hostile';
import type { Log } from '../../support/logs';
import { Dice } from '../../torture/plan';
import { plain } from '../ledger';
import { Follower, Server } from '../processes';
import { type Logger, PADDING, type Place, missing } from './logger';

const TRIAL_MS = 600_000;
/** Between what befalls the processes. */
const STRIKE_MS = [150, 1200] as const;
const DOWN_MS = [20, 900] as const;
/** Files that were copied or compressed are judged when they have been still for a second. */
const SETTLE_MS = 1500;
const ROTATIONS = 5;

export interface Row {
    title: string;
    lines: number;
    runs: number;
    rotations: number;
    kills: number;
    lost: number;
    doubled: number;
    broken: number;
    thrown: number;
    why: string;
}

const rows = new Map<string, Row>();

/** Of one trial. */
interface Seen {
    figures: Omit<Row, 'title' | 'runs' | 'why'>;
    story: string;
}

/** What is in the files of a logger. */
interface Found {
    numbers: Set<number>;
    files: number;
}

function filesUnder(folder: string): string[] {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
        const file = path.join(folder, entry.name);
        return entry.isDirectory() ? filesUnder(file) : entry.isFile() ? [file] : [];
    });
}

/** Lines that were cut into two files are put together: the oldest file first. */
export function inFiles({ folder, name }: Place): Found {
    const pieces = filesUnder(folder)
        .map((file) => ({ file, ms: statSync(file).mtimeMs }))
        .sort((a, b) => a.ms - b.ms)
        .map(({ file }) => plain(readFileSync(file)).toString('latin1'));
    const numbers = new Set<number>();
    const line = new RegExp(`${name} #(\\d+)\\. ${PADDING} \\1;`, 'g');
    for (const match of pieces.join('').matchAll(line)) {
        numbers.add(Number(match[1]));
    }
    return { numbers, files: pieces.filter((text) => text.includes(`${name} #`)).length };
}

class Trial {
    private server!: Server;
    private follower!: Follower;
    private readonly place: Place;
    private readonly mark: string;
    private marks = 0;

    constructor(
        lab: Lab,
        private readonly logger: Logger,
        lines: number,
        private readonly dice: Dice | undefined,
    ) {
        const root = lab.folder();
        const [folder, aside] = [path.join(root, 'logs'), lab.folder()];
        mkdirSync(folder);
        this.place = { lab, folder, aside, name: logger.name, lines };
        this.mark = path.join(aside, 'mark.log');
        writeFileSync(this.mark, '');
    }

    async run(): Promise<Seen> {
        const { lab, folder, aside, name } = this.place;
        this.server = await Server.make(lab);
        await this.server.begin();
        this.follower = new Follower(lab, this.server, {
            args: [...this.logger.args.map((arg) => path.join(folder, arg)), this.mark],
            folder,
            state: path.join(aside, 'follow.db'),
            scene: name,
        });
        await this.follower.begin();
        await this.passed(); // what is rotated before its start is none of its business

        let isWriting = true;
        const writing = this.logger.write(this.place).finally(() => (isWriting = false));
        writing.catch(() => {});
        while (isWriting && this.dice !== undefined) {
            await Promise.race([sleep(this.dice.between(...STRIKE_MS)), writing.catch(() => {})]);
            if (isWriting) {
                const mortal = this.dice.chance(0.6) ? this.follower : this.server;
                mortal.strike(0, this.dice.between(...DOWN_MS));
            }
        }
        await writing;
        await this.follower.recovered();
        await this.server.recovered();

        const found = inFiles(this.place);
        await this.delivered(found.numbers);
        await this.follower.stop();
        await this.follower.begin(); // what is stored is not sent again
        await this.passed();
        await sleep(SETTLE_MS);
        await this.follower.stop();
        return this.judge(found);
    }

    /** Until the follower has looked at all there is, and stored a line that is written now. */
    private async passed(): Promise<void> {
        const text = `mark ${++this.marks}`;
        appendFileSync(this.mark, `${text}\n`);
        await eventually(text, async () => {
            this.follower.checkRunning();
            const logs = await this.server.logs(this.place.name);
            return logs?.some((log) => log.message === text);
        });
    }

    private async stored(): Promise<{ times: Map<number, number>; broken: string[]; logs: Log[] }> {
        const { name } = this.place;
        const whole = new RegExp(`^[^#]*\\b${name} #(\\d+)\\. ${PADDING} \\1;$`);
        const logs = await eventually('the logs', () => this.server.logs(name));
        const [times, broken] = [new Map<number, number>(), [] as string[]];
        for (const { message } of logs) {
            const match = whole.exec(message);
            if (match !== null) {
                const n = Number(match[1]);
                times.set(n, (times.get(n) ?? 0) + 1);
            } else if (!/^mark \d+$/.test(message) && this.logger.others?.test(message) !== true) {
                broken.push(message);
            }
        }
        return { times, broken, logs };
    }

    /** Until all of `wanted` is there, or no more has come for a while. */
    private async delivered(wanted: Set<number>): Promise<void> {
        let [last, end] = [-1, 0];
        for (; ; await sleep(100)) {
            this.follower.checkRunning();
            const count = (await this.server.count(this.place.name)) ?? last;
            if (count === last) {
                if (Date.now() > end) {
                    return; // judge() tells what is missing
                }
                continue;
            }
            [last, end] = [count, Date.now() + PATIENCE_MS / 2];
            if (count >= wanted.size) {
                const { times } = await this.stored();
                if ([...wanted].every((n) => times.has(n))) {
                    return;
                }
            }
        }
    }

    private async judge({ numbers, files }: Found): Promise<Seen> {
        const { logger, place } = this;
        const { times, broken, logs } = await this.stored();
        const written = Array.from({ length: place.lines }, (_, n) => n);
        const isKept = logger.thrown === undefined || (logger.isHeld === true && !this.dice);
        const wanted = isKept ? written : [...numbers];
        const lost = wanted.filter((n) => !times.has(n));
        const doubled = [...times].filter(([, often]) => often > 1).map(([n]) => n);
        const figures = {
            lines: place.lines,
            rotations: files - 1,
            kills: this.follower.kills + this.server.kills,
            lost: lost.length,
            doubled: doubled.length,
            broken: broken.length,
            thrown: written.filter((n) => !times.has(n) && !numbers.has(n)).length,
        };
        const story = [
            JSON.stringify(figures),
            ...[`lost: ${ranges(lost)}`, `doubled: ${ranges(doubled)}`],
            ...logs
                .filter(({ message }) => message.includes(`#${doubled[0]}.`))
                .map((log) => `    ${JSON.stringify({ ...log, message: '' })}`),
            ...[
                `broken: ${JSON.stringify(broken.slice(0, 5))}`,
                filesUnder(place.folder).join('\n'),
            ],
            this.follower.stderr.slice(-4000),
        ].join('\n');
        return { figures, story };
    }
}

/** 0-4 7 9-11 */
function ranges(numbers: number[]): string {
    const sorted = [...numbers].sort((a, b) => a - b);
    const parts: [number, number][] = [];
    for (const n of sorted) {
        const last = parts.at(-1);
        if (last !== undefined && last[1] === n - 1) {
            last[1] = n;
        } else {
            parts.push([n, n]);
        }
    }
    const shown = parts.slice(0, 20).map(([a, b]) => (a === b ? String(a) : `${a}-${b}`));
    return shown.join(' ') + (parts.length > 20 ? ' …' : '');
}

/** The trial of `logger`, as a test; `seed` undefined: nobody is killed. */
export function trial(logger: Logger, lines: number, seed: number | undefined): void {
    const how = seed === undefined ? '' : `, killed and back (FOLLOW_SEED=${seed})`;
    scenario(
        logger.title + how,
        async (lab) => {
            const count = logger.lines ?? lines;
            const made = new Trial(
                lab,
                logger,
                count,
                seed === undefined ? undefined : new Dice(random(seed)),
            );
            const { figures, story } = await made.run();
            const row = rows.get(logger.name) ?? {
                title: logger.title,
                ...{ lines: 0, runs: 0, rotations: 0, kills: 0 },
                ...{ lost: 0, doubled: 0, broken: 0, thrown: 0, why: logger.thrown ?? '' },
            };
            row.runs++;
            for (const key of Object.keys(figures) as (keyof typeof figures)[]) {
                row[key] += figures[key];
            }
            rows.set(logger.name, row);
            const { rotations, lost, doubled, broken } = figures;
            assert.deepEqual({ lost, doubled, broken }, { lost: 0, doubled: 0, broken: 0 }, story);
            assert.ok(logger.isRing === true || rotations >= ROTATIONS, story);
        },
        { timeoutMs: TRIAL_MS, skip: missing(logger) },
    );
}

export function table(): string {
    const head = [
        '| logger | runs | lines | rotations | kills | lost / doubled / broken | thrown away by the logger |',
        '|---|--:|--:|--:|--:|--:|---|',
    ];
    const lines = [...rows.values()].map(
        ({ title, runs, lines, rotations, kills, lost, doubled, broken, thrown, why }) =>
            `| ${title} | ${runs} | ${lines} | ${rotations} | ${kills} | ${lost} / ${doubled} / ${broken}` +
            ` | ${thrown}${thrown > 0 && why !== '' ? `: ${why}` : ''} |`,
    );
    return [...head, ...lines].join('\n');
}
