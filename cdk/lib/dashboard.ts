/** One page that shows how it goes. */
import { Duration } from 'aws-cdk-lib';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import { HttpCodeTarget } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { FargateService } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { Cache } from './cache';
import { count } from './counts';
import { Database } from './database';
import { Queue } from './queue';
import { Scaling, taskCount } from './scaling';
import { Services } from './services';
import { API, DATABASE, WORKER } from './thresholds';

export interface DashboardProps {
    readonly services: Services;
    readonly scaling: Scaling;
    readonly queue: Queue;
    readonly database: Database;
    readonly cache: Cache;
}

const MINUTE = Duration.minutes(1);

export class Dashboard extends Construct {
    constructor(scope: Construct, id: string, props: DashboardProps) {
        super(scope, id);
        const { services, scaling, queue, database, cache } = props;
        const { targets } = services;
        const dashboard = new cw.Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });

        const queueCount = (q: typeof queue.queue, label: string) =>
            q.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: 'Maximum', label });
        const row = (...widgets: cw.IWidget[]) => dashboard.addWidgets(...widgets);
        row(
            graph(
                'Requests a minute',
                [
                    targets.metrics.requestCount({ period: MINUTE }),
                    targets.metrics.requestCountPerTarget({
                        period: MINUTE,
                        statistic: 'Sum',
                        label: 'per task',
                    }),
                ],
                API.targetRequestsPerMinute,
            ),
            graph(
                'Latency (s)',
                ['p50', 'p95', 'p99'].map((statistic) =>
                    targets.metrics.targetResponseTime({ period: MINUTE, statistic, label: statistic }),
                ),
                API.alarmP99Seconds,
            ),
            graph('Answers', [
                targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_2XX_COUNT, {
                    period: MINUTE,
                    label: '2xx',
                }),
                targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_4XX_COUNT, {
                    period: MINUTE,
                    label: '4xx',
                }),
                targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, {
                    period: MINUTE,
                    label: '5xx',
                }),
            ]),
            graph('Logs a second', [
                perSecond(count(this, 'LogsAccepted', 'accepted'), 'accepted'),
                perSecond(count(this, 'LogsStored', 'stored'), 'stored'),
            ]),
        );
        row(
            graph('Queue depth', [
                queueCount(queue.queue, 'waiting'),
                queue.queue.metricApproximateNumberOfMessagesNotVisible({
                    period: MINUTE,
                    label: 'in flight',
                }),
            ]),
            graph('Backlog per worker task', [scaling.backlogPerTask], WORKER.targetBacklogPerTask),
            graph('Age of the oldest message (s)', [scaling.oldestAge], WORKER.scaleAgeSeconds),
            graph('Dead letters', [queueCount(queue.deadLetters, 'dead letters')], 1),
        );
        row(
            graph('api: CPU (%)', minAvgMax(services.api, 'cpu'), API.targetCpuPercent),
            graph('api: memory (%)', minAvgMax(services.api, 'memory'), API.targetMemoryPercent),
            graph('worker: CPU (%)', minAvgMax(services.worker, 'cpu'), WORKER.alarmCpuPercent),
            graph('worker: memory (%)', minAvgMax(services.worker, 'memory'), WORKER.alarmMemoryPercent),
        );
        row(
            graph(
                'Tasks',
                (['api', 'worker'] as const).flatMap((which) => [
                    taskCount(services, which, 'RunningTaskCount'),
                    taskCount(services, which, 'DesiredTaskCount'),
                ]),
            ),
            graph('Database: CPU (%)', [database.metric('CPUUtilization')], DATABASE.alarmCpuPercent),
            graph(
                'Database: free memory (bytes)',
                [database.metric('FreeableMemory', 'Minimum')],
                DATABASE.alarmFreeMemoryBytes,
            ),
            graph(
                'Database: connections',
                [database.metric('DatabaseConnections', 'Maximum')],
                database.alarmConnections,
            ),
        );
        row(
            graph('Database: operations a second', [
                database.metric('ReadIOPS'),
                database.metric('WriteIOPS'),
            ]),
            graph('Database: storage (bytes)', [database.storage()]),
            graph('Cache: CPU and memory (%)', [
                ...cache.metrics('EngineCPUUtilization'),
                ...cache.metrics('DatabaseMemoryUsagePercentage'),
            ]),
            graph('Failures a minute', [
                count(this, 'RequestsFailed', 'requests answered 503'),
                count(this, 'StoreFailures', 'transactions tried again'),
                count(this, 'LogsDeadLettered', 'logs dead-lettered'),
            ]),
        );
    }
}

function graph(title: string, left: cw.IMetric[], threshold?: number): cw.GraphWidget {
    return new cw.GraphWidget({
        title,
        left,
        width: 6,
        height: 6,
        leftYAxis: { min: 0 },
        leftAnnotations: threshold === undefined ? [] : [{ value: threshold, label: 'threshold' }],
    });
}

function minAvgMax(service: FargateService, what: 'cpu' | 'memory'): cw.IMetric[] {
    return ['Minimum', 'Average', 'Maximum'].map((statistic) =>
        what === 'cpu'
            ? service.metricCpuUtilization({ period: MINUTE, statistic, label: statistic })
            : service.metricMemoryUtilization({ period: MINUTE, statistic, label: statistic }),
    );
}

function perSecond(metric: cw.IMetric, id: string): cw.IMetric {
    return new cw.MathExpression({
        label: id,
        period: MINUTE,
        expression: `${id} / PERIOD(${id})`,
        usingMetrics: { [id]: metric },
    });
}
