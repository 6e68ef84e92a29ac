/* A field of the panel: its name, and unfolded its values and what can be done with it. */
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';

import { columnsOf, toggleColumn } from './columns';
import { listsOf, rowsOf } from './facets';
import { AllValues, type Doing, TITLE_MAX, ValueRow, change, countTitle, isAsked, shareOf, withToggled } from './field_values';
import { countText, logsText } from './numbers';
import { type Field, attributeOf, fieldOf, groupingOf, termOf, typeOf } from './survey';
import { cut, visible } from './text';
import { formatDate, formatClock } from './time';
import { type Facet, useFacet } from './use_facet';

/** Values of a field that are shown before all of them are asked for. */
const VALUES_SHOWN = 10;

const SIGNS: Record<string, string> = { string: 'abc', number: '123', boolean: 'y/n', null: 'null', array: '[ ]', object: '{ }' };

function distinctText({ distinct, known }: Field): string {
    const sign = known === 'about' ? '≈ ' : known === 'at least' ? '≥ ' : '';
    return `${sign}${countText(distinct)} ${distinct === 1 ? 'value' : 'values'}`;
}

export function backTo(searchedTo: string | null, zone: string): string {
    const ms = Date.parse(searchedTo ?? '');
    return Number.isNaN(ms) ? '' : `back to ${formatDate(ms, zone)} ${formatClock(ms, zone)}`;
}

/** How far values go that were asked for by themselves, and the way on. */
function FacetNote({ facet, zone }: { facet: Facet; zone: string }): JSX.Element | null {
    const { isWhole, isOld, isAsking, failed } = facet;
    if (isWhole && !failed) return null;
    const isPart = !isWhole && !isOld && facet.searchedTo !== null;
    return (
        <p class="facet-note" data-row>
            {isPart && `Counted ${backTo(facet.searchedTo, zone)}. `}
            {failed}{' '}
            {isPart && isAsking && (
                <button tabIndex={-1} class="quiet" onClick={facet.stop}>
                    Stop
                </button>
            )}
            {(isPart || failed) && !isAsking && (
                <button tabIndex={-1} class="quiet" onClick={facet.goOn}>
                    {isPart ? 'Go on' : 'Try again'}
                </button>
            )}
        </p>
    );
}

function Opened({ field: there, doing }: { field: Field; doing: Doing }): JSX.Element {
    const [all, setAll] = useState(false);
    const { view, setView, fields, hold } = doing;
    const attribute = attributeOf(there.path);
    const grouping = groupingOf(there.path);
    const by = grouping === 'level' ? '' : grouping;
    const isColumn = attribute !== null && columnsOf(view).includes(attribute);
    const lists = useMemo(() => listsOf(view.query, fieldOf(there.path)), [view.query, there.path]);
    const isOwn = lists.terms.length > 0;
    const facet = useFacet(there, { ...view, query: lists.rest }, isOwn, fields);
    const { field } = facet;
    const shown = rowsOf(field, lists, VALUES_SHOWN, facet.isWhole && !facet.isOld);
    const counted = shown.filter(({ count }) => count);
    const others = field.distinct - counted.length;
    const rest = Math.max(0, field.logs - counted.reduce((sum, { count }) => sum + count!, 0));
    const here = termOf(field, null, 0, true)!;
    const types = Object.entries(there.types).sort((a, b) => b[1] - a[1]);
    useLayoutEffect(hold.settle);
    return (
        <div class={`facet-body ${facet.isOld ? 'is-old' : ''}`}>
            <p class="facet-note" title={types.map(([type, logs]) => `${type}: ${countText(logs)}`).join(', ')}>
                {field.more > 0 && '≥ '}
                {logsText(field.logs)} · {distinctText(field)}
            </p>
            {all ? (
                <AllValues field={field} lists={lists} doing={doing} />
            ) : (
                <ul class="values">
                    {shown.map((value) => (
                        <ValueRow key={value.value} field={field} lists={lists} value={value} cutAt={facet.cut} doing={doing} />
                    ))}
                </ul>
            )}
            {!all && others > 0 && (
                <p class="facet-note" title={`in ${logsText(rest)}, or more if a log has several`}>
                    {field.known === 'exactly' ? '' : field.known === 'about' ? '≈ ' : '≥ '}
                    {countText(others)} {others === 1 ? 'other value' : 'other values'}
                </p>
            )}
            {isOwn && <FacetNote facet={facet} zone={view.zone} />}
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
                    <button tabIndex={-1} aria-pressed={isAsked(view, here)} onClick={({ currentTarget }) => change(doing, currentTarget, withToggled(view, here))}>
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
