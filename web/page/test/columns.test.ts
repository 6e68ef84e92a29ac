import { beforeEach, expect, test, vi } from 'vitest';

import { parseView } from '../src/address';
import { type Log, readLog } from '../src/api';

/** As when the page has just been opened: no columns are chosen. */
let columns: typeof import('../src/columns');
beforeEach(async () => {
    vi.resetModules();
    columns = await import('../src/columns');
});

let logs = 0;

function log(attributes: object | string, message = 'm'): Log {
    const text = typeof attributes === 'string' ? attributes : JSON.stringify(attributes);
    const id = `0190${String(logs++).padStart(8, '0')}`;
    return readLog(`{"id":"${id}","timestamp":"2026-11-27T19:50:00.000000Z","level":"info","message":${JSON.stringify(message)},"attributes":${text}}`);
}

function many(count: number, attributes: (n: number) => object): Log[] {
    return Array.from({ length: count }, (_, n) => log(attributes(n)));
}

test('values are found by their path as the server finds them, and are as they were written', () => {
    const { cellOf, valuesAt } = columns;
    const json = '{"a":{"b":1.10},"a.b":"x","c":[{"d":1},{"d":[2,[3]]}],"e":null,"f":{"g":{"h":true}},"__proto__":"p"}';
    expect(valuesAt(json, 'a.b')).toEqual(['1.10', '"x"']);
    expect(valuesAt(json, 'c.d')).toEqual(['1', '2', '3']);
    expect(valuesAt(json, 'e')).toEqual(['null']);
    expect(valuesAt(json, 'f.g.h')).toEqual(['true']);
    expect(valuesAt(json, '__proto__')).toEqual(['"p"']);
    expect(valuesAt(json, 'a.c')).toEqual([]);
    expect(valuesAt(json, 'toString')).toEqual([]);
    const one = log('{"n":9007199254740993,"o":{"p":[1.0]},"t":["slow","db"],"s":"a\\nb\\u202e"}');
    expect(cellOf(one, 'n')).toBe('9007199254740993');
    expect(cellOf(one, 'o')).toBe('{"p":[1.0]}');
    expect(cellOf(one, 't')).toBe('slow, db');
    expect(cellOf(one, 's')).toBe('a⏎ b‹U+202E›');
    expect(cellOf(one, 'none')).toBe('');
    expect(cellOf(log({ long: 'x'.repeat(9999) }), 'long').length).toBeLessThan(210);
});

test('by itself the list has what tells who wrote a log: service before host, host before others', () => {
    const { chooseColumns } = columns;
    const who = many(50, (n) => ({ zone: `z${n % 3}`, host: `h${n % 4}`, service: `s${n % 5}`, trace_id: `t${n}`, n }));
    expect(chooseColumns(who)).toEqual(['service', 'host']);
    expect(chooseColumns(many(50, (n) => ({ service: { name: `s${n % 5}` }, k8s: { pod: { name: `p${n % 7}` } } })))).toEqual([
        'service.name', 'k8s.pod.name',
    ]);
    expect(chooseColumns(many(50, (n) => ({ zone: `z${n % 3}`, area: `a${n % 4}` })))).toEqual(['zone']);
});

test('no column is made of what few logs have, of one value, of many, of long ones, or of what the message says', () => {
    const { chooseColumns } = columns;
    expect(chooseColumns(many(50, (n) => (n % 5 ? { service: `s${n % 2}` } : {})))).toEqual([]);
    expect(chooseColumns(many(50, () => ({ zone: 'one', logger: 'one' })))).toEqual([]);
    expect(chooseColumns(many(7, (n) => ({ zone: `z${n % 2}` })))).toEqual([]);
    expect(chooseColumns(many(50, (n) => ({ host: `h${n}` })))).toEqual([]);
    expect(chooseColumns(many(50, (n) => ({ app: `${n % 2}`.repeat(30) })))).toEqual([]);
    expect(chooseColumns(many(50, (n) => ({ pid: n % 3 })))).toEqual([]);
    expect(chooseColumns(Array.from({ length: 50 }, (_, n) => log({ path: `/p${n % 3}` }, `GET /p${n % 3}`)))).toEqual([]);
    // One that always says the same as the first says nothing more.
    expect(chooseColumns(many(50, (n) => ({ service: `s${n % 5}`, hostname: `s${n % 5}` })))).toEqual(['service']);
});

test('service and host are told though all have the same, or there are few: who opens a link sees them, too', () => {
    const { chooseColumns } = columns;
    expect(chooseColumns(many(50, () => ({ service: 'one', host: 'h', zone: 'z' })))).toEqual(['service', 'host']);
    expect(chooseColumns(many(1, () => ({ service: 'one', host: 'h', zone: 'z' })))).toEqual(['service', 'host']);
});

test('columns stay while they fit: for a list that goes on, and for the next one', () => {
    const { columnsOf, decide } = columns;
    const view = parseView('');
    const first = {};
    decide(first, many(3, (n) => ({ zone: `z${n}` })));
    expect(columnsOf(view)).toEqual([]); // too few to tell
    decide(first, many(50, (n) => ({ service: `s${n % 3}` })));
    expect(columnsOf(view)).toEqual(['service']);
    decide(first, many(50, (n) => ({ host: `h${n % 3}` })));
    expect(columnsOf(view)).toEqual(['service']);
    decide({}, many(50, () => ({ service: 'pay' })));
    expect(columnsOf(view)).toEqual(['service']);
    decide({}, many(50, (n) => ({ host: `h${n % 3}` })));
    expect(columnsOf(view)).toEqual(['host']);
    expect(columnsOf(parseView('?column=a.b&column=c'))).toEqual(['a.b', 'c']);
});

test('columns are added, removed and moved; the address has them from then on', () => {
    const { COLUMNS_MAX, decide, moveColumn, toggleColumn } = columns;
    decide({}, many(50, (n) => ({ service: `s${n % 3}` })));
    let view = toggleColumn(parseView(''), 'http.status');
    expect(view.columns).toEqual(['service', 'http.status']);
    view = moveColumn(view, 'http.status', -1);
    expect(view.columns).toEqual(['http.status', 'service']);
    expect(moveColumn(view, 'http.status', -1)).toBe(view);
    expect(moveColumn(view, 'none', 1)).toBe(view);
    expect(toggleColumn(view, 'service').columns).toEqual(['http.status']);
    expect(toggleColumn(parseView(''), 'service').columns).toEqual([]);
    for (let n = 0; n < 20; n++) view = toggleColumn(view, `c${n}`);
    expect(view.columns!.length).toBe(COLUMNS_MAX);
    expect(view.columns!.at(-1)).toBe('c19');
});

test('a column is as wide as its values need, within bounds', () => {
    const { widthOf } = columns;
    expect(widthOf('s', [log({ s: 'a' }), log({ s: 'gateway' })], false)).toBe(7);
    expect(widthOf('s', [log({ s: 'x'.repeat(99) })], false)).toBe(24);
    expect(widthOf('s', [log({})], false)).toBe(3);
    expect(widthOf('http.status', [log({ http: { status: 200 } })], true)).toBe(11);
});
