import { expect, test } from 'vitest';

import {
    apiParams, filterParams, formatView, parseView, textOf, withFilter, withLive, withText, withoutFilter,
} from '../src/address';

const ALL =
    '/?level=error&level=warning&q=a+b&attr.user=x%26y&not.level=debug&not.attr.h=1&range=1h&live=1&zone=utc&id=7';

test('an address becomes a view, and the same address again', () => {
    expect(formatView(parseView(ALL.slice(1)))).toBe(ALL);
    expect(formatView(parseView(''))).toBe('/');
});

test('what is no parameter of a view is left out', () => {
    expect(formatView(parseView('?utm=1&attr.=x&range=2h&live=yes&level2=x&__proto__=1'))).toBe('/');
});

test('times that are given count instead of a range', () => {
    const view = parseView('?range=1h&since=2024-01-01T00:00:00Z');
    expect(formatView(view)).toBe('/?since=2024-01-01T00%3A00%3A00Z');
    expect(apiParams(view, 0).get('since')).toBe('2024-01-01T00:00:00Z');
});

test('a range is from so long before now; all time has no beginning', () => {
    const now = Date.UTC(2024, 1, 29, 12);
    expect(apiParams(parseView('?range=15m'), now).get('since')).toBe('2024-02-29T11:45:00.000Z');
    expect(apiParams(parseView(''), now).get('since')).toBe('2024-02-28T12:00:00.000Z');
    expect(apiParams(parseView('?range=all'), now).has('since')).toBe(false);
});

test('a relative range ends now; all time and one without an end do not', () => {
    const now = Date.UTC(2024, 1, 29, 12);
    expect(Date.parse(apiParams(parseView('?range=15m'), now).get('until')!) - now).toBe(2000);
    expect(apiParams(parseView('?range=all'), now).has('until')).toBe(false);
    expect(apiParams(parseView('?since=2024-01-01'), now).has('until')).toBe(false);
});

test('a filter for an empty value is kept, of a name that ends with q, too', () => {
    expect(formatView(parseView('?attr.seq=&not.attr.q=&attr.a=&q=&not.q='))).toBe('/?attr.seq=&not.attr.q=&attr.a=');
});

test('live has no end', () => {
    expect(parseView('?live=1&until=2024-01-01').live).toBe(false);
    expect(formatView(withLive(parseView('?until=2024-01-01'), true))).toBe('/?live=1');
});

test('a tail takes filters and no times', () => {
    expect(String(filterParams(parseView('?level=a&since=2024-01-01&q=x')))).toBe('level=a&q=x');
});

test('a filter replaces its opposite, and is there once', () => {
    let view = parseView('?not.attr.a=1&attr.a=2');
    view = withFilter(view, { name: 'attr.a', value: '1' });
    view = withFilter(view, { name: 'attr.a', value: '1' });
    expect(formatView(view)).toBe('/?attr.a=2&attr.a=1');
    expect(formatView(withoutFilter(view, { name: 'attr.a', value: '2' }))).toBe('/?attr.a=1');
});

test('there is one text to search for', () => {
    const view = withText(parseView('?q=a&q=b&level=x'), 'c');
    expect(textOf(view)).toBe('c');
    expect(formatView(view)).toBe('/?level=x&q=c');
    expect(formatView(withText(view, ''))).toBe('/?level=x');
});
