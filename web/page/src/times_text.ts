/* Times as the page tells them: "Last 24 hours", "27 Nov 19:50 – 20:00". */
import { offsetOf } from './time';

/** What of a view says when: `range` counts if both times are "". */
export interface Times {
    range: string;
    since: string;
    until: string;
}

export const DAY = 86_400_000;
export const MONTHS = 'january february march april may june july august september october november december'.split(' ');
/** Of durations: how people write them, seconds, and the name. */
export const UNITS: [RegExp, number, string][] = [
    [/^s(ec(ond)?s?)?$/, 1, 'second'],
    [/^m(in(ute)?s?)?$/, 60, 'minute'],
    [/^h((ou)?rs?)?$/, 3600, 'hour'],
    [/^d(ays?)?$/, 86_400, 'day'],
    [/^w(ee)?k?s?$/, 604_800, 'week'],
];

/** The zone's clock at `ms`, as if it were UTC's. */
export function wallOf(ms: number, zone: string): number {
    return Number.isNaN(ms) ? ms : ms + offsetOf(ms, zone);
}

/** "Last 24 hours", of what an address has. */
export function rangeText(range: string): string {
    if (range === 'all') return 'All time';
    const [, count, letter] = /^(\d+)([smhdw])$/.exec(range) ?? [];
    if (!count) return range;
    const name = UNITS.find(([, , name]) => name[0] === letter)![2];
    return Number(count) === 1 ? `Last ${name}` : `Last ${count} ${name}s`;
}

function dayText(wall: number, now: number): string {
    const date = new Date(wall);
    const year = date.getUTCFullYear() === new Date(now).getUTCFullYear() ? '' : ` ${date.getUTCFullYear()}`;
    const month = MONTHS[date.getUTCMonth()]!;
    return `${date.getUTCDate()} ${month[0]!.toUpperCase()}${month.slice(1, 3)}${year}`;
}

/** No finer than it needs to be. */
function clockText(wall: number): string {
    const clock = new Date(wall).toISOString().slice(11, 23);
    return wall % 60_000 === 0 ? clock.slice(0, 5) : wall % 1000 === 0 ? clock.slice(0, 8) : clock;
}

/** "27 Nov 19:50 – 20:00": what parseTimes would take for the same. */
export function timesText({ range, since, until }: Times, now: number, zone: string): string {
    if (!since && !until) return rangeText(range);
    const [from, to] = [since, until].map((time) => wallOf(Date.parse(time), zone)) as [number, number];
    if ((since && Number.isNaN(from)) || (until && Number.isNaN(to))) return `${since} – ${until}`; // known soon
    const today = wallOf(now, zone);
    const full = (wall: number): string => `${dayText(wall, today)} ${clockText(wall)}`;
    if (!until) return `Since ${full(from)}`;
    if (!since) return `Until ${full(to)}`;
    if (from % DAY === 0 && to % DAY === 0 && to > from) {
        const [first, last] = [dayText(from, today), dayText(to - DAY, today)];
        return first === last ? first : `${first} – ${last}`;
    }
    const isOneDay = Math.floor(from / DAY) === Math.floor(to / DAY);
    return `${full(from)} – ${isOneDay ? clockText(to) : full(to)}`;
}
