import { expect, test } from 'vitest';

import { type View, parseView, toggleTerm } from '../src/address';
import { type Member, exclude, include, listsOf, memberOf, rowsOf, withNamed } from '../src/facets';
import { CUT_FIELDS, type Field, fieldOf } from '../src/survey';

const asked = (query: string, off: string[] = []): View => ({ ...parseView(''), query, off });
const plain = (text: string): Member => ({ text, isBeginning: false });
const textsOf = (members: readonly Member[]): string[] => members.map(({ text, isBeginning }) => (isBeginning ? `${text}…` : text));

/** What a field is asked for: the values, those left out, and all else. */
function read(query: string, path: string): unknown {
    const { chosen, leftOut, rest } = listsOf(query, fieldOf(path));
    return [textsOf(chosen), textsOf(leftOut), rest];
}

test('the values that a query asks for, those that it leaves out, and what else it says', () => {
    expect(read('', 'service')).toEqual([[], [], '']);
    expect(read('service:pay', 'service')).toEqual([['pay'], [], '']);
    expect(read('a level:error service:(pay OR cart) b', 'service')).toEqual([['pay', 'cart'], [], 'a level:error b']);
    expect(read('-service:(pay OR "a b") x', 'service')).toEqual([[], ['pay', 'a b'], 'x']);
    expect(read('NOT service:pay -service:cart', 'service')).toEqual([[], ['pay', 'cart'], '']);
    expect(read('service:pay -service:cart', 'service')).toEqual([['pay'], ['cart'], '']);
    expect(read('NOT -service:pay', 'service')).toEqual([['pay'], [], '']);
    expect(read('service:pay service:pay', 'service')).toEqual([['pay'], [], '']);
    expect(read('service:pay', 'other')).toEqual([[], [], 'service:pay']);
});

test('names and values are read however they are written', () => {
    expect(read('"a b":("" OR "OR" OR "x\\"y\\\\" OR "a*")', 'a b')).toEqual([['', 'OR', 'x"y\\', 'a*'], [], '']);
    expect(read('"level":high', 'attr.level')).toEqual([['high'], [], '']);
    expect(read('"level":high', 'level')).toEqual([[], [], '"level":high']);
    expect(read('attr.service:pay', 'service')).toEqual([['pay'], [], '']);
    expect(read('n:(9007199254740993 OR -1.50 OR 1E400) ok:true', 'n')).toEqual([['9007199254740993', '-1.50', '1E400'], [], 'ok:true']);
    expect(read('path:/api/users', 'path')).toEqual([['/api/users'], [], '']);
    expect(read('path:(/api/users OR /b)', 'path')).toEqual([['/api/users', '/b'], [], '']);
    expect(read('x:( a   OR b )', 'x')).toEqual([['a', 'b'], [], '']);
});

test('what is no list of values stays as it is', () => {
    const others = [
        'x:>5', 'x:*', 'x:a*', 'x:*a', 'x:"a"*', 'x:[1 TO 2]', 'x:{1 TO 2]', 'x:/a/', 'x:(a OR /b/)', 'x:(a OR b*)', 'x:(a AND b)',
        'x:(NOT a)', 'x:(a OR (b OR c))', 'x:(a OR >5)', '-x:*', '-x:>5', 'x:1 OR y:2', '(x:1)', 'x:"open',
    ];
    for (const query of others) expect(read(query, 'x'), query).toEqual([[], [], query]);
    expect(read('x:>5 x:7', 'x')).toEqual([['7'], [], 'x:>5']);
    // Both of them: no list of one of several says that.
    expect(read('x:a x:b', 'x')).toEqual([[], [], 'x:a x:b']);
});

/** What becomes of a query by clicks: `x`, or `-x`. */
function clicked(query: string, path: string, ...values: string[]): string {
    return values.reduce((view, value) => {
        const act = value.startsWith('-') ? exclude : include;
        return act(view, path, plain(value.replace(/^-/, '')));
    }, asked(query)).query;
}

test('a value that is clicked comes to those that are chosen, and goes by another click', () => {
    expect(clicked('', 'service', 'pay')).toBe('service:pay');
    expect(clicked('', 'service', 'pay', 'cart')).toBe('service:(pay OR cart)');
    expect(clicked('', 'service', 'pay', 'cart', 'auth')).toBe('service:(pay OR cart OR auth)');
    expect(clicked('', 'service', 'pay', 'cart', 'pay')).toBe('service:cart');
    expect(clicked('', 'service', 'pay', 'cart', 'pay', 'cart')).toBe('');
    expect(clicked('a b:1 service:pay c:2 d', 'service', 'cart')).toBe('a b:1 service:(pay OR cart) c:2 d');
    expect(clicked('b:1 d', 'service', 'cart')).toBe('b:1 service:cart d');
    expect(clicked('x OR y', 'service', 'a', 'b')).toBe('service:(a OR b) (x OR y)');
});

test('what is left out gathers as well, and neither is what the other is', () => {
    expect(clicked('', 'service', '-a', '-b')).toBe('-service:(a OR b)');
    expect(clicked('', 'service', '-a', '-b', '-a')).toBe('-service:b');
    expect(clicked('', 'service', '-a', '-a')).toBe('');
    expect(clicked('', 'service', 'a', '-a')).toBe('-service:a');
    expect(clicked('', 'service', '-a', '-b', 'a')).toBe('-service:b service:a');
    expect(clicked('service:(a OR b)', 'service', '-a')).toBe('service:b -service:a');
    expect(clicked('NOT service:a x -service:b', 'service', '-c')).toBe('-service:(a OR b OR c) x');
    expect(clicked('NOT service:a x -service:b', 'service', '-b')).toBe('-service:a x');
});

test('values and names that need quotes have them, and numbers stay as they are written', () => {
    expect(clicked('', 'a b', 'x y', 'OR')).toBe('"a b":("x y" OR "OR")');
    expect(clicked('', 'attr.level', 'high', '*')).toBe('attr.level:(high OR "*")');
    expect(clicked('', 'n', '9007199254740993', '1.10')).toBe('n:(9007199254740993 OR 1.10)');
    expect(clicked('"n":("1.10" OR 2)', 'n', '1.10')).toBe('n:2');
    const texts = ['', ' ', '"', '\\', 'OR', '>5', '[a', '(x)', '*', 'a*', '/x/', '//x', ':x', 'a/b', 'ü', '=', 'a\nb', 'TO', 'NOT', 'x)'];
    for (const text of texts) {
        const both = include(include(asked(''), 'f', plain('a')), 'f', plain(text));
        expect(read(both.query, 'f')).toEqual([['a', text], [], '']);
        expect(include(include(both, 'f', plain('a')), 'f', plain(text)).query).toBe('');
    }
});

test('a range, a wildcard and an expression stay beside the values', () => {
    expect(clicked('n:>5', 'n', '7', '8')).toBe('n:>5 n:(7 OR 8)');
    expect(clicked('n:>5 n:7', 'n', '7')).toBe('n:>5');
    expect(clicked('host:web-* -host:/x/', 'host', '-web-1', '-web-2')).toBe('host:web-* -host:/x/ -host:(web-1 OR web-2)');
    expect(clicked('x:a x:b', 'x', 'c')).toBe('x:a x:b x:c');
    expect(clicked('x:a x:b', 'x', 'b')).toBe('x:a');
});

test('a chip that is off counts as not chosen', () => {
    const off = toggleTerm(asked('service:pay x:1'), 'service:pay');
    expect(listsOf(off.query, 'service').chosen).toEqual([]);
    const both = include(off, 'service', plain('cart'));
    expect([both.query, both.off]).toEqual(['x:1 service:cart', ['service:pay']]);
    // One that becomes the same is on again.
    const same = include(off, 'service', plain('pay'));
    expect([same.query, same.off]).toEqual(['x:1 service:pay', []]);
    const back = include(include(both, 'service', plain('pay')), 'service', plain('cart'));
    expect([back.query, back.off]).toEqual(['x:1 service:pay', []]);
});

test('levels are one by whatever name', () => {
    expect(clicked('level:err', 'level', 'error')).toBe('');
    expect(clicked('level:(WARN OR info)', 'level', 'warning')).toBe('level:info');
    expect(clicked('level:Audit', 'level', 'audit')).toBe('');
    expect(clicked('level:error', 'level', 'warning')).toBe('level:(error OR warning)');
});

test('a text that was cut is its beginning, and known by it', () => {
    const long = 'ä'.repeat(128);
    const beginning = memberOf({ path: 'f', types: {} }, long, CUT_FIELDS)!;
    expect(beginning.isBeginning).toBe(true);
    const one = include(asked('f:a'), 'f', beginning);
    expect(one.query).toBe(`f:(a OR "${long}"*)`);
    expect(read(one.query, 'f')).toEqual([['a', `${long}…`], [], '']);
    expect(include(one, 'f', beginning).query).toBe('f:a');
    // Where more of it is known it is the same, …
    expect(include(one, 'f', plain(`${long}z`)).query).toBe('f:a');
    // … and where less of it is.
    expect(include(asked(`f:(a OR ${long}z)`), 'f', beginning).query).toBe('f:a');
    expect(memberOf({ path: 'f', types: { array: 1 } }, '[]', CUT_FIELDS)).toBe(null);
});

function field(values: Record<string, number>, more: Partial<Field> = {}): Field {
    const list = Object.entries(values).map(([value, count]) => ({ value, count, more: 0 }));
    return { path: 'f', logs: 9, more: 0, types: { string: 9 }, distinct: list.length, known: 'exactly', values: list, unseen: 0, ...more };
}

test('what is chosen or left out is listed, whether or not it is among the most frequent', () => {
    const rows = (query: string, of: Field, most = 2): unknown[] => rowsOf(of, listsOf(query, 'f'), most, true).map(({ value, count }) => [value, count]);
    const all = field({ a: 5, b: 3, c: 2, d: 1 });
    expect(rows('', all)).toEqual([['a', 5], ['b', 3]]);
    expect(rows('f:b', all)).toEqual([['a', 5], ['b', 3]]); // it stays in its place
    expect(rows('f:(d OR b)', all)).toEqual([['a', 5], ['b', 3], ['d', 1]]);
    expect(rows('f:d -f:c', all)).toEqual([['a', 5], ['b', 3], ['c', 2], ['d', 1]]);
    expect(rows('f:(x OR a) -f:y', all)).toEqual([['a', 5], ['b', 3], ['x', 0], ['y', 0]]);
    expect(rows('f:(x OR x) -f:x', all)).toEqual([['a', 5], ['b', 3], ['x', 0]]);
});

test('a field of which values are named is there even if no log has it', () => {
    const paths = (query: string): string[] => withNamed([field({ a: 1 })], query).map(({ path }) => path);
    expect(paths('g:a -"h i":(b OR c) f:a level:error')).toEqual(['g', 'h i', 'level', 'f']);
    expect(paths('g:* h:>5 pattern:x message:y since:2h word x:a x:b')).toEqual(['f']);
    expect(paths('"since":a attr.level:b')).toEqual(['attr.since', 'attr.level', 'f']);
});

test('how often a value is there that is not listed is told only if it is known', () => {
    const count = (text: string, of: Field, isWhole = true): unknown => rowsOf(of, listsOf(`f:${text}`, 'f'), 2, isWhole).at(-1)!.count;
    expect(count('x', field({ a: 5 }))).toBe(0);
    expect(count('x', field({ a: 5 }, { unseen: 1 }))).toBe(null);
    expect(count('x', field({ a: 5 }), false)).toBe(null);
    // Another writing of the same number may be listed.
    expect(count('8080.0', field({ 8080: 5 }))).toBe(null);
    expect(count('8081', field({ 8080: 5 }))).toBe(0);
});
