/* The next log of an error, before or after one, wherever it is. */
import { type View, apiParams, filterParams } from './address';
import { type Log, fetchLogs } from './api';
import { queryOf } from './query';

/** Older or newer than `from`; `from` null: the first of the list. null: there is none. */
export async function nextError(view: View, from: Log | null, older: boolean, now: number, signal: AbortSignal): Promise<Log | null> {
    const params = view.around ? filterParams(view) : apiParams(view, now);
    params.set('query', queryOf([view.query, 'level:>=error']));
    if (!from) {
        params.set('limit', '1');
        if (view.oldest) params.set('order', 'oldest');
    } else {
        params.set('around', from.id);
        params.set('before', older ? '1' : '0');
        params.set('after', older ? '0' : '1');
        if (view.around?.length) params.set('same', view.around.join(','));
    }
    for (;;) {
        const answer = await fetchLogs(params, signal);
        signal.throwIfAborted();
        const found = answer.logs.find(({ id }) => id !== from?.id);
        const cursor = from && !older ? answer.previous : answer.next;
        if (found || cursor === null) return found ?? null;
        params.set('cursor', cursor);
        if (from) params.set('before', '1');
        if (from) params.set('after', '1');
    }
}
