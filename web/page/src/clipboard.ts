/** Puts a text where it can be pasted from. Fails if the browser does not let the page. */
export async function copyText(text: string): Promise<void> {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Not a secure context, as over plain http: the old way.
    const before = document.activeElement as HTMLElement | null;
    const area = document.createElement('textarea');
    area.value = text;
    // Beside what has the focus: a dialog lets it go nowhere else.
    (before?.closest('dialog, [role=dialog]') ?? document.body).append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    before?.focus({ preventScroll: true });
    if (!isDone) throw new Error('The browser does not let the page copy');
}
