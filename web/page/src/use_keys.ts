import { useEffect, useRef } from 'preact/hooks';

export interface Keys {
    move: (by: number) => void;
    error: (by: number) => void;
    open: () => void;
    close: () => void;
    live: () => void;
    help: () => void;
}

export const SHORTCUTS: readonly (readonly [string, string])[] = [
    ['/', 'Search'],
    ['j  k', 'Next log, log before'],
    ['n  N', 'Next error, error before'],
    ['Enter', 'Open the log'],
    ['Esc', 'Close it, or leave the search'],
    ['l', 'Live on or off'],
    ['?', 'This help'],
];

/** Keys that work wherever the focus is, but for where text is written. */
export function useKeys(keys: Keys): void {
    const latest = useRef(keys);
    latest.current = keys;
    useEffect(() => {
        const pressed = (event: KeyboardEvent): void => {
            const target = event.target as HTMLElement;
            const writes = target.matches('input:not([type=checkbox]), select, textarea');
            if (event.ctrlKey || event.metaKey || event.altKey) return;
            // A dialog that was just closed may still have the focus.
            if (target.closest('dialog[open]')) return;
            if (event.key === 'Escape') {
                if (writes) target.blur();
                else latest.current.close();
                return;
            }
            if (writes) return;
            const action: (() => void) | undefined = {
                '/': () => document.getElementById('search')?.focus(),
                j: () => latest.current.move(1),
                k: () => latest.current.move(-1),
                n: () => latest.current.error(1),
                N: () => latest.current.error(-1),
                ArrowDown: target.closest('#logs') ? () => latest.current.move(1) : undefined,
                ArrowUp: target.closest('#logs') ? () => latest.current.move(-1) : undefined,
                Enter: target.matches('a, button, input, summary') ? undefined : () => latest.current.open(),
                l: () => latest.current.live(),
                '?': () => latest.current.help(),
            }[event.key];
            if (!action) return;
            event.preventDefault();
            action();
        };
        addEventListener('keydown', pressed);
        return () => removeEventListener('keydown', pressed);
    }, []);
}
