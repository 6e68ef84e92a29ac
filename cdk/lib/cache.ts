/** Valkey, with TLS and a password, and the URL by which logmill finds it. */
import { Duration, Fn, SecretValue } from 'aws-cdk-lib';
import * as cw from 'aws-cdk-lib/aws-cloudwatch';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import * as sm from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { CACHE_PORT, Network } from './network';
import { Settings } from './settings';

export class Cache extends Construct {
    /** The whole REDIS_URL. */
    readonly url: sm.Secret;
    /** CacheClusterId of each; which one is the primary may change. */
    private readonly nodes: string[];

    constructor(scope: Construct, id: string, network: Network, settings: Settings) {
        super(scope, id);
        const subnets = new elasticache.CfnSubnetGroup(this, 'Subnets', {
            description: 'isolated subnets',
            subnetIds: network.vpc.selectSubnets(network.data).subnetIds,
        });
        const token = new sm.Secret(this, 'Token', {
            description: 'password of Valkey',
            generateSecretString: { passwordLength: 64, excludePunctuation: true },
        });
        const group = new elasticache.CfnReplicationGroup(this, 'Valkey', {
            replicationGroupDescription: 'the newest logs of logmill',
            engine: 'valkey',
            engineVersion: '8.2',
            cacheNodeType: 'cache.t4g.micro',
            numNodeGroups: 1,
            replicasPerNodeGroup: settings.multiAz ? 1 : 0,
            automaticFailoverEnabled: settings.multiAz,
            multiAzEnabled: settings.multiAz,
            atRestEncryptionEnabled: true,
            transitEncryptionEnabled: true,
            transitEncryptionMode: 'required',
            authToken: token.secretValue.unsafeUnwrap(), // a dynamic reference: not in the template
            port: CACHE_PORT,
            cacheSubnetGroupName: subnets.ref,
            securityGroupIds: [network.cache.securityGroupId],
        });
        this.url = new sm.Secret(this, 'Url', {
            description: 'REDIS_URL of logmill',
            secretStringValue: SecretValue.unsafePlainText(
                Fn.join('', [
                    'rediss://:',
                    token.secretValue.unsafeUnwrap(),
                    '@',
                    group.attrPrimaryEndPointAddress,
                    ':',
                    String(CACHE_PORT),
                ]),
            ),
        });
        this.nodes = (settings.multiAz ? ['-001', '-002'] : ['-001']).map((n) => Fn.join('', [group.ref, n]));
    }

    /** Of each node: there is none of whichever is the primary. */
    metrics(name: string): cw.Metric[] {
        return this.nodes.map(
            (CacheClusterId) =>
                new cw.Metric({
                    namespace: 'AWS/ElastiCache',
                    metricName: name,
                    statistic: 'Average',
                    period: Duration.minutes(1),
                    dimensionsMap: { CacheClusterId },
                }),
        );
    }
}
