import { expect, test } from 'vitest';

import { asFields, fieldTerm, oneOf, opposite, queryOf, soughtOf, termsOf, valuesOf } from '../src/query';

const texts = (query: string): string[] => termsOf(query).map(({ text }) => text);

test('a query is what it is ANDed together of', () => {
    expect(texts('')).toEqual([]);
    expect(texts('level:>=warning service:(pay OR cart) -trace_id:* "pool exhausted"')).toEqual([
        'level:>=warning', 'service:(pay OR cart)', '-trace_id:*', '"pool exhausted"',
    ]);
    expect(texts('a AND NOT b:1 (c OR d) ms:[1 TO 5} x:/a b\\/c/ path:/api/users /t.me \\d+/')).toEqual([
        'a', 'NOT b:1', '(c OR d)', 'ms:[1 TO 5}', 'x:/a b\\/c/', 'path:/api/users', '/t.me \\d+/',
    ]);
    expect(texts('10.0.0.7:8080 09:00 std::vector http://x/y "a b":"c) d"')).toEqual([
        '10.0.0.7:8080', '09:00', 'std::vector', 'http://x/y', '"a b":"c) d"',
    ]);
    expect(texts('x:(a OR ")" OR /\\)/) y')).toEqual(['x:(a OR ")" OR /\\)/)', 'y']);
});

test('with an OR at its top, or a mistake, it is one term', () => {
    for (const query of ['a OR b:1', 'a b OR c', '"open', '(a', 'level: x', 'a OR', 'x:1 || y', 'a) b', 'x:']) {
        expect(texts(query)).toEqual([query]);
    }
});

test('a term knows its field', () => {
    const field = (query: string): unknown => {
        const [{ field, value, not } = {}] = termsOf(query);
        return [field, value, not];
    };
    expect(field('service:pay')).toEqual(['service', 'pay', false]);
    expect(field('-"a \\"b\\"":"x y"')).toEqual(['a "b"', '"x y"', true]);
    expect(field('level:err')).toEqual(['level', 'err', false]);
    expect(field('attr.level:err')).toEqual(['attr.level', 'err', false]);
    expect(field('"level":err')).toEqual(['attr.level', 'err', false]);
    expect(field('pattern:"took <*> ms"')).toEqual(['pattern', '"took <*> ms"', false]);
    expect(field('attr.pattern:x')).toEqual(['attr.pattern', 'x', false]);
    expect(field('attr.service:x')).toEqual(['service', 'x', false]);
    expect(field('time-out')).toEqual([null, null, false]);
    expect(field('(a OR b)')).toEqual([null, null, false]);
    expect(field('x:-5')).toEqual(['x', '-5', false]);
});

test('a term of a field and a value is read as these', () => {
    const names = ['level', 'service', 'http.status', 'a b', 'a"b\\', 'attr.since', 'attr.attr.x', '9x', '-x', 'é', '', 'x:y', '/x'];
    const values = ['pay', '', 'a b', '"', '\\', 'OR', '>5', '[a', '(x)', '*', 'a*', '-5', '/x/', '//x', ':x', 'a/b', 'ü', '=', 'a\nb'];
    for (const name of names) {
        for (const value of values) {
            const [term, more] = termsOf(fieldTerm(name, value));
            expect(more).toBe(undefined);
            expect([term!.field, valuesOf(term!)]).toEqual([name, [value]]);
        }
    }
    expect(valuesOf(termsOf(oneOf('x', values))[0]!)).toEqual(values);
    for (const other of ['x:>5', 'x:*', 'x:a*', 'x:(a b)', 'x:(a AND b)', '-x:a', 'x:/a/', 'x:[1 TO 2]', 'a']) {
        expect(valuesOf(termsOf(other)[0]!)).toBe(null);
    }
});

test('terms are put together so that each is one', () => {
    expect(queryOf(['a OR b', 'c'])).toBe('(a OR b) c');
    expect(queryOf(['a OR b'])).toBe('a OR b');
    expect(queryOf(['', ' a b ', '-c'])).toBe('a b -c');
});

test('the opposite of a term', () => {
    expect(opposite('a:1')).toBe('-a:1');
    expect(opposite('-a:1')).toBe('a:1');
    expect(opposite('NOT a:1')).toBe('a:1');
    expect(opposite('a OR b')).toBe('-(a OR b)');
});

test('what messages are searched for', () => {
    expect(soughtOf('time "pool exhausted" -not service:pay (a OR *b*) message:get* any:4711 /re/')).toEqual([
        'time', 'pool exhausted', 'a', 'b', 'get', '4711',
    ]);
    expect(soughtOf('a OR "b\\"c"')).toEqual(['a', 'b"c']);
    expect(soughtOf('"open')).toEqual([]);
});

test('what another language would write is offered as a field', () => {
    const offered = (query: string): string | undefined => asFields(query)?.query;
    expect(asFields('x service=payments')).toEqual({ text: 'service=payments', term: 'service:payments', query: 'x service:payments' });
    expect(['status>=500', 'a.b==1 x>2', 'level!=info', '-level=info', 'host<>h', 'a="b c"'].map(offered)).toEqual(
        ['status:>=500', 'a.b:1 x:>2', '-level:info', '-level:info', '-host:h', 'a:"b c"'],
    );
    for (const query of ['', 'a b', '"a=b"', 'service:a=b', 'a=', '=b', 'a => b', 'x OR a=b', '/a=b/', '(a=b)', '1=2']) {
        expect(offered(query), query).toBeUndefined();
    }
});
