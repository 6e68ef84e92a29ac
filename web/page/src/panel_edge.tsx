/* The left edge of the open log, by which it is made wider or narrower. What was chosen is remembered. */
import type { JSX, RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

const KEY = 'logmill.details-width';
const WIDTH_MIN = 320;
const WIDTH_USUAL = 560;
/** So much is left to the list. */
const LIST_MIN = 280;
const STEP = 40;

function remembered(): number {
    try {
        return Number(localStorage.getItem(KEY)) || WIDTH_USUAL;
    } catch {
        return WIDTH_USUAL;
    }
}

function within(width: number): number {
    const fields = document.querySelector<HTMLElement>('aside.fields')?.offsetWidth ?? 0;
    return Math.round(Math.max(WIDTH_MIN, Math.min(width, innerWidth - fields - LIST_MIN)));
}

export function PanelEdge({ panel }: { panel: RefObject<HTMLElement> }): JSX.Element {
    const [width, setWidth] = useState(() => within(remembered()));
    const choose = (width: number): void => {
        setWidth(within(width));
        try {
            localStorage.setItem(KEY, String(within(width)));
        } catch {
            // For as long as the page is open, then.
        }
    };
    useLayoutEffect(() => panel.current?.style.setProperty('--details', `${width}px`), [width]);
    return (
        <div
            class="panel-edge"
            role="separator"
            aria-orientation="vertical"
            aria-label="Width of the open log"
            aria-valuemin={WIDTH_MIN}
            aria-valuemax={within(Infinity)}
            aria-valuenow={width}
            tabIndex={0}
            onPointerDown={(event) => {
                event.preventDefault();
                event.currentTarget.setPointerCapture(event.pointerId);
            }}
            onPointerMove={(event) => {
                if (event.currentTarget.hasPointerCapture(event.pointerId)) choose(panel.current!.getBoundingClientRect().right - event.clientX);
            }}
            onKeyDown={(event) => {
                const by = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
                if (by) choose(width + by);
            }}
        />
    );
}
