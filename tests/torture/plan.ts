/*
 * The schedule of the faults: made from a seed before the run, so that the same seed makes the same
 * schedule. Faults stand in lanes; those of one lane come one after the other, lanes run at once.
 */

/** Numbers that a seed repeats. */
export class Dice {
    constructor(private readonly next: () => number) {}

    /** At least `low`, below `high`. */
    between(low: number, high: number): number {
        return low + this.next() * (high - low);
    }

    int(low: number, high: number): number {
        return Math.floor(this.between(low, high));
    }

    chance(p: number): boolean {
        return this.next() < p;
    }

    pick<T>(from: readonly T[]): T {
        return from[this.int(0, from.length)]!;
    }

    shuffled<T>(from: readonly T[]): T[] {
        const deck = [...from];
        for (let i = deck.length - 1; i > 0; i--) {
            const j = this.int(0, i + 1);
            [deck[i], deck[j]] = [deck[j]!, deck[i]!];
        }
        return deck;
    }
}

/** What befalls `lane`, and for how long. */
export interface Fault {
    lane: string;
    kind: string;
    /** Milliseconds after the start of the run. */
    at: number;
    /** Milliseconds that it lasts. */
    lasts: number;
    /** For what else its kind leaves open: 0 to 1. */
    dice: number;
}

export interface LaneOptions {
    /** The first comes first; each comes as often as it is named before all begins anew. */
    kinds: readonly string[];
    /** Milliseconds that one lasts: at least, at most. */
    lasts: readonly [number, number];
    /** Milliseconds of peace after one. */
    peace: readonly [number, number];
}

/** Time at the start in which the service is whole. */
const CALM_START_MS = 1500;

function laneFaults(lane: string, options: LaneOptions, endMs: number, dice: Dice): Fault[] {
    const faults: Fault[] = [];
    const [first, ...others] = options.kinds;
    let deck = [...dice.shuffled(others), first!];
    // A short run has less peace, so that it sees each kind, too.
    const squeeze = Math.min(1, endMs / 120_000 + 0.35);
    let at = CALM_START_MS + dice.between(0, options.peace[1] * squeeze);
    for (;;) {
        deck = deck.length > 0 ? deck : dice.shuffled(options.kinds);
        const lasts = Math.round(dice.between(...options.lasts));
        if (at + lasts >= endMs) {
            return faults;
        }
        faults.push({
            lane,
            kind: deck.pop()!,
            at: Math.round(at),
            lasts,
            dice: dice.between(0, 1),
        });
        at += lasts + dice.between(...options.peace) * squeeze;
    }
}

/** All faults of a run of `endMs`, in the order of their times. */
export function plan(lanes: Record<string, LaneOptions>, endMs: number, dice: Dice): Fault[] {
    return Object.entries(lanes)
        .flatMap(([lane, options]) => laneFaults(lane, options, endMs, dice))
        .sort((a, b) => a.at - b.at);
}
