import type { JSX } from 'preact';

import { pieces } from './text';

interface Props {
    text: string;
    /** In one line. */
    line?: boolean;
    /** Texts that are marked. */
    sought?: readonly string[];
}

/** A text of a log, with its ANSI colours, and marks where it has what was searched for. */
export function Text({ text, line = false, sought }: Props): JSX.Element {
    return (
        <>
            {pieces(text, line, sought).map(({ text, classes, color, background, isMarked }) => {
                const Tag = isMarked ? 'mark' : 'span';
                return isMarked || classes || color || background ? (
                    <Tag class={classes} style={{ color, backgroundColor: background }}>
                        {text}
                    </Tag>
                ) : (
                    text
                );
            })}
        </>
    );
}
