/* Where nothing matches: a field that no log has, though there is one that is written much like it, or ends so. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import { type View, withTerm, withoutTerm } from './address';
import { fetchFields } from './field_api';
import { nearestName } from './near';
import { OURS, type Term, attributeField, fieldText, termsOf } from './query';
import { cut, visible } from './text';
import { fieldParams } from './use_fields';

interface Props {
    view: View;
    setView: (view: View) => void;
    now: number;
}

interface Near {
    term: Term;
    path: string;
}

/** The terms that ask for an attribute. */
function askingTerms(query: string): Term[] {
    return termsOf(query).filter(({ field, value }) => field !== null && value !== null && !OURS.includes(field));
}

/** Of the fields that a query asks for, those that none of `paths` is, and what may be meant. */
export function nearFields(query: string, paths: readonly string[]): Near[] {
    return askingTerms(query).flatMap((term) => {
        const asked = term.field!.replace(/^attr\./, '');
        if (paths.some((path) => path === asked || path.startsWith(`${asked}.`))) return [];
        const end = `.${asked.toLowerCase()}`; // "status" for http.status
        const path = paths.find((path) => path.toLowerCase().endsWith(end)) ?? nearestName(asked, paths);
        return path === null ? [] : [{ term, path }];
    });
}

/** The term with another field. */
export function termOfField({ not, value }: Term, path: string): string {
    return `${not ? '-' : ''}${fieldText(attributeField(path))}:${value}`;
}

export function NearFields({ view, setView, now }: Props): JSX.Element {
    const [paths, setPaths] = useState<string[]>([]);
    const isAsking = askingTerms(view.query).length > 0;
    useEffect(() => {
        if (!isAsking) return undefined;
        const abort = new AbortController();
        fetchFields(fieldParams({ ...view, query: '' }, now), abort.signal).then(
            (fields) => setPaths(fields.map(({ path }) => path)),
            () => {}, // nothing is offered then
        );
        return () => abort.abort();
    }, [isAsking, now, view.since, view.until, view.range]);
    return (
        <>
            {nearFields(view.query, paths).map(({ term, path }) => {
                const meant = termOfField(term, path);
                return (
                    <p key={term.text}>
                        No field “{cut(visible(term.field!), 60)}” was found. Is this meant?{' '}
                        <button onClick={() => setView(withTerm(withoutTerm(view, term.text), meant))}>{cut(visible(meant), 60)}</button>
                    </p>
                );
            })}
        </>
    );
}
