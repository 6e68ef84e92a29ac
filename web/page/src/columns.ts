/*
 * Attributes as columns of the list: those of the address, or the one or two that tell who and what, which nearly
 * all logs have with few values. These are chosen when a list has come, and stay while they fit those after it.
 */
import type { View } from './address';
import type { Log } from './api';
import { attributesOf, isNested, members, parts, readable } from './json';
import { cut, visible } from './text';

/** Columns that the address may have. */
export const COLUMNS_MAX = 12;
/** So many logs tell which columns there are: the first, and one of so many of the others. */
const SAMPLE_LOGS = 50;
const SAMPLE_STEP = 4;
const SAMPLE_MIN = 8;
/** Of longer logs no attributes are looked at for that. */
const SAMPLE_LOG_MAX = 32_768;
const SHARE_MIN = 0.9;
const VALUES_MAX = 20;
const VALUE_MAX = 24;
/** Characters of a column at least and at most. */
const WIDTH_MIN = 3;
const WIDTH_MAX = 24;
/** Characters of a value that a row has. */
const SHOWN_MAX = 200;

/** Names that say who wrote a log, the better first; each of them by itself, or as the end of a path. */
const WHO: readonly RegExp[] = [
    /(^|\.)(service([._]?name)?|app([._]?name)?|application)$/i,
    /(^|\.)(host([._]?name)?|pod([._]?name)?|container([._]?name)?|node([._]?name)?|instance)$/i,
    /(^|\.)(logger([._]?name)?|component|module|namespace([._]?name)?|program|process([._]?name)?|unit)$/i,
];

/** So many of them, service and host, need not differ. */
const WHO_ALWAYS = 2;

/** All values at a dotted path, as JSON: of arrays their elements (src/query/path.h). */
export function valuesAt(json: string, path: string): string[] {
    if (json.startsWith('[')) return parts(json).flatMap((part) => valuesAt(part, path));
    return json.startsWith('{') ? valuesIn(members(json), path) : [];
}

function valuesIn(entries: readonly [name: string, value: string][], path: string): string[] {
    return entries.flatMap(([name, value]) => {
        if (name === path) return value.startsWith('[') ? elements(value) : [value];
        return path.startsWith(`${name}.`) ? valuesAt(value, path.slice(name.length + 1)) : [];
    });
}

function elements(json: string): string[] {
    return parts(json).flatMap((part) => (part.startsWith('[') ? elements(part) : [part]));
}

const known = new WeakMap<Log, Map<string, string>>();

/** What a row shows of an attribute: its values in one line, as they were written; "" where there is none. */
export function cellOf(log: Log, path: string): string {
    let cells = known.get(log);
    if (!cells) known.set(log, (cells = new Map()));
    let cell = cells.get(path);
    if (cell === undefined) {
        const values = valuesIn(attributesOf(log), path);
        const texts = values.slice(0, 20).map((value) => (isNested(value) ? value : readable(value)));
        cells.set(path, (cell = cut(visible(cut(texts.join(', '), SHOWN_MAX)), SHOWN_MAX)));
    }
    return cell;
}

/** The texts of an object's strings by their paths, not deeper than `depth`. */
function leaves(entries: readonly [name: string, value: string][], depth: number, prefix = ''): [path: string, text: string][] {
    return entries.flatMap(([name, value]): [string, string][] => {
        const path = prefix + name;
        if (value.startsWith('"')) return [[path, readable(value)]];
        return depth > 0 && value.startsWith('{') ? leaves(members(value), depth - 1, `${path}.`) : [];
    });
}

/** Those that are looked at. (Every fourth alone might be all of one service, where services take turns.) */
function sample(logs: readonly Log[]): Log[] {
    const some = logs.filter((_, n) => n < SAMPLE_LOGS || n % SAMPLE_STEP === 0);
    return some.filter((log) => log.json.length <= SAMPLE_LOG_MAX);
}

function rank(path: string): number {
    const at = WHO.findIndex((names) => names.test(path));
    return at < 0 ? WHO.length : at;
}

/** The columns that logs have by themselves. */
export function chooseColumns(logs: readonly Log[]): string[] {
    const found = new Map<string, string[]>();
    const repeats = new Map<string, number>();
    const looked = sample(logs);
    for (const log of looked) {
        for (const [path, text] of leaves(attributesOf(log), 2)) {
            const texts = found.get(path) ?? [];
            texts.push(text);
            found.set(path, texts);
            if (log.message.includes(text)) repeats.set(path, (repeats.get(path) ?? 0) + 1);
        }
    }
    const isFew = looked.length < SAMPLE_MIN;
    const fits = [...found].filter(([path, texts]) => {
        const distinct = new Set(texts).size;
        // Service and host are told whatever they are: a link to some logs shows the same columns as all of them.
        const least = rank(path) < WHO_ALWAYS ? 1 : isFew ? Infinity : 2;
        const isShort = texts.every((text) => text.length <= VALUE_MAX && !/[\r\n]/.test(text));
        // What messages say anyway tells nothing.
        const isNews = rank(path) < WHO.length || (repeats.get(path) ?? 0) < texts.length / 2;
        return texts.length >= looked.length * SHARE_MIN && distinct >= least && distinct <= VALUES_MAX && isShort && isNews;
    });
    fits.sort(([a, as], [b, bs]) => rank(a) - rank(b) || bs.length - as.length || new Set(as).size - new Set(bs).size || (a < b ? -1 : 1));
    const [first, ...others] = fits;
    if (!first) return [];
    // A second one only if it says who, too, and something else.
    const second = others.find(
        ([path, texts]) => rank(path) < WHO.length && rank(path) > rank(first[0]) && String(texts) !== String(first[1]),
    );
    return second ? [first[0], second[0]] : [first[0]];
}

/** True if nearly all logs have all of them. */
function fit(columns: readonly string[], logs: readonly Log[]): boolean {
    const looked = sample(logs);
    return columns.every((path) => looked.filter((log) => cellOf(log, path) !== '').length >= looked.length * SHARE_MIN);
}

let chosen: string[] = [];
const decided = new WeakSet<object>();

/** Once for each list, when its first page has come. */
export function decide(list: object, logs: readonly Log[]): void {
    if (decided.has(list) || logs.length === 0) return;
    if (chosen.length === 0 || !fit(chosen, logs)) chosen = chooseColumns(logs);
    if (chosen.length > 0 || logs.length >= SAMPLE_MIN) decided.add(list);
}

/** Those that are shown. */
export function columnsOf(view: View): string[] {
    return view.columns ?? chosen;
}

/** As a column, or not any more. */
export function toggleColumn(view: View, path: string): View {
    const columns = columnsOf(view);
    const others = columns.filter((column) => column !== path);
    return { ...view, columns: others.length < columns.length ? others : [...columns, path].slice(-COLUMNS_MAX) };
}

/** A column by `by` places to the right, or left. */
export function moveColumn(view: View, path: string, by: number): View {
    const columns = [...columnsOf(view)];
    const from = columns.indexOf(path);
    const to = Math.max(0, Math.min(columns.length - 1, from + by));
    if (from < 0 || from === to) return view;
    columns.splice(to, 0, ...columns.splice(from, 1));
    return { ...view, columns };
}

/** How wide a column is in characters, for what these logs have in it. */
export function widthOf(path: string, logs: readonly Log[], hasHead: boolean): number {
    const longest = Math.max(WIDTH_MIN, hasHead ? path.length : 0, ...sample(logs).map((log) => cellOf(log, path).length));
    return Math.min(WIDTH_MAX, longest);
}
