/* The values of a field, each with what it can be asked for. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { type View, withTerm, withoutTerm } from './address';
import type { ApiError } from './api';
import { fetchAllValues } from './field_api';
import { severityOf } from './levels';
import { countText, logsText } from './numbers';
import { termsOf } from './query';
import { CUT_VALUES, type Field, type Value, type Values, joinValues, termOf } from './survey';
import { cut, visible } from './text';
import { fieldParams } from './use_fields';

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
    /** Something was chosen. */
    done: () => void;
}

export function toggleTerm({ view, setView, done }: Doing, term: string): void {
    const isThere = termsOf(view.query).some(({ text }) => text === term);
    setView(isThere ? withoutTerm(view, term) : withTerm(view, term));
    done();
}

/** A value with how often it is there: a click includes it, − leaves it out. */
export function ValueRow({ field, value, cutAt, doing }: { field: Field; value: Value; cutAt: number; doing: Doing }): JSX.Element {
    const [include, exclude] = [termOf(field, value.value, cutAt), termOf(field, value.value, cutAt, true)];
    const terms = termsOf(doing.view.query).map(({ text }) => text);
    const text = value.value === null ? '' : visible(value.value);
    const shown = value.value === null ? <i>not there</i> : value.value === '' ? <i>empty</i> : cut(text, 120);
    const name = value.value === null ? 'logs without it' : cut(text, 80) || 'the empty text';
    const title = `${cut(text, TITLE_MAX) || name}\n${countTitle(value.count, value.more)}, ${shareOf(value.count, field.logs)}`;
    const parts = (
        <>
            <span class="value-bar" style={{ width: `${Math.min(100, (100 * value.count) / Math.max(1, field.logs))}%` }} />
            <span class={`value-text ${field.path === 'level' ? `is-${severityOf(value.value ?? '')}` : ''}`}>{shown}</span>
            <span class="value-count">{leastText(value.count, value.more)}</span>
        </>
    );
    return (
        <li class="facet-value" data-row>
            {include === null ? (
                <span class="value-include" title={title}>
                    {parts}
                </span>
            ) : (
                <button
                    class="value-include"
                    tabIndex={-1}
                    aria-pressed={terms.includes(include)}
                    title={title}
                    onClick={() => toggleTerm(doing, include)}
                >
                    {parts}
                </button>
            )}
            {exclude !== null && (
                <button
                    class="value-exclude"
                    tabIndex={-1}
                    aria-pressed={terms.includes(exclude)}
                    aria-label={`Leave out ${name}`}
                    title="Leave it out"
                    onClick={() => toggleTerm(doing, exclude)}
                >
                    −
                </button>
            )}
        </li>
    );
}

/** All values of a field, or those that begin with a text. */
export function AllValues({ field, doing }: { field: Field; doing: Doing }): JSX.Element {
    const [prefix, setPrefix] = useState('');
    const [found, setFound] = useState<{ prefix: string; values: Values } | null>(null);
    const [isAsking, setAsking] = useState(true);
    const [failed, setFailed] = useState('');
    const goOn = useRef(() => {});
    const { view, now } = doing;
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
                    <ValueRow key={value.value} field={field} value={value} cutAt={CUT_VALUES} doing={doing} />
                ))}
            </ul>
            <p class="facet-note">
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
