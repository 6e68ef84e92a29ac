/* What a row shows of a message. */
import { cut, fold } from './text';

/** Characters of a message that a row has, and lines of one that is shown whole. */
const MESSAGE_MAX = 4000;
const LINES_MAX = 100;

export interface RowText {
    text: string;
    /** Lines that it leaves out. */
    more: number;
}

const LINE = /\r\n|\n/;

/** All of it, within bounds. */
export function wholeText(message: string): RowText {
    const lines = cut(message, MESSAGE_MAX).split(LINE);
    const more = lines.length > LINES_MAX ? message.split(LINE).length - LINES_MAX : 0;
    return { text: lines.slice(0, LINES_MAX).join('\n'), more };
}

/** The first line that says something; if what is sought stands in another one, that, too. */
export function lineText(message: string, sought: readonly string[]): RowText {
    if (!message.includes('\n')) return { text: cut(message, MESSAGE_MAX), more: 0 };
    const lines = message.split(LINE);
    if (lines.at(-1) === '' && lines.length > 1) lines.pop();
    const first = Math.max(0, lines.findIndex((line) => line.trim() !== ''));
    const has = (line: string): boolean => sought.some((text) => text !== '' && fold(line).includes(fold(text)));
    const other = sought.length === 0 || has(lines[first]!) ? undefined : lines.find(has)?.trim();
    const text = other === undefined ? lines[first]! : `${cut(lines[first]!, 80)} … ${other}`;
    return { text: cut(text, MESSAGE_MAX), more: lines.length - 1 };
}

/** A trace of calls, whose lines lose their meaning if they wrap. */
export function isTrace(text: string): boolean {
    const lines = text.split(LINE);
    const frames = lines.filter((line) => /^\s+(at\b|File "|from\b|\d+:|#\d|in\b|\.\.\.)|^(Caused by|Traceback|goroutine \d)|^\t/.test(line));
    return lines.length > 2 && frames.length >= Math.max(2, lines.length / 3);
}
