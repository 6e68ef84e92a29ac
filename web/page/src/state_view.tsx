import type { JSX } from 'preact';

import { DEFAULT_RANGE, type View, hasTimes } from './address';
import { mayPass } from './api';
import { part } from './parts';
import { asFields } from './query';
import { type Who, useSession } from './session';
import { tryingAgain } from './status_line';
import { cut, visible } from './text';
import { formatTime } from './time';
import type { Logs } from './use_logs';

const AnyWords = part('AnyWords');
const NearFields = part('NearFields');

interface Props {
    view: View;
    setView: (view: View) => void;
    logs: Logs;
}

function curlLine(needsKey: boolean): string {
    const log = '{"message": "hello, logmill", "level": "info"}';
    const key = needsKey ? ' -H "authorization: Bearer $LOGMILL_KEY"' : '';
    return `curl ${location.origin}/log${key} -H 'content-type: application/json' -d '${log}'`;
}

/** What to do where nothing is stored: who may write is shown how; to others it would be refused. */
function FirstLog({ who }: { who: Who }): JSX.Element {
    if (!who.may.includes('write')) {
        return <p>There are none yet that {who.name === null ? 'may be read without a key' : `the key “${visible(who.name)}” may read`}.</p>;
    }
    return (
        <>
            <p>Send a first one, and it shows up here:</p>
            <code data-testid="curl">{curlLine(!who.anonymous.includes('write'))}</code>
        </>
    );
}

/** Why there is nothing to see, and what to do. Nothing if there is something. */
export function StateView({ view, setView, logs: { list, now, nothingStored, reload } }: Props): JSX.Element | null {
    const { who } = useSession();
    const state = (name: string, ...children: JSX.Element[]): JSX.Element => (
        <div class="state" data-testid="state" data-state={name}>
            {children}
        </div>
    );
    if (list.error?.status === 401) return null; // the form says so
    if (list.error) {
        const isAway = list.error.status === 0;
        if (list.length > 0) return null; // the status line says so
        const isTriedAgain = mayPass(list.error) && !isAway;
        return state(
            isAway ? 'away' : 'error',
            <h2>{isAway ? 'The server cannot be reached' : 'The logs could not be read'}</h2>,
            <p>
                {isAway ? 'Trying again every two seconds…' : list.error.message}
                {isTriedAgain && `; ${tryingAgain(list.error)}`}
            </p>,
            <button onClick={reload}>Try again</button>,
            <a href="/">Start anew</a>,
        );
    }
    if (list.length > 0) return null;
    const far = list.searchedTo && `${view.oldest ? 'up' : 'back'} to ${formatTime(list.searchedTo, view.zone).slice(0, 16)}`;
    if (list.isStopped) {
        return state(
            'stopped',
            <h2>Nothing found {far || 'yet'}</h2>,
            <p>The search was stopped.</p>,
            <button onClick={() => void list.goOn()}>Go on</button>,
        );
    }
    if (!list.isComplete || nothingStored === null) {
        return state('loading', <p>{far ? `Nothing found ${far}; looking further…` : 'Looking…'}</p>);
    }
    if (nothingStored) {
        return state('empty', <h2>No logs yet</h2>, <>{who && <FirstLog who={who} />}</>);
    }
    const allTime = view.range === 'all' && !hasTimes(view);
    const meant = asFields(view.query);
    return state(
        'nomatch',
        <h2>No log matches</h2>,
        <p>
            There are logs, but none of {allTime ? 'any time' : 'this time'}
            {view.query !== '' && ' that match the filters'}.
            {Date.parse(view.since) >= Date.parse(view.until) && ' It ends before it begins.'}
        </p>,
        <>
            {view.query !== '' && <NearFields view={view} setView={setView} now={now} />}
            {!meant && view.query !== '' && <AnyWords view={view} setView={setView} />}
            {meant && <p>“{cut(visible(meant.text), 60)}” is searched for as a text: fields have a colon.</p>}
            {meant && <button onClick={() => setView({ ...view, query: meant.query })}>{cut(visible(meant.term), 60)}</button>}
            {view.query !== '' && (
                <button onClick={() => setView({ ...view, query: '' })}>Clear filters</button>
            )}
            {!allTime && (
                <button onClick={() => setView({ ...view, range: 'all', since: '', until: '' })}>
                    Look at all time
                </button>
            )}
            {hasTimes(view) && (
                <button onClick={() => setView({ ...view, range: DEFAULT_RANGE, since: '', until: '' })}>
                    Last 24 hours
                </button>
            )}
        </>,
    );
}
