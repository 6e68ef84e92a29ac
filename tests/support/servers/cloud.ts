/*
 * What logmill stands on in the cloud: a real SQS server, a PostgreSQL and a Redis, shared by the
 * tests of a file. Each test gets a queue of its own, an empty database and an empty cache.
 */
import { strict as assert } from 'node:assert';
import test from 'node:test';

import { Lab, type Logmill, eventually, freePort } from '../harness';
import type { Load } from '../load';
import { type Log, assertNewestFirst, metrics } from '../logs';
import { CREDENTIALS, ElasticMq, type Queue, type QueueOptions } from './elasticmq';
import { PostgresServer } from './postgres';
import { SqsProxy } from './proxy';
import { RedisServer } from './redis';

export type Settings = Record<string, string>;

/** The counts that tell what became of the logs, summed up over processes. */
export interface Account {
    accepted: number;
    stored: number;
    repeated: number;
    redelivered: number;
    conflicting: number;
    dead: number;
}

const COUNTERS: Record<keyof Account, string> = {
    accepted: 'logmill_logs_accepted_total',
    stored: 'logmill_logs_stored_total',
    repeated: 'logmill_logs_repeated_total',
    redelivered: 'logmill_logs_redelivered_total',
    conflicting: 'logmill_logs_conflicting_total',
    dead: 'logmill_logs_dead_lettered_total',
};

/** What one test has of the cloud. */
export class Site {
    /** Of the processes of this test; a test may change them before it starts one. */
    readonly settings: Settings;

    constructor(
        readonly cloud: Cloud,
        readonly queue: Queue,
    ) {
        this.settings = {
            ...CREDENTIALS,
            SQS_QUEUE_URL: queue.url,
            ...cloud.postgres.settings,
            REDIS_URL: cloud.redis.url,
            WEB_CONCURRENCY: '2',
        };
    }

    /** A proxy in front of SQS; processes started from now on go through it. */
    async proxy(lab: Lab): Promise<SqsProxy> {
        const proxy = await SqsProxy.start(lab, this.cloud.sqs.port);
        this.settings['SQS_QUEUE_URL'] = proxy.through(this.queue.url);
        return proxy;
    }

    api(lab: Lab, settings: Settings = {}): Promise<Logmill> {
        return lab.start({ command: 'api', settings: { ...this.settings, ...settings } });
    }

    async worker(lab: Lab, settings: Settings = {}): Promise<Logmill> {
        const own = { METRICS_PORT: String(await freePort()) };
        return lab.start({
            command: 'worker',
            settings: { ...this.settings, ...own, ...settings },
        });
    }

    /** Every stored log, oldest first, as PostgreSQL has it. */
    async rows(): Promise<Log[]> {
        const rows = await this.cloud.postgres.query<
            Omit<Log, 'attributes'> & { attributes: Log['attributes'] | null }
        >(
            `SELECT id::text, level, message, attributes,
                    to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                        AS "timestamp"
             FROM logs ORDER BY "timestamp", id`,
        );
        return rows.map((row) => ({ ...row, attributes: row.attributes ?? {} }));
    }

    /** Until nothing is left in the queue. */
    async atRest(patienceMs?: number): Promise<void> {
        await eventually(
            'the queue to be empty',
            async () => (await this.queue.depth()) === 0,
            patienceMs,
        );
    }

    /** Until `n` logs are stored. */
    async stored(n: number): Promise<Log[]> {
        return eventually(`${n} logs to be stored`, async () => {
            const rows = await this.rows();
            return rows.length >= n && rows;
        });
    }

    /** Each log of `load` that was answered 201 is stored once, in order. */
    async verify(load: Load): Promise<void> {
        await this.atRest();
        const rows = await this.rows();
        load.verifyLogs(rows);
        assertNewestFirst(rows.reverse());
    }

    async account(processes: Logmill[]): Promise<Account> {
        const sum: Account = {
            accepted: 0,
            stored: 0,
            repeated: 0,
            redelivered: 0,
            conflicting: 0,
            dead: 0,
        };
        for (const process of processes) {
            const samples = await metrics(process);
            for (const [field, name] of Object.entries(COUNTERS)) {
                sum[field as keyof Account] += samples.get(name) ?? 0;
            }
        }
        return sum;
    }
}

export class Cloud {
    private constructor(
        readonly sqs: ElasticMq,
        readonly postgres: PostgresServer,
        readonly redis: RedisServer,
    ) {}

    static async start(lab: Lab): Promise<Cloud> {
        const [sqs, postgres, redis] = await Promise.all([
            ElasticMq.start(lab),
            PostgresServer.start(lab, { config: { max_connections: '40' } }),
            RedisServer.start(lab),
        ]);
        return new Cloud(sqs, postgres, redis);
    }

    /** A queue of its own, an empty database and an empty cache. */
    async site(options: QueueOptions = {}): Promise<Site> {
        await Promise.all([this.postgres.ensure(), this.redis.ensure()]);
        await this.postgres.endSessions();
        await this.postgres.query(
            'DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION logmill',
        );
        await this.redis.ask((client) => client.flushall());
        return new Site(this, await this.sqs.createQueue(options));
    }
}

/** The cloud of a file's tests. `end()`, called last in the file, stops it. */
export function sharedCloud(): { cloud: () => Promise<Cloud>; end: () => void } {
    const lab = new Lab();
    let started: Promise<Cloud> | undefined;
    return {
        cloud: () => (started ??= Cloud.start(lab)),
        end: () => {
            void test('the servers stop', () => lab.cleanUp());
        },
    };
}

/** At rest: accepted = stored + repeated + conflicting + dead-lettered, redeliveries apart. */
export function assertBalanced(account: Account): void {
    const { accepted, stored, repeated, conflicting, dead } = account;
    assert.equal(accepted, stored + repeated + conflicting + dead, JSON.stringify(account));
}
