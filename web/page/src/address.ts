/* The view is its address: what is looked at, and back. */
import { levelTest } from './level_terms';
import { type Term, attributeField, fieldTerm, oneOf, opposite, queryOf, searchText, termsOf, valuesOf } from './query';
import { iso } from './time';

/** The ranges that are offered, and how long they are in ms; others can be written ("45m"). */
export const RANGES: readonly (readonly [string, string])[] = [
    ['15m', 'Last 15 minutes'],
    ['1h', 'Last hour'],
    ['6h', 'Last 6 hours'],
    ['24h', 'Last 24 hours'],
    ['7d', 'Last 7 days'],
    ['30d', 'Last 30 days'],
    ['all', 'All time'],
];

export const DEFAULT_RANGE = '24h';

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** A relative range ends so long after now: clocks differ a little. */
const AHEAD_MS = 2000;

/** Orders of patterns. */
export const SORTS = ['', 'severity', 'newest', 'rarest'] as const;
export type Sort = (typeof SORTS)[number];

/** Which patterns: all, or those that are new in the last hour, … of the time shown, or in all of it. */
export const NEWS = ['', '1h', '24h', '7d', 'range'] as const;
export type News = (typeof NEWS)[number];

export interface View {
    /** In the query language, all of it; "": every log. */
    query: string;
    /** Terms that are switched off: shown, and not asked for. */
    off: string[];
    /** How long before now it begins ("24h"), or "all"; `since` and `until`, if either is given, count instead. */
    range: string;
    since: string;
    until: string;
    live: boolean;
    /** "": the browser's; "UTC"; or a name of the time zone database ("Europe/Berlin"). */
    zone: string;
    /** The open log, or "". */
    id: string;
    /** The list is what lies around a log, with the same values of these fields; null: it is not. */
    around: string[] | null;
    /** That log; "": there is none. */
    center: string;
    /** What was looked at before, to come back to: an address without its "/?"; null: it is not known. */
    back: string | null;
    tab: 'logs' | 'patterns';
    /** The order of the patterns; "": most logs first. */
    sort: Sort;
    /** The new ones alone; "": all. */
    news: News;
    /** Attributes that have a column, by their paths; null: those that suit the logs. */
    columns: string[] | null;
    /** The histogram is grouped by this field; "": by level. */
    by: string;
    oldest: boolean;
    wrap: boolean;
}

/** Another view, or what becomes of the newest one: whoever has waited knows none but that of before. */
export type SetView = (wanted: View | ((newest: View) => View), replace?: boolean) => void;

/** How long a range is in ms, 0 for all time; null: it is none. */
export function rangeLength(range: string): number | null {
    if (range === 'all') return 0;
    const [, count, unit] = /^(\d{1,5})([smhdw])$/.exec(range) ?? [];
    return Number(count) > 0 ? Number(count) * UNITS[unit!]! : null;
}

/** The query of an address from before there was a language: level=, q=, attr.NAME=, not.…= */
function formerQuery(params: URLSearchParams): string {
    const groups = new Map<string, string[]>();
    for (const [name, value] of params) {
        const isText = name === 'q' || name === 'not.q';
        if (!/^(not\.)?(level|q|attr\..+)$/s.test(name) || (isText && value === '')) continue;
        const values = groups.get(name) ?? [];
        groups.set(name, values.includes(value) ? values : [...values, value]);
    }
    return queryOf(
        [...groups].flatMap(([name, values]) => {
            const not = name.startsWith('not.');
            const former = not ? name.slice(4) : name;
            if (former === 'q') return values.map((value) => (not ? '-' : '') + searchText(value));
            const field = former === 'level' ? former : attributeField(former.slice(5));
            return not ? values.map((value) => fieldTerm(field, value, true)) : [oneOf(field, values)];
        }),
    );
}

export function isZone(zone: string): boolean {
    try {
        return zone !== '' && new Intl.DateTimeFormat('en', { timeZone: zone }) !== null;
    } catch {
        return false;
    }
}

function readZone(zone: string | null): string {
    if (zone?.toLowerCase() === 'utc') return 'UTC';
    return zone && isZone(zone) ? zone : '';
}

function list(text: string | null): string[] | null {
    return text === null ? null : text.split(',').filter(Boolean);
}

export function parseView(search: string): View {
    const params = new URLSearchParams(search);
    const id = params.get('id') ?? '';
    const center = params.has('around') ? params.get('center') || id : '';
    const range = params.get('range') ?? '';
    const columns = params.getAll('column');
    return {
        query: queryOf([params.get('query') ?? '', formerQuery(params)]),
        off: params.getAll('off').filter(Boolean),
        range: rangeLength(range) === null ? DEFAULT_RANGE : range,
        since: params.get('since') ?? '',
        until: params.get('until') ?? '',
        live: params.get('live') === '1' && !params.get('until'),
        zone: readZone(params.get('zone')),
        id,
        around: center ? list(params.get('around')) : null,
        center,
        back: center ? params.get('back') : null,
        tab: params.get('tab') === 'patterns' ? 'patterns' : 'logs',
        sort: SORTS.find((sort) => sort === params.get('sort')) ?? '',
        news: NEWS.find((news) => news === params.get('new')) ?? '',
        columns: columns.length > 0 ? columns.filter(Boolean) : null,
        by: params.get('by') ?? '',
        oldest: params.get('order') === 'oldest',
        wrap: params.get('wrap') === '1',
    };
}

/** A range that an address asks for and that is none; the default stands in for it. */
export function unknownRange(search: string): string {
    const range = new URLSearchParams(search).get('range') ?? '';
    return rangeLength(range) === null && !hasTimes(parseView(search)) ? range : '';
}

export function hasTimes(view: View): boolean {
    return view.since !== '' || view.until !== '';
}

export function formatView(view: View): string {
    const params = new URLSearchParams();
    if (view.query) params.set('query', view.query);
    view.off.forEach((term) => params.append('off', term));
    if (view.since) params.set('since', view.since);
    if (view.until) params.set('until', view.until);
    if (!hasTimes(view) && view.range !== DEFAULT_RANGE) params.set('range', view.range);
    if (view.live) params.set('live', '1');
    if (view.zone) params.set('zone', view.zone === 'UTC' ? 'utc' : view.zone);
    if (view.id) params.set('id', view.id);
    if (view.around) params.set('around', view.around.join(','));
    if (view.around && view.center !== view.id) params.set('center', view.center);
    if (view.around && view.back !== null) params.set('back', view.back);
    if (view.tab !== 'logs') params.set('tab', view.tab);
    if (view.sort) params.set('sort', view.sort);
    if (view.news) params.set('new', view.news);
    view.columns?.forEach((path) => params.append('column', path));
    if (view.columns?.length === 0) params.set('column', '');
    if (view.by) params.set('by', view.by);
    if (view.oldest) params.set('order', 'oldest');
    if (view.wrap) params.set('wrap', '1');
    const query = params.toString();
    return query ? `/?${query}` : '/';
}

/** The API's parameters for the query alone: what a live tail takes. */
export function filterParams(view: View): URLSearchParams {
    return new URLSearchParams(view.query ? { query: view.query } : {});
}

/** From when until when the view looks at `now` (ms since 1970), as the API takes it; "": no bound. */
export function rangeOf(view: View, now: number): { since: string; until: string } {
    if (hasTimes(view)) return { since: view.since, until: view.until };
    const length = rangeLength(view.range);
    if (!length) return { since: '', until: '' };
    return { since: iso(now - length), until: iso(now + AHEAD_MS) };
}

/** The API's parameters for what the view shows at `now`. */
export function apiParams(view: View, now: number): URLSearchParams {
    const params = filterParams(view);
    const { since, until } = rangeOf(view, now);
    if (since) params.set('since', since);
    if (until) params.set('until', until);
    return params;
}

/** The range moves with the clock. */
export function isRelative(view: View): boolean {
    return !hasTimes(view) && view.range !== 'all';
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Times that somebody wrote into the address in another form that the API knows (2024-02-29, 1h). */
export function timesToResolve({ since, until }: View): string[] {
    return [since, until].filter((time) => time && !MOMENT.test(time));
}

/** Live on or off: it has no end. */
export function withLive(view: View, live: boolean): View {
    return { ...view, live, until: live ? '' : view.until };
}

/* ---- Terms ---- */

/** A term of the query that is shown as a chip. */
export interface Chip {
    text: string;
    isOff: boolean;
}

/** Those that ask for a field, and those that are off; each once, and on if it is both. */
export function chipsOf({ query, off }: View): Chip[] {
    const on = new Set(termsOf(query).filter(({ field }) => field !== null).map(({ text }) => text));
    const others = [...new Set(off)].filter((text) => !on.has(text));
    return [...[...on].map((text) => ({ text, isOff: false })), ...others.map((text) => ({ text, isOff: true }))];
}

/** What of the query is no chip. */
export function textOf({ query }: View): string {
    return termsOf(query).filter(({ field }) => field === null).map(({ text }) => text).join(' ');
}

function chipTexts(view: View): string[] {
    return chipsOf(view).filter(({ isOff }) => !isOff).map(({ text }) => text);
}

/** Another text beside the chips. */
export function withText(view: View, text: string): View {
    return { ...view, query: queryOf([...chipTexts(view), text]) };
}

export function withoutTerm(view: View, term: string): View {
    const rest = termsOf(view.query).filter(({ text }) => text !== term).map(({ text }) => text);
    return { ...view, query: queryOf(rest), off: view.off.filter((text) => text !== term) };
}

/** The query narrowed by a term; the same twice, or its opposite, makes no sense. */
export function withTerm(view: View, term: string): View {
    const rest = withoutTerm(withoutTerm(view, opposite(term)), term);
    return { ...rest, query: queryOf([...chipTexts(rest), term, textOf(rest)]) };
}

/** A term that is on is switched off, and the other way round. */
export function toggleTerm(view: View, term: string): View {
    const isOn = termsOf(view.query).some(({ text }) => text === term);
    if (!isOn && view.off.includes(term)) return withTerm(view, term);
    const without = withoutTerm(view, term);
    return { ...without, off: [...without.off, term] };
}

function levelTerms(view: View): Term[] {
    return termsOf(view.query).filter(({ field }) => field === 'level');
}

/** The query asks for some levels alone. */
export function hasLevels(view: View): boolean {
    return levelTerms(view).length > 0;
}

/** The levels that it names one by one. */
export function levelsNamed(view: View): string[] {
    return levelTerms(view).flatMap((term) => valuesOf(term) ?? []);
}

/** Whether it lets logs of a level through; of none, if it does not ask for levels. */
export function levelFilter(view: View): (level: string) => boolean {
    const tests = levelTerms(view).map(levelTest);
    return (level) => tests.length > 0 && tests.every((test) => test(level));
}

/** These levels alone, in place of all that it says of levels; none: any. */
export function withLevels(view: View, levels: readonly string[]): View {
    const rest = levelTerms(view).reduce((view, { text }) => withoutTerm(view, text), view);
    return levels.length > 0 ? withTerm(rest, oneOf('level', levels)) : rest;
}
