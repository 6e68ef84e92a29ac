import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEYS, plain, resources, said, template } from './helper';

const OWN = 'if StringEquals aws:PrincipalAccount AWS::AccountId';
const BY_TLS = 'if Bool aws:SecureTransport false';
const PULL = 'ecr:BatchCheckLayerAvailability ecr:BatchGetImage';
const READ = 'Allow secretsmanager:DescribeSecret secretsmanager:GetSecretValue on';
const IMAGE = [
    `Allow ${PULL} ecr:GetDownloadUrlForLayer on arn:AWS::Partition:ecr:AWS::Region:AWS::AccountId:repository/` +
        'Fn::Sub cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}',
    'Allow ecr:GetAuthorizationToken on *', // which cannot be narrowed
];

/* All policies of a stack with keys, by what they are of. */
const POLICIES: Record<string, string[]> = {
    /* What tasks do, */
    ServicesApiTaskTaskRoleDefaultPolicy: [
        'Allow sqs:GetQueueAttributes sqs:SendMessage on QueuesQueue.Arn',
        'Allow sqs:GetQueueAttributes sqs:GetQueueUrl on QueuesDeadLetters.Arn',
    ],
    ServicesWorkerTaskTaskRoleDefaultPolicy: [
        'Allow sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage ' +
            'on QueuesQueue.Arn',
        'Allow sqs:GetQueueAttributes sqs:GetQueueUrl sqs:SendMessage on QueuesDeadLetters.Arn',
    ],
    /* what starts them: the master user's password is for a worker's task alone, in which `migrate` is, */
    ServicesApiTaskExecutionRoleDefaultPolicy: [
        ...IMAGE,
        'Allow logs:CreateLogStream logs:PutLogEvents on ServicesApiLogs.Arn',
        `${READ} DatabaseReader`,
        `${READ} CacheUrl`,
        `${READ} ${KEYS}`,
    ],
    ServicesWorkerTaskExecutionRoleDefaultPolicy: [
        ...IMAGE,
        'Allow logs:CreateLogStream logs:PutLogEvents on ServicesWorkerLogs.Arn',
        `${READ} DatabaseWriter`,
        `${READ} CacheUrl`,
        `${READ} DatabaseInstanceSecretAttachment`,
        `${READ} DatabaseReader`,
    ],
    /* and what endpoints let through. */
    NetworkVpcSqs: [`Allow AWS * sqs:* on QueuesQueue.Arn,QueuesDeadLetters.Arn ${OWN}`],
    NetworkVpcEcrApi: [`Allow AWS * ${PULL} ecr:GetAuthorizationToken ecr:GetDownloadUrlForLayer on * ${OWN}`],
    NetworkVpcEcrDocker: [`Allow AWS * ${PULL} ecr:GetAuthorizationToken ecr:GetDownloadUrlForLayer on * ${OWN}`],
    NetworkVpcLogs: [
        `Allow AWS * logs:CreateLogStream logs:PutLogEvents on ServicesApiLogs.Arn,ServicesWorkerLogs.Arn ${OWN}`,
    ],
    NetworkVpcSecretsManager: [
        'Allow AWS * secretsmanager:GetSecretValue on ' +
            `DatabaseInstanceSecretAttachment,DatabaseWriter,DatabaseReader,CacheUrl,${KEYS} ${OWN}`,
    ],
    NetworkVpcS3: ['Allow AWS * s3:GetObject on arn:AWS::Partition:s3:::prod-AWS::Region-starport-layer-bucket/*'],
    NetworkVpcFlowLogIAMRoleDefaultPolicy: [
        'Allow logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents on NetworkVpcFlowLogLogGroup.Arn',
    ],
    /* By TLS alone; the load balancer, alarms and events have to be let in. */
    QueuesQueue: [`Deny AWS * sqs:* on QueuesQueue.Arn ${BY_TLS}`],
    QueuesDeadLetters: [`Deny AWS * sqs:* on QueuesDeadLetters.Arn ${BY_TLS}`],
    ServicesAccessLogs: [
        `Deny AWS * s3:* on ServicesAccessLogs.Arn,ServicesAccessLogs.Arn/* ${BY_TLS}`,
        'Allow Service logdelivery.elasticloadbalancing.amazonaws.com s3:PutObject ' +
            'on ServicesAccessLogs.Arn/AWSLogs/AWS::AccountId/*',
    ],
    AlarmsTopic: [
        `Deny * sns:Publish on AlarmsTopic ${BY_TLS}`,
        'Allow Service cloudwatch.amazonaws.com sns:Publish on AlarmsTopic ' +
            'if StringEquals aws:SourceAccount AWS::AccountId',
        'Allow Service events.amazonaws.com sns:Publish on AlarmsTopic',
    ],
    AlarmsKey: [
        'Allow AWS arn:AWS::Partition:iam::AWS::AccountId:root kms:* on *',
        'Allow Service cloudwatch.amazonaws.com kms:Decrypt kms:GenerateDataKey* on *',
        'Allow Service events.amazonaws.com kms:Decrypt kms:GenerateDataKey* on *',
    ],
};

test('who may do what is what each has to do, and nothing else', () => {
    const t = template({ keysSecretArn: KEYS });
    const found: Record<string, string[]> = {};
    for (const [id, { Type, Properties }] of Object.entries<any>(t.toJSON().Resources)) {
        const policy = Properties?.PolicyDocument ?? Properties?.KeyPolicy;
        const of = Properties?.Queues ?? Properties?.Bucket ?? Properties?.Topics ?? { Ref: id };
        if (policy) found[plain(of)] = said(policy);
        if (Type === 'AWS::IAM::Policy')
            assert.deepEqual(plain(Properties.Roles), plain({ Ref: id }).replace(/DefaultPolicy$/, ''));
    }
    assert.deepEqual(found, POLICIES);
});

test('roles are of tasks, and have no policies beside their own', () => {
    for (const [id, { Properties }] of resources(template(), 'AWS::IAM::Role')) {
        const service = id.startsWith('Services') ? 'ecs-tasks' : 'vpc-flow-logs';
        assert.deepEqual(Properties.AssumeRolePolicyDocument.Statement, [
            { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: `${service}.amazonaws.com` } },
        ]);
        assert.deepEqual([Properties.ManagedPolicyArns, Properties.Policies], [undefined, undefined]);
    }
    for (const which of ['Api', 'Worker']) {
        const task = resources(template(), 'AWS::ECS::TaskDefinition').find(([id]) => id.includes(`${which}Task`))!;
        const { TaskRoleArn, ExecutionRoleArn } = task[1].Properties;
        assert.equal(plain(TaskRoleArn), `Services${which}TaskTaskRole.Arn`);
        assert.equal(plain(ExecutionRoleArn), `Services${which}TaskExecutionRole.Arn`);
    }
});
