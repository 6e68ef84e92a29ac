/* Numbers as English text has them, which the page is: what a browser needs to write another language's takes it a while. */

export function countText(n: number): string {
    return String(n).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function logsText(n: number): string {
    return `${countText(n)} ${n === 1 ? 'log' : 'logs'}`;
}
