/** PostgreSQL 17: one RDS instance, or Aurora Serverless v2. */
import { CfnParameter, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as sm from 'aws-cdk-lib/aws-secretsmanager';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { DATABASE_PORT, Network } from './network';
import { Settings } from './settings';
import { DATABASE } from './thresholds';

export const DATABASE_NAME = 'logs';

export interface DatabaseProps {
    readonly network: Network;
    readonly settings: Settings;
}

export class Database extends Construct {
    readonly secret: sm.ISecret;
    readonly host: string;
    readonly isAurora: boolean;
    private readonly dimensions: Record<string, string>;

    constructor(scope: Construct, id: string, props: DatabaseProps) {
        super(scope, id);
        const { network, settings } = props;
        this.isAurora = settings.database === 'aurora';
        const common = {
            vpc: network.vpc,
            vpcSubnets: network.data,
            securityGroups: [network.database],
            port: DATABASE_PORT,
            credentials: rds.Credentials.fromGeneratedSecret('logmill'),
            storageEncrypted: true,
            deletionProtection: settings.deletionProtection,
            removalPolicy: RemovalPolicy.SNAPSHOT,
        };
        if (this.isAurora) {
            const cluster = new rds.DatabaseCluster(this, 'Cluster', {
                ...common,
                engine: rds.DatabaseClusterEngine.auroraPostgres({
                    version: rds.AuroraPostgresEngineVersion.VER_17_7,
                }),
                defaultDatabaseName: DATABASE_NAME,
                backup: { retention: Duration.days(DATABASE.backupDays) },
                serverlessV2MinCapacity: DATABASE.auroraMinAcu,
                serverlessV2MaxCapacity: DATABASE.auroraMaxAcu,
                writer: rds.ClusterInstance.serverlessV2('Writer'),
                readers: settings.multiAz
                    ? [rds.ClusterInstance.serverlessV2('Standby', { scaleWithWriter: true })]
                    : [],
                cloudwatchLogsExports: ['postgresql'],
            });
            this.secret = cluster.secret!;
            this.host = cluster.clusterEndpoint.hostname;
            this.dimensions = { DBClusterIdentifier: cluster.clusterIdentifier, Role: 'WRITER' };
        } else {
            const instance = new rds.DatabaseInstance(this, 'Instance', {
                ...common,
                engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_17_9 }),
                instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.SMALL),
                databaseName: DATABASE_NAME,
                backupRetention: Duration.days(DATABASE.backupDays),
                copyTagsToSnapshot: true,
                multiAz: settings.multiAz,
                allocatedStorage: DATABASE.storageGiB,
                maxAllocatedStorage: DATABASE.maxStorageGiB,
                storageType: rds.StorageType.GP3,
                cloudwatchLogsExports: ['postgresql'],
            });
            const instanceClass = new CfnParameter(Stack.of(this), 'DatabaseInstanceClass', {
                type: 'String',
                default: 'db.t4g.small',
                allowedPattern: '^db[.][a-z0-9]+[.][a-z0-9]+$',
                description: 'instance class of PostgreSQL',
            });
            (instance.node.defaultChild as rds.CfnDBInstance).dbInstanceClass = instanceClass.valueAsString;
            this.secret = instance.secret!;
            this.host = instance.instanceEndpoint.hostname;
            this.dimensions = { DBInstanceIdentifier: instance.instanceIdentifier };
        }
    }

    /** Bytes that are free, or in use if the storage has no size. */
    storage(): cw.Metric {
        if (!this.isAurora) return this.metric('FreeStorageSpace');
        const { DBClusterIdentifier } = this.dimensions; // of the whole cluster: it has no role
        return this.metric('VolumeBytesUsed').with({
            dimensionsMap: { DBClusterIdentifier },
            period: Duration.minutes(5),
        });
    }

    metric(name: string, statistic = 'Average'): cw.Metric {
        return new cw.Metric({
            namespace: 'AWS/RDS',
            metricName: name,
            statistic,
            period: Duration.minutes(1),
            dimensionsMap: this.dimensions,
        });
    }
}
