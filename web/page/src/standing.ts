/* When the page stands: the first rows have been drawn. What stands beside them waits for that. */

/** A page that nobody sees is not drawn: so long it is waited for. */
const UNSEEN_MS = 100;

let stand: () => void;

export const standing = new Promise<void>((resolve) => {
    stand = resolve;
});

/** Once what is there by now has been drawn. */
export function afterDrawing(act: () => void): void {
    const timer = setTimeout(go, UNSEEN_MS);
    const frame = requestAnimationFrame(() => setTimeout(go));
    function go(): void {
        clearTimeout(timer);
        cancelAnimationFrame(frame);
        if (isDone) return;
        isDone = true;
        act();
    }
    let isDone = false;
}

export function nowStands(): void {
    stand();
}

/** When the bars have been drawn, too, if they were there: for what nobody sees yet. */
export const besides = standing.then(() => new Promise<void>((resolve) => afterDrawing(resolve)));
