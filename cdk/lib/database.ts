/** PostgreSQL: one RDS instance, or Aurora Serverless v2. */
import { CfnMapping, CfnParameter, CfnResource, Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as sm from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { DATABASE_PORT, Network } from './network';
import { Settings } from './settings';
import { API, CLASSES, ClassLimits, DATABASE, WORKER } from './thresholds';

export const DATABASE_NAME = 'logs';

export interface DatabaseProps {
    readonly network: Network;
    readonly settings: Settings;
}

export class Database extends Construct {
    /** Of the master user, as whom `logmill migrate` makes the other two: nothing else logs in as it. */
    readonly master: sm.ISecret;
    /** Of the role that owns the tables: workers'. */
    readonly writer: sm.Secret;
    /** Of the role that reads and nothing else: the api's. */
    readonly reader: sm.Secret;
    readonly host: string;
    readonly isAurora: boolean;
    /** Of tasks, as many as it has connections for. */
    readonly maxApiTasks: number;
    readonly maxWorkerTasks: number;
    readonly alarmConnections: number;
    /** Of RDS. */
    readonly alarmFreeStorageBytes: number;
    private readonly dimensions: Record<string, string>;

    constructor(scope: Construct, id: string, props: DatabaseProps) {
        super(scope, id);
        const { network, settings } = props;
        this.writer = this.login('Writer', 'logmill_worker');
        this.reader = this.login('Reader', 'logmill_api');
        this.isAurora = settings.database === 'aurora';
        this.alarmFreeStorageBytes = (settings.storageGiB * 2 ** 30 * DATABASE.alarmFreeStoragePercent) / 100;
        const name = Stack.of(this).stackName.toLowerCase();
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
        /* Before RDS makes it, with no end to what it keeps: so the database's name is known. */
        const log = new logs.LogGroup(this, 'Logs', {
            logGroupName: `/aws/rds/${this.isAurora ? 'cluster' : 'instance'}/${name}/postgresql`,
            retention: DATABASE.logDays,
            removalPolicy: RemovalPolicy.DESTROY,
        });
        if (this.isAurora) {
            this.maxApiTasks = API.maxTasks;
            this.maxWorkerTasks = WORKER.maxTasks;
            this.alarmConnections = (DATABASE.auroraConnections * DATABASE.alarmConnectionsPercent) / 100;
            const cluster = new rds.DatabaseCluster(this, 'Cluster', {
                ...common,
                engine: rds.DatabaseClusterEngine.auroraPostgres({
                    version: rds.AuroraPostgresEngineVersion.VER_17_9,
                }),
                clusterIdentifier: name,
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
            bringBack(cluster, 'SnapshotIdentifier', settings);
            cluster.node.addDependency(log);
            this.master = cluster.secret!;
            this.host = cluster.clusterEndpoint.hostname;
            this.dimensions = { DBClusterIdentifier: cluster.clusterIdentifier, Role: 'WRITER' };
        } else {
            const instanceClass = new CfnParameter(Stack.of(this), 'DatabaseInstanceClass', {
                type: 'String',
                default: 'db.t4g.small',
                allowedValues: Object.keys(CLASSES),
                description: 'instance class of PostgreSQL',
            });
            const classes = new CfnMapping(Stack.of(this), 'DatabaseClasses', {
                mapping: { ...CLASSES } as Record<string, any>,
            });
            const limit = (which: keyof ClassLimits) =>
                classes.findInMap(instanceClass.valueAsString, which);
            this.maxApiTasks = Token.asNumber(limit('apiTasks'));
            this.maxWorkerTasks = Token.asNumber(limit('workerTasks'));
            this.alarmConnections = Token.asNumber(limit('alarmConnections'));
            const engine = rds.DatabaseInstanceEngine.postgres({
                version: rds.PostgresEngineVersion.VER_17_9,
            });
            const instance = new rds.DatabaseInstance(this, 'Instance', {
                ...common,
                engine,
                instanceIdentifier: name,
                parameterGroup: new rds.ParameterGroup(this, 'Parameters', {
                    engine,
                    description: 'PostgreSQL of logmill',
                    parameters: { max_connections: limit('connections'), 'rds.force_ssl': '1' },
                }),
                instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.SMALL),
                databaseName: DATABASE_NAME,
                backupRetention: Duration.days(DATABASE.backupDays),
                copyTagsToSnapshot: true,
                multiAz: settings.multiAz,
                allocatedStorage: settings.storageGiB,
                maxAllocatedStorage: DATABASE.maxStorageGiB,
                storageType: rds.StorageType.GP3,
                cloudwatchLogsExports: ['postgresql'],
            });
            (instance.node.defaultChild as rds.CfnDBInstance).dbInstanceClass = instanceClass.valueAsString;
            bringBack(instance, 'DBSnapshotIdentifier', settings);
            instance.node.addDependency(log);
            this.master = instance.secret!;
            this.host = instance.instanceEndpoint.hostname;
            this.dimensions = { DBInstanceIdentifier: instance.instanceIdentifier };
        }
    }

    private login(id: string, username: string): sm.Secret {
        return new sm.Secret(this, id, {
            description: `PostgreSQL of logmill: ${username}`,
            generateSecretString: {
                secretStringTemplate: JSON.stringify({ username }),
                generateStringKey: 'password',
                passwordLength: 64,
                excludePunctuation: true,
            },
        });
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

/* What a snapshot has, and CloudFormation takes no other for. PostgreSQL's minor version RDS may have raised since
 * the snapshot's stack was made, and it goes back to no older one. */
const OF_THE_SNAPSHOT = ['MasterUsername', 'DBName', 'DatabaseName', 'StorageEncrypted', 'EngineVersion'];

/** Makes a database of the snapshot of the settings, if there is one; its master user gets the new secret's password. */
function bringBack(made: Construct, property: string, { databaseSnapshot }: Settings): void {
    if (!databaseSnapshot) return;
    const resource = made.node.defaultChild as CfnResource;
    resource.addPropertyOverride(property, databaseSnapshot);
    for (const name of OF_THE_SNAPSHOT) resource.addPropertyDeletionOverride(name);
}
