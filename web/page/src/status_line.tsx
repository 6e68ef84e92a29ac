import type { JSX } from 'preact';

import { type View, apiParams, formatView, rangeOf } from './address';
import { serverNow } from './clock';
import { useSession } from './session';
import { formatTime } from './time';
import type { Logs } from './use_logs';
import type { Stats } from './use_stats';

interface Props {
    view: View;
    setView: (view: View) => void;
    logs: Logs;
    stats: Stats;
}

/** How many; "so far" if older ones are still to be counted. */
function countOf({ answer }: Stats): string {
    return answer ? `${answer.total.toLocaleString()} logs${answer.next ? ' so far' : ''}` : '…';
}

/** Ends what is searched for and counted now. */
export function stop({ list }: Logs, stats: Stats): void {
    if (list.isSearching) list.stop();
    if (stats.isCounting) stats.stop();
}

export function goOn({ list }: Logs, stats: Stats): void {
    if (list.isStopped) void list.goOn();
    if (stats.isStopped) stats.goOn();
}

/** How far a search has got that takes long, and what ends it. */
function Progress({ view, logs, stats }: Props): JSX.Element | null {
    const { list } = logs;
    const isStopped = list.isStopped || stats.isStopped;
    if (!isStopped && !list.isSearching && !stats.isCounting) return null;
    const isOfList = list.isStopped || list.isSearching;
    const to = (isOfList && list.searchedTo) || (stats.answer?.next && stats.answer.searched_to);
    return (
        <span class="progress" data-testid="progress">
            {isStopped ? 'Stopped' : isOfList ? 'Searching' : 'Counting'}
            {to && `, ${isOfList ? 'searched' : 'counted'} back to ${formatTime(to, view.zone).slice(0, 16)}`}
            <button onClick={() => (isStopped ? goOn : stop)(logs, stats)}>{isStopped ? 'Go on' : 'Stop'}</button>
        </span>
    );
}

/** A relative range ends now: what lies after it is not shown, but told. */
function Future({ view, setView, logs, stats: { future } }: Props): JSX.Element | null {
    if (!future) return null;
    const there = { ...view, since: rangeOf(view, logs.now).until, until: '', live: false, id: '' };
    return (
        <a
            href={formatView(there)}
            onClick={(event) => {
                if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                event.preventDefault();
                setView(there);
            }}
        >
            {future === 1 ? '1 log lies' : `${future.toLocaleString()} logs lie`} in the future
        </a>
    );
}

function Download({ view, now, format, name }: { view: View; now: number; format: string; name: string }): JSX.Element {
    const params = apiParams(view, now);
    params.set('format', format);
    return (
        <a href={`/logs?${params}`} download={`logs.${format}`}>
            {name}
        </a>
    );
}

export function StatusLine(props: Props): JSX.Element {
    const { view, logs, stats } = props;
    const { list, live, reload } = logs;
    const now = view.live ? serverNow() : logs.now;
    const { isWanted } = useSession();
    const isSilent = view.live && !live.connected && !list.loading && !isWanted;
    const isAway = isSilent || (list.error !== null && list.error.status === 0);
    const isBusy = list.error !== null && list.error.status >= 500 && list.length > 0;
    return (
        <div class="status-line">
            <div role="status">
                <span data-testid="count">{countOf(stats)}</span>
                {view.live && live.connected && <span class="live-sign">{live.paused ? 'paused' : 'live'}</span>}
                {isAway && <span class="warning">The server cannot be reached; trying again…</span>}
                {isBusy && <span class="warning">{list.error!.message}; trying again…</span>}
                {live.notice && <span class="warning">{live.notice}</span>}
            </div>
            <Future {...props} />
            <Progress {...props} />
            <div class="actions">
                <button onClick={reload}>Reload</button>
                <span>Download</span>
                <Download view={view} now={now} format="ndjson" name="NDJSON" />
                <Download view={view} now={now} format="csv" name="CSV" />
            </div>
        </div>
    );
}
