import { useEffect, useRef, useState } from 'preact/hooks';

import type { View } from './address';
import type { Completion } from './complete';
import type { Completer, Offer } from './completer';
import { fetchParts } from './parts';

export interface Completions extends Offer {
    /** Looks for what can be written at the caret. */
    offer: (text: string, caret: number) => void;
    /** The text with a completion in its place, and where the caret is then. */
    complete: (text: string, item: Completion) => [text: string, caret: number];
    close: () => void;
    /** Fields are asked for anew the next time. */
    forget: () => void;
}

const NONE: Offer = { place: null, items: [] };

/** Completions in the logs of a view. */
export function useCompletions(view: View, now: number): Completions {
    const [offered, setOffered] = useState(NONE);
    const completer = useRef<Completer>();
    const wanted = useRef(0); // what was wanted before is not, while it was fetched
    const put = useRef<Completions['complete']>((text) => [text, text.length]);
    const close = (): void => {
        wanted.current++;
        completer.current?.stop();
        setOffered(NONE);
    };
    useEffect(() => close, []);
    return {
        ...offered,
        offer: (text, caret) => {
            const mine = ++wanted.current;
            void fetchParts().then((parts) => {
                if (!parts || mine !== wanted.current) return;
                completer.current ??= new parts.Completer((offer) => {
                    put.current = (text, item) => parts.complete(text, offer.place!, item);
                    setOffered(offer);
                });
                completer.current.offer(view, now, text, caret);
            });
        },
        complete: (text, item) => put.current(text, item),
        close,
        forget: () => completer.current?.forget(),
    };
}
