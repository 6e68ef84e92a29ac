import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Log } from '../src/api';
import { LogList, PAGE_LOGS } from '../src/log_list';

/** Log `n`; the higher, the newer. */
function log(n: number): Log {
    const id = String(n).padStart(8, '0');
    return { id, timestamp: `2024-01-01T00:00:00.${id.slice(2)}Z`, level: 'info', message: `log ${n}` };
}

/** What the server has stored. */
let stored: Log[];
let reads: string[];

function answer(path: string): unknown {
    const params = new URL(path, 'http://h').searchParams;
    const limit = Number(params.get('limit'));
    const cursor = params.get('cursor');
    const sorted = [...stored].sort((a, b) => (a.id < b.id ? 1 : -1));
    const from = cursor === null ? 0 : sorted.findIndex(({ id }) => id < cursor);
    const logs = from < 0 ? [] : sorted.slice(from, from + limit);
    const next = from + limit < sorted.length && from >= 0 ? logs.at(-1)!.id : null;
    return { logs, next };
}

beforeEach(() => {
    stored = Array.from({ length: 20 * PAGE_LOGS }, (_, n) => log(n));
    reads = [];
    vi.stubGlobal('fetch', async (path: string) => {
        reads.push(path);
        return { ok: true, json: async () => answer(path) };
    });
});

afterEach(() => vi.unstubAllGlobals());

async function wholeList(): Promise<LogList> {
    const list = new LogList(new URLSearchParams(), () => {});
    await list.start();
    while (!list.isComplete) await list.more();
    return list;
}

const ids = (logs: (Log | undefined)[]): (string | undefined)[] => logs.map((log) => log?.id);

test('pages follow each other without a gap or a repeat', async () => {
    const list = await wholeList();
    expect(list.length).toBe(stored.length);
    const end = list.length;
    expect(ids(list.slice(end - 700, end))).toEqual(ids([...stored].reverse().slice(end - 700)));
});

test('pages far away are let go, and fetched again when they are looked at', async () => {
    const list = await wholeList();
    list.slice(list.length - 10, list.length);
    expect(list.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    await vi.waitFor(() => expect(ids(list.slice(0, 2))).toEqual([log(9999).id, log(9998).id]));
});

test('a page that is fetched again holds what came into it meanwhile', async () => {
    const list = await wholeList();
    const { length } = list;
    list.slice(length - 10, length);
    stored.push({ ...log(9990), id: '00009990x' });
    list.slice(0, 1);
    await vi.waitFor(() => expect(list.at(0)).toBeDefined());
    expect(list.length).toBe(length + 1);
    expect(ids(list.slice(8, 11))).toEqual(['00009991', '00009990x', '00009990']);
    expect(list.at(PAGE_LOGS + 1)?.id ?? log(9499).id).toBe(log(9499).id);
});

test('what comes live is put into its place, once', async () => {
    const list = new LogList(new URLSearchParams(), () => {});
    await list.start();
    expect(list.insert([log(10_001), log(10_000), log(10_001), log(9999), { ...log(9995), id: '00009995x' }])).toBe(true);
    expect(ids(list.slice(0, 3))).toEqual([log(10_001).id, log(10_000).id, log(9999).id]);
    expect(ids(list.slice(6, 8))).toEqual(['00009995x', '00009995']);
    expect(list.length).toBe(PAGE_LOGS + 3);
});

test('what belongs to a page that is not there yet is left to that page', async () => {
    const list = new LogList(new URLSearchParams(), () => {});
    await list.start();
    list.insert([{ ...log(3), id: '00000003x' }]);
    expect(list.length).toBe(PAGE_LOGS);
});

test('what comes live with a time before the view is left out', async () => {
    stored = [log(5000), log(6000)];
    const list = new LogList(new URLSearchParams({ since: log(5000).timestamp }), () => {});
    await list.start();
    list.insert([log(4000), log(7000)]);
    expect(ids(list.slice(0, 9))).toEqual([log(7000).id, log(6000).id, log(5000).id]);
});

test('more than a page takes live is refused: the list is to start anew', async () => {
    const list = new LogList(new URLSearchParams(), () => {});
    await list.start();
    expect(list.insert(Array.from({ length: 2000 }, (_, n) => log(10_000 + n)))).toBe(false);
});

test('an error is told, and the list goes on after it', async () => {
    const list = await wholeList();
    const fails = new LogList(new URLSearchParams(), () => {});
    vi.stubGlobal('fetch', async () => ({ ok: false, status: 422, statusText: '', json: async () => ({ detail: [{ loc: ['query', 'since'], msg: 'is bad' }] }) }));
    await fails.start();
    expect(fails.error).toMatchObject({ status: 422, message: 'since: is bad' });
    expect(fails.isComplete).toBe(false);
    expect(list.error).toBe(null);
});

test('rows at the top can be left out of the count, and come back', async () => {
    const list = await wholeList();
    expect(list.shift(1200)).toBe(1500);
    expect(list.isShifted).toBe(true);
    expect(list.length).toBe(stored.length - 1500);
    expect(list.shift(-10_000)).toBe(-1500);
    expect(list.length).toBe(stored.length);
});
