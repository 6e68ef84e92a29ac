/** How many tasks run. */
import { Duration } from 'aws-cdk-lib';
import * as aas from 'aws-cdk-lib/aws-applicationautoscaling';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import { ScalableTaskCount } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { Database } from './database';
import { Queue } from './queue';
import { Services } from './services';
import { API, WORKER } from './thresholds';

/** Messages visible / running tasks. With no task, the whole backlog counts: the division must not fail. */
const BACKLOG_PER_TASK = 'visible / IF(running > 0, running, 1)';

export class Scaling extends Construct {
    readonly backlogPerTask: cw.MathExpression;
    readonly oldestAge: cw.Metric;
    /** The alarm by which the age of the oldest message adds workers. */
    readonly ageAlarm: cw.Alarm;

    constructor(scope: Construct, id: string, services: Services, queue: Queue, database: Database) {
        super(scope, id);
        const api = services.api.autoScaleTaskCount({ minCapacity: API.minTasks, maxCapacity: API.maxTasks });
        limit(api, database.maxApiTasks);
        const cooldown = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(5) };
        api.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: API.targetCpuPercent, ...cooldown });
        api.scaleOnMemoryUtilization('Memory', {
            targetUtilizationPercent: API.targetMemoryPercent,
            ...cooldown,
        });
        api.scaleOnRequestCount('Requests', {
            targetGroup: services.targets,
            requestsPerTarget: API.targetRequestsPerMinute,
            ...cooldown,
        });

        const worker = services.worker.autoScaleTaskCount({
            minCapacity: WORKER.minTasks,
            maxCapacity: WORKER.maxTasks,
        });
        limit(worker, database.maxWorkerTasks);
        /* L1, since the L2 construct knows no metric math. */
        const target = worker.node.findChild('Target') as aas.ScalableTarget;
        new aas.CfnScalingPolicy(this, 'BacklogPerTask', {
            policyName: 'backlog-per-task',
            policyType: 'TargetTrackingScaling',
            scalingTargetId: target.scalableTargetId,
            targetTrackingScalingPolicyConfiguration: {
                targetValue: WORKER.targetBacklogPerTask,
                scaleOutCooldown: 60,
                scaleInCooldown: 300,
                customizedMetricSpecification: {
                    metrics: [
                        {
                            id: 'visible',
                            returnData: false,
                            metricStat: {
                                stat: 'Average',
                                metric: {
                                    namespace: 'AWS/SQS',
                                    metricName: 'ApproximateNumberOfMessagesVisible',
                                    dimensions: [{ name: 'QueueName', value: queue.queue.queueName }],
                                },
                            },
                        },
                        {
                            id: 'running',
                            returnData: false,
                            metricStat: {
                                stat: 'Average',
                                metric: {
                                    namespace: 'ECS/ContainerInsights',
                                    metricName: 'RunningTaskCount',
                                    dimensions: [
                                        { name: 'ClusterName', value: services.cluster.clusterName },
                                        { name: 'ServiceName', value: services.worker.serviceName },
                                    ],
                                },
                            },
                        },
                        {
                            id: 'backlog',
                            expression: BACKLOG_PER_TASK,
                            label: 'backlog per task',
                            returnData: true,
                        },
                    ],
                },
            },
        });
        this.oldestAge = queue.queue.metricApproximateAgeOfOldestMessage({
            period: Duration.minutes(1),
            statistic: 'Maximum',
        });
        /* Only outwards: the backlog decides when there are too many. */
        const byAge = new aas.StepScalingPolicy(this, 'OldestMessage', {
            scalingTarget: target,
            metric: this.oldestAge,
            scalingSteps: [
                { lower: WORKER.scaleAgeSeconds, upper: WORKER.scaleAgeMuchSeconds, change: 1 },
                { lower: WORKER.scaleAgeMuchSeconds, change: 3 },
            ],
            cooldown: Duration.minutes(2),
        });
        this.ageAlarm = byAge.upperAlarm!;

        this.backlogPerTask = new cw.MathExpression({
            label: 'backlog per task',
            expression: BACKLOG_PER_TASK,
            period: Duration.minutes(1),
            usingMetrics: {
                visible: queue.queue.metricApproximateNumberOfMessagesVisible({
                    period: Duration.minutes(1),
                    statistic: 'Average',
                }),
                running: taskCount(services, 'worker', 'RunningTaskCount'),
            },
        });
    }
}

/** As many tasks as the database has connections for; not known before the instance class is. */
function limit(tasks: ScalableTaskCount, most: number): void {
    const target = tasks.node.findChild('Target').node.defaultChild as aas.CfnScalableTarget;
    target.maxCapacity = most;
}

export function taskCount(
    services: Services,
    which: 'api' | 'worker',
    metricName: 'RunningTaskCount' | 'DesiredTaskCount',
): cw.Metric {
    return new cw.Metric({
        namespace: 'ECS/ContainerInsights',
        metricName,
        statistic: 'Average',
        period: Duration.minutes(1),
        label: `${which} ${metricName === 'RunningTaskCount' ? 'running' : 'desired'}`,
        dimensionsMap: {
            ClusterName: services.cluster.clusterName,
            ServiceName: services[which].serviceName,
        },
    });
}
