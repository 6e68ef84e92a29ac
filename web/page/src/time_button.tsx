import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { serverNow } from './clock';
import { fetchParts, part } from './parts';
import { zoneName } from './time';
import type { TimeProps } from './time_popover';
import { type Times, timesText } from './times_text';

const TimePopover = part('TimePopover');

/** When, in words; behind it all ways to say another time. */
export function TimeButton(props: TimeProps): JSX.Element {
    const { view, setView, now } = props;
    const [isOpen, setOpen] = useState(false);
    const button = useRef<HTMLButtonElement>(null);
    const whole = useRef<HTMLDivElement>(null);
    const at = Date.parse(view.since || view.until) || now;
    const close = (): void => {
        setOpen(false);
        button.current!.focus();
    };
    useEffect(() => {
        if (!isOpen) return;
        const pressed = ({ target }: PointerEvent): void => {
            if (!whole.current!.contains(target as Node)) setOpen(false);
        };
        addEventListener('pointerdown', pressed);
        return () => removeEventListener('pointerdown', pressed);
    }, [isOpen]);
    const apply = ({ range, since, until }: Times): void => {
        close();
        setView({ ...view, range: range || view.range, since, until, live: view.live && !until });
    };
    return (
        <div
            class="time"
            ref={whole}
            onKeyDown={(event) => {
                if (event.key !== 'Escape' || !isOpen) return;
                event.stopPropagation();
                close();
            }}
            onFocusOut={({ currentTarget, relatedTarget }) => {
                if (relatedTarget && !currentTarget.contains(relatedTarget as Node)) setOpen(false);
            }}
        >
            <button
                class="time-button"
                data-testid="time"
                ref={button}
                aria-haspopup="dialog"
                aria-expanded={isOpen}
                onClick={() => (isOpen ? setOpen(false) : void fetchParts().then(() => setOpen(true)))}
            >
                <span class="time-text">{timesText(view, serverNow(), view.zone)}</span>
                <span class="time-zone">{zoneName(at, view.zone)}</span>
            </button>
            {isOpen && (
                <TimePopover {...props} at={at} apply={apply} />
            )}
        </div>
    );
}
