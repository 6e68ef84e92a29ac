/*
 * Scenes: short functions of what a program writes and an operator does (stage.ts), played before
 * `logmill send --follow` in variants: nothing else happens; the follower, the server, or both are
 * killed at random moments, and come back. Then each line has to be there once.
 *
 *     FOLLOW_RUNS=10                  runs of each scene in each variant (1)
 *     FOLLOW_SEED=7003                the dice of the first run; of the others the ones behind it
 *     FOLLOW_ONLY='copytruncate'      scenes whose title has that, a regular expression
 *     FOLLOW_VARIANTS='plain,both'    of plain, follower, server, both
 *     FOLLOW_KILLS=3                  so many times as often somebody is killed (1)
 *     FOLLOW_JOBS=6                   scenes that are played at a time
 *     FOLLOW_PATIENCE=60              seconds until lines that do not come are given up
 *     FOLLOW_KEEP=bad                 a folder for the files and the state of scenes that fail
 */
import { strict as assert } from 'node:assert';
import { cpSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import test from 'node:test';

import { Lab, PATIENCE_MS, ROOT, eventually, sleep } from '../support/harness';
import { random } from '../support/hostile';
import type { Log } from '../support/logs';
import { Dice } from '../torture/plan';
import { type Verdict, isFlawless, tell } from './ledger';
import { Naive } from './naive';
import { Follower, Server } from './processes';
import { type Audience, Stage } from './stage';

const RUNS = Number(process.env['FOLLOW_RUNS'] ?? 1);
const FIRST_SEED = Number(process.env['FOLLOW_SEED'] ?? Date.now() % 1_000_000);
const ONLY = new RegExp(process.env['FOLLOW_ONLY'] ?? '');
const KILLS = Number(process.env['FOLLOW_KILLS'] ?? 1);
const JOBS = Number(process.env['FOLLOW_JOBS'] ?? 6);
const PATIENCE = Number(process.env['FOLLOW_PATIENCE'] ?? PATIENCE_MS / 1000) * 1000;
const KEEP = process.env['FOLLOW_KEEP'] ?? '';
const RESULTS = path.join(ROOT, 'build', 'follow', 'results');
const SCENE_MS = 300_000;

export const VARIANTS = ['plain', 'follower', 'server', 'both'] as const;
export type Variant = (typeof VARIANTS)[number];

const WANTED = (process.env['FOLLOW_VARIANTS'] ?? VARIANTS.join(',')).split(',');

export interface SceneOptions {
    /** In which variants it is played. */
    variants?: readonly Variant[];
    /** A reason why it cannot be played here. */
    skip?: string | false;
    /** The follower runs so. */
    wrapper?: string[];
    uid?: number;
    /** The state is not in a folder of its own, but here. */
    stateFolder?: (lab: Lab) => string;
    /** Nothing is there but what the scene starts: it owns the server. */
    ownServer?: boolean;
    /** Lines have times of their own, or not; by dice if it is not said. */
    hasTimes?: boolean;
    /** How many lines a reader loses that looks at the name alone (naive.ts). */
    naive?: number;
    /** Makes of what is stored, oldest first, what was written. */
    assemble?: (logs: Log[]) => Log[];
}

export interface Scene extends SceneOptions {
    title: string;
    place: string;
    body: (stage: Stage, play: Play) => Promise<void>;
}

/** What became of a scene, for the table. */
export interface Result {
    title: string;
    /** Of the scene, for the order of the table. */
    place: string;
    variant: string;
    seed: number;
    lines: number;
    excused: number;
    lost: number;
    doubled: number;
    broken: number;
    disorder: number;
    kills: number;
    failure?: string;
}

/** A scene that is played, with all that is in it. */
export class Play implements Audience {
    readonly stage: Stage;
    readonly name: string;
    follower: Follower | undefined;
    readonly state: string;
    verdict: Verdict | undefined;
    private serverKills = 0;
    private readonly dice: Dice;

    constructor(
        readonly lab: Lab,
        readonly scene: Scene,
        readonly variant: Variant,
        readonly server: Server,
        readonly seed: number,
    ) {
        const dice = new Dice(random(seed));
        this.dice = new Dice(random(seed + 1_000_000_007));
        this.name = `s${serial++}`;
        this.stage = new Stage(lab.folder(), this.name, dice, this, scene.hasTimes);
        this.state = path.join(scene.stateFolder?.(lab) ?? lab.folder(), 'follow.db');
    }

    private get strikesFollower(): boolean {
        return this.variant === 'follower' || this.variant === 'both';
    }

    private get strikesServer(): boolean {
        return this.variant === 'server' || this.variant === 'both';
    }

    async start(args: string[]): Promise<void> {
        const { wrapper, uid } = this.scene;
        if (args.length > 0) {
            this.follower = new Follower(this.lab, this.server, {
                args,
                folder: this.stage.folder,
                state: this.state,
                scene: this.name,
                ...(wrapper === undefined ? {} : { wrapper }),
                ...(uid === undefined ? {} : { uid }),
            });
        }
        await this.follower!.begin();
        if (args.length > 0) {
            // What has another name by the time of the first start is none of a follower's business.
            await this.follower!.isUp(PATIENCE);
            if (hasFile(this.stage.folder)) {
                await this.follower!.hasOpened(PATIENCE);
            }
        }
    }

    async stop(): Promise<void> {
        await this.follower!.recovered();
        if (this.strikesFollower) {
            await this.follower!.end();
        } else {
            await this.follower!.isUp(PATIENCE);
            await this.follower!.stop();
        }
    }

    strike(weight: number): void {
        const { dice } = this;
        const chance = Math.min(1, KILLS * weight);
        if (this.strikesFollower && this.follower?.isRunning === true && dice.chance(chance)) {
            this.follower.strike(dice.int(0, 30), dice.int(0, 200));
        }
        if (this.strikesServer && dice.chance(chance)) {
            this.server.strike(dice.int(0, 30), dice.int(0, 300));
            this.serverKills++;
        }
    }

    /** Until --status says that nothing is left. */
    async isThrough(): Promise<void> {
        await this.recovered();
        await this.follower!.isThrough(PATIENCE);
    }

    async pause(ms: number): Promise<void> {
        await sleep(ms);
    }

    async crash(): Promise<void> {
        await this.follower!.recovered();
        await this.follower!.end();
        this.follower!.kills++;
        await this.follower!.begin();
    }

    async mayCatchUp(): Promise<void> {
        if (this.dice.chance(0.4)) {
            await this.caughtUp();
        }
    }

    async caughtUp(): Promise<void> {
        this.strike(0.2);
        if (this.strikesFollower) {
            await this.recovered();
            this.stage.ledger.excuse(this.stage.folder);
        }
        await this.allAreThere();
        this.stage.ledger.confirm();
    }

    /** Until nothing is lost. */
    private async allAreThere(): Promise<void> {
        const { ledger } = this.stage;
        try {
            await eventually(
                'all lines to be there',
                async () => {
                    await this.recovered();
                    const count = await this.server.count(this.name);
                    if (count === undefined || count < ledger.wanted) {
                        return false;
                    }
                    const logs = await this.logs();
                    return logs !== undefined && ledger.judge(logs).lost.length === 0;
                },
                PATIENCE,
            );
        } catch (error) {
            await this.judge();
            throw new Error(`${(error as Error).message}\n${tell(this.verdict!)}`);
        }
    }

    private async logs(): Promise<Log[] | undefined> {
        const { assemble = (logs: Log[]) => logs } = this.scene;
        const logs = await this.server.logs(this.name);
        return logs && assemble(logs);
    }

    private async recovered(): Promise<void> {
        await this.server.recovered();
        await this.follower?.recovered();
        this.follower?.checkRunning();
    }

    private async judge(): Promise<void> {
        await this.server.recovered();
        const logs = await eventually('the logs', () => this.logs());
        this.verdict = this.stage.ledger.judge(logs);
    }

    /** Until nothing more comes; then it ends, comes once more and has nothing to do. */
    async finish(): Promise<void> {
        const { ledger } = this.stage;
        if (this.strikesFollower && this.follower!.kills === 0) {
            this.follower!.strike(0, 0);
        }
        if (this.strikesFollower) {
            await this.recovered();
            ledger.excuse(this.stage.folder);
        }
        await this.allAreThere();
        for (let life = 0; life < 2; life++) {
            await this.follower!.isThrough(PATIENCE);
            await this.follower!.stop();
            if (life === 0) {
                await this.follower!.begin();
            }
        }
        await this.judge();
        assert.ok(isFlawless(this.verdict!), tell(this.verdict!));
    }

    result(failure?: unknown): Result {
        const { verdict } = this;
        return {
            title: this.scene.title,
            place: this.scene.place,
            variant: this.variant,
            seed: this.seed,
            lines: this.stage.ledger.entries.length,
            excused: verdict?.excused ?? 0,
            lost: verdict?.lost.length ?? 0,
            doubled: verdict?.doubled.length ?? 0,
            broken: verdict?.broken.length ?? 0,
            disorder: verdict?.disorder.length ?? 0,
            kills: (this.follower?.kills ?? 0) + this.serverKills,
            ...(failure === undefined ? {} : { failure: String(failure) }),
        };
    }
}

let serial = 0;

function hasFile(folder: string): boolean {
    return readdirSync(folder, { withFileTypes: true }).some(
        (entry) =>
            entry.isFile() || (entry.isDirectory() && hasFile(path.join(folder, entry.name))),
    );
}

const scenes: Scene[] = [];

/** A scene, which play() plays. `title` is a row of the table. */
export function scene(title: string, body: Scene['body'], options: SceneOptions = {}): void {
    const file = path.basename(require.main?.filename ?? '');
    const place = `${file} ${String(scenes.length).padStart(3, '0')}`;
    scenes.push({ title, place, body, ...options });
}

async function perform(given: Scene, variant: Variant, seed: number, shared: Servers): Promise<void> {
    const lab = new Lab();
    const server = given.ownServer === true ? await Server.make(lab) : await shared.of(variant);
    const play = new Play(lab, given, variant, server, seed);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done after ${SCENE_MS} ms`)), SCENE_MS);
    });
    try {
        await Promise.race([given.body(play.stage, play).then(() => play.finish()), late]);
        note(play.result());
    } catch (error) {
        note(play.result(error));
        keep(play);
        const again = `FOLLOW_SEED=${seed} FOLLOW_VARIANTS=${variant} FOLLOW_ONLY='^${given.title.replace(/[.*+?()|[\]]/g, '.')}$'`;
        throw new Error(
            `${error instanceof Error ? error.message : String(error)}\nagain: ${again}\n` +
                `--- the follower said, in ${play.follower?.lives} lives\n` +
                `${play.follower?.stderr.slice(-4000)}\n--- --status\n` +
                `${await play.follower?.status().catch(String)}\n--- the files\n${listing(play)}`,
            { cause: error },
        );
    } finally {
        clearTimeout(timer);
        play.stage.close();
        await lab.cleanUp();
    }
}

/** The files and the state of a scene that failed, in FOLLOW_KEEP. */
function keep(play: Play): void {
    if (KEEP !== '') {
        const { scene, variant, seed, stage, state } = play;
        const name = `${scene.title} ${variant} ${seed}`.replace(/[^a-z0-9]+/gi, '-');
        cpSync(stage.folder, path.join(KEEP, name, 'files'), { recursive: true, verbatimSymlinks: true });
        cpSync(path.dirname(state), path.join(KEEP, name, 'state'), { recursive: true });
    }
}

function listing({ stage }: Play): string {
    const names = readdirSync(stage.folder, { recursive: true }) as string[];
    return names
        .slice(0, 40)
        .map((name) => {
            const { ino, size } = lstatSync(stage.at(name));
            return `${ino} ${size} ${name}`;
        })
        .join('\n');
}

/** Scenes share two servers: one that lives on, and one that any of them may kill. */
class Servers {
    private readonly lab = new Lab();
    private readonly made = new Map<boolean, Promise<Server>>();

    of(variant: Variant): Promise<Server> {
        const dies = variant === 'server' || variant === 'both';
        const server = this.made.get(dies) ?? this.make();
        this.made.set(dies, server);
        return server;
    }

    private async make(): Promise<Server> {
        const server = await Server.make(this.lab);
        await server.begin();
        return server;
    }

    async end(): Promise<void> {
        try {
            for (const server of this.made.values()) {
                await (await server).recovered();
            }
            await this.lab.stopAll();
        } finally {
            await this.lab.cleanUp();
        }
    }
}

/** For tools/follow, which makes the table. */
function note(result: Result): void {
    mkdirSync(RESULTS, { recursive: true });
    const name = `${result.title}-${result.variant}-${result.seed}`.replace(/[^a-z0-9]+/gi, '-');
    writeFileSync(path.join(RESULTS, `${name}.json`), JSON.stringify(result));
}

/** The operations do what they are there for: a reader that knows no more than the name loses lines. */
async function performNaive(given: Scene, lost: number): Promise<void> {
    const lab = new Lab();
    const naive: Naive = new Naive(() => stage);
    const stage: Stage = new Stage(lab.folder(), 'naive', new Dice(random(1)), naive, false);
    try {
        await given.body(stage, undefined!);
        naive.look();
        const logs = naive.lines.map((message) => ({ message, timestamp: '' }));
        const verdict = stage.ledger.judge(logs);
        assert.equal(verdict.lost.length, lost, tell(verdict));
    } finally {
        stage.close();
        await lab.cleanUp();
    }
}

/** Plays all scenes of the file, called last in it. */
export function play(): void {
    const wanted = scenes.filter(({ title }) => ONLY.test(title));
    void test('scenes', { concurrency: JOBS }, async (t) => {
        const servers = new Servers();
        const all: Promise<void>[] = [];
        for (const one of wanted) {
            const { naive } = one;
            if (naive !== undefined) {
                const title = `${one.title} [a naive reader loses ${naive} lines]`;
                all.push(t.test(title, () => performNaive(one, naive)));
            }
            for (const variant of one.variants ?? VARIANTS) {
                for (let run = 0; run < (WANTED.includes(variant) ? RUNS : 0); run++) {
                    const seed = FIRST_SEED + run;
                    all.push(
                        t.test(
                            `${one.title} [${variant}] seed ${seed}`,
                            { skip: one.skip ?? false },
                            () => perform(one, variant, seed, servers),
                        ),
                    );
                }
            }
        }
        await Promise.all(all);
        await servers.end();
    });
}
