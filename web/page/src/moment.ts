/* Times as people write them: "30m", "yesterday", "27 Nov 19:50 – 20:00". */
import { iso, ofClock } from './time';
import { DAY, MONTHS, type Times, UNITS, wallOf } from './times_text';

/** What was written is no time that is known, or none that can be. */
export interface NoTimes {
    wrong: string;
}

export const EXAMPLES_OF_TIMES = '30m, yesterday, 27 Nov 19:50 – 20:00';

const WEEKDAYS = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');

/** A moment that was written, in the zone's clock as if that were UTC's, or as an instant of any clock. */
interface Point {
    wall: number;
    isInstant: boolean;
    /** The day was written. */
    hasDay: boolean;
    /** As long is what it is all of: a day, a minute, … */
    length: number;
}

/** In seconds: "90s", "2 hours", "1h30m"; null if it is none. */
function durationOf(text: string): number | null {
    if (!/^(\d{1,6} ?[a-z]+ ?)+$/.test(text)) return null;
    let sum = 0;
    for (const [, count, name] of text.matchAll(/(\d+) ?([a-z]+)/g)) {
        const unit = UNITS.find(([names]) => names.test(name!));
        if (!unit) return null;
        sum += Number(count) * unit[1];
    }
    return sum || null;
}

/** As it stands in an address. */
function rangeOfSeconds(seconds: number): string {
    if (seconds === 86_400) return '24h';
    const [, length, name] = UNITS.slice(0, 4).reverse().find(([, length]) => seconds % length === 0)!;
    return `${seconds / length}${name[0]}`;
}

function dayAt(year: number, month: number, day: number): number | null {
    const date = new Date(0);
    date.setUTCFullYear(year, month, day);
    return year > 0 && date.getUTCDate() === day && date.getUTCMonth() === month ? date.getTime() : null;
}

function monthOf(name: string): number {
    return name.length < 3 ? -1 : MONTHS.findIndex((month) => month.startsWith(name));
}

/** The day without its year is the last one that has begun. */
function lastDay(month: number, day: number, today: number): number | null {
    for (let year = new Date(today).getUTCFullYear(), tries = 0; tries < 9; tries++, year--) {
        const found = dayAt(year, month, day);
        if (found !== null && found <= today) return found;
    }
    return null;
}

function dayOf(text: string, today: number): number | null {
    if (text === 'today') return today;
    if (text === 'yesterday') return today - DAY;
    const [, last, name] = /^(last )?([a-z]{3,})$/.exec(text) ?? [];
    const weekday = name ? WEEKDAYS.findIndex((day) => day.startsWith(name)) : -1;
    if (weekday >= 0) {
        const back = (new Date(today).getUTCDay() - weekday + 7) % 7;
        return today - (back || (last ? 7 : 0)) * DAY;
    }
    const iso = /^(\d{4})-(\d\d?)-(\d\d?)$/.exec(text);
    if (iso) return dayAt(Number(iso[1]), Number(iso[2]) - 1, Number(iso[3]));
    const found =
        /^(?<day>\d\d?)\.? (?<name>[a-z]+)\.?(?: (?<year>\d{4}))?$/.exec(text) ??
        /^(?<name>[a-z]+)\.? (?<day>\d\d?)(?:st|nd|rd|th)?(?: (?<year>\d{4}))?$/.exec(text) ??
        /^(?<day>\d\d?)\. ?(?<month>\d\d?)\.(?: ?(?<year>\d{4}))?$/.exec(text);
    if (!found) return null;
    const { day, month, year, name: called } = found.groups!;
    const at = called ? monthOf(called) : Number(month) - 1;
    if (at < 0) return null;
    return year ? dayAt(Number(year), at, Number(day)) : lastDay(at, Number(day), today);
}

/** Hours, minutes, … into the day, and how long that is all of. */
function clockOf(text: string): [number, number] | null {
    const found = /^(\d\d?)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?)? ?(am|pm)?$/.exec(text);
    if (!found || (found[2] === undefined && !found[5])) return null;
    const [, hours, minutes = '0', seconds = '0', part = '', half] = found;
    const hour = half ? (Number(hours) % 12) + (half === 'pm' ? 12 : 0) : Number(hours);
    if (hour > 24 || Number(minutes) > 59 || Number(seconds) > 59 || (half && Number(hours) > 12)) return null;
    const ms = ((hour * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(part.padEnd(3, '0').slice(0, 3));
    if (ms > DAY) return null;
    return [ms, part ? 1 : found[3] ? 1000 : found[2] ? 60_000 : 3_600_000];
}

function instant(wall: number, length: number): Point {
    return { wall, isInstant: true, hasDay: true, length };
}

function pointOf(text: string, now: number, zone: string): Point | null {
    if (text === 'now') return instant(now, 0);
    const [, sign, span, ago] = /^(?:now ?([+-]) ?(.+)|(.+) ago)$/.exec(text) ?? [];
    const away = durationOf(span ?? ago ?? '');
    if (away) return instant(now + away * (sign === '+' ? 1000 : -1000), 0);
    if (/^\d{10}$/.test(text)) return instant(Number(text) * 1000, 1000);
    if (/^\d{13}$/.test(text)) return instant(Number(text), 1);
    const rfc = /^\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(z|[+-]\d\d:?\d\d)$/.exec(text);
    if (rfc) {
        const ms = Date.parse(text.replace(/[t ]/, 'T').replace(' ', '').replace('z', 'Z'));
        return Number.isNaN(ms) ? null : instant(ms, rfc[2] ? 1 : rfc[1] ? 1000 : 60_000);
    }
    const today = Math.floor(wallOf(now, zone) / DAY) * DAY;
    const day = dayOf(text, today);
    if (day !== null) return { wall: day, isInstant: false, hasDay: true, length: DAY };
    const [, date, time] = /^(?:(.*?)(?: at)?(?:[ t]))?(\d\d?(?::[\d:.]+)?(?: ?[ap]m)?)$/.exec(text) ?? [];
    const clock = clockOf(time ?? '');
    if (!clock) return null;
    const on = date ? dayOf(date, today) : today;
    if (on === null) return null;
    const [into, length] = clock;
    const isAhead = !date && on + into > wallOf(now, zone); // the last one is meant
    return { wall: on + into - (isAhead ? DAY : 0), isInstant: false, hasDay: !!date, length };
}

/** As the API takes it. */
function timeOf({ wall, isInstant }: Point, zone: string, more = 0): string {
    return iso(isInstant ? wall + more : ofClock(wall + more, zone));
}

/** From one moment to another; the day may be written with either. */
function between(from: Point, to: Point, zone: string): Times | NoTimes {
    const day = (point: Point): number => Math.floor(point.wall / DAY) * DAY;
    const a = { ...from };
    const b = { ...to };
    if (!a.hasDay && !a.isInstant && b.hasDay && !b.isInstant) a.wall += day(b) - day(a);
    if (!b.hasDay) {
        const start = a.isInstant ? wallOf(a.wall, zone) : a.wall;
        b.wall += Math.floor(start / DAY) * DAY - day(b);
        if (b.wall <= start) b.wall += DAY;
    }
    const since = timeOf(a, zone);
    const until = timeOf(b, zone, b.length === DAY ? DAY : 0);
    if (!(Date.parse(since) < Date.parse(until))) return { wrong: 'It ends before it begins' };
    return { range: '', since, until };
}

/** Where one moment ends and the next one begins. */
const TO = / (?:-|to|until|till|and) | ?(?:–|—|\.{2,3}) ?|(?<=:\d\d(?:\.\d+)?)-(?=\d)/;

/** What somebody wrote; a day or a minute alone is all of it. `now`: in ms since 1970. */
export function parseTimes(written: string, now: number, zone: string): Times | NoTimes {
    const text = written.toLowerCase().replace(/[\s,]+/g, ' ').trim();
    const unknown = { wrong: `Not understood: it can be ${EXAMPLES_OF_TIMES}` };
    if (/^(all( time)?|ever(ything)?)$/.test(text)) return { range: 'all', since: '', until: '' };
    const last = /^(?:the )?(?:last|past) ?(.+)$/.exec(text)?.[1];
    const seconds = durationOf(text) ?? durationOf(text.replace(/ ago$/, '')) ??
        (last ? (durationOf(last) ?? durationOf(`1 ${last}`)) : null);
    if (seconds) return { range: rangeOfSeconds(seconds), since: '', until: '' };
    const alone = pointOf(text, now, zone);
    if (alone) {
        return alone.length
            ? { range: '', since: timeOf(alone, zone), until: timeOf(alone, zone, alone.length) }
            : unknown;
    }
    const [, word, rest] = /^(since|from|after|until|before|till) (.+)$/.exec(text) ?? [];
    const open = rest ? pointOf(rest, now, zone) : null;
    if (open) {
        const time = timeOf(open, zone, word === 'after' && open.length === DAY ? DAY : 0);
        const isEnd = word !== 'since' && word !== 'from' && word !== 'after';
        return { range: '', since: isEnd ? '' : time, until: isEnd ? time : '' };
    }
    const [from, to, more] = text.replace(/^(between|from) /, '').split(TO);
    if (!from || !to || more !== undefined) return unknown;
    const a = pointOf(from, now, zone);
    const b = pointOf(to, now, zone);
    return a && b ? between(a, b, zone) : unknown;
}
