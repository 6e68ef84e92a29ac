/* The histogram's numbers: asked for with each view, and again while logs come in live. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { type View, filterParams, isRelative } from './address';
import { type ApiError, type StatsAnswer, mayPass } from './api';
import { serverNow } from './clock';
import { countFuture, countView, goOnCounting, withLastMoment } from './count';
import { useSession } from './session';
import { besides, standing } from './standing';
import type { Logs } from './use_logs';

const AGAIN_MS = 3000;
/** Before it is counted anew, so many times as long is waited as counting took. */
const AGAIN_FACTOR = 10;

export interface Stats {
    /** Of this view, or null: not known yet. */
    answer: StatsAnswer | null;
    /** That of the view before, while there is none of this one: not to be taken for it. */
    old: StatsAnswer | null;
    /** Logs have come that it does not count. */
    isBehind: boolean;
    isCounting: boolean;
    isStopped: boolean;
    failed: string;
    /** Logs that match and lie after the range, which ends now. */
    future: number;
    stop: () => void;
    goOn: () => void;
}

interface Progress {
    key: string;
    isCounting: boolean;
    isStopped: boolean;
    failed: string;
    future: number;
    /** Nothing has been told yet. */
    isFresh: boolean;
}

const atFirst = (key: string): Progress => ({ key, isCounting: true, isStopped: false, failed: '', future: 0, isFresh: true });

type Work = (signal: AbortSignal, told: (answer: StatsAnswer) => void) => Promise<StatsAnswer>;

export function useStats(view: View, logs: Logs): Stats {
    const [shown, setShown] = useState<{ key: string; answer: StatsAnswer | null; arrived: number }>({ key: '', answer: null, arrived: 0 });
    const key = [filterParams(view), view.since, view.until, view.range, view.zone, logs.now].join('|');
    const [progress, setProgress] = useState(() => atFirst(key));
    const latest = useRef(logs);
    latest.current = logs;
    const handles = useRef({ stop: () => {}, goOn: () => {} });

    useLayoutEffect(() => {
        let abort = new AbortController();
        let counted = 0;
        let timer = 0;
        let looked = 0;
        let last: StatsAnswer | null = null;
        const show = (answer: StatsAnswer): void => setShown({ key, answer: (last = answer), arrived: counted });
        const set = (change: Partial<Progress>): void =>
            setProgress((before) => ({ ...before, ...change, isFresh: false }));
        setProgress((before) => (before.key === key && before.isFresh ? before : atFirst(key)));

        /** `isAgain`: what is shown stays until all is counted. */
        const run = async (isAgain: boolean, work: Work): Promise<void> => {
            const { signal } = (abort = new AbortController());
            const begun = Date.now();
            try {
                // The rows are drawn first.
                const told = (answer: StatsAnswer): void => void standing.then(() => !signal.aborted && show(answer));
                const answer = await work(signal, (answer) => isAgain || told(answer));
                await standing;
                if (signal.aborted) return;
                show(answer);
                set({ isCounting: false, failed: '' });
            } catch (error) {
                if (signal.aborted) return;
                const { message, retryAfter } = error as ApiError;
                set({ isCounting: false, failed: message });
                if (!isAgain && mayPass(error as ApiError)) {
                    timer = window.setTimeout(goOn, Math.max(AGAIN_MS, 1000 * retryAfter));
                    return;
                }
            }
            timer = window.setTimeout(again, Math.max(AGAIN_MS, AGAIN_FACTOR * (Date.now() - begun)));
        };
        const look = (now: number, isAgain: boolean): Promise<void> => {
            counted = latest.current.arrived;
            looked = now;
            return run(isAgain, async (signal, told) => {
                const future = besides
                    .then(() => countFuture(view, now, signal))
                    .then((future) => !signal.aborted && set({ future }));
                const [answer] = await Promise.all([countView(view, now, signal, told), future]);
                return answer;
            });
        };
        const again = (): void => {
            timer = window.setTimeout(again, AGAIN_MS);
            const now = serverNow();
            const hasMoved = view.live && isRelative(view) && now - looked > (last?.bucket_seconds ?? 1) * 1000;
            if (document.hidden || !(hasMoved || latest.current.arrived !== counted)) return;
            clearTimeout(timer);
            latest.current.list.trim();
            void look(now, true);
        };
        const goOn = (): void => {
            set({ isCounting: true, isStopped: false });
            const from = last;
            if (from?.next) void run(false, (signal, told) => goOnCounting(view, from, signal, told));
            else void look(logs.now, false);
        };
        handles.current = {
            stop: () => {
                abort.abort();
                clearTimeout(timer);
                set({ isCounting: false, isStopped: true });
            },
            goOn,
        };
        void look(logs.now, false);
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [key]);
    const { round } = useSession();
    useEffect(() => {
        if (progress.failed) handles.current.goOn();
    }, [round]);

    const isOurs = progress.key === key;
    return {
        answer: shown.key === key && shown.answer ? withLastMoment(shown.answer, view, logs.list.top) : null,
        old: shown.answer,
        isBehind: view.live && shown.arrived !== logs.arrived,
        isCounting: !isOurs || progress.isCounting,
        isStopped: isOurs && progress.isStopped,
        // What the list says of a time, say, is said once.
        failed: isOurs && progress.failed ? (logs.list.error?.message ?? progress.failed) : '',
        future: isOurs ? progress.future : 0,
        stop: () => handles.current.stop(),
        goOn: () => handles.current.goOn(),
    };
}
