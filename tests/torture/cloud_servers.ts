/* The servers of the set-up for many machines, and what befalls them. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';

import { eventually, sleep } from '../support/harness';
import { ElasticMq, type Queue } from '../support/servers/elasticmq';
import { PostgresServer } from '../support/servers/postgres';
import { SqsProxy, type Fault as SqsFault } from '../support/servers/proxy';
import { RedisServer } from '../support/servers/redis';
import { TcpProxy } from '../support/servers/tcp_proxy';
import type { Ledger } from './ledger';
import type { Fault } from './plan';
import { SmallDisk, type TortureLab } from './setups';

/** What ElasticMQ needs to write down what it has confirmed, and to read it again. */
const SETTLE_MS = 700;
const RESTORE_MS = 10_000;

/** The servers, each with what stands in front of it. */
export interface Servers {
    sqs: ElasticMq;
    sqsProxy: SqsProxy;
    sqsNetwork: TcpProxy;
    queue: Queue;
    postgres: PostgresServer;
    postgresNetwork: TcpProxy;
    postgresDisk: SmallDisk | undefined;
    redis: RedisServer;
    redisNetwork: TcpProxy;
}

export async function startServers(lab: TortureLab): Promise<Servers> {
    const [sqs, postgres, redis] = await Promise.all([
        ElasticMq.start(lab, { durable: true }),
        PostgresServer.start(lab, { config: { max_connections: '60' } }),
        RedisServer.start(lab),
    ]);
    const sqsNetwork = await TcpProxy.start(lab, sqs.port);
    const sqsProxy = await SqsProxy.start(lab, sqsNetwork.port);
    return {
        sqs,
        sqsNetwork,
        sqsProxy,
        queue: await sqs.createQueue({ visibilityTimeout: 3 }),
        postgres,
        postgresNetwork: await TcpProxy.start(lab, postgres.port),
        postgresDisk: await smallTablespace(lab, postgres),
        redis,
        redisNetwork: await TcpProxy.start(lab, redis.port),
    };
}

/**
 * Tables on a disk of their own, since PostgreSQL ends itself if its write-ahead log finds no
 * room, and refuses a transaction if tables find none.
 */
async function smallTablespace(
    lab: TortureLab,
    postgres: PostgresServer,
): Promise<SmallDisk | undefined> {
    const disk = SmallDisk.mount(lab);
    if (disk === undefined) {
        return undefined;
    }
    if (process.getuid?.() === 0) {
        execFileSync('chown', ['postgres:', disk.at]);
        chmodSync(disk.at, 0o700);
    }
    await postgres.query(`CREATE TABLESPACE small LOCATION '${disk.at}'`);
    await postgres.query('GRANT CREATE ON TABLESPACE small TO logmill');
    await postgres.query('ALTER ROLE logmill SET default_tablespace = small');
    return disk;
}

/** What becomes of requests to SQS, two of three while it lasts. */
export const SQS_FAULTS: Record<string, (action: string) => SqsFault | undefined> = {
    'answers 500': () => ({ status: 500 }),
    throttles: () => ({ status: 400, type: 'ThrottlingException' }),
    'drops before': () => 'drop before',
    'drops after': () => 'drop after',
    'sends twice': (action) => (action === 'SendMessage' ? 'twice' : undefined),
    'loses deletes': (action) => (action === 'DeleteMessageBatch' ? 'swallow' : undefined),
    'fails entries': (action) => (action.endsWith('Batch') ? 'fail entries' : undefined),
    'hangs sends': (action) => (action === 'SendMessage' ? 'hang' : undefined),
};

export async function strikeSqsApi({ sqsProxy }: Servers, { kind, lasts }: Fault): Promise<void> {
    let n = 0;
    sqsProxy.fault = (action) => (n++ % 3 > 0 ? SQS_FAULTS[kind]!(action) : undefined);
    await sleep(lasts);
    sqsProxy.fault = () => undefined;
}

/**
 * kill -9. To its clients it is as if it had crashed: connections break with requests under way. But
 * ElasticMQ writes down a little late what it has confirmed, and takes requests before it has all
 * its messages back, so it is left alone just before and after; and its own losses are told apart.
 */
async function killSqs(servers: Servers, ledger: Ledger, downMs: number): Promise<void> {
    const { sqs, sqsProxy, queue } = servers;
    await sqsProxy.refuse();
    await sleep(SETTLE_MS);
    const before = await queue.depth();
    await sqs.kill();
    await sleep(downMs);
    await sqs.start();
    const isBack = async (): Promise<boolean> => (await queue.depth()) >= before;
    await eventually('ElasticMQ to have its messages back', isBack, RESTORE_MS).catch(() => {
        ledger.find(`ElasticMQ itself lost some of ${before} messages: what is lost may be these`);
    });
    await sqsProxy.accept();
}

export async function strikeSqs(
    servers: Servers,
    ledger: Ledger,
    { kind, lasts }: Fault,
): Promise<void> {
    const { sqs, sqsProxy } = servers;
    if (kind === 'hang') {
        sqs.hang();
        await sleep(lasts);
        sqs.goOn();
    } else if (kind === 'kill') {
        await killSqs(servers, ledger, lasts / 3);
    } else {
        await sqsProxy.refuse();
        await sleep(lasts);
        await sqsProxy.accept();
    }
}

export async function strikePostgres(
    servers: Servers,
    { kind, lasts, dice }: Fault,
): Promise<void> {
    const { postgres, postgresDisk } = servers;
    const after = async (begin: Promise<void> | void, end: () => Promise<void> | void) => {
        await begin;
        await sleep(lasts);
        await end();
    };
    switch (kind) {
        case 'kill':
            return after(postgres.kill(), () => postgres.start());
        case 'restart':
            return after(postgres.stop(), () => postgres.start());
        case 'hang':
            return after(postgres.hang(), () => postgres.goOn());
        case 'read only':
            return after(postgres.setReadOnly(true), () => postgres.setReadOnly(false));
        case 'lock':
            return postgres.holding('LOCK TABLE logs IN EXCLUSIVE MODE', () => sleep(lasts));
        case 'full disk':
            return postgresDisk!.full(lasts, dice * 50_000);
        default:
            return postgres.endSessions();
    }
}

export async function strikeRedis({ redis }: Servers, { kind, lasts }: Fault): Promise<void> {
    switch (kind) {
        case 'kill':
            await redis.kill();
            await sleep(lasts);
            return redis.start();
        case 'hang':
            redis.hang();
            await sleep(lasts);
            return redis.goOn();
        default:
            await redis.ask((client) => client.flushall());
    }
}

/** Tells whether SQS is in trouble, or was so a moment ago. */
export class Trouble {
    private strikes = 0;
    private latest = -Infinity;

    async during(strike: Promise<void>): Promise<void> {
        this.strikes++;
        try {
            await strike;
        } finally {
            this.strikes--;
            this.latest = performance.now();
        }
    }

    isNear(ms: number): boolean {
        return this.strikes > 0 || performance.now() - this.latest < ms;
    }
}
