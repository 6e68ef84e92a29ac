import { beforeEach, expect, test, vi } from 'vitest';

import { PAST_QUERIES_MAX, PAST_QUERY_LENGTH_MAX, pastQueries, rememberQuery } from '../src/past_queries';

let kept: Record<string, string> = {};

beforeEach(() => {
    kept = {};
    vi.stubGlobal('localStorage', {
        getItem: (key: string) => kept[key] ?? null,
        setItem: (key: string, value: string) => void (kept[key] = value),
    });
});

test('queries are remembered, the last first, each once', () => {
    expect(pastQueries()).toEqual([]);
    for (const query of ['a', 'b', '', 'a']) rememberQuery(query);
    expect(pastQueries()).toEqual(['a', 'b']);
});

test('they have a bound, in number and length', () => {
    for (let n = 0; n < PAST_QUERIES_MAX + 20; n++) rememberQuery(`query ${n}`);
    rememberQuery('x'.repeat(PAST_QUERY_LENGTH_MAX + 1));
    expect(pastQueries()).toHaveLength(PAST_QUERIES_MAX);
    expect(pastQueries()[0]).toBe(`query ${PAST_QUERIES_MAX + 19}`);
});

test('without storage there are none, and what is no list of texts is left alone', () => {
    kept['logmill.queries'] = '{"a":1}';
    expect(pastQueries()).toEqual([]);
    kept['logmill.queries'] = '["a",1,null]';
    expect(pastQueries()).toEqual(['a']);
    kept['logmill.queries'] = '[';
    expect(pastQueries()).toEqual([]);
    vi.stubGlobal('localStorage', {
        getItem: () => { throw new Error('forbidden'); },
        setItem: () => { throw new Error('forbidden'); },
    });
    rememberQuery('a');
    expect(pastQueries()).toEqual([]);
});
