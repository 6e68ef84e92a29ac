/** The VPC, its endpoints, and one security group for each box of the drawing; rules are its arrows. */
import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { Settings } from './settings';

export const VPC_RANGE = '10.0.0.0/16';

/* METRICS_PORT is of the worker, and for its own container only. */
export const API_PORT = 8000,
    METRICS_PORT = 8001,
    DATABASE_PORT = 5432,
    CACHE_PORT = 6379;

const SERVICES = {
    Sqs: ec2.InterfaceVpcEndpointAwsService.SQS,
    EcrApi: ec2.InterfaceVpcEndpointAwsService.ECR,
    EcrDocker: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    SecretsManager: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
};

export class Network extends Construct {
    readonly vpc: ec2.Vpc;
    readonly tasks: ec2.SubnetSelection = { subnetGroupName: 'tasks' };
    readonly data: ec2.SubnetSelection = { subnetGroupName: 'data' };
    readonly loadBalancer: ec2.SecurityGroup;
    readonly api: ec2.SecurityGroup;
    readonly worker: ec2.SecurityGroup;
    readonly database: ec2.SecurityGroup;
    readonly cache: ec2.SecurityGroup;
    readonly endpoints: ec2.SecurityGroup;
    readonly endpointOf: Record<keyof typeof SERVICES, ec2.InterfaceVpcEndpoint>;

    constructor(scope: Construct, id: string, settings: Settings) {
        super(scope, id);
        this.vpc = new ec2.Vpc(this, 'Vpc', {
            maxAzs: 2,
            natGateways: settings.natGateways,
            ipAddresses: ec2.IpAddresses.cidr(VPC_RANGE),
            /* To empty it takes a function that may change security groups; and nothing uses it. */
            restrictDefaultSecurityGroup: false,
            subnetConfiguration: [
                {
                    name: 'load-balancer',
                    subnetType: ec2.SubnetType.PUBLIC, // also of an internal one, which has no public address
                    cidrMask: 24,
                    mapPublicIpOnLaunch: false,
                },
                {
                    name: 'tasks',
                    cidrMask: 22,
                    subnetType:
                        settings.natGateways > 0
                            ? ec2.SubnetType.PRIVATE_WITH_EGRESS
                            : ec2.SubnetType.PRIVATE_ISOLATED,
                },
                { name: 'data', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
            ],
        });
        this.vpc.addFlowLog('FlowLog', { trafficType: ec2.FlowLogTrafficType.REJECT });

        this.loadBalancer = this.group('LoadBalancer', 'the load balancer');
        this.api = this.group('Api', 'tasks of logmill api');
        this.worker = this.group('Worker', 'tasks of logmill worker');
        this.database = this.group('Database', 'PostgreSQL');
        this.cache = this.group('Cache', 'Valkey');
        this.endpoints = this.group('Endpoints', 'interface endpoints of AWS services');

        /* On port 80 HTTPS is only pointed to: see services.ts. */
        const open = settings.certificateArn ? [80, 443] : [80];
        for (const port of open)
            for (const peer of this.clients(settings))
                this.loadBalancer.addIngressRule(peer, ec2.Port.tcp(port), 'clients');
        this.arrow(this.loadBalancer, this.api, API_PORT, 'load balancer to api');
        for (const [name, tasks] of [
            ['api', this.api],
            ['worker', this.worker],
        ] as const) {
            this.arrow(tasks, this.database, DATABASE_PORT, `${name} to PostgreSQL`);
            this.arrow(tasks, this.cache, CACHE_PORT, `${name} to Valkey`);
            this.arrow(tasks, this.endpoints, 443, `${name} to AWS services`);
            /* Layers of images come from S3 by its gateway endpoint, which a security group can name
             * only by a prefix list that differs by region. Without it: anywhere, where no route leads. */
            tasks.addEgressRule(
                settings.s3PrefixListId ? ec2.Peer.prefixList(settings.s3PrefixListId) : ec2.Peer.anyIpv4(),
                ec2.Port.tcp(443),
                `${name} to S3 by the gateway endpoint`,
            );
        }

        const s3 = this.vpc.addGatewayEndpoint('S3', {
            service: ec2.GatewayVpcEndpointAwsService.S3,
            subnets: [this.tasks],
        });
        s3.addToPolicy(
            new iam.PolicyStatement({
                sid: 'ImageLayersOnly',
                principals: [new iam.AnyPrincipal()],
                actions: ['s3:GetObject'],
                resources: [
                    Stack.of(this).formatArn({
                        service: 's3',
                        region: '',
                        account: '',
                        resource: `prod-${Stack.of(this).region}-starport-layer-bucket`,
                        resourceName: '*',
                    }),
                ],
            }),
        );
        const made = Object.entries(SERVICES).map(([name, service]) => [
            name,
            this.vpc.addInterfaceEndpoint(name, {
                service,
                subnets: this.tasks,
                securityGroups: [this.endpoints],
                open: false,
                privateDnsEnabled: true,
            }),
        ]);
        this.endpointOf = Object.fromEntries(made) as Network['endpointOf'];
    }

    /**
     * Where the load balancer is, which alone reaches the api, and nothing else. In the whole VPC there may be
     * clients, too, and who is believed about others could say any address for its own.
     */
    loadBalancerRanges(): string[] {
        return this.vpc
            .selectSubnets({ subnetGroupName: 'load-balancer' })
            .subnets.map((subnet) => subnet.ipv4CidrBlock);
    }

    private clients(settings: Settings): ec2.IPeer[] {
        if (settings.clientRanges.length > 0) return settings.clientRanges.map((one) => ec2.Peer.ipv4(one));
        return [
            settings.exposure === 'internal' ? ec2.Peer.ipv4(VPC_RANGE) : ec2.Peer.anyIpv4(),
        ];
    }

    private group(id: string, description: string): ec2.SecurityGroup {
        return new ec2.SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false });
    }

    private arrow(from: ec2.SecurityGroup, to: ec2.SecurityGroup, port: number, what: string): void {
        to.addIngressRule(from, ec2.Port.tcp(port), what);
        from.addEgressRule(to, ec2.Port.tcp(port), what);
    }
}
