/* A live tail: GET /logs/tail, resumed by the browser, and by us where the browser gives up. */
import type { Log } from './api';

const RETRY_MS = 2000;

export interface TailEvents {
    /** It is connected; what is stored from now on will come. */
    open: () => void;
    log: (log: Log) => void;
    missed: (count: number) => void;
    /** The place to go on from is no longer known: there may be a gap. */
    lost: () => void;
    /** The connection broke; it is tried again. */
    away: () => void;
}

export class Tail {
    private source: EventSource | undefined;
    private lastId = '';
    private retry = 0;

    constructor(
        private params: URLSearchParams,
        private events: TailEvents,
    ) {
        this.connect();
    }

    private connect(): void {
        const params = new URLSearchParams(this.params);
        if (this.lastId) params.set('last_event_id', this.lastId);
        const source = new EventSource(`/logs/tail?${params}`);
        this.source = source;
        source.onopen = () => this.events.open();
        source.onmessage = (event) => {
            this.lastId = event.lastEventId;
            this.events.log(JSON.parse(event.data) as Log);
        };
        source.addEventListener('missed', (event) => {
            this.lastId = event.lastEventId;
            this.events.missed((JSON.parse(event.data) as { missed: number }).missed);
        });
        source.addEventListener('lost', () => this.events.lost());
        source.onerror = () => {
            this.events.away();
            if (source.readyState !== EventSource.CLOSED) return;
            this.retry = setTimeout(() => this.connect(), RETRY_MS);
        };
    }

    close(): void {
        clearTimeout(this.retry);
        this.source?.close();
    }
}
