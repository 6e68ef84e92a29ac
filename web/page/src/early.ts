/*
 * What the page asks for before it draws anything: the address has all that its first list and its bars depend on. Who
 * wants them (use_logs.ts, use_stats.ts) asks for the same, and finds the answer under way.
 */
import { type View, rangeOf, timesToResolve } from './address';
import { askAhead, logsPath, statsPath } from './api';
import { beginNow } from './clock';
import { viewParams } from './count';
import { pageParams } from './log_list';
import { follows, kindOf, listParams } from './use_logs';

/** Comes to its end when the list is there, or none. */
export function askFirst(view: View): Promise<void> {
    const now = beginNow();
    // Live, the tail is connected first, so that no log falls between it and the list.
    const list = follows(view) ? Promise.resolve() : askAhead(logsPath(pageParams(listParams(view, now), kindOf(view), null)));
    const { since, until } = rangeOf(view, now);
    if (since && until && timesToResolve(view).length === 0) void askAhead(statsPath(viewParams(view, since, until)));
    return list;
}
