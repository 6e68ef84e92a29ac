import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

import { canGoOn, goOnWithout, logIn, logOut, useSession, wantLogIn } from './session';

/** Asks for a key, over what is shown, which stays. */
export function LogIn(): JSX.Element {
    const session = useSession();
    const { isWanted, hasEnded } = session;
    const dialog = useRef<HTMLDialogElement>(null);
    const input = useRef<HTMLInputElement>(null);
    const [wrong, setWrong] = useState('');
    const [isBusy, setBusy] = useState(false);
    const mayClose = canGoOn(session);

    useLayoutEffect(() => {
        const { current } = dialog;
        if (isWanted && !current!.open) current!.showModal();
        if (!isWanted && current!.open) current!.close();
        if (!isWanted) setWrong('');
    }, [isWanted]);
    const submit = async (event: Event): Promise<void> => {
        event.preventDefault();
        if (isBusy) return;
        setBusy(true);
        const reason = await logIn(input.current!.value.trim());
        setBusy(false);
        setWrong(reason);
        input.current!.value = '';
        if (reason) input.current!.focus();
    };
    return (
        <dialog
            ref={dialog}
            class="log-in"
            aria-labelledby="log-in-title"
            onCancel={(event) => {
                event.preventDefault();
                if (mayClose) goOnWithout();
            }}
            // Some browsers let Escape close it all the same.
            onClose={() => isWanted && dialog.current!.showModal()}
        >
            <form onSubmit={(event) => void submit(event)}>
                <h2 id="log-in-title">Log in</h2>
                <p>
                    {hasEnded
                        ? 'Your session has ended. What you look at stays as it is.'
                        : 'Logs are shown to whoever has a key that may read them.'}
                </p>
                <input type="text" autocomplete="username" value="logmill" hidden readOnly />
                <label for="log-in-key">Key</label>
                <input
                    id="log-in-key"
                    ref={input}
                    type="password"
                    autocomplete="current-password"
                    spellcheck={false}
                    required
                    placeholder="lm_…"
                    aria-invalid={wrong !== ''}
                    aria-describedby="log-in-wrong"
                />
                <p id="log-in-wrong" class="wrong" role="alert">
                    {wrong}
                </p>
                <div class="log-in-tools">
                    <button type="submit" class="main">
                        Log in
                    </button>
                    {mayClose && (
                        <button type="button" onClick={goOnWithout}>
                            Go on without a key
                        </button>
                    )}
                </div>
            </form>
        </dialog>
    );
}

/** Who looks, and the way in and out. */
export function WhoLooks(): JSX.Element | null {
    const { who } = useSession();
    if (!who?.keys) return null;
    if (who.name === null) return <button onClick={wantLogIn}>Log in</button>;
    const { name, role, only, expires } = who;
    const more = [only && `sees ${only}`, expires && `until ${expires.slice(0, 10)}`].filter(Boolean).join(', ');
    return (
        <>
            <span class="who" data-testid="who" title={more}>
                <b>{name}</b> {role}
            </span>
            {who.session && <button onClick={() => void logOut()}>Log out</button>}
        </>
    );
}
