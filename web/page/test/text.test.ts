import { expect, test } from 'vitest';

import { cut, pieces, visible, visibleLines } from '../src/text';

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
