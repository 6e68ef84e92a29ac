import { expect, test } from 'vitest';

import { parseView } from '../src/address';
import { type Span, barAt, barCount, barsOf, chartOfGroups, chartOfLevels, columnAt, errorsOf, shifted, spanOf, widened } from '../src/bars';
import { barParams } from '../src/count';
import { type Groups, byText, joinGroups } from '../src/groups';
import type { Sort } from '../src/address';
import { type Pattern, type Patterns, joinPatterns, patternTerm, piecesOf, sortPatterns } from '../src/patterns';

const HOUR = 3_600_000;
const at = (hour: number): string => new Date(Date.UTC(2026, 10, 25) + hour * HOUR).toISOString();

test('a group keeps its colour while counts change their order, and no two have the same', () => {
    const coloursOf = (...names: (string | null)[]): Record<string, string> => {
        const groups: Groups = {
            since: at(0), until: at(4), bucket_seconds: 3600, other: 0, buckets: [], isApproximate: false, next: null, searched_to: null,
            groups: names.map((value, n) => ({ value, count: 9 - n })),
        };
        return Object.fromEntries(chartOfGroups(groups).series.map(({ class: name }, n) => [names[n] === null ? 'without' : (names[n] ?? 'others'), name]));
    };
    const before = coloursOf('gateway', 'checkout', 'search', 'mailer', 'stock', 'users', 'cart', null);
    expect(new Set(Object.values(before)).size).toBe(9);
    expect(coloursOf(null, 'cart', 'users', 'search', 'stock', 'mailer', 'checkout', 'gateway')).toEqual(before);
    expect(coloursOf('gateway', 'a')['gateway']).toBe(coloursOf('b', 'gateway')['gateway']);
    expect(Object.keys(coloursOf(...'abcdefghij'))).toHaveLength(11);
});

test('bars are asked for at multiples of their length, in the zone if they are long', () => {
    const params = (zone: string, bucket: number): string | null => {
        const params = barParams(parseView(`?zone=${zone}`), at(0), at(24), bucket);
        expect(params.get('align')).toBe('1');
        return params.get('zone');
    };
    expect(params('Asia/Kolkata', 3600)).toBe('+05:30');
    expect(params('America/St_Johns', 86_400)).toBe('-03:30');
    expect(params('Asia/Kolkata', 900)).toBe(null);
});

const LEVELS = {
    since: at(0.5), until: at(4.25), bucket_seconds: 3600, total: 103,
    buckets: [
        { timestamp: at(1), total: 101, levels: { info: 100, error: 1 } },
        { timestamp: at(4), total: 2, levels: { err: 2 } },
    ],
};

test('the axis is whole bars, and a bar is as much of its time as was asked for', () => {
    const chart = chartOfLevels(LEVELS);
    expect([chart.from, chart.to].map((ms) => new Date(ms).toISOString())).toEqual([at(0), at(5)]);
    expect(barCount(chart)).toBe(5);
    expect(barAt(chart, Date.parse(at(1.99)))).toBe(1);
    expect(columnAt(chart, 1).total).toBe(101);
    expect(columnAt(chart, 2).total).toBe(0);
    const iso = ({ since, until }: Span): string[] => [since, until].map((ms) => new Date(ms).toISOString());
    expect(iso(spanOf(chart, 0, 0))).toEqual([at(0.5), at(1)]);
    expect(iso(spanOf(chart, 4, 1))).toEqual([at(1), at(4.25)]);
});

test('errors have a scale of their own, unless there is nothing else', () => {
    const chart = chartOfLevels(LEVELS);
    expect(barsOf(chart).filter((bar) => bar.class === 'is-error').map(({ height }) => Math.round(height))).toEqual([1, 1]);
    expect(errorsOf(chart).map(({ height }) => height)).toEqual([5, 10]);
    expect(errorsOf(chartOfLevels({ ...LEVELS, buckets: [LEVELS.buckets[1]!] }))).toEqual([]);
});

test('out is twice as long, and not beyond now', () => {
    expect(widened({ since: 10_000, until: 20_000 }, 1e9)).toEqual({ since: 5000, until: 25_000 });
    expect(widened({ since: 10_000, until: 20_000 }, 20_000)).toEqual({ since: 0, until: 20_000 });
    expect(widened({ since: 10_000, until: 20_000 }, 22_000)).toEqual({ since: 2000, until: 22_000 });
    expect(widened({ since: 5, until: 5 }, 1e9)).toEqual({ since: -1495, until: 505 });
    expect(shifted({ since: 10, until: 30 }, -1)).toEqual({ since: -10, until: 10 });
});

function groups(values: Record<string, number>, other: number, next: string | null): Groups {
    const all = Object.entries(values).map(([value, count]) => ({ value, count }));
    return {
        since: at(0), until: at(4), bucket_seconds: 3600, groups: all, other, isApproximate: false, next, searched_to: next,
        buckets: [{ timestamp: at(2), counts: all.map(({ count }) => count), other }],
    };
}

test('parts of groups are added, a bucket that was cut is one, and what falls out is told as others', () => {
    const joined = joinGroups(groups({ a: 3, b: 2 }, 0, 'x'), groups({ c: 9, a: 1 }, 0, null), 2);
    expect(joined.groups).toEqual([{ value: 'c', count: 9 }, { value: 'a', count: 4 }]);
    expect(joined.other).toBe(2);
    expect(joined.buckets).toEqual([{ timestamp: at(2), counts: [9, 4], other: 2 }]);
    expect(joined.isApproximate).toBe(false);
    expect(joinGroups(groups({ a: 3 }, 1, 'x'), groups({ a: 1 }, 0, null), 2).isApproximate).toBe(true);
    expect(chartOfGroups(joined).series.map(({ name, count }) => [name, count])).toEqual([['c', 9], ['a', 4], [null, 2]]);
    expect([byText('http.status'), byText('a, b'), byText('attr.level'), byText('attr.a,b')]).toEqual(['http.status', '"a, b"', 'attr.level', '"a,b"']);
});

function patterns(values: Record<string, number>, other: number, seen: number): Patterns {
    const all = Object.entries(values).map(([pattern, count]) => ({
        pattern, count, levels: { info: count }, first_seen: at(seen), last_seen: at(seen + 1), example: pattern,
    }));
    const total = other + all.reduce((sum, { count }) => sum + count, 0);
    return { since: at(0), until: at(9), total, patterns: all, other: other ? { count: other } : null, isApproximate: false, next: null, searched_to: null };
}

test('parts of patterns are added, and are about right only if one has more than it lists', () => {
    const joined = joinPatterns(patterns({ a: 3, b: 2 }, 0, 6), patterns({ b: 5, c: 1 }, 0, 1));
    expect(joined.patterns.map(({ pattern, count }) => [pattern, count])).toEqual([['b', 7], ['a', 3], ['c', 1]]);
    expect(joined.patterns[0]).toMatchObject({ levels: { info: 7 }, first_seen: at(1), last_seen: at(7) });
    expect([joined.total, joined.other, joined.isApproximate]).toEqual([11, null, false]);
    expect(joinPatterns(patterns({ a: 3 }, 4, 6), patterns({ a: 3 }, 0, 1))).toMatchObject({ total: 10, other: { count: 4 }, isApproximate: true });
});

test('patterns have an order', () => {
    const one = (pattern: string, count: number, levels: Record<string, number>, first: number): Pattern =>
        ({ pattern, count, levels, first_seen: at(first), last_seen: at(9), example: pattern });
    const all = [one('a', 9, { info: 9 }, 1), one('b', 5, { error: 1, info: 4 }, 3), one('c', 4, { error: 3, debug: 1 }, 2), one('d', 1, { warn: 1 }, 4)];
    const order = (sort: Sort): string => sortPatterns(all, sort).map(({ pattern }) => pattern).join('');
    expect((['', 'severity', 'newest', 'rarest'] as const).map(order)).toEqual(['abcd', 'cbda', 'dbca', 'dcba']);
});

test('a pattern is asked for by its text, and shown with gaps', () => {
    expect(patternTerm('said "<*>" \\ at <*>')).toBe('pattern:"said \\"<*>\\" \\\\ at <*>"');
    expect(patternTerm('x', true)).toBe('-pattern:"x"');
    expect(piecesOf('took <*> ms of <*>')).toEqual(['took ', null, ' ms of ', null]);
});
