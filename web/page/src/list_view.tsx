/*
 * The list: of all its rows those in sight are drawn, and some around them. They stand one behind the other in a
 * window, which is put where the first of them belongs; so only what lies above it has to be known by its height.
 */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';

import type { SetView, View } from './address';
import type { Log } from './api';
import { columnsOf, decide, widthOf } from './columns';
import { Heights } from './heights';
import { severityOf } from './levels';
import { ListHead } from './list_head';
import { type LogList, PAGE_LOGS } from './log_list';
import { soughtOf } from './query';
import { Row } from './row';
import { afterDrawing, besides } from './standing';
import { formatDate } from './time';
import type { Logs } from './use_logs';

const OVERSCAN = 20;
/** Where none of the rows that come into sight were drawn, those around them wait until scrolling rests so long. */
const REST_MS = 60;
/** At least so high is a row, and what stands above the list: the first drawing has as many as may be in sight, and no more. */
const ROW_MIN = 24;
const ABOVE_MIN = 100;
/** The window begins and ends at multiples of it, so that not every step of scrolling makes a new one. */
const STEP = 10;
/** Rows that a list counts at once, and how high they are together: no browser has elements high enough for all. */
const ROWS_MAX = 400_000;
const HEIGHT_MAX = 18_400_000;

interface Props {
    view: View;
    setView: SetView;
    logs: Logs;
    active: number;
    open: (index: number) => void;
}

/** A number that the stylesheet has for the list. */
function styled(element: Element, name: string, otherwise: number): number {
    return Number.parseFloat(getComputedStyle(element).getPropertyValue(name)) || otherwise;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

function dayOf(date: string): string {
    return `${DAYS[new Date(date).getUTCDay()] ?? ''} ${date}`;
}

/** What the rows' places go by, beside the logs. */
interface Layout {
    heights: Heights;
    wrap: boolean;
    width: number;
    /** How high the line of a day is. */
    day: number;
}

export function ListView({ view, setView, logs, active, open }: Props): JSX.Element {
    const { list } = logs;
    const { zone, wrap } = view;
    const scroller = useRef<HTMLDivElement>(null);
    const all = useRef<HTMLDivElement>(null);
    const drawn = useRef<HTMLDivElement>(null);
    const layout = useRef<Layout>({ heights: new Heights(24), wrap, width: 0, day: 24 });
    /** What the heights are of, and its first log. */
    const shown = useRef<LogList>();
    const newest = useRef<Log | undefined>();
    const isAtEnd = useRef(false);
    /** How high what came above them is, by which what is in sight has to be moved. */
    const added = useRef(0);
    /** The row that is to come into sight, though rows above it are still to be measured. */
    const sought = useRef(-1);
    /** What was drawn and measured last, where rows have one line: what it was of, and which rows. */
    const measured = useRef<{ of: readonly unknown[]; rows: string }>({ of: [], rows: '' });
    /** How far it is scrolled, as the last look had it: to ask anew costs a layout. */
    const scrolled = useRef(0);
    /** The list whose first rows have been drawn: those around them come after that. */
    const [begun, setBegun] = useState<LogList | null>(null);
    /** Once the browser has laid out what is drawn, and before it shows it. */
    const resized = useRef(() => {});
    const laidOut = useRef(() => {});
    /** The timer until scrolling rests. */
    const rest = useRef(0);
    const [seen, setSeen] = useState(() => ({ first: 0, until: Math.ceil((innerHeight - ABOVE_MIN) / ROW_MIN) }));

    const seenNow = useRef(seen); // for what looks after this drawing
    seenNow.current = seen;
    useEffect(() => () => clearTimeout(rest.current), []);

    decide(list, list.top);
    const names = columnsOf(view).join('\n');
    const columns = useMemo(() => columnsOf(view), [names]);
    const hasHead = view.columns !== null && columns.length > 0;
    const hasLogs = list.top.length > 0;
    const widths = useMemo(
        () => columns.map((path) => `${widthOf(path, list.top, hasHead)}ch`).join(' '),
        [list, columns, hasHead, hasLogs],
    );
    const marks = useMemo(() => soughtOf(view.query), [view.query]);

    const { length, loading: wasLoading } = list;
    const isEmpty = length === 0;
    // What is around a log is looked at in the middle, so its first rows are of no use.
    const isBegun = begun === list || list.kind.around !== null;
    if (shown.current !== list) {
        shown.current = list;
        newest.current = undefined;
        layout.current = { ...layout.current, heights: new Heights(layout.current.heights.row) };
    }
    const { heights } = layout.current;
    // What came above those that were there: live logs, or neighbours.
    const at = newest.current && list.top[0] !== newest.current ? list.place(newest.current) : 0;
    if (at && at < 2 * PAGE_LOGS && !list.isShifted) {
        heights.shift(at);
        added.current += heights.top(at);
        if (sought.current >= 0) sought.current += at; // it is another number now
    }
    newest.current = list.top[0];
    heights.resize(length);

    const look = (): void => {
        if (layout.current.heights.length === 0) return;
        const { scrollTop, clientHeight } = scroller.current!;
        const { heights } = layout.current;
        scrolled.current = scrollTop;
        const [top, bottom] = [heights.at(scrollTop), heights.at(scrollTop + clientHeight) + 1];
        const isFar = top >= seenNow.current.until || bottom <= seenNow.current.first;
        const first = isFar ? top : Math.max(0, Math.floor((top - OVERSCAN) / STEP) * STEP);
        const until = isFar ? bottom : Math.ceil((bottom + OVERSCAN) / STEP) * STEP;
        clearTimeout(rest.current);
        if (isFar) rest.current = window.setTimeout(look, REST_MS);
        setSeen((seen) => (seen.first === first && seen.until === until ? seen : { first, until }));
        const end = heights.total - clientHeight;
        isAtEnd.current = scrollTop > end - heights.row;
        logs.atTop(view.oldest ? isAtEnd.current : scrollTop < heights.row);
    };
    /** Puts the window, and how far one can scroll, where the heights say. */
    const place = (): void => {
        const { heights } = layout.current;
        all.current!.style.height = `${heights.total}px`;
        drawn.current!.style.transform = `translateY(${heights.top(first)}px)`;
    };
    /** All heights anew, the same row at the top. */
    const measureAnew = (): void => {
        const element = scroller.current!;
        const { heights } = layout.current;
        const row = styled(element, '--row', 24);
        const width = element.clientWidth;
        layout.current.day = styled(element, '--day', 24);
        if (heights.row === row && layout.current.wrap === wrap && (!wrap || layout.current.width === width)) return;
        const top = heights.at(element.scrollTop);
        const offset = element.scrollTop === 0 ? 0 : Math.min(element.scrollTop - heights.top(top), row - 1);
        const fresh = new Heights(row);
        fresh.resize(heights.length);
        layout.current = { ...layout.current, heights: fresh, wrap, width };
        place();
        element.scrollTop = fresh.top(top) + offset;
    };
    /** Takes over how high the rows are that are drawn; false: as was known. What is in sight stays where it is. */
    const measure = (scrollTop = scroller.current!.scrollTop): boolean => {
        const element = scroller.current!;
        const { heights, day } = layout.current;
        const top = heights.at(scrollTop);
        const offset = scrollTop - heights.top(top);
        let index = first;
        let above = 0;
        let grown = 0;
        for (const child of drawn.current!.children) {
            if (child.classList.contains('day')) {
                above = day;
                continue;
            }
            grown += Math.abs(heights.set(index++, (wrap ? (child as HTMLElement).offsetHeight : heights.row) + above));
            above = 0;
        }
        place();
        if (grown === 0) return false;
        const moved = heights.top(top) + offset - element.scrollTop;
        if (moved !== 0 && element.scrollTop > 0) element.scrollTop += moved;
        return true;
    };
    /** Brings a row into sight; what is far away comes into the middle. */
    const reveal = (index: number): void => {
        const element = scroller.current!;
        const { heights } = layout.current;
        const top = heights.top(index);
        const height = Math.min(heights.of(index), element.clientHeight);
        const above = element.scrollTop - top;
        const below = top + height - (element.scrollTop + element.clientHeight);
        if (Math.max(above, below) > 2 * height) element.scrollTop = top - element.clientHeight / 2;
        else if (above > 0) element.scrollTop = top;
        else if (below > 0) element.scrollTop += below;
    };

    const first = Math.min(seen.first, Math.max(0, length - 1));
    const until = Math.min(length, seen.until);
    const logsShown = list.slice(Math.max(0, first - 1), until);
    const before = first > 0 ? logsShown.shift() : undefined;
    const dates = [before, ...logsShown].map((log) => log && formatDate(Date.parse(log.timestamp), zone));

    useLayoutEffect(() => {
        // To ask where things stand costs a layout: not where nothing has changed that heights depend on, and not
        // where the same list was scrolled.
        const of = [list, length, list.top[0], hasHead, sought.current, list.isComplete, isBegun, wrap];
        const rows = [first, until, ...dates].join();
        const last = measured.current;
        const isOfSame = added.current === 0 && of.every((value, n) => value === last.of[n]);
        measured.current = { of, rows };
        if (isEmpty) isAtEnd.current = true;
        if ((isOfSame && rows === last.rows && !wrap) || isEmpty) return place();
        if (isOfSame && sought.current < 0) {
            // How high whole messages are is asked when the browser has laid them out.
            if (wrap) return laidOut.current(), place();
            if (!measure(scrolled.current)) return;
        }
        // The first drawing asks nothing: it is measured when the browser has laid it out.
        if (!isBegun && !wrap && seen.first === 0 && sought.current < 0) return place();
        if (added.current > 0) {
            place();
            // Who looks at the newest logs looks at those that come, too.
            if (scroller.current!.scrollTop >= heights.row || list.kind.around) scroller.current!.scrollTop += added.current;
            added.current = 0;
        }
        measureAnew();
        // Of the oldest first, the newest are at the end.
        if (view.oldest && view.live && isAtEnd.current && list.isComplete && sought.current < 0) {
            place();
            scroller.current!.scrollTop = heights.total;
        }
        const wanted = sought.current;
        if (measure() && wanted >= 0) reveal(wanted);
        else if (wanted >= first && wanted < until) sought.current = -1;
        if (isBegun || seen.first > 0) look();
    });
    useEffect(() => {
        if (!isEmpty) afterDrawing(() => void besides.then(() => setBegun(list)));
    }, [list, isEmpty]);
    resized.current = () => {
        measureAnew();
        measure();
        if (isBegun) look();
    };
    useLayoutEffect(() => {
        const observer = new ResizeObserver(() => resized.current());
        observer.observe(scroller.current!);
        laidOut.current = () => {
            observer.unobserve(drawn.current!); // what is observed anew is told of once
            observer.observe(drawn.current!);
        };
        return () => observer.disconnect();
    }, [list, wrap]);
    useLayoutEffect(() => {
        if (begun) scroller.current!.scrollTop = 0; // else it is, and to say so costs a layout
    }, [list]);
    useEffect(() => {
        sought.current = active;
        if (active >= 0) reveal(active);
    }, [active]);
    useEffect(() => {
        if (!wasLoading && (isBegun || isEmpty) && until > length - PAGE_LOGS / 4 && !list.isComplete && !list.error) void list.more();
        const tooMany = (length > ROWS_MAX || heights.total > HEIGHT_MAX) && first > length / 2;
        const moved = tooMany ? list.shift(Math.floor(first / 2)) : list.isShifted && first < PAGE_LOGS ? list.shift(-ROWS_MAX / 4) : 0;
        if (!moved) return;
        const element = scroller.current!;
        const gone = moved > 0 ? heights.top(moved) : 0;
        heights.shift(-moved);
        place();
        element.scrollTop += moved > 0 ? -gone : heights.top(-moved);
    });

    return (
        <div class={`rows ${wrap ? 'has-whole' : ''} ${hasHead ? 'has-head' : ''}`} style={{ '--columns': widths }}>
            {hasHead && <ListHead view={view} setView={setView} columns={columns} />}
            <div
                id="logs"
                class="logs"
                data-testid="logs"
                role="listbox"
                aria-label="Logs"
                aria-activedescendant={active >= 0 ? `row-${active}` : undefined}
                tabIndex={0}
                ref={scroller}
                onScroll={look}
                onWheel={() => void (sought.current = -1)}
                onPointerDown={() => void (sought.current = -1)}
            >
                <div class="all-rows" role="presentation" ref={all}>
                    <div role="presentation" ref={drawn}>
                        {logsShown.flatMap((log, n) => {
                            const index = first + n;
                            // It is being fetched.
                            if (!log) return [<div key={index} role="presentation" style={{ height: `${heights.of(index)}px` }} />];
                            const isOpen = log.id === view.id;
                            const state = `${index === active ? ' is-active' : ''}${isOpen ? ' is-open' : ''}`;
                            const row = (
                                <div
                                    key={log.id}
                                    id={`row-${index}`}
                                    class={`row severity-${severityOf(log.level)}${state}`}
                                    data-testid="log-row"
                                    data-id={log.id}
                                    role="option"
                                    aria-selected={isOpen}
                                    onClick={() => open(index)}
                                >
                                    <Row log={log} zone={zone} columns={columns} sought={marks} wrap={wrap} />
                                </div>
                            );
                            if (dates[n] === undefined || dates[n] === dates[n + 1]) return [row];
                            const day = (
                                <div key={`day ${log.id}`} class="day" role="presentation">
                                    <span>{dayOf(dates[n + 1]!)}</span>
                                </div>
                            );
                            return [day, row];
                        })}
                    </div>
                </div>
            </div>
        </div>
    );
}
