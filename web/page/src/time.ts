/* Times as they are shown, in the browser's zone or in UTC; and as the API takes them. */

/** The first and the last moment that a log can have. */
export const FIRST = '0001-01-01T00:00:00.000000Z';
export const LAST = '9999-12-31T23:59:59.999999Z';
const FIRST_MS = Date.parse(FIRST);
const LAST_MS = Date.parse(LAST);

function two(n: number, width = 2): string {
    return String(n).padStart(width, '0');
}

/** The date with its zone's clock moved into UTC's, so that the UTC getters read it. */
function shifted(ms: number, utc: boolean): Date {
    return new Date(utc ? ms : ms - new Date(ms).getTimezoneOffset() * 60_000);
}

export function formatDate(ms: number, utc: boolean): string {
    const date = shifted(ms, utc);
    return `${two(date.getUTCFullYear(), 4)}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

export function formatClock(ms: number, utc: boolean): string {
    const date = shifted(ms, utc);
    return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** A log's time to the millisecond. */
export function formatTime(timestamp: string, utc: boolean): string {
    const ms = Date.parse(timestamp);
    if (Number.isNaN(ms)) return timestamp;
    return `${formatDate(ms, utc)} ${formatClock(ms, utc)}.${two(((ms % 1000) + 1000) % 1000, 3)}`;
}

/** To the minute, or the day if a bar is long. */
export function formatTick(ms: number, utc: boolean, span: number): string {
    if (span > 3 * 86_400_000) return formatDate(ms, utc);
    const clock = formatClock(ms, utc);
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

/** What <input type=datetime-local> takes and gives. */
export function toInput(ms: number, utc: boolean): string {
    return `${formatDate(ms, utc)}T${formatClock(ms, utc)}`;
}

/** RFC 3339 in UTC, or "" if the input is empty or no time. */
export function fromInput(value: string, utc: boolean): string {
    const ms = Date.parse(utc ? `${value}Z` : value);
    return Number.isNaN(ms) ? '' : iso(ms);
}
