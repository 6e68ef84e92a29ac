/* What was clicked stays where it is, while what stands above it changes. */
import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';

export interface Hold {
    /** This element of the list stays where it is now, … */
    take: (element: Element) => void;
    /** … after each drawing, … */
    settle: () => void;
    /** … until somebody scrolls, … */
    drop: () => void;
    /** … or looks elsewhere: then the room that it took is given back, too. */
    release: () => void;
}

/** In a list that scrolls: by its scrolling and, where that comes to its end, by room above or below. */
export function useHold(list: RefObject<HTMLElement>): Hold {
    const held = useRef<{ element: Element; top: number } | null>(null);
    const pad = (above: number, below: number): void => {
        const { style } = list.current!;
        style.paddingTop = above > 0 ? `${above}px` : '';
        style.paddingBottom = below > 0 ? `${below}px` : '';
    };
    const drop = (): void => {
        held.current = null;
        if (list.current) list.current.style.overflowAnchor = '';
    };
    return useRef({
        take: (element: Element): void => {
            held.current = { element, top: element.getBoundingClientRect().top };
            list.current!.style.overflowAnchor = 'none'; // or the browser would scroll as well
        },
        settle: (): void => {
            const box = list.current;
            if (!box || !held.current?.element.isConnected) return;
            const { element, top } = held.current;
            pad(0, 0);
            const by = element.getBoundingClientRect().top - top;
            const wanted = box.scrollTop + by;
            const free = box.getBoundingClientRect().bottom - box.lastElementChild!.getBoundingClientRect().bottom;
            pad(-wanted, wanted > box.scrollHeight - box.clientHeight ? by + free : 0);
            box.scrollTop = Math.max(0, wanted);
        },
        drop,
        release: (): void => {
            drop();
            if (list.current) pad(0, 0);
        },
    }).current;
}
