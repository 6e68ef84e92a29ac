/* Where nothing matches: words are looked for in messages, and may stand in an attribute. */
import type { JSX } from 'preact';

import type { View } from './address';
import { Scanner, quoteText } from './query';
import { cut, visible } from './text';

/** So much of the query is shown. */
const QUERY_LENGTH = 120;

/** A word, or a text in quotes, as a term of `any`; what would be none behind a colon alone gets quotes. */
function anyTerm(text: string): string {
    return `any:${/^[[{<>/]/.test(text) ? quoteText(text.replace(/\*$/, '')) : text}`;
}

/** A term without a field: all its words, which may stand without a blank between them. */
function anyTerms(text: string): string {
    if (text.startsWith('(')) return `(${withAny(text.slice(1, -1))})`;
    if (text.startsWith('/') && new Scanner(text).passRegex()) return text;
    const words = text.match(/\*?"(?:[^"\\]|\\.)*"\*?|[^"]+/gs) ?? [];
    return words.map((word) => (/^\*+$/.test(word) ? word : anyTerm(word))).join(' ');
}

/**
 * The query with its words looked for in every attribute, too. What is excluded stays: it is not why nothing is
 * found. So does a regular expression: `any` takes none. Without such words it is the query as it was.
 */
export function withAny(query: string): string {
    const scanner = new Scanner(query);
    let [all, until] = ['', 0];
    for (;;) {
        scanner.skipBlanks();
        if (scanner.takeWord('AND') || scanner.takeWord('OR')) continue;
        const term = scanner.isAtEnd ? null : scanner.takeTerm();
        if (!term) return all + query.slice(until);
        if (term.field !== null || /^(-|NOT\b)/.test(term.text)) continue;
        all += query.slice(until, term.from) + anyTerms(term.text);
        until = term.until;
    }
}

export function AnyWords({ view, setView }: { view: View; setView: (view: View) => void }): JSX.Element | null {
    const query = withAny(view.query);
    if (query === view.query) return null;
    return (
        <p>
            Words are looked for in messages. In every attribute, too:{' '}
            <button onClick={() => setView({ ...view, query })}>{cut(visible(query), QUERY_LENGTH)}</button>
        </p>
    );
}
