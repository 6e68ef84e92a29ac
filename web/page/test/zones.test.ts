/* Clocks that jump, stand apart by half an hour, or by seconds: as the time zone database has them. */
import { expect, test, vi } from 'vitest';

import { formatTick, fromMoment, offsetOf, toMoment, zoneName } from '../src/time';

const at = (time: string): number => Date.parse(time);

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the zone's clock shows, by other means than ours: Swedes write "1900-01-01 00:00:00". */
function clock(ms: number, zone: string): string {
    let format = formats.get(zone);
    if (!format) formats.set(zone, (format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' })));
    return format.format(ms);
}

/** Some of them: each takes a format of its own, which is dear. */
const ZONES = Intl.supportedValuesOf('timeZone').filter((_, n) => n % 6 === 0);

test('a zone shows what its clocks show, this year and in former ones', () => {
    for (const zone of ZONES) {
        for (let ms = at('1900-01-01T00:00:00Z'); ms < at('2040-01-01T00:00:00Z'); ms += 86_400_000 * 1987 + 4_567_891) {
            expect(toMoment(ms, zone).slice(0, 19), zone).toBe(clock(ms, zone));
        }
    }
}, 60_000);

test('what the clock shows leads back to a moment at which it shows that', () => {
    for (const zone of ZONES) {
        for (let ms = at('1995-01-01T00:00:00Z'); ms < at('2030-01-01T00:00:00Z'); ms += 86_400_000 * 593 + 1_234_567) {
            const text = toMoment(ms, zone);
            expect(toMoment(at(fromMoment(text, zone)), zone), zone).toBe(text);
        }
    }
}, 60_000);

test('in spring an hour is not there, in autumn one is there twice', () => {
    const zone = 'Europe/Berlin';
    expect(toMoment(at('2026-03-29T00:59:59.999Z'), zone)).toBe('2026-03-29 01:59:59.999');
    expect(toMoment(at('2026-03-29T01:00:00Z'), zone)).toBe('2026-03-29 03:00:00.000');
    expect(toMoment(at('2026-10-25T00:30:00Z'), zone)).toBe('2026-10-25 02:30:00.000+02:00');
    expect(toMoment(at('2026-10-25T01:30:00Z'), zone)).toBe('2026-10-25 02:30:00.000+01:00');
    // Each second of both nights leads back to where it came from.
    for (const night of ['2026-03-28T22:00:00Z', '2026-10-24T22:00:00Z']) {
        for (let ms = at(night); ms < at(night) + 6 * 3_600_000; ms += 61_000) {
            const text = toMoment(ms, zone);
            expect(at(fromMoment(text, zone) || text.replace(' ', 'T'))).toBe(ms); // with an offset it is a time by itself
        }
    }
    // What no clock showed is a moment of that night, and not an error or another day.
    const gap = at(fromMoment('2026-03-29 02:30', zone));
    expect(Math.abs(gap - at('2026-03-29T01:00:00Z'))).toBeLessThanOrEqual(3_600_000);
});

test('zones apart by half an hour, by quarters, and half an hour in summer', () => {
    const ms = at('2026-07-01T12:00:00Z');
    expect(toMoment(ms, 'Asia/Kolkata')).toBe('2026-07-01 17:30:00.000');
    expect(toMoment(ms, 'Asia/Kathmandu')).toBe('2026-07-01 17:45:00.000');
    expect(toMoment(ms, 'America/St_Johns')).toBe('2026-07-01 09:30:00.000');
    const names = ['Asia/Kolkata', 'Asia/Kathmandu', 'America/St_Johns', 'Europe/Berlin', 'UTC', 'Pacific/Kiritimati'];
    expect(names.map((zone) => zoneName(ms, zone))).toEqual(['UTC+5:30', 'UTC+5:45', 'UTC-2:30', 'UTC+2', 'UTC', 'UTC+14']);
    expect(toMoment(at('2026-04-04T14:59:59Z'), 'Australia/Lord_Howe')).toBe('2026-04-05 01:59:59.000+11:00');
    expect(toMoment(at('2026-04-04T15:00:00Z'), 'Australia/Lord_Howe')).toBe('2026-04-05 01:30:00.000+10:30');
    expect(formatTick(ms, 'Asia/Kathmandu', 86_400_000)).toBe('17:45');
});

test('the zone of the browser is what its clocks show, to the second', () => {
    vi.stubEnv('TZ', 'Africa/Monrovia');
    expect(toMoment(at('1900-01-01T00:00:00Z'), '')).toBe('1899-12-31 23:16:52.000');
    expect(fromMoment('1899-12-31 23:16:52', '')).toBe('1900-01-01T00:00:00.000Z');
    vi.stubEnv('TZ', 'Asia/Kathmandu');
    expect(toMoment(at('2026-07-01T12:00:00.5Z'), '')).toBe('2026-07-01 17:45:00.500');
    vi.unstubAllEnvs();
});

test('clocks of 1900 went by the sun, apart by seconds', () => {
    const ms = at('1900-01-01T00:00:00Z');
    expect(toMoment(ms, 'Africa/Monrovia')).toBe('1899-12-31 23:16:52.000');
    expect(offsetOf(ms, 'Africa/Monrovia')).toBe(-2_588_000);
    expect(fromMoment('1899-12-31 23:16:52', 'Africa/Monrovia')).toBe('1900-01-01T00:00:00.000Z');
    expect(toMoment(ms + 123, 'Asia/Kolkata')).toBe(`${clock(ms, 'Asia/Kolkata')}.123`);
});

test('the day at the date line is the other one, and a year may be left out of it', () => {
    expect(toMoment(at('2026-01-01T00:00:00Z'), 'Pacific/Pago_Pago')).toBe('2025-12-31 13:00:00.000');
    // Samoa had no 30 December 2011.
    expect(toMoment(at('2011-12-30T09:59:59Z'), 'Pacific/Apia')).toBe('2011-12-29 23:59:59.000');
    expect(toMoment(at('2011-12-30T10:00:00Z'), 'Pacific/Apia')).toBe('2011-12-31 00:00:00.000');
});

test('the first and the last log there can be are shown in every zone', () => {
    for (const zone of ['UTC', 'Pacific/Kiritimati', 'Pacific/Pago_Pago', 'America/New_York']) {
        for (const time of ['0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z']) {
            expect(toMoment(at(time), zone)).toMatch(/^(-|0|\d)\d{3,5}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
        }
    }
});
