/*
 * The logs of a view, newest or oldest first, in pages that are fetched by cursor as far as somebody scrolls.
 * How many logs a page has is remembered; the logs themselves only of pages near to what is seen,
 * so that millions of them take no memory. A page that was let go is fetched again by its cursor.
 *
 * A search that takes long is answered in slices: each is put at the end of the last page, and says how
 * far back all has been searched.
 *
 * Around a log, the list begins with it and its neighbours, and goes on at both ends.
 */
import { ApiError, type Log, type LogsAnswer, fetchLogs, isBefore, logsAtOnce } from './api';

export const PAGE_LOGS = 500;
/** The first page is what is looked at at once: smaller, so that it is there sooner. */
export const FIRST_PAGE_LOGS = 100;
/** Pages around those that are seen which keep their logs. */
const PAGES_KEPT = 4;
/** As deep as a log is looked for that the list is to show. */
const FIND_MAX = 20 * PAGE_LOGS;
/** Logs that came live are put into the first page; beyond so many the list starts anew. */
const FIRST_PAGE_MAX = 4 * PAGE_LOGS;
/** Neighbours of a log, on each side: so many at first, and at a time. They are not let go, so at most so many. */
const NEAR_LOGS = 50;
const NEAR_MORE = 200;
const NEAR_MAX = 20_000;

/** What a list is of, besides what is asked for. */
export interface Kind {
    oldest?: boolean;
    /** A log, and the fields whose values its neighbours share. */
    around?: { id: string; same: readonly string[] } | null;
}

interface Page {
    /** Where it begins; null: at the newest log. */
    cursor: string | null;
    /** In place of a cursor: behind this log. */
    after?: Log | undefined;
    /** null: let go. */
    logs: Log[] | null;
    count: number;
    /** The page goes as far as this log. */
    last: Log | undefined;
    fetching: boolean;
}

/** Logs of a kind that are asked for first, or with a cursor those that follow. */
export function pageParams(asked: URLSearchParams, { oldest, around }: Kind, cursor: string | null): URLSearchParams {
    const params = new URLSearchParams(asked);
    if (around) {
        const count = String(cursor === null ? NEAR_LOGS : NEAR_MORE);
        params.set('around', around.id);
        if (around.same.length > 0) params.set('same', around.same.join(','));
        params.set('before', count);
        params.set('after', count);
    } else {
        params.set('limit', String(cursor === null ? FIRST_PAGE_LOGS : PAGE_LOGS));
        if (oldest) params.set('order', 'oldest');
    }
    if (cursor !== null) params.set('cursor', cursor);
    return params;
}

export class LogList {
    private pages: Page[] = [];
    private next: string | null = null;
    private abort = new AbortController();
    /** Pages at the top that are not counted: an element cannot be high enough for all. */
    private hidden = 0;
    /** Around a log: what lies above the first page, and how many logs have been put there. */
    private above: string | null = null;
    raised = 0;
    error: ApiError | null = null;
    loading = true;
    /** A search that goes on: all has been searched down to this time, or up to it if the oldest are first. */
    searchedTo: string | null = null;
    /** Around a log: the same of what is looked for above it. */
    searchedAbove: string | null = null;
    /** By the reader; nothing is fetched then until goOn(). */
    isStopped = false;

    /**
     * `params` tells what is asked for now: filters, and a range that moves if the list is live.
     * `changed` is called whenever there is something else to show.
     */
    constructor(
        private params: () => URLSearchParams,
        private changed: () => void,
        readonly kind: Kind = {},
    ) {}

    /** Whether `a` stands before `b`. */
    private isBefore(a: Log, b: Log): boolean {
        return this.kind.oldest ? isBefore(b, a) : isBefore(a, b);
    }

    /** How many logs are known, without those hidden at the top. */
    get length(): number {
        return this.pages.slice(this.hidden).reduce((sum, page) => sum + page.count, 0);
    }

    get isComplete(): boolean {
        return !this.loading && !this.isStopped && this.error === null && (this.next === null || this.isFull);
    }

    /** No more neighbours are fetched. */
    get isFull(): boolean {
        return Boolean(this.kind.around) && this.length >= NEAR_MAX;
    }

    /** Something is asked for, at its end or between two slices. */
    get isSearching(): boolean {
        return this.loading || (this.searchedTo !== null && !this.isStopped && this.error === null);
    }

    /** Nothing more of it is wanted. */
    close(): void {
        this.abort.abort();
    }

    /** Takes the first page if it has been asked for and is there. */
    takeAtOnce(): void {
        const answer = logsAtOnce(pageParams(this.params(), this.kind, null));
        if (!answer) return;
        this.take(answer);
        this.loading = false;
    }

    private take(answer: LogsAnswer): void {
        this.pages = [];
        this.hidden = 0;
        this.searchedTo = this.searchedAbove = null;
        if (this.kind.around) this.begin(answer);
        else this.append(null, answer);
    }

    /** Fetches the first page, in place of all that there is once it has come. */
    async start(): Promise<void> {
        // What was asked before knows less: its answer, which may come later, is not wanted.
        if (!this.abort.signal.aborted) {
            this.abort.abort();
            this.abort = new AbortController();
        }
        this.loading = true;
        this.isStopped = false;
        await this.guarded(async (signal) => {
            const answer = await this.fetch(null, signal);
            if (!signal.aborted) this.take(answer);
        });
    }

    /** A log and its neighbours, in the order of the list. */
    private begin(answer: LogsAnswer): void {
        const { oldest } = this.kind;
        const logs = oldest ? [...answer.logs].reverse() : answer.logs;
        const [older, newer] = [[answer.next, answer.searchedTo], [answer.previous, answer.searchedUntil]] as const;
        this.pages = [{ cursor: null, logs, count: logs.length, last: logs.at(-1), fetching: false }];
        [this.above, this.searchedAbove] = oldest ? older : newer;
        [this.next, this.searchedTo] = oldest ? newer : older;
    }

    /** The number of a log that is at hand, or -1. */
    indexOf(id: string): number {
        let start = 0;
        for (const page of this.pages.slice(this.hidden)) {
            const at = page.logs?.findIndex((log) => log.id === id) ?? -1;
            if (at >= 0) return start + at;
            start += page.count;
        }
        return -1;
    }

    /** Around a log: there may be others above the first. */
    get goesOnAbove(): boolean {
        return this.above !== null && this.length < NEAR_MAX;
    }

    /** Around a log: fetches those above the first. */
    async moreAbove(): Promise<void> {
        const cursor = this.above;
        if (cursor === null || this.loading || this.isStopped || !this.goesOnAbove) return;
        this.loading = true;
        await this.guarded(async (signal) => {
            const answer = await this.fetch(cursor, signal);
            const logs = this.kind.oldest ? [...answer.logs].reverse() : answer.logs;
            const page = this.pages[0]!;
            page.logs!.unshift(...logs);
            this.raised += logs.length;
            page.count = page.logs!.length;
            this.above = this.kind.oldest ? answer.next : answer.previous;
            const searched = this.kind.oldest ? answer.searchedTo : answer.searchedUntil;
            this.searchedAbove = this.above === null ? null : searched;
        });
    }

    private append(cursor: string | null, answer: LogsAnswer): void {
        const { oldest, around } = this.kind;
        const page = this.pages.at(-1);
        const logs = around && oldest ? [...answer.logs].reverse() : answer.logs;
        const next = around && oldest ? answer.previous : answer.next;
        const searchedTo = oldest ? answer.searchedUntil : answer.searchedTo;
        if ((around || (this.searchedTo !== null && (page?.count ?? 0) < PAGE_LOGS)) && page?.logs) {
            page.logs.push(...logs);
            page.count = page.logs.length;
            page.last = page.logs.at(-1);
        } else {
            this.pages.push({ cursor, logs, count: logs.length, last: logs.at(-1), fetching: false });
        }
        this.next = next;
        this.searchedTo = next === null ? null : searchedTo;
    }

    private async fetch(cursor: string | null, signal: AbortSignal, after?: Log): Promise<LogsAnswer> {
        const params = pageParams(this.params(), this.kind, cursor);
        if (after) {
            params.set('since', after.timestamp);
            params.set('limit', String(PAGE_LOGS));
        }
        const answer = await fetchLogs(params, signal);
        signal.throwIfAborted();
        return answer;
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
        if (signal.aborted) return;
        this.loading = false;
        this.changed();
    }

    /** Fetches the page after the last. */
    async more(): Promise<void> {
        const cursor = this.next;
        if (cursor === null || this.loading || this.isStopped || this.isFull) return;
        this.loading = true;
        await this.guarded(async (signal) => this.append(cursor, await this.fetch(cursor, signal)));
    }

    /** Gives up what is being searched for. */
    stop(): void {
        this.abort.abort();
        this.abort = new AbortController();
        this.isStopped = true;
        this.loading = false;
        this.changed();
    }

    /** After a stop or an error: from there, or anew if there is nothing to go on from. */
    async goOn(): Promise<void> {
        this.isStopped = false;
        return this.pages.length > 0 && this.next !== null ? this.more() : this.start();
    }

    /** Fetches a page that was let go: as many logs as lie before the page after it. */
    private async refetch(page: Page): Promise<void> {
        page.fetching = true;
        await this.guarded(async (signal) => {
            const logs: Log[] = [];
            for (let cursor = page.cursor; ; ) {
                const answer = await this.fetch(cursor, signal, cursor === null ? page.after : undefined);
                const wanted = answer.logs.filter(
                    (log) => !this.isBefore(page.last!, log) && !(page.after && !this.isBefore(page.after, log)),
                );
                logs.push(...wanted);
                cursor = answer.next;
                const isWhole = answer.logs.some((log) => this.isBefore(page.last!, log)) || logs.at(-1)?.id === page.last!.id;
                if (isWhole || cursor === null) break;
            }
            page.logs = logs;
            page.count = logs.length;
        });
        page.fetching = false;
    }

    /**
     * The logs from number `from` up to `until`; undefined if one has to be fetched first, which
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
                if (page.logs === null && !page.fetching && !this.error) void this.refetch(page);
            }
            start += page.count;
        });
        if (seen.length > 0) this.letGo(seen[0]! - PAGES_KEPT, seen.at(-1)! + PAGES_KEPT);
        return logs;
    }

    private letGo(first: number, last: number): void {
        this.pages.forEach((page, n) => {
            if ((n < first || n > last) && page.last && !this.kind.around) page.logs = null;
        });
    }

    at(index: number): Log | undefined {
        return this.slice(index, index + 1)[0];
    }

    /** The newest logs, as far as they are at hand. */
    get top(): Log[] {
        return this.pages[0]?.logs ?? [];
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
        const { oldest } = this.kind;
        if (!first || (oldest ? logs.length : first.count + logs.length) > FIRST_PAGE_MAX) return false;
        const last = this.pages.at(-1)!;
        if (oldest && this.next === null && last.count > 0 && last.count + logs.length > FIRST_PAGE_MAX)
            this.pages.push({ cursor: null, after: last.last, logs: [], count: 0, last: undefined, fetching: false });
        logs.forEach((log) => this.insertOne(log));
        return true;
    }

    /** False if the range of the list, as it is now, does not hold the log's time. */
    private holds(log: Log): boolean {
        const params = this.params();
        const time = Date.parse(log.timestamp);
        return !(time < Date.parse(params.get('since') ?? '') || time >= Date.parse(params.get('until') ?? ''));
    }

    /** A log that belongs beyond what is known is left out: it comes when its page is fetched. */
    private insertOne(log: Log): void {
        if (!this.holds(log)) return;
        const page = this.pages.find(({ last }) => last && !this.isBefore(last, log)) ?? this.lastPage(log);
        if (!page?.logs || page.logs.some(({ id }) => id === log.id)) return;
        // New logs mostly are the newest.
        let at = this.kind.oldest ? page.logs.length : 0;
        while (this.kind.oldest && at > 0 && this.isBefore(log, page.logs[at - 1]!)) at--;
        while (at < page.logs.length && this.isBefore(page.logs[at]!, log)) at++;
        page.logs.splice(at, 0, log);
        page.count++;
        page.last = page.logs.at(-1);
    }

    private isSearched(timestamp: string): boolean {
        const to = this.searchedTo;
        return to !== null && (this.kind.oldest ? timestamp < to : timestamp >= to);
    }

    /** If nothing follows it, it takes what is older than all; else what has been searched. */
    private lastPage({ timestamp }: Log): Page | undefined {
        const takes = this.next === null || this.isSearched(timestamp);
        return takes ? this.pages.at(-1) : undefined;
    }

    /** The number at which a log stands, or would; null: beyond what has been fetched. */
    place(log: Log): number | null {
        let start = 0;
        for (const page of this.pages.slice(this.hidden)) {
            if (page.last && !this.isBefore(page.last, log)) {
                const at = page.logs?.findIndex((other) => !this.isBefore(other, log)) ?? 0;
                return start + at;
            }
            start += page.count;
        }
        return null;
    }

    /** False if it is of no use to fetch more until place() tells of the log. */
    mayReach(log: Log): boolean {
        const passed = this.isSearched(log.timestamp) && log.timestamp !== this.searchedTo;
        const goesOn = this.next !== null && !this.isStopped && this.error === null && !this.kind.around;
        return this.holds(log) && goesOn && !passed && this.length < FIND_MAX;
    }

    /** Lets go of logs at the end which the range, that has moved, does not hold any more. */
    trim(): void {
        const isOld = (log: Log | undefined): boolean => log !== undefined && !this.holds(log);
        if (this.loading || this.kind.oldest || this.kind.around || !isOld(this.pages.at(-1)?.last)) return;
        while (this.pages.length > 1 && isOld(this.pages.at(-2)!.last)) this.pages.pop();
        const page = this.pages.at(-1)!;
        if (page.logs === null) return;
        page.logs = page.logs.filter((log) => !isOld(log));
        page.count = page.logs.length;
        page.last = page.logs.at(-1);
        this.next = this.searchedTo = null;
        this.changed();
    }
}
