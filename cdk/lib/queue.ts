/** The queue between api and worker, and where messages go that can never be stored. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { QUEUE } from './thresholds';

export class Queue extends Construct {
    readonly queue: sqs.Queue;
    readonly deadLetters: sqs.Queue;

    constructor(scope: Construct, id: string) {
        super(scope, id);
        const common: sqs.QueueProps = {
            retentionPeriod: Duration.days(14),
            encryption: sqs.QueueEncryption.SQS_MANAGED,
            enforceSSL: true,
            maxMessageSizeBytes: QUEUE.maxMessageBytes,
            /* A 201 was answered for what is in there: it outlives the stack. */
            removalPolicy: RemovalPolicy.RETAIN,
        };
        this.deadLetters = new sqs.Queue(this, 'DeadLetters', common);
        this.queue = new sqs.Queue(this, 'Queue', {
            ...common,
            visibilityTimeout: Duration.seconds(60),
            receiveMessageWaitTime: Duration.seconds(20),
            deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: QUEUE.maxReceives },
        });
    }
}
