import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import type { View } from './address';
import type { Log } from './api';
import { severityOf } from './levels';
import { PAGE_LOGS } from './log_list';
import { cut, visible } from './text';
import { Text } from './text_view';
import { formatTime } from './time';
import type { Logs } from './use_logs';

const OVERSCAN = 20;
/** Rows that a list counts at once: no browser has elements high enough for all. */
const ROWS_MAX = 400_000;
const MESSAGE_MAX = 4000;

interface Props {
    view: View;
    logs: Logs;
    active: number;
    open: (index: number) => void;
}

function Row({ log, zone, isOpen }: { log: Log; zone: string; isOpen: boolean }): JSX.Element {
    return (
        <>
            <time>{formatTime(log.timestamp, zone)}</time>
            <span class={`level is-${severityOf(log.level)}`}>{cut(visible(log.level), 40)}</span>
            <span class="message" data-testid="message">
                <Text text={cut(log.message, MESSAGE_MAX)} line />
            </span>
            {isOpen && <span class="open-sign" aria-hidden="true" />}
        </>
    );
}

export function ListView({ view, logs, active, open }: Props): JSX.Element {
    const { list } = logs;
    const scroller = useRef<HTMLDivElement>(null);
    const [place, setPlace] = useState({ top: 0, height: 600, row: 24 });
    const measure = (): void => {
        const element = scroller.current!;
        const row = Number.parseFloat(getComputedStyle(element).getPropertyValue('--row')) || 24;
        setPlace({ top: element.scrollTop, height: element.clientHeight, row });
        logs.atTop(element.scrollTop < row);
    };
    useLayoutEffect(() => {
        measure();
        const observer = new ResizeObserver(measure);
        observer.observe(scroller.current!);
        return () => observer.disconnect();
    }, [list]);
    useEffect(() => {
        scroller.current!.scrollTop = 0;
    }, [list]);
    useEffect(() => {
        if (active < 0) return;
        const element = scroller.current!;
        const top = active * place.row;
        const above = element.scrollTop - top;
        const below = top + place.row - (element.scrollTop + element.clientHeight);
        // What is far away comes into the middle.
        if (Math.max(above, below) > 2 * place.row) element.scrollTop = top - element.clientHeight / 2;
        else if (above > 0) element.scrollTop = top;
        else if (below > 0) element.scrollTop += below;
    }, [active]);

    const { length } = list;
    const first = Math.max(0, Math.floor(place.top / place.row) - OVERSCAN);
    const until = Math.min(length, Math.ceil((place.top + place.height) / place.row) + OVERSCAN);
    const shown = list.slice(first, until);

    useEffect(() => {
        if (until > length - PAGE_LOGS / 4 && !list.isComplete && !list.error) void list.more();
        const element = scroller.current!;
        const tooMany = length > ROWS_MAX && first > ROWS_MAX / 2;
        const moved = tooMany
            ? list.shift(ROWS_MAX / 4)
            : list.isShifted && first < PAGE_LOGS
              ? list.shift(-ROWS_MAX / 4)
              : 0;
        if (moved) element.scrollTop -= moved * place.row;
    });

    return (
        <div
            id="logs"
            class="logs"
            data-testid="logs"
            role="listbox"
            aria-label="Logs"
            aria-activedescendant={active >= 0 ? `row-${active}` : undefined}
            tabIndex={0}
            ref={scroller}
            onScroll={measure}
        >
            <div class="all-rows" role="presentation" style={{ height: `${length * place.row}px` }}>
                {shown.map((log, i) => {
                    const index = first + i;
                    if (!log) return null;
                    const isOpen = log.id === view.id;
                    return (
                        <div
                            key={log.id}
                            id={`row-${index}`}
                            class={`row ${index === active ? 'is-active' : ''} ${isOpen ? 'is-open' : ''}`}
                            data-testid="log-row"
                            data-id={log.id}
                            role="option"
                            aria-selected={isOpen}
                            style={{ transform: `translateY(${index * place.row}px)` }}
                            onClick={() => open(index)}
                        >
                            <Row log={log} zone={view.zone} isOpen={isOpen} />
                        </div>
                    );
                })}
            </div>
        </div>
    );
}
