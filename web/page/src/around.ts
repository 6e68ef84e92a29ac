/* A log among those before and after it, and all of its trace. */
import { type View, formatView, hasTimes, parseView, rangeOf, timesToResolve } from './address';
import type { Log } from './api';
import { attributesOf, isNested, members, readable } from './json';
import { attributeField, existsTerm, fieldTerm, queryOf, termsOf } from './query';
import { after } from './time';

const HALF_HOUR = 30 * 60_000_000;

/** Fields that say where a log comes from, of each kind the first that it has; the first two kinds are shared at first. */
const ORIGINS = [
    ['service.name', 'service', 'app', 'application', 'service_name', 'kubernetes.labels.app', 'logger'],
    ['host.name', 'host', 'hostname', 'node', 'kubernetes.host', 'k8s.node.name'],
    ['k8s.pod.name', 'kubernetes.pod_name', 'kubernetes.pod.name', 'pod', 'pod_name', 'container', 'container_name'],
    ['k8s.namespace.name', 'kubernetes.namespace_name', 'kubernetes.namespace', 'namespace', 'env', 'environment'],
];
const KINDS_SHARED = 2;

const TRACES = [
    'trace_id', 'traceId', 'trace.id', 'traceid', 'TraceId', 'traceID', 'otelTraceID', 'otel.trace_id', 'dd.trace_id',
    'logging.googleapis.com/trace', 'x-trace-id', 'x_trace_id',
];

/** The value of an attribute by its path, as it was written; a name may have dots of its own. */
function valueAt(entries: readonly [name: string, value: string][], path: string): string | undefined {
    for (const [name, value] of entries) {
        if (name === path) return value;
        if (path.startsWith(`${name}.`) && value.startsWith('{')) {
            const found = valueAt(members(value), path.slice(name.length + 1));
            if (found !== undefined) return found;
        }
    }
    return undefined;
}

/** The text of an attribute that is one, or a number; undefined: it has none. */
export function attributeOf(log: Log, path: string): string | undefined {
    const isThere = [path, path.split('.')[0]].some((name) => log.json.includes(`"${name}"`));
    if (!isThere) return undefined; // of very many attributes, most logs have none of these
    const value = valueAt(attributesOf(log), path);
    return value === undefined || value === 'null' || isNested(value) ? undefined : readable(value);
}

/** What a log has of the fields that say where it comes from. */
export function originsOf(log: Log): string[] {
    return ORIGINS.flatMap((paths) => paths.filter((path) => attributeOf(log, path)).slice(0, 1));
}

/** Its service and its host, as far as it has them. */
export function sharedAtFirst(log: Log): string[] {
    return ORIGINS.slice(0, KINDS_SHARED).flatMap((paths) => paths.filter((path) => attributeOf(log, path)).slice(0, 1));
}

function lacks(view: View, { timestamp }: Log, now: number): boolean {
    const { since, until } = rangeOf(view, now);
    const time = Date.parse(timestamp);
    return time < Date.parse(since) || time >= Date.parse(until);
}

/** What is asked for, without what only says how it looks. */
function asked({ query, off, range, since, until, live, tab }: View): Partial<View> {
    return { query, off, range, since, until, live, tab };
}

/** A view as it is remembered in the address of another one. */
export function wayBack(view: View): string {
    return formatView({ ...parseView(''), ...asked(view) }).slice(2);
}

/**
 * The list around a log, whatever was asked for before: that is switched off. The range, which is the histogram's
 * then, stays if it has the log.
 */
export function viewAround(view: View, log: Log, same: string[], now: number): View {
    const range = lacks(view, log, now)
        ? { since: after(log.timestamp, -HALF_HOUR), until: after(log.timestamp, HALF_HOUR) }
        : {};
    const off = [...view.off, ...termsOf(view.query).map(({ text }) => text)];
    const back = view.around ? view.back : wayBack(view);
    return { ...view, ...range, query: '', off, id: log.id, around: same, center: log.id, back, live: false, tab: 'logs' };
}

/** Out of there, to what was looked at before; where that is not known, what was asked for stays. */
export function viewBack(view: View): View {
    const before = view.around && view.back !== null ? asked(parseView(view.back)) : {};
    return { ...view, ...before, around: null, center: '', back: null };
}

/** All of the time that has the same values as a log that the list is around. */
export function viewOfShared(view: View, log: Log): View {
    const shared = view.around!.map((path) => {
        const value = attributeOf(log, path);
        const field = attributeField(path);
        return value === undefined ? existsTerm(field, true) : fieldTerm(field, value);
    });
    return { ...view, query: queryOf([view.query, ...shared]), around: null, center: '', back: null };
}

/** Whoever chooses another time, or live, is out of what lies around a log. */
export function settled(before: View, view: View): View {
    const isSame = before.since === view.since && before.until === view.until && before.range === view.range;
    if (!before.around || !view.around || (isSame && !view.live) || timesToResolve(before).length > 0) return view;
    return { ...view, around: null, center: '', back: null };
}

/** An address that names a log and hardly anything else leads to it, wherever it is. */
export function isPermalink(view: View): boolean {
    return view.id !== '' && view.query === '' && !hasTimes(view) && !view.live && !view.around;
}

/** The field of a log's trace, and its value. */
export function traceOf(log: Log): { path: string; value: string } | null {
    for (const path of TRACES) {
        const value = attributeOf(log, path);
        if (value && !/^0*$/.test(value)) return { path, value };
    }
    return null;
}

/** So long a trace is taken to go on still, after its last log. */
const TRACE_GOES_ON_MS = 60_000;
const TRACE_MARGIN_MS = 1000;

/** The view is all of a trace, of all time. */
export function isWholeTrace({ query, off, range, since, until, live, around, oldest }: View): boolean {
    const [term, ...others] = termsOf(query);
    const isTrace = !!term && others.length === 0 && !term.not && TRACES.some((path) => attributeField(path) === term.field);
    return isTrace && off.length === 0 && range === 'all' && !since && !until && !live && !around && oldest;
}

/** The time of a trace, once its first and its last log are known: all of it is in there. */
export function timesOfTrace(first: string, last: string, now: number): { since: string; until: string } {
    const length = Date.parse(last) - Date.parse(first);
    const margin = Math.max(TRACE_MARGIN_MS, Math.round(length / 20)) * 1000;
    const goesOn = now - Date.parse(last) < TRACE_GOES_ON_MS;
    return { since: after(first, -margin), until: goesOn ? '' : after(last, margin) };
}

/** All of its trace, of all time, the oldest first. */
export function viewOfTrace(view: View, log: Log): View | null {
    const trace = traceOf(log);
    if (!trace) return null;
    return {
        ...view,
        query: fieldTerm(attributeField(trace.path), trace.value),
        off: [],
        range: 'all',
        since: '',
        until: '',
        live: false,
        around: null,
        center: '',
        back: null,
        oldest: true,
        tab: 'logs',
    };
}
