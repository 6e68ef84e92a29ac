/* A field of the panel: its name, and unfolded its values and what can be done with it. */
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';

import { columnsOf, toggleColumn } from './columns';
import { AllValues, type Doing, TITLE_MAX, ValueRow, countTitle, shareOf, toggleTerm } from './field_values';
import { countText, logsText } from './numbers';
import { termsOf } from './query';
import { CUT_FIELDS, type Field, attributeOf, groupingOf, termOf, typeOf } from './survey';
import { cut, visible } from './text';

/** Values of a field that are shown before all of them are asked for. */
const VALUES_SHOWN = 10;

const SIGNS: Record<string, string> = { string: 'abc', number: '123', boolean: 'y/n', null: 'null', array: '[ ]', object: '{ }' };

function distinctText({ distinct, known }: Field): string {
    const sign = known === 'about' ? '≈ ' : known === 'at least' ? '≥ ' : '';
    return `${sign}${countText(distinct)} ${distinct === 1 ? 'value' : 'values'}`;
}

function Opened({ field, doing }: { field: Field; doing: Doing }): JSX.Element {
    const [all, setAll] = useState(false);
    const { view, setView } = doing;
    const attribute = attributeOf(field.path);
    const grouping = groupingOf(field.path);
    const by = grouping === 'level' ? '' : grouping;
    const isColumn = attribute !== null && columnsOf(view).includes(attribute);
    const shown = field.values.slice(0, VALUES_SHOWN);
    const others = field.distinct - shown.length;
    const rest = Math.max(0, field.logs - shown.reduce((sum, { count }) => sum + count, 0));
    const here = termOf(field, null, 0, true)!;
    const types = Object.entries(field.types).sort((a, b) => b[1] - a[1]);
    return (
        <div class="facet-body">
            <p class="facet-note" title={types.map(([type, logs]) => `${type}: ${countText(logs)}`).join(', ')}>
                {field.more > 0 && '≥ '}
                {logsText(field.logs)} · {distinctText(field)}
            </p>
            {all ? (
                <AllValues field={field} doing={doing} />
            ) : (
                <ul class="values">
                    {shown.map((value) => (
                        <ValueRow key={value.value} field={field} value={value} cutAt={CUT_FIELDS} doing={doing} />
                    ))}
                </ul>
            )}
            {!all && others > 0 && (
                <p class="facet-note" title={`in ${logsText(rest)}, or more if a log has several`}>
                    {field.known === 'exactly' ? '' : field.known === 'about' ? '≈ ' : '≥ '}
                    {countText(others)} {others === 1 ? 'other value' : 'other values'}
                </p>
            )}
            <div class="facet-tools" data-row>
                {(all || others > 0) && (
                    <button tabIndex={-1} aria-pressed={all} onClick={() => setAll(!all)}>
                        All values
                    </button>
                )}
                {attribute !== null && (
                    <button
                        tabIndex={-1}
                        aria-pressed={isColumn}
                        onClick={() => setView(toggleColumn(view, attribute))}
                    >
                        Column
                    </button>
                )}
                {by !== null && (by !== '' || view.by !== '') && (
                    <button tabIndex={-1} aria-pressed={view.by === by} onClick={() => setView({ ...view, by: view.by === by ? '' : by })}>
                        Group by
                    </button>
                )}
                {attribute !== null && (
                    <button tabIndex={-1} aria-pressed={termsOf(view.query).some(({ text }) => text === here)} onClick={() => toggleTerm(doing, here)}>
                        Has it
                    </button>
                )}
            </div>
        </div>
    );
}

export function FieldBox({ field, total, isOpen, toggle, doing }: {
    field: Field;
    total: number;
    isOpen: boolean;
    toggle: (path: string) => void;
    doing: Doing;
}): JSX.Element {
    const latest = useRef(toggle);
    latest.current = toggle;
    // Most of a thousand fields are as they were.
    return useMemo(() => {
        const name = visible(field.path);
        const type = typeOf(field);
        const title = `${cut(name, TITLE_MAX)}\n${countTitle(field.logs, field.more)} of ${countText(total)}`;
        return (
            <li class="facet-box">
                <button class="facet-name" data-row tabIndex={-1} aria-expanded={isOpen} title={title} onClick={() => latest.current(field.path)}>
                    <span class="facet-path">{cut(name, 120)}</span>
                    <span class="facet-type" title={Object.keys(field.types).join(', ')}>
                        {SIGNS[type] ?? type}
                    </span>
                    <span class="facet-share">{shareOf(field.logs, total)}</span>
                </button>
                {isOpen && <Opened field={field} doing={doing} />}
            </li>
        );
    }, [field, total, isOpen, isOpen && doing]);
}
