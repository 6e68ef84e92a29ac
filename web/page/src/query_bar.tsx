import type { JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { type Chip, type SetView, type View, chipsOf, textOf, toggleTerm, withText, withoutTerm } from './address';
import { ApiError, checkQuery } from './api';
import type { Completion } from './complete';
import { useFocusNext } from './focus';
import { pastQueries, rememberQuery } from './past_queries';
import { queryOf, termsOf } from './query';
import { QueryHelp, useLanguage } from './query_help';
import { cut, visible } from './text';
import { useCompletions } from './use_completions';

/** Words are searched for when typing rests so long. */
const TYPED_MS = 400;
const CHIP_LENGTH = 80;

/** With A it chooses all of a text. */
const ALL_KEY = navigator.platform.startsWith('Mac') ? 'metaKey' : 'ctrlKey';

/** So much beside a mistake is seen, too. */
const BESIDE_PX = 24;

interface Props {
    view: View;
    setView: SetView;
    /** When the list was started. */
    now: number;
    /** What the list says of the query. */
    error: ApiError | null;
    /** Somebody writes another text: what is searched for is not wanted, until false says that it is. */
    typing: (other: boolean) => void;
}

/** Where in the text, or in which chip, a query cannot be understood, and why. */
interface Mistake {
    from: number;
    until: number;
    chip: string | null;
    message: string;
}

/** Has more than words: it is asked for at Enter alone, when it is whole. */
function hasSigns(text: string): boolean {
    return /[:"()/*\\[\]{}<>=|&]|(^|\s)(-|(AND|OR|NOT)(\s|$))/.test(text);
}

/** `text` is what of `query` stands in the field; the rest are `chips`. */
function mistakeOf(error: unknown, query: string, text: string, chips: readonly Chip[]): Mistake | null {
    if (!(error instanceof ApiError) || !error.place) return null;
    const { from, until } = error.place;
    const message = error.message.replace(/^query: (At character \d+: )?/, ''); // it is underlined
    const term = termsOf(query).find((term) => term.from <= from && from <= term.until);
    const chip = chips.find((chip) => chip.text === term?.text);
    if (chip) return { from: 0, until: 0, chip: chip.text, message };
    const start = Math.max(0, query.lastIndexOf(text.trim())) - text.search(/\S|$/);
    return { from: Math.max(0, from - start), until: Math.max(0, until - start), chip: null, message };
}

interface ChipProps {
    chip: Chip;
    isWrong: boolean;
    edit: () => void;
    toggle: () => void;
    remove: () => void;
}

function ChipView({ chip: { text, isOff }, isWrong, edit, toggle, remove }: ChipProps): JSX.Element {
    const shown = cut(visible(text), CHIP_LENGTH);
    return (
        <span class={`chip ${termsOf(text)[0]?.not ? 'is-not' : ''} ${isOff ? 'is-off' : ''} ${isWrong ? 'is-wrong' : ''}`} data-testid="chip">
            <button type="button" class="chip-toggle" data-term={text} aria-label={`Switch ${isOff ? 'on' : 'off'} filter: ${shown}`} onClick={toggle} />
            <button type="button" class="chip-text" aria-label={`Edit filter: ${shown}`} title={shown} onClick={edit}>
                {shown}
            </button>
            <button type="button" class="chip-remove" aria-label={`Remove filter: ${shown}`} onClick={remove}>
                ×
            </button>
        </span>
    );
}

/** Under the text, and as it: what is wrong is underlined, and brought into sight. */
function Underline({ text, mistake: { from, until }, input }: { text: string; mistake: Mistake; input: RefObject<HTMLInputElement> }): JSX.Element {
    const layer = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => {
        const field = input.current!;
        const mark = layer.current!.querySelector('mark')!;
        const end = mark.offsetLeft + mark.offsetWidth + BESIDE_PX - field.clientWidth;
        field.scrollLeft = Math.max(Math.min(field.scrollLeft, mark.offsetLeft - BESIDE_PX), end);
        const follow = (): void => {
            layer.current!.scrollLeft = field.scrollLeft;
        };
        follow();
        field.addEventListener('scroll', follow);
        return () => field.removeEventListener('scroll', follow);
    }, [from, until]);
    return (
        <div class="underline" ref={layer} aria-hidden="true">
            {text.slice(0, from)}
            <mark data-testid="mistake">{text.slice(from, Math.max(until, from + 1)) || '\u00a0'}</mark>
            {text.slice(Math.max(until, from + 1))}
        </div>
    );
}

/** A query of before is shown instead of chips and text. */
interface Past {
    queries: string[];
    at: number;
}

/** The one bar: chips, the text that is no chip, what it can go on with, and what is wrong with it. */
export function QueryBar({ view, setView, now, error, typing }: Props): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const timer = useRef(0);
    const inputs = useRef(0); // an answer to what was written before is not wanted
    const past = useRef<Past | null>(null);
    const [typed, setTyped] = useState('');
    /** Chips that are in the text. */
    const [taken, setTaken] = useState<string[]>([]);
    const [mistake, setMistake] = useState<Mistake | null>(null);
    const [isOpen, setOpen] = useState(false);
    const [active, setActive] = useState(-1);
    const text = textOf(view);
    const base = taken.reduce(withoutTerm, view);
    const { place, items, offer, complete, close: closeCompletions, forget } = useCompletions(base, now);
    const chips = chipsOf(view).filter((chip) => !taken.includes(chip.text));
    const isDirty = typed.trim() !== text || taken.length > 0;

    const close = (): void => {
        setOpen(false);
        setActive(-1);
        closeCompletions();
    };
    /** By the page: typing goes on behind it. */
    const write = (value: string, caret = value.length): void => {
        inputs.current++;
        clearTimeout(timer.current);
        const field = input.current!;
        if (field.value !== value) field.value = value;
        if (document.activeElement === field) field.setSelectionRange(caret, caret);
        setTyped(value);
        setMistake(null);
    };
    // At once, not after the next frame: what is typed by then would be lost.
    useLayoutEffect(() => {
        clearTimeout(timer.current);
        if (input.current!.value.trim() === text) return setTyped(input.current!.value);
        past.current = null;
        setTaken([]);
        write(text);
    }, [text]);
    useEffect(() => {
        const texts = chipsOf(view).map((chip) => chip.text);
        setTaken((taken) => (taken.every((chip) => texts.includes(chip)) ? taken : []));
    }, [view.query, view.off]);
    useEffect(() => {
        if (input.current!.value.trim() === text) setMistake(mistakeOf(error, view.query, input.current!.value, chipsOf(view)));
    }, [error]);

    const apply = async (isEnter: boolean): Promise<void> => {
        clearTimeout(timer.current);
        const { value } = input.current!;
        const wanted = withText(base, value.trim());
        if (wanted.query === view.query && taken.length === 0) {
            if (isEnter) rememberQuery(view.query);
            return typing(false);
        }
        if (hasSigns(value) && !isEnter) return;
        const asked = ++inputs.current;
        if (hasSigns(value)) {
            try {
                await checkQuery(wanted.query);
            } catch (error) {
                const found = mistakeOf(error, wanted.query, value, chips);
                if (asked !== inputs.current) return;
                if (found) return setMistake(found); // what else there may be the list tells
            }
        }
        if (asked !== inputs.current) return;
        if (isEnter) rememberQuery(wanted.query);
        past.current = null;
        setTaken([]);
        setMistake(null);
        if (textOf(wanted) !== value.trim()) write(textOf(wanted));
        // While it was looked at, another time may have been chosen, or another chip.
        setView((there) => withText(taken.reduce(withoutTerm, there), value.trim()));
    };
    const latest = useRef(apply);
    latest.current = apply;

    const typedNow = (): void => {
        const { value, selectionStart } = input.current!;
        inputs.current++;
        clearTimeout(timer.current);
        past.current = null;
        setTyped(value);
        setMistake(null);
        setActive(-1);
        setOpen(isOpen || value !== '');
        offer(value, selectionStart ?? value.length);
        if (value !== text) typing(true);
        timer.current = window.setTimeout(() => void latest.current(false), TYPED_MS);
    };
    const take = (item: Completion): void => {
        const [value, caret] = complete(input.current!.value, item);
        write(value, caret);
        setActive(-1);
        if (place!.field === null) offer(value, caret);
        else close();
        if (value !== text) typing(true);
    };
    /** Chips are texts again. */
    const takeIntoText = (chip: string): void => {
        setTaken([...taken, chip]);
        const { value } = input.current!;
        input.current!.focus();
        write(value.trim() ? `${chip} ${value.trimStart()}` : chip, chip.length);
    };
    /** All that is asked for is text, and chosen: what is typed takes its place. */
    const chooseAll = (): void => {
        const texts = chips.map(({ text }) => text);
        setTaken([...taken, ...texts]);
        close();
        write(queryOf([...texts, input.current!.value]));
        input.current!.select();
    };
    const restore = (): void => {
        past.current = null;
        setTaken([]);
        write(text);
    };
    /** `by`: 1 is the query before. False: there is none. */
    const goBack = (by: number): boolean => {
        const { queries, at } = past.current ?? { queries: pastQueries(), at: -1 };
        const query = queries[at + by];
        if (at + by < 0) restore();
        if (query === undefined) return at >= 0;
        past.current = { queries, at: at + by };
        close();
        setTaken(chipsOf(view).map((chip) => chip.text));
        write(query);
        return true;
    };
    const writeExample = (query: string): void => {
        input.current!.focus();
        const before = input.current!.value.trim();
        write(before ? `${before} ${query}` : query);
        typing(true);
        close();
    };
    const focusNext = useFocusNext();
    const partsOf = (selector: string): HTMLElement[] => [...input.current!.form!.querySelectorAll<HTMLElement>(selector)];
    const showLanguage = useLanguage(writeExample);
    const open = (): void => {
        setOpen(true);
        offer(input.current!.value, input.current!.selectionStart ?? 0);
    };
    const isShown = isOpen && mistake === null && (items.length > 0 || typed === '');

    const pressed = (event: JSX.TargetedKeyboardEvent<HTMLInputElement>): void => {
        const { value, selectionStart, selectionEnd } = event.currentTarget;
        const move = (by: number): void => {
            const count = items.length + 1; // and none of them
            setActive(((active + 1 + by + count) % count) - 1);
        };
        const isAtBeginning = selectionStart === 0 && selectionEnd === 0;
        const item = isShown ? items[active] : undefined;
        const keys: Record<string, (() => unknown) | undefined> = {
            Enter: item ? () => take(item) : () => (close(), void apply(true)),
            Tab: item ? () => take(item) : isShown && place?.typed && items[0] ? () => take(items[0]!) : undefined,
            ArrowDown: past.current ? () => goBack(-1) : () => (isShown && items.length > 0 ? move(1) : open()),
            ArrowUp: (value === '' && active < 0) || past.current ? () => goBack(1) : isShown ? () => move(-1) : undefined,
            Escape: isShown ? close : taken.length > 0 ? restore : undefined,
            Backspace: isAtBeginning && chips.length > 0 ? () => takeIntoText(chips.at(-1)!.text) : undefined,
        };
        const choosesAll = event.key === 'a' && event[ALL_KEY] && chips.length > 0;
        const isPlain = !(event.altKey || event.ctrlKey || event.metaKey || (event.shiftKey && event.key === 'Tab'));
        const action = event.isComposing ? undefined : choosesAll ? chooseAll : isPlain ? keys[event.key] : undefined;
        if (!action) return;
        event.preventDefault();
        event.stopPropagation();
        action();
    };

    return (
        <form
            class={`query ${mistake ? 'is-wrong' : ''}`}
            role="search"
            onSubmit={(event) => {
                event.preventDefault();
                close();
                void apply(true);
            }}
            onFocusOut={({ currentTarget, relatedTarget }) => {
                if (currentTarget.contains(relatedTarget as Node | null)) return;
                close();
                forget();
            }}
        >
            <div class="query-box">
                {chips.map((chip, at) => (
                    <ChipView
                        key={chip.text}
                        chip={chip}
                        isWrong={mistake?.chip === chip.text}
                        edit={() => takeIntoText(chip.text)}
                        toggle={() => {
                            focusNext(() => partsOf('.chip-toggle').find((button) => button.dataset['term'] === chip.text));
                            setView(toggleTerm(view, chip.text));
                        }}
                        remove={() => {
                            focusNext(() => partsOf('.chip-remove')[Math.min(at, chips.length - 2)] ?? input.current);
                            setView(withoutTerm(view, chip.text));
                        }}
                    />
                ))}
                <div class="query-text">
                    {mistake && !mistake.chip && <Underline text={typed} mistake={mistake} input={input} />}
                    <input
                        id="search"
                        ref={input}
                        role="combobox"
                        aria-label="Search logs"
                        aria-autocomplete="list"
                        aria-expanded={isShown && items.length > 0}
                        aria-controls="completions"
                        aria-activedescendant={isShown && active >= 0 ? `completion-${active}` : undefined}
                        aria-invalid={mistake !== null}
                        aria-describedby={mistake ? 'query-mistake' : undefined}
                        placeholder={chips.length > 0 ? '' : 'Search: words, or field:value'}
                        autocomplete="off"
                        autocapitalize="off"
                        enterkeyhint="search"
                        spellcheck={false}
                        onInput={typedNow}
                        onKeyDown={pressed}
                        onClick={open}
                    />
                </div>
                {!isDirty && chips.length + (text ? 1 : 0) > 1 && (
                    <button
                        type="button"
                        class="query-clear"
                        aria-label="Clear all filters"
                        title="Clear all filters"
                        onClick={() => {
                            input.current!.focus();
                            setView({ ...view, query: '', off: [] });
                        }}
                    >
                        ×
                    </button>
                )}
                {isDirty && (taken.length > 0 || hasSigns(typed)) && <button class="query-go">Search</button>}
            </div>
            {mistake && (
                <p id="query-mistake" class="query-mistake" role="alert">
                    {mistake.message}
                </p>
            )}
            <div
                class="query-below"
                hidden={!isShown}
                onMouseDown={(event) => event.preventDefault()} // the focus stays in the field
            >
                <ul id="completions" role="listbox" aria-label="Completions">
                    {items.map((item, n) => (
                        <li
                            id={`completion-${n}`}
                            role="option"
                            aria-selected={n === active}
                            onClick={() => take(item)}
                            ref={(option) => void (n === active && option?.scrollIntoView({ block: 'nearest' }))}
                        >
                            <span class="completion-name">{cut(visible(item.label), CHIP_LENGTH)}</span>
                            <span class="completion-detail">{item.detail}</span>
                        </li>
                    ))}
                </ul>
                <QueryHelp isShort={typed !== ''} write={writeExample} all={() => (close(), showLanguage())} />
            </div>
        </form>
    );
}
