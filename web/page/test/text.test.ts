import { expect, test } from 'vitest';

import { cut, fold, pieces, placesOf, visible, visibleLines } from '../src/text';

test('every control character has a sign', () => {
    for (let code = 0; code < 0xa0; code++) {
        if (code >= 0x20 && code < 0x7f) continue;
        expect(visible(`a${String.fromCharCode(code)}b`), String(code)).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
    }
    expect(visible('a\x00\x07\x1b\x7f')).toBe('a␀␇␛␡');
});

test('what turns text around or is invisible is shown by its number', () => {
    expect(visible('a\u202eb\u2066\u200b\ufeff')).toBe('a‹U+202E›b‹U+2066›‹U+200B›‹U+FEFF›');
    expect(visible('e\u0301 \u0928\u200d 👩‍🚀')).toBe('e\u0301 \u0928\u200d 👩‍🚀');
});

test('a line end has a sign in one line, and is one in lines', () => {
    expect(visible('a\nb\r\nc\td')).toBe('a⏎ b⏎ c⇥ d');
    expect(visibleLines('a\nb\r\nc\td')).toBe('a\nb\nc\td');
    expect(visibleLines('a\rb')).toBe('a␍b');
});

test('ANSI colours become classes, other colours CSS, and their codes vanish', () => {
    const [red, plain, green, blue] = pieces('\x1b[1;31mr\x1b[0mp\x1b[38;5;46mg\x1b[38;2;0;128;255mb', true);
    expect(red).toEqual({ text: 'r', classes: 'ansi-bold ansi-fg-red' });
    expect(plain).toEqual({ text: 'p', classes: '' });
    expect(green).toEqual({ text: 'g', classes: '', color: '#00ff00' });
    expect(blue!.color).toMatch(/^(#0080ff|rgb\(0, ?128, ?255\))$/);
});

test('other escape sequences do nothing', () => {
    const shown = pieces('a\x1b[2Jb\x1b]0;title\x07c\x1b[31', true).map(({ text }) => text).join('');
    expect(shown).not.toMatch(/[\x00-\x1f]/);
    expect(shown).toContain('title');
});

test('a text is cut where it is long', () => {
    expect(cut('abc', 3)).toBe('abc');
    expect(cut('abcd', 3)).toBe('abc…');
});

/** The text with what is marked in brackets. */
function marks(text: string, ...sought: string[]): string {
    return pieces(text, false, sought).map(({ text, isMarked }) => (isMarked ? `[${text}]` : text)).join('');
}

test('what was searched for is marked, without case, wherever it stands', () => {
    expect(marks('Pool exhausted: pool 7', 'POOL')).toBe('[Pool] exhausted: [pool] 7');
    expect(marks('aaaa', 'aa')).toBe('[aaaa]');
    expect(marks('abcd', 'bc', 'cd', 'x')).toBe('a[bcd]');
    expect(marks('abc', '')).toBe('abc');
    expect(marks('$& (.*)', '(.*)')).toBe('$& [(.*)]');
});

test('without case is as the server has it: character by character', () => {
    expect(fold('ÄẞΣİX')).toBe('äßσix');
    expect(marks('ΟΔΟΣ', 'οδοσ')).toBe('[ΟΔΟΣ]');
    expect(marks('İstanbul Y', 'y')).toBe('İstanbul [Y]');
    expect(marks('Straße', 'STRASSE')).toBe('Straße');
    // No character becomes more than itself, or places in a text would not be those in its lower case.
    for (let code = 0; code < 0x110000; code += 0x100) {
        if (code >= 0xd800 && code < 0xe000) continue;
        const text = String.fromCodePoint(...Array.from({ length: 0x100 }, (_, n) => code + n));
        expect(fold(text).length, code.toString(16)).toBe(text.length);
    }
});

test('marks go over changes of colour, and over what has a sign in its place', () => {
    const [plain, red, green, rest] = pieces('a \x1b[31mfai\x1b[32mled\x1b[0m!', true, ['failed']);
    expect([plain!.isMarked, red!.isMarked, green!.isMarked, rest!.isMarked]).toEqual([false, true, true, false]);
    expect([red!.text, green!.text]).toEqual(['fai', 'led']);
    expect([red!.classes, green!.classes]).toEqual(['ansi-fg-red', 'ansi-fg-green']);
    expect(marks('a\x07b\u202ec d', 'c d')).toBe('a␇b‹U+202E›[c d]');
});

test('a text of nothing but what was searched for does not make elements without end', () => {
    expect(placesOf('ab'.repeat(100_000), ['a']).length).toBeLessThanOrEqual(400);
    expect(marks('ab'.repeat(100_000), 'a').replace(/[[\]]/g, '')).toBe('ab'.repeat(100_000));
});
