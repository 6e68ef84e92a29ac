/* A link to what is seen, which shows the same to others and later: copied by one click. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import type { View } from './address';
import { copyText } from './clipboard';
import { serverNow } from './clock';
import { addressOf, fixed } from './share';
import { toMoment } from './time';
import type { Logs } from './use_logs';

/** What is copied, where the browser does not let the page do so: to be copied by hand. */
function ByHand({ text }: { text: string }): JSX.Element {
    const input = useRef<HTMLInputElement>(null);
    useEffect(() => input.current!.select(), [text]);
    return <input ref={input} class="by-hand" aria-label="Link" readOnly value={text} />;
}

export function CopyLink({ view, logs }: { view: View; logs: Logs }): JSX.Element {
    const [said, setSaid] = useState('');
    const [byHand, setByHand] = useState('');
    useEffect(() => {
        setSaid('');
        setByHand('');
    }, [view]);
    const copy = (): void => {
        const now = view.live ? serverNow() : logs.now;
        const newest = view.oldest ? undefined : logs.list.top[0];
        const shown = fixed(view, now, newest);
        const moment = (time: string, open: string): string => (time ? toMoment(Date.parse(time), shown.zone).slice(0, 19) : open);
        const link = addressOf(shown);
        copyText(link).then(
            () => setSaid(`Copied: ${moment(shown.since, 'the first log')} to ${moment(shown.until, 'the last')}, ${shown.zone}`),
            () => setByHand(link),
        );
    };
    return (
        <>
            <button class="toggle" title="With fixed times: it shows the same to others, and later" onClick={copy}>
                Copy link
            </button>
            {byHand && <ByHand text={byHand} />}
            <span class="link-said" role="status">{said}</span>
        </>
    );
}
