/*
 * The set-up for many machines: two apis and two workers between ElasticMQ, PostgreSQL and Redis,
 * each of these behind a proxy. Any of them may be killed: ElasticMQ keeps its messages in a file.
 */
import { findFaketime } from '../support/clock';
import { eventually, freePort } from '../support/harness';
import { CREDENTIALS } from '../support/servers/elasticmq';
import { TcpProxy } from '../support/servers/tcp_proxy';
import { ACCESS_LANE, Access } from './access';
import {
    SQS_FAULTS,
    type Servers,
    Trouble,
    startServers,
    strikePostgres,
    strikeRedis,
    strikeSqs,
    strikeSqsApi,
} from './cloud_servers';
import { MEMORY_BOUND_KIB } from './memory';
import type { LaneOptions } from './plan';
import { Role } from './role';
import {
    NETWORK_KINDS,
    PROCESS_KINDS,
    SETTINGS,
    type Setup,
    type SetupOptions,
    strikeClocks,
    strikeNetwork,
    strikeRole,
} from './setups';

const SQS_MAX_MESSAGE_BYTES = 262_144;
const SQS_TIMEOUT_S = 3;
const REBUILD_S = 1;
/** A visibility timeout and what workers need until they are back. */
const AT_REST_MS = 120_000;

function lanesOf(servers: Servers, roles: Role[], faketime: boolean): Record<string, LaneOptions> {
    const network: LaneOptions = {
        kinds: NETWORK_KINDS,
        lasts: [300, 2000],
        peace: [3000, 12_000],
    };
    const disk = servers.postgresDisk === undefined ? [] : ['full disk'];
    return {
        ...Object.fromEntries(
            roles.map(({ options }) => [
                options.name,
                { kinds: PROCESS_KINDS, lasts: [100, 4000], peace: [4000, 18_000] } as LaneOptions,
            ]),
        ),
        'api network': network,
        access: ACCESS_LANE,
        sqs: { kinds: ['kill', 'hang', 'refuse'], lasts: [300, 3000], peace: [5000, 20_000] },
        'sqs api': { kinds: Object.keys(SQS_FAULTS), lasts: [300, 2000], peace: [1000, 4000] },
        'sqs network': network,
        postgres: {
            kinds: ['kill', 'hang', 'restart', 'read only', 'lock', 'end sessions', ...disk],
            lasts: [300, 2500],
            peace: [2500, 9000],
        },
        'postgres network': network,
        redis: { kinds: ['kill', 'hang', 'flush'], lasts: [300, 3000], peace: [3000, 10_000] },
        'redis network': network,
        ...(faketime ? { clock: { kinds: ['jump'], lasts: [1, 2], peace: [1500, 6000] } } : {}),
    };
}

function settingsOf(servers: Servers): Record<string, string> {
    return {
        ...SETTINGS,
        ...CREDENTIALS,
        ...servers.postgres.settings,
        DATABASE_PORT: String(servers.postgresNetwork.port),
        SQS_QUEUE_URL: servers.sqsProxy.through(servers.queue.url),
        SQS_MAX_MESSAGE_BYTES: String(SQS_MAX_MESSAGE_BYTES),
        SQS_TIMEOUT: String(SQS_TIMEOUT_S),
        REDIS_URL: `redis://127.0.0.1:${servers.redisNetwork.port}/0`,
        CACHE_LOGS: '2000',
        CACHE_REBUILD_SECONDS: String(REBUILD_S),
    };
}

export async function cloud({ lab, ledger }: SetupOptions): Promise<Setup> {
    const servers = await startServers(lab);
    const faketime = findFaketime();
    const settings = settingsOf(servers);
    const access = await Access.make(lab, ledger);
    const role = async (
        command: 'api' | 'worker',
        n: number,
        more: Record<string, string> = {},
    ): Promise<Role> =>
        new Role(lab, ledger, {
            name: `${command} ${n}`,
            command,
            settings: { ...settings, ...more },
            port: await freePort(),
            dataDir: lab.folder(),
            faketime,
            memoryBound: MEMORY_BOUND_KIB,
        });
    const tlsPorts = [await freePort(), await freePort()];
    const secure = (n: number): Record<string, string> => ({
        ...access.settings,
        TLS_PORT: String(tlsPorts[n]),
    });
    const apis = [await role('api', 1, secure(0)), await role('api', 2, secure(1))];
    const workers = [await role('worker', 1), await role('worker', 2)];
    const roles = [...apis, ...workers];
    const trouble = new Trouble();
    // A process whose queue does not answer within SQS_TIMEOUT at its start says so and ends.
    const mayRefuse = (): boolean => trouble.isNear(2000 * SQS_TIMEOUT_S);
    workers.forEach((r) => (r.mayRefuseToStart = mayRefuse));
    apis.forEach((r) => (r.mayRefuseToStart = () => mayRefuse() || access.isSpoiled));
    await Promise.all(roles.map((r) => r.start()));
    const inFrontOf = (ports: number[]): Promise<TcpProxy[]> =>
        Promise.all(ports.map((port) => TcpProxy.start(lab, port)));
    const fronts = await inFrontOf(apis.map((api) => api.port));
    const tlsFronts = await inFrontOf(tlsPorts);
    const direct = apis.map((api, n) => access.door(api, tlsPorts[n]!, true));
    const networks: Record<string, TcpProxy> = {
        'postgres network': servers.postgresNetwork,
        'redis network': servers.redisNetwork,
    };
    await eventually('the table', () => servers.postgres.query('SELECT FROM logs LIMIT 1'));

    return {
        roles,
        doors: apis.flatMap((api, n) => [
            { role: api, port: api.port, direct: true },
            { role: api, port: fronts[n]!.port, direct: false },
            direct[n]!,
            access.door(api, tlsFronts[n]!.port, false),
        ]),
        lanes: lanesOf(servers, roles, faketime !== undefined),
        leftOut: [
            ...(servers.postgresDisk === undefined
                ? ['a full disk under PostgreSQL: mounting is not allowed']
                : []),
            ...(faketime === undefined ? ['clock jumps: libfaketime is not installed'] : []),
        ],
        staleMs: REBUILD_S * 1000,
        silenceMs: (SQS_TIMEOUT_S + 5) * 1000,
        takenBytes: SQS_MAX_MESSAGE_BYTES - 1024,
        refusedBytes: SQS_MAX_MESSAGE_BYTES,
        // SQS may have accepted what it has not confirmed in time.
        isDefinite: (detail) => !/not confirmed/.test(detail),
        strike: async (fault) => {
            const struck = roles.find(({ options }) => options.name === fault.lane);
            if (struck !== undefined) {
                return strikeRole(struck, fault);
            }
            if (fault.lane === 'sqs network') {
                return trouble.during(strikeNetwork(servers.sqsNetwork, fault));
            }
            if (networks[fault.lane] !== undefined) {
                return strikeNetwork(networks[fault.lane]!, fault);
            }
            switch (fault.lane) {
                case 'api network':
                    await Promise.all(
                        [...fronts, ...tlsFronts].map((front) => strikeNetwork(front, fault)),
                    );
                    return;
                case 'access':
                    return access.strike(direct, fault);
                case 'sqs':
                    return trouble.during(strikeSqs(servers, ledger, fault));
                case 'sqs api':
                    return trouble.during(strikeSqsApi(servers, fault));
                case 'postgres':
                    return strikePostgres(servers, fault);
                case 'redis':
                    return strikeRedis(servers, fault);
                default:
                    return strikeClocks(roles, ledger, fault);
            }
        },
        calm: async () => {
            roles.forEach((r) => r.jump('+0'));
            servers.sqsProxy.fault = () => undefined;
            await servers.sqsProxy.accept().catch(() => {});
        },
        atRest: async () => {
            await eventually(
                'the queue to be empty',
                async () => (await servers.queue.depth()) === 0,
                AT_REST_MS,
            );
        },
        deleting: settings,
        mayFailToDelete: () => true, // PostgreSQL may be away at any time
        ids: async () => {
            const rows = await servers.postgres.query<{ id: string }>(
                'SELECT id::text FROM logs ORDER BY "timestamp" DESC, logs.id DESC',
            );
            return rows.map(({ id }) => id);
        },
        inspect: async () => {},
        close: async () => {
            await Promise.all(roles.map((r) => r.terminate()));
        },
    };
}
