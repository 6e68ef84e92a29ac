/* What somebody can be about to write in a query: the name of a field, or one of its values. */
import type { KnownField, ValueCount } from './field_api';
import { countText } from './numbers';
import { OURS, fieldText, valueText } from './query';

/** Where the caret is, and what is being written there. */
export interface Place {
    /** Its values are written; null: a name. */
    field: string | null;
    /** So far, without quotes and signs (`>=`). */
    typed: string;
    /** What a completion takes the place of. */
    from: number;
    until: number;
    /** One of several, in parentheses. */
    isInGroup: boolean;
}

export interface Completion {
    /** What is written, and what is shown for it. */
    text: string;
    label: string;
    detail: string;
}

/** So many are shown. */
export const COMPLETIONS_MAX = 10;

const BLANK = /\s/;

function unquoted(text: string): string {
    return text.replace(/"((?:[^"\\]|\\.)*)"?/g, (_, within: string) => within.replace(/\\(["\\])/g, '$1'));
}

/** Where the text that begins with a sign at `at` is closed by the same one; -1: nowhere. */
function closing(text: string, at: number, sign: string): number {
    for (let i = at + 1; i < text.length; i++) {
        if (text[i] === '\\') i++;
        else if (text[i] === sign && (sign === '"' || i + 1 === text.length || /[\s)]/.test(text[i + 1]!))) return i;
    }
    return -1;
}

/** null: what is written there is no name and no value (a regular expression, a range). */
export function placeOf(text: string, caret: number): Place | null {
    const groups: (string | null)[] = [];
    let start = 0;
    let name: string | null = null;
    const begin = (at: number): void => {
        start = at;
        name = null;
    };
    for (let i = 0; i < caret; i++) {
        const c = text[i]!;
        if (c === '"' || (c === '/' && i === start)) {
            const end = closing(text, i, c);
            if (end < 0 || end >= caret) {
                if (c === '/') return null;
                break;
            }
            i = end;
        } else if (BLANK.test(c)) {
            begin(i + 1);
        } else if (c === '(') {
            groups.push(i === start && name !== null ? name : (groups.at(-1) ?? null));
            begin(i + 1);
        } else if (c === ')') {
            groups.pop();
            begin(i + 1);
        } else if ((c === '[' || c === '{') && i === start && name !== null) {
            const end = text.slice(i).search(/[\]}]/);
            if (end < 0 || i + end >= caret) return null;
            i += end;
        } else if (c === '-' && i === start && name === null) {
            start++;
        } else if (c === ':' && text[i + 1] === ':') {
            i++; // of a name of C++
        } else if (c === ':' && name === null && i > start && !/\d/.test(text[start]!) && !text.startsWith('://', i)) {
            name = unquoted(text.slice(start, i));
            start = i + 1;
        }
    }
    const field = name ?? groups.at(-1) ?? null;
    if (field !== null) start += /^[<>]=?/.exec(text.slice(start, caret))?.[0].length ?? 0;
    const written = text.slice(start, caret);
    if (written.includes('*')) return null;
    const isQuoted = (written.match(/"/g) ?? []).length % 2 === 1;
    const rest = /^(?:[^"\\]|\\.)*"/.exec(text.slice(caret))?.[0];
    const behind = (isQuoted && rest) || /^[^\s()":]*/.exec(text.slice(caret))![0];
    const until = caret + behind.length;
    const hasColon = field === null && text[until] === ':';
    return { field, typed: unquoted(written), from: start, until: hasColon ? until + 1 : until, isInGroup: groups.length > 0 };
}

/** The text with a completion in its place, and where the caret is then. */
export function complete(text: string, place: Place, { text: taken }: Completion): [text: string, caret: number] {
    const isValue = place.field !== null;
    const rest = text.slice(place.until);
    const gap = isValue && !place.isInGroup && !/^\s/.test(rest) ? ' ' : '';
    const before = text.slice(0, place.from) + taken + gap;
    return [before + rest, before.length + (isValue && !gap && /^\s/.test(rest) ? 1 : 0)];
}

const ABOUT: Record<string, string> = {
    message: 'a text',
    pattern: 'messages but for their numbers',
    any: 'message and all attributes',
    timestamp: 'a day, or a moment',
    since: 'from then on',
    until: 'before then',
    id: 'of a log',
};

/** Those that begin with what is typed, and then those of which a part does. */
function matching<T>(items: readonly T[], typed: string, textOf: (item: T) => string): T[] {
    const wanted = typed.toLowerCase();
    const rank = (item: T): number => {
        const text = textOf(item).toLowerCase();
        if (text.startsWith(wanted)) return 0;
        return text.split(/[^a-z0-9]+/).some((word) => word.startsWith(wanted)) ? 1 : 2;
    };
    return [0, 1].flatMap((rated) => items.filter((item) => rank(item) === rated)).slice(0, COMPLETIONS_MAX);
}

/** `fields`: those in the most logs first. */
export function namesFor({ typed }: Place, fields: readonly KnownField[]): Completion[] {
    const known = fields.map(({ path, logs, types }): Completion => {
        const [type] = Object.entries(types).sort((a, b) => b[1] - a[1])[0] ?? [''];
        const detail = `${path === 'level' ? '' : `${type} · `}${countText(logs)}`;
        return { text: `${fieldText(path)}:`, label: path, detail };
    });
    const ours = OURS.filter((name) => name !== 'level' || !fields.some(({ path }) => path === name));
    const own = ours.map((name): Completion => ({ text: `${name}:`, label: name, detail: ABOUT[name] ?? '' }));
    return matching([...known, ...own], typed, ({ label }) => label);
}

/** `values`: those in the most logs first; `usual` are offered behind them, without a count. */
export function valuesFor(
    { typed }: Place, values: readonly ValueCount[], usual: readonly string[] = [],
): Completion[] {
    const known = values.filter(({ value }) => value !== null && value !== '').map(({ value, count }): Completion => (
        { text: valueText(value!), label: value!, detail: countText(count) }
    ));
    const others = usual.filter((value) => !known.some(({ label }) => label.toLowerCase() === value));
    const more = others.map((value): Completion => ({ text: value, label: value, detail: '' }));
    const found = matching([...known, ...more], typed, ({ label }) => label);
    return found.length === 1 && found[0]!.label === typed ? [] : found; // it is written already
}
