/*
 * Walks through the points at which something can fail inside the process (src/base/fault.h): a run
 * with the first point failing, one with the next, and so on.
 *
 * `make test` takes some of the points of each walk, by chance; FAULT_POINTS=all takes every one,
 * FAULT_POINTS=N about N of each walk, FAULT_SEED=S those of an earlier run, FAULT_POINT=N that one
 * alone, FAULT_WALK=TEXT only the walks whose names have that in them.
 */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { BINARY } from './harness';

const POINTS = process.env['FAULT_POINTS'];
const POINT = process.env['FAULT_POINT'];
const SEED = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000);
const ONLY = process.env['FAULT_WALK'] ?? '';

/** Two at a time: each run waits now and then. */
const AT_ONCE = 2;
/** Beyond the last point of any walk. */
const NEVER = 1_000_000_000;

/** The exit code of a process that lost its power. */
export const POWER_LOST = 86;

export interface Walk {
    kind: 'small' | 'input' | 'library' | 'write' | 'sync' | 'read';
    how?: 'eio' | 'enospc' | 'short' | 'power' | 'torn';
    /** Every point from the N-th on fails, not the N-th alone. */
    onwards?: boolean;
    /** How the run ends if the fault does not end it. */
    end: 'SIGTERM' | 'SIGKILL';
}

/** What came of a run. */
export interface Outcome {
    fired: boolean;
    how: string;
    /** How many there are, of a run that reached none that fails. */
    points: number;
}

export interface WalkOptions {
    /** How a run without a fault has to end. */
    isGood: (how: string) => boolean;
    /** Where FAULT_POINTS does not say. */
    points?: number;
    /** A run that is killed has about as many as one that ends by itself. */
    isRough?: boolean;
}

export const hasSeam = readFileSync(BINARY).includes('LOGMILL_FAULT');

export function nameOf(walk: Walk): string {
    const how = walk.how === undefined ? '' : ` (${walk.how})`;
    return `${walk.kind}${how}${walk.onwards ? ', and all after it' : ''}, then ${walk.end}`;
}

/** For LOGMILL_FAULT. */
export function planOf(walk: Walk, number: number): string {
    const how = walk.how === undefined ? '' : `:${walk.how}`;
    return `${walk.kind}:${number}${walk.onwards ? '+' : ''}${how}`;
}

/** What a process said on stderr of its faults. */
export function firedIn(stderr: string, walk: Walk): { fired: boolean; points: number } {
    return {
        fired: stderr.includes(`fault: ${walk.kind} `),
        points: Number(/^fault: none of (\d+) /m.exec(stderr)?.[1] ?? 0),
    };
}

/** Numbers below 1 that follow from the seed. */
export function chances(seed: number): () => number {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

type RunAt = (walk: Walk, number: number) => Promise<Outcome>;

/** The points to take: all of them, or some of each stretch. A few more than there seem to be. */
function choose(points: number, of: string, chance: () => number): number[] {
    const beyond = Math.ceil(points * 1.05) + 2; // not each run has equally many
    const wanted = of === 'all' ? beyond : Math.min(Number(of), beyond);
    const stretch = beyond / wanted;
    return Array.from({ length: wanted }, (_, n) =>
        of === 'all' ? n + 1 : 1 + Math.floor((n + chance()) * stretch),
    );
}

/** How many points a run without a fault reaches. */
async function countPoints(walk: Walk, runAt: RunAt, options: WalkOptions): Promise<number> {
    const whole = await runAt({ ...walk, end: 'SIGTERM' }, NEVER);
    assert.ok(options.isGood(whole.how), `without a fault: ${whole.how}`);
    assert.ok(whole.points > 0, 'no points: is anything of this kind left?');
    if (walk.end === 'SIGTERM' || options.isRough) {
        return whole.points;
    }
    let [low, high] = [0, whole.points]; // killed it cannot say: between these two
    while (high - low > 1) {
        const middle = Math.ceil((low + high) / 2);
        const { fired } = await runAt(walk, middle);
        [low, high] = fired ? [middle, high] : [low, middle];
    }
    return high;
}

async function walkThrough(
    walk: Walk,
    runAt: RunAt,
    options: WalkOptions,
    chance: () => number,
): Promise<string> {
    const outcomes = new Map<string, number>();
    const failures: unknown[] = [];
    const count = (how: string): Map<string, number> =>
        outcomes.set(how, (outcomes.get(how) ?? 0) + 1);
    const points = POINT === undefined ? await countPoints(walk, runAt, options) : Number(POINT);
    const numbers = POINT !== undefined ? [points] : choose(points, POINTS ?? String(options.points ?? 8), chance);
    const next = async (): Promise<void> => {
        for (let n = numbers.shift(); n !== undefined; n = numbers.shift()) {
            try {
                const outcome = await runAt(walk, n);
                count(outcome.fired ? outcome.how : 'not reached');
            } catch (error) {
                failures.push(error);
                count('FAILED');
                if (failures.length >= 10) {
                    numbers.length = 0;
                }
            }
        }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    const figures = [...outcomes].map(([how, n]) => `${n} ${how}`).join(', ');
    const text = `${points} points; ${figures}`;
    if (failures.length > 0) {
        const said = failures.map((failure) => (failure as Error).message);
        throw new Error(`FAULT_SEED=${SEED}: ${text}\n${said.join('\n\n')}`);
    }
    return text;
}

/** Whether FAULT_WALK asks for it. */
export function isWanted(name: string): boolean {
    return name.includes(ONLY);
}

/** A test for each walk. */
export function walkAll(walks: Walk[], runAt: RunAt, options: WalkOptions): void {
    const skip = hasSeam ? false : 'this binary was built without -Dfaults=true';
    walks.forEach((walk, index) => {
        if (isWanted(nameOf(walk))) {
            void test(`a fault at a point: ${nameOf(walk)}`, { skip }, async (t) => {
                t.diagnostic(await walkThrough(walk, runAt, options, chances(SEED + index)));
            });
        }
    });
}
