import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { type View, formatView, parseView, withFilter, withLive } from './address';
import type { Log } from './api';
import { Details } from './details';
import { FilterBar } from './filter_bar';
import { Help } from './help';
import { Histogram } from './histogram';
import { ListView } from './list_view';
import { StateView } from './state_view';
import { StatusLine } from './status_line';
import { TopBar } from './top_bar';
import { useKeys } from './use_keys';
import { useLogs } from './use_logs';
import { useStats } from './use_stats';

/** The view and what changes it: a new entry in the browser's history, unless `replace`. */
function useView(): [View, (view: View, replace?: boolean) => void] {
    const [view, setView] = useState(() => parseView(location.search));
    useEffect(() => {
        const back = (): void => setView(parseView(location.search));
        addEventListener('popstate', back);
        return () => removeEventListener('popstate', back);
    }, []);
    return [
        view,
        (view, replace = false) => {
            history[replace ? 'replaceState' : 'pushState'](null, '', formatView(view));
            setView(view);
        },
    ];
}

export function App(): JSX.Element {
    const [view, setView] = useView();
    const [active, setActive] = useState(-1);
    const [opened, setOpened] = useState<Log | null>(null);
    const help = useRef<HTMLDialogElement>(null);
    const logs = useLogs(view);
    const stats = useStats(view, logs);
    const { list, live } = logs;

    useEffect(() => setActive(-1), [list]);
    const open = (index: number): void => {
        const log = list.at(index);
        if (!log) return;
        setActive(index);
        setOpened(log);
        setView({ ...view, id: log.id }, true);
    };
    const close = (): void => {
        setOpened(null);
        setView({ ...view, id: '' }, true);
        document.getElementById('logs')?.focus({ preventScroll: true });
    };
    useKeys({
        move: (by) => setActive(Math.max(0, Math.min(list.length - 1, active + by))),
        open: () => open(active),
        close: () => view.id && close(),
        live: () => setView(withLive(view, !view.live)),
        help: () => help.current?.showModal(),
    });

    return (
        <>
            <TopBar view={view} setView={setView} live={live} pause={logs.pause} help={() => help.current?.showModal()} />
            <FilterBar view={view} setView={setView} stats={stats.answer} />
            <Histogram view={view} setView={setView} stats={stats} />
            <StatusLine view={view} logs={logs} stats={stats} />
            <main class={view.id ? 'with-details' : ''}>
                <div class="list">
                    {live.pending > 0 && (
                        <button class="new-logs" onClick={() => (logs.pause(false), logs.atTop(true), setActive(0))}>
                            {live.pending.toLocaleString()} new
                        </button>
                    )}
                    <ListView view={view} logs={logs} active={active} open={open} />
                    <StateView view={view} setView={setView} logs={logs} />
                </div>
                {view.id && (
                    <Details
                        key={view.id}
                        id={view.id}
                        log={opened?.id === view.id ? opened : null}
                        utc={view.utc}
                        close={close}
                        filter={(filter) => {
                            setOpened(null);
                            setView({ ...withFilter(view, filter), id: '' });
                        }}
                        around={(since, until) => setView({ ...view, filters: [], since, until, live: false })}
                    />
                )}
            </main>
            <Help dialog={help} />
        </>
    );
}
