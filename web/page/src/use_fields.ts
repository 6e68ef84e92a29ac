/* The fields of what the list shows: asked for once that has its first page, and again while logs come in live. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { type View, filterParams, rangeOf } from './address';
import type { ApiError } from './api';
import { serverNow } from './clock';
import { fetchSurvey } from './field_api';
import { useSession } from './session';
import { type Survey, joinSurveys } from './survey';
import { FIRST, LAST } from './time';
import type { Logs } from './use_logs';

/** Views that follow each other at once are not asked for. */
const REST_MS = 150;
/** While live, no more often; nor before so many times as long has passed as it took. */
export const AGAIN_MS = 10_000;
const AGAIN_FACTOR = 20;
/** Away, or no room: asked again then. */
export const RETRY_MS = 5000;

export interface Fields {
    /** Of this view, or null: not known yet. */
    survey: Survey | null;
    /** That of the view before, while there is none of this one: not to be taken for it. */
    old: Survey | null;
    isAsking: boolean;
    failed: string;
    /** Looks at all the rest. */
    goOn: () => void;
    stop: () => void;
    /** This view is looked at from the newest log on, as of `now`; each time it is another object. null: not yet. */
    looking: Looking | null;
}

export interface Looking {
    key: string;
    now: number;
}

/** The parameters that all reads of the panel have: the query, and from when until when. */
export function fieldParams(view: View, now: number): URLSearchParams {
    const { since, until } = rangeOf(view, now);
    const params = filterParams(view);
    params.set('since', since || FIRST);
    params.set('until', until || LAST);
    return params;
}

/** `isWanted`: somebody sees them. */
export function useFields(view: View, logs: Logs, isWanted: boolean): Fields {
    const [shown, setShown] = useState<{ key: string; survey: Survey | null }>({ key: '', survey: null });
    const [looking, setLooking] = useState<Looking | null>(null);
    const [progress, setProgress] = useState({ isAsking: false, failed: '' });
    const latest = useRef(logs);
    latest.current = logs;
    const handles = useRef({ goOn: () => {}, stop: () => {} });
    const { round } = useSession();
    const { list } = logs;
    const key = [filterParams(view), view.since, view.until, view.range, logs.now].join('|');
    const dueKey = useRef('');
    if (!list.error && (list.length > 0 || list.isComplete)) dueKey.current = key;
    const isDue = isWanted && dueKey.current === key;

    useEffect(() => {
        if (!isDue) return undefined;
        let abort = new AbortController();
        let timer = 0;
        let seen = 0;
        let now = 0;
        let last: Survey | null = null;

        /** One slice, or all that are left; `isAgain`: what is shown stays until there is another. */
        const look = async (from: Survey | null, isAll: boolean, isAgain: boolean): Promise<void> => {
            const { signal } = (abort = new AbortController());
            const begun = Date.now();
            if (!from) {
                now = view.live ? serverNow() : latest.current.now;
                seen = latest.current.arrived;
                setLooking({ key, now });
            }
            setProgress({ isAsking: !isAgain, failed: '' });
            try {
                do {
                    const params = fieldParams(view, now);
                    if (from?.next) params.set('cursor', from.next);
                    const slice = await fetchSurvey(params, signal);
                    from = from ? joinSurveys(from, slice) : slice;
                    last = from;
                    setShown({ key, survey: from });
                } while (isAll && from.next);
                setProgress({ isAsking: false, failed: '' });
            } catch (error) {
                if (signal.aborted) return;
                const { status, message } = error as ApiError;
                setProgress({ isAsking: false, failed: status === 401 ? '' : message });
                const isForNow = status === 0 || status === 429 || status >= 500;
                if (isForNow && !from) timer = window.setTimeout(() => void look(null, false, isAgain), RETRY_MS);
                return;
            }
            wait(Math.max(AGAIN_MS, AGAIN_FACTOR * (Date.now() - begun)));
        };
        const wait = (ms: number): void => {
            clearTimeout(timer);
            if (!view.live) return;
            timer = window.setTimeout(() => {
                if (document.hidden || latest.current.arrived === seen) wait(AGAIN_MS);
                else void look(null, false, true);
            }, ms);
        };
        const halt = (): void => {
            abort.abort();
            clearTimeout(timer);
        };
        handles.current = {
            goOn: () => {
                halt();
                void look(last, last !== null, false);
            },
            stop: () => {
                halt();
                setProgress({ isAsking: false, failed: '' });
            },
        };
        timer = window.setTimeout(() => void look(null, false, false), REST_MS);
        return halt;
    }, [key, isDue, round]);

    const isOurs = shown.key === key;
    return {
        survey: isOurs ? shown.survey : null,
        old: shown.survey,
        isAsking: progress.isAsking,
        failed: progress.failed,
        goOn: () => handles.current.goOn(),
        stop: () => handles.current.stop(),
        looking: looking?.key === key ? looking : null,
    };
}
