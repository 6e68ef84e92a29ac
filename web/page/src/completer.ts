/* What the query can go on with, asked for while it is written. */
import { type View, rangeOf } from './address';
import { type Completion, type Place, namesFor, placeOf, valuesFor } from './complete';
import { type KnownField, fetchFields, fetchValues } from './field_api';
import { USUAL_LEVELS } from './levels';
import { OURS, queryOf, termsOf } from './query';

/** Values are asked for once typing rests so long. */
const TYPED_MS = 150;

/** What is being written, and what it can be. */
export interface Offer {
    place: Place | null;
    items: Completion[];
}

/**
 * The parameters for what the view looks at by its chips, but for what they say of `field` itself. Words may be the
 * half of what is being written: typing had rested.
 */
function paramsOf(view: View, now: number, field?: string): URLSearchParams {
    const chips = termsOf(view.query).filter((term) => term.field !== null && term.field !== field);
    const query = queryOf(chips.map(({ text }) => text));
    const { since, until } = rangeOf(view, now);
    return new URLSearchParams(Object.entries({ query, since, until }).filter(([, value]) => value));
}

/** Offers completions in the logs of a view. Without an answer there are none, which is told to nobody. */
export class Completer {
    private asked = new AbortController(); // for values, …
    private timer = 0;
    private fields: Promise<KnownField[]> | undefined; // … and once for all names
    private latest: Place | null = null;

    constructor(private readonly tell: (offer: Offer) => void) {}

    /** For what is written at the caret. */
    offer(view: View, now: number, text: string, caret: number): void {
        this.stop();
        const place = placeOf(text, caret);
        this.latest = place;
        if (!place) this.show(null, []);
        else if (place.field === null) this.names(place, view, now);
        else this.values(place, place.field, view, now);
    }

    stop(): void {
        clearTimeout(this.timer);
        this.asked.abort();
        this.latest = null;
    }

    /** Fields are asked for anew the next time. */
    forget(): void {
        this.fields = undefined;
    }

    private show(place: Place | null, items: Completion[]): void {
        this.tell({ place, items });
    }

    private names(place: Place, view: View, now: number): void {
        if (!this.fields) this.show(place, namesFor(place, []));
        this.fields ??= fetchFields(paramsOf(view, now)).catch(() => []);
        void this.fields.then((known) => this.latest === place && this.show(place, namesFor(place, known)));
    }

    private values(place: Place, field: string, view: View, now: number): void {
        const usual = field === 'level' ? USUAL_LEVELS : [];
        if (usual.length === 0 && OURS.includes(field)) return this.show(null, []);
        this.show(place, valuesFor(place, [], usual));
        this.timer = window.setTimeout(() => {
            this.asked = new AbortController();
            const prefix = usual.length > 0 ? '' : place.typed;
            void fetchValues(field, prefix, paramsOf(view, now, field), this.asked.signal).then(
                (found) => this.latest === place && this.show(place, valuesFor(place, found, usual)),
                () => {},
            );
        }, TYPED_MS);
    }
}
