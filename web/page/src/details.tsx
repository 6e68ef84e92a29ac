import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { ApiError, type Log, fetchLog } from './api';
import { isNested, members, readable } from './json';
import { severityOf } from './levels';
import { useSession } from './session';
import { attributeField, fieldTerm } from './query';
import { cut, visible, visibleLines } from './text';
import { Text } from './text_view';
import { formatTime } from './time';

const TEXT_MAX = 20_000;
const VALUE_MAX = 2000;
/** Attributes that are shown at once; all others when asked for, so many at a time. */
const FIELDS = 1000;

interface Props {
    /** null: `wrong` says why not. */
    log: Log | null;
    wrong: string;
    zone: string;
    close: () => void;
    filter: (term: string) => void;
    around: () => void;
}

async function copy(text: string): Promise<void> {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Not a secure context, as over plain http: the old way.
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    return undefined;
}

/** A long text: its beginning, and all of it when asked for. */
function Long({ text, most, show }: { text: string; most: number; show: (text: string) => JSX.Element }): JSX.Element {
    const [whole, setWhole] = useState(false);
    if (whole || text.length <= most) return show(text);
    return (
        <>
            {show(cut(text, most))}
            <button class="whole" onClick={() => setWhole(true)}>
                Show all {text.length.toLocaleString()} characters
            </button>
        </>
    );
}

function Field({ name, value, field, filter }: {
    name: string;
    /** As JSON. */
    value: string;
    /** As the query has it. */
    field: string;
    filter: (term: string) => void;
}): JSX.Element {
    const isPlain = !isNested(value);
    const text = readable(value);
    const shown = cut(visible(name), 200);
    return (
        <div class="field">
            <dt>{shown}</dt>
            <dd>
                <Long text={text} most={VALUE_MAX} show={(text) => <span class={isPlain ? '' : 'nested'}>{visibleLines(text)}</span>} />
                {isPlain && (
                    <span class="filter-buttons">
                        <button aria-label={`Filter for ${shown}`} title="Filter for this" onClick={() => filter(fieldTerm(field, text))}>
                            +
                        </button>
                        <button aria-label={`Filter out ${shown}`} title="Filter this out" onClick={() => filter(fieldTerm(field, text, true))}>
                            −
                        </button>
                    </span>
                )}
            </dd>
        </div>
    );
}

/** One piece of the attributes: drawn once. */
function Piece({ attributes, filter }: { attributes: [string, string][]; filter: (term: string) => void }): JSX.Element {
    const latest = useRef(filter);
    latest.current = filter;
    return useMemo(
        () => (
            <dl class={attributes.length === FIELDS ? 'piece' : ''}>
                {attributes.map(([name, value]) => (
                    <Field name={name} value={value} field={attributeField(name)} filter={(term) => latest.current(term)} />
                ))}
            </dl>
        ),
        [attributes],
    );
}

/** All attributes; of very many the first, and the others piece by piece, so that the page stays quick. */
function Attributes({ log, filter }: { log: Log; filter: (term: string) => void }): JSX.Element {
    const [all, pieces] = useMemo(() => {
        const all = members(members(log.json).find(([name]) => name === 'attributes')?.[1] ?? '{}');
        return [all.length, Array.from({ length: Math.ceil(all.length / FIELDS) }, (_, n) => all.slice(n * FIELDS, (n + 1) * FIELDS))];
    }, [log]);
    const [drawn, setDrawn] = useState(1);
    const [goesOn, setGoesOn] = useState(false);
    useEffect(() => {
        if (!goesOn || drawn >= pieces.length) return undefined;
        const timer = setTimeout(() => setDrawn(drawn + 1), 30);
        return () => clearTimeout(timer);
    }, [goesOn, drawn]);
    return (
        <>
            {pieces.slice(0, drawn).map((attributes) => <Piece attributes={attributes} filter={filter} />)}
            {drawn < pieces.length && (
                <button class="whole" disabled={goesOn} onClick={() => setGoesOn(true)}>
                    Show all ({all.toLocaleString()}) attributes
                </button>
            )}
        </>
    );
}

/** The open log, fetched by its id if it is not at hand; or why not. */
export function useLog(id: string, given: Log | null): [Log | null, string] {
    const { round } = useSession();
    const [found, setFound] = useState<{ id: string; log: Log | null; wrong: string }>();
    useEffect(() => {
        if (given || !id) return undefined;
        const abort = new AbortController();
        fetchLog(id, abort.signal).then(
            (log) => setFound({ id, log, wrong: '' }),
            (error: ApiError) => {
                if (abort.signal.aborted) return;
                const isNone = error.status === 404 || error.status === 422;
                const wrong = isNone ? `There is no such log: ${cut(visible(id), 100)}` : error.message;
                setFound({ id, log: null, wrong });
            },
        );
        return () => abort.abort();
    }, [id, given, round]);
    if (given) return [given, ''];
    return found?.id === id ? [found.log, found.wrong] : [null, ''];
}

export function Details({ log, wrong, zone, close, filter, around }: Props): JSX.Element {
    const [copied, setCopied] = useState('');
    const panel = useRef<HTMLElement>(null);
    useEffect(() => panel.current?.focus({ preventScroll: true }), []);
    return (
        <section class="details" data-testid="details" aria-label="Log details" tabIndex={-1} ref={panel}>
            <div class="details-head">
                {log && <span class={`level is-${severityOf(log.level)}`}>{cut(visible(log.level), 40)}</span>}
                {log && <time>{formatTime(log.timestamp, zone)}</time>}
                <button class="close" aria-label="Close" onClick={close}>
                    ×
                </button>
            </div>
            {wrong && <p>{wrong}</p>}
            {log && (
                <>
                    <Long text={log.message} most={TEXT_MAX} show={(text) => <pre tabIndex={0} aria-label="Message"><Text text={text} /></pre>} />
                    <div class="details-tools">
                        <button
                            onClick={() =>
                                copy(log.json).then(
                                    () => setCopied('Copied'),
                                    () => setCopied('The browser does not let the page copy'),
                                )
                            }
                        >
                            Copy as JSON
                        </button>
                        <a href={`/?id=${encodeURIComponent(log.id)}`}>Permalink</a>
                        <button onClick={around}>Show around</button>
                        <span role="status">{copied}</span>
                    </div>
                    <dl>
                        <Field name="level" value={JSON.stringify(log.level)} field="level" filter={filter} />
                    </dl>
                    <Attributes log={log} filter={filter} />
                    <dl>
                        <div class="field">
                            <dt>timestamp</dt>
                            <dd>{log.timestamp}</dd>
                        </div>
                        <div class="field">
                            <dt>id</dt>
                            <dd>{log.id}</dd>
                        </div>
                    </dl>
                </>
            )}
        </section>
    );
}
