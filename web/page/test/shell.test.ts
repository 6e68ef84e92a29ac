/* What is copied goes into a real shell, in which it may be nothing but the one word that it was. */
import { execFileSync } from 'node:child_process';

import { expect, test } from 'vitest';

import { parseView } from '../src/address';
import { commandOf, curlOf, quote } from '../src/shell';

const HOSTILE = [
    '', ' ', "'", "''", '"', '\\', '\\\\', "\\'", '$HOME', '${HOME}', '$(touch /tmp/logmill-pwned)', '`id`', '!!', '!$',
    '; id', '& id', '| id', '> /dev/null', '\n', 'a\nid\n', '\r', '\t', '*', '?', '[a]', '{a,b}', '~', '~root', '#x', '=ls',
    '-rf', '--', '--url=http://evil.example', "'; id; '", "' $(id) '", '%s%n', '\x03', '\x03\nid\n', '\x1b[201~\nid\n', '\x7f\x15',
    '\u0085', '\u202egnp', 'ä ß 漢 😀', '\u{1f600}\x01', "$'\\x41'", 'a=b', 'x'.repeat(5000), "\\'\x01\\'",
];

/** The words that a shell makes of a text, each ended by a NUL. */
function words(shell: string, text: string): string[] {
    const script = `printf '%s\\0' ${text}`;
    const out = execFileSync(shell, ['-c', script], { encoding: 'utf8', env: { HOME: '/home/x', LC_ALL: 'C.UTF-8' } });
    return out.split('\0').slice(0, -1);
}

test('whatever a text holds, a shell takes it for that one word', () => {
    const characters = Array.from({ length: 0x300 }, (_, n) => `a${String.fromCharCode(n + 1)}b`);
    const texts = [...HOSTILE, ...characters];
    expect(words('/bin/bash', texts.map(quote).join(' '))).toEqual(texts);
    const plain = texts.filter((text) => !quote(text).startsWith('$'));
    expect(plain.length).toBeGreaterThan(700);
    expect(words('/bin/sh', plain.map(quote).join(' '))).toEqual(plain);
    expect(words('/bin/bash', quote('a\0b'))).toEqual(['ab']);
});

test('what is pasted into a terminal presses no keys, and shows what it is', () => {
    for (const text of HOSTILE) expect(quote(text)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/);
});

const ID = '01a21039-56f8-7def-8123-456789abcdef';

test('a query is one argument of logmill query, and so are its times', () => {
    for (const text of HOSTILE.filter(Boolean)) {
        const view = { ...parseView(''), query: text, since: text, until: text };
        const made = words('/bin/bash', commandOf('http://127.0.0.1:8000', view));
        const query = text.trim();
        const times = [`--since=${text}`, `--until=${text}`];
        const last = query === '' ? [] : query.startsWith('-') ? ['--', query] : [query];
        expect(made, JSON.stringify(text)).toEqual(['logmill', 'query', ...times, '--url=http://127.0.0.1:8000', ...last]);
    }
    expect(commandOf('http://h:1', { ...parseView(''), query: 'a b', range: '15m' })).toBe("logmill query --since=15m --url=http://h:1 'a b'");
    expect(commandOf('http://h:1', { ...parseView(''), range: 'all' })).toBe('logmill query --url=http://h:1');
    const around = parseView(`?around=a,b%20c&center=${ID}&query=x&since=2026-01-01`);
    expect(commandOf('http://h:1', around)).toBe(`logmill query --around=${ID} --same='a,b c' --url=http://h:1 x`);
    expect(commandOf('http://h:1', { ...around, around: [], query: '' })).toBe(`logmill query --around=${ID} --url=http://h:1`);
});

test('a log is asked for with curl, by the key of the environment where one is needed', () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect(curlOf('http://h:1', id, false)).toBe(`curl -sS http://h:1/logs/${id}`);
    expect(curlOf('http://h:1', id, true)).toBe(`curl -sS -H "Authorization: Bearer $LOGMILL_KEY" http://h:1/logs/${id}`);
    for (const text of HOSTILE) {
        const [curl, flag, url] = words('/bin/bash', curlOf('http://h:1', text, false));
        expect([curl, flag]).toEqual(['curl', '-sS']);
        expect(decodeURIComponent(url!.slice('http://h:1/logs/'.length))).toBe(text);
    }
});
