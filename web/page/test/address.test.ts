import { expect, test } from 'vitest';

import {
    type View, apiParams, chipsOf, filterParams, formatView, levelFilter, levelsNamed, parseView, rangeOf, textOf, toggleTerm,
    unknownRange, withLevels, withLive, withTerm, withText, withoutTerm,
} from '../src/address';

const ALL =
    '/?query=service%3Apay+%22a+b%22&off=-host%3Ax&range=1h&live=1&zone=utc&id=7&around=service%2Chost' +
    '&back=query%3Dx%26off%3Dy&tab=patterns&sort=rarest&new=24h&column=http.status&column=a%2Cb&by=host&order=oldest&wrap=1';

test('an address becomes a view, and the same address again', () => {
    expect(formatView(parseView(ALL.slice(1)))).toBe(ALL);
    expect(formatView(parseView(''))).toBe('/');
    expect(formatView(parseView('?column='))).toBe('/?column=');
    expect(formatView(parseView('?zone=Europe/Berlin'))).toBe('/?zone=Europe%2FBerlin');
});

test('what is no parameter of a view is left out', () => {
    const search = '?utm=1&attr.=x&range=2y&live=yes&level2=x&__proto__=1&zone=Mars/Base&around=a&tab=x&sort=x&new=x&back=x&order=up&wrap=yes';
    expect(formatView(parseView(search))).toBe('/');
});

test('an address from before the query language asks for the same', () => {
    const query = (search: string): string => parseView(search).query;
    expect(query('?level=error&level=warning&q=a+b&attr.user=x%26y&not.level=debug&not.attr.h=1')).toBe(
        'level:(error OR warning) "a b" user:"x&y" -level:debug -h:1',
    );
    expect(query('?attr.seq=&not.attr.q=&attr.a=&q=&not.q=')).toBe('seq:"" -q:"" a:""');
    expect(query('?attr.level=x&attr.attr.y=z&attr.a+b=%22')).toBe('attr.level:x attr.attr.y:z "a b":"\\""');
    expect(query('?not.q=a&not.q=b&not.attr.s=1&not.attr.s=2')).toBe('-a -b -s:1 -s:2');
    expect(query('?query=a+OR+b&level=error')).toBe('(a OR b) level:error');
});

test('a range can be any length', () => {
    const now = Date.UTC(2024, 1, 29, 12);
    expect(rangeOf(parseView('?range=45m'), now).since).toBe('2024-02-29T11:15:00.000Z');
    expect(rangeOf(parseView('?range=2w'), now).since).toBe('2024-02-15T12:00:00.000Z');
    expect(parseView('?range=0m').range).toBe('24h');
});

test('a range that is none is told, unless times count instead', () => {
    expect(['2y', '0m', '123456w', 'x'].map((range) => unknownRange(`?range=${range}`))).toEqual(['2y', '0m', '123456w', 'x']);
    expect(['', '?range=', '?range=all', '?range=99999w', '?range=2y&since=2024-01-01'].map(unknownRange)).toEqual(['', '', '', '', '']);
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

test('live has no end', () => {
    expect(parseView('?live=1&until=2024-01-01').live).toBe(false);
    expect(formatView(withLive(parseView('?until=2024-01-01'), true))).toBe('/?live=1');
});

test('a tail takes the query and no times', () => {
    expect(String(filterParams(parseView('?level=a&since=2024-01-01')))).toBe('query=level%3Aa');
    expect(String(filterParams(parseView('?off=level:a')))).toBe('');
});

const asked = (query: string): View => ({ ...parseView(''), query });

test('a term replaces its opposite, and is there once', () => {
    let view = withTerm(asked('-a:1 b:2 text'), 'a:1');
    view = withTerm(view, 'a:1');
    expect(view.query).toBe('b:2 a:1 text');
    expect(withTerm(view, '-a:1').query).toBe('b:2 -a:1 text');
    expect(withoutTerm(view, 'b:2').query).toBe('a:1 text');
    expect(withTerm(asked('x OR y'), 'a:1').query).toBe('a:1 (x OR y)');
});

test('a term that is switched off is shown and not asked for', () => {
    let view = toggleTerm(asked('a:1 b:2'), 'a:1');
    expect([view.query, view.off]).toEqual(['b:2', ['a:1']]);
    expect(chipsOf(view)).toEqual([{ text: 'b:2', isOff: false }, { text: 'a:1', isOff: true }]);
    view = toggleTerm(view, 'a:1');
    expect([view.query, view.off]).toEqual(['b:2 a:1', []]);
    expect(withoutTerm(toggleTerm(view, 'a:1'), 'a:1').off).toEqual([]);
});

test('there is one text beside the chips', () => {
    const view = withText(asked('a level:x b'), 'c OR d');
    expect(view.query).toBe('level:x (c OR d)');
    expect(textOf(view)).toBe('(c OR d)');
    expect(withText(view, '').query).toBe('level:x');
});

test('levels are one term', () => {
    expect(levelsNamed(asked('x level:(error OR "my level") level:>=info'))).toEqual(['error', 'my level']);
    expect(levelsNamed(asked('-level:error level:>=info'))).toEqual([]);
    expect(withLevels(asked('level:error x'), ['error', 'info']).query).toBe('level:(error OR info) x');
    expect(withLevels(asked('level:error x'), []).query).toBe('x');
    expect(withLevels(asked('level:>=warning -level:alert x'), ['info']).query).toBe('level:info x');
});

test('a term of levels lets through what it finds', () => {
    const all = ['trace', 'debug', 'info', 'notice', 'warn', 'Error', 'fatal', 'alert', 'custom', ''];
    const passed = (query: string): string => all.filter(levelFilter(asked(query))).join(' ');
    expect(passed('x')).toBe('');
    expect(passed('level:>=warning')).toBe('warn Error fatal alert');
    expect(passed('level:<info')).toBe('trace debug');
    expect(passed('level:[notice TO err]')).toBe('notice warn Error');
    expect(passed('level:{notice TO *]')).toBe('warn Error fatal alert');
    expect(passed('level:(error OR warn*)')).toBe('warn Error');
    expect(passed('level:(>=info AND <critical)')).toBe('info notice warn Error');
    expect(passed('level:(NOT (info OR -"custom"))')).toBe('custom');
    expect(passed('level:critical')).toBe('fatal');
    expect(passed('level:*o*')).toBe('info notice Error custom');
    expect(passed('-level:>=debug')).toBe('trace custom ');
    expect(passed('level:"" x')).toBe('');
    expect(levelFilter(asked('level:""'))('')).toBe(true);
    expect(passed('level:>=info -level:error')).toBe('info notice warn fatal alert');
    expect(passed('level:>=custom')).toBe('');
});

test('a term is one chip, however often it is there', () => {
    const twice = { ...asked('a:b a:b c:d'), off: ['a:b', 'e:f', 'e:f'] };
    expect(chipsOf(twice).map(({ text, isOff }) => (isOff ? '~' : '') + text)).toEqual(['a:b', 'c:d', '~e:f']);
    const off = toggleTerm(twice, 'a:b');
    expect([off.query, off.off]).toEqual(['c:d', ['e:f', 'e:f', 'a:b']]);
    expect(toggleTerm(off, 'a:b').query).toBe('c:d a:b');
});
