/* The queries of before, which the bar has at arrow up. The browser keeps them; without storage there are none. */

const KEY = 'logmill.queries';

/** So many are kept, the last first, … */
export const PAST_QUERIES_MAX = 50;
/** … none that is longer. */
export const PAST_QUERY_LENGTH_MAX = 2000;

export function pastQueries(): string[] {
    try {
        const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
        return Array.isArray(kept) ? kept.filter((query) => typeof query === 'string').slice(0, PAST_QUERIES_MAX) : [];
    } catch {
        return []; // storage may be forbidden, or somebody else's
    }
}

export function rememberQuery(query: string): void {
    if (query === '' || query.length > PAST_QUERY_LENGTH_MAX) return;
    const queries = [query, ...pastQueries().filter((past) => past !== query)].slice(0, PAST_QUERIES_MAX);
    try {
        localStorage.setItem(KEY, JSON.stringify(queries));
    } catch {
        // it is forgotten then
    }
}
