/* Scenarios that are run over the embedded store and over PostgreSQL. */
import { type Lab, type Logmill, type StartOptions, scenario, sqlite } from '../harness';
import { PostgresServer } from './postgres';

export interface Store {
    settings: Record<string, string>;
    /** From now on no read succeeds. */
    fail: (server: Logmill) => Promise<unknown>;
}

const STORES: Record<string, (lab: Lab) => Promise<Store>> = {
    'the embedded store': async () => ({
        settings: {},
        fail: (server) => sqlite(`${server.dataDir}/logs.db`, 'DROP TABLE logs'),
    }),
    PostgreSQL: async (lab) => {
        const postgres = await PostgresServer.start(lab);
        return { settings: postgres.settings, fail: () => postgres.kill() };
    },
};

/** A scenario for each store. */
export function overBoth(
    name: string,
    body: (server: Logmill, store: Store, lab: Lab) => Promise<void>,
    options: StartOptions = {},
): void {
    for (const [kind, make] of Object.entries(STORES)) {
        scenario(`${kind}: ${name}`, async (lab) => {
            const store = await make(lab);
            const settings = { ...store.settings, ...options.settings };
            await body(await lab.start({ ...options, settings }), store, lab);
        });
    }
}
