/* A log among those before and after it: a time in which its place in the list is not far from the top. */
import { type View, hasTimes } from './address';
import { type Log, fetchStats } from './api';
import { LAST, after } from './time';

const SECOND = 1_000_000;
/** So much of the time after it is shown as has no more than ROWS_MAX logs, in microseconds. */
const WIDTHS = [60 * SECOND, 10 * SECOND, SECOND, 100_000, 10_000, 1000, 100, 10, 1];
const ROWS_MAX = 2000;

async function isFew(since: string, until: string): Promise<boolean> {
    const params = new URLSearchParams({ since, until: until || LAST, bucket: '60' });
    const { total, next } = await fetchStats(params);
    return total <= ROWS_MAX && !next;
}

export async function around({ timestamp }: Log): Promise<{ since: string; until: string }> {
    const since = after(timestamp, -60 * SECOND);
    for (const width of WIDTHS) {
        const until = after(timestamp, width);
        if (width === 1 || (await isFew(timestamp, until).catch(() => true))) return { since, until };
    }
    return { since, until: '' };
}

/** An address that names a log and hardly anything else leads to it, wherever it is. */
export function isPermalink(view: View): boolean {
    return view.id !== '' && view.query === '' && !hasTimes(view) && !view.live;
}
