import { afterEach, expect, test, vi } from 'vitest';

import { beginNow, firstNow, learnClock, serverNow } from '../src/clock';
import { iso } from '../src/time';

const NOW = Date.UTC(2026, 10, 24, 12);

afterEach(() => void vi.useRealTimers());

/** What is now by the page, if the server's clock is `ahead` and wrote its time `on` of the way of an answer. */
function learnt({ ahead, tookMs, on }: { ahead: number; tookMs: number; on: number }): number {
    vi.useFakeTimers({ now: NOW });
    learnClock(iso(NOW - tookMs + on * tookMs + ahead), NOW - tookMs);
    return serverNow() - NOW;
}

test("a clock that is about right is the browser's own", () => {
    for (const ahead of [-1000, 0, 1000]) {
        expect(learnt({ ahead, tookMs: 20, on: 0.5 })).toBe(0);
    }
});

test('an answer that took long is no wrong clock', () => {
    for (const on of [0, 0.5, 1]) {
        expect(learnt({ ahead: 0, tookMs: 8000, on })).toBe(0);
    }
});

test("a wrong clock is put right, and never before the server's", () => {
    for (const ahead of [-3_600_000, 3_600_000]) {
        expect(learnt({ ahead, tookMs: 0, on: 0 })).toBe(ahead);
        for (const on of [0, 0.5, 1]) {
            const now = learnt({ ahead, tookMs: 8000, on });
            expect(now).toBeGreaterThanOrEqual(ahead);
            expect(now).toBeLessThanOrEqual(ahead + 8000);
        }
    }
});

test('the first list is as of when the page began, unless the clock was wrong; those after it are as of now', () => {
    learnt({ ahead: 0, tookMs: 20, on: 0.5 });
    vi.setSystemTime(NOW);
    beginNow();
    vi.setSystemTime(NOW + 300);
    expect(firstNow()).toBe(NOW);
    expect(firstNow()).toBe(NOW + 300);
    vi.setSystemTime(NOW);
    beginNow();
    learnt({ ahead: 3_600_000, tookMs: 0, on: 0 });
    expect(firstNow()).toBe(NOW + 3_600_000);
});
