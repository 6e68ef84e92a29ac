/* From an error to the next one: where it is, or that there is none. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import type { View } from './address';
import type { Log } from './api';
import { serverNow } from './clock';
import { nextError } from './errors';
import { formatTime } from './time';

const clock = (log: Log, zone: string): string => formatTime(log.timestamp, zone).slice(0, 19);

/** What is said of it, and what looks for the next one, down the list or up. */
export function useErrors(view: View, open: (log: Log) => void): [string, (from: Log | null, by: number) => void] {
    const [said, say] = useState('');
    const abort = useRef(new AbortController());
    const { query, since, until, range, oldest, around, center, id } = view;
    // At once: the next key may come before what is done after the page was drawn.
    useLayoutEffect(() => {
        abort.current.abort();
        say('');
    }, [query, since, until, range, oldest, around, center, id]);
    const look = (from: Log | null, by: number): void => {
        abort.current.abort();
        abort.current = new AbortController();
        const { signal } = abort.current;
        const older = by > 0 !== view.oldest;
        const where = from ? `${older ? 'before' : 'after'} ${clock(from, view.zone)}` : 'here';
        const slow = setTimeout(() => signal.aborted || say(`Looking for an error ${where}…`), 300);
        nextError(view, from, older, serverNow(), signal)
            .then(
                (found) => (found ? open(found) : say(`No error ${where}`)),
                (error: unknown) => signal.aborted || say(String(error instanceof Error ? error.message : error)),
            )
            .finally(() => clearTimeout(slow));
    };
    return [said, look];
}
