import { expect, test } from 'vitest';

import { isTrace, lineText, wholeText } from '../src/row_text';

test('of many lines a row has the first that says something, and how many more there are', () => {
    expect(lineText('one', [])).toEqual({ text: 'one', more: 0 });
    expect(lineText('one\ntwo\r\nthree', [])).toEqual({ text: 'one', more: 2 });
    expect(lineText('one\n', [])).toEqual({ text: 'one', more: 0 });
    expect(lineText('\n  \n\tboom\n at x', [])).toEqual({ text: '\tboom', more: 3 });
    expect(lineText('\n\n', []).text).toBe('');
    expect(lineText(`${'x'.repeat(9000)}\ny`, []).text.length).toBeLessThan(4100);
});

test('the line that was searched for is in the row', () => {
    const message = 'Error: refused\n  at A\n  at Orders.reserve\n';
    expect(lineText(message, ['orders'])).toEqual({ text: 'Error: refused … at Orders.reserve', more: 2 });
    expect(lineText(message, ['refused', 'orders']).text).toBe('Error: refused');
    expect(lineText(message, ['']).text).toBe('Error: refused');
    expect(lineText(message, ['nowhere']).text).toBe('Error: refused');
});

test('a whole message is bounded in characters and lines', () => {
    expect(wholeText('a\nb')).toEqual({ text: 'a\nb', more: 0 });
    const { text, more } = wholeText('x\n'.repeat(300).trim());
    expect([text.split('\n').length, more]).toEqual([100, 200]);
    expect(wholeText('x'.repeat(100_000)).text.length).toBeLessThan(4100);
});

test('traces are told from prose', () => {
    expect(isTrace('Error: no\n    at a (x.js:1:1)\n    at b (y.js:2:2)')).toBe(true);
    expect(isTrace('Traceback (most recent call last):\n  File "a.py", line 1, in f\n    f()\nValueError')).toBe(true);
    expect(isTrace('java.lang.X: y\n\tat a.B.c(B.java:1)\n\tat d.E.f(E.java:2)\n\t... 3 more')).toBe(true);
    expect(isTrace('one line')).toBe(false);
    expect(isTrace('Dear all,\nthis is text\nof some lines\nand no more.')).toBe(false);
});
