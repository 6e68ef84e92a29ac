import { expect, test } from 'vitest';

import { readLog } from '../src/api';
import { attributesOf, firstAttributes, isLarge, isNested, member, members, parts, readable } from '../src/json';

test('numbers keep their digits', () => {
    const json = '{"a":9007199254740993,"b":1.10,"c":1E400,"d":-0,"e":1e2,"f":[0.10,{"g":1.0}]}';
    expect(Object.fromEntries(members(json))).toEqual({
        a: '9007199254740993', b: '1.10', c: '1E400', d: '-0', e: '1e2', f: '[0.10,{"g":1.0}]',
    });
    expect(readable('1.10')).toBe('1.10');
    expect(readable('[0.10,{"g":1.0}]')).toBe('[\n  0.10,\n  {\n    "g": 1.0\n  }\n]');
});

test('names and strings may hold any mark of JSON', () => {
    const names = ['', 'a"b', 'a\\', '\\"', '{', ']', ',', ':', ' a ', '__proto__', 'é😀', '\u0001'];
    const values = ['"', '\\', '\\\\"', '}{', '[,]', ':', ''];
    for (const name of names) {
        for (const value of values) {
            const json = `{${JSON.stringify(name)} : ${JSON.stringify(value)}, "n" : [${JSON.stringify(value)} ]}`;
            const [[first, text], [, list]] = members(json) as [[string, string], [string, string]];
            expect([first, readable(text)]).toEqual([name, value]);
            expect(JSON.parse(readable(list))).toEqual([value]);
        }
    }
});

test('a value is laid out as JSON.stringify does, whatever it is', () => {
    const nested = { a: [], b: {}, c: [1, [2, { d: null }], 'x\n"'], e: { f: { g: true } }, h: ['é'] };
    expect(readable(JSON.stringify(nested))).toBe(JSON.stringify(nested, null, 2));
    expect(readable('[ ]')).toBe('[]');
    expect(readable('["\\u00e9"]')).toBe('[\n  "é"\n]');
    const deep = '['.repeat(120) + ']'.repeat(120);
    expect(JSON.parse(readable(deep))).toEqual(JSON.parse(deep));
});

test('plain and nested values are told apart, and strings that look nested', () => {
    expect(['{}', '[1]', '"{"', '1', 'null'].map(isNested)).toEqual([true, true, false, false, false]);
    expect(parts('[]')).toEqual([]);
    expect(member('{"a":1}', 'b')).toBe(undefined);
});

test('a log keeps the text that it was read from', () => {
    const json = '{"id":"7","timestamp":"t","level":"info","message":"m","attributes":{"n":1.10}}';
    expect(readLog(json)).toEqual({ id: '7', timestamp: 't', level: 'info', message: 'm', json });
});

test('a log of 20,000 attributes is read at once', () => {
    const json = JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, `"${n}\\`])));
    const begun = Date.now();
    expect(members(json).length).toBe(20_000);
    expect(Date.now() - begun).toBeLessThan(1000);
});

test('the first attributes of a log are those that all of them begin with, and no more is read for them', () => {
    const attributes = ['"a\\"b": {"x": [1, "]}"]}', '"attributes":1.10', '"c" : [ ]', ...Array.from({ length: 5000 }, (_, n) => `"f${n}": "${n},"`)];
    const json = `{"id":"1", "message":"\\"attributes\\": {", "attributes": {${attributes.join(', ')}}}`;
    expect(isLarge({ json })).toBe(true);
    expect(firstAttributes({ json }, 4)).toEqual([['a"b', '{"x": [1, "]}"]}'], ['attributes', '1.10'], ['c', '[ ]'], ['f0', '"0,"']]);
    expect(firstAttributes({ json }, 4)).toEqual(attributesOf({ json }).slice(0, 4));
    expect(attributesOf({ json }).length).toBe(5003);
    expect(firstAttributes({ json: json.slice(0, 1000) }, 4).length).toBe(4);
    expect(firstAttributes({ json: '{"id":"1"}' }, 4)).toEqual([]);
});
