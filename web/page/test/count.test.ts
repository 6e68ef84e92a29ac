import { afterEach, expect, test, vi } from 'vitest';

import { parseView } from '../src/address';
import type { StatsAnswer } from '../src/api';
import { boundsOf, count, countFuture, join } from '../src/count';
import { barsOf, chartOfLevels } from '../src/bars';

afterEach(() => vi.unstubAllGlobals());

const NOW = Date.UTC(2026, 10, 25);
const signal = new AbortController().signal;

/** A server that holds a log at each of these times. */
function serverWith(...times: string[]): URLSearchParams[] {
    const asked: URLSearchParams[] = [];
    vi.stubGlobal('fetch', async (path: string) => {
        const { pathname, searchParams: params } = new URL(path, 'http://h');
        if (pathname === '/logs') return { ok: true, text: async () => '{"logs":[],"next":null}' };
        asked.push(params);
        const since = Date.parse(params.get('since')!);
        const until = Date.parse(params.get('until')!);
        const width = Number(params.get('bucket')) * 1000;
        expect((until - since) / width).toBeLessThanOrEqual(1000);
        const buckets = new Map<number, number>();
        for (const time of times.map((time) => Date.parse(time))) {
            if (time < since || time >= until) continue;
            const begin = since + Math.floor((time - since) / width) * width;
            buckets.set(begin, (buckets.get(begin) ?? 0) + 1);
        }
        const answer = {
            since: params.get('since'), until: params.get('until'), bucket_seconds: width / 1000,
            total: [...buckets.values()].reduce((a, b) => a + b, 0),
            buckets: [...buckets].sort(([a], [b]) => a - b).map(([begin, total]) => ({ timestamp: new Date(begin).toISOString(), total, levels: { info: total } })),
        };
        return { ok: true, text: async () => JSON.stringify(answer) };
    });
    return asked;
}

async function bounds(search: string): Promise<[number, number]> {
    const { since, until } = await boundsOf(parseView(search), NOW, signal);
    return [Date.parse(since), Date.parse(until)];
}

test('all time is from the first log to the last, in the future and before 1970, too', async () => {
    for (const times of [['1969-12-31T23:59:59Z', '2031-01-01T00:00:00Z'], ['0001-01-01T00:00:00Z', '9999-12-31T23:00:00Z'], ['2026-11-24T12:00:00Z']]) {
        serverWith(...times);
        const [since, until] = await bounds('?range=all');
        expect(since).toBeLessThanOrEqual(Date.parse(times[0]!));
        expect(until).toBeGreaterThan(Date.parse(times.at(-1)!));
        const length = Math.max(NOW, Date.parse(times.at(-1)!)) - Date.parse(times[0]!);
        expect(until - since).toBeLessThan(1.3 * length + 10_000);
    }
});

test('a range without an end goes on to the last log, and one in the future too', async () => {
    serverWith('2026-11-01T00:00:00Z', '2031-01-01T00:00:00Z', '9999-01-01T00:00:00Z');
    expect(await bounds('?since=2026-10-01T00:00:00Z')).toEqual([Date.UTC(2026, 9, 1), expect.any(Number)]);
    expect((await bounds('?since=2026-10-01T00:00:00Z'))[1]).toBeGreaterThan(Date.parse('9999-01-01T00:00:00Z'));
    expect((await bounds('?since=2031-01-01T00:00:00Z'))[1]).toBeGreaterThan(Date.parse('9999-01-01T00:00:00Z'));
});

test('what lies after a relative range is counted, and nothing else is asked for that', async () => {
    const asked = serverWith('2026-11-24T23:00:00Z', '2031-01-01T00:00:00Z', '2032-01-01T00:00:00Z');
    expect(await countFuture(parseView('?range=1h'), NOW, signal)).toBe(2);
    expect(asked.length).toBe(1);
    expect(await countFuture(parseView('?range=all'), NOW, signal)).toBe(0);
    expect(await countFuture(parseView('?since=2024-01-01'), NOW, signal)).toBe(0);
    expect(asked.length).toBe(1);
});

const bucket = (second: number, total: number, levels: Record<string, number>): StatsAnswer['buckets'][0] => ({
    timestamp: `2026-11-25T00:00:0${second}.000000Z`, total, levels,
});

function slice(next: string | null, ...buckets: StatsAnswer['buckets']): StatsAnswer {
    const total = buckets.reduce((sum, { total }) => sum + total, 0);
    return { since: 's', until: 'u', bucket_seconds: 1, total, buckets, next, searched_to: next };
}

test('slices of a count are put together; a bucket that was cut is one again', () => {
    const newer = slice('a', bucket(3, 2, { info: 1, error: 1 }), bucket(4, 1, { info: 1 }));
    const older = slice(null, bucket(1, 1, { debug: 1 }), bucket(3, 3, { info: 2, debug: 1 }));
    expect(join(newer, older)).toEqual(
        slice(null, bucket(1, 1, { debug: 1 }), bucket(3, 5, { info: 3, error: 1, debug: 1 }), bucket(4, 1, { info: 1 })),
    );
    expect(join(newer, slice(null)).buckets).toEqual(newer.buckets);
    const hostile = JSON.parse('{"__proto__":1}') as Record<string, number>;
    const joined = join(slice('a', bucket(3, 1, hostile)), slice(null, bucket(3, 2, { info: 1, ...hostile })));
    expect(Object.entries(joined.buckets[0]!.levels)).toEqual([['info', 1], ['__proto__', 2]]);
});

test('a count goes on until there is nothing left, and tells how far it is', async () => {
    const answers = [slice('c1', bucket(4, 1, { info: 1 })), slice('c2'), slice(null, bucket(2, 5, { info: 5 }))];
    const cursors: (string | null)[] = [];
    vi.stubGlobal('fetch', async (path: string) => {
        cursors.push(new URL(path, 'http://h').searchParams.get('cursor'));
        return { ok: true, text: async () => JSON.stringify(answers[cursors.length - 1]) };
    });
    const told: (string | null | undefined)[] = [];
    const all = await count(new URLSearchParams(), signal, ({ searched_to }) => told.push(searched_to));
    expect(all.total).toBe(6);
    expect(cursors).toEqual([null, 'c1', 'c2']);
    expect(told).toEqual(['c1', 'c2', null]);
});

test('bars stand where their time is, however long the range', () => {
    for (const days of [1, 388, 400, 4000, 3_000_000]) {
        const since = Date.parse('0001-01-01T00:00:00Z');
        const length = days * 86_400_000;
        const at = (part: number): string => new Date(since + part * length).toISOString();
        const bars = barsOf(chartOfLevels({
            since: at(0), until: at(1), bucket_seconds: length / 100_000, total: 3,
            buckets: [0, 0.5, 0.99, 1].map((part) => ({ timestamp: at(part), total: 1, levels: { info: 1 } })),
        }));
        expect(bars.map(({ x }) => Math.round(x / 10))).toEqual([0, 50, 99, 100]);
        for (const { x, width } of bars) {
            expect(width).toBeGreaterThan(0);
            expect(x + width).toBeLessThanOrEqual(1000);
        }
    }
});
