import { expect, test } from 'vitest';

import { isAfter, newTo } from '../src/relay';
import { SseReader } from '../src/sse';
import { STREAMS, hasTurn } from '../src/turns';

const TURN_MS = 1500;

test('events are read however they are cut into pieces', () => {
    const text = 'retry: 1000\nid: 1-0-0\n\n: still here\nid: 1-0-0\n\nid: 2-0-0\ndata: {"a":"é"}\n\nevent: missed\r\nid: 3-0-0\r\ndata: {"missed":2}\r\n\r\n';
    for (let size = 1; size < 20; size++) {
        const reader = new SseReader();
        const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
        expect(pieces.flatMap((piece) => reader.take(piece))).toEqual([
            { id: '1-0-0', name: '', data: '' },
            { id: '1-0-0', name: '', data: '' },
            { id: '2-0-0', name: '', data: '{"a":"é"}' },
            { id: '3-0-0', name: 'missed', data: '{"missed":2}' },
        ]);
    }
});

test('few tabs follow all the time', () => {
    for (let n = 1; n <= STREAMS; n++) {
        const tabs = Array.from({ length: n }, (_, i) => `tab ${i}`);
        for (let now = 0; now < 20_000; now += 500) expect(tabs.every((tab) => hasTurn(tabs, tab, now))).toBe(true);
    }
});

test('of many tabs as many follow as there may be, and each as often as the others', () => {
    for (let n = STREAMS + 1; n < 20; n++) {
        const tabs = Array.from({ length: n }, (_, i) => `tab ${i}`);
        const turns = new Map<string, number>();
        for (let turn = 0; turn < 2 * n; turn++) {
            const following = tabs.filter((tab) => hasTurn([...tabs].reverse(), tab, 1_700_000_000_000 + turn * TURN_MS));
            expect(following.length).toBe(STREAMS);
            for (const tab of following) turns.set(tab, (turns.get(tab) ?? 0) + 1);
        }
        expect(turns.size).toBe(n);
        expect(Math.max(...turns.values()) - Math.min(...turns.values())).toBeLessThanOrEqual(STREAMS);
    }
});

test('places compare as numbers, one after the other', () => {
    const sorted = ['0-0-0', '1-0-9', '1-2-0', '1-10-0', '9-0-0', '10-0-0', '18446744073709551615-0-0'];
    sorted.forEach((a, i) => sorted.forEach((b, j) => expect(isAfter(a, b), `${a} ${b}`).toBe(i > j)));
});

test('what another tab tells is taken where nothing can be missing before it, and once', () => {
    const event = (id: string, name = ''): { id: string; name: string; data: string } => ({ id, name, data: '{}' });
    const events = [event('1-0-0'), event('2-0-0'), event('3-0-0')];
    const told = (from: string, more = events): { filters: string; from: string; events: typeof events } => ({ filters: '', from, events: more });
    const ids = (place: string, from: string, more = events): string[] => newTo(place, told(from, more)).map(({ id }) => id);
    expect(ids('0-5-0', '0-5-0')).toEqual(['1-0-0', '2-0-0', '3-0-0']);
    expect(ids('2-0-0', '0-5-0')).toEqual(['3-0-0']);
    expect(ids('2-5-0', '0-5-0')).toEqual(['3-0-0']);
    expect(ids('3-0-0', '0-5-0')).toEqual([]);
    expect(ids('0-4-9', '0-5-0')).toEqual([]);
    expect(ids('', '0-5-0')).toEqual([]);
    expect(ids('0-5-0', '')).toEqual([]);
    expect(ids('0-5-0', '0-5-0', [...events, event('4-0-0', 'missed')])).toEqual([]);
});
