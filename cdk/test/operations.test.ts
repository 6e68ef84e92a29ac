import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { API, DATABASE, WORKER } from '../lib/thresholds';
import { one, refs, resources, template } from './helper';

test('api scales on CPU, memory, and requests per target', () => {
    const t = template();
    for (const [metric, target] of [
        ['ECSServiceAverageCPUUtilization', 60],
        ['ECSServiceAverageMemoryUtilization', 70],
        ['ALBRequestCountPerTarget', 30_000],
    ])
        t.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
            ScalingTargetId: { Ref: Match.stringLikeRegexp('^ServicesApi') },
            PolicyType: 'TargetTrackingScaling',
            TargetTrackingScalingPolicyConfiguration: {
                PredefinedMetricSpecification: { PredefinedMetricType: metric },
                TargetValue: target,
            },
        });
    t.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
        MinCapacity: 2,
        MaxCapacity: 20,
    });
    t.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
        MinCapacity: 1,
        MaxCapacity: 10,
    });
});

test('worker scales on messages visible by running tasks, of this queue and this service', () => {
    const t = template();
    const policy = one(t, 'AWS::ApplicationAutoScaling::ScalingPolicy', 'ScalingBacklogPerTask')[1]
        .Properties;
    assert.match(policy.ScalingTargetId.Ref, /^ServicesWorker/);
    const tracking = policy.TargetTrackingScalingPolicyConfiguration;
    assert.equal(tracking.TargetValue, 100);
    const [visible, running, backlog] = tracking.CustomizedMetricSpecification.Metrics;
    assert.equal(visible.MetricStat.Metric.MetricName, 'ApproximateNumberOfMessagesVisible');
    assert.match(refs(visible.MetricStat.Metric.Dimensions)[0], /^QueuesQueue/);
    assert.equal(running.MetricStat.Metric.Namespace, 'ECS/ContainerInsights');
    assert.equal(running.MetricStat.Metric.MetricName, 'RunningTaskCount');
    assert.match(refs(running.MetricStat.Metric.Dimensions)[1], /^ServicesWorkerService/);
    assert.equal(backlog.Expression, 'visible / IF(running > 0, running, 1)');
    assert.deepEqual(
        [visible, running, backlog].map((m) => m.ReturnData),
        [false, false, true],
    );
    t.hasResourceProperties('AWS::ECS::Cluster', {
        ClusterSettings: [{ Name: 'containerInsights', Value: 'enabled' }],
    });
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
    assert.equal(alarm.MetricName, 'ApproximateAgeOfOldestMessage');
    assert.equal(alarm.Threshold, WORKER.scaleAgeSeconds);
    assert.deepEqual(alarm.AlarmActions.flatMap(refs).sort(), [one(t, 'AWS::SNS::Topic', '')[0], id].sort());
});

const ALARMS: [string, string | RegExp, number][] = [
    ['ApiCpu', 'CPUUtilization', API.alarmCpuPercent],
    ['ApiMemory', 'MemoryUtilization', API.alarmMemoryPercent],
    ['ApiRequestsPerTarget', 'RequestCountPerTarget', API.alarmRequestsPerMinute],
    ['Api5xxRate', /HTTPCode_Target_5XX_Count.*HTTPCode_ELB_5XX_Count.*RequestCount/, API.alarm5xxPercent],
    ['ApiP99', 'TargetResponseTime', API.alarmP99Seconds],
    [
        'WorkerBacklogPerTask',
        /ApproximateNumberOfMessagesVisible.*RunningTaskCount/,
        WORKER.alarmBacklogPerTask,
    ],
    ['WorkerCpu', 'CPUUtilization', WORKER.alarmCpuPercent],
    ['WorkerMemory', 'MemoryUtilization', WORKER.alarmMemoryPercent],
    ['OldestMessage', 'ApproximateAgeOfOldestMessage', WORKER.alarmAgeSeconds],
    ['DeadLetters', 'ApproximateNumberOfMessagesVisible', 0],
    ['StoreFailures', 'StoreFailures', WORKER.alarmStoreFailures],
    ['DatabaseCpu', 'CPUUtilization', DATABASE.alarmCpuPercent],
    ['DatabaseConnections', 'DatabaseConnections', DATABASE.alarmConnections],
    ['DatabaseMemory', 'FreeableMemory', DATABASE.alarmFreeMemoryBytes],
    ['DatabaseFreeStorage', 'FreeStorageSpace', DATABASE.alarmFreeStorageBytes],
    ['CacheCpu', 'EngineCPUUtilization', 80],
    ['CacheMemory', 'DatabaseMemoryUsagePercentage', 80],
];
const BELOW = ['DatabaseMemory', 'DatabaseFreeStorage'];

for (const [name, metric, threshold] of ALARMS)
    test(`alarm ${name} tells the topic`, () => {
        const t = template();
        const found = resources(t, 'AWS::CloudWatch::Alarm').filter(
            ([, a]) => a.Properties.AlarmDescription === `logmill: ${name}`,
        );
        assert.equal(found.length, 1);
        const alarm = found[0][1].Properties;
        if (typeof metric === 'string') assert.equal(alarm.MetricName, metric);
        else assert.match(JSON.stringify(alarm.Metrics), metric);
        assert.equal(alarm.Threshold, threshold);
        assert.equal(
            alarm.ComparisonOperator,
            BELOW.includes(name) ? 'LessThanThreshold' : 'GreaterThanThreshold',
        );
        const topic = { Ref: one(t, 'AWS::SNS::Topic', '')[0] };
        assert.deepEqual(alarm.AlarmActions, [topic]);
        assert.deepEqual(alarm.OKActions, [topic]);
        if (name === 'StoreFailures')
            return assert.deepEqual(
                [alarm.Namespace, alarm.Period, alarm.Dimensions],
                ['logmill', 900, undefined],
            );
        const parts: [RegExp, RegExp][] = [
            [/^Api/, /Services(Api|Targets)/],
            [/^Worker/, /ServicesWorker/],
            [/^Database/, /DatabaseInstance/],
            [/^Cache/, /CacheValkey/],
            [/^Oldest/, /QueuesQueue/],
            [/^Dead/, /QueuesDeadLetters/],
        ];
        const part = parts.find(([start]) => start.test(name))![1];
        assert.ok(
            refs([alarm.Dimensions, alarm.Metrics]).some((id) => part.test(id)),
            'of the right part',
        );
    });

test('latency is the 99th percentile', () => {
    template().hasResourceProperties('AWS::CloudWatch::Alarm', {
        MetricName: 'TargetResponseTime',
        ExtendedStatistic: 'p99',
    });
});

test('the topic takes alarms and events, by TLS only, and writes to the address of the parameter', () => {
    const t = template();
    t.hasParameter('AlarmEmail', { Type: 'String', Default: '' });
    t.hasResource('AWS::SNS::Subscription', {
        Condition: Match.anyValue(),
        Properties: { Protocol: 'email', Endpoint: { Ref: 'AlarmEmail' } },
    });
    const statements = one(t, 'AWS::SNS::TopicPolicy', '')[1].Properties.PolicyDocument.Statement;
    const who = statements.filter((s: any) => s.Effect === 'Allow').map((s: any) => s.Principal.Service);
    assert.ok(who.includes('cloudwatch.amazonaws.com') && who.includes('events.amazonaws.com'));
    assert.ok(
        statements.some(
            (s: any) => s.Effect === 'Deny' && s.Condition.Bool['aws:SecureTransport'] === 'false',
        ),
    );
});

test('scaling and failed deployments notify', () => {
    const t = template();
    const topic = one(t, 'AWS::SNS::Topic', '')[0];
    for (const [source, kind] of [
        ['aws.cloudwatch', 'CloudWatch Alarm State Change'],
        ['aws.application-autoscaling', 'Application Auto Scaling Scaling Activity State Change'],
        ['aws.ecs', 'ECS Deployment State Change'],
    ])
        t.hasResourceProperties('AWS::Events::Rule', {
            State: 'ENABLED',
            EventPattern: { source: [source], 'detail-type': Match.arrayWith([kind]) },
            Targets: [Match.objectLike({ Arn: { Ref: topic } })],
        });
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
