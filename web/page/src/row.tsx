/* A row of the list: when, how bad, who, and what. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';

import type { Log } from './api';
import { cellOf } from './columns';
import { severityOf } from './levels';
import { countText } from './numbers';
import { lineText, wholeText } from './row_text';
import { cut, visible } from './text';
import { Text } from './text_view';
import { formatTime } from './time';

interface Props {
    log: Log;
    zone: string;
    columns: readonly string[];
    /** Texts to be marked. */
    sought: readonly string[];
    /** All of the message. */
    wrap: boolean;
}

export function Row({ log, zone, columns, sought, wrap }: Props): JSX.Element {
    return useMemo(() => {
        const { text, more } = wrap ? wholeText(log.message) : lineText(log.message, sought);
        return (
            <>
                <time>{formatTime(log.timestamp, zone)}</time>
                <span class={`level is-${severityOf(log.level)}`}>{cut(visible(log.level), 40)}</span>
                {columns.map((path) => {
                    const cell = cellOf(log, path);
                    return (
                        <span class="cell" title={cell && `${cut(visible(path), 200)}: ${cell}`}>
                            {cell}
                        </span>
                    );
                })}
                <span class="message">
                    <span class="text" data-testid="message">
                        <Text text={text} line={!wrap} sought={sought} />
                    </span>
                    {more > 0 && <span class="more">{`+${countText(more)} ${more === 1 ? 'line' : 'lines'}`}</span>}
                </span>
            </>
        );
    }, [log, zone, columns, sought, wrap]);
}
