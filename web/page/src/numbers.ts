/* Numbers as the browser's language writes them. */

let format: Intl.NumberFormat | undefined;

/** How many. What a language needs for thousands takes a while to be read, so smaller numbers do without. */
export function countText(n: number): string {
    return n < 1000 ? String(n) : (format ??= new Intl.NumberFormat()).format(n);
}

export function logsText(n: number): string {
    return `${countText(n)} ${n === 1 ? 'log' : 'logs'}`;
}
