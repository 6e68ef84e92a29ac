/* All of a trace in the browser: of all time at first, and of its own time once all of it is there at once. */
import { useEffect, useRef } from 'preact/hooks';

import type { View } from './address';
import { isWholeTrace, timesOfTrace } from './around';
import { serverNow } from './clock';
import { PAGE_LOGS } from './log_list';
import type { Logs } from './use_logs';

/** Whoever asks for all time once more has it: a trace is narrowed once. */
export function useTrace(view: View, { list }: Logs, setView: (view: View, replace: boolean) => void): void {
    const narrowed = useRef('');
    useEffect(() => {
        if (!isWholeTrace(view)) return;
        if (narrowed.current === view.query || !list.isComplete || list.isStopped || list.error) return;
        if (list.length > PAGE_LOGS) return; // somebody has scrolled to where it ends
        const [first, last] = [list.at(0), list.at(list.length - 1)];
        if (!first || !last) return;
        narrowed.current = view.query;
        setView({ ...view, ...timesOfTrace(first.timestamp, last.timestamp, serverNow()) }, true);
    });
}
