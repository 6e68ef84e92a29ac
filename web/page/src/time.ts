/* Times as they are shown: in the browser's zone or in UTC. */

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

/** To the minute, or the day where a bar is long. */
export function formatTick(ms: number, utc: boolean, span: number): string {
    if (span > 3 * 86_400_000) return formatDate(ms, utc);
    const clock = formatClock(ms, utc);
    return span > 3_600_000 ? clock.slice(0, 5) : clock;
}

/** What <input type=datetime-local> takes and gives. */
export function toInput(ms: number, utc: boolean): string {
    return `${formatDate(ms, utc)}T${formatClock(ms, utc)}`;
}

/** RFC 3339 in UTC, or "" where the input is empty or no time. */
export function fromInput(value: string, utc: boolean): string {
    const ms = Date.parse(utc ? `${value}Z` : value);
    return Number.isNaN(ms) ? '' : new Date(ms).toISOString();
}
