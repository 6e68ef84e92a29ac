/* The list around a log in the browser: the log in the middle, and more of it at the upper end, too. */
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';

import type { View } from './address';
import type { LogList } from './log_list';
import type { Logs } from './use_logs';

/** So near to the top, in pixels, more is fetched. */
const NEAR_TOP = 1500;

/** Puts a row into the middle of the list; false: it is not drawn yet. */
function toMiddle(scroller: HTMLElement, index: number): boolean {
    const row = document.getElementById(`row-${index}`)?.getBoundingClientRect();
    const frame = scroller.getBoundingClientRect();
    if (row) scroller.scrollTop += row.top - frame.top - (frame.height - row.height) / 2;
    return row !== undefined;
}

/**
 * Brings the log into sight that the list is around, or the one that is open. `setActive` is told -1 when rows are
 * put above, since theirs are other numbers then.
 */
export function useAround({ id, around, center }: View, { list }: Logs, setActive: (index: number) => void): void {
    const state = useRef<{ list?: LogList; isShown: boolean; isCentered: boolean; isLeft: boolean; raised: number }>({
        isShown: false, isCentered: false, isLeft: false, raised: 0,
    });
    const now = state.current;
    useLayoutEffect(() => {
        if (now.list !== list) Object.assign(now, { list, isShown: false, isCentered: false, isLeft: false, raised: list.raised });
        if (now.raised !== list.raised) setActive(-1);
        now.raised = list.raised;
    });
    useEffect(() => {
        const scroller = document.getElementById('logs');
        if (!around || !scroller || list.length === 0) return undefined;
        const open = id ? list.indexOf(id) : -1;
        const at = open >= 0 ? open : list.indexOf(center);
        if (!now.isShown) {
            now.isShown = true;
            return setActive(at);
        }
        // Until somebody goes elsewhere: what opens beside the list makes other rows of it.
        let frame = 0;
        const hold = (): void => {
            cancelAnimationFrame(frame);
            if (now.isLeft) return;
            if (at < 0 || toMiddle(scroller, at)) now.isCentered = true;
            else frame = requestAnimationFrame(hold);
        };
        const leave = (): void => void (now.isLeft = true);
        const observer = new ResizeObserver(hold);
        observer.observe(scroller);
        const look = (): void => {
            hold();
            const isNear = (now.isCentered || now.isLeft) && scroller.scrollTop < NEAR_TOP;
            if (isNear && list.goesOnAbove && list.error === null) void list.moreAbove();
        };
        look();
        const acts = ['wheel', 'pointerdown', 'touchmove'];
        scroller.addEventListener('scroll', look);
        acts.forEach((name) => scroller.addEventListener(name, leave, { passive: true }));
        addEventListener('keydown', leave);
        return () => {
            cancelAnimationFrame(frame);
            observer.disconnect();
            removeEventListener('keydown', leave);
            scroller.removeEventListener('scroll', look);
            acts.forEach((name) => scroller.removeEventListener(name, leave));
        };
    });
}
