import { expect, test } from 'vitest';

import { after, formatTick, formatTime, fromInput, toInput } from '../src/time';
import { barSeconds } from '../src/count';

test('a time is shown to the millisecond, before 1970, too', () => {
    expect(formatTime('2024-02-29T12:34:56.789123Z', true)).toBe('2024-02-29 12:34:56.789');
    expect(formatTime('1969-12-31T23:59:59.999000Z', true)).toBe('1969-12-31 23:59:59.999');
    expect(formatTime('nonsense', true)).toBe('nonsense');
});

test('what an input gives is what it was given', () => {
    const ms = Date.UTC(2024, 1, 29, 12, 34, 56);
    for (const utc of [true, false]) {
        expect(Date.parse(fromInput(toInput(ms, utc), utc))).toBe(ms);
    }
    expect(fromInput('', true)).toBe('');
});

test('a tick says as much as tells it from the next', () => {
    const ms = Date.UTC(2024, 1, 29, 12, 34, 56);
    expect(formatTick(ms, true, 60_000)).toBe('12:34:56');
    expect(formatTick(ms, true, 86_400_000)).toBe('12:34');
    expect(formatTick(ms, true, 7 * 86_400_000)).toBe('2024-02-29');
});

test('bars are of round lengths, and not too many', () => {
    expect(barSeconds(60_000)).toBe(1);
    expect(barSeconds(3_600_000)).toBe(30);
    expect(barSeconds(86_400_000)).toBe(900);
    expect(barSeconds(10 * 365 * 86_400_000) % 86_400).toBe(0);
});

test('microseconds are added exactly, and not beyond what a log can have', () => {
    expect(after('2024-02-29T12:34:56.789999Z', 1)).toBe('2024-02-29T12:34:56.790000Z');
    expect(after('2024-02-29T12:34:56.789001Z', -2)).toBe('2024-02-29T12:34:56.788999Z');
    expect(after('1969-12-31T23:59:59.999999Z', 1)).toBe('1970-01-01T00:00:00.000000Z');
    expect(after('0001-01-01T00:00:01.000000Z', -60_000_000)).toBe('0001-01-01T00:00:00.000000Z');
    expect(after('9999-12-31T23:59:59.000000Z', 60_000_000)).toBe('');
});
