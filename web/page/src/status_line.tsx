import type { ComponentChildren, JSX } from 'preact';

import { type View, formatView, isRelative, rangeLength, rangeOf, unknownRange } from './address';
import { type ApiError, mayPass } from './api';
import { viewBack } from './around';
import { serverNow } from './clock';
import { countText, logsText } from './numbers';
import { FieldsToggle, type Panel } from './panel';
import { part } from './parts';
import { useSession } from './session';
import { cut, visible } from './text';
import { agoText, formatTime } from './time';
import type { Logs } from './use_logs';
import type { Stats } from './use_stats';

const CopyLink = part('CopyLink', { waits: true, before: () => <button class="toggle" disabled>Copy link</button> });

interface Props {
    view: View;
    setView: (view: View) => void;
    logs: Logs;
    stats: Stats;
    panel: Panel;
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

/** What is said of an error that may pass: when it is tried again. */
export function tryingAgain({ retryAfter }: ApiError): string {
    return retryAfter > 0 ? `trying again in ${retryAfter} s…` : 'trying again…';
}

function isUnderWay({ list }: Logs, stats: Stats): boolean {
    return list.isStopped || stats.isStopped || list.isSearching || stats.isCounting;
}

/** How many there are; or are found so far, if older ones may still come. */
function Count({ logs, stats }: Props): JSX.Element {
    const { answer, old, isBehind, failed } = stats;
    const { list } = logs;
    if (answer && !answer.next) {
        const title = isBehind ? 'Logs have come since it was counted' : undefined;
        return <span data-testid="count" class={isBehind ? 'is-old' : ''} title={title}>{logsText(answer.total)}</span>;
    }
    const found = Math.max(answer?.total ?? 0, list.length);
    if (answer || (found > 0 && isUnderWay(logs, stats))) return <span data-testid="count">{countText(found)} found</span>;
    if (!old || failed) return <span data-testid="count">…</span>;
    return (
        <span data-testid="count" class="is-old" title="Of what was shown before">
            {logsText(old.total)}
        </span>
    );
}

/** How far a search has got that takes long, and what ends it. */
function Progress({ view, logs, stats }: Props): JSX.Element | null {
    const { list } = logs;
    const isStopped = list.isStopped || stats.isStopped;
    if (!isUnderWay(logs, stats)) return null;
    const isOfList = list.isStopped || list.isSearching;
    const to = (isOfList && list.searchedTo) || (stats.answer?.next && stats.answer.searched_to);
    const far = to && `${isOfList ? 'searched' : 'counted'} ${isOfList && view.oldest ? 'up' : 'back'} to ${formatTime(to, view.zone).slice(0, 16)}`;
    const what = isStopped ? 'stopped' : far ? '' : isOfList ? 'searching' : 'counting';
    return (
        <span class="progress" data-testid="progress">
            {[what, far].filter(Boolean).join(', ')}
            <button onClick={() => (isStopped ? goOn : stop)(logs, stats)}>{isStopped ? 'Go on' : 'Stop'}</button>
        </span>
    );
}

/** What was read stays; what went wrong is said, with what goes on. */
function Trouble({ logs }: { logs: Logs }): JSX.Element | null {
    const { error, length } = logs.list;
    if (!error || length === 0 || error.status === 401 || error.status === 0) return null;
    return (
        <span class="warning" data-testid="trouble">
            {error.message}
            {mayPass(error) ? `; ${tryingAgain(error)}` : ' '}
            {!mayPass(error) && <button onClick={() => void logs.list.goOn()}>Go on from here</button>}
        </span>
    );
}

/**
 * Logs of a range that ends now are said to have stopped where its end has none for so much of it, or for so many times
 * as long as there is between two of them.
 */
const SILENT_PART = 0.1;
const SILENT_GAPS = 20;
const SILENT_MS = 60_000;

/** When the last log came, if none has since for a while. */
function Silence({ view, logs: { list }, stats: { answer } }: Props): JSX.Element | null {
    const [newest] = list.top;
    if (!newest || view.oldest || view.around || !isRelative(view) || list.isShifted) return null;
    const ago = serverNow() - Date.parse(newest.timestamp);
    const length = rangeLength(view.range)!;
    const gaps = answer && answer.total > 0 ? (SILENT_GAPS * length) / answer.total : Infinity;
    if (ago < Math.max(SILENT_MS, Math.min(SILENT_PART * length, gaps))) return null;
    return (
        <span data-testid="silence" title={`None has come since ${formatTime(newest.timestamp, view.zone)}`}>
            last log {agoText(ago)} ago
        </span>
    );
}

/** A relative range ends now: what lies after it is not shown, but told. */
function Future({ view, setView, logs, stats: { future } }: Props): JSX.Element | null {
    if (!future) return null;
    const there = { ...view, since: rangeOf(view, logs.now).until, until: '', live: false, id: '' };
    return (
        <ViewLink to={there} setView={setView}>
            {logsText(future)} {future === 1 ? 'lies' : 'lie'} in the future
        </ViewLink>
    );
}

function ViewLink({ to, setView, isHere, children }: { to: View; setView: (view: View) => void; isHere?: boolean; children: ComponentChildren }): JSX.Element {
    return (
        <a
            href={formatView(to)}
            aria-current={isHere ? 'page' : undefined}
            onClick={(event) => {
                if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                event.preventDefault();
                if (!isHere) setView(to);
            }}
        >
            {children}
        </a>
    );
}

function Tabs({ view, setView }: Props): JSX.Element {
    return (
        <nav class="tabs" aria-label="What is shown">
            <ViewLink to={{ ...view, tab: 'logs' }} setView={setView} isHere={view.tab === 'logs'}>
                Logs
            </ViewLink>
            <ViewLink to={{ ...viewBack(view), tab: 'patterns', id: '', live: false }} setView={setView} isHere={view.tab === 'patterns'}>
                Patterns
            </ViewLink>
        </nav>
    );
}

function Actions({ view, setView, logs }: Props): JSX.Element {
    return (
        <div class="actions">
            {view.tab === 'logs' && (
                <>
                    <button class="toggle" aria-pressed={view.wrap} title="Whole messages in the rows" onClick={() => setView({ ...view, wrap: !view.wrap })}>
                        Wrap
                    </button>
                    <button class="toggle" aria-pressed={view.oldest} title="From the oldest log to the newest" onClick={() => setView({ ...view, oldest: !view.oldest, live: false })}>
                        Oldest first
                    </button>
                </>
            )}
            <button class="toggle" onClick={logs.reload} title="Read anew, up to now">
                Reload
            </button>
            <CopyLink view={view} logs={logs} />
        </div>
    );
}

export function StatusLine(props: Props): JSX.Element {
    const { view, logs } = props;
    const { list, live } = logs;
    const { isWanted } = useSession();
    const isSilent = view.live && !live.connected && !list.loading && !isWanted;
    const unknown = unknownRange(location.search);
    const isAway = isSilent || (list.error !== null && list.error.status === 0);
    return (
        <div class="status-line">
            <FieldsToggle panel={props.panel} />
            <Tabs {...props} />
            <div role="status">
                <Count {...props} />
                {view.live && live.connected && <span class="live-sign">{live.paused ? 'paused' : 'live'}</span>}
                <Silence {...props} />
                {isAway && <span class="warning">The server cannot be reached; trying again…</span>}
                {unknown && <span class="warning">range={cut(visible(unknown), 20)} is none: it can be 45m, 6h, 2w or all</span>}
                {live.notice && <span class="warning">{live.notice}</span>}
            </div>
            <Progress {...props} />
            <Trouble logs={logs} />
            <Future {...props} />
            <Actions {...props} />
        </div>
    );
}
