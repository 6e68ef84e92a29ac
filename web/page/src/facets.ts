/*
 * The values of a field that a query asks for, `field:(a OR b)`, and those that it leaves out, `-field:(c OR d)`: each
 * is one term, which grows and shrinks by clicks. All else that a query says of a field stays as it is.
 */
import { type View, withTerm, withoutTerm } from './address';
import { rankOf } from './levels';
import { OURS, Scanner, type Term, fieldText, plainValue, queryOf, quoteText, termsOf, valueText } from './query';
import { CUT_FIELDS, type Field, type Value, bytesOf, fieldOf, isAskable } from './survey';

/** A value as a term names it: by its text, or, of one that was cut, by its beginning. */
export interface Member {
    text: string;
    isBeginning: boolean;
}

/** What a query says of a field. */
export interface Lists {
    chosen: Member[];
    leftOut: Member[];
    /** The terms that say so; what is left out may be in several. */
    terms: Term[];
    /** The query without these terms: what leaves a field all its values. */
    rest: string;
}

/* ---- Read ---- */

const BEGINNING = /^("(?:[^"\\]|\\.)*")\*$/s;
/** Of what may be a regular expression: Scanner tells. */
const PATH = /^\/[^\s()"*]*$/;

function readMember(text: string): Member | null {
    const [, quoted] = BEGINNING.exec(text) ?? [];
    const plain = PATH.test(text) ? text : plainValue(quoted ?? text);
    if (plain === null || (quoted && bytesOf(plain) < CUT_FIELDS)) return null;
    return { text: plain, isBeginning: quoted !== undefined };
}

/** The values of `a`, or `(a OR b)`; null: it is something else. */
function readMembers(value: string): Member[] | null {
    const scanner = new Scanner(value.startsWith('(') ? value.slice(1, -1) : value);
    const members: Member[] = [];
    for (;;) {
        scanner.skipBlanks();
        const from = scanner.at;
        if ((scanner.sees('/') && scanner.passRegex()) || !scanner.passText()) return null;
        const member = readMember(scanner.text.slice(from, scanner.at));
        if (!member) return null;
        members.push(member);
        scanner.skipBlanks();
        if (scanner.isAtEnd) return members;
        if (!scanner.takeWord('OR')) return null;
    }
}

/** `field` as the language has it. Several terms that ask for values are all to hold: they stay as they are. */
export function listsOf(query: string, field: string): Lists {
    const read = termsOf(query)
        .filter((term) => term.field === field)
        .map((term) => ({ term, members: readMembers(term.value!) }))
        .filter(({ members }) => members !== null);
    const positive = read.filter(({ term }) => !term.not);
    const isOne = new Set(positive.map(({ term }) => term.text)).size === 1;
    const chosen = isOne ? positive[0]!.members! : [];
    const leftOut = read.filter(({ term }) => term.not);
    const terms = [...(isOne ? positive : []), ...leftOut].map(({ term }) => term);
    const dropped = new Set(terms.map(({ text }) => text));
    const rest = termsOf(query).map(({ text }) => text).filter((text) => !dropped.has(text));
    return { chosen, leftOut: leftOut.flatMap(({ members }) => members!), terms, rest: queryOf(rest) };
}

/** Both are the value, as far as is known of it. */
function isSame(field: string, a: Member, b: Member): boolean {
    if (field === 'level' && rankOf(a.text) >= 0) return rankOf(a.text) === rankOf(b.text);
    if (field === 'level') return a.text.toLowerCase() === b.text.toLowerCase();
    return a.text === b.text || (a.isBeginning && b.text.startsWith(a.text)) || (b.isBeginning && a.text.startsWith(b.text));
}

export function has(field: string, members: readonly Member[], sought: Member): boolean {
    return members.some((member) => isSame(field, member, sought));
}

/** A value that is counted, if the language can ask for it. `cut`: of so many bytes it may have been cut. */
export function memberOf(field: Pick<Field, 'path' | 'types'>, value: string, cut: number): Member | null {
    return isAskable(field, value) ? { text: value, isBeginning: bytesOf(value) >= cut } : null;
}

/* ---- Changed ---- */

function listTerm(field: string, members: readonly Member[], not: boolean): string | null {
    const texts = members.map(({ text, isBeginning }) => (isBeginning ? `${quoteText(text)}*` : valueText(text)));
    if (texts.length === 0) return null;
    return `${not ? '-' : ''}${fieldText(field)}:${texts.length === 1 ? texts[0] : `(${texts.join(' OR ')})`}`;
}

/** With `term` in the place of the first of the terms `before`; null: without them. */
function withInPlace(view: View, before: readonly string[], term: string | null): View {
    if (before.length === 0) return term === null ? view : withTerm(view, term);
    const place = termsOf(view.query).findIndex(({ text }) => before.includes(text));
    const texts = termsOf(view.query).flatMap(({ text }, n) => (n === place ? [term ?? ''] : before.includes(text) ? [] : [text]));
    return { ...view, query: queryOf(texts), off: view.off.filter((text) => text !== term) };
}

/** To one of the lists, or out of it; from then on it is not in the other. */
function toggle(view: View, path: string, member: Member, not: boolean): View {
    const field = fieldOf(path);
    const lists = listsOf(view.query, field);
    const single = listTerm(field, [member], not)!;
    if (!lists.terms.some((term) => term.not === not) && termsOf(view.query).some(({ text }) => text === single)) {
        return withoutTerm(view, single); // one of several that are all to hold
    }
    const without = (members: readonly Member[]): Member[] => members.filter((other) => !isSame(field, other, member));
    const change = (view: View, members: readonly Member[], isNot: boolean): View => {
        const before = lists.terms.filter((term) => term.not === isNot).map(({ text }) => text);
        return withInPlace(view, before, listTerm(field, members, isNot));
    };
    const [mine, other] = not ? [lists.leftOut, lists.chosen] : [lists.chosen, lists.leftOut];
    const isIn = has(field, mine, member);
    const rid = has(field, other, member) ? change(view, without(other), !not) : view;
    return change(rid, isIn ? without(mine) : [...mine, member], not);
}

/** A value of the field `path` is asked for as well, or no more. */
export function include(view: View, path: string, member: Member): View {
    return toggle(view, path, member, false);
}

/** It is left out as well, or no more. */
export function exclude(view: View, path: string, member: Member): View {
    return toggle(view, path, member, true);
}

/* ---- Listed ---- */

/** Also the fields of which the query names values where no log has any: one can take that back. */
export function withNamed(fields: readonly Field[], query: string): Field[] {
    const names = termsOf(query).flatMap(({ field }) => (field === null || (field !== 'level' && OURS.includes(field)) ? [] : [field]));
    const there = new Set(fields.map(({ path }) => fieldOf(path)));
    const missing = [...new Set(names)].filter((name) => !there.has(name) && listsOf(query, name).terms.length > 0);
    const none = (path: string): Field => ({ path, logs: 0, more: 0, types: {}, distinct: 0, known: 'exactly', values: [], unseen: 0 });
    return [...missing.map(none), ...fields];
}

/** A value with its count; null: how often it is there is not known. */
export interface Row extends Omit<Value, 'count'> {
    count: number | null;
}

/** It can be written otherwise: 8080.0 is 8080. */
function isOtherNumber(text: string): boolean {
    return text.trim() !== '' && !Number.isNaN(Number(text)) && String(Number(text)) !== text;
}

/**
 * The `most` values in the most logs, and behind them what else is chosen or left out. `isWhole`: all logs were
 * looked at.
 */
export function rowsOf(field: Field, { chosen, leftOut }: Pick<Lists, 'chosen' | 'leftOut'>, most: number, isWhole: boolean): Row[] {
    const name = fieldOf(field.path);
    const own = [...chosen, ...leftOut];
    const asMember = ({ value }: Value): Member => ({ text: value ?? '', isBeginning: bytesOf(value ?? '') >= CUT_FIELDS });
    const listed = field.values.filter((value, n) => n < most || (value.value !== null && has(name, own, asMember(value))));
    const isListed = (member: Member): boolean => listed.some((value) => value.value !== null && isSame(name, member, asMember(value)));
    const others = own.filter((member, n) => !isListed(member) && !has(name, own.slice(0, n), member));
    const isNone = ({ text, isBeginning }: Member): boolean => isWhole && field.unseen === 0 && !isBeginning && !isOtherNumber(text);
    return [...listed, ...others.map((member): Row => ({ value: member.text, count: isNone(member) ? 0 : null, more: 0 }))];
}
