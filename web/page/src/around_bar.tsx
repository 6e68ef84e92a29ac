/* What the list is around, and which fields of it are shared: each can be let go of. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';

import type { SetView, View } from './address';
import { attributeOf, originsOf, viewBack } from './around';
import type { Log } from './api';
import { focusList } from './focus';
import { cut, visible } from './text';
import { formatTime } from './time';
import type { Logs } from './use_logs';

interface Props {
    view: View;
    setView: SetView;
    logs: Logs;
}

function Shared({ view, setView, log, path }: { view: View; setView: Props['setView']; log: Log | undefined; path: string }): JSX.Element {
    const around = view.around!;
    const isShared = around.includes(path);
    const value = log && attributeOf(log, path);
    const toggled = isShared ? around.filter((other) => other !== path) : [...around, path];
    const name = `${cut(visible(path), 60)}${value === undefined ? '' : `: ${cut(visible(value), 40)}`}`;
    return (
        <button
            class="shared"
            aria-pressed={isShared}
            title={isShared ? 'Only logs with this are shown' : 'Show only logs with this'}
            onClick={() => setView({ ...view, around: toggled }, true)}
        >
            {name}
        </button>
    );
}

export function AroundBar({ view, setView, logs: { list } }: Props): JSX.Element | null {
    const { around, center, zone } = view;
    const at = around ? list.indexOf(center) : -1;
    const log = at >= 0 ? list.at(at) : undefined;
    const origins = useMemo(() => (log ? originsOf(log) : []), [log?.id]);
    if (!around) return null;
    const paths = [...new Set([...origins, ...around])];
    // The way back is the browser's, if it came from here.
    const back = (): void => {
        focusList();
        if (history.state?.around) history.back();
        else setView(viewBack(view));
    };
    return (
        <div class="around" role="region" aria-label="Around a log">
            <span>
                Around {log ? <time>{formatTime(log.timestamp, zone)}</time> : 'a log'}
                {list.isFull && ', as far as this list goes'}
            </span>
            {paths.length > 0 && <span class="shared-label">of the same</span>}
            {paths.map((path) => (
                <Shared key={path} view={view} setView={setView} log={log} path={path} />
            ))}
            {log && view.id !== center && (
                <button onClick={() => setView({ ...view, id: center }, true)}>Open it</button>
            )}
            <span class="shared-label" title="The count, the bars and the fields are of all logs of the time shown, not of this list">
                Counts: of the time shown
            </span>
            <button class="back" onClick={back}>
                Back
            </button>
        </div>
    );
}
