/* What a histogram is drawn by: how long a bar is, where its lines and times stand. */

/** As many bars as there are at most, about. */
const BARS_MAX = 120;
const DAY_S = 86_400;

/** Lengths of a bar up to a day, in seconds; then two days, and weeks, twice as many each time. */
const LENGTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY_S, 2 * DAY_S];

/** The shortest bar of which at most BARS_MAX make the time, in seconds: of its length alone, so that it stays. */
export function barSeconds(ms: number): number {
    const least = ms / 1000 / BARS_MAX;
    const length = LENGTHS.find((length) => length >= least);
    if (length) return length;
    let week = 7 * DAY_S;
    while (week < least) week *= 2;
    return week;
}

/** 1, 2 or 5 with noughts, at least `least` and 1. */
function roundUp(least: number): number {
    const noughts = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, least))));
    return ([1, 2, 5, 10].find((digit) => digit * noughts >= least) ?? 10) * noughts;
}

/** Round numbers for the lines of a scale that has room for `most`: 0 is not among them, the last one is its top. */
export function linesOf(most: number): number[] {
    const step = roundUp(most / 3);
    return Array.from({ length: Math.max(1, Math.ceil(most / step)) }, (_, n) => (n + 1) * step);
}

const UNITS = ['', 'k', 'M', 'G', 'T', 'P'];

/** A round number, short: 500, 20k, 1.5M. */
export function shortNumber(n: number): string {
    let unit = 0;
    while (n >= 1000 && unit < UNITS.length - 1) {
        n /= 1000;
        unit++;
    }
    return `${Math.round(n * 10) / 10}${UNITS[unit]}`;
}

/** A share, short: 12 %, 0.3 %, <0.1 %. */
export function share(part: number, whole: number): string {
    if (whole === 0 || part === 0) return '0 %';
    const percent = (part / whole) * 100;
    if (percent < 0.1) return '<0.1 %';
    return `${percent < 10 ? Math.round(percent * 10) / 10 : Math.round(percent)} %`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
    1000, 2000, 5000, 10_000, 15_000, 30_000,
    MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY,
];
const MONTH_STEPS = [1, 2, 3, 6];

export interface Tick {
    ms: number;
    text: string;
    /** It says which day (month, year) begins, or which it is at the first one. */
    isDate: boolean;
}

/** Local moments, as milliseconds of a clock that reads UTC, from `from` on: of a step in time. */
function* everyStep(from: number, step: number): Generator<number> {
    // Weeks begin on Mondays; 1970 began on a Thursday.
    const shift = step % (7 * DAY) === 0 ? 4 * DAY : 0;
    for (let at = Math.ceil((from - shift) / step) * step + shift; ; at += step) yield at;
}

function* everyMonths(from: number, months: number): Generator<number> {
    const date = new Date(from);
    for (let month = date.getUTCFullYear() * 12; ; month += months) {
        const at = new Date(0);
        at.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
        if (at.getTime() >= from) yield at.getTime();
    }
}

function momentsOf(from: number, least: number): Generator<number> {
    const step = STEPS.find((step) => step >= least);
    if (step) return everyStep(from, step);
    const month = 30.4 * DAY;
    const months = MONTH_STEPS.find((months) => months * month >= least) ?? 12 * roundUp(least / (365.25 * DAY));
    return everyMonths(from, months);
}

function dayOf(date: Date, withYear: boolean): string {
    const year = withYear ? ` ${date.getUTCFullYear()}` : '';
    return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}${year}`;
}

function clockOf(date: Date): string {
    const clock = date.toISOString().slice(-13, -5);
    return clock.endsWith(':00') ? clock.slice(0, 5) : clock;
}

/**
 * Round times from `since` on and before `until`, at most about `count`. `offset`: how many milliseconds a clock of the
 * zone is ahead at a time. Where the day is another one than at the tick before, it is told.
 */
export function ticksOf(since: number, until: number, count: number, offset: (ms: number) => number): Tick[] {
    const ticks: Tick[] = [];
    const least = (until - since) / Math.max(1, count);
    let day = '';
    let year = NaN;
    for (const local of momentsOf(since + offset(since), least)) {
        const ms = local - offset(local - offset(local)); // the same clock before and after a change of it
        if (ms >= until || ticks.length > 2 * count || Number.isNaN(ms)) break;
        if (ms < since) continue;
        const date = new Date(local);
        const isMidnight = local % DAY === 0;
        const isYear = date.getUTCFullYear() !== year && (year === year || until - since > 300 * DAY);
        const today = dayOf(date, isYear);
        const isDate = isMidnight || today !== day;
        const text = isMidnight ? today : isDate ? `${today} ${clockOf(date)}` : clockOf(date);
        ticks.push({ ms, text, isDate });
        day = dayOf(date, false);
        year = date.getUTCFullYear();
    }
    return ticks;
}
