/* The view is its address: what is looked at, and back. */
import { iso } from './time';

export type Range = '15m' | '1h' | '6h' | '24h' | '7d' | 'all';

export const RANGES: readonly (readonly [Range, string, number])[] = [
    ['15m', 'Last 15 minutes', 15 * 60_000],
    ['1h', 'Last hour', 3_600_000],
    ['6h', 'Last 6 hours', 6 * 3_600_000],
    ['24h', 'Last 24 hours', 24 * 3_600_000],
    ['7d', 'Last 7 days', 7 * 24 * 3_600_000],
    ['all', 'All time', 0],
];

export const DEFAULT_RANGE: Range = '24h';

/** A relative range ends so long after now: clocks differ a little. */
const AHEAD_MS = 2000;

/** One parameter of the API that filters: level, q, attr.NAME, or one of them with "not." before. */
export interface Filter {
    name: string;
    value: string;
}

export interface View {
    filters: Filter[];
    /** `since` and `until`, if either is given, count instead. */
    range: Range;
    since: string;
    until: string;
    live: boolean;
    utc: boolean;
    /** The open log, or "". */
    id: string;
}

export function isFilter(name: string): boolean {
    return /^(not\.)?(level|q|attr\..+)$/s.test(name);
}

function isText(name: string): boolean {
    return name === 'q' || name === 'not.q';
}

export function parseView(search: string): View {
    const params = new URLSearchParams(search);
    const range = RANGES.find(([name]) => name === params.get('range'));
    return {
        filters: [...params]
            .filter(([name, value]) => isFilter(name) && !(isText(name) && value === ''))
            .map(([name, value]) => ({ name, value })),
        range: range?.[0] ?? DEFAULT_RANGE,
        since: params.get('since') ?? '',
        until: params.get('until') ?? '',
        live: params.get('live') === '1' && !params.get('until'),
        utc: params.get('zone') === 'utc',
        id: params.get('id') ?? '',
    };
}

export function hasTimes(view: View): boolean {
    return view.since !== '' || view.until !== '';
}

export function formatView(view: View): string {
    const params = new URLSearchParams(view.filters.map(({ name, value }) => [name, value]));
    if (view.since) params.set('since', view.since);
    if (view.until) params.set('until', view.until);
    if (!hasTimes(view) && view.range !== DEFAULT_RANGE) params.set('range', view.range);
    if (view.live) params.set('live', '1');
    if (view.utc) params.set('zone', 'utc');
    if (view.id) params.set('id', view.id);
    const query = params.toString();
    return query ? `/?${query}` : '/';
}

/** The API's parameters for the filters alone: what a live tail takes. */
export function filterParams(view: View): URLSearchParams {
    return new URLSearchParams(view.filters.map(({ name, value }) => [name, value]));
}

/** From when until when the view looks at `now` (ms since 1970), as the API takes it; "": no bound. */
export function rangeOf(view: View, now: number): { since: string; until: string } {
    if (hasTimes(view)) return { since: view.since, until: view.until };
    const length = RANGES.find(([name]) => name === view.range)![2];
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

/** Of one name there may be several; the same twice, or its opposite, makes no sense. */
export function withFilter(view: View, filter: Filter): View {
    const opposite = filter.name.startsWith('not.') ? filter.name.slice(4) : `not.${filter.name}`;
    const rest = view.filters.filter(
        ({ name, value }) => value !== filter.value || (name !== filter.name && name !== opposite),
    );
    return { ...view, filters: [...rest, filter] };
}

export function withoutFilter(view: View, filter: Filter): View {
    const filters = view.filters.filter(
        ({ name, value }) => name !== filter.name || value !== filter.value,
    );
    return { ...view, filters };
}

export function textOf(view: View): string {
    return view.filters.find(({ name }) => name === 'q')?.value ?? '';
}

/** The API takes one text to search for. */
export function withText(view: View, text: string): View {
    const filters = view.filters.filter(({ name }) => name !== 'q');
    return { ...view, filters: text ? [...filters, { name: 'q', value: text }] : filters };
}
