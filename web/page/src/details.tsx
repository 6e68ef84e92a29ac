import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import type { Filter } from './address';
import { ApiError, type Log, fetchLog } from './api';
import { severityOf } from './levels';
import { cut, visible, visibleLines } from './text';
import { Text } from './text_view';
import { formatTime } from './time';

const TEXT_MAX = 20_000;
const VALUE_MAX = 2000;
const AROUND_MS = 60_000;

interface Props {
    id: string;
    /** null: it has to be fetched. */
    log: Log | null;
    utc: boolean;
    close: () => void;
    filter: (filter: Filter) => void;
    around: (since: string, until: string) => void;
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

function Field({ name, value, filterName, filter }: {
    name: string;
    value: unknown;
    filterName: string;
    filter: (filter: Filter) => void;
}): JSX.Element {
    const isPlain = value === null || typeof value !== 'object';
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
    const shown = cut(visible(name), 200);
    return (
        <div class="field">
            <dt>{shown}</dt>
            <dd>
                <Long text={text} most={VALUE_MAX} show={(text) => <span class={isPlain ? '' : 'nested'}>{visibleLines(text)}</span>} />
                {isPlain && (
                    <span class="filter-buttons">
                        <button aria-label={`Filter for ${shown}`} title="Filter for this" onClick={() => filter({ name: filterName, value: text })}>
                            +
                        </button>
                        <button aria-label={`Filter out ${shown}`} title="Filter this out" onClick={() => filter({ name: `not.${filterName}`, value: text })}>
                            −
                        </button>
                    </span>
                )}
            </dd>
        </div>
    );
}

/** The log, fetched by its id where it is not at hand; or why not. */
function useLog(id: string, given: Log | null): [Log | null, string] {
    const [log, setLog] = useState<Log | null>(given);
    const [wrong, setWrong] = useState('');
    useEffect(() => {
        if (given) return undefined;
        const abort = new AbortController();
        fetchLog(id, abort.signal).then(setLog, (error: ApiError) => {
            if (abort.signal.aborted) return;
            const isNone = error.status === 404 || error.status === 422;
            setWrong(isNone ? `There is no such log: ${cut(visible(id), 100)}` : error.message);
        });
        return () => abort.abort();
    }, [id, given]);
    return [log, wrong];
}

export function Details({ id, log: given, utc, close, filter, around }: Props): JSX.Element {
    const [log, wrong] = useLog(id, given);
    const [copied, setCopied] = useState('');
    const panel = useRef<HTMLElement>(null);
    useEffect(() => panel.current?.focus({ preventScroll: true }), []);
    const time = Date.parse(log?.timestamp ?? '');
    return (
        <section class="details" data-testid="details" aria-label="Log details" tabIndex={-1} ref={panel}>
            <div class="details-head">
                {log && <span class={`level is-${severityOf(log.level)}`}>{cut(visible(log.level), 40)}</span>}
                {log && <time>{formatTime(log.timestamp, utc)}</time>}
                <button class="close" aria-label="Close" onClick={close}>
                    ×
                </button>
            </div>
            {wrong && <p>{wrong}</p>}
            {!log && !wrong && <p>Looking…</p>}
            {log && (
                <>
                    <Long text={log.message} most={TEXT_MAX} show={(text) => <pre tabIndex={0} aria-label="Message"><Text text={text} /></pre>} />
                    <div class="details-tools">
                        <button
                            onClick={() =>
                                copy(JSON.stringify(log, null, 2)).then(
                                    () => setCopied('Copied'),
                                    () => setCopied('The browser does not let the page copy'),
                                )
                            }
                        >
                            Copy as JSON
                        </button>
                        <a href={`/?id=${encodeURIComponent(log.id)}`}>Permalink</a>
                        <button onClick={() => around(new Date(time - AROUND_MS).toISOString(), new Date(time + AROUND_MS).toISOString())}>
                            Show around
                        </button>
                        <span role="status">{copied}</span>
                    </div>
                    <dl>
                        <Field name="level" value={log.level} filterName="level" filter={filter} />
                        {Object.entries(log.attributes ?? {}).map(([name, value]) => (
                            <Field key={name} name={name} value={value} filterName={`attr.${name}`} filter={filter} />
                        ))}
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
