/* Counting logs over time, however long it takes: the answers to a count are slices, newest first. */
import { type View, filterParams, isRelative, rangeOf } from './address';
import { type Bucket, type Log, type StatsAnswer, fetchStats } from './api';
import { barSeconds } from './scale';
import { FIRST, LAST, iso, offsetOf } from './time';

/** As many as the API gives. */
const BUCKETS_MAX = 1000;
const DAY = 86_400_000;
/** Ages of the parts in which the oldest log is looked for. */
const AGES = [3650 * DAY, 365 * DAY, 30 * DAY, DAY, 0];
function joinBuckets(a: Bucket, b: Bucket): Bucket {
    const levels = new Map(Object.entries(a.levels)); // a level may be called __proto__
    for (const [level, count] of Object.entries(b.levels)) levels.set(level, (levels.get(level) ?? 0) + count);
    return { timestamp: a.timestamp, total: a.total + b.total, levels: Object.fromEntries(levels) };
}

/** What was counted so far, and the slice that goes on from there: it is older, and may share a bucket. */
export function join(counted: StatsAnswer, slice: StatsAnswer): StatsAnswer {
    const buckets = [...slice.buckets];
    const [oldest] = counted.buckets;
    const shares = oldest !== undefined && buckets.at(-1)?.timestamp === oldest.timestamp;
    if (shares) buckets.push(joinBuckets(buckets.pop()!, oldest));
    buckets.push(...counted.buckets.slice(shares ? 1 : 0));
    return { ...slice, buckets, total: counted.total + slice.total };
}

/** Counts what `params` ask for, on from `counted` if that is given; `told` hears of each slice. */
export async function count(
    params: URLSearchParams,
    signal: AbortSignal,
    told: (answer: StatsAnswer) => void = () => {},
    counted?: StatsAnswer,
): Promise<StatsAnswer> {
    for (;;) {
        if (counted?.next) params.set('cursor', counted.next);
        const slice = await fetchStats(params, signal);
        counted = counted ? join(counted, slice) : slice;
        told(counted);
        if (!counted.next) return counted;
    }
}

function paramsOf(view: View, since: string, until: string, bucket: number): URLSearchParams {
    const params = filterParams(view);
    params.set('since', since);
    params.set('until', until);
    params.set('bucket', String(bucket));
    return params;
}

/** An offset as the API takes it. */
function offsetText(ms: number): string {
    const minutes = Math.abs(Math.round(ms / 60_000));
    const two = (n: number): string => String(n).padStart(2, '0');
    return `${ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** Shorter bars lie alike in all zones. */
const ZONED_S = 1800;

/** Bars at multiples of their length in the zone as it is at the end, so that they stand still while time goes on. */
export function barParams(view: View, since: string, until: string, bucket: number): URLSearchParams {
    const params = paramsOf(view, since, until, bucket);
    params.set('align', '1');
    if (bucket >= ZONED_S) params.set('zone', offsetText(offsetOf(Date.parse(until), view.zone)));
    return params;
}

/** Counts in as many parts as there can be. */
function finely(view: View, since: string, until: string, signal: AbortSignal): Promise<StatsAnswer> {
    const seconds = (Date.parse(until) - Date.parse(since)) / 1000;
    return count(paramsOf(view, since, until, Math.max(1, Math.ceil(seconds / (BUCKETS_MAX - 1)))), signal);
}

/** About when the oldest log is: looked for from the oldest part of time on, where mostly there is nothing to count. */
async function oldest(view: View, until: number, signal: AbortSignal): Promise<string> {
    let since = FIRST;
    for (const age of AGES) {
        const end = iso(until - age);
        if (Date.parse(end) <= Date.parse(since)) continue;
        const [first] = (await finely(view, since, end, signal)).buckets;
        if (first) return first.timestamp;
        since = end;
    }
    return iso(until - DAY);
}

/**
 * With the logs of the last moment that there is, if the range has no end: `until` is exclusive, so that the API
 * cannot count them. `top`: the first logs of the list.
 */
export function withLastMoment(answer: StatsAnswer, view: View, top: Log[]): StatsAnswer {
    if (top[0]?.timestamp !== LAST || view.until || isRelative(view)) return answer;
    const missing = top
        .filter(({ timestamp }) => timestamp === LAST)
        .map(({ level }) => ({ timestamp: LAST, total: 1, levels: { [level.toLowerCase()]: 1 } }))
        .reduce(joinBuckets);
    return { ...answer, total: answer.total + missing.total, buckets: [...answer.buckets, missing] };
}

/** Just behind the newest log, but not before `since`. */
async function newest(view: View, since: string, signal: AbortSignal): Promise<string> {
    let until = LAST;
    for (let round = 0; round < 3; round++) {
        if (Date.parse(until) <= Date.parse(since)) break;
        const { buckets, bucket_seconds } = await finely(view, since, until, signal);
        const last = buckets.at(-1);
        if (!last) return since;
        until = iso(Date.parse(last.timestamp) + bucket_seconds * 1000);
    }
    return until;
}

/** The range of a view as the list has it; if that has no bound, as far as there are logs, and to now. */
export async function boundsOf(view: View, now: number, signal: AbortSignal): Promise<{ since: string; until: string }> {
    let { since, until } = rangeOf(view, now);
    if (!until) {
        const isAhead = Date.parse(since) > now;
        until = await newest(view, isAhead ? since : iso(now + 1000), signal);
        if (isAhead && until === since) until = LAST;
    }
    return { since: since || (await oldest(view, Date.parse(until), signal)), until };
}

/** The bars of a view between two times. */
export function viewParams(view: View, since: string, until: string): URLSearchParams {
    return barParams(view, since, until, barSeconds(Date.parse(until) - Date.parse(since)));
}

/** What the histogram shows of a view. */
export async function countView(view: View, now: number, signal: AbortSignal, told: (answer: StatsAnswer) => void): Promise<StatsAnswer> {
    const { since, until } = await boundsOf(view, now, signal);
    return count(viewParams(view, since, until), signal, told);
}

/** Goes on where a count was stopped. */
export function goOnCounting(view: View, counted: StatsAnswer, signal: AbortSignal, told: (answer: StatsAnswer) => void): Promise<StatsAnswer> {
    const { since, until, bucket_seconds } = counted;
    return count(barParams(view, since, until, bucket_seconds), signal, told, counted);
}

/** Logs by level. */
export type Levels = Record<string, number>;

export function levelsIn({ buckets }: StatsAnswer): Levels {
    const levels = new Map<string, number>();
    for (const bucket of buckets)
        for (const [level, count] of Object.entries(bucket.levels)) levels.set(level, (levels.get(level) ?? 0) + count);
    return Object.fromEntries(levels);
}

/** Logs by level in a time whose ends are known. */
export async function countLevels(view: View, since: string, until: string, signal: AbortSignal, told: (levels: Levels) => void): Promise<Levels> {
    const seconds = Math.max(1, Math.ceil((Date.parse(until) - Date.parse(since)) / 1000));
    return levelsIn(await count(paramsOf(view, since, until, seconds), signal, (answer) => told(levelsIn(answer))));
}

/** How many logs match that lie after the end of a relative range. */
export async function countFuture(view: View, now: number, signal: AbortSignal): Promise<number> {
    if (!isRelative(view)) return 0;
    const { until } = rangeOf(view, now);
    return (await finely(view, until, LAST, signal)).total;
}
