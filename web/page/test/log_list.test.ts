import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Log } from '../src/api';
import { FIRST_PAGE_LOGS, LogList, PAGE_LOGS } from '../src/log_list';

/** Log `n`; the higher, the newer. */
function log(n: number): Log {
    const id = String(n).padStart(8, '0');
    return { id, timestamp: `2024-01-01T00:00:00.${id.slice(2)}Z`, level: 'info', message: `log ${n}`, json: '' };
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
        return { ok: true, text: async () => JSON.stringify(answer(path)) };
    });
});

afterEach(() => vi.unstubAllGlobals());

function listOf(params: Record<string, string> = {}): LogList {
    return new LogList(() => new URLSearchParams(params), () => {});
}

async function wholeList(): Promise<LogList> {
    const list = listOf();
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

test('the first page is small, so that it is there soon, and the others are not', async () => {
    const list = listOf();
    await list.start();
    expect(list.length).toBe(FIRST_PAGE_LOGS);
    await list.more();
    expect(list.length).toBe(FIRST_PAGE_LOGS + PAGE_LOGS);
    expect(reads.map((path) => new URL(path, 'http://h').searchParams.get('limit'))).toEqual(['100', '500']);
});

test('of two that were asked for at once, the later holds, whichever answer comes first', async () => {
    let letGo = (): void => {};
    const isHeld = new Promise<void>((done) => (letGo = done));
    const answered: string[] = [];
    const { fetch } = globalThis;
    vi.stubGlobal('fetch', async (path: string) => {
        const text = await (await fetch(path)).text();
        answered.push(text);
        if (answered.length === 1) await isHeld;
        return { ok: true, text: async () => text };
    });
    const list = listOf();
    const first = list.start();
    await vi.waitFor(() => expect(answered.length).toBe(1));
    stored.push(log(stored.length));
    await list.start();
    letGo();
    await first;
    expect(list.loading).toBe(false);
    expect(list.slice(0, 1)[0]?.id).toBe(stored.at(-1)!.id);
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
    const list = listOf();
    await list.start();
    expect(list.insert([log(10_001), log(10_000), log(10_001), log(9999), { ...log(9995), id: '00009995x' }])).toBe(true);
    expect(ids(list.slice(0, 3))).toEqual([log(10_001).id, log(10_000).id, log(9999).id]);
    expect(ids(list.slice(6, 8))).toEqual(['00009995x', '00009995']);
    expect(list.length).toBe(FIRST_PAGE_LOGS + 3);
});

test('what belongs to a page that is not there yet is left to that page', async () => {
    const list = listOf();
    await list.start();
    list.insert([{ ...log(3), id: '00000003x' }]);
    expect(list.length).toBe(FIRST_PAGE_LOGS);
});

test('what comes live with a time before the view is left out', async () => {
    stored = [log(5000), log(6000)];
    const list = listOf({ since: log(5000).timestamp });
    await list.start();
    list.insert([log(4000), log(7000)]);
    expect(ids(list.slice(0, 9))).toEqual([log(7000).id, log(6000).id, log(5000).id]);
});

test('more than a page takes live is refused: the list is to start anew', async () => {
    const list = listOf();
    await list.start();
    expect(list.insert(Array.from({ length: 2000 }, (_, n) => log(10_000 + n)))).toBe(false);
});

test('an error is told, and the list goes on after it', async () => {
    const list = await wholeList();
    const fails = listOf();
    vi.stubGlobal('fetch', async () => ({ ok: false, status: 422, statusText: '', text: async () => JSON.stringify({ detail: [{ loc: ['query', 'since'], msg: 'is bad' }] }) }));
    await fails.start();
    expect(fails.error).toMatchObject({ status: 422, message: 'since: is bad' });
    expect(fails.isComplete).toBe(false);
    expect(list.error).toBe(null);
});

test('rows at the top can be left out of the count, and come back', async () => {
    const list = await wholeList();
    expect(list.shift(1200)).toBe(1600);
    expect(list.isShifted).toBe(true);
    expect(list.length).toBe(stored.length - 1600);
    expect(list.shift(-10_000)).toBe(-1600);
    expect(list.length).toBe(stored.length);
});

test('the digits of a log are at hand, page by page', async () => {
    vi.stubGlobal('fetch', async () => ({
        ok: true,
        text: async () => '{"logs":[{"id":"1","timestamp":"t","level":"l","message":"]","attributes":{"n":1.10}},{"id":"0","timestamp":"t","level":"l","message":"m","attributes":{"n":1E400}}],"next":null}',
    }));
    const list = listOf();
    await list.start();
    expect(list.at(0)!.json).toBe('{"id":"1","timestamp":"t","level":"l","message":"]","attributes":{"n":1.10}}');
    expect(list.at(1)!.json).toContain('"n":1E400');
});

/** Answers in slices: 10 logs each, that say how far they got. */
function stubSlices(): string[] {
    const slices: string[] = [];
    vi.stubGlobal('fetch', async (path: string, { signal }: { signal: AbortSignal }) => {
        const params = new URL(path, 'http://h').searchParams;
        params.set('limit', '10');
        slices.push(path);
        const { logs, next } = answer(`/logs?${params}`) as { logs: Log[]; next: string | null };
        if (signal.aborted) throw new Error('aborted');
        return { ok: true, text: async () => JSON.stringify({ logs, next, searched_to: next && logs.at(-1)!.timestamp }) };
    });
    return slices;
}

test('slices of a search are one page, and say how far it got', async () => {
    stubSlices();
    const list = listOf();
    await list.start();
    expect(list.searchedTo).toBe(log(9990).timestamp);
    expect(list.isSearching).toBe(true);
    for (let n = 0; n < 60; n++) await list.more();
    expect(ids(list.slice(0, 610))).toEqual([...stored].reverse().slice(0, 610).map(({ id }) => id));
    list.insert([{ ...log(9500), id: '00009500x' }]);
    expect(list.length).toBe(611);
});

test('a search that is stopped keeps what it found, and goes on from there', async () => {
    const slices = stubSlices();
    const list = listOf();
    await list.start();
    const more = list.more();
    list.stop();
    await more;
    await list.more();
    expect(list.length).toBe(10);
    expect([list.isSearching, list.isComplete, list.isStopped]).toEqual([false, false, true]);
    const asked = slices.length;
    await list.goOn();
    expect(slices.length).toBe(asked + 1);
    expect(ids(list.slice(9, 11))).toEqual([log(9990).id, log(9989).id]);
});

test('a log is found by its time, though its page was let go', async () => {
    const list = await wholeList();
    expect(list.place(log(9999))).toBe(0);
    list.slice(0, 10);
    const at = list.place(log(1234))!;
    expect(Math.abs(at - (9999 - 1234))).toBeLessThan(PAGE_LOGS);
    list.at(at);
    await vi.waitFor(() => expect(list.at(list.place(log(1234))!)?.id).toBe(log(1234).id));
});

test('a log is looked for as far as it may be, and not beyond', async () => {
    const list = listOf({ since: log(5000).timestamp });
    await list.start();
    expect([list.place(log(7000)), list.mayReach(log(7000))]).toEqual([null, true]);
    expect(list.mayReach(log(4000))).toBe(false);
});

test('what a moving range leaves behind is let go', async () => {
    const at = (second: number): string => new Date(Date.UTC(2024) + second * 1000).toISOString();
    stored = Array.from({ length: 700 }, (_, n) => ({ ...log(n), timestamp: at(n) }));
    let since = at(0);
    const list = new LogList(() => new URLSearchParams({ since }), () => {});
    await list.start();
    await list.more();
    since = at(650);
    list.trim();
    expect(list.length).toBe(50);
    expect(list.isComplete).toBe(true);
});

/* ---- Oldest first ---- */

/** As the server answers `order=oldest`, also a `since` that a page goes on behind. */
function stubOldest(slice = PAGE_LOGS): void {
    vi.stubGlobal('fetch', async (path: string) => {
        reads.push(path);
        const params = new URL(path, 'http://h').searchParams;
        expect(params.get('order')).toBe('oldest');
        const asked = Number(params.get('limit'));
        const limit = Math.min(asked, slice);
        const cursor = params.get('cursor');
        const since = params.get('since') ?? '';
        const sorted = [...stored].sort((a, b) => (a.id < b.id ? -1 : 1)).filter(({ timestamp }) => timestamp >= since);
        const rest = sorted.filter(({ id }) => cursor === null || id > cursor);
        const logs = rest.slice(0, limit);
        const next = rest.length > limit ? logs.at(-1)!.id : null;
        const isCut = next !== null && limit < asked;
        const body = { logs, next, searched_to: null, searched_until: isCut ? rest[limit]!.timestamp : null };
        return { ok: true, text: async () => JSON.stringify(body) };
    });
}

const oldestList = (): LogList => new LogList(() => new URLSearchParams(), () => {}, { oldest: true });

async function read(list: LogList): Promise<void> {
    await list.start();
    while (!list.isComplete) await list.more();
}

test('oldest first, pages follow each other, and are fetched again', async () => {
    stubOldest();
    const list = oldestList();
    await read(list);
    expect(list.length).toBe(stored.length);
    expect(ids(list.slice(1200, 1300))).toEqual(ids(stored.slice(1200, 1300)));
    list.slice(list.length - 5, list.length);
    expect(list.at(0)).toBeUndefined();
    await vi.waitFor(() => expect(list.at(0)?.id).toBe(log(0).id));
    expect(list.place(log(1700))).toBe(1600); // its page was let go
});

test('oldest first, what comes live stands at the end, once all before it are there', async () => {
    stubOldest();
    stored = stored.slice(0, 400);
    const list = oldestList();
    await list.start();
    expect(list.insert([log(400)])).toBe(true);
    expect(list.length).toBe(FIRST_PAGE_LOGS);
    stored.push(log(400));
    await list.more();
    expect(list.insert([log(402), log(401), log(400), log(401)])).toBe(true);
    expect(ids(list.slice(399, 410))).toEqual([log(399).id, log(400).id, log(401).id, log(402).id]);
});

test('oldest first, a tail of any length takes pages, which are fetched again behind the log before them', async () => {
    stubOldest();
    stored = stored.slice(0, 10);
    const list = oldestList();
    await list.start();
    for (let n = 10; n < 14_010; n += 1000) {
        const more = Array.from({ length: 1000 }, (_, i) => log(n + i));
        stored.push(...more);
        expect(list.insert(more)).toBe(true);
    }
    list.slice(0, 10);
    expect(list.at(13_000)).toBeUndefined();
    reads = [];
    await vi.waitFor(() => expect(list.at(13_000)?.id).toBe(log(13_000).id));
    expect(list.length).toBe(14_010);
    expect(reads.length).toBeLessThan(10);
    expect(ids(list.slice(12_990, 13_010))).toEqual(ids(stored.slice(12_990, 13_010)));
});

test('oldest first, slices say up to where has been searched', async () => {
    stubOldest(10);
    const list = oldestList();
    await list.start();
    expect(list.searchedTo).toBe(log(10).timestamp);
    expect(list.mayReach(log(5))).toBe(false);
    expect(list.mayReach(log(5000))).toBe(true);
    list.insert([{ ...log(5), id: '00000005x' }, { ...log(15), id: '00000015x' }]);
    expect(list.length).toBe(11);
    await list.more();
    expect(ids(list.slice(9, 13))).toEqual(ids([log(8), log(9), log(10), log(11)]).map((id, n) => (n < 2 ? log(8 + n).id : id)));
});

/* ---- Around a log ---- */

function stubAround(): void {
    vi.stubGlobal('fetch', async (path: string) => {
        reads.push(path);
        const params = new URL(path, 'http://h').searchParams;
        const number = (name: string): number => Number(params.get(name));
        const cursor = params.get('cursor');
        const sorted = [...stored].sort((a, b) => (a.id < b.id ? 1 : -1));
        const id = cursor?.replace('.', '') ?? params.get('around')!;
        const at = sorted.findIndex((log) => log.id === id);
        const isNewer = cursor?.startsWith('.') ?? true;
        const isOlder = !(cursor?.startsWith('.') ?? false);
        const from = isNewer ? Math.max(0, at - number('after')) : at + 1;
        const until = isOlder ? Math.min(sorted.length, at + 1 + number('before')) : at;
        const logs = sorted.slice(from, until);
        const body = {
            logs,
            around: cursor === null ? at - from : null,
            next: isOlder && until < sorted.length ? sorted[until - 1]!.id : null,
            previous: isNewer && from > 0 ? `.${sorted[from]!.id}` : null,
            searched_to: null,
            searched_until: null,
        };
        return { ok: true, text: async () => JSON.stringify(body) };
    });
}

for (const oldest of [false, true]) {
    test(`around a log, the list goes on at both ends, ${oldest ? 'oldest' : 'newest'} first`, async () => {
        stubAround();
        stored = stored.slice(0, 1500);
        const expected = oldest ? stored : [...stored].reverse();
        const list = new LogList(() => new URLSearchParams(), () => {}, { oldest, around: { id: log(600).id, same: ['a', 'b'] } });
        await list.start();
        expect(new URL(reads[0]!, 'http://h').searchParams.get('same')).toBe('a,b');
        expect(list.length).toBe(101);
        expect(list.place(log(600))).toBe(50);
        await list.moreAbove();
        expect(list.at(list.place(log(600))!)?.id).toBe(log(600).id);
        while (list.goesOnAbove) await list.moreAbove();
        while (!list.isComplete) await list.more();
        expect(ids(list.slice(0, 2000))).toEqual(ids(expected));
        expect(list.place(log(600))).toBe(expected.findIndex(({ id }) => id === log(600).id));
    });
}
