/* The panel of fields: what there is in the logs that are shown, and the way from a value to its logs. */
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';

import type { View } from './address';
import { withNamed } from './facets';
import { FieldBox, backTo } from './field_box';
import type { Doing } from './field_values';
import { useHold } from './hold';
import { countText, logsText } from './numbers';
import type { Panel } from './panel';
import { type Survey, orderFields } from './survey';
import { type Fields, useFields } from './use_fields';
import type { Logs } from './use_logs';

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
    const back = backTo(survey.searchedTo, zone);
    return `In the newest ${survey.total === 1 ? 'log' : logs}${back && `, ${back}`}`;
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
    const ordered = useMemo(() => orderFields(shown ? withNamed(shown.fields, view.query) : [], sought), [shown, view.query, sought]);
    const close = (): void => panel.setOpen(false);
    const hold = useHold(list);
    const doing = useMemo((): Doing => ({ view, setView, now, fields, hold }), [view, now, survey, fields.looking]);
    useLayoutEffect(hold.settle);
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
                onKeyDown={(event) => (hold.release(), walk(event))}
                onWheel={hold.drop}
                onTouchMove={hold.drop}
                onPointerLeave={({ pointerType }) => pointerType === 'mouse' && hold.release()}
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
    if (panel.isSheet) {
        return (
            <Sheet close={close}>
                {parts}
                <button class="fields-done" onClick={close}>
                    Show {survey && !survey.next ? logsText(survey.total) : 'logs'}
                </button>
            </Sheet>
        );
    }
    return (
        <aside id="fields" class="fields" data-testid="fields" aria-label="Fields">
            {parts}
        </aside>
    );
}
