/* Whether the panel of fields is there; what it shows is fields_panel.tsx. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** From this width on the panel is there by itself, and up to the other it is a sheet. */
const OPEN_QUERY = '(min-width: 1100px)';
const SHEET_QUERY = '(max-width: 720px)';
const KEY = 'logmill.fields';

export interface Panel {
    isOpen: boolean;
    isSheet: boolean;
    setOpen: (isOpen: boolean) => void;
}

function chosen(): string | null {
    try {
        return localStorage.getItem(KEY);
    } catch {
        return null; // storage may be forbidden
    }
}

/** Whether the panel is open: as somebody chose, or by the room there is. A sheet is only ever opened by hand. */
export function usePanel(): Panel {
    const [isSheet, setSheet] = useState(() => matchMedia(SHEET_QUERY).matches);
    const first = (): boolean => !matchMedia(SHEET_QUERY).matches && (chosen() ?? (matchMedia(OPEN_QUERY).matches ? 'open' : '')) === 'open';
    const [isOpen, setOpen] = useState(first);
    useEffect(() => {
        const sheet = matchMedia(SHEET_QUERY);
        const turned = (): void => {
            setSheet(sheet.matches);
            setOpen(first());
        };
        sheet.addEventListener('change', turned);
        return () => sheet.removeEventListener('change', turned);
    }, []);
    return {
        isOpen,
        isSheet,
        setOpen: (open) => {
            setOpen(open);
            if (isSheet) return;
            try {
                localStorage.setItem(KEY, open ? 'open' : 'closed');
            } catch {
                // it is forgotten with the page then
            }
        },
    };
}

export function FieldsToggle({ panel: { isOpen, setOpen } }: { panel: Panel }): JSX.Element {
    return (
        <button class="fields-toggle" aria-expanded={isOpen} aria-controls="fields" onClick={() => setOpen(!isOpen)}>
            Fields
        </button>
    );
}
