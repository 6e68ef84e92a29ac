import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import {
    type Filter, type Range, RANGES, type View, hasTimes, rangeOf, timesToResolve, withFilter, withoutFilter,
} from './address';
import type { StatsAnswer } from './api';
import { USUAL_LEVELS, severityOf } from './levels';
import { cut, visible } from './text';
import { fromInput, toInput } from './time';
import type { Stats } from './use_stats';

const LEVELS_MAX = 16;

interface Props {
    view: View;
    setView: (view: View) => void;
    /** When the list was started. */
    now: number;
    stats: Stats;
}

/** A filter in words: "level error", "service is not gateway". */
export function describe({ name, value }: Filter): string {
    const excludes = name.startsWith('not.');
    const field = (excludes ? name.slice(4) : name).replace(/^attr\./, '');
    const shown = cut(visible(value), 80);
    if (field === 'q') return `text ${excludes ? 'without ' : ''}"${shown}"`;
    if (!excludes && field === 'level') return `level ${shown}`;
    return `${cut(visible(field), 80)} ${excludes ? 'is not' : 'is'} ${shown}`;
}

function countsByLevel(stats: StatsAnswer | null): Map<string, number> {
    const counts = new Map<string, number>();
    for (const bucket of stats?.buckets ?? []) {
        for (const [level, count] of Object.entries(bucket.levels)) {
            const name = level.toLowerCase();
            counts.set(name, (counts.get(name) ?? 0) + count);
        }
    }
    return counts;
}

function Levels({ view, setView, stats }: Props): JSX.Element {
    const counts = countsByLevel(stats.answer ?? stats.old);
    const chosen = view.filters.filter(({ name }) => name === 'level').map(({ value }) => value);
    const seen = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
    const others = [...new Set([...chosen, ...seen])].filter(
        (level) => !USUAL_LEVELS.includes(level.toLowerCase()),
    );
    return (
        <fieldset class="levels">
            <legend>Levels</legend>
            {[...USUAL_LEVELS, ...others].slice(0, LEVELS_MAX).map((level) => {
                const filter = view.filters.find(
                    ({ name, value }) => name === 'level' && value.toLowerCase() === level.toLowerCase(),
                );
                const count = counts.get(level.toLowerCase());
                return (
                    <label class={`level is-${severityOf(level)}`}>
                        <input
                            type="checkbox"
                            checked={filter !== undefined}
                            onChange={() =>
                                setView(
                                    filter
                                        ? withoutFilter(view, filter)
                                        : withFilter(view, { name: 'level', value: level }),
                                )
                            }
                        />
                        {cut(visible(level), 24)}
                        {count !== undefined && <span class={stats.answer ? 'count' : 'count is-old'}>{count.toLocaleString()}</span>}
                    </label>
                );
            })}
        </fieldset>
    );
}

/** What the times of a view are: once they are others, what was being written is not wanted any more. */
function timesKey(view: View): string | null {
    if (timesToResolve(view).length > 0) return null; // they are the same in another form soon
    return [view.range, view.since, view.until, view.utc].join('|');
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
        return Number.isNaN(ms) ? '' : toInput(ms, view.utc);
    };
    /** A field that was not changed is the moment that it stands for: its text has less. */
    const field = (name: string, given: string): string => {
        const { value } = form.current!.elements.namedItem(name) as HTMLInputElement;
        const time = fromInput(value, view.utc); // browsers leave out seconds that are 0
        return time === fromInput(text(given), view.utc) ? given : time;
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
                    else setView({ ...view, range: range as Range, since: '', until: '' });
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
                const name = field === 'level' ? field : `attr.${field}`;
                setView(withFilter(view, { name: not ? `not.${name}` : name, value: value! }));
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
    const chips = view.filters.filter(({ name }) => name !== 'q');
    return (
        <section class="filters" aria-label="Filters">
            <Times {...props} />
            <Levels {...props} />
            <AddFilter {...props} />
            {chips.map((filter) => (
                <button
                    class="chip"
                    aria-label={`Remove filter: ${describe(filter)}`}
                    onClick={() => setView(withoutFilter(view, filter))}
                >
                    {describe(filter)} <span aria-hidden="true">×</span>
                </button>
            ))}
        </section>
    );
}
