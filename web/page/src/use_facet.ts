/*
 * The values of a field that the query names some of, as if it did not: what else there is to choose from. It is asked
 * for by itself, unless it is known from before the query named any.
 */
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';

import { type View, filterParams } from './address';
import { type ApiError, mayPass } from './api';
import { fetchAllValues } from './field_api';
import { existsTerm, queryOf } from './query';
import { CUT_FIELDS, CUT_VALUES, type Field, type Values, asField, fieldOf, joinValues } from './survey';
import { AGAIN_MS, type Fields, RETRY_MS, fieldParams } from './use_fields';

/** With more of them, more add up. */
const VALUES_ASKED = 100;

export interface Facet {
    field: Field;
    /** Texts of so many bytes may have been cut. */
    cut: number;
    /** Of another question: not to be taken for what is asked for now. */
    isOld: boolean;
    /** All logs were looked at; else down to `searchedTo`. */
    isWhole: boolean;
    searchedTo: string | null;
    isAsking: boolean;
    failed: string;
    /** Looks at all the rest, or once more if that failed. */
    goOn: () => void;
    stop: () => void;
}

interface Known extends Pick<Facet, 'field' | 'cut' | 'isWhole' | 'searchedTo'> {
    question: string;
    /** Relative times are from here. */
    now: number;
    /** What was asked for by itself; null: the panel's survey has it. */
    values: Values | null;
}

/** `question`: the view without what it says of the field's values; `isOwn`: it says something. */
export function useFacet(field: Field, question: View, isOwn: boolean, { survey, looking }: Fields): Facet {
    const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
    const [{ isAsking, failed }, setProgress] = useState({ isAsking: false, failed: '' });
    const known = useRef<Known | null>(null);
    const handles = useRef({ goOn: () => {}, stop: () => {} });
    const key = [filterParams(question), question.since, question.until, question.range].join('|');
    const isSurveys = !isOwn && survey !== null;

    if (isSurveys) {
        known.current = {
            question: key, now: looking?.now ?? 0, values: null, field, cut: CUT_FIELDS, isWhole: !survey.next, searchedTo: survey.searchedTo,
        };
    }

    useEffect(() => {
        if (!isOwn || !looking) return undefined;
        let abort = new AbortController();
        let timer = 0;
        const before = known.current?.question === key ? known.current : null;
        const isEnough = before !== null && (before.isWhole || before.values !== null);
        const isNew = before !== null && (question.until !== '' || looking.now - before.now < AGAIN_MS);
        let now = isEnough && isNew ? before.now : looking.now;
        let last = isEnough && isNew ? before.values : null;

        const look = async (isAll: boolean): Promise<void> => {
            const { signal } = (abort = new AbortController());
            setProgress({ isAsking: true, failed: '' });
            try {
                do {
                    const there = queryOf([question.query, existsTerm(fieldOf(field.path))]);
                    const params = fieldParams({ ...question, query: there }, now);
                    if (last?.next) params.set('cursor', last.next);
                    const slice = await fetchAllValues(field.path, VALUES_ASKED, params, signal);
                    last = last ? joinValues(last, slice) : slice;
                    const { types } = Object.keys(field.types).length > 0 ? field : (known.current?.field ?? field);
                    known.current = {
                        question: key, now, values: last, field: asField({ path: field.path, types }, last), cut: CUT_VALUES,
                        isWhole: !last.next, searchedTo: last.searchedTo,
                    };
                    changed();
                } while (isAll && last.next);
                setProgress({ isAsking: false, failed: '' });
            } catch (error) {
                if (signal.aborted) return;
                const { status, message } = error as ApiError;
                setProgress({ isAsking: false, failed: status === 401 ? '' : message });
                if (mayPass(error as ApiError) && !last) timer = window.setTimeout(() => void look(false), RETRY_MS);
            }
        };
        const halt = (): void => {
            abort.abort();
            clearTimeout(timer);
        };
        handles.current = {
            goOn: () => {
                halt();
                void look(last !== null);
            },
            stop: () => {
                halt();
                setProgress({ isAsking: false, failed: '' });
            },
        };
        if (isEnough && isNew) setProgress({ isAsking: false, failed: '' });
        else void look(false);
        return halt;
    }, [isOwn && key, looking]);

    const { current } = known;
    const shown = current ?? { question: survey ? key : '', field, cut: CUT_FIELDS, isWhole: false, searchedTo: null };
    return {
        field: isSurveys ? field : shown.field,
        cut: shown.cut,
        isOld: shown.question !== key,
        isWhole: shown.isWhole,
        searchedTo: shown.searchedTo,
        isAsking,
        failed,
        goOn: () => handles.current.goOn(),
        stop: () => handles.current.stop(),
    };
}
