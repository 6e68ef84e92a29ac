/*
 * Texts of logs, made safe to look at: they come out as pieces of text and never as markup. ANSI
 * colours (SGR) become styles; any other control character, and those that turn text around or are
 * invisible, become a sign that stands for them.
 */
import { type Color, createColorPalette, parseAnsiSequences } from 'ansi-sequence-parser';

/** Without a part in the writing of any language that a log would lose by it. */
const BIDI_AND_INVISIBLE = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

function codePoint(character: string): string {
    return `‹U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`;
}

/** In one line: line ends and tabs have signs, too. */
export function visible(text: string): string {
    return visibleLines(text).replace(/\r?\n/g, '⏎ ').replace(/\t/g, '⇥ ');
}

/** Line ends and tabs stay. */
export function visibleLines(text: string): string {
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

/** The text in pieces of one style each. `line`: as visible() makes it. */
export function pieces(text: string, line: boolean): Piece[] {
    const show = line ? visible : visibleLines;
    if (!text.includes('\x1b[')) return [{ text: show(text), classes: '' }];
    return parseAnsiSequences(text).map(({ value, foreground, background, decorations }) => {
        const classes = [...decorations].map((name) => `ansi-${name}`);
        const piece: Piece = { text: show(value), classes: '' };
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
