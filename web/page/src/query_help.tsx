import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

type Example = readonly [query: string, finds: string];

/** What stands below the bar: docs/query.md in five lines. */
const FIRST: readonly Example[] = [
    ['"pool exhausted"', 'this text in the message'],
    ['level:>=warning', 'at least a warning'],
    ['service:(pay OR cart)', 'one of these values'],
    ['http.status:>=500', 'a number, by its path'],
    ['-trace_id:*', 'has no such field'],
];

function Examples({ examples, write }: { examples: readonly Example[]; write: (query: string) => void }): JSX.Element {
    return (
        <ul class="examples">
            {examples.map(([query, finds]) => (
                <li>
                    <button type="button" onClick={() => write(query)}>
                        <code>{query}</code>
                    </button>
                    <span>{finds}</span>
                </li>
            ))}
        </ul>
    );
}

/** A few examples, and the way to all of them. */
export function QueryHelp({ isShort, write, all }: { isShort: boolean; write: (query: string) => void; all: () => void }): JSX.Element {
    return (
        <div class="query-help">
            {!isShort && <Examples examples={FIRST} write={write} />}
            <button type="button" class="link" onClick={all}>
                The whole language
            </button>
        </div>
    );
}

/** All of the language, which index.html has. A click on an example writes it. */
export function useLanguage(write: (query: string) => void): () => void {
    const latest = useRef(write);
    latest.current = write;
    const dialog = (): HTMLDialogElement => document.querySelector('#query-language')!;
    useEffect(() => {
        const clicked = ({ target }: Event): void => {
            const example = (target as Element).closest('.examples button');
            if (!example) return;
            dialog().close();
            latest.current(example.textContent!);
        };
        const there = dialog();
        there.addEventListener('click', clicked);
        return () => there.removeEventListener('click', clicked);
    }, []);
    return () => dialog().showModal();
}
