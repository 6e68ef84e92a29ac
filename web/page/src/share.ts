/* Links to what is seen now, which show the same to whoever opens them later. */
import { type View, formatView, rangeOf } from './address';
import type { Log } from './api';
import { viewBack, wayBack } from './around';
import { after, iso } from './time';

/** The name of the browser's zone. */
export function browserZone(): string {
    return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** What stands at `now` where there is no end: to just behind the newest log, so also what lies in the future. */
function endOf(newest: Log | undefined, now: number): string {
    const isAhead = newest !== undefined && Date.parse(newest.timestamp) >= now;
    return isAhead ? after(newest.timestamp, 1) : iso(now);
}

/**
 * The view with the times that it looks at now. `newest`: the newest log that is shown, where that is known. Zones are
 * named, since the browser of somebody else has another one.
 */
export function fixed(view: View, now: number, newest: Log | undefined): View {
    const range = rangeOf(view, now);
    return {
        ...view,
        since: range.since,
        until: range.until || endOf(newest, now),
        live: false,
        zone: view.zone || browserZone(),
        back: view.back === null ? null : wayBack(fixed(viewBack(view), now, newest)),
    };
}

/** The address of a view on this server. */
export function addressOf(view: View): string {
    return location.origin + formatView(view);
}
