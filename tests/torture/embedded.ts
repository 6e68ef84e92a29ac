/* The embedded set-up: one `logmill serve` with its two files, on a disk that gets full. */
import { findFaketime } from '../support/clock';
import { freePort, run, runLogmill, sleep, sqlite } from '../support/harness';
import { allLogs, atRest, metric, metrics } from '../support/logs';
import { TcpProxy } from '../support/servers/tcp_proxy';
import { ACCESS_LANE, Access } from './access';
import type { Ledger } from './ledger';
import { MEMORY_BOUND_KIB } from './memory';
import type { Fault } from './plan';
import { Role } from './role';
import {
    NETWORK_KINDS,
    PROCESS_KINDS,
    SETTINGS,
    type Setup,
    type SetupOptions,
    SmallDisk,
    strikeClocks,
    strikeNetwork,
    strikeRole,
} from './setups';

const MAX_BODY_BYTES = 1 << 20;

/**
 * Lives with sanitizers seal and compact all the time; the optimised binary does not know of this,
 * and keeps the same logs in the usual sizes.
 */
const SMALL_SIZES =
    'block_rows=50,segment_blocks=6,seal_rows=150,keep_rows=20,late_rows=40,key_blocks=3,compact_bytes=100000';

/** Files may grow no more for `ms`, as with a quota. */
async function quota(role: Role, ms: number): Promise<void> {
    const limit = (bytes: string): Promise<unknown> =>
        run(['prlimit', `--pid=${role.life!.pid}`, `--fsize=${bytes}:`]);
    await limit('65536');
    await sleep(ms);
    await limit('unlimited');
}

/** Everything in the store is as it was written. */
async function verify(dataDir: string, ledger: Ledger, when: string): Promise<void> {
    const { code, stdout, stderr } = await runLogmill(['store', 'verify'], { DATA_DIR: dataDir });
    if (code !== 0) {
        ledger.find(`logmill store verify, ${when}: ${(stdout + stderr).slice(-2000)}`);
    }
}

export async function embedded({ lab, ledger }: SetupOptions): Promise<Setup> {
    const disk = SmallDisk.mount(lab);
    const faketime = findFaketime();
    const dataDir = disk?.at ?? lab.folder();
    const access = await Access.make(lab, ledger);
    const tlsPort = await freePort();
    const role = new Role(lab, ledger, {
        name: 'serve',
        command: 'serve',
        settings: {
            ...SETTINGS,
            MAX_BODY_BYTES: String(MAX_BODY_BYTES),
            LOGMILL_STORE_SIZES: SMALL_SIZES,
            ...access.settings,
            TLS_PORT: String(tlsPort),
        },
        port: await freePort(),
        dataDir,
        faketime,
        memoryBound: MEMORY_BOUND_KIB,
    });
    role.mayRefuseToStart = () => (disk?.isFull ?? false) || access.isSpoiled;
    const networks = [await TcpProxy.start(lab, role.port), await TcpProxy.start(lab, tlsPort)];
    const direct = access.door(role, tlsPort, true);
    await role.start();

    const strikes: Record<string, (fault: Fault) => Promise<void> | void> = {
        serve: (fault) => strikeRole(role, fault),
        clock: (fault) => strikeClocks([role], ledger, fault),
        access: (fault) => access.strike([direct], fault),
        network: async (fault) => {
            await Promise.all(networks.map((network) => strikeNetwork(network, fault)));
        },
        disk: (fault) =>
            fault.kind === 'quota'
                ? quota(role, fault.lasts)
                : disk!.full(fault.lasts, fault.dice * 50_000),
    };
    return {
        roles: [role],
        doors: [
            { role, port: role.port, direct: true },
            { role, port: networks[0]!.port, direct: false },
            direct,
            access.door(role, networks[1]!.port, false),
        ],
        lanes: {
            serve: { kinds: PROCESS_KINDS, lasts: [100, 4000], peace: [1500, 9000] },
            access: ACCESS_LANE,
            network: { kinds: NETWORK_KINDS, lasts: [300, 2500], peace: [1500, 5000] },
            disk: {
                kinds: disk === undefined ? ['quota'] : ['quota', 'full'],
                lasts: [1500, 5000],
                peace: [4000, 15_000],
            },
            ...(faketime === undefined
                ? {}
                : { clock: { kinds: ['jump'], lasts: [1, 2], peace: [1500, 6000] } }),
        },
        leftOut: [
            ...(disk === undefined ? ['a full disk: mounting is not allowed'] : []),
            ...(faketime === undefined ? ['clock jumps: libfaketime is not installed'] : []),
        ],
        staleMs: 0,
        silenceMs: 5000,
        takenBytes: MAX_BODY_BYTES,
        refusedBytes: MAX_BODY_BYTES,
        isDefinite: () => true, // a transaction that failed was rolled back
        strike: async (fault) => strikes[fault.lane]!(fault),
        calm: async () => {
            role.jump('+0');
            await Promise.all(networks.map((network) => network.accept()));
        },
        atRest: async () => {
            await atRest(role.life!);
        },
        deleting: { DATA_DIR: dataDir },
        mayFailToDelete: () => disk?.isFull ?? false,
        ids: async () => (await allLogs(role.life!)).map(({ id }) => id),
        inspect: async () => {
            const letters = metric(await metrics(role.life!), 'logmill_queue_dead_letters');
            if (letters !== 0) {
                ledger.find(`${letters} dead letters: every log here can be stored`);
            }
            await verify(dataDir, ledger, 'in use');
        },
        close: async () => {
            await role.terminate();
            await verify(dataDir, ledger, 'at rest');
            const compacted = await runLogmill(['store', 'compact'], { DATA_DIR: dataDir });
            if (compacted.code !== 0) {
                ledger.find(`logmill store compact: ${compacted.stderr.slice(-2000)}`);
            }
            await verify(dataDir, ledger, 'compacted');
            const told = await runLogmill(['store', 'info', '--json'], { DATA_DIR: dataDir });
            const { logs } = JSON.parse(told.stdout) as { logs: number };
            if (logs !== ledger.figures['logs stored']) {
                ledger.find(`compacted, ${logs} logs are left of ${ledger.figures['logs stored']}`);
            }
            for (const file of ['queue.db', 'logs.db']) {
                const said = await sqlite(`${dataDir}/${file}`, 'PRAGMA integrity_check');
                if (JSON.stringify(said) !== '[{"integrity_check":"ok"}]') {
                    ledger.find(`${file} is not whole: ${JSON.stringify(said).slice(0, 500)}`);
                }
            }
            const letters = await runLogmill(['dead-letters'], { DATA_DIR: dataDir });
            if (letters.stdout !== '') {
                ledger.find(`dead letters: ${letters.stdout.slice(0, 1000)}`);
            }
        },
    };
}
