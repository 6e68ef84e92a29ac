/* The values of a field, each with what it can be asked for. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { type View, withTerm, withoutTerm } from './address';
import type { ApiError } from './api';
import { type Lists, type Row, exclude, has, include, memberOf } from './facets';
import { fetchAllValues } from './field_api';
import type { Hold } from './hold';
import { severityOf } from './levels';
import { countText, logsText } from './numbers';
import { termsOf } from './query';
import { CUT_VALUES, type Field, type Values, fieldOf, joinValues, termOf } from './survey';
import { cut, visible } from './text';
import { type Fields, fieldParams } from './use_fields';

/** Values that are asked for at once. */
const ALL_VALUES = 100;
const PREFIX_REST_MS = 250;
export const TITLE_MAX = 1000;

/* ---- Numbers ---- */

export function shareOf(count: number, total: number): string {
    const percent = total > 0 ? (100 * count) / total : 0;
    if (count > 0 && percent < 1) return '<1 %';
    if (count < total && percent > 99) return '>99 %';
    return `${Math.round(percent)} %`;
}

/** What is counted may be more. */
function leastText(count: number, more: number): string {
    return `${more > 0 ? '≥ ' : ''}${countText(count)}`;
}

export function countTitle(count: number, more: number): string {
    if (more === 0) return logsText(count);
    return `between ${countText(count)} and ${logsText(count + more)}`;
}

/* ---- What can be done with a value ---- */

export interface Doing {
    view: View;
    setView: (view: View) => void;
    now: number;
    fields: Fields;
    hold: Hold;
}

/** What was clicked stays where it is. */
export function change({ setView, hold }: Doing, clicked: Element, view: View): void {
    hold.take(clicked);
    setView(view);
}

export function isAsked({ query }: View, term: string): boolean {
    return termsOf(query).some(({ text }) => text === term);
}

export function withToggled(view: View, term: string): View {
    return isAsked(view, term) ? withoutTerm(view, term) : withTerm(view, term);
}

/** Logs without the field: they have none of the values that were chosen. */
function withNone(view: View, term: string, { terms }: Lists): View {
    const rid = terms.filter(({ not }) => !not).reduce((view, { text }) => withoutTerm(view, text), view);
    return withToggled(isAsked(view, term) ? view : rid, term);
}

interface ValueProps {
    field: Field;
    lists: Lists;
    value: Row;
    cutAt: number;
    doing: Doing;
}

/** A value with how often it is there: a click asks for it as well, or no more; − leaves it out as well, or no more. */
export function ValueRow({ field, lists, value: { value, count, more }, cutAt, doing }: ValueProps): JSX.Element {
    const { view } = doing;
    const { path } = field;
    const [wanted, unwanted] = [termOf(field, value, cutAt), termOf(field, value, cutAt, true)];
    const member = value === null ? null : memberOf(field, value, cutAt);
    const isIn = (members: Lists['chosen'], term: string): boolean => isAsked(view, term) || (member !== null && has(fieldOf(path), members, member));
    const text = value === null ? '' : visible(value);
    const shown = value === null ? <i>not there</i> : value === '' ? <i>empty</i> : cut(text, 120);
    const name = value === null ? 'logs without it' : cut(text, 80) || 'the empty text';
    const told = count === null ? '' : `\n${countTitle(count, more)}, ${shareOf(count, field.logs)}`;
    const title = `${cut(text, TITLE_MAX) || name}${told}`;
    const share = Math.min(100, (100 * (count ?? 0)) / Math.max(1, field.logs));
    const parts = (
        <>
            <span class="value-bar" style={{ width: `${share}%` }} />
            <span class={`value-text ${path === 'level' ? `is-${severityOf(value ?? '')}` : ''}`}>{shown}</span>
            <span class="value-count">{count !== null && leastText(count, more)}</span>
        </>
    );
    return (
        <li class="facet-value" data-row>
            {wanted === null ? (
                <span class="value-include" title={title}>
                    {parts}
                </span>
            ) : (
                <button
                    class="value-include"
                    tabIndex={-1}
                    aria-pressed={isIn(lists.chosen, wanted)}
                    title={title}
                    onClick={({ currentTarget }) => change(doing, currentTarget, member ? include(view, path, member) : withNone(view, wanted, lists))}
                >
                    {parts}
                </button>
            )}
            {unwanted !== null && (
                <button
                    class="value-exclude"
                    tabIndex={-1}
                    aria-pressed={isIn(lists.leftOut, unwanted)}
                    aria-label={`Leave out ${name}`}
                    title="Leave it out"
                    onClick={({ currentTarget }) => change(doing, currentTarget, member ? exclude(view, path, member) : withToggled(view, unwanted))}
                >
                    −
                </button>
            )}
        </li>
    );
}

/** All values of a field, or those that begin with a text. */
export function AllValues({ field, lists, doing }: { field: Field; lists: Lists; doing: Doing }): JSX.Element {
    const [prefix, setPrefix] = useState('');
    const [found, setFound] = useState<{ prefix: string; values: Values } | null>(null);
    const [isAsking, setAsking] = useState(true);
    const [failed, setFailed] = useState('');
    const goOn = useRef(() => {});
    const { now } = doing;
    const view = { ...doing.view, query: lists.rest };
    useEffect(() => {
        const abort = new AbortController();
        let values: Values | null = null;
        const look = async (): Promise<void> => {
            setAsking(true);
            setFailed('');
            try {
                const params = fieldParams(view, now);
                if (prefix) params.set('prefix', prefix);
                if (values?.next) params.set('cursor', values.next);
                const slice = await fetchAllValues(field.path, ALL_VALUES, params, abort.signal);
                values = values ? joinValues(values, slice) : slice;
                setFound({ prefix, values });
            } catch (error) {
                if (abort.signal.aborted) return;
                setFailed((error as ApiError).message);
            }
            setAsking(false);
        };
        goOn.current = () => void look();
        const timer = setTimeout(() => void look(), prefix ? PREFIX_REST_MS : 0);
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [field.path, prefix, view.query, view.since, view.until, view.range, now]);
    const isOld = found !== null && found.prefix !== prefix;
    return (
        <>
            <input
                type="search"
                class="values-prefix"
                aria-label={`Values of ${cut(visible(field.path), 80)} that begin with`}
                placeholder="Begins with …"
                autocomplete="off"
                spellcheck={false}
                value={prefix}
                onInput={({ currentTarget }) => setPrefix(currentTarget.value)}
            />
            <ul class={`values is-all ${isOld ? 'is-old' : ''}`}>
                {found?.values.values.map((value) => (
                    <ValueRow key={value.value} field={field} lists={lists} value={value} cutAt={CUT_VALUES} doing={doing} />
                ))}
            </ul>
            <p class="facet-note" data-row>
                {failed || (isAsking && !found && 'Looking…')}
                {!isAsking && found && found.values.values.length === 0 && 'None begins so. '}
                {found && found.values.unseen > 0 && `Others are in up to ${countText(found.values.unseen)} logs each. `}
                {!isAsking && (failed || found?.values.next) && (
                    <button tabIndex={-1} class="quiet" onClick={() => goOn.current()}>
                        {failed ? 'Try again' : 'Look at older logs, too'}
                    </button>
                )}
            </p>
        </>
    );
}
