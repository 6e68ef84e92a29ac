/*
 * Parts of the page that the first view has no need of. They are one file, which is fetched once the page stands:
 * what is looked at first comes sooner, and what comes after is there when it is wanted.
 */
import type { ComponentProps, FunctionComponent, JSX } from 'preact';
import { useEffect, useReducer } from 'preact/hooks';

import { besides } from './standing';

type Parts = typeof import('./later');
type View<Name extends keyof Parts> = Extract<Parts[Name], FunctionComponent<any>>;

let parts: Parts | undefined;
let fetching: Promise<Parts | undefined> | undefined;
let hasFailed = false;
const watchers = new Set<() => void>();

/** Fetches them, unless they are there. A new server may have no such file any more: then the page has to be loaded. */
export function fetchParts(): Promise<Parts | undefined> {
    return (fetching ??= import('./later')
        .then(
            (there) => void (parts = there),
            () => {
                fetching = undefined;
                hasFailed = true;
            },
        )
        .then(() => (watchers.forEach((changed) => changed()), parts)));
}

interface Options<Props> {
    /** It does not show at once, or need not: it is fetched once the page stands, or when fetchParts() is called. */
    waits?: boolean;
    /** What takes its place meanwhile. */
    before?: (props: Props) => JSX.Element | null;
}

/** One of them: nothing, until it is there. */
export function part<Name extends keyof Parts>(
    name: Name,
    { waits = false, before = () => null }: Options<ComponentProps<View<Name>>> = {},
): FunctionComponent<ComponentProps<View<Name>>> {
    return (props): JSX.Element | null => {
        const [, changed] = useReducer((n: number, _: void) => n + 1, 0);
        useEffect(() => {
            const watcher = (): void => changed();
            watchers.add(watcher);
            void (waits ? besides.then(fetchParts) : fetchParts());
            return () => void watchers.delete(watcher);
        }, []);
        const Part = parts?.[name] as FunctionComponent<typeof props> | undefined;
        if (Part) return <Part {...props} />;
        return hasFailed ? (
            <p class="warning" role="alert">
                A part of the page could not be fetched. <button onClick={() => location.reload()}>Load the page again</button>
            </p>
        ) : (
            before(props)
        );
    };
}
