/*
 * Which fields logs have, and their values: answers of GET /logs/fields, put together as far as counts add up. What
 * does not add up is kept as a bound: how many more it may be, at most.
 */
import { attributeField, existsTerm, fieldTerm, fieldText, quoteText } from './query';

export interface Value {
    /** Its text, of a long one the beginning; null: logs without the field. */
    value: string | null;
    count: number;
    /** It may be in so many logs more. */
    more: number;
}

export interface Field {
    /** As the API names it: `level`, `http.status`, `attr.level`. */
    path: string;
    logs: number;
    /** It may be in so many logs more. */
    more: number;
    /** In how many logs its value is of which type. */
    types: Record<string, number>;
    /** How many values there are; exactly, about, or at least. */
    distinct: number;
    known: 'exactly' | 'about' | 'at least';
    /** The most frequent first. */
    values: Value[];
    /** A value that is not among them may be in so many logs; 0: there is none. */
    unseen: number;
}

export interface Survey {
    /** Logs that were looked at. */
    total: number;
    fields: Field[];
    /** A field that is not among them may be in so many logs. */
    unseen: number;
    /** Not all was looked at: down to here it was, and with this it goes on. */
    searchedTo: string | null;
    next: string | null;
}

/** The values of one field. */
export interface Values {
    /** Logs that were looked at. */
    total: number;
    values: Value[];
    unseen: number;
    searchedTo: string | null;
    next: string | null;
}

/** Values of a field that are asked for; with more of them, more add up. */
export const VALUES_ASKED = 25;
/** Values of a field that are kept when answers are put together. */
const VALUES_KEPT = 100;

/* ---- Answers ---- */

/** What a value may have that the answer does not list. */
function unseenOf(values: Value[], most: number, countError: number, unseen: number, isAll: boolean): number {
    const isCut = values.length >= most && !isAll;
    return isCut ? Math.max(unseen, values.at(-1)!.count + countError) : unseen;
}

/** An answer of GET /logs/fields that was asked for `most` values of each. */
export function readSurvey(body: any, most = VALUES_ASKED): Survey {
    const fields = (body.fields as any[]).map(({ path, logs, types, distinct, values, approximate }): Field => {
        const countError = approximate?.count_error ?? 0;
        const read = (values as Value[]).map(({ value, count }) => ({ value, count, more: countError }));
        const isAll = !approximate && read.length >= distinct;
        return {
            path, logs, types, distinct,
            more: approximate?.logs_error ?? 0,
            known: approximate?.distinct ? 'about' : 'exactly',
            values: read,
            unseen: unseenOf(read, most, countError, approximate?.unseen_count ?? 0, isAll),
        };
    });
    const { total, approximate, next, searched_to } = body;
    return { total, fields, unseen: approximate?.unseen_count ?? 0, next: next ?? null, searchedTo: searched_to ?? null };
}

/** An answer of GET /logs/fields/PATH, likewise. */
export function readValues(body: any, most: number): Values {
    const { total, approximate, next, searched_to } = body;
    const countError = approximate?.count_error ?? 0;
    const values = (body.values as Value[]).map(({ value, count }) => ({ value, count, more: countError }));
    const isAll = !approximate && values.length < most;
    return {
        total,
        values,
        unseen: unseenOf(values, most, countError, approximate?.unseen_count ?? 0, isAll),
        next: next ?? null,
        searchedTo: searched_to ?? null,
    };
}

/* ---- Together ---- */

function joinLists(a: Value[], b: Value[], aUnseen: number, bUnseen: number): { values: Value[]; unseen: number } {
    const rest = new Map(b.map((value) => [value.value, value]));
    const joined = a.map(({ value, count, more }) => {
        const other = rest.get(value);
        rest.delete(value);
        return { value, count: count + (other?.count ?? 0), more: more + (other ? other.more : bUnseen) };
    });
    for (const value of rest.values()) joined.push({ ...value, more: value.more + aUnseen });
    joined.sort((x, y) => y.count - x.count);
    const dropped = joined.slice(VALUES_KEPT).map(({ count, more }) => count + more);
    return { values: joined.slice(0, VALUES_KEPT), unseen: Math.max(aUnseen + bUnseen, ...dropped) };
}

function joinFields(a: Field, b: Field): Field {
    const { values, unseen } = joinLists(a.values, b.values, a.unseen, b.unseen);
    const types = new Map(Object.entries(a.types));
    for (const [type, logs] of Object.entries(b.types)) types.set(type, (types.get(type) ?? 0) + logs);
    return {
        path: a.path,
        logs: a.logs + b.logs,
        more: a.more + b.more,
        types: Object.fromEntries(types),
        distinct: unseen === 0 ? values.length : Math.max(a.distinct, b.distinct, values.length),
        known: unseen === 0 ? 'exactly' : 'at least',
        values,
        unseen,
    };
}

/** `b` is of other logs than `a`, and older. */
export function joinSurveys(a: Survey, b: Survey): Survey {
    const rest = new Map(b.fields.map((field) => [field.path, field]));
    const inNone = (unseen: number): Partial<Field> => (unseen > 0 ? { known: 'at least' } : {});
    const lone = (field: Field, unseen: number): Field => ({
        ...field,
        ...inNone(unseen),
        more: field.more + unseen,
        unseen: field.unseen + unseen,
        values: unseen > 0 ? field.values.map((value) => ({ ...value, more: value.more + unseen })) : field.values,
    });
    const fields = a.fields.map((field) => {
        const other = rest.get(field.path);
        rest.delete(field.path);
        return other ? joinFields(field, other) : lone(field, b.unseen);
    });
    for (const field of rest.values()) fields.push(lone(field, a.unseen));
    fields.sort((x, y) => y.logs - x.logs || (x.path < y.path ? -1 : 1));
    return { total: a.total + b.total, fields, unseen: a.unseen + b.unseen, next: b.next, searchedTo: b.searchedTo };
}

export function joinValues(a: Values, b: Values): Values {
    return { total: a.total + b.total, ...joinLists(a.values, b.values, a.unseen, b.unseen), next: b.next, searchedTo: b.searchedTo };
}

/* ---- What they stand for ---- */

/** The attribute's own path: columns have it. null: it is the level. */
export function attributeOf(path: string): string | null {
    if (path === 'level') return null;
    return path.startsWith('attr.') && path.length > 5 ? path.slice(5) : path;
}

/** The field in the query language. */
export function fieldOf(path: string): string {
    const attribute = attributeOf(path);
    return attribute === null ? 'level' : attributeField(attribute);
}

/** As `by` of GET /logs/stats takes it; null: it cannot name it. */
export function groupingOf(path: string): string | null {
    const attribute = attributeOf(path);
    if (!/[,"]/.test(path)) return path;
    return attribute !== null && !attribute.includes('"') ? `"${attribute}"` : null;
}

/** Texts are told apart by their first bytes: so many, less what a character needs that stands at the end. */
export const CUT_FIELDS = 256 - 3;
export const CUT_VALUES = 1024 - 3;

export function bytesOf(text: string): number {
    return new TextEncoder().encode(text).length;
}

/** The language can ask for it: not for empty arrays and objects. */
export function isAskable({ types }: Pick<Field, 'types'>, value: string): boolean {
    return !((value === '[]' && types['array']) || (value === '{…}' && types['object']));
}

/**
 * The term that finds the logs which are counted for a value, and null for what the language cannot ask for. Of a text
 * that was cut it is its beginning.
 */
export function termOf({ path, types }: Pick<Field, 'path' | 'types'>, value: string | null, cut: number, not = false): string | null {
    const field = fieldOf(path);
    if (value === null) return existsTerm(field, !not);
    if (!isAskable({ types }, value)) return null;
    if (bytesOf(value) < cut) return fieldTerm(field, value, not);
    return `${not ? '-' : ''}${fieldText(field)}:${quoteText(value)}*`;
}

/** The type that most values have. */
export function typeOf({ types }: Field): string {
    const [most] = Object.entries(types).sort((a, b) => b[1] - a[1]);
    return most?.[0] ?? 'string';
}

/** As a field, of logs that all have it. */
export function asField({ path, types }: Pick<Field, 'path' | 'types'>, { total, values, unseen }: Values): Field {
    const known = unseen === 0 ? 'exactly' : 'at least';
    return { path, types, logs: total, more: 0, distinct: values.length, known, values, unseen };
}

/** Levels first; then those in the most logs, as they come. */
export function orderFields(fields: readonly Field[], sought: string): Field[] {
    const text = sought.trim().toLowerCase();
    const found = fields.filter(({ path }) => path.toLowerCase().includes(text));
    return [...found.filter(({ path }) => path === 'level'), ...found.filter(({ path }) => path !== 'level')];
}
