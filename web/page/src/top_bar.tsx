import type { JSX } from 'preact';

import { type SetView, type View, withLive } from './address';
import { Menu } from './menu';
import { QueryBar } from './query_bar';
import { TimeButton } from './time_button';
import type { Logs } from './use_logs';
import type { Stats } from './use_stats';

interface Props {
    view: View;
    setView: SetView;
    logs: Logs;
    stats: Stats;
    /** Somebody writes another text: what is searched for is not wanted, until false says that it is. */
    typing: (other: boolean) => void;
    help: () => void;
}

export function TopBar({ view, setView, logs, stats, typing, help }: Props): JSX.Element {
    const { live, pause, now, list } = logs;
    return (
        <header>
            <h1>
                <a href="/" aria-label="logmill">
                    <span class="mark" aria-hidden="true" />
                    <span class="name">logmill</span>
                </a>
            </h1>
            <QueryBar view={view} setView={setView} now={now} error={list.error} typing={typing} />
            <TimeButton view={view} setView={setView} now={now} stats={stats} />
            <div class="tools">
                {view.live && (
                    <button class="pause" onClick={() => pause(!live.paused)}>{live.paused ? 'Resume' : 'Pause'}</button>
                )}
                <button
                    class={`live ${live.connected ? 'is-connected' : ''}`}
                    aria-pressed={view.live}
                    onClick={() => setView(withLive(view, !view.live))}
                >
                    Live
                </button>
                <Menu view={view} setView={setView} logs={logs} help={help} />
            </div>
        </header>
    );
}
