import { afterEach, expect, test, vi } from 'vitest';

import { type View, formatView, parseView } from '../src/address';
import type { Log } from '../src/api';
import { attributeOf, isPermalink, isWholeTrace, originsOf, settled, sharedAtFirst, timesOfTrace, traceOf, viewAround, viewBack, viewOfShared, viewOfTrace } from '../src/around';
import { nextError } from '../src/errors';
import { searchOf } from '../src/saved';
import { fixed } from '../src/share';

const ID = '01a21039-56f8-7def-8123-456789abcdef';
const NOW = Date.UTC(2026, 10, 27, 20);

function log(attributes: string): Log {
    const timestamp = '2026-11-27T19:50:00.000004Z';
    return { id: ID, timestamp, level: 'info', message: 'm', json: `{"id":"${ID}","attributes":${attributes}}` };
}

afterEach(() => vi.unstubAllGlobals());

test('an attribute is found by its path, whichever names have the dots, and keeps its digits', () => {
    const found = log('{"a":{"b.c":{"d":9007199254740993}},"x.y":"z","n":null,"o":{}}');
    expect(attributeOf(found, 'a.b.c.d')).toBe('9007199254740993');
    expect(attributeOf(found, 'x.y')).toBe('z');
    for (const path of ['a', 'n', 'o', 'x', 'missing', 'a.b']) expect(attributeOf(found, path)).toBeUndefined();
});

test('where a log comes from is told by the first field of each kind', () => {
    const found = log('{"app":"a","service":"pay","host":{"name":"h1"},"k8s":{"pod":{"name":"p"}},"namespace":"shop"}');
    expect(originsOf(found)).toEqual(['service', 'host.name', 'k8s.pod.name', 'namespace']);
    expect(sharedAtFirst(found)).toEqual(['service', 'host.name']);
    expect(originsOf(log('{"n":1}'))).toEqual([]);
});

test('a log has a trace by any of its names, and none of zeros', () => {
    expect(traceOf(log('{"trace_id":"ab"}'))).toEqual({ path: 'trace_id', value: 'ab' });
    expect(traceOf(log('{"trace":{"id":"cd"}}'))).toEqual({ path: 'trace.id', value: 'cd' });
    expect(traceOf(log('{"trace_id":"0000","traceId":"e"}'))).toEqual({ path: 'traceId', value: 'e' });
    expect(traceOf(log('{"trace_id":"","dd":{"trace_id":7}}'))).toEqual({ path: 'dd.trace_id', value: '7' });
    expect(traceOf(log('{"trace":"text"}'))).toBeNull();
    const view = viewOfTrace(parseView('?query=x&since=2026-01-01&live=1'), log('{"trace_id":"a b"}'))!;
    expect(formatView(view)).toBe(`/?query=trace_id%3A%22a+b%22&range=all&order=oldest`);
});

test('the time of a trace is that of its logs, with a margin, and open while it may go on', () => {
    const whole = viewOfTrace(parseView(''), log('{"trace_id":"a b"}'))!;
    expect(isWholeTrace(whole)).toBe(true);
    for (const other of [{ range: '1h' }, { query: 'service:x' }, { query: `${whole.query} x` }, { oldest: false }, { since: '1h' }]) {
        expect(isWholeTrace({ ...whole, ...other })).toBe(false);
    }
    const [first, last] = ['2026-11-27T19:50:00.000004Z', '2026-11-27T19:50:05.000004Z'];
    expect(timesOfTrace(first, last, NOW)).toEqual({ since: '2026-11-27T19:49:59.000004Z', until: '2026-11-27T19:50:06.000004Z' });
    expect(timesOfTrace(first, '2026-11-27T20:50:00.000000Z', NOW + 86_400_000).since).toBe('2026-11-27T19:47:00.000004Z');
    expect(timesOfTrace(first, last, Date.parse(last) + 59_000).until).toBe('');
});

test('around a log what was asked for is off, and comes back', () => {
    const before = parseView('?query=level:error+x&off=host:h1&range=1h&live=1&tab=patterns');
    const around = viewAround(before, log('{}'), ['service'], NOW);
    expect([around.query, around.off, around.live]).toEqual(['', ['host:h1', 'level:error', 'x'], false]);
    expect(parseView(formatView(around).slice(1))).toEqual(around);
    const back = { ...before, id: ID };
    expect(viewBack(around)).toEqual(back);
    const further = viewAround({ ...around, query: 'typed', off: [], since: '2026-01-01T00:00:00Z' }, log('{}'), [], NOW);
    expect(viewBack(parseView(formatView(further).slice(1)))).toEqual(back);
    expect(viewBack(viewAround(parseView(''), log('{}'), [], NOW))).toEqual({ ...parseView(''), id: ID });
    expect(viewBack(parseView(`?around=&id=${ID}&query=x&off=y`))).toEqual(parseView(`?id=${ID}&query=x&off=y`));
    expect(searchOf(around)).toBe(formatView(before).slice(1));
    const link = fixed(around, NOW, undefined);
    expect(viewBack(link)).toMatchObject({ query: before.query, off: before.off, since: '2026-11-27T19:00:00.000Z', live: false });
    const closed: View = { ...around, id: '' };
    expect(formatView(closed)).toContain(`around=service&center=${ID}`);
    expect(parseView(formatView(closed).slice(1))).toEqual(closed);
});

test('what lies around a log is asked for by the values that it shares', () => {
    const view = parseView(`?query=x&around=service,attr.level,n,none&center=${ID}`);
    const found = log('{"service":"a b","attr":{"level":1},"n":7}');
    expect(viewOfShared(view, found)).toMatchObject({ query: 'x service:"a b" attr.attr.level:1 n:7 -none:*', around: null });
});

test('a range that lacks the log is that of the half hours beside it', () => {
    const around = viewAround(parseView('?range=15m'), log('{}'), [], NOW + 86_400_000);
    expect([around.since, around.until]).toEqual(['2026-11-27T19:20:00.000004Z', '2026-11-27T20:20:00.000004Z']);
});

test('another time or live leads out of it, and nothing else does', () => {
    const around = viewAround(parseView(''), log('{}'), [], NOW);
    expect(settled(around, { ...around, range: '7d' }).around).toBeNull();
    expect(settled(around, { ...around, live: true }).around).toBeNull();
    expect(settled(around, { ...around, query: 'x', id: '' }).around).toEqual([]);
    expect(settled(parseView(''), around).around).toEqual([]);
});

test('an address that names a log alone is a permalink', () => {
    expect(isPermalink(parseView(`?id=${ID}`))).toBe(true);
    for (const more of ['query=x', 'since=2026-01-01', 'live=1', 'around=']) expect(isPermalink(parseView(`?id=${ID}&${more}`))).toBe(false);
});

test('the next error is looked for in slices, on its side alone', async () => {
    const asked: string[] = [];
    const answers = [
        { logs: [{ id: ID }], next: null, previous: 'p1', around: 0 },
        { logs: [], next: null, previous: 'p2', around: null },
        { logs: [{ id: 'found' }], next: null, previous: null, around: null },
    ];
    vi.stubGlobal('fetch', async (path: string) => {
        asked.push(path);
        return { ok: true, text: async () => JSON.stringify(answers[asked.length - 1]) };
    });
    const view = parseView('?query=a+OR+b&range=all');
    const found = await nextError(view, log('{}'), false, NOW, new AbortController().signal);
    expect(found?.id).toBe('found');
    const params = asked.map((path) => new URL(path, 'http://h').searchParams);
    expect(params.map((p) => p.get('query'))).toEqual(Array(3).fill('(a OR b) level:>=error'));
    expect(params.map((p) => [p.get('before'), p.get('after'), p.get('cursor')])).toEqual([['0', '1', null], ['1', '1', 'p1'], ['1', '1', 'p2']]);
});
