/* Commands for a shell that do what the page shows. Whatever a text holds, it is one argument and nothing else. */
import { type View, hasTimes } from './address';

/**
 * Quoted for sh. A terminal would take control characters for keys that are pressed (a pasted Ctrl-C ends the line,
 * and what comes after it is a command of its own), so a text with such is written by escapes, which bash, zsh and
 * ksh know. No argument can have a NUL: it is left out.
 */
export function quote(text: string): string {
    if (/^[\w@%+:,./-]+$/.test(text)) return text;
    if (!HIDDEN.test(text)) return `'${text.replace(/'/g, "'\\''")}'`;
    const escaped = text.replace(/[\\']/g, '\\$&').replace(/\0/g, '').replace(new RegExp(HIDDEN, 'g'), bytes);
    return `$'${escaped}'`;
}

/** Control characters, and those that are invisible or turn text around. */
const HIDDEN = /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/;

function bytes(text: string): string {
    return [...new TextEncoder().encode(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** Asks for one log. `needsKey`: that of the environment. */
export function curlOf(origin: string, id: string, needsKey: boolean): string {
    const key = needsKey ? '-H "Authorization: Bearer $LOGMILL_KEY" ' : '';
    return `curl -sS ${key}${quote(`${origin}/logs/${encodeURIComponent(id)}`)}`;
}

/** Asks for what the view shows; the key it takes from the environment by itself. */
export function commandOf(origin: string, view: View): string {
    const words = ['logmill', 'query'];
    const since = hasTimes(view) ? view.since : view.range === 'all' ? '' : view.range;
    // Joined, since a value may begin with a -.
    if (view.around) {
        words.push(`--around=${quote(view.center)}`);
        if (view.around.length > 0) words.push(`--same=${quote(view.around.join(','))}`);
    } else {
        if (since) words.push(`--since=${quote(since)}`);
        if (view.until) words.push(`--until=${quote(view.until)}`);
    }
    words.push(`--url=${quote(origin)}`);
    const query = view.query.trim();
    if (query) words.push(...(query.startsWith('-') ? ['--'] : []), quote(query));
    return words.join(' ');
}
