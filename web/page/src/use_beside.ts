/* Numbers that are asked for beside those of the histogram, for the same time. */
import { useEffect, useState } from 'preact/hooks';

import { type ApiError, mayPass } from './api';

const AGAIN_MS = 3000;

export interface Beside<T> {
    value: T | null;
    /** It is that of another question, before there is an answer to this one. */
    isOld: boolean;
    failed: string;
}

/**
 * `question`: what is asked; "": nothing. `time`: until when, which moves on; what is known stays meanwhile. `work` tells
 * of parts as they come.
 */
export function useBeside<T>(question: string, time: string, work: (signal: AbortSignal, told: (value: T) => void) => Promise<T>): Beside<T> {
    const [known, setKnown] = useState<{ question: string; value: T } | null>(null);
    const [failed, setFailed] = useState('');
    useEffect(() => {
        setFailed('');
        if (!question || !time) return undefined;
        const abort = new AbortController();
        let timer = 0;
        const isAgain = known?.question === question;
        const ask = async (): Promise<void> => {
            try {
                const { signal } = abort;
                const value = await work(signal, (value) => !isAgain && !signal.aborted && setKnown({ question, value }));
                if (!signal.aborted) setKnown({ question, value });
                if (!signal.aborted) setFailed('');
            } catch (error) {
                if (abort.signal.aborted) return;
                setFailed((error as ApiError).message);
                const wait = Math.max(AGAIN_MS, 1000 * ((error as ApiError).retryAfter ?? 0));
                if (mayPass(error as ApiError)) timer = window.setTimeout(() => void ask(), wait);
            }
        };
        void ask();
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [question, time]);
    return { value: known?.value ?? null, isOld: known?.question !== question, failed };
}
