/* The open log: all of it, and what can be done with it. */
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';

import { type SetView, type View, withTerm } from './address';
import type { Log } from './api';
import { viewOfTrace } from './around';
import { copyText } from './clipboard';
import { columnsOf, toggleColumn } from './columns';
import { focusList } from './focus';
import { attributesOf, firstAttributes, isLarge, readable } from './json';
import { severityOf } from './levels';
import { linkOf } from './links';
import { PanelEdge } from './panel_edge';
import { attributeField, soughtOf } from './query';
import { isTrace } from './row_text';
import { type Session, useSession } from './session';
import { commandOf, curlOf } from './shell';
import { afterDrawing } from './standing';
import { cut, placesOf, visible } from './text';
import { Text } from './text_view';
import { formatTime } from './time';
import { type Acts, FIRST, Field, Fields, Long, type Place, moveInTree } from './tree';

/** Of a message so much is shown at first, and of one in which something was searched for as far as there. */
const TEXT_MAX = 8000;
const LINES_MAX = 60;
const NONE: readonly [string, string][] = [];

interface Props {
    /** null: `wrong` says why not. */
    log: Log | null;
    wrong: string;
    view: View;
    setView: SetView;
    close: () => void;
    around: () => void;
}

/** How much of a message is shown at first. */
function beginning(message: string, sought: readonly string[]): number {
    let end = -1;
    for (let lines = 0; lines < LINES_MAX; lines++) {
        end = message.indexOf('\n', end + 1);
        if (end < 0) break;
    }
    const most = Math.min(end < 0 ? message.length : end, TEXT_MAX);
    const [, until = 0] = placesOf(message, sought);
    return Math.max(most, Math.min(until + 500, message.length));
}

function Message({ log, sought }: { log: Log; sought: readonly string[] }): JSX.Element {
    const most = useMemo(() => beginning(log.message, sought), [log, sought]);
    const scrolls = isTrace(log.message);
    const show = (text: string): JSX.Element => (
        <pre class={scrolls ? 'log-text is-trace' : 'log-text'} aria-label="Message" role="group" {...(scrolls ? { tabIndex: 0 } : {})}>
            <Text text={text} sought={sought} />
        </pre>
    );
    return <Long text={log.message} most={most} show={show} />;
}

function needsKey({ who }: Session): boolean {
    return who !== null && (who.name !== null || (who.keys && !who.anonymous.includes('read')));
}

interface MenuProps {
    place: Place;
    button: HTMLElement;
    view: View;
    setView: SetView;
    say: (text: string) => Promise<void>;
    close: () => void;
}

/** What can be done with a value, besides filtering for it. */
function FieldMenu({ place: { path, value }, button, view, setView, say, close }: MenuProps): JSX.Element {
    const menu = useRef<HTMLDivElement>(null);
    const leave = (): void => {
        close();
        button.focus();
    };
    useLayoutEffect(() => {
        const box = button.getBoundingClientRect();
        const { offsetWidth, offsetHeight, style } = menu.current!;
        style.left = `${Math.max(8, Math.min(box.right, innerWidth - 8) - offsetWidth)}px`;
        style.top = `${box.bottom + offsetHeight > innerHeight ? box.top - offsetHeight : box.bottom}px`;
        menu.current!.querySelector('button')!.focus();
    }, [button]);
    const isAttribute = path !== '';
    const field = attributeField(path);
    const isColumn = columnsOf(view).includes(path);
    const items: [string, () => void][] = [
        ['Copy value', () => void say(readable(value))],
        ...(isAttribute
            ? ([
                  ['Copy path', () => void say(path)],
                  [isColumn ? 'Remove column' : 'As column', () => setView(toggleColumn(view, path))],
                  [view.by === field ? 'Group by level' : 'Group by', () => setView({ ...view, by: view.by === field ? '' : field })],
              ] satisfies [string, () => void][])
            : []),
    ];
    return (
        <div
            class="field-menu"
            role="menu"
            ref={menu}
            onMouseDown={(event) => event.preventDefault()}
            onFocusOut={(event) => {
                if (!menu.current?.contains(event.relatedTarget as Node)) close();
            }}
            onKeyDown={(event) => {
                event.stopPropagation();
                const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
                if (event.key === 'Escape') leave();
                if (!by) return;
                event.preventDefault();
                const all = [...menu.current!.querySelectorAll('button')];
                all[(all.indexOf(document.activeElement as HTMLButtonElement) + by + all.length) % all.length]!.focus();
            }}
        >
            {items.map(([name, act]) => (
                <button
                    role="menuitem"
                    tabIndex={-1}
                    onClick={() => {
                        leave();
                        act();
                    }}
                >
                    {name}
                </button>
            ))}
        </div>
    );
}

export function Details({ log, wrong, view, setView, close, around }: Props): JSX.Element {
    const [copied, setCopied] = useState('');
    const [menu, setMenu] = useState<{ place: Place; button: HTMLElement } | null>(null);
    const panel = useRef<HTMLElement>(null);
    const tree = useRef<HTMLDivElement>(null);
    const session = useSession();
    const sought = useMemo(() => soughtOf(view.query), [view.query]);
    useEffect(() => panel.current?.focus({ preventScroll: true }), []);
    // The first line of the tree is its stop of Tab.
    useEffect(() => {
        tree.current?.querySelector('.field')?.querySelectorAll('button').forEach((button) => (button.tabIndex = 0));
    }, [log]);
    const acts = useMemo<Acts>(
        () => ({
            filter: (term) => {
                focusList();
                setView((there) => ({ ...withTerm(there, term), id: '' }));
            },
            more: (place, button) => setMenu({ place, button }),
            link: linkOf,
        }),
        [],
    );
    // Of a large log the first attributes are drawn before the others are read.
    const [read, setRead] = useState<Log | null>(null);
    const isRead = log !== null && (read === log || !isLarge(log));
    useEffect(() => {
        if (!isRead) afterDrawing(() => setRead(log));
    }, [log]);
    const found = !log ? NONE : isRead ? attributesOf(log) : firstAttributes(log, FIRST);
    const attributes = useMemo(() => found.map(([name, value]): [string, string, string] => [name, value, name]), [found.length, log]);
    const say = (text: string): Promise<void> => {
        setCopied(''); // or the second time would not be told
        return copyText(text).then(
            () => setCopied('Copied'),
            () => setCopied('The browser does not let the page copy'),
        );
    };
    const origin = location.origin;
    const permalink = `/?id=${encodeURIComponent(log?.id ?? '')}`;
    const trace = useMemo(() => (isRead ? viewOfTrace(view, log) : null), [view, log, isRead]);
    return (
        <section class="details" data-testid="details" aria-label="Log details" tabIndex={-1} ref={panel} onScroll={() => menu && setMenu(null)}>
            <PanelEdge panel={panel} />
            <div class="details-head">
                {log && <span class={`level is-${severityOf(log.level)}`}>{cut(visible(log.level), 40)}</span>}
                {log && <time>{formatTime(log.timestamp, view.zone)}</time>}
                <button class="close" aria-label="Close" onClick={close}>
                    ×
                </button>
            </div>
            {wrong && <p>{wrong}</p>}
            {log && (
                <>
                    <Message log={log} sought={sought} />
                    <div class="details-tools">
                        <span class="copies" role="group" aria-label="Copy">
                            <span aria-hidden="true">Copy</span>
                            <button aria-label="Copy message" onClick={() => say(log.message)}>
                                message
                            </button>
                            <button aria-label="Copy as JSON" onClick={() => say(log.json)}>
                                JSON
                            </button>
                            <button aria-label="Copy link to this log" onClick={() => say(origin + permalink)}>
                                link
                            </button>
                            <button aria-label="Copy as curl" title="The command that asks for this log" onClick={() => say(curlOf(origin, log.id, needsKey(session)))}>
                                curl
                            </button>
                            <button aria-label="Copy as logmill query" title="The command that asks for what the page shows" onClick={() => say(commandOf(origin, view))}>
                                logmill query
                            </button>
                        </span>
                        <a href={permalink}>Permalink</a>
                        <button onClick={around}>Show around</button>
                        {trace && <button onClick={() => setView(trace)}>All of this trace</button>}
                        <span role="status">{copied}</span>
                    </div>
                    <div class="log-fields" role="group" aria-label="Fields" ref={tree} onKeyDown={(event) => moveInTree(event, tree.current!)}>
                        <Field name="level" path="level" value={JSON.stringify(log.level)} depth={0} acts={acts} field="level" />
                        <Fields entries={attributes} depth={0} acts={acts} what="attributes" />
                        {[['timestamp', log.timestamp], ['id', log.id]].map(([name, text]) => (
                            <div class="field">
                                <div class="field-name">{name}</div>
                                <div class="field-value">{text}</div>
                            </div>
                        ))}
                    </div>
                    {menu && <FieldMenu {...menu} view={view} setView={setView} say={say} close={() => setMenu(null)} />}
                </>
            )}
        </section>
    );
}
