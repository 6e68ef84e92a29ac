/* GET /logs/fields: which fields logs have, and their values, each answer as far as a second goes. */
import { SLICE_S, get } from './api';
import { type Survey, VALUES_ASKED, type Values, readSurvey, readValues } from './survey';

/** A field as the API tells it, with as many of its values as were asked for. */
export interface KnownField {
    path: string;
    /** In so many it is. */
    logs: number;
    types: Record<string, number>;
}

/** The fields of the logs that match. */
export function fetchFields(params: URLSearchParams, signal?: AbortSignal): Promise<KnownField[]> {
    params.set('slice', SLICE_S);
    params.set('top', '1');
    return get(`/logs/fields?${params}`, ({ fields }) => fields as KnownField[], signal);
}

export interface ValueCount {
    /** null: logs that have no such field. */
    value: string | null;
    count: number;
}

/** The values of a field that begin with `prefix`, those in the most logs first. */
export function fetchValues(path: string, prefix: string, params: URLSearchParams, signal?: AbortSignal): Promise<ValueCount[]> {
    params.set('slice', SLICE_S);
    if (prefix) params.set('prefix', prefix);
    return get(`/logs/fields/${encodeURIComponent(path)}?${params}`, ({ values }) => values as ValueCount[], signal);
}

export function fetchSurvey(params: URLSearchParams, signal?: AbortSignal): Promise<Survey> {
    params.set('slice', SLICE_S);
    params.set('top', String(VALUES_ASKED));
    return get(`/logs/fields?${params}`, (body) => readSurvey(body), signal);
}

/** The values of one field; `path` as the fields have it. */
export function fetchAllValues(path: string, most: number, params: URLSearchParams, signal?: AbortSignal): Promise<Values> {
    params.set('slice', SLICE_S);
    params.set('top', String(most));
    return get(`/logs/fields/${encodeURIComponent(path)}?${params}`, (body) => readValues(body, most), signal);
}
