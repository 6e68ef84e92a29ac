/*
 * The logs of a view, newest first, in pages that are fetched by cursor as far as somebody scrolls.
 * How many logs a page has is remembered; the logs themselves only of pages near to what is seen,
 * so that millions of them take no memory. A page that was let go is fetched again by its cursor.
 */
import { ApiError, type Log, fetchLogs, isBefore } from './api';

export const PAGE_LOGS = 500;
/** Pages around those that are seen which keep their logs. */
const PAGES_KEPT = 4;
/** Logs that came live are put into the first page; beyond so many the list starts anew. */
const FIRST_PAGE_MAX = 4 * PAGE_LOGS;

interface Page {
    /** Where it begins; null: at the newest log. */
    cursor: string | null;
    /** null: let go. */
    logs: Log[] | null;
    count: number;
    /** The page goes as far as this log. */
    last: Log | undefined;
    fetching: boolean;
}

export class LogList {
    private pages: Page[] = [];
    private next: string | null = null;
    private abort = new AbortController();
    /** Pages at the top that are not counted: an element cannot be high enough for all. */
    private hidden = 0;
    error: ApiError | null = null;
    loading = true;

    /** `changed` is called whenever there is something else to show. */
    constructor(
        private params: URLSearchParams,
        private changed: () => void,
    ) {}

    /** How many logs are known, without those hidden at the top. */
    get length(): number {
        return this.pages.slice(this.hidden).reduce((sum, page) => sum + page.count, 0);
    }

    get isComplete(): boolean {
        return !this.loading && this.error === null && this.next === null;
    }

    /** Nothing more of it is wanted. */
    close(): void {
        this.abort.abort();
    }

    /** Fetches the first page, in place of all that there is once it has come. */
    async start(): Promise<void> {
        this.loading = true;
        await this.guarded(async (signal) => {
            const answer = await this.fetch(null, signal);
            this.pages = [];
            this.hidden = 0;
            this.append(null, answer.logs);
            this.next = answer.next;
        });
    }

    private append(cursor: string | null, logs: Log[]): void {
        const last = logs.at(-1);
        this.pages.push({ cursor, logs, count: logs.length, last, fetching: false });
    }

    private fetch(cursor: string | null, signal: AbortSignal): ReturnType<typeof fetchLogs> {
        const params = new URLSearchParams(this.params);
        params.set('limit', String(PAGE_LOGS));
        if (cursor !== null) params.set('cursor', cursor);
        return fetchLogs(params, signal);
    }

    /** Runs `read`, whose failure is told in `error`. */
    private async guarded(read: (signal: AbortSignal) => Promise<void>): Promise<void> {
        const { signal } = this.abort;
        try {
            await read(signal);
            this.error = null;
        } catch (error) {
            if (signal.aborted) return;
            this.error = error instanceof ApiError ? error : new ApiError(0, String(error));
        }
        this.loading = false;
        if (!signal.aborted) this.changed();
    }

    /** Fetches the page after the last. */
    async more(): Promise<void> {
        const cursor = this.next;
        if (cursor === null || this.loading) return;
        this.loading = true;
        await this.guarded(async (signal) => {
            const answer = await this.fetch(cursor, signal);
            this.append(cursor, answer.logs);
            this.next = answer.next;
        });
    }

    /** Fetches a page that was let go: as many logs as lie before the page after it. */
    private async refetch(page: Page): Promise<void> {
        page.fetching = true;
        await this.guarded(async (signal) => {
            const logs: Log[] = [];
            let cursor = page.cursor;
            do {
                const answer = await this.fetch(cursor, signal);
                logs.push(...answer.logs.filter((log) => !isBefore(page.last!, log)));
                cursor = logs.length && logs.at(-1)!.id !== page.last!.id ? answer.next : null;
                if (logs.length < answer.logs.length) break;
            } while (cursor !== null);
            page.logs = logs;
            page.count = logs.length;
        });
        page.fetching = false;
    }

    /**
     * The logs from number `from` up to `until`; undefined where one has to be fetched first, which
     * is begun. Lets go of pages far from there.
     */
    slice(from: number, until: number): (Log | undefined)[] {
        const logs: (Log | undefined)[] = [];
        const seen: number[] = [];
        let start = 0;
        this.pages.forEach((page, n) => {
            if (n < this.hidden) return;
            const first = Math.max(from, start);
            const end = Math.min(until, start + page.count);
            if (first < end) {
                seen.push(n);
                for (let i = first; i < end; i++) logs.push(page.logs?.[i - start]);
                if (page.logs === null && !page.fetching) void this.refetch(page);
            }
            start += page.count;
        });
        if (seen.length > 0) this.letGo(seen[0]! - PAGES_KEPT, seen.at(-1)! + PAGES_KEPT);
        return logs;
    }

    private letGo(first: number, last: number): void {
        this.pages.forEach((page, n) => {
            if ((n < first || n > last) && page.last) page.logs = null;
        });
    }

    at(index: number): Log | undefined {
        return this.slice(index, index + 1)[0];
    }

    /** Hides whole pages at the top, about `count` logs, or shows them again (negative). */
    shift(count: number): number {
        const step = Math.sign(count);
        let moved = 0;
        while (Math.abs(moved) < Math.abs(count)) {
            const page = this.pages[step > 0 ? this.hidden : this.hidden - 1];
            if (!page) break;
            moved += step * page.count;
            this.hidden += step;
        }
        return moved;
    }

    get isShifted(): boolean {
        return this.hidden > 0;
    }

    /** Puts in logs that came live, each in its place. False: too many, start() instead. */
    insert(logs: Log[]): boolean {
        const first = this.pages[0];
        if (!first || first.count + logs.length > FIRST_PAGE_MAX) return false;
        logs.forEach((log) => this.insertOne(log));
        return true;
    }

    /** A log that belongs beyond what is known is left out: it comes when its page is fetched. */
    private insertOne(log: Log): void {
        const since = this.params.get('since');
        if (since && Date.parse(log.timestamp) < Date.parse(since)) return;
        const page = this.pages.find(({ last }) => last && !isBefore(last, log)) ?? this.lastPage();
        if (!page?.logs || page.logs.some(({ id }) => id === log.id)) return;
        let at = 0; // new logs mostly are the newest
        while (at < page.logs.length && isBefore(page.logs[at]!, log)) at++;
        page.logs.splice(at, 0, log);
        page.count++;
        page.last = page.logs.at(-1);
    }

    /** Where nothing follows it, it takes what is older than all. */
    private lastPage(): Page | undefined {
        return this.next === null ? this.pages.at(-1) : undefined;
    }
}
