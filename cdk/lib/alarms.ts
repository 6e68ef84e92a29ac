/** What tells people: alarms and scaling events, to one SNS topic. */
import { Aws, CfnCondition, CfnParameter, Duration, Fn, RemovalPolicy } from 'aws-cdk-lib';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as events from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { Cache } from './cache';
import { count } from './counts';
import { Database } from './database';
import { Queue } from './queue';
import { Scaling, taskCount } from './scaling';
import { Services } from './services';
import { API, CACHE, DATABASE, WORKER } from './thresholds';

export interface AlarmsProps {
    readonly services: Services;
    readonly scaling: Scaling;
    readonly queue: Queue;
    readonly database: Database;
    readonly cache: Cache;
    readonly email: CfnParameter;
}

const MINUTE = Duration.minutes(1);

export class Alarms extends Construct {
    readonly topic: sns.Topic;
    /** By which a deployment is rolled back. */
    readonly apiDeployment: cw.Alarm[];
    readonly workerDeployment: cw.Alarm[];

    constructor(scope: Construct, id: string, props: AlarmsProps) {
        super(scope, id);
        const { services, scaling, queue, database, cache, email } = props;
        this.topic = new sns.Topic(this, 'Topic', {
            displayName: 'logmill',
            enforceSSL: true,
            masterKey: this.key(),
        });
        /* enforceSSL gives the topic a policy of its own, in place of the default one, which lets alarms in. */
        this.topic.addToResourcePolicy(
            new iam.PolicyStatement({
                sid: 'Alarms',
                principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
                actions: ['sns:Publish'],
                resources: [this.topic.topicArn],
                conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
            }),
        );
        const given = new CfnCondition(this, 'EmailGiven', {
            expression: Fn.conditionNot(Fn.conditionEquals(email.valueAsString, '')),
        });
        new sns.CfnSubscription(this, 'Email', {
            topicArn: this.topic.topicArn,
            protocol: 'email',
            endpoint: email.valueAsString,
        }).cfnOptions.condition = given;

        const { api, worker, targets, loadBalancer } = services;
        this.above('ApiCpu', api.metricCpuUtilization({ period: MINUTE }), API.alarmCpuPercent, 5);
        this.above('ApiMemory', api.metricMemoryUtilization({ period: MINUTE }), API.alarmMemoryPercent, 5);
        this.above(
            'ApiRequestsPerTarget',
            targets.metrics.requestCountPerTarget({ period: MINUTE, statistic: 'Sum' }),
            API.alarmRequestsPerMinute,
            3,
        );
        const answers = (code: HttpCodeTarget) => targets.metrics.httpCodeTarget(code, { period: MINUTE });
        const rate = this.above(
            'Api5xxRate',
            new cw.MathExpression({
                label: '5xx answers in percent',
                period: MINUTE,
                /*
                 * Of the service, and of the load balancer. `requests` are those for which it had a task:
                 * there are none if all are gone, and then its own answers are all there is.
                 */
                expression:
                    '100 * (FILL(target, 0) + FILL(balancer, 0)) / (FILL(requests, 0) + FILL(balancer, 0))',
                usingMetrics: {
                    target: answers(HttpCodeTarget.TARGET_5XX_COUNT),
                    balancer: loadBalancer.metrics.custom('HTTPCode_ELB_5XX_Count', {
                        period: MINUTE,
                        statistic: 'Sum',
                    }),
                    requests: loadBalancer.metrics.requestCount({ period: MINUTE }),
                },
            }),
            API.alarm5xxPercent,
            3,
        );
        this.above(
            'ApiP99',
            targets.metrics.targetResponseTime({ period: MINUTE, statistic: 'p99' }),
            API.alarmP99Seconds,
            5,
        );

        /* Nobody is there to be measured: silence is the fault. */
        this.silent(
            'ApiHealthyHosts',
            targets.metrics.healthyHostCount({ period: MINUTE, statistic: 'Maximum' }),
            1,
            2,
        );
        for (const which of ['api', 'worker'] as const)
            this.silent(
                which === 'api' ? 'ApiTasks' : 'WorkerTasks',
                taskCount(services, which, 'RunningTaskCount'),
                which === 'api' ? API.minTasks : WORKER.minTasks,
                5,
            );

        this.above('WorkerBacklogPerTask', scaling.backlogPerTask, WORKER.alarmBacklogPerTask, 5);
        this.above('WorkerCpu', worker.metricCpuUtilization({ period: MINUTE }), WORKER.alarmCpuPercent, 10);
        this.above(
            'WorkerMemory',
            worker.metricMemoryUtilization({ period: MINUTE }),
            WORKER.alarmMemoryPercent,
            5,
        );
        this.above('OldestMessage', scaling.oldestAge, WORKER.alarmAgeSeconds, 3);
        const deadLetters = this.above(
            'DeadLetters',
            queue.deadLetters.metricApproximateNumberOfMessagesVisible({
                period: MINUTE,
                statistic: 'Maximum',
            }),
            0,
            1,
        );

        /* A database that answers and refuses: what fails often counts no more towards the age above. */
        this.above(
            'StoreFailures',
            count(this, 'StoreFailures', undefined, 15),
            WORKER.alarmStoreFailures,
            1,
        );

        const refused = this.above(
            'WorkerDeployment',
            count(this, 'StoreFailures', undefined, 5),
            WORKER.deployStoreFailures,
            1,
        );
        this.apiDeployment = [rate];
        this.workerDeployment = [refused, deadLetters];

        this.above(
            'DatabaseCpu',
            database.metric('CPUUtilization'),
            DATABASE.alarmCpuPercent,
            5,
            cw.TreatMissingData.BREACHING,
        );
        if (database.isAurora)
            this.above('DatabaseCapacity', database.metric('ACUUtilization'), DATABASE.alarmCapacityPercent, 10);
        else {
            /* Only classes of t have credits. */
            this.below(
                'DatabaseCredits',
                database.metric('CPUCreditBalance', 'Minimum').with({ period: Duration.minutes(5) }),
                DATABASE.alarmCredits,
                3,
            );
            /*
             * Aurora's storage grows by itself. Its local one, for temporary files, could fill up, but
             * FreeLocalStorage "doesn't apply to Aurora Serverless v2" (Aurora User Guide, Managing Amazon Aurora
             * PostgreSQL, Temporary storage limits).
             */
            this.below(
                'DatabaseFreeStorage',
                database.metric('FreeStorageSpace', 'Minimum'),
                database.alarmFreeStorageBytes,
                3,
            );
        }
        this.above(
            'DatabaseTransactionIds',
            database.metric('MaximumUsedTransactionIDs', 'Maximum'),
            DATABASE.alarmTransactionIds,
            5,
        );
        this.above('DatabaseDiskQueue', database.metric('DiskQueueDepth'), DATABASE.alarmDiskQueue, 10);
        this.above(
            'DatabaseConnections',
            database.metric('DatabaseConnections', 'Maximum'),
            database.alarmConnections,
            3,
        );
        this.below(
            'DatabaseMemory',
            database.metric('FreeableMemory', 'Minimum'),
            DATABASE.alarmFreeMemoryBytes,
            5,
        );
        /* One for each node, which costs no more than a formula of all of them, and tells which node it is. */
        const ofNode = (n: number, what: string) => `Cache${n === 0 ? '' : n + 1}${what}`;
        for (const [n, metric] of cache.metrics('EngineCPUUtilization').entries())
            this.above(ofNode(n, 'Cpu'), metric, CACHE.alarmCpuPercent, 5, cw.TreatMissingData.BREACHING);
        for (const [n, metric] of cache.metrics('DatabaseMemoryUsagePercentage').entries())
            this.above(ofNode(n, 'Memory'), metric, CACHE.alarmMemoryPercent, 5);

        this.scalingEvents(services, scaling);
    }

    /** CloudWatch and EventBridge write to the topic, and so need its key. */
    private key(): kms.Key {
        const key = new kms.Key(this, 'Key', {
            description: 'topic of alarms of logmill',
            enableKeyRotation: true,
            removalPolicy: RemovalPolicy.DESTROY,
        });
        for (const service of ['cloudwatch.amazonaws.com', 'events.amazonaws.com'])
            key.addToResourcePolicy(
                new iam.PolicyStatement({
                    principals: [new iam.ServicePrincipal(service)],
                    actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
                    resources: ['*'], // of this key
                }),
            );
        return key;
    }

    private above(
        id: string,
        metric: cw.IMetric,
        threshold: number,
        minutes: number,
        missing = cw.TreatMissingData.NOT_BREACHING,
    ): cw.Alarm {
        return this.alarm(id, metric, threshold, minutes, cw.ComparisonOperator.GREATER_THAN_THRESHOLD, missing);
    }

    private below(
        id: string,
        metric: cw.IMetric,
        threshold: number,
        minutes: number,
        missing = cw.TreatMissingData.NOT_BREACHING,
    ): cw.Alarm {
        return this.alarm(id, metric, threshold, minutes, cw.ComparisonOperator.LESS_THAN_THRESHOLD, missing);
    }

    /** Fewer than `least`, or no number at all. */
    private silent(id: string, metric: cw.IMetric, least: number, minutes: number): void {
        this.below(id, metric, least, minutes, cw.TreatMissingData.BREACHING);
    }

    private alarm(
        id: string,
        metric: cw.IMetric,
        threshold: number,
        minutes: number,
        comparisonOperator: cw.ComparisonOperator,
        treatMissingData: cw.TreatMissingData,
    ): cw.Alarm {
        const action = new SnsAction(this.topic);
        const alarm = new cw.Alarm(this, id, {
            metric,
            threshold,
            comparisonOperator,
            evaluationPeriods: minutes,
            alarmDescription: `logmill: ${id}`,
            treatMissingData,
        });
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
        return alarm;
    }

    /* Application Auto Scaling itself tells EventBridge only of having reached the maximum, so the
     * alarms of its target tracking are listened to as well; those of the step scaling are ours. */
    private scalingEvents(services: Services, scaling: Scaling): void {
        scaling.ageAlarm.addAlarmAction(new SnsAction(this.topic));
        const cluster = services.cluster.clusterName;
        new events.Rule(this, 'ScalingPolicies', {
            description: 'a target tracking policy of logmill wants more tasks',
            eventPattern: {
                source: ['aws.cloudwatch'],
                detailType: ['CloudWatch Alarm State Change'],
                detail: {
                    /* Not those by which tasks become fewer, which come up whenever it is quiet. */
                    alarmName: [{ wildcard: `TargetTracking-service/${cluster}/*-AlarmHigh-*` }],
                    state: { value: ['ALARM'] },
                },
            },
            targets: [new SnsTopic(this.topic)],
        });
        new events.Rule(this, 'ScaledToMaximum', {
            description: 'a service of logmill runs as many tasks as it may',
            eventPattern: {
                source: ['aws.application-autoscaling'],
                detailType: ['Application Auto Scaling Scaling Activity State Change'],
                detail: { resourceId: [{ prefix: `service/${cluster}/` }] },
            },
            targets: [new SnsTopic(this.topic)],
        });
        const services_ = [services.api.serviceArn, services.worker.serviceArn];
        new events.Rule(this, 'ServiceEvents', {
            description: 'a deployment was rolled back, or tasks could not be placed',
            eventPattern: {
                source: ['aws.ecs'],
                account: [Aws.ACCOUNT_ID],
                detailType: ['ECS Service Action', 'ECS Deployment State Change'],
                resources: services_,
                detail: { eventType: ['WARN', 'ERROR'] },
            },
            targets: [new SnsTopic(this.topic)],
        });
    }
}
