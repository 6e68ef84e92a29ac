/* The API of logmill, as far as the page reads it. */

export interface Log {
    id: string;
    timestamp: string;
    level: string;
    message: string;
    attributes?: Record<string, unknown> | null;
}

export interface LogsAnswer {
    logs: Log[];
    next: string | null;
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
}

/** An answer that is not 2xx; `status` 0: none came. */
export class ApiError extends Error {
    constructor(
        readonly status: number,
        message: string,
    ) {
        super(message);
    }
}

/** What FastAPI's `detail` says, in one line. */
function explain(detail: unknown): string {
    if (typeof detail === 'string') return detail;
    if (!Array.isArray(detail)) return '';
    return detail
        .map(({ loc, msg }) => `${(loc as unknown[])?.slice(1).join('.')}: ${String(msg)}`)
        .join('; ');
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
    let response: Response;
    try {
        response = await fetch(path, signal ? { signal } : {});
    } catch (error) {
        if (signal?.aborted) throw error;
        throw new ApiError(0, 'The server cannot be reached');
    }
    const body = await response.json().catch(() => null);
    if (!response.ok) {
        const reason = explain(body?.detail) || response.statusText;
        throw new ApiError(response.status, reason);
    }
    if (body === null) throw new ApiError(0, 'The answer broke off');
    return body as T;
}

export function fetchLogs(params: URLSearchParams, signal?: AbortSignal): Promise<LogsAnswer> {
    return get(`/logs?${params}`, signal);
}

export function fetchLog(id: string, signal?: AbortSignal): Promise<Log> {
    return get(`/logs/${encodeURIComponent(id)}`, signal);
}

export function fetchStats(params: URLSearchParams, signal?: AbortSignal): Promise<StatsAnswer> {
    return get(`/logs/stats?${params}`, signal);
}

/** Newest first, as the API orders them; timestamps are all of one form, so text compares. */
export function isBefore(a: Log, b: Log): boolean {
    return a.timestamp === b.timestamp ? a.id > b.id : a.timestamp > b.timestamp;
}
