import type { JSX } from 'preact';

import { type View, apiParams } from './address';
import type { Logs } from './use_logs';
import type { Stats } from './use_stats';

interface Props {
    view: View;
    logs: Logs;
    stats: Stats;
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

export function StatusLine({ view, logs, stats }: Props): JSX.Element {
    const { list, live, reload, now } = logs;
    const isAway = (view.live && !live.connected && !list.loading) || (list.error !== null && list.error.status === 0);
    return (
        <div class="status-line">
            <div role="status">
                <span data-testid="count">{stats.answer ? `${stats.answer.total.toLocaleString()} logs` : '…'}</span>
                {view.live && live.connected && <span class="live-sign">{live.paused ? 'paused' : 'live'}</span>}
                {isAway && <span class="warning">The server cannot be reached; trying again…</span>}
                {live.notice && <span class="warning">{live.notice}</span>}
            </div>
            <div class="actions">
                <button onClick={reload}>Reload</button>
                <span>Download</span>
                <Download view={view} now={now} format="ndjson" name="NDJSON" />
                <Download view={view} now={now} format="csv" name="CSV" />
            </div>
        </div>
    );
}
