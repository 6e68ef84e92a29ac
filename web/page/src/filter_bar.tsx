import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import {
    RANGES, type View, chipsOf, hasTimes, rangeOf, timesToResolve, toggleTerm, withTerm,
    withoutTerm,
} from './address';
import { cut, visible } from './text';
import { attributeField, fieldTerm } from './query';
import { formatClock, formatDate, fromMoment } from './time';
import type { Stats } from './use_stats';

interface Props {
    view: View;
    setView: (view: View) => void;
    /** When the list was started. */
    now: number;
    stats: Stats;
}

/** What the times of a view are: once they are others, what was being written is not wanted any more. */
function timesKey(view: View): string | null {
    if (timesToResolve(view).length > 0) return null; // they are the same in another form soon
    return [view.range, view.since, view.until, view.zone].join('|');
}

/**
 * One end of the range: a field that follows the view, but not while somebody writes in it. `text` changes by itself,
 * as numbers come in or the clock goes on; `times` by what the reader does.
 */
function TimeField({ label, name, text, times }: { label: string; name: string; text: string; times: string | null }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const isWritten = useRef(false);
    const followed = useRef<string | null>(null);
    // At once, not after the next frame: what is written by then would be lost.
    useLayoutEffect(() => {
        if (followed.current !== null && followed.current !== times) isWritten.current = false;
        followed.current = times;
        if (!isWritten.current) input.current!.value = text;
    }, [text, times]);
    const write = (): void => {
        isWritten.current = true;
    };
    return (
        <label>
            {label}
            <input
                type="datetime-local"
                step="1"
                name={name}
                ref={input}
                onInput={write}
                onKeyDown={({ key }) => key.length === 1 && write()} // a part of it is no input yet
            />
        </label>
    );
}

function Times({ view, setView, now, stats }: Props): JSX.Element {
    const form = useRef<HTMLFormElement>(null);
    const range = rangeOf(view, now);
    const isAll = !hasTimes(view) && !range.since;
    const since = range.since || (stats.answer?.since ?? '');
    const until = range.until || (isAll ? (stats.answer?.until ?? '') : '');
    const times = timesKey(view);
    const text = (time: string): string => {
        const ms = Date.parse(time);
        return Number.isNaN(ms) ? '' : `${formatDate(ms, view.zone)}T${formatClock(ms, view.zone)}`;
    };
    /** A field that was not changed is the moment that it stands for: its text has less. */
    const field = (name: string, given: string): string => {
        const { value } = form.current!.elements.namedItem(name) as HTMLInputElement;
        const time = fromMoment(value, view.zone); // browsers leave out seconds that are 0
        return time === fromMoment(text(given), view.zone) ? given : time;
    };
    return (
        <form
            class={hasTimes(view) ? 'times is-absolute' : 'times'}
            ref={form}
            onSubmit={(event) => {
                event.preventDefault();
                setView({ ...view, since: field('since', since), until: field('until', until), live: false });
            }}
        >
            <select
                aria-label="Time range"
                value={hasTimes(view) ? 'absolute' : view.range}
                onChange={(event) => {
                    const range = event.currentTarget.value;
                    if (range === 'absolute') setView({ ...view, since, until, live: false });
                    else setView({ ...view, range, since: '', until: '' });
                }}
            >
                <option value="absolute">From … to …</option>
                {RANGES.map(([range, name]) => (
                    <option value={range}>{name}</option>
                ))}
            </select>
            <TimeField label="From" name="since" text={text(since)} times={times} />
            <TimeField label="To" name="until" text={text(until)} times={times} />
            <button>Apply</button>
        </form>
    );
}

/** "name=value" and "name!=value", for what no open log shows a button for. */
function AddFilter({ view, setView }: Props): JSX.Element {
    const [wrong, setWrong] = useState(false);
    return (
        <form
            class="add-filter"
            onSubmit={(event) => {
                event.preventDefault();
                const input = event.currentTarget.elements.namedItem('filter') as HTMLInputElement;
                const [, field, not, value] = /^\s*([^=!]+?)\s*(!?)=\s*(.*?)\s*$/s.exec(input.value) ?? [];
                setWrong(field === undefined);
                if (field === undefined) return;
                setView(withTerm(view, fieldTerm(field === 'level' ? field : attributeField(field), value!, not !== '')));
                input.value = '';
            }}
        >
            <input
                name="filter"
                aria-label="Add a filter: name=value or name!=value"
                aria-invalid={wrong}
                placeholder="name=value or name!=value"
                autocomplete="off"
                spellcheck={false}
            />
        </form>
    );
}

export function FilterBar(props: Props): JSX.Element {
    const { view, setView } = props;
    const shown = (text: string): string => cut(visible(text), 80);
    return (
        <section class="filters" aria-label="Filters">
            <Times {...props} />
            <AddFilter {...props} />
            {chipsOf(view).map(({ text, isOff }) => (
                <span class={isOff ? 'chip is-off' : 'chip'}>
                    <button aria-pressed={!isOff} onClick={() => setView(toggleTerm(view, text))}>
                        {shown(text)}
                    </button>
                    <button aria-label={`Remove filter: ${shown(text)}`} onClick={() => setView(withoutTerm(view, text))}>
                        ×
                    </button>
                </span>
            ))}
        </section>
    );
}
