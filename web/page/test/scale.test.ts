import { expect, test } from 'vitest';

import { barSeconds, linesOf, share, shortNumber, ticksOf } from '../src/scale';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const utc = (): number => 0;

test('a bar has a round length, which a range of its own length keeps', () => {
    expect(barSeconds(15 * 60_000)).toBe(10);
    expect(barSeconds(HOUR + 2000)).toBe(60);
    expect(barSeconds(DAY + 2000)).toBe(900);
    expect(barSeconds(7 * DAY)).toBe(7200);
    expect(barSeconds(120 * DAY)).toBe(86_400);
    for (const days of [300, 4000, 3_652_059]) {
        const bar = barSeconds(days * DAY);
        expect(bar % (7 * 86_400)).toBe(0);
        expect((days * 86_400) / bar).toBeLessThanOrEqual(120);
        expect((days * 86_400) / bar).toBeGreaterThan(40);
    }
});

test('the lines of a scale are few and round, and its top is not far above what it has room for', () => {
    expect(linesOf(0)).toEqual([1]);
    expect(linesOf(1)).toEqual([1]);
    expect(linesOf(3)).toEqual([1, 2, 3]);
    expect(linesOf(9000)).toEqual([5000, 10000]);
    expect(linesOf(12)).toEqual([5, 10, 15]);
    for (let most = 1; most < 1e9; most = Math.ceil(most * 1.37)) {
        const lines = linesOf(most);
        expect(lines.length).toBeLessThanOrEqual(4);
        expect(lines.at(-1)).toBeGreaterThanOrEqual(most);
        expect(lines.at(-1)!).toBeLessThanOrEqual(Math.max(1, 2 * most));
    }
    expect([5, 500, 1000, 20_000, 1_500_000].map(shortNumber)).toEqual(['5', '500', '1k', '20k', '1.5M']);
    expect([share(1, 3), share(1, 100_000), share(0, 5), share(1, 40), share(0, 0)]).toEqual(['33 %', '<0.1 %', '0 %', '2.5 %', '0 %']);
});

const at = (text: string): number => Date.parse(text);
const texts = (from: string, to: string, count = 8, offset = utc): string[] =>
    ticksOf(at(from), at(to), count, offset).map(({ text }) => text);

test('ticks stand at round times, with the date where the day changes', () => {
    expect(texts('2026-11-28T19:50:17Z', '2026-11-29T19:50:17Z')).toEqual([
        '28 Nov 21:00', '29 Nov', '03:00', '06:00', '09:00', '12:00', '15:00', '18:00',
    ]);
    expect(texts('2026-11-29T19:50:17Z', '2026-11-29T19:51:17Z', 4)).toEqual(['29 Nov 19:50:30', '19:50:45', '19:51', '19:51:15']);
    expect(texts('2026-11-01T00:00:00Z', '2026-11-30T00:00:00Z', 5)).toEqual(['2 Nov', '9 Nov', '16 Nov', '23 Nov']);
    expect(texts('2025-11-01T00:00:00Z', '2026-11-30T00:00:00Z', 5)).toEqual(['1 Jan 2026', '1 Apr', '1 Jul', '1 Oct']);
    expect(texts('1990-05-01T00:00:00Z', '2026-11-30T00:00:00Z', 5)).toEqual(['1 Jan 2000', '1 Jan 2010', '1 Jan 2020']);
});

test('ticks are round in the zone, also on the day that its clock changes', () => {
    const berlin = (ms: number): number => (ms < at('2026-03-29T01:00:00Z') ? 1 : 2) * HOUR;
    const ticks = ticksOf(at('2026-03-28T21:00:00Z'), at('2026-03-29T13:00:00Z'), 6, berlin);
    expect(ticks.map(({ text }) => text)).toEqual(['29 Mar', '03:00', '06:00', '09:00', '12:00']);
    expect(ticks.map(({ ms }) => (ms - at('2026-03-28T23:00:00Z')) / HOUR)).toEqual([0, 2, 5, 8, 11]);
    expect(texts('2026-11-28T23:00:00Z', '2026-11-29T11:00:00Z', 4, () => 5.5 * HOUR)).toEqual(['29 Nov 06:00', '09:00', '12:00', '15:00']);
});

test('ticks end, however long or short the time', () => {
    for (const length of [0, 1, 999, 1e6, 1e10, 3e14]) {
        const since = at('0001-01-01T00:00:00Z');
        expect(ticksOf(since, since + length, 8, utc).length).toBeLessThanOrEqual(17);
    }
});
