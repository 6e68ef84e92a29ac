/*
 * Views that somebody keeps by name, in this browser. What is stored may be anything: of another release, damaged, or
 * not there at all where storage is forbidden.
 */
import { type View, formatView } from './address';
import { viewBack } from './around';

const KEY = 'logmill.views';
/** Names that are kept. */
export const SAVED_VIEWS_MAX = 50;
/** Characters of a name, and of an address. */
export const SAVED_NAME_MAX = 80;
export const SAVED_ADDRESS_MAX = 32_768;

export interface Saved {
    name: string;
    /** What is behind the path: "?query=level%3Aerror". */
    search: string;
}

function isSaved(value: unknown): value is Saved {
    const { name, search } = (value ?? {}) as Saved;
    const isText = typeof name === 'string' && typeof search === 'string';
    return isText && name !== '' && name.length <= SAVED_NAME_MAX && search.length <= SAVED_ADDRESS_MAX;
}

/** In the order of their names. What cannot be read is left out. */
export function savedViews(): Saved[] {
    try {
        const all: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
        if (!Array.isArray(all)) return [];
        const byName = new Map(all.filter(isSaved).map(({ name, search }) => [name, { name, search }]));
        return [...byName.values()].slice(0, SAVED_VIEWS_MAX).sort((a, b) => a.name.localeCompare(b.name));
    } catch {
        return [];
    }
}

/** "", or why they cannot be kept. */
function keep(views: Saved[]): string {
    try {
        localStorage.setItem(KEY, JSON.stringify(views));
        return '';
    } catch {
        return 'The browser lets the page keep nothing: copy the link instead';
    }
}

/** What of a view is kept: not the log that happens to be open, nor that the list is around one. */
export function searchOf(view: View): string {
    return formatView({ ...viewBack(view), id: '' }).slice(1);
}

/** A name as it is kept. */
export function nameOf(text: string): string {
    return text.trim().replace(/\s+/g, ' ');
}

export function isTaken(name: string): boolean {
    return savedViews().some((saved) => saved.name === name);
}

/** Keeps it, in the place of one of that name. Returns "", or why not. */
export function saveView(name: string, search: string): string {
    const views = savedViews().filter((saved) => saved.name !== name);
    if (name === '') return 'Give it a name';
    if (name.length > SAVED_NAME_MAX) return `A name may have at most ${SAVED_NAME_MAX} characters`;
    if (search.length > SAVED_ADDRESS_MAX) return 'This view is too long to be kept';
    if (views.length >= SAVED_VIEWS_MAX) return `At most ${SAVED_VIEWS_MAX} views are kept: delete one first`;
    return keep([...views, { name, search }]);
}

/** Also over one that has that name. */
export function renameView(from: string, to: string): string {
    const saved = savedViews().find(({ name }) => name === from);
    if (!saved || from === to) return '';
    const rest = savedViews().filter(({ name }) => name !== from && name !== to);
    if (to === '' || to.length > SAVED_NAME_MAX) return saveView(to, saved.search);
    return keep([...rest, { name: to, search: saved.search }]);
}

export function deleteView(name: string): string {
    return keep(savedViews().filter((saved) => saved.name !== name));
}

/** Calls `changed` when another tab has changed them. */
export function watchSaved(changed: () => void): () => void {
    const told = ({ key }: StorageEvent): void => {
        if (key === KEY || key === null) changed();
    };
    addEventListener('storage', told);
    return () => removeEventListener('storage', told);
}
