/* Times as they are shown, in a zone; and as the API takes them. A zone: "" is the browser's, "UTC", or a name. */

/** The first and the last moment that a log can have. */
export const FIRST = '0001-01-01T00:00:00.000000Z';
export const LAST = '9999-12-31T23:59:59.999999Z';
const FIRST_MS = Date.parse(FIRST);
const LAST_MS = Date.parse(LAST);

const DAY_MS = 86_400_000;
/** Offsets change at no other moments than at quarters of an hour; those that were asked for are kept. */
const QUARTER_MS = 15 * 60_000;
const OFFSETS_MAX = 20_000;

function two(n: number, width = 2): string {
    return String(n).padStart(width, '0');
}

const formats = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, number>();

/** What the clock of a zone with a name showed, as if it were UTC's. */
function clockOf(ms: number, zone: string): number {
    let format = formats.get(zone);
    if (!format) {
        format = new Intl.DateTimeFormat('en-US', {
            timeZone: zone, hourCycle: 'h23', era: 'short', year: 'numeric', month: 'numeric', day: 'numeric',
            hour: 'numeric', minute: 'numeric', second: 'numeric',
        });
        formats.set(zone, format);
    }
    const part: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(ms)) part[type] = value;
    const year = part['era']!.startsWith('B') ? 1 - Number(part['year']) : Number(part['year']);
    const date = new Date(0);
    date.setUTCFullYear(year, Number(part['month']) - 1, Number(part['day']));
    date.setUTCHours(Number(part['hour']), Number(part['minute']), Number(part['second']));
    return date.getTime();
}

/** The browser's: getTimezoneOffset() has no seconds, which clocks that went by the sun had. */
function localOffset(ms: number): number {
    const local = new Date(ms);
    const clock = new Date(0);
    clock.setUTCFullYear(local.getFullYear(), local.getMonth(), local.getDate());
    clock.setUTCHours(local.getHours(), local.getMinutes(), local.getSeconds(), local.getMilliseconds());
    return clock.getTime() - local.getTime();
}

/** So many ms the clock of the zone is ahead of UTC's. */
export function offsetOf(ms: number, zone: string): number {
    if (zone === 'UTC') return 0;
    if (zone === '') return localOffset(ms);
    const quarter = Math.floor(ms / QUARTER_MS) * QUARTER_MS;
    const key = `${zone} ${quarter}`;
    let offset = offsets.get(key);
    if (offset === undefined) {
        if (offsets.size >= OFFSETS_MAX) offsets.clear();
        offsets.set(key, (offset = clockOf(quarter, zone) - quarter));
    }
    return offset;
}

/** "UTC", "UTC+1", "UTC-3:30": the zone as it is at `ms`. */
export function zoneName(ms: number, zone: string): string {
    const minutes = Math.round(offsetOf(ms, zone) / 60_000);
    if (minutes === 0) return 'UTC';
    const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
    return `UTC${minutes < 0 ? '-' : '+'}${hours}${rest ? `:${two(rest)}` : ''}`;
}

/** The date with its zone's clock moved into UTC's, so that the UTC getters read it. */
function shifted(ms: number, zone: string): Date {
    return new Date(ms + offsetOf(ms, zone));
}

export function formatDate(ms: number, zone: string): string {
    const date = shifted(ms, zone);
    return `${two(date.getUTCFullYear(), 4)}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

export function formatClock(ms: number, zone: string): string {
    const date = shifted(ms, zone);
    return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

function millis(ms: number): string {
    return two(((ms % 1000) + 1000) % 1000, 3);
}

/** "+02:00" where the clock of the zone shows the same twice, as it does when summer time ends; else "". */
function offsetIfTwice(ms: number, zone: string): string {
    const offset = offsetOf(ms, zone);
    const isTwice = [-DAY_MS, DAY_MS].some((away) => {
        const other = offsetOf(ms + away, zone);
        return other !== offset && offsetOf(ms + offset - other, zone) === other;
    });
    const minutes = Math.round(Math.abs(offset) / 60_000);
    return isTwice ? `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}` : '';
}

/** A log's time to the millisecond: "2026-11-27 19:50:00.000", with its offset where that would be ambiguous. */
export function formatTime(timestamp: string, zone: string): string {
    const ms = Date.parse(timestamp);
    return Number.isNaN(ms) ? timestamp : toMoment(ms, zone);
}

/** The same of a number. */
export function toMoment(ms: number, zone: string): string {
    return `${formatDate(ms, zone)} ${formatClock(ms, zone)}.${millis(ms)}${offsetIfTwice(ms, zone)}`;
}

/** To the minute, or the day if a bar is long. */
export function formatTick(ms: number, zone: string, span: number): string {
    if (span > 3 * 86_400_000) return formatDate(ms, zone);
    const clock = formatClock(ms, zone);
    return span > 3_600_000 ? clock.slice(0, 5) : clock;
}

/** RFC 3339 in UTC, within what a log can have. */
export function iso(ms: number): string {
    if (ms < FIRST_MS) return FIRST;
    return ms > LAST_MS ? LAST : new Date(ms).toISOString();
}

/** `us` microseconds after a log's timestamp; "" if no log can be so late. */
export function after(timestamp: string, us: number): string {
    const micros = Number(/\.\d{3}(\d{3})/.exec(timestamp)?.[1] ?? 0) + us;
    const ms = Date.parse(timestamp) + Math.floor(micros / 1000);
    if (ms < FIRST_MS) return FIRST;
    if (ms > LAST_MS) return '';
    return `${iso(ms).slice(0, -1)}${two(((micros % 1000) + 1000) % 1000, 3)}Z`;
}

/** The moment at which the clock of the zone shows what `clock` (ms, as if it were UTC's) says. */
export function ofClock(clock: number, zone: string): number {
    const guess = clock - offsetOf(clock, zone);
    return clock - offsetOf(guess, zone);
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?$/;

/** RFC 3339 in UTC of a time in the notation of the rows, whose end may be left out; "" if it is none. */
export function fromMoment(text: string, zone: string): string {
    const found = MOMENT.exec(text.trim());
    if (!found) return '';
    const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0));
    const fraction = (found[7] ?? '').padEnd(6, '0');
    const date = new Date(0);
    date.setUTCFullYear(year!, month! - 1, day!);
    date.setUTCHours(hour!, minute!, second!, Number(fraction.slice(0, 3)));
    if (date.getUTCMonth() !== month! - 1 || date.getUTCDate() !== day || date.getUTCHours() !== hour) return '';
    if (minute! > 59 || second! > 59) return '';
    const time = iso(ofClock(date.getTime(), zone));
    return Number(fraction.slice(3)) > 0 ? after(time, Number(fraction.slice(3))) : time;
}

/** How long, in the largest unit that it fills: "3 h". */
export function agoText(ms: number): string {
    const minutes = Math.floor(ms / 60_000);
    if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
    if (minutes < 120) return `${minutes} min`;
    return minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}
