/* The names of the columns over the list, and what moves and removes them. */
import type { JSX } from 'preact';

import type { SetView, View } from './address';
import { moveColumn, toggleColumn } from './columns';
import { cut, visible } from './text';

interface Props {
    view: View;
    setView: SetView;
    columns: readonly string[];
}

export function ListHead({ view, setView, columns }: Props): JSX.Element {
    return (
        <div class="list-head" role="group" aria-label="Columns">
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
                            <button aria-label={`Move ${name} left`} disabled={n === 0} onClick={() => setView(moveColumn(view, path, -1), true)}>
                                ‹
                            </button>
                            <button aria-label={`Move ${name} right`} disabled={n === columns.length - 1} onClick={() => setView(moveColumn(view, path, 1), true)}>
                                ›
                            </button>
                            <button aria-label={`Remove column ${name}`} onClick={() => setView(toggleColumn(view, path))}>
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
