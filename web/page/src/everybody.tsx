import type { JSX } from 'preact';

import { useSession } from './session';

/** What whoever looks should know of who else may. */
export function Everybody(): JSX.Element | null {
    const { who } = useSession();
    if (!who || who.loopback || who.anonymous.length === 0) return null;
    return (
        <p class="everybody warning" data-testid="everybody">
            Everybody who reaches this server may {who.anonymous.join(' and ')} logs without a key.
        </p>
    );
}
