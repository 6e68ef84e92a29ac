/* The names of the columns over the list, and what moves and removes them. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';

import type { SetView, View } from './address';
import { moveColumn, toggleColumn } from './columns';
import { focusList, useFocusNext } from './focus';
import { cut, visible } from './text';

interface Props {
    view: View;
    setView: SetView;
    columns: readonly string[];
}

export function ListHead({ view, setView, columns }: Props): JSX.Element {
    const head = useRef<HTMLDivElement>(null);
    const focusNext = useFocusNext();
    const buttons = (n: number): HTMLButtonElement[] => [...(head.current!.querySelectorAll('.head-column')[n]?.querySelectorAll('button') ?? [])];
    const move = (path: string, n: number, by: 1 | -1): void => {
        focusNext(() => {
            const [left, right] = buttons(n + by);
            const [same, other] = by < 0 ? [left, right] : [right, left];
            return same?.disabled ? other : same;
        });
        setView(moveColumn(view, path, by), true);
    };
    const remove = (path: string, n: number): void => {
        if (columns.length === 1) focusList(); // the head goes, too
        else focusNext(() => buttons(Math.min(n, columns.length - 2))[2]);
        setView(toggleColumn(view, path));
    };
    return (
        <div class="list-head" role="group" aria-label="Columns" ref={head}>
            <span class="head-time">Time</span>
            <span class="head-level">Level</span>
            {columns.map((path, n) => {
                const name = cut(visible(path), 100);
                return (
                    <span class="head-column" key={path}>
                        <span class="head-name" title={name}>
                            {name}
                        </span>
                        <span class="head-tools">
                            <button aria-label={`Move ${name} left`} disabled={n === 0} onClick={() => move(path, n, -1)}>
                                ‹
                            </button>
                            <button aria-label={`Move ${name} right`} disabled={n === columns.length - 1} onClick={() => move(path, n, 1)}>
                                ›
                            </button>
                            <button aria-label={`Remove column ${name}`} onClick={() => remove(path, n)}>
                                ×
                            </button>
                        </span>
                    </span>
                );
            })}
            <span class="head-message">Message</span>
        </div>
    );
}
