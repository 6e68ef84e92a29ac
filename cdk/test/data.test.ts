import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { AuroraPostgresEngineVersion, PostgresEngineVersion } from 'aws-cdk-lib/aws-rds';
import { one, plain, refs, resources, template } from './helper';

test('queue and dead letters keep messages for 14 days, encrypted, also when the stack is gone', () => {
    const t = template();
    const queues = resources(t, 'AWS::SQS::Queue');
    assert.equal(queues.length, 2);
    for (const [, q] of queues) {
        assert.equal(q.Properties.MessageRetentionPeriod, 14 * 86400);
        assert.equal(q.Properties.SqsManagedSseEnabled, true);
        assert.equal(q.Properties.MaximumMessageSize, 1_048_576);
        assert.deepEqual([q.DeletionPolicy, q.UpdateReplacePolicy], ['Retain', 'Retain']);
    }
});

test('a message that fails a hundred times goes to the dead letters', () => {
    const t = template();
    const [dead] = one(t, 'AWS::SQS::Queue', 'QueuesDeadLetters');
    t.hasResourceProperties('AWS::SQS::Queue', {
        RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [dead, 'Arn'] }, maxReceiveCount: 100 },
        VisibilityTimeout: 60,
        ReceiveMessageWaitTimeSeconds: 20, // an empty answer is paid like a full one
    });
});

test('PostgreSQL 17 on RDS: encrypted, private, backed up, protected, its password generated', () => {
    const t = template();
    t.resourceCountIs('AWS::RDS::DBCluster', 0);
    t.hasResource('AWS::RDS::DBInstance', {
        DeletionPolicy: 'Snapshot',
        Properties: {
            Engine: 'postgres',
            EngineVersion: Match.stringLikeRegexp('^17'),
            StorageEncrypted: true,
            PubliclyAccessible: false,
            BackupRetentionPeriod: 7,
            DeletionProtection: true,
            DBName: 'logs',
            DBInstanceClass: { Ref: 'DatabaseInstanceClass' },
            MultiAZ: false,
            AllocatedStorage: '50',
            MaxAllocatedStorage: 1000,
            StorageType: 'gp3',
            CopyTagsToSnapshot: true,
            DBParameterGroupName: { Ref: one(t, 'AWS::RDS::DBParameterGroup', '')[0] },
            DBSubnetGroupName: { Ref: one(t, 'AWS::RDS::DBSubnetGroup', '')[0] },
        },
    });
    t.hasParameter('DatabaseInstanceClass', { Default: 'db.t4g.small' });
    const [secret, made] = one(t, 'AWS::SecretsManager::Secret', 'logmillDatabase');
    assert.equal(made.Properties.GenerateSecretString.GenerateStringKey, 'password');
    const password = one(t, 'AWS::RDS::DBInstance', '')[1].Properties.MasterUserPassword;
    assert.deepEqual(refs(password), [secret]);
    assert.match(JSON.stringify(password), /resolve:secretsmanager/);
});

test('deletion protection and the second zone are choices', () => {
    const t = template({ deletionProtection: false, multiAz: true });
    t.hasResourceProperties('AWS::RDS::DBInstance', { DeletionProtection: false, MultiAZ: true });
    const nodes = (of: typeof t) => {
        const p = one(of, 'AWS::ElastiCache::ReplicationGroup', '')[1].Properties;
        return [p.NumNodeGroups, p.ReplicasPerNodeGroup, p.AutomaticFailoverEnabled, p.MultiAZEnabled];
    };
    assert.deepEqual(nodes(t), [1, 1, true, true]);
    assert.deepEqual(nodes(template()), [1, 0, false, false]);
});

test('Aurora Serverless v2 by a switch, with the same promises', () => {
    const t = template({ database: 'aurora' });
    t.hasResource('AWS::RDS::DBCluster', {
        DeletionPolicy: 'Snapshot',
        Properties: {
            Engine: 'aurora-postgresql',
            EngineVersion: Match.stringLikeRegexp('^17'),
            StorageEncrypted: true,
            BackupRetentionPeriod: 7,
            DeletionProtection: true,
            DatabaseName: 'logs',
            ServerlessV2ScalingConfiguration: { MinCapacity: 0.5, MaxCapacity: 16 },
        },
    });
    t.hasResourceProperties('AWS::RDS::DBInstance', {
        DBInstanceClass: 'db.serverless',
        PubliclyAccessible: false,
    });
    t.resourceCountIs('AWS::RDS::DBInstance', 1);
    template({ database: 'aurora', multiAz: true }).resourceCountIs('AWS::RDS::DBInstance', 2);
    assert.deepEqual(
        one(t, 'AWS::RDS::DBSubnetGroup', '')[1].Properties.SubnetIds.map(plain),
        ['NetworkVpcdataSubnet1Subnet', 'NetworkVpcdataSubnet2Subnet'],
    );
    const [secret, made] = one(t, 'AWS::SecretsManager::Secret', 'logmillDatabase');
    assert.equal(made.Properties.GenerateSecretString.GenerateStringKey, 'password');
    const password = one(t, 'AWS::RDS::DBCluster', '')[1].Properties.MasterUserPassword;
    assert.deepEqual(refs(password), [secret]);
    assert.match(JSON.stringify(password), /resolve:secretsmanager/);
    const [group] = one(t, 'AWS::EC2::SecurityGroup', 'NetworkDatabase');
    t.hasResourceProperties('AWS::RDS::DBCluster', {
        VpcSecurityGroupIds: [{ 'Fn::GetAtt': [group, 'GroupId'] }],
    });
});

const SNAPSHOT = 'logmill-snapshot-databaseinstance-1a2b3c';

for (const [database, type, named, inherited] of [
    ['rds', 'AWS::RDS::DBInstance', 'DBSnapshotIdentifier', ['DBName']],
    ['aurora', 'AWS::RDS::DBCluster', 'SnapshotIdentifier', ['DatabaseName']],
] as const)
    test(`a database is brought back from a snapshot, by a new password of its master user (${database})`, () => {
        const plainly = template({ database });
        const restored = template({ database, databaseSnapshot: SNAPSHOT });
        const [id, made] = one(restored, type, '');
        const { [named]: snapshot, ...rest } = made.Properties;
        assert.equal(snapshot, SNAPSHOT);
        const [idPlainly, madePlainly] = one(plainly, type, '');
        assert.equal(id, idPlainly);
        /* CloudFormation lets nobody say these again, and no version may be older than the snapshot's. */
        const chosen = { ...madePlainly.Properties };
        for (const name of [...inherited, 'MasterUsername', 'StorageEncrypted', 'EngineVersion']) {
            assert.ok(name in chosen, name);
            delete chosen[name];
        }
        assert.deepEqual(rest, chosen);
        assert.equal(made.DeletionPolicy, 'Snapshot');
        /* With a name of its own it cannot be replaced, also if the snapshot is named no more. */
        assert.equal(Object.values(rest).filter((value) => value === 'logmill').length, 1);
        const [secret, { Properties }] = one(restored, 'AWS::SecretsManager::Secret', 'logmillDatabase');
        assert.equal(JSON.parse(Properties.GenerateSecretString.SecretStringTemplate).username, 'logmill');
        assert.deepEqual(refs(rest.MasterUserPassword), [secret]);
        assert.equal(
            resources(restored, 'AWS::SecretsManager::Secret').length,
            resources(plainly, 'AWS::SecretsManager::Secret').length,
        );
    });

test('Valkey speaks TLS only and asks for a generated password', () => {
    const t = template();
    const [token, made] = one(t, 'AWS::SecretsManager::Secret', 'CacheToken');
    assert.deepEqual(made.Properties.GenerateSecretString, { ExcludePunctuation: true, PasswordLength: 64 });
    const group = one(t, 'AWS::ElastiCache::ReplicationGroup', '')[1].Properties;
    assert.equal(group.Engine, 'valkey');
    assert.ok(Number(group.EngineVersion) >= 8.2);
    assert.equal(group.TransitEncryptionEnabled, true);
    assert.equal(group.TransitEncryptionMode, 'required');
    assert.equal(group.AtRestEncryptionEnabled, true);
    assert.deepEqual(refs(group.AuthToken), [token]);
    assert.match(JSON.stringify(group.AuthToken), /resolve:secretsmanager/);
    assert.equal(group.CacheNodeType, 'cache.t4g.micro');
    assert.equal(plain(group.CacheSubnetGroupName), 'CacheSubnets');
    assert.equal(
        plain(one(t, 'AWS::SecretsManager::Secret', 'CacheUrl')[1].Properties.SecretString),
        'rediss://:{{resolve:secretsmanager:CacheToken:SecretString:::}}@' +
            'CacheValkey.PrimaryEndPoint.Address:6379',
    );
});

for (const [database, kind, type] of [
    ['rds', 'instance', 'AWS::RDS::DBInstance'],
    ['aurora', 'cluster', 'AWS::RDS::DBCluster'],
] as const)
    test(`what PostgreSQL says goes to a log group that is there before it, and has an end (${database})`, () => {
        const t = template({ database });
        const [id, group] = one(t, 'AWS::Logs::LogGroup', 'DatabaseLogs');
        assert.equal(group.Properties.LogGroupName, `/aws/rds/${kind}/logmill/postgresql`);
        assert.equal(group.Properties.RetentionInDays, 30);
        const made = one(t, type, '')[1];
        assert.equal(made.Properties[`DB${kind[0].toUpperCase()}${kind.slice(1)}Identifier`], 'logmill');
        assert.ok(made.DependsOn.includes(id));
        assert.deepEqual(made.Properties.EnableCloudwatchLogsExports, ['postgresql']);
    });

test('PostgreSQL is the newest 17 that the library knows, in RDS and in Aurora', () => {
    const newest = (versions: object) =>
        Math.max(...Object.keys(versions).flatMap((name) => /^VER_17_(\d+)$/.exec(name)?.[1] ?? []).map(Number));
    assert.equal(
        one(template(), 'AWS::RDS::DBInstance', '')[1].Properties.EngineVersion,
        `17.${newest(PostgresEngineVersion)}`,
    );
    assert.equal(
        one(template({ database: 'aurora' }), 'AWS::RDS::DBCluster', '')[1].Properties.EngineVersion,
        `17.${newest(AuroraPostgresEngineVersion)}`,
    );
});
