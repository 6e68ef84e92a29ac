import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Turns } from '../src/turns';

const said: string[] = [];

/** As the browser's, which refuses to say anything once it is closed. */
class Channel {
    private isClosed = false;
    onmessage: unknown;

    postMessage({ state }: { state: string }): void {
        if (this.isClosed) throw new Error('Channel is closed');
        said.push(state);
    }

    close(): void {
        this.isClosed = true;
    }
}

beforeEach(() => {
    said.length = 0;
    vi.useFakeTimers();
    vi.stubGlobal('BroadcastChannel', Channel);
    vi.stubGlobal('document', new EventTarget());
    vi.stubGlobal('window', globalThis);
    vi.stubGlobal('addEventListener', () => {});
});

afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

test('a tab that stops before it was answered says nothing more', () => {
    const turns: boolean[] = [];
    const tab = new Turns((mine) => turns.push(mine));
    tab.close();
    vi.advanceTimersByTime(5000);
    expect(said).toEqual(['new', 'gone']);
    expect(turns).toEqual([]);
});

test('a tab that is alone has its turn once the others could have answered', () => {
    const turns: boolean[] = [];
    const tab = new Turns((mine) => turns.push(mine));
    expect(turns).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(turns).toEqual([true]);
    tab.close();
});
