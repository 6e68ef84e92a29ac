import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

import { type View, textOf, withLive, withText } from './address';
import { WhoLooks } from './log_in';
import { type Theme, chooseTheme, chosenTheme } from './theme';
import type { Live } from './use_logs';

const TYPED_MS = 400;

interface Props {
    view: View;
    setView: (view: View, replace?: boolean) => void;
    live: Live;
    /** Somebody writes another text: what is searched for is not wanted, until false says that it is. */
    typing: (other: boolean) => void;
    pause: (paused: boolean) => void;
    help: () => void;
}

/** Searches at Enter, or when typing rests; the field follows the view, but not while typing. */
function Search({ view, setView, typing }: Pick<Props, 'view' | 'setView' | 'typing'>): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const timer = useRef(0);
    const text = textOf(view);
    // At once, not after the next frame: what is typed by then would be lost.
    useLayoutEffect(() => {
        clearTimeout(timer.current);
        input.current!.value = text;
    }, [text]);
    const apply = (): void => {
        clearTimeout(timer.current);
        const typed = input.current!.value;
        if (typed !== text) setView(withText(view, typed));
        else typing(false);
    };
    const latest = useRef(apply);
    latest.current = apply;
    return (
        <input
            id="search"
            ref={input}
            type="search"
            aria-label="Search messages"
            placeholder="Search messages"
            autocomplete="off"
            spellcheck={false}
            onInput={() => {
                clearTimeout(timer.current);
                if (input.current!.value !== text) typing(true);
                timer.current = window.setTimeout(() => latest.current(), TYPED_MS);
            }}
            onKeyDown={(event) => event.key === 'Enter' && apply()}
        />
    );
}

export function TopBar({ view, setView, live, typing, pause, help }: Props): JSX.Element {
    return (
        <header>
            <h1>
                <a href="/">
                    <span class="mark" aria-hidden="true" />
                    logmill
                </a>
            </h1>
            <Search view={view} setView={setView} typing={typing} />
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
