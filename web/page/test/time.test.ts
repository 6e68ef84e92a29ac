import { expect, test } from 'vitest';

import { after, formatTick, formatTime, fromMoment, iso, offsetOf, toMoment, zoneName } from '../src/time';
import { barSeconds } from '../src/scale';

test('a time is shown to the millisecond, before 1970, too', () => {
    expect(formatTime('2024-02-29T12:34:56.789123Z', 'UTC')).toBe('2024-02-29 12:34:56.789');
    expect(formatTime('1969-12-31T23:59:59.999000Z', 'UTC')).toBe('1969-12-31 23:59:59.999');
    expect(formatTime('nonsense', 'UTC')).toBe('nonsense');
});

test('where a clock shows the same twice its offset is told', () => {
    const shown = (time: string, zone: string): string => formatTime(time, zone).slice(11);
    expect(shown('2026-10-24T23:59:59.999Z', 'Europe/Berlin')).toBe('01:59:59.999');
    expect(shown('2026-10-25T00:00:00Z', 'Europe/Berlin')).toBe('02:00:00.000+02:00');
    expect(shown('2026-10-25T00:59:59.999Z', 'Europe/Berlin')).toBe('02:59:59.999+02:00');
    expect(shown('2026-10-25T01:00:00Z', 'Europe/Berlin')).toBe('02:00:00.000+01:00');
    expect(shown('2026-10-25T02:00:00Z', 'Europe/Berlin')).toBe('03:00:00.000');
    expect(shown('2026-11-01T04:30:00Z', 'America/St_Johns')).toBe('01:00:00.000-03:30');
    expect(shown('2026-03-29T01:30:00Z', 'Europe/Berlin')).toBe('03:30:00.000');
    expect(shown('2026-10-25T00:00:00Z', 'UTC')).toBe('00:00:00.000');
});

test('what a field shows is read as the moment that it is', () => {
    for (const zone of ['', 'UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia']) {
        for (const ms of [Date.UTC(2024, 1, 29, 12, 34, 56, 789), Date.UTC(1901, 0, 1), Date.UTC(2026, 6, 1, 23, 59)]) {
            expect(fromMoment(toMoment(ms, zone), zone)).toBe(iso(ms));
        }
    }
    expect(fromMoment('2024-02-29', 'UTC')).toBe('2024-02-29T00:00:00.000Z');
    expect(fromMoment(' 2024-02-29T01:02 ', 'UTC')).toBe('2024-02-29T01:02:00.000Z');
    expect(fromMoment('2024-02-29 01:02:03.123456', 'UTC')).toBe('2024-02-29T01:02:03.123456Z');
    for (const wrong of ['', 'now', '2024-02-30', '2024-13-01', '2024-02-29 24:00', '2024-02-29 23:60', '12:00']) {
        expect(fromMoment(wrong, 'UTC')).toBe('');
    }
});

test('a zone has the offset of its time', () => {
    expect(offsetOf(Date.UTC(2026, 0, 1), 'Europe/Berlin')).toBe(3_600_000);
    expect(offsetOf(Date.UTC(2026, 6, 1), 'Europe/Berlin')).toBe(7_200_000);
    expect(offsetOf(Date.UTC(2026, 2, 29, 0, 59, 59), 'Europe/Berlin')).toBe(3_600_000);
    expect(offsetOf(Date.UTC(2026, 2, 29, 1), 'Europe/Berlin')).toBe(7_200_000);
    expect(formatTime('0001-01-01T00:00:00.000000Z', 'Asia/Kathmandu')).toBe('0001-01-01 05:41:16.000');
    expect(zoneName(Date.UTC(2026, 0, 1), 'Europe/Berlin')).toBe('UTC+1');
    expect(zoneName(Date.UTC(2026, 0, 1), 'America/St_Johns')).toBe('UTC-3:30');
    expect(zoneName(0, 'UTC')).toBe('UTC');
});

test('a tick says as much as tells it from the next', () => {
    const ms = Date.UTC(2024, 1, 29, 12, 34, 56);
    expect(formatTick(ms, 'UTC', 60_000)).toBe('12:34:56');
    expect(formatTick(ms, 'UTC', 86_400_000)).toBe('12:34');
    expect(formatTick(ms, 'UTC', 7 * 86_400_000)).toBe('2024-02-29');
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
