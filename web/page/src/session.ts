/*
 * Who looks, as far as the server knows, and whether it wants to be told by a key. A key becomes a cookie that no
 * script can read, so nothing of it is kept here. What the page shows stays while somebody logs in again.
 */
import { useEffect, useReducer } from 'preact/hooks';

export interface Who {
    /** Of the key; null: there is none. */
    name: string | null;
    role: string | null;
    may: string[];
    /** The query that all it reads is narrowed to. */
    only: string | null;
    expires: string | null;
    /** What whoever has no key may. */
    anonymous: string[];
    /** The server's own pages may be looked at, as its description of the API. */
    operate: boolean;
    /** It is by a cookie: one can log out. */
    session: boolean;
    /** Somebody can log in. */
    keys: boolean;
    /** Where the values of attributes lead, by their paths. */
    links?: Record<string, string>;
    /** No other machine reaches the server. */
    loopback: boolean;
}

export interface Session {
    who: Who | null;
    /** The form is shown. */
    isWanted: boolean;
    /** Somebody was logged in, and is no more. */
    hasEnded: boolean;
    /** Grows with each log-in: what was refused before may be asked for again. */
    round: number;
}

/** By this the server knows the page, and leaves it to the page to ask for a key. */
export const HEADERS = { 'X-Requested-With': 'logmill' };

/** Of whom nothing is known, but that a key is needed. */
const NOBODY: Who = {
    name: null,
    role: null,
    may: [],
    only: null,
    expires: null,
    anonymous: [],
    operate: false,
    session: false,
    keys: true,
    loopback: true,
};

let session: Session = { who: null, isWanted: false, hasEnded: false, round: 0 };
const watchers = new Set<() => void>();

function set(change: Partial<Session>): void {
    session = { ...session, ...change };
    watchers.forEach((changed) => changed());
}

export function theSession(): Session {
    return session;
}

/** The session, kept up to date. */
export function useSession(): Session {
    const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
    useEffect(() => {
        const watcher = (): void => changed();
        watchers.add(watcher);
        return () => void watchers.delete(watcher);
    }, []);
    return session;
}

/** Other tabs of the browser have the same cookie. */
let channel: BroadcastChannel | undefined;

export function watchOtherTabs(): void {
    channel ??= new BroadcastChannel('logmill.session');
    channel.onmessage = () => session.isWanted && void learnWho();
}

function post(path: string, body?: unknown): Promise<Response> {
    const headers = { ...HEADERS, 'Content-Type': 'application/json' };
    return fetch(path, { method: 'POST', headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

function mayRead(who: Who | null): boolean {
    return who?.may.includes('read') ?? false;
}

/** By whose key the logs were read that are shown; undefined: none are. */
let shownTo: string | null | undefined;

/** Takes over what the server says of us. What one has seen is not shown to another. */
function take(who: Who): void {
    const isIn = mayRead(who);
    if (isIn && shownTo !== undefined && shownTo !== who.name) return location.reload();
    if (isIn) shownTo = who.name;
    const isBack = isIn && session.isWanted;
    set({ who, isWanted: !isIn && who.keys, hasEnded: false, round: session.round + (isBack ? 1 : 0) });
}

const askWho = (): Promise<Response> => fetch('/whoami', { headers: HEADERS, cache: 'no-store' });

/** Asks who we are. A cookie that does not hold is let go of. */
export async function learnWho(): Promise<void> {
    const answer = await askWho().catch(() => null);
    if (answer?.ok) return take((await answer.json()) as Who);
    if (answer?.status === 401) refused();
}

/** A cookie that does not hold is let go of just now. */
let isLeaving = false;

/**
 * A request of ours was answered 401. The cookie goes before the form comes: a log-out that is late would end what
 * one has just logged in for, in all tabs. What we may without a key is looked at, and the form shown in any case.
 */
export function refused(): void {
    if (session.isWanted || isLeaving) return;
    isLeaving = true;
    void (async () => {
        await post('/logout').catch(() => {});
        isLeaving = false;
        set({ isWanted: true, hasEnded: session.who?.name != null });
        const answer = await askWho();
        const who = answer.ok ? ((await answer.json()) as Who) : NOBODY;
        if (!session.isWanted) return;
        if (who.session) take(who); // another tab has logged in meanwhile
        else set({ who });
    })().catch(() => {});
}

/** Returns "", or why not. */
export async function logIn(key: string): Promise<string> {
    const answer = await post('/login', { key }).catch(() => null);
    if (!answer) return 'The server cannot be reached';
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) {
        const isWrong = answer.status === 401;
        return isWrong ? 'This key is unknown, has expired or was revoked' : String(body.detail ?? answer.statusText);
    }
    const who = body as Who;
    if (!mayRead(who)) {
        await post('/logout').catch(() => {});
        return `The key “${who.name}” may send logs, but not read them`;
    }
    take(who);
    channel?.postMessage('in');
    return '';
}

/** The address has all that is to be shown, so the page begins anew. */
export async function logOut(): Promise<void> {
    await post('/logout').catch(() => {});
    location.reload();
}

export const wantLogIn = (): void => set({ isWanted: true, hasEnded: false });

/** Without a key, as far as that goes. */
export const canGoOn = ({ who }: Session): boolean => mayRead(who);

export function goOnWithout(): void {
    if (shownTo) return location.reload();
    shownTo = null;
    set({ isWanted: false, hasEnded: false, round: session.round + 1 });
}
