/* Numbers that are asked for beside those of the histogram, for the same time. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { type ApiError, mayPass } from './api';

const AGAIN_MS = 3000;

export interface Beside<T> {
    value: T | null;
    /** It is that of another question, before there is an answer to this one. */
    isOld: boolean;
    isBusy: boolean;
    failed: string;
    /** What has been told by then stays. */
    stop: () => void;
}

/**
 * `question`: what is asked; "": nothing. `time`: until when, which moves on; what is known stays meanwhile, and what is
 * being asked for is let come to its end. `work` tells of parts as they come.
 */
export function useBeside<T>(question: string, time: string, work: (signal: AbortSignal, told: (value: T) => void) => Promise<T>): Beside<T> {
    const [known, setKnown] = useState<{ question: string; value: T } | null>(null);
    const [failed, setFailed] = useState('');
    const [isBusy, setBusy] = useState(false);
    const running = useRef<{ question: string; abort: AbortController } | null>(null);
    const stop = (): void => {
        running.current?.abort.abort();
        running.current = null;
        setBusy(false);
    };
    useEffect(() => () => running.current?.abort.abort(), []);
    useEffect(() => {
        if (running.current?.question === question && question && time) return;
        stop();
        setFailed('');
        if (!question || !time) return;
        const abort = new AbortController();
        const { signal } = abort;
        const isAgain = known?.question === question;
        running.current = { question, abort };
        setBusy(true);
        const ask = async (): Promise<void> => {
            try {
                const value = await work(signal, (value) => !isAgain && !signal.aborted && setKnown({ question, value }));
                if (signal.aborted) return;
                setKnown({ question, value });
                setFailed('');
            } catch (error) {
                if (signal.aborted) return;
                setFailed((error as ApiError).message);
                if (mayPass(error as ApiError)) {
                    setTimeout(() => signal.aborted || void ask(), Math.max(AGAIN_MS, 1000 * (error as ApiError).retryAfter));
                    return;
                }
            }
            running.current = null;
            setBusy(false);
        };
        void ask();
    }, [question, time]);
    return { value: known?.value ?? null, isOld: known?.question !== question, isBusy, failed, stop };
}
