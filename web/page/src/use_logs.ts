/* What the page looks at, kept up to date: the list of a view, and its live tail. */
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';

import { type View, apiParams, filterParams } from './address';
import { type Log, fetchLogs, mayPass } from './api';
import { firstNow, serverNow } from './clock';
import { type Kind, LogList } from './log_list';
import { countText } from './numbers';
import { fetchParts } from './parts';
import { useSession } from './session';
import type { Tail, TailEvents } from './tail';

const RETRY_MS = 2000;
/** Between two changes of the list while logs stream in. */
const GATHER_MS = 100;
/** Logs held back while paused; of more only the number is kept, and the list starts anew. */
const PENDING_MAX = 2000;

export interface Live {
    connected: boolean;
    paused: boolean;
    /** Logs that came and are not in the list yet. */
    pending: number;
    /** What happened that the reader should know, or "". */
    notice: string;
}

export interface Logs {
    list: LogList;
    /** When the list was started: relative times are from here. */
    now: number;
    live: Live;
    /** Nothing at all is stored; null: not known. */
    nothingStored: boolean | null;
    /** Grows with each log that came live: statistics are old then. */
    arrived: number;
    pause: (paused: boolean) => void;
    reload: () => void;
    /** The list is scrolled to its top: what comes may be shown at once. */
    atTop: (is: boolean) => void;
    flush: () => void;
}

/** Holds what the tail brings until the list may take it. */
class Inbox {
    logs: Log[] = [];
    count = 0;
    paused = false;
    atTop = true;
    ready = false;
    /** Logs fell out that will not come again: only the list anew has them. */
    hasGap = false;

    add(log: Log): void {
        this.count++;
        if (this.logs.length < PENDING_MAX) this.logs.push(log);
    }

    get isOpen(): boolean {
        return this.ready && !this.paused && this.atTop;
    }
}

/** Its list goes on as logs come. */
export function follows(view: View): boolean {
    return view.live && !view.around;
}

/** What the list of a view is of, besides what is asked for. */
export function kindOf({ around, center, oldest }: View): Kind {
    return { oldest, around: around ? { id: center, same: around } : null };
}

/** What it is asked for at `now`: what is around a log, whenever that was. */
export function listParams(view: View, now: number): URLSearchParams {
    return view.around ? filterParams(view) : apiParams(view, now);
}

export function useLogs(view: View): Logs {
    const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
    const [round, setRound] = useState(0);
    const state = useRef<{ list: LogList; now: number; inbox: Inbox; live: Live; arrived: number }>();
    const [nothingStored, setNothingStored] = useState<boolean | null>(null);
    const { around, center, oldest } = view;
    const isFollowing = follows(view);
    const times = around ? [center, ...around] : [view.since, view.until, view.range, isFollowing];
    const sought = [filterParams(view), times, Boolean(around), oldest].join('|');
    const key = `${sought}|${round}`;
    const keyOf = useRef('');

    if (keyOf.current !== key) {
        keyOf.current = key;
        state.current?.list.close();
        const now = firstNow();
        state.current = {
            list: new LogList(
                () => listParams(view, isFollowing ? serverNow() : now),
                () => changed(),
                kindOf(view),
            ),
            now,
            inbox: new Inbox(),
            live: { connected: false, paused: false, pending: 0, notice: '' },
            arrived: 0,
        };
        if (!isFollowing) state.current.list.takeAtOnce();
    }
    const { round: session } = useSession();
    const current = state.current!;
    const { list, inbox, live } = current;

    /** Into the list with all that came; or the list anew if that is too much. */
    const flush = (): void => {
        const { logs, count, hasGap } = inbox;
        inbox.logs = [];
        inbox.hasGap = false;
        inbox.count = live.pending = 0;
        current.arrived += count || 1;
        if (hasGap) live.notice = '';
        if (hasGap || count > logs.length || !list.insert(logs)) void list.start();
        changed();
    };
    /** The oldest first, it does not matter where one looks until the end is there. */
    const takes = (): boolean => inbox.isOpen || (oldest && inbox.ready && !inbox.paused && !list.isComplete);
    const look = (): void => {
        live.pending = takes() ? 0 : inbox.count;
        changed();
    };
    useEffect(() => {
        if (takes() && (inbox.count || inbox.hasGap) && !list.loading && !list.error) flush();
    });

    // At once, not after the next frame: the list is what one waits for.
    useLayoutEffect(() => {
        if (!isFollowing) {
            if (list.loading) void list.start();
            return () => list.close();
        }
        let timer = 0;
        const later = (): void => {
            timer ||= window.setTimeout(() => {
                timer = 0;
                look();
            }, GATHER_MS);
        };
        const events: TailEvents = {
            open: () => {
                live.connected = true;
                if (!inbox.ready) {
                    void list.start().then(() => {
                        inbox.ready = true;
                        current.arrived++; // numbers that were asked for before may be older
                        later();
                    });
                }
                changed();
            },
            log: (log) => {
                inbox.add(log);
                later();
            },
            missed: (count, atMost) => {
                live.notice = `${atMost ? 'Up to ' : ''}${countText(count)} logs came too fast to be shown live: reload to see them`;
                changed();
            },
            lost: () => {
                inbox.hasGap = true;
                live.notice = 'The connection was away for too long, and logs may be missing: reload to see them';
                later();
            },
            away: () => {
                live.connected = false;
                if (!inbox.ready && list.loading) void list.start();
                changed();
            },
            rests: () => {
                live.connected = true;
                if (!inbox.ready && list.loading) void list.start();
                changed();
            },
        };
        let tail: Tail | undefined;
        let isOver = false;
        void fetchParts().then((parts) => {
            if (isOver) return;
            if (parts) tail = new parts.Tail(filterParams(view), events);
            else events.away();
        });
        return () => {
            clearTimeout(timer);
            isOver = true;
            tail?.close();
            list.close();
        };
    }, [list]);

    // What was refused is asked for again when somebody has logged in.
    useEffect(() => {
        if (list.error) void list.goOn();
    }, [session]);

    // A server that is away is asked again; so is an empty one for its first log, which may have come since the list
    // was read: then that is read once more.
    const readAgain = useRef('');
    const isEmpty = list.isComplete && list.length === 0;
    const isAway = list.error !== null && mayPass(list.error);
    const retryMs = Math.max(RETRY_MS, 1000 * (list.error?.retryAfter ?? 0));
    useEffect(() => {
        if (!isEmpty) setNothingStored(null);
        if (!isEmpty && !isAway) return undefined;
        const abort = new AbortController();
        const ask = async (): Promise<void> => {
            if (document.hidden) return;
            if (isAway) return void (list.loading || list.goOn());
            const any = new URLSearchParams({ limit: '1' });
            const { logs } = await fetchLogs(any, abort.signal).catch(() => ({ logs: [] }));
            if (abort.signal.aborted) return;
            const hasCome = logs.length > 0 && Date.parse(logs[0]!.timestamp) >= current.now;
            setNothingStored((before) => {
                const isMissed = before === null && hasCome && readAgain.current !== sought;
                if (isMissed) readAgain.current = sought;
                if (isMissed || (before && logs.length > 0)) setRound((n) => n + 1);
                return logs.length === 0;
            });
        };
        if (isEmpty) void ask();
        const timer = setInterval(() => void ask(), retryMs);
        return () => {
            abort.abort();
            clearInterval(timer);
        };
    }, [list, isEmpty, isAway, retryMs]);

    return {
        list,
        now: current.now,
        live,
        nothingStored,
        arrived: current.arrived,
        flush,
        pause: (paused) => {
            inbox.paused = live.paused = paused;
            look();
        },
        reload: () => setRound((n) => n + 1),
        atTop: (is) => {
            if (inbox.atTop === is) return;
            inbox.atTop = is;
            look();
        },
    };
}
