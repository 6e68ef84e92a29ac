import { expect, test } from 'vitest';

import {
    CUT_FIELDS, type Field, type Survey, attributeOf, fieldOf, groupingOf, joinSurveys, joinValues, orderFields, readSurvey,
    readValues, termOf,
} from '../src/survey';

type Logs = Record<string, string>[];

function counts(logs: Logs, path: string): Map<string, number> {
    const found = new Map<string, number>();
    for (const log of logs) if (log[path] !== undefined) found.set(log[path], (found.get(log[path]) ?? 0) + 1);
    return found;
}

const pathsOf = (logs: Logs): string[] => [...new Set(logs.flatMap((log) => Object.keys(log)))];

/** What the server answers, exactly, but for the values past `top`. */
function answer(logs: Logs, top: number, next: string | null = null): unknown {
    const fields = pathsOf(logs).map((path) => {
        const all = [...counts(logs, path)].sort((a, b) => b[1] - a[1]);
        const has = all.reduce((sum, [, count]) => sum + count, 0);
        const values = all.slice(0, top).map(([value, count]) => ({ value, count }));
        return { path, logs: has, types: { string: has }, distinct: all.length, values, approximate: null };
    });
    return { total: logs.length, fields, approximate: null, next, searched_to: null };
}

/** Numbers that look random and are the same each time. */
function dice(seed: number): (below: number) => number {
    return (below) => {
        seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
        return (seed >> 8) % below;
    };
}

test('parts together tell of each value no more than there is, and how much more there may be', () => {
    for (let seed = 1; seed <= 60; seed++) {
        const roll = dice(seed);
        const parts = Array.from({ length: 1 + roll(4) }, () =>
            Array.from({ length: roll(60) }, (): Record<string, string> => ({
                ...(roll(3) ? { few: String(roll(3)) } : {}),
                ...(roll(4) ? { many: String(roll(2 + roll(25))) } : {}),
                ...(roll(9) ? {} : { rare: String(roll(9)) }),
            })),
        );
        const merged = parts.map((part) => readSurvey(answer(part, 4), 4)).reduce(joinSurveys);
        const logs = parts.flat();
        expect(merged.total).toBe(logs.length);
        expect(merged.fields.map(({ path }) => path).sort()).toEqual(pathsOf(logs).sort());
        for (const field of merged.fields) {
            const truth = counts(logs, field.path);
            const has = [...truth.values()].reduce((a, b) => a + b, 0);
            expect([field.logs, field.more]).toEqual([has, 0]);
            for (const { value, count, more } of field.values) {
                expect(truth.get(value!)!).toBeGreaterThanOrEqual(count);
                expect(truth.get(value!)!).toBeLessThanOrEqual(count + more);
                truth.delete(value!);
            }
            for (const count of truth.values()) expect(count).toBeLessThanOrEqual(field.unseen);
            const distinct = field.values.length + truth.size;
            if (field.known === 'exactly') expect(field.distinct).toBe(distinct);
            else expect(field.distinct).toBeLessThanOrEqual(distinct);
            if (field.path === 'few') expect(field.known).toBe('exactly'); // they are all listed
        }
        const values = parts.map((part) => readValues({ values: (answer(part, 4) as any).fields.find(({ path }: Field) => path === 'many')?.values ?? [], approximate: null }, 4));
        for (const { value, count, more } of values.reduce(joinValues).values) {
            const there = counts(logs, 'many').get(value!)!;
            expect(there).toBeGreaterThanOrEqual(count);
            expect(there).toBeLessThanOrEqual(count + more);
        }
    }
});

test('what an answer says of itself stays: a bound, an estimate, and how far it got', () => {
    const body: any = answer([{ a: 'x' }, { a: 'y' }, { b: 'z' }], 9, 'on');
    body.searched_to = '2024-01-01T00:00:00.000000Z';
    body.approximate = { unseen_count: 2 };
    body.fields[0].distinct = 5000;
    body.fields[0].approximate = { logs_error: 3, distinct: true, count_error: 4, unseen_count: 6 };
    const survey = readSurvey(body, 9);
    expect(survey.fields[0]).toMatchObject({ more: 3, known: 'about', distinct: 5000, unseen: 6, values: [{ more: 4 }, { more: 4 }] });
    expect([survey.unseen, survey.next, survey.searchedTo]).toEqual([2, 'on', body.searched_to]);
    // A field that the other part does not list may be in logs there all the same.
    const whole = joinSurveys(survey, readSurvey(answer([{ c: 'x' }], 9)));
    expect(whole.fields.find(({ path }) => path === 'c')).toMatchObject({ logs: 1, more: 2, known: 'at least', unseen: 2 });
    expect(whole.fields.find(({ path }) => path === 'b')).toMatchObject({ logs: 1, more: 0, known: 'exactly' });
    expect([whole.unseen, whole.next]).toEqual([2, null]);
});

test('a path is a field of the language, a column and a group', () => {
    expect(['level', 'http.status', 'attr.level', 'attr.pattern', 'id', 'attr.attr.x'].map(fieldOf)).toEqual(
        ['level', 'http.status', 'attr.level', 'attr.pattern', 'attr.id', 'attr.attr.x'],
    );
    expect(['level', 'http.status', 'attr.level', 'attr.'].map(attributeOf)).toEqual([null, 'http.status', 'level', 'attr.']);
    expect(['level', 'attr.level', 'a,b', 'a"b', 'a",b'].map(groupingOf)).toEqual(['level', 'attr.level', '"a,b"', null, null]);
});

test('a value has the term that finds its logs, or none', () => {
    const term = (path: string, value: string | null, types: Record<string, number> = { string: 1 }): string | null =>
        termOf({ path, types }, value, CUT_FIELDS);
    expect(term('service', 'pay')).toBe('service:pay');
    expect(term('a "b"', 'x y\n"z"\\')).toBe('"a \\"b\\"":"x y\n\\"z\\"\\\\"');
    expect(term('attr.level', 'high')).toBe('attr.level:high');
    expect(term('trace_id', null)).toBe('-trace_id:*');
    expect(term('tags', '[]', { array: 1, string: 4 })).toBe(null);
    expect(term('tags', '[]')).toBe('tags:"[]"');
    expect(term('o', '{…}', { object: 1 })).toBe(null);
    // A text that was cut is its beginning, by bytes and not by characters.
    expect(term('long', 'ä'.repeat(127))).toBe(`long:"${'ä'.repeat(127)}"*`);
    expect(term('long', 'a'.repeat(127))).toBe(`long:${'a'.repeat(127)}`);
    expect(termOf({ path: 'long', types: {} }, 'b'.repeat(256), CUT_FIELDS, true)).toBe(`-long:"${'b'.repeat(256)}"*`);
});

test('levels come first, and a part of the name finds a field', () => {
    const survey = readSurvey(answer([{ service: 'a', level: 'info', 'http.Status': '200' }], 9)) as Survey;
    expect(orderFields(survey.fields, '').map(({ path }) => path)).toEqual(['level', 'service', 'http.Status']);
    expect(orderFields(survey.fields, ' STAT ').map(({ path }) => path)).toEqual(['http.Status']);
});
