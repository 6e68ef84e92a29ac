/* Where the focus goes when what had it is drawn elsewhere, or no more. */
import { useLayoutEffect, useRef } from 'preact/hooks';

type Find = () => HTMLElement | null | undefined;

/** Once this is drawn anew, the focus goes to what is found then. */
export function useFocusNext(): (find: Find) => void {
    const next = useRef<Find | null>(null);
    useLayoutEffect(() => {
        const find = next.current;
        next.current = null;
        find?.()?.focus({ preventScroll: true });
    });
    return (find) => {
        next.current = find;
    };
}

export function focusList(): void {
    document.getElementById('logs')?.focus({ preventScroll: true });
}
