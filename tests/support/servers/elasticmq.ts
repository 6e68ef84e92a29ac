/*
 * ElasticMQ, a real server of the SQS protocol, for a scenario: on a free port of the loopback,
 * stopped by its pid. tools/elasticmq fetches it if it is missing. It keeps everything in its
 * memory, or, if it is to outlive a kill -9, in a file of its database H2, written at each
 * commit: by H2's default a kill loses all of the last half second, and more. A kill (or SIGTERM)
 * while it works may lose a message all the same: leave it alone for a moment before.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';

import {
    CreateQueueCommand,
    GetQueueAttributesCommand,
    ListQueuesCommand,
    PurgeQueueCommand,
    SendMessageBatchCommand,
    SendMessageCommand,
    SQSClient,
} from '@aws-sdk/client-sqs';

import { ROOT, endChild, environment, eventually, freePort, type Lab, release } from '../harness';

/** ElasticMQ takes any; logmill must never tell the secret one. */
export const CREDENTIALS = {
    AWS_ACCESS_KEY_ID: 'AKIDTEST',
    AWS_SECRET_ACCESS_KEY: 'secret-of-the-tests',
    AWS_REGION: 'eu-central-1',
} as const;

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export interface QueueOptions {
    /** Seconds; short, so that what a killed worker held comes again soon. */
    visibilityTimeout?: number;
    /** Deliveries after which a message goes to the dead-letter queue; 0: there is none. */
    maxReceives?: number;
}

/** A queue and its dead-letter queue. */
export class Queue {
    constructor(
        private readonly client: SQSClient,
        readonly url: string,
        readonly lettersUrl: string | undefined,
    ) {}

    /** Puts a message in as a foreign producer does. */
    async send(body: string): Promise<void> {
        await this.client.send(new SendMessageCommand({ QueueUrl: this.url, MessageBody: body }));
    }

    /** Puts up to ten in with one request. */
    async sendBatch(bodies: string[]): Promise<void> {
        await this.client.send(
            new SendMessageBatchCommand({
                QueueUrl: this.url,
                Entries: bodies.map((body, n) => ({ Id: `m${n}`, MessageBody: body })),
            }),
        );
    }

    private async count(url: string): Promise<number> {
        const { Attributes = {} } = await this.client.send(
            new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
        );
        return (
            Number(Attributes['ApproximateNumberOfMessages']) +
            Number(Attributes['ApproximateNumberOfMessagesNotVisible']) +
            Number(Attributes['ApproximateNumberOfMessagesDelayed'])
        );
    }

    /** Messages that wait or are being worked on. */
    depth(): Promise<number> {
        return this.count(this.url);
    }

    /** Messages in the dead-letter queue. */
    letters(): Promise<number> {
        return this.lettersUrl === undefined ? Promise.resolve(0) : this.count(this.lettersUrl);
    }

    async purge(): Promise<void> {
        await this.client.send(new PurgeQueueCommand({ QueueUrl: this.url }));
    }
}

export interface ElasticMqOptions {
    /** What it has accepted outlives a kill -9, if that comes in a quiet moment. */
    durable?: boolean;
}

export class ElasticMq {
    private child: ChildProcess | undefined;
    private log = '';
    private queues = 0;
    readonly client: SQSClient;

    private constructor(
        readonly port: number,
        private readonly folder: string,
        private readonly options: ElasticMqOptions,
    ) {
        this.client = new SQSClient({
            endpoint: this.endpoint,
            region: CREDENTIALS.AWS_REGION,
            credentials: {
                accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID,
                secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
            },
        });
    }

    /** Starts a server that lives until the end of the scenario. */
    static async start(lab: Lab, options: ElasticMqOptions = {}): Promise<ElasticMq> {
        const server = new ElasticMq(await freePort(), lab.folder(), options);
        lab.finally(() => server.stop());
        writeFileSync(server.config, server.configuration());
        await server.start();
        return server;
    }

    private get config(): string {
        return path.join(this.folder, 'elasticmq.conf');
    }

    private configuration(): string {
        const { port, folder } = this;
        const memory = `include classpath("application.conf")
             node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
             rest-sqs { enabled = true, bind-port = ${port}, bind-hostname = "127.0.0.1" }
             rest-stats.enabled = false`;
        const disk = `
             queues-storage { enabled = true, path = "${folder}/queues.conf" }
             messages-storage {
                 enabled = true
                 uri = "jdbc:h2:${folder}/messages;WRITE_DELAY=0"
             }`;
        return this.options.durable === true ? memory + disk : memory;
    }

    /** Starts it, again after a kill. */
    async start(): Promise<void> {
        const jars = execFileSync(path.join(ROOT, 'tools', 'elasticmq'), { encoding: 'utf8' });
        const child = spawn(
            'java',
            [
                ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'],
                ...[`-Dconfig.file=${this.config}`, '-cp', path.join(jars.trim(), '*')],
                'org.elasticmq.server.Main',
            ],
            { env: environment({}), cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] },
        );
        this.child = child;
        running.add(child);
        release(child);
        child.on('close', () => running.delete(child));
        for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding('utf8').on('data', (text: string) => {
                this.log = (this.log + text).slice(-20_000);
            });
        }
        child.on('error', (error) => (this.log += String(error)));
        await eventually('start of ElasticMQ', async () => {
            if (child.exitCode !== null || child.pid === undefined) {
                throw new Error(`ElasticMQ ended at its start:\n${this.log}`);
            }
            await this.client.send(new ListQueuesCommand({}));
            return true;
        });
    }

    get pid(): number {
        if (this.child?.pid === undefined) {
            throw new Error('ElasticMQ does not run');
        }
        return this.child.pid;
    }

    /** SIGSTOP and SIGCONT: a server that hangs. */
    hang(): void {
        process.kill(this.pid, 'SIGSTOP');
    }

    goOn(): void {
        process.kill(this.pid, 'SIGCONT');
    }

    /** kill -9. */
    async kill(): Promise<void> {
        const { child } = this;
        this.child = undefined;
        if (child !== undefined) {
            await endChild(child, () => child.kill('SIGKILL'));
        }
    }

    get endpoint(): string {
        return `http://127.0.0.1:${this.port}`;
    }

    /** A new queue with a dead-letter queue of its own. */
    async createQueue({
        visibilityTimeout = 3,
        maxReceives = 0,
    }: QueueOptions = {}): Promise<Queue> {
        const name = `logs-${++this.queues}`;
        const create = async (
            queueName: string,
            attributes: Record<string, string>,
        ): Promise<string> => {
            const made = await this.client.send(
                new CreateQueueCommand({ QueueName: queueName, Attributes: attributes }),
            );
            return made.QueueUrl!;
        };
        let lettersUrl: string | undefined;
        const attributes: Record<string, string> = {
            VisibilityTimeout: String(visibilityTimeout),
        };
        if (maxReceives > 0) {
            lettersUrl = await create(`${name}-letters`, {});
            const arn = await this.client.send(
                new GetQueueAttributesCommand({
                    QueueUrl: lettersUrl,
                    AttributeNames: ['QueueArn'],
                }),
            );
            attributes['RedrivePolicy'] = JSON.stringify({
                deadLetterTargetArn: arn.Attributes!['QueueArn'],
                maxReceiveCount: maxReceives,
            });
        }
        return new Queue(this.client, await create(name, attributes), lettersUrl);
    }

    /** The queue at `url`, to put messages in as others do. */
    queueAt(url: string): Queue {
        return new Queue(this.client, url, undefined);
    }

    async stop(): Promise<void> {
        this.client.destroy();
        await this.kill();
    }
}
