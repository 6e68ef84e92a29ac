/* What the menu holds: saved views, the zone, colours, downloads, help, and who looks. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';

import { type SetView, type View, apiParams, isZone, parseView } from './address';
import { viewOfShared } from './around';
import { copyText } from './clipboard';
import { serverNow } from './clock';
import { WhoLooks } from './log_in';
import {
    SAVED_NAME_MAX, type Saved, deleteView, isTaken, nameOf, renameView, saveView, savedViews, searchOf, watchSaved,
} from './saved';
import { useSession } from './session';
import { cut, visible } from './text';
import { type Theme, chooseTheme, chosenTheme } from './theme';
import { zoneName } from './time';
import type { Logs } from './use_logs';

export interface MenuProps {
    view: View;
    setView: SetView;
    logs: Logs;
    help: () => void;
}

interface ItemProps extends MenuProps {
    close: () => void;
    /** Tells what became of it. */
    say: (text: string, undo?: () => void) => void;
}

const shownName = (name: string): string => `“${cut(visible(name), SAVED_NAME_MAX)}”`;

/* ---- Saved views ---- */

/** A name for a view; one that is there already is asked about. */
function NameForm({ label, given, except, use, leave }: {
    label: string;
    given: string;
    /** The name that it has: no other. */
    except: string | null;
    /** Returns "", or why not. */
    use: (name: string) => string;
    leave: () => void;
}): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const [wrong, setWrong] = useState('');
    const [asked, setAsked] = useState('');
    useLayoutEffect(() => input.current!.select(), []);
    const submit = (event: Event): void => {
        event.preventDefault();
        const name = nameOf(input.current!.value);
        if (name !== except && name !== asked && isTaken(name)) return setAsked(name);
        const reason = use(name);
        setWrong(reason);
        setAsked('');
        if (reason) input.current!.focus();
        else leave();
    };
    return (
        <form
            class="name-form"
            onSubmit={submit}
            onKeyDown={(event) => {
                if (event.key !== 'Escape') return;
                event.stopPropagation();
                leave();
            }}
        >
            <input
                ref={input}
                aria-label="Name of the view"
                placeholder="Name"
                defaultValue={given}
                maxLength={SAVED_NAME_MAX}
                aria-invalid={wrong !== ''}
                aria-describedby="name-wrong"
                onInput={() => setAsked('')}
            />
            <button class={asked ? 'main' : ''}>{asked ? 'Replace it' : label}</button>
            <button type="button" onClick={leave}>
                Cancel
            </button>
            <p id="name-wrong" role="alert">
                {wrong || (asked && `There is a view ${shownName(asked)} already`)}
            </p>
        </form>
    );
}

function SavedRow({ saved, isCurrent, view, setView, close, say, changed }: ItemProps & {
    saved: Saved;
    isCurrent: boolean;
    changed: () => void;
}): JSX.Element {
    const [isNamed, setNamed] = useState(false);
    const name = shownName(saved.name);
    if (isNamed) {
        return (
            <li>
                <NameForm
                    label="Rename"
                    given={saved.name}
                    except={saved.name}
                    use={(to) => renameView(saved.name, to)}
                    leave={() => {
                        setNamed(false);
                        changed();
                    }}
                />
            </li>
        );
    }
    return (
        <li class="saved">
            <button
                class="item"
                aria-current={isCurrent}
                onClick={() => {
                    setView({ ...parseView(saved.search), zone: parseView(saved.search).zone || view.zone });
                    close();
                }}
            >
                {cut(visible(saved.name), SAVED_NAME_MAX)}
            </button>
            <button
                aria-label={`Copy link to ${name}`}
                title="Copy link"
                onClick={() =>
                    copyText(`${location.origin}/${saved.search}`).then(
                        () => say(`Copied the link to ${name}`),
                        (error: Error) => say(error.message),
                    )
                }
            >
                Link
            </button>
            <button aria-label={`Rename ${name}`} title="Rename" onClick={() => setNamed(true)}>
                ✎
            </button>
            <button
                aria-label={`Delete ${name}`}
                title="Delete"
                onClick={() => {
                    const wrong = deleteView(saved.name);
                    say(wrong || `Deleted ${name}`, wrong ? undefined : () => (saveView(saved.name, saved.search), changed()));
                    changed();
                }}
            >
                ×
            </button>
        </li>
    );
}

function Views(props: ItemProps): JSX.Element {
    const { view, say } = props;
    const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
    const [isNamed, setNamed] = useState(false);
    useEffect(() => watchSaved(() => changed()), []);
    const views = savedViews();
    const here = searchOf(view);
    return (
        <section aria-label="Views">
            <h2>Views</h2>
            <ul>
                {views.map((saved) => (
                    <SavedRow
                        key={saved.name}
                        {...props}
                        saved={saved}
                        isCurrent={saved.search === here}
                        changed={() => changed()}
                    />
                ))}
            </ul>
            {isNamed ? (
                <NameForm
                    label="Save"
                    given=""
                    except={null}
                    use={(name) => {
                        const wrong = saveView(name, here);
                        if (!wrong) say(`Saved ${shownName(name)}`);
                        return wrong;
                    }}
                    leave={() => setNamed(false)}
                />
            ) : (
                <button class="item" onClick={() => setNamed(true)}>
                    Save this view…
                </button>
            )}
        </section>
    );
}

/* ---- Zone and colours ---- */

function Choice<T extends string>({ label, chosen, choices, choose }: {
    label: string;
    chosen: T;
    choices: readonly (readonly [T, string])[];
    choose: (choice: T) => void;
}): JSX.Element {
    return (
        <div class="choice" role="group" aria-label={label}>
            <span>{label}</span>
            {choices.map(([choice, name]) => (
                <button aria-pressed={choice === chosen} onClick={() => choose(choice)}>
                    {name}
                </button>
            ))}
        </div>
    );
}

/** With the usual capitals, but not by an older name, as browsers would have it: Asia/Katmandu. */
function asWritten(name: string): string {
    const usual = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
    return usual.toLowerCase() === name.toLowerCase() ? usual : name;
}

/** Any zone by its name. */
function ZoneForm({ zone, use }: { zone: string; use: (zone: string) => void }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    const [wrong, setWrong] = useState('');
    useEffect(() => input.current!.focus(), []);
    const zones = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
    const submit = (event: Event): void => {
        event.preventDefault();
        const name = input.current!.value.trim().replace(/\s+/g, '_');
        if (isZone(name)) return use(asWritten(name));
        setWrong(`${shownName(input.current!.value)} is no time zone: write one as Europe/Berlin or UTC`);
        input.current!.focus();
        return undefined;
    };
    return (
        <form class="name-form" onSubmit={submit}>
            <input
                ref={input}
                list="zones"
                aria-label="Name of the time zone"
                placeholder="Europe/Berlin"
                autocomplete="off"
                spellcheck={false}
                defaultValue={zone}
                aria-invalid={wrong !== ''}
                aria-describedby="zone-wrong"
            />
            <datalist id="zones">
                {zones.map((name) => (
                    <option value={name} />
                ))}
            </datalist>
            <button>Use</button>
            <p id="zone-wrong" role="alert">
                {wrong}
            </p>
        </form>
    );
}

function Looks({ view, setView, logs }: ItemProps): JSX.Element {
    const [isOther, setOther] = useState(false);
    const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
    const hasName = view.zone !== '' && view.zone !== 'UTC';
    const other = hasName ? `${view.zone} (${zoneName(logs.now, view.zone)})` : 'Other…';
    return (
        <section aria-label="Looks">
            <Choice
                label="Times in"
                chosen={isOther || hasName ? 'other' : view.zone || 'browser'}
                choices={[
                    ['browser', `Browser (${zoneName(logs.now, '')})`],
                    ['UTC', 'UTC'],
                    ['other', other],
                ]}
                choose={(zone) => {
                    setOther(zone === 'other');
                    if (zone !== 'other') setView({ ...view, zone: zone === 'browser' ? '' : zone }, true);
                }}
            />
            {isOther && (
                <ZoneForm
                    zone={hasName ? view.zone : ''}
                    use={(zone) => {
                        setOther(false);
                        setView({ ...view, zone }, true);
                    }}
                />
            )}
            <Choice<Theme>
                label="Colours"
                chosen={chosenTheme()}
                choices={[
                    ['system', 'Auto'],
                    ['light', 'Light'],
                    ['dark', 'Dark'],
                ]}
                choose={(theme) => {
                    chooseTheme(theme);
                    changed();
                }}
            />
        </section>
    );
}

/* ---- All of it ---- */

function Downloads({ view, logs }: ItemProps): JSX.Element {
    const center = view.around ? logs.list.indexOf(view.center) : -1;
    const log = center >= 0 ? logs.list.at(center) : undefined;
    if (view.around && !log) return <></>; // of which values is not known
    const download = (format: string): string => {
        const params = apiParams(log ? viewOfShared(view, log) : view, view.live ? serverNow() : logs.now);
        params.set('format', format);
        return `/logs?${params}`;
    };
    return (
        <section aria-label="Download" class="downloads">
            <span>{log ? 'Download this time’s logs, of the same values' : 'Download all that matches'}</span>
            <a href={download('ndjson')} download="logs.ndjson">
                NDJSON
            </a>
            <a href={download('csv')} download="logs.csv">
                CSV
            </a>
        </section>
    );
}

export function MenuItems(props: ItemProps): JSX.Element {
    const { help, close } = props;
    const { who } = useSession();
    return (
        <>
            <Views {...props} />
            <Looks {...props} />
            <Downloads {...props} />
            <section aria-label="More" class="more">
                <button
                    onClick={() => {
                        close();
                        help();
                    }}
                >
                    Keyboard
                </button>
                {who?.operate && <a href="/docs">API</a>}
                <WhoLooks />
            </section>
        </>
    );
}
