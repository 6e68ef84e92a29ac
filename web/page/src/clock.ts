/* The server's clock, which decides what is now; the browser's may be wrong. */
import { fetchStats } from './api';
import { LAST } from './time';

/** Less is not worth correcting. */
const WRONG_MS = 1500;

let behind = 0;

/** Milliseconds since 1970. */
export function serverNow(): number {
    return Date.now() + behind;
}

let begun: number | null = null;

/** When the page begins, by the browser's clock: what it asks for first is as of then. */
export function beginNow(): number {
    return (begun = Date.now());
}

/** serverNow(); for the first who asks it is when the page began, unless the browser's clock was wrong. */
export function firstNow(): number {
    const at = behind === 0 ? begun : null;
    begun = null;
    return at ?? serverNow();
}

/**
 * What the server answers without `until`, its own time, to what was asked for at `askedMs` by the browser's clock. It
 * wrote that at some moment since; an answer that took long is no wrong clock. Of all that may be right the latest is
 * taken, so that the newest logs are not after now.
 */
export function learnClock(serverTime: string, askedMs: number): void {
    const server = Date.parse(serverTime);
    const isWrong = server < askedMs - WRONG_MS || server > Date.now() + WRONG_MS;
    behind = isWrong ? server - askedMs : 0;
}

/** Without `until` the server answers until when it has counted: now. */
export async function askClock(): Promise<void> {
    const askedMs = Date.now();
    const { until } = await fetchStats(new URLSearchParams({ since: LAST }));
    learnClock(until, askedMs);
}
