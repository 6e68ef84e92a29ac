import { useEffect, useRef, useState } from 'preact/hooks';

import { type View, rangeOf } from './address';
import { type KnownField, fetchFields, fetchValues } from './api';
import { type Completion, type Place, namesFor, placeOf, valuesFor } from './complete';
import { USUAL_LEVELS } from './levels';
import { OURS, queryOf, termsOf } from './query';

/** Values are asked for once typing rests so long. */
const TYPED_MS = 150;

export interface Completions {
    /** What is being written, and what it can be. */
    place: Place | null;
    items: Completion[];
    /** Looks for what can be written at the caret. */
    offer: (text: string, caret: number) => void;
    close: () => void;
    /** Fields are asked for anew the next time. */
    forget: () => void;
}

/** The parameters for what the view looks at, but for what it says of `field` itself. */
function paramsOf(view: View, now: number, field?: string): URLSearchParams {
    const query = queryOf(termsOf(view.query).filter((term) => !field || term.field !== field).map(({ text }) => text));
    const { since, until } = rangeOf(view, now);
    return new URLSearchParams(Object.entries({ query, since, until }).filter(([, value]) => value));
}

/** Completions in the logs of a view. Without an answer there are none, which is told to nobody. */
export function useCompletions(view: View, now: number): Completions {
    const [place, setPlace] = useState<Place | null>(null);
    const [items, setItems] = useState<Completion[]>([]);
    const asked = useRef(new AbortController()); // for values, …
    const timer = useRef(0);
    const fields = useRef<Promise<KnownField[]>>(); // … and once for all names
    const latest = useRef<Place | null>(null);

    const stop = (): void => {
        clearTimeout(timer.current);
        asked.current.abort();
    };
    useEffect(() => stop, []);
    const show = (place: Place | null, items: Completion[]): void => {
        setPlace(place);
        setItems(items);
    };
    const names = (place: Place): void => {
        if (!fields.current) show(place, namesFor(place, []));
        fields.current ??= fetchFields(paramsOf(view, now)).catch(() => []);
        void fields.current.then((known) => latest.current === place && show(place, namesFor(place, known)));
    };
    const values = (place: Place, field: string): void => {
        const usual = field === 'level' ? USUAL_LEVELS : [];
        if (usual.length === 0 && OURS.includes(field)) return show(null, []);
        show(place, valuesFor(place, [], usual));
        timer.current = window.setTimeout(() => {
            asked.current = new AbortController();
            const prefix = usual.length > 0 ? '' : place.typed;
            void fetchValues(field, prefix, paramsOf(view, now, field), asked.current.signal).then(
                (found) => latest.current === place && show(place, valuesFor(place, found, usual)),
                () => {},
            );
        }, TYPED_MS);
    };
    return {
        place,
        items,
        offer: (text, caret) => {
            stop();
            const place = placeOf(text, caret);
            latest.current = place;
            if (!place) show(null, []);
            else if (place.field === null) names(place);
            else values(place, place.field);
        },
        close: () => {
            stop();
            latest.current = null;
            show(null, []);
        },
        forget: () => {
            fields.current = undefined;
        },
    };
}
