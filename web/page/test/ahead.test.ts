import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { askAhead, dropAhead, fetchLogs, logsAtOnce, logsPath } from '../src/api';

const params = (): URLSearchParams => new URLSearchParams({ limit: '100' });

let reads: { path: string; signal: AbortSignal | undefined }[];
let answer: () => Promise<unknown>;

beforeEach(() => {
    reads = [];
    answer = async () => ({ ok: true, text: async () => '{"logs":[],"next":null}' });
    vi.stubGlobal('fetch', (path: string, { signal }: { signal?: AbortSignal }) => {
        reads.push({ path, signal });
        return answer();
    });
});

afterEach(() => {
    dropAhead();
    vi.unstubAllGlobals();
});

test('what was asked for ahead is for the first who asks the same', async () => {
    void askAhead(logsPath(params()));
    await fetchLogs(params());
    expect(reads.length).toBe(1);
    await fetchLogs(params());
    await fetchLogs(new URLSearchParams({ limit: '99' }));
    expect(reads.length).toBe(3);
});

test('it is at hand at once if it is there', async () => {
    const asked = askAhead(logsPath(params()));
    expect(logsAtOnce(params())).toBe(null);
    await asked;
    expect(logsAtOnce(params())).toMatchObject({ logs: [], next: null });
    expect(logsAtOnce(params())).toBe(null);
});

test('an error is told to who wants it, and to nobody else', async () => {
    answer = async () => ({ ok: false, status: 429, statusText: 'busy', text: async () => '' });
    await askAhead(logsPath(params()));
    expect(logsAtOnce(params())).toBe(null);
    await expect(fetchLogs(params())).rejects.toMatchObject({ status: 429 });
    answer = () => Promise.reject(new TypeError('away'));
    await askAhead(logsPath(params()));
    await expect(fetchLogs(params())).rejects.toMatchObject({ status: 0 });
    expect(reads.length).toBe(2);
});

test('who does not want it any more ends it, as does dropping what nobody wanted', async () => {
    const abort = new AbortController();
    void askAhead(logsPath(params()));
    void fetchLogs(params(), abort.signal);
    abort.abort();
    expect(reads[0]!.signal!.aborted).toBe(true);
    void askAhead(logsPath(params()));
    dropAhead();
    expect(reads[1]!.signal!.aborted).toBe(true);
});
