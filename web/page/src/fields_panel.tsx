import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';

import { type View, withTerm, withoutTerm } from './address';
import type { ApiError } from './api';
import { columnsOf, toggleColumn } from './columns';
import { fetchAllValues } from './field_api';
import { severityOf } from './levels';
import { countText, logsText } from './numbers';
import type { Panel } from './panel';
import { termsOf } from './query';
import {
    CUT_FIELDS, CUT_VALUES, type Field, type Survey, type Value, type Values, attributeOf, groupingOf, joinValues,
    orderFields, termOf, typeOf,
} from './survey';
import { cut, visible } from './text';
import { formatDate, formatClock } from './time';
import { type Fields, fieldParams, useFields } from './use_fields';
import type { Logs } from './use_logs';

/** Values of a field that are shown before all of them are asked for, and then. */
const VALUES_SHOWN = 10;
const ALL_VALUES = 100;
const PREFIX_REST_MS = 250;
const TITLE_MAX = 1000;

const SIGNS: Record<string, string> = { string: 'abc', number: '123', boolean: 'y/n', null: 'null', array: '[ ]', object: '{ }' };

/* ---- Numbers ---- */

function shareOf(count: number, total: number): string {
    const percent = total > 0 ? (100 * count) / total : 0;
    if (count > 0 && percent < 1) return '<1 %';
    if (count < total && percent > 99) return '>99 %';
    return `${Math.round(percent)} %`;
}

/** What is counted may be more. */
function leastText(count: number, more: number): string {
    return `${more > 0 ? '≥ ' : ''}${countText(count)}`;
}

function countTitle(count: number, more: number): string {
    if (more === 0) return logsText(count);
    return `between ${countText(count)} and ${logsText(count + more)}`;
}

function distinctText({ distinct, known }: Field): string {
    const sign = known === 'about' ? '≈ ' : known === 'at least' ? '≥ ' : '';
    return `${sign}${countText(distinct)} ${distinct === 1 ? 'value' : 'values'}`;
}

/* ---- What can be done with a field ---- */

interface Doing {
    view: View;
    setView: (view: View) => void;
    now: number;
    /** Something was chosen. */
    done: () => void;
}

function toggleTerm({ view, setView, done }: Doing, term: string): void {
    const isThere = termsOf(view.query).some(({ text }) => text === term);
    setView(isThere ? withoutTerm(view, term) : withTerm(view, term));
    done();
}

/** A value with how often it is there: a click includes it, − leaves it out. */
function ValueRow({ field, value, cutAt, doing }: { field: Field; value: Value; cutAt: number; doing: Doing }): JSX.Element {
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
function AllValues({ field, doing }: { field: Field; doing: Doing }): JSX.Element {
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

function FieldBox({ field, total, isOpen, toggle, doing }: {
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

/* ---- The panel ---- */

/** Up and down go from row to row, left and right within one; a field is opened and closed by them, too. */
function walk(event: JSX.TargetedKeyboardEvent<HTMLElement>): void {
    const from = event.target as HTMLElement;
    const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-row]')];
    const row = from.closest<HTMLElement>('[data-row]');
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttonsOf = (row: HTMLElement): HTMLElement[] => (row.matches('button') ? [row] : [...row.querySelectorAll('button')]);
    const buttons = buttonsOf(row);
    const [at, place] = [rows.indexOf(row), buttons.indexOf(from)];
    const rowFrom = (start: number, step: number): HTMLElement | undefined => {
        for (let n = start; n >= 0 && n < rows.length; n += step) {
            const [first] = buttonsOf(rows[n]!);
            if (first) return first;
        }
        return undefined;
    };
    const field = row.closest('.facet-box')!.querySelector<HTMLElement>('.facet-name')!;
    const isOpen = field.getAttribute('aria-expanded') === 'true';
    let to: HTMLElement | undefined;
    switch (event.key) {
        case 'ArrowDown': to = rowFrom(at + 1, 1); break;
        case 'ArrowUp': to = rowFrom(at - 1, -1); break;
        case 'Home': to = rowFrom(0, 1); break;
        case 'End': to = rowFrom(rows.length - 1, -1); break;
        case 'ArrowRight':
            if (from === field && !isOpen) field.click();
            else to = buttons[place + 1];
            break;
        case 'ArrowLeft':
            if (from === field && isOpen) field.click();
            else to = buttons[place - 1] ?? field;
            break;
        default: return;
    }
    event.preventDefault();
    to?.focus();
}

function lookedAt(survey: Survey, zone: string): string {
    const logs = logsText(survey.total);
    if (!survey.next) return `In ${logs}`;
    const ms = Date.parse(survey.searchedTo ?? '');
    return `In the newest ${survey.total === 1 ? 'log' : logs}${Number.isNaN(ms) ? '' : `, back to ${formatDate(ms, zone)} ${formatClock(ms, zone)}`}`;
}

function Note({ fields, zone }: { fields: Fields; zone: string }): JSX.Element {
    const { survey, isAsking, failed } = fields;
    return (
        <p class="fields-note" data-testid="fields-note">
            {survey ? lookedAt(survey, zone) : failed ? '' : 'Looking…'}
            {survey && survey.unseen > 0 && `; other fields are in up to ${countText(survey.unseen)} logs each`}
            {failed && ` ${failed} `}
            {survey?.next && (isAsking ? <button class="quiet" onClick={fields.stop}>Stop</button> : <button class="quiet" onClick={fields.goOn}>Go on</button>)}
            {failed && !survey?.next && <button class="quiet" onClick={fields.goOn}>Try again</button>}
        </p>
    );
}

function Sheet({ close, children }: { close: () => void; children: ComponentChildren }): JSX.Element {
    const dialog = useRef<HTMLDialogElement>(null);
    useLayoutEffect(() => dialog.current!.showModal(), []);
    return (
        <dialog ref={dialog} id="fields" class="fields is-sheet" aria-label="Fields" onClose={close}>
            {children}
        </dialog>
    );
}

export function FieldsPanel({ view, setView, logs, panel }: {
    view: View;
    setView: (view: View) => void;
    logs: Logs;
    panel: Panel;
}): JSX.Element | null {
    const fields = useFields(view, logs, panel.isOpen);
    const { now } = logs; // when the list was started
    const [sought, setSought] = useState('');
    const opened = useRef(new Set(['level'])).current;
    const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
    const list = useRef<HTMLUListElement>(null);
    const { survey, old } = fields;
    const shown = survey ?? old;
    const ordered = useMemo(() => orderFields(shown?.fields ?? [], sought), [shown, sought]);
    const close = (): void => panel.setOpen(false);
    const doing = useMemo(
        (): Doing => ({ view, setView, now, done: () => panel.isSheet && close() }),
        [view, now, panel.isSheet],
    );
    // One of all of them is reached by Tab, and the others by arrows from there.
    useLayoutEffect(() => {
        if (!list.current?.querySelector('[tabindex="0"]')) list.current?.querySelector('button')?.setAttribute('tabindex', '0');
    });
    if (!panel.isOpen) return null;
    const toggle = (path: string): void => {
        if (!opened.delete(path)) opened.add(path);
        changed();
    };
    const parts = (
        <>
            <div class="fields-head">
                <input
                    type="search"
                    aria-label="Search fields"
                    placeholder="Search fields"
                    autocomplete="off"
                    spellcheck={false}
                    value={sought}
                    onInput={({ currentTarget }) => setSought(currentTarget.value)}
                />
                <button class="close" aria-label="Close fields" onClick={close}>
                    ×
                </button>
            </div>
            <Note fields={fields} zone={view.zone} />
            <ul
                class={`fields-list ${survey ? '' : 'is-old'}`}
                ref={list}
                aria-label="Fields"
                aria-busy={fields.isAsking}
                onKeyDown={walk}
                onFocusIn={({ target, currentTarget }) => {
                    if (!(target as HTMLElement).matches('button')) return;
                    currentTarget.querySelectorAll('[tabindex="0"]').forEach((button) => button.setAttribute('tabindex', '-1'));
                    (target as HTMLElement).setAttribute('tabindex', '0');
                }}
            >
                {ordered.map((field) => (
                    <FieldBox
                        key={field.path}
                        field={field}
                        total={shown!.total}
                        isOpen={opened.has(field.path)}
                        toggle={toggle}
                        doing={doing}
                    />
                ))}
            </ul>
            {shown && ordered.length === 0 && <p class="fields-note">{sought ? 'No field has such a name' : 'No fields'}</p>}
        </>
    );
    if (panel.isSheet) return <Sheet close={close}>{parts}</Sheet>;
    return (
        <aside id="fields" class="fields" data-testid="fields" aria-label="Fields">
            {parts}
        </aside>
    );
}
