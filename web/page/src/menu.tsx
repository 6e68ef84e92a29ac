/* What is not wanted all the time, behind a button; what that is, is menu_items.tsx. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import type { MenuProps } from './menu_items';
import { fetchParts, part } from './parts';

const MenuItems = part('MenuItems');

/** Up and down among all that can be chosen; a text keeps its own keys. */
function walk(event: JSX.TargetedKeyboardEvent<HTMLElement>): void {
    const from = event.target as HTMLElement;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || from.matches('input') || event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...event.currentTarget.querySelectorAll<HTMLElement>('button, a, input')];
    event.preventDefault();
    items[(items.indexOf(from) + step + items.length) % items.length]?.focus();
}

export function Menu(props: MenuProps): JSX.Element {
    const [isOpen, setOpen] = useState(false);
    const [said, setSaid] = useState<{ text: string; undo: (() => void) | undefined }>({ text: '', undo: undefined });
    const button = useRef<HTMLButtonElement>(null);
    const menu = useRef<HTMLDivElement>(null);
    const close = (): void => {
        setOpen(false);
        button.current!.focus();
    };
    useLayoutEffect(() => {
        if (isOpen) menu.current!.querySelector<HTMLElement>('button')?.focus({ preventScroll: true });
        setSaid({ text: '', undo: undefined });
    }, [isOpen]);
    // Whoever goes elsewhere has no use for it any more.
    useEffect(() => {
        if (!isOpen) return undefined;
        const elsewhere = ({ target }: Event): void => {
            if (!(target instanceof Node) || menu.current?.contains(target) || button.current!.contains(target)) return;
            setOpen(false);
        };
        addEventListener('pointerdown', elsewhere, true);
        addEventListener('focusin', elsewhere, true);
        return () => {
            removeEventListener('pointerdown', elsewhere, true);
            removeEventListener('focusin', elsewhere, true);
        };
    }, [isOpen]);
    return (
        <div class="menu-place">
            <button
                ref={button}
                class="menu-button"
                aria-label="Menu"
                title="Menu"
                aria-haspopup="dialog"
                aria-expanded={isOpen}
                onClick={() => (isOpen ? setOpen(false) : void fetchParts().then(() => setOpen(true)))}
            >
                ☰
            </button>
            {isOpen && (
                <div
                    ref={menu}
                    class="menu"
                    role="dialog"
                    aria-label="Menu"
                    onKeyDown={(event) => {
                        if (event.key !== 'Escape') return walk(event);
                        event.stopPropagation();
                        return close();
                    }}
                >
                    <MenuItems {...props} close={close} say={(text, undo) => setSaid({ text, undo })} />
                    <p class="menu-said" role="status">
                        {said.text}{' '}
                        {said.undo && (
                            <button
                                class="quiet"
                                onClick={() => {
                                    said.undo!();
                                    setSaid({ text: '', undo: undefined });
                                }}
                            >
                                Undo
                            </button>
                        )}
                    </p>
                </div>
            )}
        </div>
    );
}
