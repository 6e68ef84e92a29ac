/* The API of logmill, as far as the page reads it. */
import { member, parts } from './json';
import { HEADERS, refused, theSession } from './session';
import { LAST } from './time';

/** How long one answer may take, in seconds: then it says how far it got, and is asked to go on. */
export const SLICE_S = '1';

export interface Log {
    id: string;
    timestamp: string;
    level: string;
    message: string;
    /** All of it, as the server wrote it. */
    readonly json: string;
}

export interface LogsAnswer {
    logs: Log[];
    next: string | null;
    /** Time was over before the page was full: down to here all was searched, … */
    searchedTo: string | null;
    /** … or, of newer logs, up to here. */
    searchedUntil: string | null;
    /** Of a log among its neighbours: its place, and the cursor of newer ones. */
    at: number | null;
    previous: string | null;
}

export interface Bucket {
    timestamp: string;
    total: number;
    levels: Record<string, number>;
}

export interface StatsAnswer {
    since: string;
    until: string;
    bucket_seconds: number;
    total: number;
    buckets: Bucket[];
    /** If time was over before all was counted: to go on with, and how far it got. */
    next?: string | null;
    searched_to?: string | null;
}

/** Where a query cannot be understood: from one character of it until another. */
export interface Place {
    from: number;
    until: number;
}

/** An answer that is not 2xx; `status` 0: none came. */
export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
        /** By `Retry-After`, in seconds; 0: it says nothing. */
        readonly retryAfter = 0,
        /** In the query, if it is what was wrong. */
        readonly place: Place | null = null,
    ) {
        super(message);
    }
}

/** The API tells it in bytes. */
function placeOf(detail: unknown): Place | null {
    const [{ input, ctx }] = Array.isArray(detail) && detail.length > 0 ? detail : [{}];
    if (typeof input !== 'string' || typeof ctx?.offset !== 'number') return null;
    const bytes = new TextEncoder().encode(input);
    const length = (end: number): number => new TextDecoder().decode(bytes.slice(0, end)).length;
    return { from: length(ctx.offset), until: length(ctx.offset + (ctx.length ?? 0)) };
}

/** What FastAPI's `detail` says, in one line. */
function explain(detail: unknown): string {
    if (typeof detail === 'string') return detail;
    if (!Array.isArray(detail)) return '';
    return detail
        .map(({ loc, msg }) => `${(loc as unknown[])?.slice(1).join('.')}: ${String(msg)}`)
        .join('; ');
}

function parse(text: string): any {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

/** What passes: nobody could be asked, or there is no room now. It is worth asking again. */
export function mayPass({ status }: ApiError): boolean {
    return status === 0 || status === 429 || status >= 500;
}

/** An answer and its text, which is "" if it broke off. */
interface Answer {
    response: Response;
    text: string;
}

interface Ahead {
    coming: Promise<Answer>;
    /** It, once it is there. */
    answer: Answer | null;
    abort: AbortController;
}

/** What has been asked for before anybody wanted it, by its path: it is for the first who asks the same. */
const ahead = new Map<string, Ahead>();

async function ask(path: string, signal?: AbortSignal): Promise<Answer> {
    const response = await fetch(path, { headers: HEADERS, ...(signal ? { signal } : {}) });
    return { response, text: await response.text().catch(() => '') };
}

/** Asks for what will be wanted at once. Comes to its end when the answer is there, or none. */
export async function askAhead(path: string): Promise<void> {
    const abort = new AbortController();
    const asked: Ahead = { coming: ask(path, abort.signal), answer: null, abort };
    ahead.set(path, asked);
    asked.answer = await asked.coming.catch(() => null); // whoever wants it is told
}

/** What nobody has wanted by now nobody will. */
export function dropAhead(): void {
    ahead.forEach(({ abort }) => abort.abort());
    ahead.clear();
}

function asked(path: string, signal?: AbortSignal): Promise<Answer> {
    const early = ahead.get(path);
    if (!early) return ask(path, signal);
    ahead.delete(path);
    if (signal?.aborted) early.abort.abort();
    signal?.addEventListener('abort', () => early.abort.abort(), { once: true });
    return early.coming;
}

export async function get<T>(path: string, read: (body: any, text: string) => T, signal?: AbortSignal): Promise<T> {
    let answer: Answer;
    const { round } = theSession();
    try {
        answer = await asked(path, signal);
    } catch (error) {
        if (signal?.aborted) throw error;
        throw new ApiError(0, 'The server cannot be reached');
    }
    const { response, text } = answer;
    const body = parse(text);
    if (!response.ok) {
        if (response.status === 401 && round === theSession().round) refused();
        const reason = explain(body?.detail) || response.statusText;
        const retryAfter = Number(response.headers?.get('Retry-After')) || 0;
        throw new ApiError(response.status, reason, retryAfter, placeOf(body?.detail));
    }
    if (body === null) throw new ApiError(0, 'The answer broke off');
    return read(body, text);
}

/** What was asked for ahead, if the answer is there and is one; else get() tells what it is. */
function getAtOnce<T>(path: string, read: (body: any, text: string) => T): T | null {
    const { response, text } = ahead.get(path)?.answer ?? {};
    const body = response?.ok ? parse(text!) : null;
    if (body === null) return null;
    ahead.delete(path);
    return read(body, text!);
}

/** A log of its JSON. */
export function readLog(json: string): Log {
    const { id, timestamp, level, message } = JSON.parse(json) as Log;
    return { id, timestamp, level, message, json };
}

/** The texts of the logs are looked for when the first of them is wanted. */
function readLogs({ logs, next, searched_to, searched_until, around, previous }: any, text: string): LogsAnswer {
    let jsons: string[] | undefined;
    const json = (n: number): string => (jsons ??= parts(member(text, 'logs')!))[n]!;
    return {
        logs: (logs as Log[]).map(({ id, timestamp, level, message }, n) => ({
            id, timestamp, level, message,
            get json() {
                return json(n);
            },
        })),
        next,
        searchedTo: searched_to ?? null,
        searchedUntil: searched_until ?? null,
        at: around ?? null,
        previous: previous ?? null,
    };
}

export function logsPath(params: URLSearchParams): string {
    params.set('slice', SLICE_S);
    return `/logs?${params}`;
}

export function fetchLogs(params: URLSearchParams, signal?: AbortSignal): Promise<LogsAnswer> {
    return get(logsPath(params), readLogs, signal);
}

export function fetchLog(id: string, signal?: AbortSignal): Promise<Log> {
    return get(`/logs/${encodeURIComponent(id)}`, (_, text) => readLog(text), signal);
}

/** Logs that are there already. */
export function logsAtOnce(params: URLSearchParams): LogsAnswer | null {
    return getAtOnce(logsPath(params), readLogs);
}

export function statsPath(params: URLSearchParams): string {
    params.set('slice', SLICE_S);
    return `/logs/stats?${params}`;
}

export function fetchStats(params: URLSearchParams, signal?: AbortSignal): Promise<StatsAnswer> {
    return get(statsPath(params), (body: StatsAnswer) => body, signal);
}

/** Fails if the query is none. */
export async function checkQuery(query: string): Promise<void> {
    await fetchStats(new URLSearchParams({ query, since: LAST }));
}

/** The moment that the server takes a time for: the end of a range of no length. */
export async function fetchMoment(time: string): Promise<string> {
    return (await fetchStats(new URLSearchParams({ since: time, until: time }))).since;
}

/** Newest first, as the API orders them; timestamps are all of one form, so text compares. */
export function isBefore(a: Log, b: Log): boolean {
    return a.timestamp === b.timestamp ? a.id > b.id : a.timestamp > b.timestamp;
}
