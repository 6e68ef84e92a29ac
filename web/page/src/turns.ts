/*
 * A browser has six connections to a server, for all its tabs together, and a live tail takes one as long as it lasts.
 * So at most STREAMS tabs follow at a time, and none that nobody sees. If more are to be seen at once, they take
 * turns, and each goes on at the place where its last turn ended: nothing is missed, it only comes a little later. Those
 * with the same filters need not even wait (relay.ts).
 *
 * The tabs tell each other that they are there, and everyone works out by the clock whose turn it is; they need not
 * agree on anything, since two that are wrong for a moment only have a connection too many.
 */

export const STREAMS = 2;
const TURN_MS = 1500;
/** How often a tab says that it is there, and how long it is believed. */
const BEAT_MS = 1000;
const BELIEVED_MS = 3500;
/** So long the others have to answer a tab that is new. */
const ANSWER_MS = 100;

/** Whether `me` is one of those of `tabs` whose turn it is at `now`. */
export function hasTurn(tabs: string[], me: string, now: number): boolean {
    const line = [...tabs].sort();
    if (line.length <= STREAMS) return true;
    const first = (Math.floor(now / TURN_MS) * STREAMS) % line.length;
    return (line.indexOf(me) - first + line.length) % line.length < STREAMS;
}

interface Beat {
    tab: string;
    /** What it does now: "new" wants the others' answer. */
    state: 'new' | 'here' | 'gone';
}

/** Tells whether this tab may follow: at the beginning, and whenever that changes. */
export class Turns {
    private readonly me = `${Date.now()}-${Math.random()}`;
    private readonly others = new Map<string, number>();
    private readonly channel = new BroadcastChannel('logmill.tails');
    private readonly timer: number;
    private readonly ends = new AbortController();
    private isHere = false;
    private beaten = 0;
    private mine: boolean | undefined;

    constructor(private changed: (mine: boolean) => void) {
        const { signal } = this.ends;
        this.channel.onmessage = ({ data }: MessageEvent<Beat>) => this.hear(data);
        document.addEventListener('visibilitychange', () => this.look(), { signal });
        addEventListener('pagehide', () => this.leave(), { signal });
        this.timer = window.setInterval(() => this.look(), BEAT_MS / 4);
        this.look();
    }

    /** Some have to wait for their turn. */
    get areMany(): boolean {
        return this.others.size >= STREAMS;
    }

    close(): void {
        this.leave();
        this.ends.abort();
        clearInterval(this.timer);
        this.channel.close();
    }

    private say(state: Beat['state']): void {
        this.channel.postMessage({ tab: this.me, state } satisfies Beat);
        this.beaten = Date.now();
    }

    private hear({ tab, state }: Beat): void {
        if (state === 'gone') this.others.delete(tab);
        else this.others.set(tab, Date.now());
        if (state === 'new' && this.isHere) this.say('here');
    }

    private leave(): void {
        if (this.isHere) this.say('gone');
        this.isHere = false;
    }

    private look(): void {
        if (this.ends.signal.aborted) return undefined; // it was to wait for answers, and is closed
        const now = Date.now();
        if (document.hidden) {
            this.leave();
            return this.tell(false);
        }
        if (!this.isHere) {
            this.isHere = true;
            this.say('new');
            setTimeout(() => this.look(), ANSWER_MS);
            return undefined;
        }
        if (now - this.beaten > BEAT_MS) this.say('here');
        for (const [tab, heard] of this.others) if (now - heard > BELIEVED_MS) this.others.delete(tab);
        return this.tell(hasTurn([...this.others.keys(), this.me], this.me, now));
    }

    private tell(mine: boolean): void {
        if (this.ends.signal.aborted || mine === this.mine) return;
        this.mine = mine;
        this.changed(mine);
    }
}
