import type { JSX } from 'preact';

import { type View, withLive } from './address';
import type { ApiError } from './api';
import { WhoLooks } from './log_in';
import { QueryBar } from './query_bar';
import { type Theme, chooseTheme, chosenTheme } from './theme';
import { TimeButton } from './time_button';
import type { Live } from './use_logs';
import type { Stats } from './use_stats';

interface Props {
    view: View;
    setView: (view: View, replace?: boolean) => void;
    live: Live;
    /** When the list was started, and what it says of the query. */
    now: number;
    error: ApiError | null;
    stats: Stats;
    /** Somebody writes another text: what is searched for is not wanted, until false says that it is. */
    typing: (other: boolean) => void;
    pause: (paused: boolean) => void;
    help: () => void;
}

export function TopBar({ view, setView, live, now, error, stats, typing, pause, help }: Props): JSX.Element {
    return (
        <header>
            <h1>
                <a href="/" aria-label="logmill">
                    <span class="mark" aria-hidden="true" />
                    <span class="name">logmill</span>
                </a>
            </h1>
            <QueryBar view={view} setView={setView} now={now} error={error} typing={typing} />
            <TimeButton view={view} setView={setView} now={now} stats={stats} />
            <div class="tools">
                <button
                    class={`live ${live.connected ? 'is-connected' : ''}`}
                    aria-pressed={view.live}
                    onClick={() => setView(withLive(view, !view.live))}
                >
                    Live
                </button>
                {view.live && (
                    <button onClick={() => pause(!live.paused)}>{live.paused ? 'Resume' : 'Pause'}</button>
                )}
                <select
                    aria-label="Time zone"
                    value={view.zone}
                    onChange={(event) => setView({ ...view, zone: event.currentTarget.value }, true)}
                >
                    <option value="">Local time</option>
                    <option value="UTC">UTC</option>
                </select>
                <select
                    aria-label="Theme"
                    value={chosenTheme()}
                    onChange={(event) => chooseTheme(event.currentTarget.value as Theme)}
                >
                    <option value="system">Auto</option>
                    <option value="light">Light</option>
                    <option value="dark">Dark</option>
                </select>
                <WhoLooks />
                <button aria-label="Help" onClick={help}>
                    ?
                </button>
                <a class="api" href="/docs">
                    API
                </a>
            </div>
        </header>
    );
}
