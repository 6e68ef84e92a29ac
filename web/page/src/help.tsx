import type { JSX, RefObject } from 'preact';

import { SHORTCUTS } from './use_keys';

export function Help({ dialog }: { dialog: RefObject<HTMLDialogElement> }): JSX.Element {
    return (
        <dialog ref={dialog} aria-label="Keyboard shortcuts">
            <h2>Keyboard shortcuts</h2>
            <dl>
                {SHORTCUTS.map(([keys, meaning]) => (
                    <div>
                        <dt>{keys.split('  ').map((key) => <kbd>{key}</kbd>)}</dt>
                        <dd>{meaning}</dd>
                    </div>
                ))}
            </dl>
            <p>Drag over the histogram to look at that time. The address always holds the view; “Copy link” above the list fixes its times, too.</p>
            <form method="dialog">
                <button>Close</button>
            </form>
        </dialog>
    );
}
