import { expect, test } from 'vitest';

import { COMPLETIONS_MAX, complete, namesFor, placeOf, valuesFor } from '../src/complete';

/** `|` is the caret. What is written there: "field=typed", and what a completion would take the place of. */
function at(text: string): string | null {
    const caret = text.indexOf('|');
    const whole = text.replace('|', '');
    const place = placeOf(whole, caret);
    return place && `${place.field ?? ''}=${place.typed} [${whole.slice(place.from, place.until)}]`;
}

test('where a name or a value is written', () => {
    expect(at('|')).toBe('= []');
    expect(at('serv|')).toBe('=serv [serv]');
    expect(at('-serv|')).toBe('=serv [serv]');
    expect(at('payment serv|')).toBe('=serv [serv]');
    expect(at('(serv|')).toBe('=serv [serv]');
    expect(at('ser|vice:pay')).toBe('=ser [service:]');
    expect(at('service:|')).toBe('service= []');
    expect(at('service:p|ay x')).toBe('service=p [pay]');
    expect(at('-service:pa|')).toBe('service=pa [pa]');
    expect(at('http.status:>=5|')).toBe('http.status=5 [5]');
    expect(at('service:(pay OR ca|)')).toBe('service=ca [ca]');
    expect(at('service:(pay OR |')).toBe('service= []');
    expect(at('(service:pay OR ho|')).toBe('=ho [ho]');
    expect(at('service:(pay) ho|')).toBe('=ho [ho]');
    expect(at('"strange name":x|')).toBe('strange name=x [x]');
    expect(at('service:"a b|')).toBe('service=a b ["a b]');
    expect(at('service:"a |b" x')).toBe('service=a  ["a b"]');
    expect(at('"pool ex|')).toBe('=pool ex ["pool ex]');
    expect(at('"a:b" ser|')).toBe('=ser [ser]');
    expect(at('/a b:c/ ser|')).toBe('=ser [ser]');
});

test('where nothing can be completed', () => {
    for (const text of ['/time.?o|', 'http.path:/^\\/a|', 'ms:[1 TO |', 'host:web*|', 'host:*|']) expect(at(text), text).toBeNull();
    expect(at('10:0|')).toBe('=10:0 [10:0]');
    expect(at('http://exa|')).toBe('=http://exa [http://exa]');
    expect(at('std::ve|')).toBe('=std::ve [std::ve]');
});

function taken(text: string, completion: string): string {
    const caret = text.indexOf('|');
    const whole = text.replace('|', '');
    const [then, at] = complete(whole, placeOf(whole, caret)!, { text: completion, label: '', detail: '' });
    return `${then.slice(0, at)}|${then.slice(at)}`;
}

test('a completion takes the place of what was written', () => {
    expect(taken('a serv|', 'service:')).toBe('a service:|');
    expect(taken('ser|vice:pay', 'service:')).toBe('service:|pay');
    expect(taken('service:p|', 'pay')).toBe('service:pay |');
    expect(taken('service:p| x', 'pay')).toBe('service:pay | x'.replace(' | ', ' |'));
    expect(taken('service:(pay OR c|)', 'cart')).toBe('service:(pay OR cart|)');
    expect(taken('service:"a|', '"a b"')).toBe('service:"a b" |');
});

const FIELDS = [
    { path: 'level', logs: 1200, types: { string: 1200 } },
    { path: 'service', logs: 1000, types: { string: 1000 } },
    { path: 'http.status', logs: 7, types: { number: 5, string: 2 } },
    { path: 'strange name', logs: 1, types: { string: 1 } },
    { path: 'attr.since', logs: 1, types: { string: 1 } },
];

test('names are offered with their types and counts, those that begin so first', () => {
    const names = (typed: string): string[] => namesFor(placeOf(typed, typed.length)!, FIELDS).map(({ text, detail }) => `${text} ${detail}`);
    expect(names('s')).toEqual(['service: string · 1,000', '"strange name": string · 1', 'since: from then on', 'http.status: number · 7', 'attr.since: string · 1']);
    expect(names('STAT')).toEqual(['http.status: number · 7']);
    expect(names('lev')).toEqual(['level: 1,200']);
    expect(names('ervice')).toEqual([]);
    expect(namesFor(placeOf('', 0)!, [])).toHaveLength(8);
});

test('values are offered with their counts; usual ones that no log has, behind them', () => {
    const values = [{ value: 'ERROR', count: 3000 }, { value: 'two words', count: 5 }, { value: null, count: 4 }, { value: '', count: 1 }];
    const offered = (typed: string): string[] =>
        valuesFor(placeOf(`level:${typed}`, 6 + typed.length)!, values, ['error', 'warning']).map(({ text, detail }) => `${text} ${detail}`);
    expect(offered('')).toEqual(['ERROR 3,000', '"two words" 5', 'warning ']);
    expect(offered('w')).toEqual(['warning ', '"two words" 5']);
    expect(offered('warning')).toEqual([]);
    const many = Array.from({ length: 50 }, (_, n) => ({ value: `v${n}`, count: 1 }));
    expect(valuesFor(placeOf('k:', 2)!, many)).toHaveLength(COMPLETIONS_MAX);
});
