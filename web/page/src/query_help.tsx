import type { JSX, RefObject } from 'preact';

type Example = readonly [query: string, finds: string];

/** What stands below the bar: docs/query.md in five lines. */
const FIRST: readonly Example[] = [
    ['"pool exhausted"', 'this text in the message'],
    ['level:>=warning', 'at least a warning'],
    ['service:(pay OR cart)', 'one of these values'],
    ['http.status:>=500', 'a number, by its path'],
    ['-trace_id:*', 'has no such field'],
];

/** docs/query.md, as short as it can be. */
const ALL: readonly (readonly [title: string, examples: readonly Example[]])[] = [
    ['Words', [
        ['pool exhausted', 'both words, anywhere in the message, without case'],
        ['"pool exhausted"', 'with blanks and signs; \\" is a quote in it'],
        ['message:get*', 'begins with it; message:*failed ends with it'],
        ['any:4711', 'in the message, or in any value'],
        ['/time.?out after \\d+/', 'a regular expression; (?i) at its beginning: without case'],
    ]],
    ['Fields', [
        ['level:error', 'err and error are one, as are warn and warning'],
        ['level:>=error', 'by severity'],
        ['service:pay', 'equals, with case; service:(pay OR cart) one of'],
        ['host:web-*', 'begins with it; *x ends with it, *x* holds it'],
        ['http.path:/api/users', 'a member of an object; http.path:/^\\/api/ an expression'],
        ['trace_id:*', 'it is there; -trace_id:* it is not'],
        ['"strange name":x', 'a name with blanks or signs; attr.since:x one that is named as ours'],
    ]],
    ['Numbers and times', [
        ['http.status:>=500', '> >= < <=, by value'],
        ['ms:[100 TO 500}', 'with the first end, without the second; * is no end'],
        ['since:2h', 'until:yesterday, timestamp:2026-11-25, timestamp:>=now-1h'],
    ]],
    ['Together', [
        ['service:pay ms:*', 'side by side: both'],
        ['payment OR disk', 'AND binds tighter than OR; ( ) hold together'],
        ['-level:debug', 'or NOT: what does not match'],
    ]],
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

export function QueryLanguage({ dialog, write }: { dialog: RefObject<HTMLDialogElement>; write: (query: string) => void }): JSX.Element {
    return (
        <dialog ref={dialog} class="query-language" aria-label="The query language">
            <form method="dialog">
                <h2>The query language</h2>
                <button>Close</button>
            </form>
            {ALL.map(([title, examples]) => (
                <>
                    <h3>{title}</h3>
                    <Examples
                        examples={examples}
                        write={(query) => {
                            dialog.current!.close();
                            write(query);
                        }}
                    />
                </>
            ))}
        </dialog>
    );
}
