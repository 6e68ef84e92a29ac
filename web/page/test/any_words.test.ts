import { expect, test } from 'vitest';

import { withAny } from '../src/any_words';

test('words are looked for in every attribute, too', () => {
    for (const [query, wanted] of [
        ['paym-2', 'any:paym-2'],
        ['level:error paym-2 "pool \\"x"', 'level:error any:paym-2 any:"pool \\"x"'],
        ['a AND b OR (c *d* -e)', 'any:a AND any:b OR (any:c any:*d* -e)'],
        ['10.0.0.7:8080 std::vector *"x y"*', 'any:10.0.0.7:8080 any:std::vector any:*"x y"*'],
        ['pool"x y"', 'any:pool any:"x y"'],
        ['[db] {x} <b> /api/users', 'any:"[db]" any:"{x}" any:"<b>" any:"/api/users"'],
    ] as const) {
        expect(withAny(query)).toBe(wanted);
    }
});

test('a query without words stays as it is', () => {
    for (const query of ['', 'service:(a OR b)', 'any:4711', 'message:get*', '-paym-2', 'NOT (a OR b)', '/time.?out \\d/', '*', '"open']) {
        expect(withAny(query)).toBe(query);
    }
});
