/*
 * ElasticMQ, a real server of the SQS protocol, for a scenario: on a free port of the loopback,
 * everything in its memory, stopped by its pid. tools/elasticmq fetches it where it is missing.
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

export class ElasticMq {
    private log = '';
    private queues = 0;
    readonly client: SQSClient;

    private constructor(
        readonly port: number,
        private readonly child: ChildProcess,
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
    static async start(lab: Lab): Promise<ElasticMq> {
        const jars = execFileSync(path.join(ROOT, 'tools', 'elasticmq'), { encoding: 'utf8' });
        const port = await freePort();
        const folder = lab.folder();
        const config = path.join(folder, 'elasticmq.conf');
        writeFileSync(
            config,
            `include classpath("application.conf")
             node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
             rest-sqs { enabled = true, bind-port = ${port}, bind-hostname = "127.0.0.1" }
             rest-stats.enabled = false`,
        );
        const child = spawn(
            'java',
            [
                ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'],
                ...[`-Dconfig.file=${config}`, '-cp', path.join(jars.trim(), '*')],
                'org.elasticmq.server.Main',
            ],
            { env: environment({}), cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
        );
        running.add(child);
        release(child);
        child.on('close', () => running.delete(child));
        const server = new ElasticMq(port, child);
        lab.finally(() => server.stop());
        for (const stream of [child.stdout, child.stderr]) {
            stream.setEncoding('utf8').on('data', (text: string) => {
                server.log = (server.log + text).slice(-20_000);
            });
        }
        child.on('error', (error) => (server.log += String(error)));
        await eventually('start of ElasticMQ', async () => {
            if (child.exitCode !== null || child.pid === undefined) {
                throw new Error(`ElasticMQ ended at its start:\n${server.log}`);
            }
            await server.client.send(new ListQueuesCommand({}));
            return true;
        });
        return server;
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

    async stop(): Promise<void> {
        this.client.destroy();
        await endChild(this.child, () => this.child.kill('SIGKILL'));
    }
}
