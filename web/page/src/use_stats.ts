/* The histogram's numbers: asked for with each view, and again while logs come in live. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { type View, apiParams, filterParams, hasTimes } from './address';
import { type StatsAnswer, fetchStats } from './api';
import type { Logs } from './use_logs';

const BARS = 120;
const AGAIN_MS = 3000;
/** Lengths of a bar, in seconds. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

export interface Stats {
    answer: StatsAnswer | null;
    failed: string;
}

/** The shortest bar that makes at most BARS of the time, in seconds. */
export function barSeconds(ms: number): number {
    const least = ms / 1000 / BARS;
    return STEPS.find((step) => step >= least) ?? Math.ceil(least / 86400) * 86400;
}

/** All time has no beginning: a first, coarse look finds it. */
async function boundsOf(params: URLSearchParams, now: number, signal: AbortSignal): Promise<[number, number]> {
    const since = params.get('since');
    const until = params.get('until') ? Date.parse(params.get('until')!) : now;
    if (since) return [Date.parse(since), until];
    const coarse = new URLSearchParams(params);
    coarse.set('since', '1970-01-01T00:00:00Z');
    coarse.set('until', new Date(until).toISOString());
    const { buckets } = await fetchStats(coarse, signal);
    return [buckets[0] ? Date.parse(buckets[0].timestamp) : until - 86_400_000, until];
}

async function ask(view: View, now: number, signal: AbortSignal): Promise<StatsAnswer> {
    const params = apiParams(view, now);
    // A moment more, so that what has just come is in it.
    let [since, until] = await boundsOf(params, now + 1000, signal);
    for (let round = 0; ; round++) {
        params.set('since', new Date(since).toISOString());
        params.set('until', new Date(until).toISOString());
        params.set('bucket', String(barSeconds(until - since)));
        const answer = await fetchStats(params, signal);
        const first = answer.buckets[0];
        const isAll = view.range === 'all' && !hasTimes(view);
        if (!isAll || !first || round === 1) return answer;
        since = Math.max(since, Date.parse(first.timestamp));
    }
}

export function useStats(view: View, logs: Logs): Stats {
    const [stats, setStats] = useState<Stats>({ answer: null, failed: '' });
    const key = [filterParams(view), view.since, view.until, view.range].join('|');
    const arrived = useRef(0);
    arrived.current = logs.arrived;

    useEffect(() => {
        const abort = new AbortController();
        let counted = logs.arrived;
        const look = (now: number): void => {
            ask(view, now, abort.signal).then(
                (answer) => setStats({ answer, failed: '' }),
                (error: Error) => {
                    if (!abort.signal.aborted) setStats({ answer: null, failed: error.message });
                },
            );
        };
        look(logs.now);
        const timer = setInterval(() => {
            if (arrived.current === counted) return;
            counted = arrived.current;
            look(Date.now());
        }, AGAIN_MS);
        return () => {
            clearInterval(timer);
            abort.abort();
        };
    }, [key, logs.now]);
    return stats;
}
