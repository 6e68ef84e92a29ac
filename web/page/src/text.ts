/*
 * Texts of logs, made safe to look at: they come out as pieces of text and never as markup. ANSI
 * colours (SGR) become styles; any other control character, and those that turn text around or are
 * invisible, become a sign that stands for them.
 */
import { type Color, createColorPalette, parseAnsiSequences } from 'ansi-sequence-parser';

/** Without a part in the writing of any language that a log would lose by it. */
const BIDI_AND_INVISIBLE = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** A text without any of them is as it is. */
const TO_BE_SHOWN = /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/;

function codePoint(character: string): string {
    return `‹U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`;
}

/** In one line: line ends and tabs have signs, too. */
export function visible(text: string): string {
    if (!TO_BE_SHOWN.test(text)) return text;
    return visibleLines(text).replace(/\r?\n/g, '⏎ ').replace(/\t/g, '⇥ ');
}

/** Line ends and tabs stay. */
export function visibleLines(text: string): string {
    if (!TO_BE_SHOWN.test(text)) return text;
    return text
        .replace(/\r\n/g, '\n')
        .replace(/[\x00-\x08\x0b-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
        .replace(/\x7f/g, '␡')
        .replace(/[\x80-\x9f]/g, codePoint)
        .replace(BIDI_AND_INVISIBLE, codePoint);
}

export interface Piece {
    text: string;
    /** "" or names for the stylesheet, such as "ansi-bold ansi-fg-1". */
    classes: string;
    /** Colours outside the sixteen that have names, as CSS. */
    color?: string;
    background?: string;
    /** It is what was searched for. */
    isMarked?: boolean;
}

const palette = createColorPalette();
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** The class of a colour with a name, which fits the theme; or "". */
function colorClass(color: Color, ground: 'fg' | 'bg'): string {
    const name =
        color.type === 'named'
            ? color.name
            : color.type === 'table' && color.index < 8
              ? NAMES[color.index]!
              : '';
    return name && `ansi-${ground}-${name.replace('bright', '').toLowerCase()}`;
}

/** Of a text so many places are marked: a mark is an element. */
const MARKS_MAX = 200;

/** Lower case as the server has it: each character by itself, to one. */
export function fold(text: string): string {
    return text.replace(/\u0130/g, 'i').replace(/\u03a3/g, '\u03c3').toLowerCase();
}

/** Where one of the texts stands that are looked for, without case: from, until, from, until, …, in order. */
export function placesOf(text: string, sought: readonly string[]): number[] {
    const folded = fold(text);
    const places: [number, number][] = [];
    for (const wanted of sought) {
        const length = wanted.length;
        if (length === 0) continue;
        const part = fold(wanted);
        for (let at = folded.indexOf(part), n = 0; at >= 0 && n < MARKS_MAX; at = folded.indexOf(part, at + length), n++) {
            places.push([at, at + length]);
        }
    }
    places.sort((a, b) => a[0] - b[0]);
    const merged: number[] = [];
    for (const [from, until] of places) {
        if (merged.length > 0 && from <= merged.at(-1)!) merged[merged.length - 1] = Math.max(merged.at(-1)!, until);
        else if (merged.length < 2 * MARKS_MAX) merged.push(from, until);
    }
    return merged;
}

/** Pieces cut at the places to be marked; these go by the text of all pieces. */
function marked(whole: Piece[], sought: readonly string[]): Piece[] {
    const places = placesOf(whole.map(({ text }) => text).join(''), sought);
    if (places.length === 0) return whole;
    const cuts: Piece[] = [];
    let start = 0;
    let next = 0; // of places: where what is marked begins (even) or ends (odd)
    for (const piece of whole) {
        const end = start + piece.text.length;
        for (let at = start; at < end; ) {
            while (next < places.length && places[next]! <= at) next++;
            const until = Math.min(end, places[next] ?? end);
            cuts.push({ ...piece, text: piece.text.slice(at - start, until - start), isMarked: next % 2 === 1 });
            at = until;
        }
        start = end;
    }
    return cuts;
}

/**
 * The text in pieces of one style each. `line`: as visible() makes it. What is `sought` is in pieces of its own,
 * wherever colours change in it.
 */
export function pieces(text: string, line: boolean, sought: readonly string[] = []): Piece[] {
    const show = line ? visible : visibleLines;
    const all = marked(text.includes('\x1b[') ? coloured(text) : [{ text, classes: '' }], sought);
    for (const piece of all) piece.text = show(piece.text);
    return all;
}

function coloured(text: string): Piece[] {
    return parseAnsiSequences(text).map(({ value, foreground, background, decorations }) => {
        const classes = [...decorations].map((name) => `ansi-${name}`);
        const piece: Piece = { text: value, classes: '' };
        for (const [color, ground] of [[foreground, 'fg'], [background, 'bg']] as const) {
            if (!color) continue;
            const name = colorClass(color, ground);
            if (name) classes.push(name);
            else piece[ground === 'fg' ? 'color' : 'background'] = palette.value(color);
        }
        piece.classes = classes.join(' ');
        return piece;
    });
}

/** As much of a text as a row shows. */
export function cut(text: string, length: number): string {
    return text.length > length ? `${text.slice(0, length)}…` : text;
}
