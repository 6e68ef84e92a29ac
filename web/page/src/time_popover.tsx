/* What lies behind the button of the times. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { RANGES, type View, hasTimes, rangeOf, timesToResolve } from './address';
import { serverNow } from './clock';
import { EXAMPLES_OF_TIMES, type NoTimes, parseTimes } from './moment';
import { fromMoment, toMoment, zoneName } from './time';
import { type Times, timesText } from './times_text';
import type { Stats } from './use_stats';

export interface TimeProps {
    view: View;
    setView: (view: View) => void;
    /** When the list was started. */
    now: number;
    stats: Stats;
}

/** Quick ranges that are days. */
const DAYS = ['Today', 'Yesterday'];

function isNone(times: Times | NoTimes): times is NoTimes {
    return 'wrong' in times;
}

/** What a text was taken for. */
function told(times: Times, zone: string): string {
    const { since, until } = times;
    if (!since && !until) return timesText(times, 0, zone);
    const moment = (time: string, none: string): string => (time ? toMoment(Date.parse(time), zone) : none);
    return `${moment(since, 'the first log')} – ${moment(until, 'the last log')}`;
}

function InWords({ view, apply }: { view: View; apply: (times: Times) => void }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const [text, setText] = useState('');
    const times = text.trim() ? parseTimes(text, serverNow(), view.zone) : null;
    useEffect(() => input.current!.focus(), []);
    return (
        <form
            class="in-words"
            onSubmit={(event) => {
                event.preventDefault();
                const times = parseTimes(text, serverNow(), view.zone);
                if (!isNone(times)) apply(times);
            }}
        >
            <input
                ref={input}
                aria-label="Time in words"
                aria-describedby="time-told"
                aria-invalid={times !== null && isNone(times)}
                placeholder={EXAMPLES_OF_TIMES}
                autocomplete="off"
                autocapitalize="off"
                spellcheck={false}
                onInput={({ currentTarget }) => setText(currentTarget.value)}
            />
            <p id="time-told" class={times && isNone(times) ? 'wrong' : ''} role="status">
                {times && (isNone(times) ? times.wrong : told(times, view.zone))}
            </p>
        </form>
    );
}

/** What the times of a view are: once they are others, what was being written is not wanted any more. */
function timesKey(view: View): string | null {
    if (timesToResolve(view).length > 0) return null; // they are the same in another form soon
    return [view.range, view.since, view.until, view.zone].join('|');
}

interface TimeFieldProps {
    label: string;
    name: string;
    text: string;
    times: string | null;
    isWrong: boolean;
}

/**
 * One end of the range: a field that follows the view, but not while somebody writes in it. `text` changes by itself,
 * as numbers come in or the clock goes on; `times` by what the reader does.
 */
function TimeField({ label, name, text, times, isWrong }: TimeFieldProps): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const isWritten = useRef(false);
    const followed = useRef<string | null>(null);
    // At once, not after the next frame: what is written by then would be lost.
    useLayoutEffect(() => {
        if (followed.current !== null && followed.current !== times) isWritten.current = false;
        followed.current = times;
        if (!isWritten.current) input.current!.value = text;
    }, [text, times]);
    return (
        <label>
            <span>{label}</span>
            <input
                name={name}
                ref={input}
                aria-invalid={isWrong}
                aria-describedby={isWrong ? 'times-wrong' : undefined}
                placeholder="2026-11-27 19:50:00.000"
                autocomplete="off"
                spellcheck={false}
                onInput={() => {
                    isWritten.current = true;
                }}
            />
        </label>
    );
}

interface Wrong {
    names: string[];
    message: string;
}

function FromTo({ view, now, stats, apply }: Omit<TimeProps, 'setView'> & { apply: (times: Times) => void }): JSX.Element {
    const form = useRef<HTMLFormElement>(null);
    const [wrong, setWrong] = useState<Wrong | null>(null);
    const range = rangeOf(view, now);
    const isAll = !hasTimes(view) && !range.since;
    const since = range.since || (stats.answer?.since ?? '');
    const until = range.until || (isAll ? (stats.answer?.until ?? '') : '');
    const times = timesKey(view);
    const text = (time: string): string => {
        const ms = Date.parse(time);
        return Number.isNaN(ms) ? '' : toMoment(ms, view.zone);
    };
    /** A field that was not changed is the moment that it stands for: its text has less. null: it is none. */
    const field = (name: string, given: string): string | null => {
        const value = (form.current!.elements.namedItem(name) as HTMLInputElement).value.trim();
        if (value === text(given)) return given;
        if (value === '') return '';
        const moment = fromMoment(value, view.zone);
        if (moment) return moment;
        const times = parseTimes(`since ${value}`, serverNow(), view.zone);
        return isNone(times) ? null : times.since;
    };
    const submit = (): void => {
        const [from, to] = [field('since', since), field('until', until)];
        const names = [from === null && 'From', to === null && 'To'].filter((name) => name !== false);
        if (from === null || to === null) {
            return setWrong({ names, message: `${names.join(' and ')}: no time as 2026-11-27 19:50:00.000` });
        }
        if (from && to && Date.parse(from) >= Date.parse(to)) {
            return setWrong({ names: ['From', 'To'], message: 'It ends before it begins' });
        }
        setWrong(null);
        apply(from || to ? { range: '', since: from, until: to } : { range: 'all', since: '', until: '' });
    };
    return (
        <form
            class="from-to"
            ref={form}
            onInput={() => setWrong(null)}
            onSubmit={(event) => {
                event.preventDefault();
                submit();
            }}
        >
            <TimeField label="From" name="since" text={text(since)} times={times} isWrong={wrong?.names.includes('From') ?? false} />
            <TimeField label="To" name="until" text={text(until)} times={times} isWrong={wrong?.names.includes('To') ?? false} />
            {wrong && (
                <p id="times-wrong" class="wrong" role="alert">
                    {wrong.message}
                </p>
            )}
            <button>Apply</button>
        </form>
    );
}

/** "UTC+1, Europe/Berlin". */
function zoneText(ms: number, zone: string): string {
    const name = zone || Intl.DateTimeFormat().resolvedOptions().timeZone;
    const short = zoneName(ms, zone);
    return name && name !== short ? `${short}, ${name}` : short;
}

/** All ways to say another time. */
export function TimePopover(props: TimeProps & { at: number; apply: (times: Times) => void }): JSX.Element {
    const { view, at, apply } = props;
    const applyText = (text: string): void => {
        const times = parseTimes(text, serverNow(), view.zone);
        if (!isNone(times)) apply(times);
    };
    return (
        <dialog open class="popover time-popover" aria-label="Time range">
            <InWords view={view} apply={apply} />
            <div class="quick" role="group" aria-label="Quick ranges">
                {RANGES.map(([range, name]) => (
                    <button
                        data-range={range}
                        aria-pressed={!hasTimes(view) && view.range === range}
                        onClick={() => apply({ range, since: '', until: '' })}
                    >
                        {name}
                    </button>
                ))}
                {DAYS.map((day) => (
                    <button onClick={() => applyText(day)}>{day}</button>
                ))}
            </div>
            <FromTo {...props} apply={apply} />
            <p class="zone">Times in {zoneText(at, view.zone)}</p>
        </dialog>
    );
}
