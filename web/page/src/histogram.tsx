import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { type View, filterParams, hasLevels, withLevels } from './address';
import type { StatsAnswer } from './api';
import {
    type Chart, HEIGHT, STRIP, type Span, WIDTH, barAt, barCount, barsOf, chartOfGroups, chartOfLevels, columnAt, errorsOf,
    linesOfChart, shapesOf, shifted, spanOf, widened,
} from './bars';
import { serverNow } from './clock';
import { type Levels, countLevels, levelsIn } from './count';
import { GROUPS, type Groups, countGroups } from './groups';
import { GroupLegend, LevelLegend } from './legend';
import { countText } from './numbers';
import { share, shortNumber, ticksOf } from './scale';
import { afterDrawing } from './standing';
import { cut, visible } from './text';
import { iso, offsetOf, toMoment } from './time';
import { useBeside } from './use_beside';
import type { Stats } from './use_stats';

/** Shorter is a click. */
const DRAG_MIN = 0.005;
const TICK_PX = 105;
const DAY_MS = 86_400_000;

interface Props {
    view: View;
    setView: (view: View) => void;
    stats: Stats;
}

/** From when until when, as the rows have it, as far as it differs. */
function describeTime({ since, until }: Span, step: number, zone: string): string {
    const digits = step % 60_000 > 0 ? (step % 1000 > 0 ? 23 : 19) : 16;
    const [from, to] = [toMoment(since, zone), toMoment(until, zone)];
    const isDays = step % DAY_MS === 0 && from.slice(11, 23) === to.slice(11, 23);
    if (isDays) return step === DAY_MS ? from.slice(0, 10) : `${from.slice(0, 10)} – ${to.slice(0, 10)}`;
    const end = from.slice(0, 10) === to.slice(0, 10) ? to.slice(11, digits) : to.slice(0, digits);
    return `${from.slice(0, digits)}${from.slice(23)} – ${end}${to.slice(23)}`;
}

interface Told {
    time: string;
    total: string;
    series: { class: string; name: string; count: number; share: string }[];
}

/** What a bar says. */
function tell(chart: Chart, first: number, last: number, zone: string, all: number): Told {
    const columns = Array.from({ length: last - first + 1 }, (_, n) => columnAt(chart, first + n));
    const total = columns.reduce((sum, column) => sum + column.total, 0);
    return {
        time: describeTime(spanOf(chart, first, last), chart.step, zone),
        total: `${countText(total)} ${total === 1 ? 'log' : 'logs'}${total > 0 ? `, ${share(total, all)}` : ''}`,
        series: chart.series
            .map(({ class: name, name: value }, n) => ({
                class: name,
                name: value === null ? (name === 'is-rest' ? 'others' : 'without') : cut(visible(value || '(empty)'), 40),
                count: columns.reduce((sum, { counts }) => sum + counts[n]!, 0),
            }))
            .filter(({ count }) => count > 0)
            .map((one) => ({ ...one, share: share(one.count, total) }))
            .reverse(),
    };
}

function Tip({ told, at }: { told: Told; at: number }): JSX.Element {
    return (
        <div class={at > 0.6 ? 'tip is-left' : 'tip'} style={{ left: `${at * 100}%` }} data-testid="tip" aria-hidden="true">
            <div class="tip-time">{told.time}</div>
            <div class="tip-total">{told.total}</div>
            {told.series.map((one) => (
                <div class={`tip-row ${one.class}`}>
                    <span class="swatch" />
                    <span>{one.name}</span>
                    <b>{countText(one.count)}</b>
                    <span class="tip-share">{one.share}</span>
                </div>
            ))}
        </div>
    );
}

/** All levels' counts: those of the histogram itself, unless the query asks for some levels alone. */
function useLevels(view: View, { answer }: Stats): { levels: Levels | null; isOld: boolean } {
    const isFiltered = hasLevels(view);
    const all = withLevels(view, []);
    const question = `${filterParams(all)}|${view.since}|${view.until}|${view.range}`;
    const [own, setOwn] = useState<{ question: string; levels: Levels } | null>(null);
    const [since, until] = [answer?.since ?? '', answer?.until ?? ''];
    const beside = useBeside<Levels>(isFiltered ? question : '', since && `${since}|${until}`, (signal, told) =>
        countLevels(all, since, until, signal, told));
    useEffect(() => {
        if (answer && !isFiltered) setOwn({ question, levels: levelsIn(answer) });
    }, [answer, isFiltered, question]);
    if (!isFiltered && answer) return { levels: levelsIn(answer), isOld: false };
    if (isFiltered && beside.value && !beside.isOld) return { levels: beside.value, isOld: false };
    // Choosing a level changes none of them.
    return { levels: own?.levels ?? beside.value, isOld: own?.question !== question };
}

function useGroups(view: View, { answer }: Stats): { groups: Groups | null; isOld: boolean; failed: string } {
    const [since, until, bucket] = [answer?.since ?? '', answer?.until ?? '', answer?.bucket_seconds ?? 1];
    const question = view.by && `${view.by}|${filterParams(view)}|${view.since}|${view.until}|${view.range}|${view.zone}`;
    const time = since && `${since}|${until}`;
    const { value, isOld, failed } = useBeside<Groups>(question, time, (signal, told) =>
        countGroups(view, view.by, { since, until, bucket_seconds: bucket }, GROUPS, signal, told));
    return { groups: view.by ? value : null, isOld, failed };
}

/** ←, → and − where nothing else takes them. */
function useTimeKeys(move: (by: number) => void, out: () => void): void {
    const latest = useRef({ move, out });
    latest.current = { move, out };
    useEffect(() => {
        const press = (event: KeyboardEvent): void => {
            const at = event.target as HTMLElement;
            const isFree = at === document.body || at.id === 'logs';
            if (!isFree || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
            if (event.key === 'ArrowLeft') latest.current.move(-1);
            else if (event.key === 'ArrowRight') latest.current.move(1);
            else if (event.key === '-') latest.current.out();
            else return;
            event.preventDefault();
        };
        addEventListener('keydown', press);
        return () => removeEventListener('keydown', press);
    }, []);
}

/** Where times were before they were narrowed: out leads back there. */
interface Narrowed {
    before: Pick<View, 'range' | 'since' | 'until' | 'live'>;
    since: string;
    until: string;
}

function Plot({ chart, answer, isOld, hasErrors }: { chart: Chart; answer: StatsAnswer | null; isOld: boolean; hasErrors: boolean }): JSX.Element {
    const part = (ms: number): string => `${Math.max(0, Math.min(1, (ms - chart.from) / (chart.to - chart.from))) * 100}%`;
    const lines = linesOfChart(chart);
    useEffect(() => afterDrawing(() => performance.mark('bars')), []);
    return (
        <div class={isOld ? 'bars is-old' : 'bars'}>
            {lines.map((line) => (
                <div class="line" style={{ bottom: `${(line / lines.at(-1)!) * 100}%` }} />
            ))}
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
                {shapesOf(barsOf(chart)).map((shape) => <path {...shape} />)}
            </svg>
            {hasErrors && (
                <svg class="errors" data-testid="errors" viewBox={`0 0 ${WIDTH} ${STRIP}`} preserveAspectRatio="none" aria-hidden="true">
                    {shapesOf(errorsOf(chart)).map((shape) => <path {...shape} />)}
                </svg>
            )}
            {answer?.next && answer.searched_to && !isOld && (
                <div class="uncounted" data-testid="uncounted" style={{ width: part(Date.parse(answer.searched_to)) }} />
            )}
        </div>
    );
}

export function Histogram({ view, setView, stats }: Props): JSX.Element {
    const { answer, old, isCounting, failed } = stats;
    const { levels, isOld: levelsAreOld } = useLevels(view, stats);
    const { groups, isOld: groupsAreOld, failed: groupsFailed } = useGroups(view, stats);
    const counts = answer ?? (failed ? null : old);
    const chart = useMemo(
        () => (groups ? chartOfGroups(groups) : counts ? chartOfLevels(counts) : null),
        [groups, counts],
    );
    const isOld = !answer || (groups !== null && groupsAreOld);
    const [drag, setDrag] = useState<[number, number] | null>(null);
    const [pointed, setPointed] = useState<number | null>(null);
    const [focused, setFocused] = useState<[number, number] | null>(null);
    const [width, setWidth] = useState(1000);
    const narrowed = useRef<Narrowed[]>([]);
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const observer = new ResizeObserver(() => setWidth(box.current!.clientWidth));
        observer.observe(box.current!);
        return () => observer.disconnect();
    }, []);

    const goTo = ({ since, until }: Span): void => setView({ ...view, since: iso(since), until: iso(until), live: false });
    const narrow = (span: Span): void => {
        const { range, since, until, live } = view;
        narrowed.current.push({ before: { range, since, until, live }, since: iso(span.since), until: iso(span.until) });
        goTo(span);
    };
    const asked = answer && { since: Date.parse(answer.since), until: Date.parse(answer.until) };
    const out = (): void => {
        const last = narrowed.current.pop();
        if (last && last.since === view.since && last.until === view.until) return setView({ ...view, ...last.before });
        narrowed.current = [];
        if (asked) goTo(widened(asked, serverNow()));
    };
    const move = (by: number): void => {
        if (asked && !(by > 0 && isAtEnd)) goTo(shifted(asked, by));
    };
    const isAll = view.range === 'all' && !view.since && !view.until;
    const isAtEnd = isAll || (asked !== null && asked.until >= serverNow() && stats.future === 0);
    useTimeKeys(move, out);

    const at = (fraction: number): number => chart!.from + fraction * (chart!.to - chart!.from);
    const fraction = (event: PointerEvent): number => {
        const { left, width } = box.current!.getBoundingClientRect();
        return Math.min(1, Math.max(0, (event.clientX - left) / width));
    };
    /** The bars that a drag goes over: it is of whole ones. */
    const dragged = (ends: [number, number]): [number, number] =>
        ends.map((end) => barAt(chart!, at(end))).sort((a, b) => a - b) as [number, number];
    const end = (): void => {
        setDrag(null);
        if (!drag || !chart || isOld) return;
        if (Math.abs(drag[1] - drag[0]) > DRAG_MIN) {
            return narrow(spanOf(chart, ...dragged(drag)));
        }
        const bar = barAt(chart, at(drag[0]));
        if (columnAt(chart, bar).total > 0) narrow(spanOf(chart, bar, bar));
    };

    const bars = chart ? barCount(chart) : 1;
    const lastBar = Math.min(focused?.[1] ?? bars - 1, bars - 1);
    const firstBar = Math.min(focused?.[0] ?? lastBar, bars - 1);
    const press = (event: KeyboardEvent): void => {
        const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -bars, End: bars };
        const step = steps[event.key];
        if (event.ctrlKey || event.metaKey || event.altKey || !chart) return;
        if (step !== undefined) {
            const to = Math.max(0, Math.min(bars - 1, lastBar + step));
            setFocused([event.shiftKey ? firstBar : to, to]);
        } else if (event.key === 'Enter' || event.key === ' ') {
            if (!isOld) narrow(spanOf(chart, firstBar, lastBar));
        } else if (event.key === '-') {
            out();
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    };

    const total = chart?.columns.reduce((sum, column) => sum + column.total, 0) ?? 0;
    const marked: [number, number] | null = !chart || isOld ? null
        : pointed !== null && !drag ? [barAt(chart, at(pointed)), barAt(chart, at(pointed))]
        : focused ? [Math.min(firstBar, lastBar), Math.max(firstBar, lastBar)] : null;
    const selected = chart && drag && Math.abs(drag[1] - drag[0]) > DRAG_MIN ? dragged(drag) : null;
    const told = chart && marked && tell(chart, ...marked, view.zone, total);
    const spoken = chart && !isOld ? tell(chart, Math.min(firstBar, lastBar), Math.max(firstBar, lastBar), view.zone, total) : null;
    const part = (ms: number): number => (ms - chart!.from) / (chart!.to - chart!.from);
    const by = view.by || 'level';
    const lines = chart ? linesOfChart(chart) : [];
    const hasErrors = chart !== null && errorsOf(chart).length > 0;
    return (
        <section class="histogram" aria-label="Logs over time">
            <div class="histogram-head">
                {view.by && (
                    <button class="by" onClick={() => setView({ ...view, by: '' })} title="Group by level again" aria-label={`Grouped by ${visible(view.by)}: group by level again`}>
                        by <b>{cut(visible(view.by), 30)}</b> <span aria-hidden="true">×</span>
                    </button>
                )}
                {groups && chart ? (
                    <GroupLegend view={view} setView={setView} chart={chart} isOld={isOld} />
                ) : (
                    <LevelLegend view={view} setView={setView} levels={levels} isOld={levelsAreOld} />
                )}
                {groups?.isApproximate && <span class="about" title="Some of these values may have a few more logs, counted among the others">about</span>}
                {(failed || groupsFailed) && <span class="warning">No histogram: {failed || groupsFailed}</span>}
                <div class="histogram-tools" role="group" aria-label="Move the time">
                    <button aria-label="Earlier" title="Earlier (←)" onClick={() => move(-1)} disabled={isAll || !asked}>‹</button>
                    <button aria-label="Zoom out" title="Out: where it was before, or twice as long (−)" onClick={out} disabled={isAll || !asked}>−</button>
                    <button aria-label="Later" title="Later (→)" onClick={() => move(1)} disabled={isAtEnd || !asked}>›</button>
                </div>
            </div>
            <div class={hasErrors ? 'plot has-errors' : 'plot'}>
                <div class="lines" aria-hidden="true">
                    {lines.map((line) => (
                        <span style={{ bottom: `${(line / lines.at(-1)!) * 100}%` }}>{shortNumber(line)}</span>
                    ))}
                </div>
                <div
                    class="time-axis"
                    data-testid="histogram"
                    role="slider"
                    tabIndex={0}
                    aria-label={`Histogram of ${answer ? countText(answer.total) : '…'} logs over time by ${visible(by)}`}
                    aria-description="Arrows: another bar; Enter: its time"
                    aria-busy={isCounting}
                    aria-valuemin={0}
                    aria-valuemax={bars - 1}
                    aria-valuenow={lastBar}
                    aria-valuetext={spoken ? [spoken.time, spoken.total, ...spoken.series.map(({ name, count }) => `${name} ${countText(count)}`)].join(', ') : 'being counted'}
                    ref={box}
                    onKeyDown={press}
                    onBlur={() => setFocused(null)}
                    onFocus={() => box.current!.matches(':focus-visible') && setFocused([lastBar, lastBar])}
                    onPointerDown={(event) => {
                        if (event.button !== 0 || !chart) return;
                        box.current!.setPointerCapture(event.pointerId);
                        setDrag([fraction(event), fraction(event)]);
                    }}
                    onPointerMove={(event) => {
                        setPointed(event.pointerType === 'touch' ? null : fraction(event));
                        if (drag) setDrag([drag[0], fraction(event)]);
                    }}
                    onPointerUp={end}
                    onPointerCancel={() => setDrag(null)}
                    onPointerLeave={() => setPointed(null)}
                >
                    {chart && <Plot chart={chart} answer={answer} isOld={isOld} hasErrors={hasErrors} />}
                    {chart && marked && (
                        <div class="marked" style={{ left: `${(marked[0] / bars) * 100}%`, width: `${((marked[1] - marked[0] + 1) / bars) * 100}%` }} />
                    )}
                    {selected && (
                        <div class="selection" style={{ left: `${(selected[0] / bars) * 100}%`, width: `${((selected[1] - selected[0] + 1) / bars) * 100}%` }} />
                    )}
                    {chart && (
                        <div class={isOld ? 'ticks is-old' : 'ticks'} aria-hidden="true">
                            {ticksOf(chart.from, chart.to, width / TICK_PX, (ms) => offsetOf(ms, view.zone))
                                .filter(({ ms }) => part(ms) < 1 - 40 / Math.max(width, 1))
                                .map(({ ms, text, isDate }) => (
                                    <span class={isDate ? 'tick is-date' : 'tick'} style={{ left: `${part(ms) * 100}%` }}>{text}</span>
                                ))}
                        </div>
                    )}
                    {told && <Tip told={told} at={part(chart!.from + ((marked![0] + marked![1] + 1) / 2) * chart!.step)} />}
                </div>
            </div>
        </section>
    );
}
