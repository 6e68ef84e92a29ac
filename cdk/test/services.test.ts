import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../lib/image';
import { CERTIFICATE, KEYS, one, plain, resources, template } from './helper';

const task = (which: 'Api' | 'Worker', t = template()) =>
    one(t, 'AWS::ECS::TaskDefinition', `Services${which}Task`)[1].Properties;

const environment = (container: any): Record<string, string> =>
    Object.fromEntries(container.Environment.map((e: any) => [e.Name, plain(e.Value)]));
const secrets = (container: any): Record<string, string> =>
    Object.fromEntries(container.Secrets.map((e: any) => [e.Name, plain(e.ValueFrom)]));

const DATABASE = {
    DATABASE_HOST: 'DatabaseInstance.Endpoint.Address',
    DATABASE_PORT: '5432',
    DATABASE_NAME: 'logs',
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: '/usr/share/logmill/rds.pem',
};
const COMMON = {
    ...DATABASE,
    AWS_REGION: 'AWS::Region',
    SQS_QUEUE_URL: 'QueuesQueue',
    EMF_INTERVAL: '60',
    EMF_NAMESPACE: 'logmill',
    LOG_FORMAT: 'json',
    RETENTION_DAYS: '0',
    SHUTDOWN_TIMEOUT: '20',
};
/* The settings of each half: its own, and its role of the database. */
const HALVES = {
    Api: [
        {
            HOST: '0.0.0.0',
            PORT: '8000',
            TRUSTED_PROXIES: '10.0.0.0/24,10.0.1.0/24', // the load balancer's subnets, in which no client is
            WEB_CONCURRENCY: '1',
        },
        'DatabaseReader',
    ],
    Worker: [{ HOST: '127.0.0.1', METRICS_PORT: '8001' }, 'DatabaseWriter'],
} as const;

for (const which of ['Api', 'Worker'] as const)
    test(`a task runs logmill ${which.toLowerCase()} with its settings, passwords from Secrets Manager`, () => {
        const { ContainerDefinitions, Cpu, Memory, NetworkMode, RequiresCompatibilities } = task(which);
        const [container] = ContainerDefinitions;
        const [own, login] = HALVES[which];
        assert.deepEqual([Cpu, Memory, NetworkMode, RequiresCompatibilities], ['512', '1024', 'awsvpc', ['FARGATE']]);
        assert.deepEqual([...container.EntryPoint, ...container.Command], ['logmill', which.toLowerCase()]);
        assert.deepEqual(environment(container), { ...COMMON, ...own });
        assert.deepEqual(secrets(container), {
            DATABASE_USER: `${login}:username::`,
            DATABASE_PASS: `${login}:password::`,
            REDIS_URL: 'CacheUrl',
        });
        assert.deepEqual(
            container.PortMappings ?? [],
            which === 'Api' ? [{ ContainerPort: 8000, Protocol: 'tcp' }] : [],
        );
        assert.equal(container.Essential, true);
        assert.equal(container.ReadonlyRootFilesystem, true);
        assert.equal(container.StopTimeout, 30); // more than SHUTDOWN_TIMEOUT
        for (const { LogConfiguration } of ContainerDefinitions)
            assert.equal(
                plain(LogConfiguration),
                `LogDriver awslogs; Options awslogs-group Services${which}Logs; ` +
                    `awslogs-stream-prefix ${which.toLowerCase()}; awslogs-region AWS::Region; ` +
                    'mode non-blocking; max-buffer-size 10485760b',
            );
    });

test('a worker that is not alive is replaced; the database is no part of that', () => {
    const check = task('Worker').ContainerDefinitions[0].HealthCheck;
    assert.deepEqual(check.Command, ['CMD', 'logmill', 'health', 'worker']);
    assert.ok(check.StartPeriod >= 60 && check.Retries > 1 && check.Interval > check.Timeout);
});

test('logs are kept for as many days as is set', () => {
    const [container] = task('Worker', template({ retentionDays: 30 })).ContainerDefinitions;
    assert.equal(environment(container).RETENTION_DAYS, '30');
});

test('the processor is ARM64, or x86 by choice', () => {
    assert.equal(task('Api').RuntimePlatform.CpuArchitecture, 'ARM64');
    for (const which of ['Api', 'Worker'] as const)
        assert.equal(
            task(which, template({ cpuArchitecture: 'X86_64' })).RuntimePlatform.CpuArchitecture,
            'X86_64',
        );
});

test('services are Fargate, and a deployment that fails is rolled back', () => {
    const services = resources(template(), 'AWS::ECS::Service');
    assert.equal(services.length, 2);
    for (const [, s] of services) {
        assert.equal(s.Properties.LaunchType, 'FARGATE');
        assert.equal(s.Properties.DesiredCount, undefined);
        assert.deepEqual(s.Properties.DeploymentConfiguration.DeploymentCircuitBreaker, {
            Enable: true,
            Rollback: true,
        });
        assert.equal(s.Properties.DeploymentConfiguration.MinimumHealthyPercent, 100);
        assert.equal(s.Properties.PropagateTags, 'SERVICE');
        assert.equal(s.Properties.EnableECSManagedTags, true);
    }
});

test('a new worker is there before a new api, which needs its schema', () => {
    const t = template();
    const [worker] = one(t, 'AWS::ECS::Service', 'ServicesWorker');
    assert.ok(one(t, 'AWS::ECS::Service', 'ServicesApi')[1].DependsOn.includes(worker));
});

test('with a secret of keys the api has its text, and lets in nobody without a key', () => {
    const t = template({ keysSecretArn: KEYS });
    const api = task('Api', t).ContainerDefinitions[0];
    assert.equal(secrets(api).KEYS, KEYS);
    assert.equal(environment(api).ANONYMOUS, 'none');
    for (const container of [
        task('Worker', t).ContainerDefinitions[0],
        task('Api').ContainerDefinitions[0],
    ]) {
        assert.equal(secrets(container).KEYS, undefined);
        assert.equal(environment(container).ANONYMOUS, undefined);
    }
});

test('the master password is for what makes the roles alone, by which workers and api log in', () => {
    const t = template();
    const [, migrate, ...others] = task('Worker', t).ContainerDefinitions;
    assert.deepEqual([others, task('Api', t).ContainerDefinitions.length], [[], 1]);
    assert.deepEqual(secrets(migrate), {
        DATABASE_USER: 'DatabaseInstanceSecretAttachment:username::',
        DATABASE_PASS: 'DatabaseInstanceSecretAttachment:password::',
        DATABASE_WRITER_USER: 'DatabaseWriter:username::',
        DATABASE_WRITER_PASS: 'DatabaseWriter:password::',
        DATABASE_READER_USER: 'DatabaseReader:username::',
        DATABASE_READER_PASS: 'DatabaseReader:password::',
    });
    for (const [which, username] of [
        ['Writer', 'logmill_worker'],
        ['Reader', 'logmill_api'],
    ])
        assert.deepEqual(
            one(t, 'AWS::SecretsManager::Secret', `Database${which}`)[1].Properties.GenerateSecretString,
            {
                SecretStringTemplate: JSON.stringify({ username }),
                GenerateStringKey: 'password',
                PasswordLength: 64,
                ExcludePunctuation: true,
            },
        );
});

test('the schema is ready before a worker begins, and a worker before an api of the same version', () => {
    const t = template();
    const [worker, migrate] = task('Worker', t).ContainerDefinitions;
    assert.deepEqual([...migrate.EntryPoint, ...migrate.Command], ['logmill', 'migrate']);
    assert.deepEqual(worker.DependsOn, [{ Condition: 'SUCCESS', ContainerName: 'migrate' }]);
    assert.equal(migrate.Essential, false);
    assert.deepEqual(migrate.Image, worker.Image);
    assert.equal(migrate.ReadonlyRootFilesystem, true);
    assert.deepEqual(environment(migrate), { ...DATABASE, LOG_FORMAT: 'json' });
    const [, api] = one(t, 'AWS::ECS::Service', 'ServicesApi');
    assert.ok(api.DependsOn.includes(one(t, 'AWS::ECS::Service', 'ServicesWorker')[0]));
});

test('the load balancer faces clients and asks /health', () => {
    const t = template();
    t.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
        Scheme: 'internal',
        Type: 'application',
    });
    t.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
        HealthCheckPath: '/health',
        Port: 8000,
        Protocol: 'HTTP',
        TargetType: 'ip',
        Matcher: { HttpCode: '200' },
    });
    const [group] = one(t, 'AWS::ElasticLoadBalancingV2::TargetGroup', '');
    const api = one(t, 'AWS::ECS::Service', 'ServicesApi')[1].Properties;
    assert.deepEqual(api.LoadBalancers, [
        { ContainerName: 'logmill', ContainerPort: 8000, TargetGroupArn: { Ref: group } },
    ]);
    assert.equal(one(t, 'AWS::ECS::Service', 'ServicesWorker')[1].Properties.LoadBalancers, undefined);
    t.hasOutput('LoadBalancerAddress', {});
    t.hasOutput('QueueUrl', { Value: { Ref: one(t, 'AWS::SQS::Queue', 'QueuesQueue')[0] } });
});

test('without a certificate there is HTTP; with one, HTTPS, and HTTP is refused, not led there', () => {
    const http = resources(template(), 'AWS::ElasticLoadBalancingV2::Listener').map(([, l]) => l.Properties);
    assert.deepEqual(
        http.map((l) => [l.Port, l.Protocol, l.DefaultActions[0].Type]),
        [[80, 'HTTP', 'forward']],
    );
    const tls = resources(template({ certificateArn: CERTIFICATE }), 'AWS::ElasticLoadBalancingV2::Listener')
        .map(([, l]) => l.Properties)
        .sort((a, b) => a.Port - b.Port);
    assert.deepEqual(
        tls.map((l) => [l.Port, l.Protocol, l.DefaultActions[0].Type]),
        [
            [80, 'HTTP', 'fixed-response'],
            [443, 'HTTPS', 'forward'],
        ],
    );
    assert.equal(tls[0].DefaultActions[0].FixedResponseConfig.StatusCode, '400');
    assert.match(JSON.parse(tls[0].DefaultActions[0].FixedResponseConfig.MessageBody).detail, /https/);
    assert.deepEqual(tls[1].Certificates, [{ CertificateArn: CERTIFICATE }]);
    assert.match(tls[1].SslPolicy, /^ELBSecurityPolicy-TLS13-1-[23]-/);
    for (const listener of [http[0], tls[1]])
        assert.match(listener.DefaultActions[0].TargetGroupArn.Ref, /^ServicesTargets/);
});

/** The default of a setting, as docs/settings.md has it. */
function byDefault(setting: string): number {
    const settings = readFileSync(join(repository(), 'docs/settings.md'), 'utf8');
    return Number(new RegExp(`^[|] .${setting}. [|] (\\d+) [|]`, 'm').exec(settings)![1]);
}

test('the load balancer closes no connection second, and leaves tasks time to answer what they have', () => {
    const t = template();
    const [bucket] = one(t, 'AWS::S3::Bucket', 'ServicesAccessLogs');
    const attributes = (of: any[]) => Object.fromEntries(of.map(({ Key, Value }) => [Key, Value]));
    const [, balancer] = one(t, 'AWS::ElasticLoadBalancingV2::LoadBalancer', '');
    assert.deepEqual(attributes(balancer.Properties.LoadBalancerAttributes), {
        'access_logs.s3.enabled': 'true',
        'access_logs.s3.bucket': { Ref: bucket },
        'deletion_protection.enabled': 'true',
        'idle_timeout.timeout_seconds': '60',
        'routing.http.drop_invalid_header_fields.enabled': 'true',
    });
    assert.ok(byDefault('KEEPALIVE_TIMEOUT') > 60);
    const targets = one(t, 'AWS::ElasticLoadBalancingV2::TargetGroup', '')[1].Properties;
    assert.equal(attributes(targets.TargetGroupAttributes)['deregistration_delay.timeout_seconds'], '30');
    assert.deepEqual(
        [targets.HealthCheckIntervalSeconds, targets.HealthCheckTimeoutSeconds],
        [10, 5],
        'how often tasks are asked whether they are alive',
    );
    assert.deepEqual([targets.HealthyThresholdCount, targets.UnhealthyThresholdCount], [2, 3]);
});

test('access logs go to a private bucket, for a week, and stay when the stack is gone', () => {
    const t = template();
    const [, bucket] = one(t, 'AWS::S3::Bucket', 'ServicesAccessLogs');
    const [policy] = one(t, 'AWS::S3::BucketPolicy', 'ServicesAccessLogs');
    assert.deepEqual(bucket.Properties, {
        /* The only kind that load balancers can write to. */
        BucketEncryption: {
            ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
        },
        LifecycleConfiguration: { Rules: [{ ExpirationInDays: 7, Status: 'Enabled' }] },
        PublicAccessBlockConfiguration: {
            BlockPublicAcls: true,
            BlockPublicPolicy: true,
            IgnorePublicAcls: true,
            RestrictPublicBuckets: true,
        },
    });
    assert.deepEqual([bucket.DeletionPolicy, bucket.UpdateReplacePolicy], ['Retain', 'Retain']);
    /* A load balancer that may not write there cannot be made. */
    assert.ok(one(t, 'AWS::ElasticLoadBalancingV2::LoadBalancer', '')[1].DependsOn.includes(policy));
});
