import { expect, test } from 'vitest';

import { parseTimes } from '../src/moment';
import { type Times, rangeText, timesText } from '../src/times_text';

/** A Friday. */
const NOW = Date.UTC(2026, 10, 27, 21, 30, 15);

function parse(text: string, zone = 'UTC', now = NOW): string {
    const times = parseTimes(text, now, zone);
    if ('wrong' in times) return times.wrong;
    if (!times.since && !times.until) return times.range;
    return [times.since, times.until].map((time) => time.replace(':00.000Z', '').replace('.000Z', '')).join(' to ');
}

test('a length of time is that before now', () => {
    for (const text of ['30m', '30 min', 'last 30 minutes', 'Past 30 Minutes', '30m ago']) expect(parse(text)).toBe('30m');
    expect(parse('2h')).toBe('2h');
    expect(parse('1h30m')).toBe('90m');
    expect(parse('90 s')).toBe('90s');
    expect(parse('120 s')).toBe('2m');
    expect(parse('last hour')).toBe('1h');
    expect(parse('1 day')).toBe('24h');
    expect(parse('2 weeks')).toBe('14d');
    for (const text of ['all', 'All time', 'everything']) expect(parse(text)).toBe('all');
});

test('a day, an hour, a minute or a second alone is all of it', () => {
    expect(parse('today')).toBe('2026-11-27T00:00 to 2026-11-28T00:00');
    expect(parse('yesterday')).toBe('2026-11-26T00:00 to 2026-11-27T00:00');
    const day = '2026-11-24T00:00 to 2026-11-25T00:00';
    for (const text of ['2026-11-24', '24 Nov', 'nov 24', 'November 24th, 2026', '24. November', '24.11.', '24.11.2026', 'tuesday', 'last tue']) {
        expect(parse(text), text).toBe(day);
    }
    expect(parse('friday')).toBe('2026-11-27T00:00 to 2026-11-28T00:00');
    expect(parse('last friday')).toBe('2026-11-20T00:00 to 2026-11-21T00:00');
    expect(parse('7pm')).toBe('2026-11-27T19:00 to 2026-11-27T20:00');
    expect(parse('12am')).toBe('2026-11-27T00:00 to 2026-11-27T01:00');
    for (const text of ['27 Nov 19:50', '2026-11-27 19:50', '2026-11-27T19:50', 'today 19:50', 'fri at 7:50 pm']) {
        expect(parse(text), text).toBe('2026-11-27T19:50 to 2026-11-27T19:51');
    }
    expect(parse('2026-11-27 19:50:07')).toBe('2026-11-27T19:50:07 to 2026-11-27T19:50:08');
    expect(parse('2026-11-27 19:50:07.123')).toBe('2026-11-27T19:50:07.123Z to 2026-11-27T19:50:07.124Z');
    expect(parse('2026-11-27T19:50:07Z', 'Asia/Kolkata')).toBe('2026-11-27T19:50:07 to 2026-11-27T19:50:08');
    expect(parse('2026-11-27T19:50:07+01:00')).toBe('2026-11-27T18:50:07 to 2026-11-27T18:50:08');
    expect(parse('1795809007')).toBe('2026-11-27T19:50:07 to 2026-11-27T19:50:08');
    expect(parse('1795809007123')).toBe('2026-11-27T19:50:07.123Z to 2026-11-27T19:50:07.124Z');
});

test('what is left out is the last that was', () => {
    expect(parse('22:00')).toBe('2026-11-26T22:00 to 2026-11-26T22:01');
    expect(parse('28 Nov')).toBe('2025-11-28T00:00 to 2025-11-29T00:00');
    expect(parse('29 Feb')).toBe('2024-02-29T00:00 to 2024-03-01T00:00');
});

test('from one time to another', () => {
    const times = '2026-11-27T19:50 to 2026-11-27T20:00';
    for (const text of [
        '19:50 – 20:00', '19:50-20:00', '19:50 - 20:00', '19:50–20:00', '19:50..20:00', '19:50 to 20:00', 'from 19:50 until 20:00',
        'between 19:50 and 20:00', '27 Nov 19:50 – 20:00', '27 Nov 19:50 – 27 Nov 20:00', '19:50 – 27 Nov 20:00', '7:50pm – 8pm',
        '2026-11-27 19:50:00.000 – 2026-11-27 20:00:00.000', '2026-11-27T19:50:00Z – 2026-11-27T20:00:00Z', '2026-11-27T19:50:00Z – 20:00',
    ]) {
        expect(parse(text), text).toBe(times);
    }
    expect(parse('26 Nov 23:00 – 01:00')).toBe('2026-11-26T23:00 to 2026-11-27T01:00');
    expect(parse('22:00 – 23:00')).toBe('2026-11-26T22:00 to 2026-11-26T23:00');
    expect(parse('22 Nov – 24 Nov')).toBe('2026-11-22T00:00 to 2026-11-25T00:00');
    expect(parse('2h ago – 1h ago')).toBe('2026-11-27T19:30:15 to 2026-11-27T20:30:15');
    expect(parse('now-1h – now')).toBe('2026-11-27T20:30:15 to 2026-11-27T21:30:15');
    expect(parse('24 Nov – 22 Nov')).toBe('It ends before it begins');
});

test('with one end alone', () => {
    expect(parse('since monday')).toBe('2026-11-23T00:00 to ');
    expect(parse('since 19:50')).toBe('2026-11-27T19:50 to ');
    expect(parse('from 2h ago')).toBe('2026-11-27T19:30:15 to ');
    expect(parse('after 24 Nov')).toBe('2026-11-25T00:00 to ');
    expect(parse('before 24 Nov')).toBe(' to 2026-11-24T00:00');
});

test('times are those of the zone', () => {
    expect(parse('24 Nov', 'Europe/Berlin')).toBe('2026-11-23T23:00 to 2026-11-24T23:00');
    expect(parse('today', 'Pacific/Auckland')).toBe('2026-11-27T11:00 to 2026-11-28T11:00');
    // A day of 25 hours.
    expect(parse('2026-10-25', 'Europe/Berlin')).toBe('2026-10-24T22:00 to 2026-10-25T23:00');
});

test('what is no time is told so', () => {
    for (const text of ['', 'x', '30 x', '31 Feb', '25:00', '19:60', 'since', '19:50 –', '– 20:00', 'a – b', '2026-13-01', '0s', 'now', '13pm', '1 – 2 – 3', '9'.repeat(400), '19:50:']) {
        expect(parse(text), text).toMatch(/^Not understood: it can be 30m/);
    }
});

test('what a range is called', () => {
    expect(rangeText('24h')).toBe('Last 24 hours');
    expect(rangeText('1h')).toBe('Last hour');
    expect(rangeText('45m')).toBe('Last 45 minutes');
    expect(rangeText('all')).toBe('All time');
});

test('times are told in words that are understood as the same times', () => {
    const words: Record<string, string> = {
        '19:50 – 20:00': '27 Nov 19:50 – 20:00',
        '26 nov 19:50 – 27 nov 20:00:01': '26 Nov 19:50 – 27 Nov 20:00:01',
        '24 nov': '24 Nov',
        '22 nov – 24 nov': '22 Nov – 24 Nov',
        '31 dec 2025': '31 Dec 2025',
        '19:50:07.123 – 19:50:08': '27 Nov 19:50:07.123 – 19:50:08',
        'since monday': 'Since 23 Nov 00:00',
        'until 27 nov 20:00': 'Until 27 Nov 20:00',
        '30m': 'Last 30 minutes',
        all: 'All time',
    };
    for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kolkata']) {
        for (const [written, told] of Object.entries(words)) {
            const times = parseTimes(written, NOW - 3_600_000, zone) as Times;
            const text = timesText(times, NOW, zone);
            if (zone === 'UTC') expect(text).toBe(told);
            expect(parseTimes(text, NOW, zone), text).toEqual(times);
        }
    }
    expect(timesText({ range: '24h', since: '2h', until: 'now' }, NOW, 'UTC')).toBe('2h – now');
});
