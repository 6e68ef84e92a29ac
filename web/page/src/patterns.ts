/* What messages have in common: the answers are parts, newest first, put together here. */
import { type Sort, type View, filterParams } from './address';
import { SLICE_S, get } from './api';
import type { Levels } from './count';
import { SEVERITIES, severityOf } from './levels';
import { quoteText } from './query';

/** As many as are listed at first, and at most. */
export const SHOWN = 100;
export const SHOWN_MAX = 1000;

export interface Pattern {
    pattern: string;
    count: number;
    levels: Levels;
    first_seen: string;
    last_seen: string;
    example: string;
}

export interface Patterns {
    since: string;
    until: string;
    total: number;
    patterns: Pattern[];
    /** Logs of patterns that are not listed. */
    other: { count: number } | null;
    isApproximate: boolean;
    next: string | null;
    searched_to: string | null;
}

function joinOne(a: Pattern, b: Pattern): Pattern {
    const levels = new Map(Object.entries(a.levels));
    for (const [level, count] of Object.entries(b.levels)) levels.set(level, (levels.get(level) ?? 0) + count);
    return {
        ...a,
        count: a.count + b.count,
        levels: Object.fromEntries(levels),
        first_seen: a.first_seen < b.first_seen ? a.first_seen : b.first_seen,
        last_seen: a.last_seen > b.last_seen ? a.last_seen : b.last_seen,
    };
}

/** Two parts together: exact, unless one has more patterns than it lists. */
export function joinPatterns(newer: Patterns, older: Patterns): Patterns {
    const all = new Map(newer.patterns.map((one) => [one.pattern, one]));
    for (const one of older.patterns) {
        const other = all.get(one.pattern);
        all.set(one.pattern, other ? joinOne(other, one) : one);
    }
    const other = (newer.other?.count ?? 0) + (older.other?.count ?? 0);
    return {
        ...older,
        total: newer.total + older.total,
        patterns: [...all.values()].sort((a, b) => b.count - a.count),
        other: other > 0 ? { count: other } : null,
        isApproximate: newer.isApproximate || older.isApproximate || other > 0,
    };
}

/** Asks for what is in a time; `told` hears of each part. */
export async function findPatterns(
    view: View,
    since: string,
    until: string,
    top: number,
    signal: AbortSignal,
    told: (patterns: Patterns) => void,
): Promise<Patterns> {
    const params = filterParams(view);
    params.set('since', since);
    params.set('until', until);
    params.set('top', String(top));
    params.set('slice', SLICE_S);
    let all: Patterns | undefined;
    for (;;) {
        if (all?.next) params.set('cursor', all.next);
        const part = await get(`/logs/patterns?${params}`, (body) => ({ ...body, isApproximate: body.approximate !== null }) as Patterns, signal);
        all = all ? joinPatterns(all, part) : part;
        told(all);
        if (!all.next) return all;
    }
}

/**
 * Those that were not met before `newSince`, as far back as `since`. It is one answer: parts of it could not tell what is
 * new in all of them. `searched_to` says if it did not get as far.
 */
export async function findNewPatterns(view: View, since: string, until: string, newSince: string, top: number, signal: AbortSignal): Promise<Patterns> {
    const params = filterParams(view);
    params.set('since', since);
    params.set('until', until);
    params.set('top', String(top));
    params.set('new_since', newSince);
    const answer = await get(`/logs/patterns?${params}`, (body) => ({ ...body, isApproximate: body.approximate !== null }) as Patterns, signal);
    return { ...answer, next: null };
}

/** How severe the worst of its logs are, and how many are so. */
function worstOf({ levels }: Pattern): [number, number] {
    let [worst, logs] = [-1, 0];
    for (const [level, count] of Object.entries(levels)) {
        const severity = SEVERITIES.indexOf(severityOf(level));
        if (severity === worst) logs += count;
        else if (severity > worst) [worst, logs] = [severity, count];
    }
    return [worst, logs];
}

/** In an order; those that are equal in it keep theirs, most logs first. */
export function sortPatterns(patterns: readonly Pattern[], sort: Sort): Pattern[] {
    const all = [...patterns];
    if (sort === 'rarest') all.sort((a, b) => a.count - b.count);
    if (sort === 'newest') all.sort((a, b) => (a.first_seen < b.first_seen ? 1 : a.first_seen > b.first_seen ? -1 : 0));
    if (sort !== 'severity') return all;
    return all
        .map((one) => ({ one, worst: worstOf(one) }))
        .sort((a, b) => b.worst[0] - a.worst[0] || b.worst[1] - a.worst[1])
        .map(({ one }) => one);
}

/** The query that asks for the logs of a pattern. */
export function patternTerm(pattern: string, not = false): string {
    return `${not ? '-' : ''}pattern:${quoteText(pattern)}`;
}

/** A pattern as pieces of text and gaps (null). */
export function piecesOf(pattern: string): (string | null)[] {
    return pattern.split(/(<\*>)/).filter(Boolean).map((piece) => (piece === '<*>' ? null : piece));
}

/** First met in the last part of a time, long after it began: not there before, as far as that is looked at. */
export function isNew({ first_seen }: Pattern, { since, until, searched_to }: Patterns): boolean {
    const [begin, end, first] = [Date.parse(searched_to ?? since), Date.parse(until), Date.parse(first_seen)];
    return first - begin > 0.75 * (end - begin);
}
