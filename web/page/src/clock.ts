/* The server's clock, which decides what is now; the browser's may be wrong. */

/** Less is not worth correcting: the answer takes its time, too. */
const WRONG_MS = 1500;

let behind = 0;

/** Milliseconds since 1970. */
export function serverNow(): number {
    return Date.now() + behind;
}

/** What the server answers without `until`: its own time. */
export function learnClock(serverTime: string): void {
    const difference = Date.parse(serverTime) - Date.now();
    behind = Math.abs(difference) > WRONG_MS ? difference : 0;
}
