/* A live tail: GET /logs/tail, while it is this tab's turn; it goes on where it was, however it ended. */
import { type Log, readLog } from './api';
import { Relay, newTo } from './relay';
import { HEADERS, refused, theSession } from './session';
import { type SseEvent, SseReader } from './sse';
import { Turns } from './turns';

const RETRY_MS = 2000;
/** The server says something every 15 s; one that is silent for longer is gone. */
const SILENT_MS = 40_000;

export interface TailEvents {
    /** It is connected; what is stored from now on will come. */
    open: () => void;
    log: (log: Log) => void;
    /** `atMost`: nobody has counted how many of them match. */
    missed: (count: number, atMost: boolean) => void;
    /** The place to go on from is no longer known: there may be a gap. */
    lost: () => void;
    /** The connection broke; it is tried again. */
    away: () => void;
    /** It is not this tab's turn, or nobody sees it. What is stored meanwhile comes later. */
    rests: () => void;
}

export class Tail {
    private lastId = '';
    private retry = 0;
    private abort = new AbortController();
    private turns: Turns;
    private relay: Relay;
    /** Not this tab's turn, though it is seen: others may read for it. */
    private listens = false;

    constructor(
        private params: URLSearchParams,
        private events: TailEvents,
    ) {
        this.relay = new Relay(String(params), (told) => {
            if (this.listens) newTo(this.lastId, told).forEach((event) => this.take(event));
        });
        this.turns = new Turns((mine) => {
            this.stop();
            this.listens = !mine && !document.hidden;
            if (mine) void this.connect();
            else events.rests();
        });
    }

    private async connect(): Promise<void> {
        const abort = new AbortController();
        this.abort = abort;
        // Nobody is asked while a key is wanted.
        if (!theSession().isWanted) await this.read(abort).catch(() => {});
        if (this.abort !== abort) return;
        this.events.away();
        this.retry = window.setTimeout(() => void this.connect(), RETRY_MS);
    }

    private async read(abort: AbortController): Promise<void> {
        const params = new URLSearchParams(this.params);
        if (this.lastId) params.set('last_event_id', this.lastId);
        const { round } = theSession();
        const { ok, status, body } = await fetch(`/logs/tail?${params}`, {
            headers: HEADERS,
            signal: abort.signal,
            cache: 'no-store',
        });
        if (status === 401 && round === theSession().round) refused();
        if (!ok || !body) return;
        const reader = body.pipeThrough(new TextDecoderStream()).getReader();
        const sse = new SseReader();
        for (let isOpen = false; ; ) {
            const silence = setTimeout(() => abort.abort(), SILENT_MS);
            const { done, value } = await reader.read().finally(() => clearTimeout(silence));
            if (done || this.abort !== abort) return;
            const events = sse.take(value);
            if (!isOpen && events.length > 0) {
                isOpen = true;
                this.events.open();
            }
            if (this.turns.areMany && events.length > 0) this.relay.tell(this.lastId, events);
            events.forEach((event) => this.take(event));
        }
    }

    private take({ id, name, data }: SseEvent): void {
        if (id) this.lastId = id;
        if (!data) return;
        if (name === 'missed') {
            const { missed, at_most } = JSON.parse(data) as { missed: number; at_most?: boolean };
            this.events.missed(missed, at_most === true);
        } else if (name === 'lost') this.events.lost();
        else if (!name) this.events.log(readLog(data));
    }

    private stop(): void {
        clearTimeout(this.retry);
        const { abort } = this;
        this.abort = new AbortController();
        abort.abort();
    }

    close(): void {
        this.turns.close();
        this.relay.close();
        this.stop();
    }
}
