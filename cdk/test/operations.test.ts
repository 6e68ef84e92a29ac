import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { repository } from '../lib/image';
import { API, CLASSES, TASK_CONNECTIONS, WORKER } from '../lib/thresholds';
import { KEYS, one, plain, refs, resources, template } from './helper';

const API_TASKS = 'ClusterName ServicesCluster, ServiceName ServicesApiService.Name';
const WORKER_TASKS = 'ClusterName ServicesCluster, ServiceName ServicesWorkerService.Name';
const BALANCER = 'LoadBalancer ServicesLoadBalancer.LoadBalancerFullName';
/* The balancer by parts of its listener's ARN. */
const LISTENER = [1, 2, 3].map((n) => `ServicesLoadBalancerHttp[${n}]`).join('/');
const TARGETS = `LoadBalancer ${LISTENER}, TargetGroup ServicesTargets.TargetGroupFullName`;
const QUEUE = 'QueueName QueuesQueue.QueueName';
const NODE = (n: number) => `CacheClusterId CacheValkey-00${n}`;

test('api scales on CPU, memory, and requests per task; worker on messages that wait, per running task', () => {
    const t = template();
    const tracked = resources(t, 'AWS::ApplicationAutoScaling::ScalingPolicy')
        .filter(([, { Properties }]) => Properties.PolicyType === 'TargetTrackingScaling')
        .map(([, { Properties }]) => {
            const { PredefinedMetricSpecification, CustomizedMetricSpecification, ...rest } =
                Properties.TargetTrackingScalingPolicyConfiguration;
            assert.deepEqual([rest.ScaleOutCooldown, rest.ScaleInCooldown], [60, 300]);
            return [
                plain(Properties.ScalingTargetId).replace('TaskCountTarget', ''),
                PredefinedMetricSpecification
                    ? plain(Object.values(PredefinedMetricSpecification)).replace(LISTENER, 'balancer')
                    : CustomizedMetricSpecification.Metrics.map(part).join('; '),
                rest.TargetValue,
            ];
        });
    assert.deepEqual(tracked, [
        ['ServicesApi', 'ECSServiceAverageCPUUtilization', 60],
        ['ServicesApi', 'ECSServiceAverageMemoryUtilization', 70],
        ['ServicesApi', 'ALBRequestCountPerTarget,balancer/ServicesTargets.TargetGroupFullName', 120_000],
        [
            'ServicesWorker',
            `visible: Average of AWS/SQS ApproximateNumberOfMessagesVisible, ${QUEUE}; ` +
                `running: Average of ECS/ContainerInsights RunningTaskCount, ${WORKER_TASKS}; ` +
                'visible / IF(running > 0, running, 1)',
            100,
        ],
    ]);
    t.hasResourceProperties('AWS::ECS::Cluster', {
        ClusterSettings: [{ Name: 'containerInsights', Value: 'enabled' }], // which counts running tasks
    });
});

test('there are at least two tasks of api, and one worker', () => {
    const targets = resources(template(), 'AWS::ApplicationAutoScaling::ScalableTarget');
    assert.deepEqual(
        targets.map(([, { Properties: p }]) => [plain(p.ResourceId), p.ScalableDimension, p.MinCapacity]),
        [
            ['service/ServicesCluster/ServicesApiService.Name', 'ecs:service:DesiredCount', 2],
            ['service/ServicesCluster/ServicesWorkerService.Name', 'ecs:service:DesiredCount', 1],
        ],
    );
});

test('worker scales out on the age of the oldest message', () => {
    const t = template();
    const [id, policy] = one(t, 'AWS::ApplicationAutoScaling::ScalingPolicy', 'ScalingOldestMessage');
    assert.match(policy.Properties.ScalingTargetId.Ref, /^ServicesWorker/);
    /* Bounds count from the alarm's threshold. */
    assert.deepEqual(policy.Properties.StepScalingPolicyConfiguration.StepAdjustments, [
        { MetricIntervalLowerBound: 0, MetricIntervalUpperBound: 240, ScalingAdjustment: 1 },
        { MetricIntervalLowerBound: 240, ScalingAdjustment: 3 },
    ]);
    const alarm = one(t, 'AWS::CloudWatch::Alarm', 'ScalingOldestMessage')[1].Properties;
    assert.deepEqual(rule(alarm), [
        `Maximum of AWS/SQS ApproximateAgeOfOldestMessage in 60, ${QUEUE}`,
        '>= 60, 1 times, without a number as before',
    ]);
    assert.deepEqual(alarm.AlarmActions.flatMap(refs).sort(), [one(t, 'AWS::SNS::Topic', '')[0], id].sort());
});

/** Of its nodes, any of which may be the primary. */
const CACHE_ALARMS = (n: number): Record<string, [string, string]> => ({
    [`Cache${n > 1 ? n : ''}Cpu`]: [
        `Average of AWS/ElastiCache EngineCPUUtilization in 60, ${NODE(n)}`,
        '> 80, 5 times, or no number',
    ],
    [`Cache${n > 1 ? n : ''}Memory`]: [
        `Average of AWS/ElastiCache DatabaseMemoryUsagePercentage in 60, ${NODE(n)}`,
        '> 80, 5 times',
    ],
});

/*
 * As cdk/README.md has them: what is measured in how many seconds; when it is too much or too little, how
 * often in turn, and whether no number is, too.
 */
const ALARMS = (database: string): Record<string, [string, string]> => ({
    ApiCpu: [`Average of AWS/ECS CPUUtilization in 60, ${API_TASKS}`, '> 85, 5 times'],
    ApiMemory: [`Average of AWS/ECS MemoryUtilization in 60, ${API_TASKS}`, '> 85, 5 times'],
    ApiRequestsPerTarget: [
        `Sum of AWS/ApplicationELB RequestCountPerTarget in 60, ${TARGETS}`,
        '> 240000, 3 times',
    ],
    Api5xxRate: [
        '100 * (FILL(target, 0) + FILL(balancer, 0)) / (FILL(requests, 0) + FILL(balancer, 0)); ' +
            `target: Sum of AWS/ApplicationELB HTTPCode_Target_5XX_Count in 60, ${TARGETS}; ` +
            `balancer: Sum of AWS/ApplicationELB HTTPCode_ELB_5XX_Count in 60, ${BALANCER}; ` +
            `requests: Sum of AWS/ApplicationELB RequestCount in 60, ${BALANCER}`,
        '> 1, 3 times',
    ],
    ApiP99: [`p99 of AWS/ApplicationELB TargetResponseTime in 60, ${TARGETS}`, '> 0.5, 5 times'],
    ApiHealthyHosts: [
        `Maximum of AWS/ApplicationELB HealthyHostCount in 60, ${TARGETS}`,
        '< 1, 2 times, or no number',
    ],
    ApiTasks: [
        `m1: Average of ECS/ContainerInsights RunningTaskCount in 60, ${API_TASKS}`,
        '< 2, 5 times, or no number',
    ],
    WorkerTasks: [
        `m1: Average of ECS/ContainerInsights RunningTaskCount in 60, ${WORKER_TASKS}`,
        '< 1, 5 times, or no number',
    ],
    WorkerBacklogPerTask: [
        'visible / IF(running > 0, running, 1); ' +
            `visible: Average of AWS/SQS ApproximateNumberOfMessagesVisible in 60, ${QUEUE}; ` +
            `running: Average of ECS/ContainerInsights RunningTaskCount in 60, ${WORKER_TASKS}`,
        '> 1000, 5 times',
    ],
    WorkerCpu: [`Average of AWS/ECS CPUUtilization in 60, ${WORKER_TASKS}`, '> 90, 10 times'],
    WorkerMemory: [`Average of AWS/ECS MemoryUtilization in 60, ${WORKER_TASKS}`, '> 85, 5 times'],
    OldestMessage: [`Maximum of AWS/SQS ApproximateAgeOfOldestMessage in 60, ${QUEUE}`, '> 600, 3 times'],
    DeadLetters: [
        'Maximum of AWS/SQS ApproximateNumberOfMessagesVisible in 60, QueueName QueuesDeadLetters.QueueName',
        '> 0, 1 times',
    ],
    StoreFailures: ['Sum of logmill StoreFailures in 900', '> 100, 1 times'],
    WorkerDeployment: ['Sum of logmill StoreFailures in 300', '> 35, 1 times'],
    DatabaseCpu: [`Average of AWS/RDS CPUUtilization in 60, ${database}`, '> 80, 5 times, or no number'],
    DatabaseTransactionIds: [
        `Maximum of AWS/RDS MaximumUsedTransactionIDs in 60, ${database}`,
        '> 1000000000, 5 times',
    ],
    DatabaseDiskQueue: [`Average of AWS/RDS DiskQueueDepth in 60, ${database}`, '> 64, 10 times'],
    DatabaseMemory: [`Minimum of AWS/RDS FreeableMemory in 60, ${database}`, `< ${128 * 2 ** 20}, 5 times`],
    ...CACHE_ALARMS(1),
});
const INSTANCE = 'DBInstanceIdentifier DatabaseInstance';
const CLUSTER = 'DBClusterIdentifier DatabaseCluster, Role WRITER';
const PROMISED: Record<'rds' | 'aurora', Record<string, [string, string]>> = {
    rds: {
        ...ALARMS(INSTANCE),
        DatabaseCredits: [`Minimum of AWS/RDS CPUCreditBalance in 300, ${INSTANCE}`, '< 30, 3 times'],
        DatabaseConnections: [
            `Maximum of AWS/RDS DatabaseConnections in 60, ${INSTANCE}`,
            '> Fn::FindInMap DatabaseClasses,DatabaseInstanceClass,alarmConnections, 3 times',
        ],
        DatabaseFreeStorage: [
            `Minimum of AWS/RDS FreeStorageSpace in 60, ${INSTANCE}`,
            `< ${7.5 * 2 ** 30}, 3 times`,
        ],
    },
    aurora: {
        ...ALARMS(CLUSTER),
        DatabaseCapacity: [`Average of AWS/RDS ACUUtilization in 60, ${CLUSTER}`, '> 90, 10 times'],
        DatabaseConnections: [`Maximum of AWS/RDS DatabaseConnections in 60, ${CLUSTER}`, '> 1600, 3 times'],
    },
};

function measured(metric: any, statistic: string, period?: number): string {
    const of = (metric.Dimensions ?? []).map((d: any) => `, ${d.Name} ${plain(d.Value)}`).join('');
    return `${statistic} of ${metric.Namespace} ${metric.MetricName}${period ? ` in ${period}` : ''}${of}`;
}

/** One of several metrics, of which a formula is the result. */
function part({ Id, Expression, MetricStat, ReturnData }: any, _: number, { length }: any[]): string {
    assert.equal(ReturnData ?? true, Expression !== undefined || length === 1, 'one number is the result');
    return Expression ?? `${Id}: ${measured(MetricStat.Metric, MetricStat.Stat, MetricStat.Period)}`;
}

/** What an alarm of the template measures, and when it is one: as above. */
function rule(alarm: any): [string, string] {
    const signs = { GreaterThanThreshold: '>', LessThanThreshold: '<', GreaterThanOrEqualToThreshold: '>=' };
    const sign = signs[alarm.ComparisonOperator as keyof typeof signs];
    const silence = { breaching: ', or no number', notBreaching: '' }[alarm.TreatMissingData as string];
    return [
        alarm.Metrics?.map(part).join('; ') ??
            measured(alarm, alarm.Statistic ?? alarm.ExtendedStatistic, alarm.Period),
        `${sign} ${plain(alarm.Threshold)}, ${alarm.EvaluationPeriods} times` +
            (silence ?? ', without a number as before'),
    ];
}

for (const [database, multiAz] of [
    ['rds', false],
    ['aurora', false],
    ['rds', true],
] as const)
    test(`alarms measure what they are named after, and tell the topic (${database}${multiAz ? ', multiAz' : ''})`, () => {
        const t = template({ database, multiAz });
        const topic = { Ref: one(t, 'AWS::SNS::Topic', '')[0] };
        const found = resources(t, 'AWS::CloudWatch::Alarm')
            .filter(([id]) => id.startsWith('Alarms'))
            .map(([, { Properties }]) => {
                assert.deepEqual([Properties.AlarmActions, Properties.OKActions], [[topic], [topic]]);
                return [Properties.AlarmDescription.replace('logmill: ', ''), rule(Properties)];
            });
        assert.deepEqual(Object.fromEntries(found), { ...PROMISED[database], ...(multiAz && CACHE_ALARMS(2)) });
    });

test('when no task is left, what the load balancer refuses is a rate of a hundred percent', () => {
    const alarm = resources(template(), 'AWS::CloudWatch::Alarm').find(
        ([, a]) => a.Properties.AlarmDescription === 'logmill: Api5xxRate',
    )![1].Properties;
    const formula = alarm.Metrics.find((m: any) => m.Expression).Expression as string;
    const rate = (numbers: Record<string, number | undefined>): number => {
        const plain = formula
            .replace(/FILL\((\w+), 0\)/g, (_, name) => String(numbers[name] ?? 0))
            .replace(/\b(target|balancer|requests)\b/g, (_, name) => String(numbers[name] ?? NaN));
        assert.match(plain, /^[-+*/() .\dNa]+$/);
        return Number(new Function(`return ${plain}`)());
    };
    assert.equal(rate({ balancer: 40 }), 100);
    assert.equal(rate({ requests: 1000 }), 0);
    assert.equal(rate({ requests: 1000, target: 20 }), 2);
    assert.ok(rate({ requests: 1000, target: 20, balancer: 500 }) > 30);
    assert.ok(Number.isNaN(rate({})), 'without requests there is no rate');
});

test('a deployment is rolled back by alarms of what it serves, too', () => {
    const t = template();
    const named = (which: string) =>
        one(t, 'AWS::ECS::Service', `Services${which}`)[1].Properties.DeploymentConfiguration;
    const names = (which: string) =>
        refs(named(which).Alarms.AlarmNames).map((id) =>
            String(one(t, 'AWS::CloudWatch::Alarm', id)[1].Properties.AlarmDescription).slice(9),
        );
    assert.deepEqual(names('Api'), ['Api5xxRate']);
    assert.deepEqual(names('Worker'), ['WorkerDeployment', 'DeadLetters']);
    for (const which of ['Api', 'Worker'])
        assert.deepEqual(
            [named(which).Alarms.Enable, named(which).Alarms.Rollback, named(which).MaximumPercent],
            [true, true, 200],
        );
});

test('tasks stay within the connections of the instance class, also while a deployment doubles them', () => {
    const t = template();
    for (const [name, limits] of Object.entries(CLASSES)) {
        const tasks = 2 * (limits.apiTasks + limits.workerTasks);
        assert.ok(tasks * TASK_CONNECTIONS <= limits.alarmConnections, name);
        assert.ok(limits.alarmConnections <= 0.8 * limits.connections, name);
        assert.ok(limits.apiTasks >= API.minTasks && limits.workerTasks >= WORKER.minTasks, name);
    }
    const of = (which: string) => ({
        'Fn::FindInMap': ['DatabaseClasses', { Ref: 'DatabaseInstanceClass' }, which],
    });
    const most = (which: string) =>
        one(t, 'AWS::ApplicationAutoScaling::ScalableTarget', `Services${which}`)[1].Properties.MaxCapacity;
    assert.deepEqual(most('Api'), of('apiTasks'));
    assert.deepEqual(most('Worker'), of('workerTasks'));
    t.hasResourceProperties('AWS::RDS::DBParameterGroup', {
        Parameters: { max_connections: of('connections'), 'rds.force_ssl': '1' },
    });
    t.hasMapping('DatabaseClasses', CLASSES as any);
    t.hasParameter('DatabaseInstanceClass', { AllowedValues: Object.keys(CLASSES) });
    template({ database: 'aurora' }).hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
        MaxCapacity: 20,
    });
});

test('the alarm of the storage comes before it grows, whatever its size', () => {
    for (const storageGiB of [50, 400]) {
        const alarm = resources(template({ storageGiB }), 'AWS::CloudWatch::Alarm').find(
            ([, a]) => a.Properties.AlarmDescription === 'logmill: DatabaseFreeStorage',
        )!;
        /* RDS lets it grow at a tenth. */
        assert.ok(alarm[1].Properties.Threshold > (storageGiB * 2 ** 30) / 10);
        template({ storageGiB }).hasResourceProperties('AWS::RDS::DBInstance', {
            AllocatedStorage: String(storageGiB),
        });
    }
});

test('the topic is encrypted by a key of its own', () => {
    const t = template();
    const [key, { Properties }] = one(t, 'AWS::KMS::Key', '');
    assert.deepEqual(refs(one(t, 'AWS::SNS::Topic', '')[1].Properties.KmsMasterKeyId), [key]);
    assert.equal(Properties.EnableKeyRotation, true);
});

test('the topic writes to the address of the parameter, if there is one', () => {
    const t = template();
    t.hasParameter('AlarmEmail', { Type: 'String', Default: '' });
    t.hasResource('AWS::SNS::Subscription', {
        Condition: Match.anyValue(),
        Properties: {
            Protocol: 'email',
            Endpoint: { Ref: 'AlarmEmail' },
            TopicArn: { Ref: one(t, 'AWS::SNS::Topic', '')[0] },
        },
    });
});

test('scaling up and failed deployments tell the topic; scaling down at rest tells nobody', () => {
    const t = template();
    const topic = one(t, 'AWS::SNS::Topic', '')[0];
    const told = resources(t, 'AWS::Events::Rule').map(([, { Properties }]) => {
        assert.equal(Properties.State, 'ENABLED');
        assert.deepEqual(Properties.Targets.map((to: any) => to.Arn), [{ Ref: topic }]);
        return plain(Properties.EventPattern);
    });
    assert.deepEqual(told, [
        'source aws.cloudwatch; detail-type CloudWatch Alarm State Change; detail ' +
            'alarmName wildcard TargetTracking-service/ServicesCluster/*-AlarmHigh-*; state value ALARM',
        'source aws.application-autoscaling; ' +
            'detail-type Application Auto Scaling Scaling Activity State Change; detail ' +
            'resourceId prefix service/ServicesCluster/',
        'source aws.ecs; account AWS::AccountId; ' +
            'detail-type ECS Service Action,ECS Deployment State Change; ' +
            'resources ServicesApiService,ServicesWorkerService; detail eventType WARN,ERROR',
    ]);
});

test('the README counts what is paid by the piece', () => {
    const t = template({ keysSecretArn: KEYS });
    const readme = readFileSync(join(repository(), 'cdk/README.md'), 'utf8');
    const count = (type: string) => resources(t, type).length;
    const tracking = resources(t, 'AWS::ApplicationAutoScaling::ScalingPolicy').filter(
        ([, { Properties }]) => Properties.PolicyType === 'TargetTrackingScaling',
    ).length;
    for (const line of [
        `alarms: ${count('AWS::CloudWatch::Alarm')}, ${2 * tracking} of scaling, `,
        `${count('AWS::SecretsManager::Secret') + 1} secrets, the keys among them`,
        `${count('AWS::EC2::VPCEndpoint') - 1} interface endpoints × 2 zones`,
    ])
        assert.ok(readme.includes(`| ${line}`), line);
    const alarms = (multiAz: boolean) =>
        resources(template({ keysSecretArn: KEYS, multiAz }), 'AWS::CloudWatch::Alarm').length;
    const more = `\`multiAz\` (twice the database and the cache, ${alarms(true) - alarms(false)} more alarms)`;
    assert.ok(readme.replace(/\s+/g, ' ').includes(more), more);
});

const SHOWN = [
    'RequestCount',
    'TargetResponseTime',
    'p50',
    'p95',
    'p99',
    'HTTPCode_Target_5XX_Count',
    'LogsAccepted',
    'LogsStored',
    'LogsDeadLettered',
    'RequestsFailed',
    'StoreFailures',
    'ApproximateNumberOfMessagesVisible',
    'ApproximateNumberOfMessagesNotVisible',
    'ApproximateAgeOfOldestMessage',
    'RunningTaskCount',
    'DesiredTaskCount',
    'FreeableMemory',
    'DatabaseConnections',
    'ReadIOPS',
    'WriteIOPS',
    'EngineCPUUtilization',
];

test('the dashboard shows both nodes of a cache in two zones', () => {
    const body = plain(
        one(template({ multiAz: true }), 'AWS::CloudWatch::Dashboard', '')[1].Properties.DashboardBody,
    );
    for (const n of [1, 2])
        for (const name of ['EngineCPUUtilization', 'DatabaseMemoryUsagePercentage'])
            assert.ok(body.includes(`"${name}","CacheClusterId","CacheValkey-00${n}"`), `${name} ${n}`);
});

for (const [database, storage] of [
    ['rds', 'FreeStorageSpace'],
    ['aurora', 'VolumeBytesUsed'],
] as const)
    test(`the dashboard shows what there is to know (${database})`, () => {
        const body = JSON.stringify(
            one(template({ database }), 'AWS::CloudWatch::Dashboard', '')[1].Properties.DashboardBody,
        );
        for (const name of [...SHOWN, storage]) assert.ok(body.includes(`\\"${name}\\"`), name);
        for (const title of [
            'api: CPU',
            'api: memory',
            'worker: CPU',
            'worker: memory',
            'Database: CPU',
            'Dead letters',
            'Logs a second',
        ])
            assert.ok(body.includes(title), title);
        for (const label of ['Minimum', 'Average', 'Maximum'])
            assert.equal(body.split(`\\"label\\":\\"${label}\\"`).length - 1, 4, label);
        assert.ok(refs(JSON.parse(body)).some((id) => id.startsWith('QueuesDeadLetters')));
        if (database === 'aurora')
            assert.match(
                body,
                /VolumeBytesUsed\\",\\"DBClusterIdentifier\\",\\"",\{"Ref":"\w+"\},"\\"(,\{|\])/,
            );
        /* The namespace that tasks are told to write to. */
        for (const name of ['LogsAccepted', 'LogsStored'])
            assert.ok(body.includes(`[\\"logmill\\",\\"${name}\\"`), name);
    });
