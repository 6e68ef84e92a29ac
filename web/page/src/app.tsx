import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { type SetView, type View, formatView, parseView, timesToResolve, withLive } from './address';
import { type Log, fetchMoment } from './api';
import { isPermalink, settled, sharedAtFirst, viewAround } from './around';
import { askClock, serverNow } from './clock';
import { Everybody } from './everybody';
import { focusList } from './focus';
import { Histogram } from './histogram';
import { ListView } from './list_view';
import { countText } from './numbers';
import { usePanel } from './panel';
import { fetchParts, part } from './parts';
import { useSession } from './session';
import { afterDrawing, nowStands } from './standing';
import { StateView } from './state_view';
import { StatusLine, goOn, stop } from './status_line';
import { TopBar } from './top_bar';
import { useAround } from './use_around';
import { useErrors } from './use_errors';
import { useKeys } from './use_keys';
import { useLog } from './use_log';
import { type Logs, useLogs } from './use_logs';
import { useStats } from './use_stats';
import { useTrace } from './use_trace';

const AroundBar = part('AroundBar');
const Details = part('Details');
/** Its room is kept, or the rows would move when it comes. */
const FieldsPanel = part('FieldsPanel', {
    waits: true,
    before: ({ panel }) => (panel.isOpen && !panel.isSheet ? <aside class="fields" aria-hidden="true" /> : null),
});
const Help = part('Help', { waits: true });
const LogIn = part('LogIn', { waits: true });
const PatternsView = part('PatternsView');

/** The view and what changes it: a new entry in the browser's history, unless `replace`. */
function useView(): [View, SetView] {
    const [view, show] = useState(() => parseView(location.search));
    const newest = useRef(view);
    const change = (next: View): void => show((newest.current = next));
    useEffect(() => {
        const back = (): void => change(parseView(location.search));
        addEventListener('popstate', back);
        return () => removeEventListener('popstate', back);
    }, []);
    return [
        view,
        (wanted, replace = false) => {
            const before = newest.current;
            const next = settled(before, typeof wanted === 'function' ? wanted(before) : wanted);
            if (next === before) return;
            // Whether the entry before is the list that one came from.
            const state = replace ? history.state : { around: next.around !== null && before.around === null };
            history[replace ? 'replaceState' : 'pushState'](state, '', formatView(next));
            change(next);
        },
    ];
}

/** A log that is to be brought into sight; each time it is asked for, another object. */
interface Sought {
    id: string;
}

/** Brings it into sight once it is in the list; `missing` is called if it is not. */
function useReveal(sought: Sought, log: Log | null, { list }: Logs, setActive: (index: number) => void, missing: (log: Log) => void): void {
    const done = useRef<Sought>();
    useEffect(() => {
        if (log?.id !== sought.id || done.current === sought) return;
        if (list.loading || (list.length === 0 && !list.isComplete)) return;
        const at = list.place(log);
        if (at === null && list.mayReach(log)) return void list.more();
        const there = at === null ? null : list.at(at);
        if (at !== null) setActive(at);
        if (there === undefined) return; // it is being fetched
        done.current = sought;
        if (there?.id !== log.id) missing(log);
    });
}

export function App(): JSX.Element {
    const [view, setView] = useView();
    const [active, setActive] = useState(-1);
    const [opened, setOpened] = useState<Log | null>(null);
    const [sought, setSought] = useState<Sought>(view);
    const help = useRef<HTMLDialogElement>(null);
    /** Once it is there, which is after the next drawing if it had to be fetched. */
    const showHelp = (): void => void fetchParts().then(() => setTimeout(() => help.current?.showModal()));
    const given = opened?.id === view.id ? opened : null;
    const [log, wrong] = useLog(view.id, given);
    const logs = useLogs(view);
    const stats = useStats(view, logs);
    const panel = usePanel();
    const { list, live } = logs;
    const { round, isWanted } = useSession();

    const isDrawn = list.length > 0 || list.isComplete || list.error !== null;
    useEffect(() => {
        if (isDrawn) {
            afterDrawing(() => {
                performance.mark('rows');
                nowStands();
            });
        }
    }, [isDrawn]);
    useEffect(() => {
        if (isWanted) void fetchParts();
    }, [isWanted]);
    useEffect(() => setActive(-1), [list]);
    useEffect(() => {
        if (!given) setSought(view); // from an address
    }, [view.id]);
    useEffect(() => {
        const times = timesToResolve(view);
        if (times.length === 0) return;
        // What the server does not understand is told by the list.
        void Promise.all(times.map((time) => fetchMoment(time))).then((moments) => {
            const moment = (time: string): string => moments[times.indexOf(time)] ?? time;
            setView((there) => ({ ...there, since: moment(there.since), until: moment(there.until) }), true);
        }, () => {});
    }, [view.since, view.until, round]);
    useEffect(() => {
        if (round > 0) void askClock().catch(() => {});
    }, [round]);
    useReveal(sought, log, logs, setActive, (log) => {
        setView((there) => {
            if (there.around) return { ...there, center: log.id };
            return isPermalink(there) ? viewAround(there, log, [], serverNow()) : there;
        }, true);
    });
    useAround(view, logs, setActive);
    useTrace(view, logs, setView);
    const [said, lookForError] = useErrors(view, (log) => {
        setOpened(log);
        setSought({ id: log.id });
        setView((there) => ({ ...there, id: log.id }), true);
    });
    const open = (index: number): void => {
        const log = list.at(index);
        if (!log) return;
        setActive(index);
        setOpened(log);
        setSought({ id: '' });
        setView((there) => ({ ...there, id: log.id }), true);
    };
    const close = (): void => {
        setOpened(null);
        setView((there) => ({ ...there, id: '' }), true);
        focusList();
    };
    useKeys({
        move: (by) => {
            const from = log ? list.indexOf(log.id) : active;
            const to = Math.max(0, Math.min(list.length - 1, (from < 0 ? active : from) + by));
            if (log && list.at(to)) open(to);
            else setActive(to);
        },
        error: (by) => lookForError(log ?? list.at(active) ?? null, by),
        open: () => open(active),
        close: () => view.id && close(),
        live: () => setView((there) => withLive(there, !there.live)),
        help: showHelp,
    });

    return (
        <>
            <TopBar
                view={view}
                setView={setView}
                logs={logs}
                stats={stats}
                typing={(other) => (other ? stop : goOn)(logs, stats)}
                help={showHelp}
            />
            <Everybody />
            <Histogram view={view} setView={setView} stats={stats} />
            <StatusLine view={view} setView={setView} logs={logs} stats={stats} panel={panel} />
            {view.around && <AroundBar view={view} setView={setView} logs={logs} />}
            {said && <div class="said" role="status">{said}</div>}
            <main>
                <FieldsPanel view={view} setView={setView} logs={logs} panel={panel} />
                {view.tab === 'patterns' && <PatternsView view={view} setView={setView} stats={stats} />}
                <div class="list" hidden={view.tab === 'patterns'}>
                    {live.pending > 0 && (
                        <button class="new-logs" onClick={() => (logs.pause(false), logs.atTop(true), setActive(view.oldest ? list.length - 1 : 0))}>
                            {countText(live.pending)} new
                        </button>
                    )}
                    <ListView view={view} setView={setView} logs={logs} active={active} open={open} />
                    <StateView view={view} setView={setView} logs={logs} />
                </div>
                {(log || wrong) && (
                    <Details
                        key={view.id}
                        log={log}
                        wrong={wrong}
                        view={view}
                        setView={setView}
                        close={close}
                        around={() => log && setView(viewAround(view, log, sharedAtFirst(log), serverNow()))}
                    />
                )}
            </main>
            <Help dialog={help} />
            <LogIn />
        </>
    );
}
