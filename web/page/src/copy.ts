/** To the clipboard; over plain http, which is no secure context, the old way. */
export async function copy(text: string): Promise<void> {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement('textarea');
    area.value = text;
    const focused = document.activeElement;
    // In an open dialog, or the focus could not go there.
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
    if (!isDone) throw new Error('The browser does not let the page copy');
}
