/* Which levels a term of the field `level` lets through (docs/query.md). */
import { rankOf } from './levels';
import { type Term, plainValue } from './query';

type Test = (level: string) => boolean;

const TOKEN = /\s*(?:([()])|(AND|&&|OR|\|\||NOT)(?=[\s()])|(-)|([[{][^\]}]*[\]}])|((?:"(?:[^"\\]|\\.)*"|[^\s()"])+))/sy;
const RANGE = /^([[{])\s*(\S+)\s+TO\s+(\S+)\s*([\]}])$/;

/** By severity: `isWithin` is told how much higher it is. */
function bySeverity(text: string, isWithin: (by: number) => boolean): Test | null {
    const rank = rankOf(plainValue(text) ?? '');
    return rank < 0 ? null : (level) => rankOf(level) >= 0 && isWithin(rankOf(level) - rank);
}

const COMPARISONS: Record<string, (by: number) => boolean> = {
    '>=': (by) => by >= 0, '>': (by) => by > 0, '<=': (by) => by <= 0, '<': (by) => by < 0,
};

function testOf(text: string): Test | null {
    const [, open, low, high, end] = RANGE.exec(text) ?? [];
    if (open) {
        const above = low === '*' ? () => true : bySeverity(low!, COMPARISONS[open === '[' ? '>=' : '>']!);
        const below = high === '*' ? () => true : bySeverity(high!, COMPARISONS[end === ']' ? '<=' : '<']!);
        return above && below && ((level) => above(level) && below(level));
    }
    const [, sign, rest] = /^([<>]=?)(.*)$/s.exec(text) ?? [];
    if (sign) return bySeverity(rest!, COMPARISONS[sign]!);
    const isQuoted = text.startsWith('"');
    const [before, after] = [!isQuoted && text.startsWith('*'), !isQuoted && text.length > 1 && text.endsWith('*')];
    const plain = plainValue(text.slice(before ? 1 : 0, after ? -1 : undefined));
    if (before && text.length === 1) return () => true;
    if (plain === null) return null;
    const sought = plain.toLowerCase();
    return (level) => {
        const name = level.toLowerCase();
        if (before) return after ? name.includes(sought) : name.endsWith(sought);
        if (after) return name.startsWith(sought);
        return name === sought || (rankOf(name) >= 0 && rankOf(name) === rankOf(sought));
    };
}

/** Reads an expression of values; null: it is none that is understood here. */
function read(value: string): Test | null {
    const tokens: string[] = [];
    TOKEN.lastIndex = 0;
    for (let found; TOKEN.lastIndex < value.length && (found = TOKEN.exec(value)); ) tokens.push(found[0].trim());
    let at = 0;
    const one = (): Test | null => {
        const token = tokens[at++];
        if (token === 'NOT' || token === '-') {
            const test = one();
            return test && ((level) => !test(level));
        }
        if (token !== '(') return token === undefined ? null : testOf(token);
        const test = any();
        return tokens[at++] === ')' ? test : null;
    };
    const several = (part: () => Test | null, words: string[], how: 'some' | 'every'): Test | null => {
        const tests = [part()];
        while (words.includes(tokens[at] ?? '')) {
            at++;
            tests.push(part());
        }
        return tests.includes(null) ? null : (level) => tests[how]((test) => test!(level));
    };
    const all = (): Test | null => several(one, ['AND', '&&'], 'every');
    const any = (): Test | null => several(all, ['OR', '||'], 'some');
    const test = any();
    return at === tokens.length ? test : null;
}

/** One that is not understood here lets none through. */
export function levelTest({ value, not }: Term): Test {
    const test = read(value ?? '');
    if (!test) return () => false;
    return (level) => test(level) !== not;
}
