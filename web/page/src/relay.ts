/*
 * What one tab reads of a live tail is told to the others, so that those with the same filters need not wait for their
 * turn. A tab takes it only if nothing can be missing between its place and what it is told.
 */
import type { SseEvent } from './sse';

export interface Told {
    filters: string;
    /** The teller's place before these events: it has seen all that matches from there on. */
    from: string;
    events: SseEvent[];
}

/** Places of events are three numbers, which compare one after the other. */
export function isAfter(place: string, other: string): boolean {
    const [a, b] = [place, other].map((text) => text.split('-').map(BigInt)) as [bigint[], bigint[]];
    const differs = a.findIndex((number, i) => number !== b[i]);
    return differs >= 0 && a[differs]! > (b[differs] ?? -1n);
}

/** Of what was told, the events after `place`; none if some before them may be missing, or they are no plain ones. */
export function newTo(place: string, { from, events }: Told): SseEvent[] {
    if (!place || !from || isAfter(from, place) || events.some(({ name }) => name)) return [];
    return events.filter(({ id }) => id && isAfter(id, place));
}

export class Relay {
    private readonly channel = new BroadcastChannel('logmill.events');

    constructor(
        private filters: string,
        heard: (told: Told) => void,
    ) {
        this.channel.onmessage = ({ data }: MessageEvent<Told>) => {
            if (data.filters === filters) heard(data);
        };
    }

    tell(from: string, events: SseEvent[]): void {
        this.channel.postMessage({ filters: this.filters, from, events } satisfies Told);
    }

    close(): void {
        this.channel.close();
    }
}
