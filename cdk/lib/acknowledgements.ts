/** What cdk-nag's AwsSolutions (or a plugin that is named) finds, and is meant to be so: each with its reason. */
import { CfnResource, Stack, Validations } from 'aws-cdk-lib';

/** Paths are those of resources below the stack. */
const ACKNOWLEDGED: readonly { path: RegExp; id: string; reason: string }[] = [
    {
        path: /^Network\/LoadBalancer\/Resource$/,
        id: 'EC23',
        reason: 'Chosen by exposure=internet, which asks for HTTPS and keys, or for named ranges of addresses.',
    },
    {
        path: /^Services\/AccessLogs\/Resource$/,
        id: 'S1',
        reason: 'The bucket holds access logs itself: logging access to it would have no end.',
    },
    {
        path: /^Database\/((Instance|Cluster)\/Secret|Writer|Reader)\/Resource$/,
        id: 'SMG4',
        reason: 'Tasks read the password at their start, so a rotation without a new deployment would cut them off; README.md tells how to change it.',
    },
    {
        path: /^Database\/(Instance|Cluster)\/Resource$/,
        id: 'RDS10',
        reason: 'Chosen by deletionProtection=false, without which the stack could not be destroyed; a last snapshot stays.',
    },
    {
        path: /^Cache\/(Token|Url)\/Resource$/,
        id: 'SMG4',
        reason: 'ElastiCache rotates passwords only together with its clients; the cache holds only copies, and is reached from the tasks alone.',
    },
    {
        path: /^Database\/Cluster\/Resource$/,
        id: 'CloudFormation-Validate::F3021',
        reason: 'Chosen by databaseSnapshot: the master user is the one of the snapshot, for whom CloudFormation takes no name; it sets the password.',
    },
    {
        path: /^Database\/Instance\/Resource$/,
        id: 'RDS3',
        reason: 'One zone is the default for its price: while the database is away, logs wait in SQS; -c multiAz=true adds the standby.',
    },
    {
        path: /^Database\/Instance\/Resource$/,
        id: 'RDS11',
        reason: 'Another port hides nothing: only the security groups of the tasks reach the database.',
    },
    {
        path: /^Database\/Cluster\/Resource$/,
        id: 'RDS6',
        reason: 'logmill logs in with the generated password of the secret.',
    },
    {
        path: /^Cache\/Valkey$/,
        id: 'AEC4',
        reason: 'The cache may be lost: reads go to the database, and workers fill it again; -c multiAz=true adds a replica.',
    },
    {
        path: /^Services\/(Api|Worker)Task\/Resource$/,
        id: 'ECS2',
        reason: 'What is in the environment is no secret; passwords come from Secrets Manager.',
    },
    {
        path: /^Services\/(Api|Worker)Task\/ExecutionRole\/DefaultPolicy\/Resource$/,
        id: 'IAM5[Resource::*]',
        reason: 'ecr:GetAuthorizationToken cannot be limited to a resource; all else in the policy is.',
    },
];

export function acknowledge(stack: Stack): void {
    for (const resource of stack.node.findAll().filter(CfnResource.isCfnResource)) {
        const path = resource.node.path.slice(stack.node.path.length + 1);
        for (const a of ACKNOWLEDGED.filter((one) => one.path.test(path)))
            Validations.of(resource).acknowledge({
                id: a.id.startsWith('CloudFormation-') ? a.id : `AwsSolutions::AwsSolutions-${a.id}`,
                reason: a.reason,
            });
    }
}
