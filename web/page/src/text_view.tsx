import type { JSX } from 'preact';

import { pieces } from './text';

/** A text of a log, with its ANSI colours. `line`: in one line. */
export function Text({ text, line = false }: { text: string; line?: boolean }): JSX.Element {
    return (
        <>
            {pieces(text, line).map(({ text, classes, color, background }) =>
                classes || color || background ? (
                    <span class={classes} style={{ color, backgroundColor: background }}>
                        {text}
                    </span>
                ) : (
                    text
                ),
            )}
        </>
    );
}
