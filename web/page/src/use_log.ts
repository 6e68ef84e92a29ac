import { useEffect, useState } from 'preact/hooks';

import { type ApiError, type Log, fetchLog } from './api';
import { useSession } from './session';
import { cut, visible } from './text';

/** The open log, fetched by its id if it is not at hand; or why not. */
export function useLog(id: string, given: Log | null): [Log | null, string] {
    const { round } = useSession();
    const [found, setFound] = useState<{ id: string; log: Log | null; wrong: string }>();
    useEffect(() => {
        if (given || !id) return undefined;
        const abort = new AbortController();
        fetchLog(id, abort.signal).then(
            (log) => setFound({ id, log, wrong: '' }),
            (error: ApiError) => {
                if (abort.signal.aborted) return;
                const isNone = error.status === 404 || error.status === 422;
                const wrong = isNone ? `There is no such log: ${cut(visible(id), 100)}` : error.message;
                setFound({ id, log: null, wrong });
            },
        );
        return () => abort.abort();
    }, [id, given, round]);
    if (given) return [given, ''];
    return found?.id === id ? [found.log, found.wrong] : [null, ''];
}
