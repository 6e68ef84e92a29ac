import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CERTIFICATE, KEYS, one, refs, resources, template } from './helper';

const kindOf = (id: string) => /Vpc(loadbalancer|tasks|data)Subnet/.exec(id)?.[1];
const subnetsOf = (value: unknown) => refs(value).filter((id) => /Subnet\d/.test(id));

test('subnets of three kinds lie in two zones, and only the public ones have a way out', () => {
    const t = template();
    const kinds = resources(t, 'AWS::EC2::Subnet').map(([id]) => kindOf(id));
    assert.deepEqual(kinds.sort(), ['data', 'data', 'loadbalancer', 'loadbalancer', 'tasks', 'tasks']);
    for (const kind of ['data', 'loadbalancer', 'tasks']) {
        const zones = resources(t, 'AWS::EC2::Subnet')
            .filter(([id]) => id.includes(`Vpc${kind}Subnet`))
            .map(([, s]) => s.Properties.AvailabilityZone);
        assert.deepEqual(
            zones,
            [0, 1].map((n) => ({ 'Fn::Select': [n, { 'Fn::GetAZs': '' }] })),
        );
    }
    const routes = resources(t, 'AWS::EC2::Route');
    assert.equal(routes.length, 2);
    for (const [id] of routes) assert.match(id, /loadbalancerSubnet/);
    t.resourceCountIs('AWS::EC2::NatGateway', 0);
});

test('a NAT gateway is there only when asked for, and for the tasks only', () => {
    const t = template({ natGateways: 1 });
    t.resourceCountIs('AWS::EC2::NatGateway', 1);
    for (const [id] of resources(t, 'AWS::EC2::Route')) assert.doesNotMatch(id, /data/);
});

test('each part is in its own kind of subnet', () => {
    const t = template();
    const lies = (value: unknown, kind: string) => {
        const found = subnetsOf(value);
        assert.equal(found.length, 2);
        for (const id of found) assert.match(id, new RegExp(`Vpc${kind}Subnet`));
    };
    lies(one(t, 'AWS::ElasticLoadBalancingV2::LoadBalancer', '')[1].Properties.Subnets, 'loadbalancer');
    for (const [, service] of resources(t, 'AWS::ECS::Service')) {
        const network = service.Properties.NetworkConfiguration.AwsvpcConfiguration;
        lies(network.Subnets, 'tasks');
        assert.equal(network.AssignPublicIp, 'DISABLED');
    }
    lies(one(t, 'AWS::RDS::DBSubnetGroup', '')[1].Properties.SubnetIds, 'data');
    lies(one(t, 'AWS::ElastiCache::SubnetGroup', '')[1].Properties.SubnetIds, 'data');
});

test('what tasks call has an endpoint', () => {
    const t = template();
    const names = resources(t, 'AWS::EC2::VPCEndpoint').map(
        ([, e]) =>
            `${e.Properties.VpcEndpointType}:${/(sqs|ecr\.api|ecr\.dkr|logs|secretsmanager|s3)"?\]?/.exec(JSON.stringify(e.Properties.ServiceName))?.[1]}`,
    );
    assert.deepEqual(names.sort(), [
        'Gateway:s3',
        'Interface:ecr.api',
        'Interface:ecr.dkr',
        'Interface:logs',
        'Interface:secretsmanager',
        'Interface:sqs',
    ]);
    for (const [, e] of resources(t, 'AWS::EC2::VPCEndpoint'))
        if (e.Properties.VpcEndpointType === 'Interface') {
            assert.equal(e.Properties.PrivateDnsEnabled, true);
            assert.deepEqual(subnetsOf(e.Properties.SubnetIds).map(kindOf), ['tasks', 'tasks']);
        } else {
            assert.deepEqual(e.Properties.RouteTableIds.flatMap(refs).map(kindOf), ['tasks', 'tasks']);
        }
});

const box = (value: unknown) =>
    /Network(LoadBalancer|Api|Worker|Database|Cache|Endpoints)[0-9A-F]{8}$/.exec(refs(value)[0] ?? '')?.[1] ??
    JSON.stringify(value);

/** That of a rule for one port of TCP, or all that the rule lets through. */
const port = ({ IpProtocol, FromPort, ToPort }: any) =>
    IpProtocol === 'tcp' && FromPort === ToPort ? FromPort : `${IpProtocol} ${FromPort} to ${ToPort}`;

test('security groups allow the drawn arrows and nothing else', () => {
    const t = template();
    const arrows = ['LoadBalancer > Api 8000'];
    for (const tasks of ['Api', 'Worker'])
        arrows.push(`${tasks} > Database 5432`, `${tasks} > Cache 6379`, `${tasks} > Endpoints 443`);
    const ingress = resources(t, 'AWS::EC2::SecurityGroupIngress').map(
        ([, { Properties: p }]) => `${box(p.SourceSecurityGroupId)} > ${box(p.GroupId)} ${port(p)}`,
    );
    const egress = resources(t, 'AWS::EC2::SecurityGroupEgress').map(
        ([, { Properties: p }]) => `${box(p.GroupId)} > ${box(p.DestinationSecurityGroupId)} ${port(p)}`,
    );
    assert.deepEqual(ingress.sort(), [...arrows].sort());
    assert.deepEqual(egress.sort(), [...arrows].sort());

    const inline = resources(t, 'AWS::EC2::SecurityGroup').flatMap(([id, r]) => {
        const name = box({ Ref: id });
        const none = (rule: any) => rule.CidrIp === '255.255.255.255/32';
        return [
            ...(r.Properties.SecurityGroupIngress ?? []).map(
                (i: any) => `${i.CidrIp} > ${name} ${port(i)}`,
            ),
            ...(r.Properties.SecurityGroupEgress ?? [])
                .filter((e: any) => !none(e))
                .map((e: any) => `${name} > ${e.CidrIp} ${port(e)}`),
        ];
    });
    /* S3 has no address of its own: see network.ts. No route leads anywhere else. */
    assert.deepEqual(inline.sort(), [
        '10.0.0.0/16 > LoadBalancer 80',
        'Api > 0.0.0.0/0 443',
        'Worker > 0.0.0.0/0 443',
    ]);
});

test('a prefix list narrows the way to S3', () => {
    const t = template({ s3PrefixListId: 'pl-12345678' });
    const text =
        JSON.stringify(
            resources(t, 'AWS::EC2::SecurityGroup').map(([, r]) => r.Properties.SecurityGroupEgress),
        ) + JSON.stringify(resources(t, 'AWS::EC2::SecurityGroupEgress'));
    assert.doesNotMatch(text, /0\.0\.0\.0\/0/);
    assert.match(text, /pl-12345678/);
});

test('port 443 is open with a certificate only', () => {
    const ports = (t: ReturnType<typeof template>) =>
        one(t, 'AWS::EC2::SecurityGroup', 'NetworkLoadBalancer')[1].Properties.SecurityGroupIngress.map(
            (i: any) => i.FromPort,
        );
    assert.deepEqual(ports(template()), [80]);
    assert.deepEqual(ports(template({ certificateArn: CERTIFICATE })), [80, 443]);
});

test('clients come from the VPC, from the ranges that are named, or from anywhere by HTTPS', () => {
    const ranges = (settings: Parameters<typeof template>[0]) => {
        const t = template(settings);
        return one(t, 'AWS::EC2::SecurityGroup', 'NetworkLoadBalancer')[1].Properties.SecurityGroupIngress.map(
            (i: any) => i.CidrIp,
        );
    };
    assert.deepEqual(ranges({}), ['10.0.0.0/16']);
    const named = ['198.51.100.0/24', '203.0.113.7/32'];
    assert.deepEqual(ranges({ clientRanges: named }), named);
    assert.deepEqual(ranges({ exposure: 'internet', clientRanges: named }), named);
    const open = { exposure: 'internet', certificateArn: CERTIFICATE, keysSecretArn: KEYS } as const;
    assert.deepEqual(ranges(open), ['0.0.0.0/0', '0.0.0.0/0']);
    const scheme = (settings: Parameters<typeof template>[0]) =>
        one(template(settings), 'AWS::ElasticLoadBalancingV2::LoadBalancer', '')[1].Properties.Scheme;
    assert.deepEqual([scheme({}), scheme(open)], ['internal', 'internet-facing']);
});

test('what is in the security groups is what the drawing names', () => {
    const t = template();
    const groups = (value: unknown) => refs(value).map((id) => box({ Ref: id }));
    assert.deepEqual(
        groups(one(t, 'AWS::ElasticLoadBalancingV2::LoadBalancer', '')[1].Properties.SecurityGroups),
        ['LoadBalancer'],
    );
    for (const which of ['Api', 'Worker'])
        assert.deepEqual(
            groups(
                one(t, 'AWS::ECS::Service', `Services${which}`)[1].Properties.NetworkConfiguration
                    .AwsvpcConfiguration.SecurityGroups,
            ),
            [which],
        );
    assert.deepEqual(groups(one(t, 'AWS::RDS::DBInstance', '')[1].Properties.VPCSecurityGroups), [
        'Database',
    ]);
    assert.deepEqual(
        groups(one(t, 'AWS::ElastiCache::ReplicationGroup', '')[1].Properties.SecurityGroupIds),
        ['Cache'],
    );
    for (const [, e] of resources(t, 'AWS::EC2::VPCEndpoint').filter(
        ([, x]) => x.Properties.VpcEndpointType === 'Interface',
    ))
        assert.deepEqual(groups(e.Properties.SecurityGroupIds), ['Endpoints']);
});

test('nothing is fixed to an account or region, and nothing is looked up', () => {
    const text = JSON.stringify(template().toJSON());
    assert.doesNotMatch(text, /"(eu|us|ap|sa|ca|me|af|il)-[a-z]+-\d[a-z]?"/);
    assert.doesNotMatch(text, /dummy-|vpc-12345/);
    assert.doesNotMatch(text, /\b\d{12}\b/); // an account's number; hashes of assets have letters, too
});

test('who is believed about a client is where the load balancer is, and nobody else', () => {
    for (const natGateways of [0, 2] as const) {
        const t = template({ natGateways });
        const ranges = resources(t, 'AWS::EC2::Subnet')
            .filter(([id]) => kindOf(id) === 'loadbalancer')
            .map(([, { Properties }]) => Properties.CidrBlock);
        const api = resources(t, 'AWS::ECS::TaskDefinition').find(([id]) => id.includes('ApiTask'))!;
        const { Environment } = api[1].Properties.ContainerDefinitions[0];
        const told = Environment.find(({ Name }: { Name: string }) => Name === 'TRUSTED_PROXIES');
        assert.deepEqual(told.Value.split(',').sort(), ranges.sort());
    }
});

test('another exposure makes another target group, since one can be of one load balancer alone', () => {
    const ids = (['internal', 'internet'] as const).map((exposure) => {
        const t = template({ exposure, keysSecretArn: KEYS, clientRanges: ['203.0.113.0/24'] });
        const [id] = one(t, 'AWS::ElasticLoadBalancingV2::TargetGroup', '');
        const [, listener] = one(t, 'AWS::ElasticLoadBalancingV2::Listener', '');
        assert.deepEqual(listener.Properties.DefaultActions[0].TargetGroupArn, { Ref: id });
        return id;
    });
    assert.notEqual(ids[0], ids[1]);
});
