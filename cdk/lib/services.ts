/** The two halves of logmill on ECS Fargate: api behind a load balancer, and worker. */
import { CfnOutput, Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sm from 'aws-cdk-lib/aws-secretsmanager';
import { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { Cache } from './cache';
import { namespace } from './counts';
import { Database, DATABASE_NAME } from './database';
import { API_PORT, DATABASE_PORT, METRICS_PORT, Network } from './network';
import { Queue } from './queue';
import { Settings } from './settings';
import { ACCESS_LOG_DAYS, API, DIAGNOSTICS_BUFFER_MIB, METRICS_SECONDS, WORKER } from './thresholds';

export interface ServicesProps {
    readonly network: Network;
    readonly queue: Queue;
    readonly database: Database;
    readonly cache: Cache;
    readonly image: ecs.ContainerImage;
    readonly settings: Settings;
}

const SHUTDOWN_SECONDS = 20;

/** Where the image has the authorities of RDS: Dockerfile, tools/rds-certificates. */
const RDS_CERTIFICATES = '/usr/share/logmill/rds.pem';

/** As which role to log in, or which to make. */
const login = (prefix: string, secret: sm.ISecret): Record<string, ecs.Secret> => ({
    [`${prefix}_USER`]: ecs.Secret.fromSecretsManager(secret, 'username'),
    [`${prefix}_PASS`]: ecs.Secret.fromSecretsManager(secret, 'password'),
});

export class Services extends Construct {
    readonly cluster: ecs.Cluster;
    readonly api: ecs.FargateService;
    readonly worker: ecs.FargateService;
    readonly loadBalancer: elb.ApplicationLoadBalancer;
    readonly targets: elb.ApplicationTargetGroup;
    private readonly logGroups: logs.LogGroup[] = [];

    constructor(
        scope: Construct,
        id: string,
        private readonly props: ServicesProps,
    ) {
        super(scope, id);
        const { network, queue } = props;
        this.cluster = new ecs.Cluster(this, 'Cluster', {
            vpc: network.vpc,
            containerInsightsV2: ecs.ContainerInsights.ENABLED, // the worker's scaling counts running tasks by it
        });
        this.api = this.service('Api', 'api', API, network.api);
        this.worker = this.service('Worker', 'worker', WORKER, network.worker);
        /* A worker brings the schema up to date, which an api of the same version needs. */
        this.api.node.addDependency(this.worker);

        const allow = (service: ecs.FargateService, { queueArn }: IQueue, ...actions: string[]) =>
            service.taskDefinition.addToTaskRolePolicy(
                new iam.PolicyStatement({ actions, resources: [queueArn] }),
            );
        allow(this.api, queue.queue, 'sqs:SendMessage', 'sqs:GetQueueAttributes');
        allow(
            this.worker,
            queue.queue,
            'sqs:ReceiveMessage',
            'sqs:DeleteMessage',
            'sqs:ChangeMessageVisibility',
            'sqs:GetQueueAttributes',
        );
        /* Both count dead letters for /metrics; a record that the database refuses is sent there alone. */
        allow(this.api, queue.deadLetters, 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes');
        allow(this.worker, queue.deadLetters, 'sqs:GetQueueUrl', 'sqs:GetQueueAttributes', 'sqs:SendMessage');
        network.endpointOf.Sqs.addToPolicy(
            new iam.PolicyStatement({
                sid: 'TheseQueuesOnly',
                principals: [new iam.AnyPrincipal()],
                actions: ['sqs:*'],
                resources: [queue.queue.queueArn, queue.deadLetters.queueArn],
                conditions: { StringEquals: { 'aws:PrincipalAccount': Stack.of(this).account } },
            }),
        );

        this.endpointPolicies();

        this.loadBalancer = new elb.ApplicationLoadBalancer(this, 'LoadBalancer', {
            vpc: network.vpc,
            vpcSubnets: { subnetGroupName: 'load-balancer' },
            internetFacing: props.settings.exposure === 'internet',
            deletionProtection: props.settings.deletionProtection,
            securityGroup: network.loadBalancer,
            dropInvalidHeaderFields: true,
            idleTimeout: Duration.seconds(60), // less than logmill's KEEPALIVE_TIMEOUT: it never closes first
        });
        this.accessLogs();
        /* Another exposure makes another load balancer, before the old one goes, and a target group can be of one. */
        const targets = props.settings.exposure === 'internet' ? 'TargetsInternet' : 'Targets';
        this.targets = new elb.ApplicationTargetGroup(this, targets, {
            vpc: network.vpc,
            protocol: elb.ApplicationProtocol.HTTP,
            port: API_PORT,
            targetType: elb.TargetType.IP,
            targets: [this.api],
            deregistrationDelay: Duration.seconds(30),
            healthCheck: {
                path: '/health',
                healthyHttpCodes: '200',
                interval: Duration.seconds(10),
                timeout: Duration.seconds(5),
                healthyThresholdCount: 2,
                unhealthyThresholdCount: 3,
            },
        });
        const { certificateArn } = props.settings;
        if (certificateArn) {
            this.loadBalancer.addListener('Https', {
                port: 443,
                open: false,
                defaultTargetGroups: [this.targets],
                certificates: [acm.Certificate.fromCertificateArn(this, 'Certificate', certificateArn)],
                sslPolicy: elb.SslPolicy.RECOMMENDED_TLS,
            });
            this.loadBalancer.addListener('Http', {
                port: 80,
                open: false,
                /* No redirect: of a POST it would make a GET, and the log would be lost unseen. */
                defaultAction: elb.ListenerAction.fixedResponse(400, {
                    contentType: 'application/json',
                    messageBody: '{"detail":"this is HTTPS: https:// and port 443"}',
                }),
            });
        } else {
            this.loadBalancer.addListener('Http', {
                port: 80,
                open: false,
                defaultTargetGroups: [this.targets],
            });
        }
        new CfnOutput(Stack.of(this), 'QueueUrl', { value: queue.queue.queueUrl });
        new CfnOutput(Stack.of(this), 'LoadBalancerAddress', {
            value: `${certificateArn ? 'https' : 'http'}://${this.loadBalancer.loadBalancerDnsName}`,
        });
    }

    /** By the other endpoints, too, tasks reach what is theirs, and nobody's but of this account. */
    private endpointPolicies(): void {
        const { network, database, cache } = this.props;
        const allow = (endpoint: keyof typeof network.endpointOf, sid: string, actions: string[], resources: string[]) =>
            network.endpointOf[endpoint].addToPolicy(
                new iam.PolicyStatement({
                    sid,
                    principals: [new iam.AnyPrincipal()],
                    actions,
                    resources,
                    conditions: { StringEquals: { 'aws:PrincipalAccount': Stack.of(this).account } },
                }),
            );
        const pull = [
            'ecr:GetAuthorizationToken',
            'ecr:BatchCheckLayerAvailability',
            'ecr:GetDownloadUrlForLayer',
            'ecr:BatchGetImage',
        ];
        allow('EcrApi', 'PullOnly', pull, ['*']);
        allow('EcrDocker', 'PullOnly', pull, ['*']);
        allow(
            'Logs',
            'TheseGroupsOnly',
            ['logs:CreateLogStream', 'logs:PutLogEvents'],
            this.logGroups.map((group) => group.logGroupArn),
        );
        const { master, writer, reader } = database;
        const secrets = [master, writer, reader, cache.url].map((secret) => secret.secretArn);
        if (this.props.settings.keysSecretArn) secrets.push(this.props.settings.keysSecretArn);
        allow('SecretsManager', 'TheseSecretsOnly', ['secretsmanager:GetSecretValue'], secrets);
    }

    /** Who may do what is for the api to know; nobody may without a key, also if the secret says none. */
    private keys(command: 'api' | 'worker'): {
        environment?: Record<string, string>;
        secrets?: Record<string, ecs.Secret>;
    } {
        const { keysSecretArn } = this.props.settings;
        if (command !== 'api' || !keysSecretArn) return {};
        const secret = sm.Secret.fromSecretCompleteArn(this, 'Keys', keysSecretArn);
        return {
            environment: { ANONYMOUS: 'none' },
            secrets: { KEYS: ecs.Secret.fromSecretsManager(secret) },
        };
    }

    /**
     * A container that ends before the worker's begins: the schema of this version, and the roles by which workers
     * and api log in. It alone has the master user's password.
     */
    private migrates(task: ecs.FargateTaskDefinition, worker: ecs.ContainerDefinition, log: ecs.LogDriver): void {
        const { database, image } = this.props;
        const migrate = task.addContainer('migrate', {
            image,
            entryPoint: ['logmill'],
            command: ['migrate'],
            essential: false,
            readonlyRootFilesystem: true,
            environment: { ...this.databaseEnvironment(), LOG_FORMAT: 'json' },
            secrets: {
                ...login('DATABASE', database.master),
                ...login('DATABASE_WRITER', database.writer),
                ...login('DATABASE_READER', database.reader),
            },
            logging: log,
        });
        worker.addContainerDependencies({ container: migrate, condition: ecs.ContainerDependencyCondition.SUCCESS });
    }

    private databaseEnvironment(): Record<string, string> {
        return {
            DATABASE_HOST: this.props.database.host,
            DATABASE_PORT: String(DATABASE_PORT),
            DATABASE_NAME,
            PGSSLMODE: 'verify-full',
            PGSSLROOTCERT: RDS_CERTIFICATES,
        };
    }

    private service(
        id: string,
        command: 'api' | 'worker',
        size: typeof API | typeof WORKER,
        group: Network['api'],
    ): ecs.FargateService {
        const { network, queue, database, cache, image, settings } = this.props;
        const keys = this.keys(command);
        const task = new ecs.FargateTaskDefinition(this, `${id}Task`, {
            cpu: size.cpu,
            memoryLimitMiB: size.memoryMiB,
            runtimePlatform: {
                cpuArchitecture:
                    settings.cpuArchitecture === 'ARM64'
                        ? ecs.CpuArchitecture.ARM64
                        : ecs.CpuArchitecture.X86_64,
                operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
            },
        });
        const logging = ecs.LogDrivers.awsLogs({
            streamPrefix: command,
            /* A task must not stand still because CloudWatch does. */
            mode: ecs.AwsLogDriverMode.NON_BLOCKING,
            maxBufferSize: Size.mebibytes(DIAGNOSTICS_BUFFER_MIB),
            logGroup: this.logGroup(id),
        });
        const container = task.addContainer('logmill', {
            image,
            /* The whole command, whatever the image's entry point is. */
            entryPoint: ['logmill'],
            command: [command],
            readonlyRootFilesystem: true,
            stopTimeout: Duration.seconds(SHUTDOWN_SECONDS + 10),
            portMappings: command === 'api' ? [{ containerPort: API_PORT }] : [],
            /* The load balancer looks after the api. Being alive is asked for, not whether the database is. */
            healthCheck:
                command === 'api'
                    ? undefined
                    : {
                          command: ['CMD', 'logmill', 'health', command],
                          interval: Duration.seconds(30),
                          timeout: Duration.seconds(5),
                          retries: 3,
                          startPeriod: Duration.seconds(120),
                      },
            environment: {
                ...(command === 'api'
                    ? {
                          HOST: '0.0.0.0',
                          PORT: String(API_PORT),
                          TRUSTED_PROXIES: network.loadBalancerRanges().join(),
                          WEB_CONCURRENCY: '1', // each thread gathers messages of its own, which cost
                      }
                    : { HOST: '127.0.0.1', METRICS_PORT: String(METRICS_PORT) }),
                EMF_INTERVAL: String(METRICS_SECONDS),
                EMF_NAMESPACE: namespace(this),
                AWS_REGION: Stack.of(this).region,
                SQS_QUEUE_URL: queue.queue.queueUrl,
                ...this.databaseEnvironment(),
                LOG_FORMAT: 'json',
                RETENTION_DAYS: String(settings.retentionDays),
                SHUTDOWN_TIMEOUT: String(SHUTDOWN_SECONDS),
                ...keys.environment,
            },
            secrets: {
                ...login('DATABASE', command === 'api' ? database.reader : database.writer),
                REDIS_URL: ecs.Secret.fromSecretsManager(cache.url),
                ...keys.secrets,
            },
            logging,
        });
        if (command === 'worker') this.migrates(task, container, logging);
        const service = new ecs.FargateService(this, id, {
            cluster: this.cluster,
            taskDefinition: task,
            vpcSubnets: network.tasks,
            securityGroups: [group],
            assignPublicIp: false,
            minHealthyPercent: 100,
            maxHealthyPercent: 200,
            circuitBreaker: { enable: true, rollback: true },
            propagateTags: ecs.PropagatedTagSource.SERVICE,
            enableECSManagedTags: true,
        });
        /* Scaling owns the number: a deployment must not set it back. */
        (service.node.defaultChild as ecs.CfnService).desiredCount = undefined;
        /* No task before what it may reach. */
        service.node.addDependency(network, database);
        return service;
    }

    private logGroup(id: string): logs.LogGroup {
        const group = new logs.LogGroup(this, `${id}Logs`, {
            retention: logs.RetentionDays.ONE_MONTH,
            removalPolicy: RemovalPolicy.DESTROY,
        });
        this.logGroups.push(group);
        return group;
    }

    /** A deployment during which one of these alarms comes up is rolled back, beside the circuit breaker. */
    watch(alarms: { apiDeployment: cw.Alarm[]; workerDeployment: cw.Alarm[] }): void {
        for (const [service, watched] of [
            [this.api, alarms.apiDeployment],
            [this.worker, alarms.workerDeployment],
        ] as const) {
            const resource = service.node.defaultChild as ecs.CfnService;
            resource.deploymentConfiguration = {
                ...(resource.deploymentConfiguration as ecs.CfnService.DeploymentConfigurationProperty),
                alarms: { alarmNames: watched.map((a) => a.alarmName), enable: true, rollback: true },
            };
        }
    }

    private accessLogs(): void {
        const bucket = new s3.Bucket(this, 'AccessLogs', {
            encryption: s3.BucketEncryption.S3_MANAGED, // the only kind load balancers can write to
            blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
            enforceSSL: true,
            lifecycleRules: [{ expiration: Duration.days(ACCESS_LOG_DAYS) }],
            removalPolicy: RemovalPolicy.RETAIN,
        });
        bucket.addToResourcePolicy(
            new iam.PolicyStatement({
                principals: [new iam.ServicePrincipal('logdelivery.elasticloadbalancing.amazonaws.com')],
                actions: ['s3:PutObject'],
                resources: [bucket.arnForObjects(`AWSLogs/${Stack.of(this).account}/*`)],
            }),
        );
        /* logAccessLogs() would ask for a region fixed in code. */
        this.loadBalancer.setAttribute('access_logs.s3.enabled', 'true');
        this.loadBalancer.setAttribute('access_logs.s3.bucket', bucket.bucketName);
        this.loadBalancer.node.addDependency(bucket.policy!);
    }
}
