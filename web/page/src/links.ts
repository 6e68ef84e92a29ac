/* Links from values, as whoever runs the server wants them (LINKS). */
import { theSession } from './session';

const VALUE_MAX = 1000;

/** Where a value of the attribute `name` (its path) leads; null: nowhere. */
export function linkOf(name: string, value: string): string | null {
    const links = theSession().who?.links ?? {};
    const url = Object.entries(links).find(([path]) => path === name)?.[1];
    // A path of dots would be taken for a way up.
    if (!url || !/^https?:\/\//.test(url) || value === '' || value.length > VALUE_MAX || /^\.{1,2}$/.test(value)) return null;
    try {
        const escaped = encodeURIComponent(value);
        return url.replaceAll('{value}', () => escaped);
    } catch {
        return null; // half a character
    }
}
