import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { API, CLASSES, DATABASE, TASK_CONNECTIONS, WORKER } from '../lib/thresholds';
import { one, refs, resources, template } from './helper';

test('api scales on CPU, memory, and requests per target', () => {
    const t = template();
    for (const [metric, target] of [
        ['ECSServiceAverageCPUUtilization', 60],
        ['ECSServiceAverageMemoryUtilization', 70],
        ['ALBRequestCountPerTarget', 120_000],
    ])
        t.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
            ScalingTargetId: { Ref: Match.stringLikeRegexp('^ServicesApi') },
            PolicyType: 'TargetTrackingScaling',
            TargetTrackingScalingPolicyConfiguration: {
                PredefinedMetricSpecification: { PredefinedMetricType: metric },
                TargetValue: target,
            },
        });
    for (const [which, least] of [
        ['Api', 2],
        ['Worker', 1],
    ] as const)
        assert.equal(
            one(t, 'AWS::ApplicationAutoScaling::ScalableTarget', `Services${which}`)[1].Properties.MinCapacity,
            least,
        );
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

const ALARMS: [string, string | RegExp, unknown][] = [
    ['ApiCpu', 'CPUUtilization', API.alarmCpuPercent],
    ['ApiMemory', 'MemoryUtilization', API.alarmMemoryPercent],
    ['ApiRequestsPerTarget', 'RequestCountPerTarget', API.alarmRequestsPerMinute],
    ['Api5xxRate', /HTTPCode_Target_5XX_Count.*HTTPCode_ELB_5XX_Count.*RequestCount/, API.alarm5xxPercent],
    ['ApiHealthyHosts', 'HealthyHostCount', 1],
    ['ApiTasks', /RunningTaskCount/, API.minTasks],
    ['WorkerTasks', /RunningTaskCount/, WORKER.minTasks],
    ['WorkerDeployment', 'StoreFailures', WORKER.deployStoreFailures],
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
    [
        'DatabaseConnections',
        'DatabaseConnections',
        { 'Fn::FindInMap': ['DatabaseClasses', { Ref: 'DatabaseInstanceClass' }, 'alarmConnections'] },
    ],
    ['DatabaseCredits', 'CPUCreditBalance', DATABASE.alarmCredits],
    ['DatabaseTransactionIds', 'MaximumUsedTransactionIDs', 1_000_000_000],
    ['DatabaseDiskQueue', 'DiskQueueDepth', DATABASE.alarmDiskQueue],
    ['DatabaseMemory', 'FreeableMemory', DATABASE.alarmFreeMemoryBytes],
    ['DatabaseFreeStorage', 'FreeStorageSpace', 7.5 * 2 ** 30],
    ['CacheCpu', 'EngineCPUUtilization', 80],
    ['CacheMemory', 'DatabaseMemoryUsagePercentage', 80],
];
/* Where nobody is left to be measured, no number is the fault. */
const SILENCE = ['ApiHealthyHosts', 'ApiTasks', 'WorkerTasks', 'DatabaseCpu', 'CacheCpu'];
const BELOW = [
    'ApiHealthyHosts',
    'ApiTasks',
    'WorkerTasks',
    'DatabaseCredits',
    'DatabaseMemory',
    'DatabaseFreeStorage',
];

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
        assert.deepEqual(alarm.Threshold, threshold);
        assert.equal(alarm.TreatMissingData, SILENCE.includes(name) ? 'breaching' : 'notBreaching');
        assert.equal(
            alarm.ComparisonOperator,
            BELOW.includes(name) ? 'LessThanThreshold' : 'GreaterThanThreshold',
        );
        const topic = { Ref: one(t, 'AWS::SNS::Topic', '')[0] };
        assert.deepEqual(alarm.AlarmActions, [topic]);
        assert.deepEqual(alarm.OKActions, [topic]);
        if (alarm.MetricName === 'StoreFailures')
            return assert.deepEqual(
                [alarm.Namespace, alarm.Period, alarm.Dimensions],
                ['logmill', name === 'StoreFailures' ? 900 : 300, undefined],
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
    const aurora = template({ database: 'aurora' });
    aurora.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MaxCapacity: 20 });
    const alarm = resources(aurora, 'AWS::CloudWatch::Alarm').find(
        ([, a]) => a.Properties.AlarmDescription === 'logmill: DatabaseConnections',
    )!;
    assert.equal(alarm[1].Properties.Threshold, 1600);
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

test('the topic is encrypted by a key that alarms and events may use', () => {
    const t = template();
    const [key, { Properties }] = one(t, 'AWS::KMS::Key', '');
    assert.deepEqual(refs(one(t, 'AWS::SNS::Topic', '')[1].Properties.KmsMasterKeyId), [key]);
    assert.equal(Properties.EnableKeyRotation, true);
    const who = Properties.KeyPolicy.Statement.map((s: any) => s.Principal.Service).filter(Boolean);
    assert.deepEqual(who, ['cloudwatch.amazonaws.com', 'events.amazonaws.com']);
});

test('Aurora has alarms of its capacity in the place of credits', () => {
    const names = (database: 'rds' | 'aurora') =>
        resources(template({ database }), 'AWS::CloudWatch::Alarm').map(([, a]) =>
            String(a.Properties.AlarmDescription).slice(9),
        );
    assert.ok(names('aurora').includes('DatabaseCapacity') && !names('aurora').includes('DatabaseCredits'));
    assert.ok(!names('rds').includes('DatabaseCapacity'));
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

test('scaling down at rest notifies nobody', () => {
    const rule = one(template(), 'AWS::Events::Rule', 'AlarmsScalingPolicies')[1].Properties;
    assert.match(JSON.stringify(rule.EventPattern.detail.alarmName), /"wildcard".*-AlarmHigh-[*]/);
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
