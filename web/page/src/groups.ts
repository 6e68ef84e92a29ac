/* Counts over time by the values of a field, and of patterns: the answers are parts, newest first, put together here. */
import { type View } from './address';
import { SLICE_S, get } from './api';
import { barParams } from './count';

/** Groups that have a colour; all others are one. */
export const GROUPS = 8;

interface Answer {
    since: string;
    until: string;
    bucket_seconds: number;
    total: number;
    groups: { by: Record<string, string | null>; count: number }[];
    other: { count: number } | null;
    buckets: { timestamp: string; groups: { group: number; count: number }[]; other: { count: number } | null }[];
    approximate: object | null;
    next: string | null;
    searched_to: string | null;
}

export interface Groups {
    since: string;
    until: string;
    bucket_seconds: number;
    /** value null: logs that have no such field. */
    groups: { value: string | null; count: number }[];
    other: number;
    /** `counts` by the place in `groups`. */
    buckets: { timestamp: string; counts: number[]; other: number }[];
    isApproximate: boolean;
    next: string | null;
    searched_to: string | null;
}

/** A field as `by` takes it. */
export function byText(field: string): string {
    const isOdd = /[,"]/.test(field) || field !== field.trim();
    return isOdd ? `"${field.replace(/^attr\./, '').replace(/"/g, '')}"` : field;
}

function groupsOf(answer: Answer): Groups {
    const { since, until, bucket_seconds, next, searched_to } = answer;
    return {
        since, until, bucket_seconds, next, searched_to,
        groups: answer.groups.map(({ by, count }) => ({ value: Object.values(by)[0] ?? null, count })),
        other: answer.other?.count ?? 0,
        buckets: answer.buckets.map(({ timestamp, groups, other }) => {
            const counts: number[] = [];
            for (const { group, count } of groups) counts[group] = count;
            return { timestamp, counts: Array.from(answer.groups, (_, n) => counts[n] ?? 0), other: other?.count ?? 0 };
        }),
        isApproximate: answer.approximate !== null,
    };
}

/** Of two parts: the `top` groups of both. What one of them had among the others cannot be told apart any more. */
export function joinGroups(newer: Groups, older: Groups, top: number): Groups {
    const totals = new Map<string | null, number>();
    for (const { groups } of [newer, older])
        for (const { value, count } of groups) totals.set(value, (totals.get(value) ?? 0) + count);
    const sorted = [...totals].sort(([, a], [, b]) => b - a);
    const kept = sorted.slice(0, top).map(([value, count]) => ({ value, count }));
    const places = new Map(kept.map(({ value }, n) => [value, n]));
    const buckets = new Map<string, Groups['buckets'][0]>();
    for (const part of [older, newer]) {
        for (const { timestamp, counts, other } of part.buckets) {
            const bucket = buckets.get(timestamp) ?? { timestamp, counts: kept.map(() => 0), other: 0 };
            bucket.other += other;
            counts.forEach((count, n) => {
                const place = places.get(part.groups[n]!.value);
                if (place === undefined) bucket.other += count;
                else bucket.counts[place]! += count;
            });
            buckets.set(timestamp, bucket);
        }
    }
    const isApproximate = newer.isApproximate || older.isApproximate || newer.other > 0 || older.other > 0;
    return {
        ...older, groups: kept, isApproximate,
        other: newer.other + older.other + sorted.slice(top).reduce((sum, [, count]) => sum + count, 0),
        buckets: [...buckets.values()].sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp)),
    };
}

/** Counts by a field in a time whose ends are known; `told` hears of each part. */
export async function countGroups(
    view: View,
    field: string,
    { since, until, bucket_seconds }: { since: string; until: string; bucket_seconds: number },
    top: number,
    signal: AbortSignal,
    told: (groups: Groups) => void,
): Promise<Groups> {
    const params = barParams(view, since, until, bucket_seconds);
    params.set('by', byText(field));
    params.set('top', String(top));
    params.set('slice', SLICE_S);
    let all: Groups | undefined;
    for (;;) {
        if (all?.next) params.set('cursor', all.next);
        const part = await get(`/logs/stats?${params}`, (body: Answer) => groupsOf(body), signal);
        all = all ? joinGroups(all, part, top) : part;
        told(all);
        if (!all.next) return all;
    }
}
