/*
 * What a log holds, as a tree: objects and arrays that fold, each value as it was written, and what can be done with
 * it. Drawn as lines one below the other, which are indented.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';

import { isNested, members, parts, readable } from './json';
import { countText } from './numbers';
import { attributeField, fieldTerm } from './query';
import { isTrace } from './row_text';
import { cut, visible, visibleLines } from './text';

const VALUE_MAX = 2000;
/** A longer value makes a query that is too long for the server. */
const FILTER_MAX = 2000;
const PREVIEW_MAX = 80;
/** Lines that are drawn at once, at first and then, so that the page stays quick; beyond so many when asked for. */
export const FIRST = 40;
const PIECE = 200;
const UNASKED_MAX = 200;
/** Objects that are larger, or deeper, are folded at first. */
const OPEN_MAX = 30;
const OPEN_DEPTH = 3;
const INDENT_MAX = 8;

/** Something that a log holds. */
export interface Place {
    /** By which the query language reaches it: of an element that of its array. "": it is no attribute. */
    path: string;
    /** As JSON. */
    value: string;
}

export interface Acts {
    filter: (term: string) => void;
    /** What else can be done with it, beside `button`. */
    more: (place: Place, button: HTMLElement) => void;
    /** Where a value leads to; null: nowhere. */
    link: (path: string, text: string) => string | null;
}

/** A long text: its beginning, and all of it when asked for. */
export function Long({ text, most, show }: { text: string; most: number; show: (text: string) => JSX.Element }): JSX.Element {
    const [whole, setWhole] = useState(false);
    if (whole || text.length <= most) return show(text);
    return (
        <>
            {show(cut(text, most))}
            <button class="whole" onClick={() => setWhole(true)}>
                Show all {countText(text.length)} characters
            </button>
        </>
    );
}

function Value({ text, isString, href }: { text: string; isString: boolean; href: string | null }): JSX.Element {
    const show = (text: string): JSX.Element => {
        const shown = visibleLines(text);
        if (isTrace(text)) return <span class="value is-trace" tabIndex={0} role="group" aria-label="Trace">{shown}</span>;
        if (href === null) return <span class={isString ? 'value' : 'value is-plain'}>{shown}</span>;
        return (
            <a class="value" tabIndex={-1} href={href} target="_blank" rel="noreferrer noopener">
                {shown}
            </a>
        );
    };
    return <Long text={text} most={VALUE_MAX} show={show} />;
}

interface FieldProps extends Place {
    name: string;
    depth: number;
    acts: Acts;
    /** What the query calls it, if it is none of the attributes. */
    field?: string;
}

function Tools({ path, value, acts, field: ours }: FieldProps): JSX.Element {
    const isOurs = ours !== undefined;
    const field = ours ?? attributeField(path);
    const shown = cut(visible(path), 200);
    const text = isNested(value) ? '' : readable(value);
    const canFilter = !isNested(value) && text.length <= FILTER_MAX;
    return (
        <span class="field-tools">
            {canFilter && (
                <button tabIndex={-1} aria-label={`Filter for ${shown}`} title="Filter for this" onClick={() => acts.filter(fieldTerm(field, text))}>
                    +
                </button>
            )}
            {canFilter && (
                <button tabIndex={-1} aria-label={`Filter out ${shown}`} title="Filter this out" onClick={() => acts.filter(fieldTerm(field, text, true))}>
                    −
                </button>
            )}
            <button tabIndex={-1} aria-label={`More for ${shown}`} title="More" aria-haspopup="menu" onClick={(event) => acts.more({ path: isOurs ? '' : path, value }, event.currentTarget)}>
                ⋯
            </button>
        </span>
    );
}

const indent = (depth: number): string => (depth > 0 ? `field is-deep depth-${Math.min(depth, INDENT_MAX)}` : 'field');

export function Field(props: FieldProps): JSX.Element {
    const { name, path, value, depth, acts } = props;
    if (isNested(value) && value.length > 2) return <Nested {...props} />;
    const text = readable(value);
    return (
        <div class={indent(depth)}>
            <div class="field-name">{cut(visible(name), 200)}</div>
            <div class="field-value">
                <Value text={text} isString={value.startsWith('"')} href={acts.link(path, text)} />
                <Tools {...props} />
            </div>
        </div>
    );
}

/** What somebody has folded or unfolded, by path: the next log is shown the same way. */
const folds = new Map<string, boolean>();
const FOLDS_MAX = 1000;

/** Name, value and path of what is in an object or array. */
function inner(value: string, path: string): [name: string, value: string, path: string][] {
    if (value.startsWith('[')) return parts(value).map((part, n) => [String(n), part, path]);
    return members(value).map(([name, part]) => [name, part, `${path}.${name}`]);
}

function Nested(props: FieldProps): JSX.Element {
    const { name, path, value, depth, acts } = props;
    const entries = useMemo(() => inner(value, path), [value, path]);
    const isArray = value.startsWith('[');
    const key = `${path}\n${name}`;
    const isSimple = isArray && value.length <= PREVIEW_MAX && !entries.some(([, part]) => isNested(part));
    const [isOpen, setOpen] = useState(() => folds.get(key) ?? (!isSimple && depth < OPEN_DEPTH && entries.length <= OPEN_MAX));
    const shown = cut(visible(name), 200);
    return (
        <>
            <div class={indent(depth)}>
                <div class="field-name">
                    <button
                        class="fold"
                        tabIndex={-1}
                        aria-expanded={isOpen}
                        onClick={() => {
                            if (folds.size >= FOLDS_MAX) folds.clear();
                            folds.set(key, !isOpen);
                            setOpen(!isOpen);
                        }}
                    >
                        {shown}
                    </button>
                </div>
                <div class="field-value">
                    <span class="value nested">
                        {isOpen ? `${countText(entries.length)} ${isArray ? (entries.length === 1 ? 'element' : 'elements') : entries.length === 1 ? 'member' : 'members'}` : visible(cut(value, PREVIEW_MAX))}
                    </span>
                    <Tools {...props} />
                </div>
            </div>
            {isOpen && <Fields entries={entries} depth={depth + 1} acts={acts} what={isArray ? 'elements' : 'members'} />}
        </>
    );
}

interface FieldsProps {
    entries: [name: string, value: string, path: string][];
    depth: number;
    acts: Acts;
    what: string;
}

/** One piece of them: drawn once. */
function Piece({ entries, depth, acts }: Omit<FieldsProps, 'what'>): JSX.Element {
    return useMemo(
        () => (
            <div class={entries.length === PIECE ? 'piece' : 'part'}>
                {entries.map(([name, value, path]) => (
                    <Field name={name} path={path} value={value} depth={depth} acts={acts} />
                ))}
            </div>
        ),
        [entries, acts],
    );
}

/** All of them, piece by piece. */
export function Fields({ entries, depth, acts, what }: FieldsProps): JSX.Element {
    const pieces = useMemo(() => {
        const pieces = [entries.slice(0, FIRST)];
        for (let at = FIRST; at < entries.length; at += PIECE) pieces.push(entries.slice(at, at + PIECE));
        return pieces;
    }, [entries]);
    const [drawn, setDrawn] = useState(1);
    const [isAsked, setAsked] = useState(false);
    const isMore = drawn < pieces.length;
    const goesOn = isMore && (isAsked || FIRST + drawn * PIECE <= UNASKED_MAX + FIRST);
    useEffect(() => {
        if (!goesOn) return undefined;
        const timer = setTimeout(() => setDrawn(drawn + 1), 20);
        return () => clearTimeout(timer);
    }, [goesOn, drawn]);
    return (
        <>
            {pieces.slice(0, drawn).map((entries) => (
                <Piece entries={entries} depth={depth} acts={acts} />
            ))}
            {isMore && (isAsked || !goesOn) && (
                <button class="whole" disabled={isAsked} onClick={() => setAsked(true)}>
                    Show all ({countText(entries.length)}) {what}
                </button>
            )}
        </>
    );
}

/**
 * One line of the tree is a stop of Tab; arrows go up and down from there, and along its buttons. `tree` has the
 * lines.
 */
export function moveInTree(event: KeyboardEvent, tree: HTMLElement): void {
    const by: readonly [number, number] | undefined = ({
        ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    } as const)[event.key];
    const from = (event.target as Element).closest<HTMLElement>('.field');
    if (!by || !from || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = [...from.querySelectorAll<HTMLElement>('button, a')];
    const at = buttons.indexOf(event.target as HTMLElement);
    if (at < 0) return;
    event.preventDefault();
    if (by[0] === 0) {
        buttons[at + by[1]]?.focus();
        return;
    }
    const lines = tree.getElementsByClassName('field');
    const line = lines[Array.prototype.indexOf.call(lines, from) + by[0]];
    const others = line?.querySelectorAll<HTMLElement>('button, a');
    if (!others || others.length === 0) return;
    // From − to −, if there is one.
    const label = event.target instanceof HTMLElement ? event.target.textContent : '';
    const same = [...others].find((button) => button.textContent === label && button.closest('.field-tools'));
    buttons.forEach((button) => (button.tabIndex = -1));
    others.forEach((button) => (button.tabIndex = 0));
    (same ?? others[Math.min(at, others.length - 1)]!).focus();
}
