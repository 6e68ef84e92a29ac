"""The AWS of `make deploy-test`: ministack, and what it lacks of what our stack needs.

Run as a program it serves at BIND_HOST:GATEWAY_PORT. Scaling and alarms go to moto (MOTO_URL), by
botocore, which checks their parameters against AWS's own model. Signals: SIGUSR1 enforces IAM from
then on, SIGUSR2 no more.
"""

import functools
import json
import os
import secrets
import signal
import string

import botocore.session
from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region
from ministack.services import alb, ec2, ecr, ecs, elasticache, rds, s3, sns
from ministack.services.cloudformation import provisioners as cfn

HANDLERS = cfn._RESOURCE_HANDLERS


def moto(service):
    return moto_in(service, get_region())


@functools.cache
def moto_in(service, region):
    session = botocore.session.get_session()
    return session.create_client(service, region_name=region, endpoint_url=os.environ["MOTO_URL"],
                                 aws_access_key_id="test", aws_secret_access_key="test")


def numbers(value):
    """CloudFormation's texts as the numbers and truths that an API takes."""
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner) for inner in value]
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                pass
    return value


def handles(kind, replaces=()):
    """Makes a class the handler of a type of resources; a change of `replaces` makes another one."""
    def register(made):
        def update(physical_id, old, new, stack_name, logical_id=None):
            if any(old.get(name) != new.get(name) for name in replaces):
                created = made.create(logical_id, new, stack_name)
                made.delete(physical_id, old)
                return created
            return made.update(physical_id, new)
        HANDLERS[kind] = {"create": made.create, "update": update, "update_with_logical_id": True,
                          "delete": made.delete}
        return made
    return register


# ---- Network ----


class Rule:
    """A rule of a security group that stands outside of it; its id tells where it is."""

    where = None

    @classmethod
    def permissions(cls, props):
        return ec2._security_groups[props["GroupId"]].setdefault(cls.where, [])

    @classmethod
    def create(cls, logical_id, props, _stack_name):
        rule = {key: props[key] for key in props if key != "GroupId"}
        cls.permissions(props).extend(cfn._ec2_sg_permissions([rule]))
        return f"sgr-{logical_id}", {"Id": f"sgr-{logical_id}"}

    @classmethod
    def delete(cls, _physical_id, props):
        if props["GroupId"] in ec2._security_groups:
            rule = {key: props[key] for key in props if key != "GroupId"}
            [gone] = cfn._ec2_sg_permissions([rule])
            kept = cls.permissions(props)
            kept[:] = [one for one in kept if one != gone]

    @classmethod
    def update(cls, physical_id, _new):
        return physical_id, {"Id": physical_id}


RULE_PROPERTIES = ("GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "Description",
                   "SourceSecurityGroupId", "DestinationSecurityGroupId", "DestinationPrefixListId")


@handles("AWS::EC2::SecurityGroupIngress", replaces=RULE_PROPERTIES)
class Ingress(Rule):
    where = "IpPermissions"


@handles("AWS::EC2::SecurityGroupEgress", replaces=RULE_PROPERTIES)
class Egress(Rule):
    where = "IpPermissionsEgress"

    @classmethod
    def permissions(cls, props):
        """Without what a new group lets out: CloudFormation takes that away when a rule comes."""
        kept = super().permissions(props)
        kept[:] = [one for one in kept if one["IpProtocol"] != "-1"]
        return kept


def of_store(store, make):
    """Handlers of a resource whose record `make(physical_id, props)` goes into `store`."""
    prefix = {"_flow_logs": "fl", "_addresses": "eipalloc", "_nat_gateways": "nat"}[store]

    def create(_logical_id, props, _stack_name):
        physical_id = f"{prefix}-{secrets.token_hex(8)}"
        record, attributes = make(physical_id, props)
        getattr(ec2, store)[physical_id] = record
        cfn._ec2_apply_tags(physical_id, props)
        return physical_id, attributes

    def delete(physical_id, _props):
        getattr(ec2, store).pop(physical_id, None)

    return {"create": create, "delete": delete,
            "update": lambda physical_id, old, new, stack_name: (physical_id, make(physical_id, new)[1])}


HANDLERS["AWS::EC2::FlowLog"] = of_store("_flow_logs", lambda physical_id, props: ({
    "FlowLogId": physical_id, "ResourceId": props["ResourceId"], "ResourceType": props["ResourceType"],
    "TrafficType": props["TrafficType"], "FlowLogStatus": "ACTIVE", "CreationTime": ec2._now_ts(),
    "LogDestinationType": props.get("LogDestinationType", "cloud-watch-logs"),
    "LogDestination": props["LogGroupName"]}, {"Id": physical_id}))
HANDLERS["AWS::EC2::EIP"] = of_store("_addresses", lambda physical_id, props: ({
    "AllocationId": physical_id, "PublicIp": "192.0.2.1", "Domain": "vpc", "AssociationId": None,
    "InstanceId": None, "NetworkInterfaceId": None, "PrivateIpAddress": None},
    {"AllocationId": physical_id, "PublicIp": "192.0.2.1"}))
HANDLERS["AWS::EC2::NatGateway"] = of_store("_nat_gateways", lambda physical_id, props: ({
    "NatGatewayId": physical_id, "SubnetId": props["SubnetId"], "AllocationId": props["AllocationId"],
    "VpcId": ec2._subnets[props["SubnetId"]]["VpcId"], "ConnectivityType": "public",
    "State": "available", "CreateTime": ec2._now_ts(), "Tags": []}, {"NatGatewayId": physical_id}))


# ---- Alarms and scaling, which moto keeps ----


@handles("AWS::CloudWatch::Alarm", replaces=("AlarmName",))
class Alarm:
    @staticmethod
    def put(name, props):
        given = {key: value for key, value in props.items() if key != "AlarmName"}
        moto("cloudwatch").put_metric_alarm(AlarmName=name, **typed(given))
        arn = f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{name}"
        return name, {"Arn": arn}

    @staticmethod
    def create(logical_id, props, stack_name):
        return Alarm.put(props.get("AlarmName") or cfn._physical_name(stack_name, logical_id), props)

    update = put

    @staticmethod
    def delete(physical_id, _props):
        moto("cloudwatch").delete_alarms(AlarmNames=[physical_id])


def typed(props):
    """Numbers and truths where they were texts, but in what is named and told."""
    texts = {"AlarmDescription", "Value", "Expression", "Label", "Id", "Stat", "Unit"}

    def convert(key, value):
        if isinstance(value, dict):
            return {inner: convert(inner, one) for inner, one in value.items()}
        if isinstance(value, list):
            return [convert(key, one) for one in value]
        return value if key in texts else numbers(value)
    return {key: convert(key, value) for key, value in props.items()}


@handles("AWS::ApplicationAutoScaling::ScalableTarget",
         replaces=("ResourceId", "ScalableDimension", "ServiceNamespace"))
class ScalableTarget:
    @staticmethod
    def register(props):
        known = ("ResourceId", "ScalableDimension", "ServiceNamespace", "MinCapacity", "MaxCapacity", "RoleARN")
        _, cluster, service = props["ResourceId"].split("/")
        assert f"{cluster}/{service}" in "|".join(one["serviceArn"] for one in ecs._services.values()), service
        moto("ecs").create_cluster(clusterName=cluster)  # moto scales what it knows
        moto("ecs").create_service(cluster=cluster, serviceName=service, deploymentController={"type": "EXTERNAL"})
        moto("application-autoscaling").register_scalable_target(
            **numbers({key: props[key] for key in known if key in props}))
        return "|".join(props[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace"))

    @staticmethod
    def create(_logical_id, props, _stack_name):
        return ScalableTarget.register(props), {}

    @staticmethod
    def update(_physical_id, new):
        return ScalableTarget.register(new), {}

    @staticmethod
    def delete(_physical_id, props):
        keys = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        moto("application-autoscaling").deregister_scalable_target(**{key: props[key] for key in keys})


@handles("AWS::ApplicationAutoScaling::ScalingPolicy", replaces=("PolicyName", "ScalingTargetId"))
class ScalingPolicy:
    @staticmethod
    def where(props):
        resource, dimension, namespace = props["ScalingTargetId"].split("|")
        return {"PolicyName": props["PolicyName"], "ResourceId": resource, "ScalableDimension": dimension,
                "ServiceNamespace": namespace}

    @staticmethod
    def put(props):
        given = {key: props[key] for key in props if key.endswith("Configuration")}
        answer = moto("application-autoscaling").put_scaling_policy(
            PolicyType=props["PolicyType"], **ScalingPolicy.where(props), **typed(given))
        return answer["PolicyARN"], {"Arn": answer["PolicyARN"]}

    @staticmethod
    def create(_logical_id, props, _stack_name):
        return ScalingPolicy.put(props)

    @staticmethod
    def update(physical_id, new):
        """It is the same one, though moto gives it another number."""
        return physical_id, ScalingPolicy.put(new)[1]

    @staticmethod
    def delete(_physical_id, props):
        moto("application-autoscaling").delete_scaling_policy(**ScalingPolicy.where(props))


# ---- Where it does otherwise than AWS ----


def secret_string(original, props):
    """A generated secret heeds ExcludePunctuation, without which REDIS_URL is no URL."""
    wanted = props.get("GenerateSecretString")
    if wanted and cfn._cfn_bool(wanted.get("ExcludePunctuation", False)):
        excluded = wanted.get("ExcludeCharacters", "") + string.punctuation
        props = {**props, "GenerateSecretString": {**wanted, "ExcludeCharacters": excluded}}
    return original(props)


def secret_created(original, logical_id, props, stack_name):
    """What a template refers to by a secret is its ARN, not its name: roles are allowed by that."""
    _name, attributes = original(logical_id, props, stack_name)
    return attributes["Arn"], attributes


def secret_updated(original, physical_id, *arguments, **options):
    _name, attributes = original(secret_name(physical_id), *arguments, **options)
    return attributes["Arn"], attributes


def secret_deleted(original, physical_id, props):
    original(secret_name(physical_id), props)


def secret_name(arn):
    return arn.split(":secret:")[1].rsplit("-", 1)[0]


OF_A_SNAPSHOT = ("MasterUsername", "DBName", "DatabaseName", "StorageEncrypted")


def brought_back(named, original, logical_id, props, stack_name):
    """A database made of a snapshot has what that says, which a template is not to say again, and no less room."""
    wanted = props.get(named)
    if not wanted:
        return original(logical_id, props, stack_name)
    known = {"DBSnapshotIdentifier": rds._snapshots, "SnapshotIdentifier": rds._db_cluster_snapshots}[named]
    snapshot = known.get(wanted.rsplit(":", 1)[-1])
    again = [name for name in OF_A_SNAPSHOT if name in props]
    if not snapshot or again:
        raise ValueError(f"{named} {wanted}: {f'{again} is said again' if again else 'there is none'}")
    if int(props.get("AllocatedStorage", snapshot["AllocatedStorage"])) < snapshot["AllocatedStorage"]:
        raise ValueError(f"{wanted} has {snapshot['AllocatedStorage']} GiB")
    had = {name: snapshot[name] for name in (*OF_A_SNAPSHOT, "EngineVersion") if name in snapshot}
    return original(logical_id, {**had, **props}, stack_name)


def listener(original, logical_id, props, stack_name):
    """A target group is of one load balancer alone."""
    forwards = json.dumps(props["DefaultActions"])
    for one in alb._listeners.values():
        groups = [action["TargetGroupArn"] for action in one["DefaultActions"] if "TargetGroupArn" in action]
        if one["LoadBalancerArn"] != props["LoadBalancerArn"] and any(group in forwards for group in groups):
            raise ValueError("a target group cannot be associated with more than one load balancer")
    return original(logical_id, props, stack_name)


def topic(original, logical_id, props, stack_name):
    """A topic keeps its key."""
    arn, attributes = original(logical_id, props, stack_name)
    if "KmsMasterKeyId" in props:
        sns._topics[arn]["attributes"]["KmsMasterKeyId"] = props["KmsMasterKeyId"]
    return arn, attributes


def by_tls(original, address, _secure):
    """Requests are plain HTTP here, and TLS in AWS: policies that refuse the first are read back."""
    original(address, True)


FREE_MAPS = {"options", "dockerLabels"}  # whose keys are the user's


def container_definitions(definitions):
    """As the API has them, at any depth: secrets and health checks, too."""
    def camel(value):
        if isinstance(value, list):
            return [camel(one) for one in value]
        if isinstance(value, dict):
            renamed = {key[0].lower() + key[1:]: inner for key, inner in value.items()}
            return {key: inner if key in FREE_MAPS else camel(inner) for key, inner in renamed.items()}
        return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    return [camel(one) for one in definitions]


def describe_images(original, data):
    """A tag that is not there is an error, by which the CDK knows that the image has to be built."""
    for wanted in data.get("imageIds") or []:
        if data.get("repositoryName") in ecr._repositories \
                and not ecr._find_image(data["repositoryName"], wanted):
            return ecr.error_response_json("ImageNotFoundException", f"no image {wanted}", 400)
    return original(data)


def cache_attributes(original, group_id):
    """The cache has a name of ElastiCache's, that a certificate can be of."""
    attributes = original(group_id)
    if "PrimaryEndPoint.Address" in attributes:
        attributes["PrimaryEndPoint.Address"] = f"master.{group_id}.cache.amazonaws.com"
    return attributes


def network(original, _logical_id, props, _stack_name):
    """A VPC tells its range of addresses."""
    physical_id, attributes = original(_logical_id, props, _stack_name)
    return physical_id, {"CidrBlock": props["CidrBlock"], **attributes}


def bucket(original, logical_id, props, stack_name):
    """A bucket's rules of how long things are kept, where they are of the kind of ours."""
    physical_id, attributes = original(logical_id, props, stack_name)
    rules = ""
    for rule in props.get("LifecycleConfiguration", {}).get("Rules", []):
        if set(rule) - {"Id", "Status", "ExpirationInDays"}:
            continue  # of the bucket of the CDK's own
        rules += (f"<Rule><ID>{rule.get('Id', logical_id)}</ID><Filter><Prefix></Prefix></Filter><Status>"
                  f"{rule['Status']}</Status><Expiration><Days>{rule['ExpirationInDays']}</Days></Expiration></Rule>")
    if rules:
        status, _, body = s3._put_bucket_lifecycle(
            physical_id, f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode())
        if status >= 300:
            raise ValueError(f"AWS::S3::Bucket: {body!r}")
    return physical_id, attributes


def task_definition(original, logical_id, props, stack_name):
    """Keeps the platform that tasks run on."""
    arn, attributes = original(logical_id, props, stack_name)
    record = ecs._task_defs[arn.rsplit("/", 1)[-1]]
    record["runtimePlatform"] = cfn._pascal_to_camel(props.get("RuntimePlatform") or {})
    return arn, attributes


def iam_action(original, service, *arguments, **options):
    """SQS has no permissions of their own for batches: sqs:DeleteMessage lets DeleteMessageBatch pass."""
    action = original(service, *arguments, **options)
    if action and action.startswith("sqs:") and action.endswith("Batch"):
        return action.removesuffix("Batch")
    return action


def patch(module, name, replacement):
    setattr(module, name, functools.partial(replacement, getattr(module, name)))


def main():
    patch(cfn, "_sm_secret_string", secret_string)
    patch(cfn, "_ec_rg_attrs", cache_attributes)
    patch(cfn, "_ecs_task_def_create", task_definition)
    patch(cfn, "_elbv2_listener_create", listener)
    patch(iam_actions, "extract_iam_action", iam_action)
    patch(ecr, "_describe_images", describe_images)
    cfn._normalize_container_defs = container_definitions
    patch(app, "pin_request_origin", by_tls)
    secret = "AWS::SecretsManager::Secret"
    for kind, what, replacement in (
            ("AWS::EC2::VPC", "create", network), ("AWS::S3::Bucket", "create", bucket),
            ("AWS::SNS::Topic", "create", topic), (secret, "create", secret_created),
            (secret, "update", secret_updated), (secret, "delete", secret_deleted),
            ("AWS::RDS::DBInstance", "create", functools.partial(brought_back, "DBSnapshotIdentifier")),
            ("AWS::RDS::DBCluster", "create", functools.partial(brought_back, "SnapshotIdentifier"))):
        HANDLERS[kind][what] = functools.partial(replacement, HANDLERS[kind][what])
    HANDLERS["AWS::ECS::TaskDefinition"]["create"] = cfn._ecs_task_def_create
    HANDLERS["AWS::ElasticLoadBalancingV2::Listener"]["create"] = cfn._elbv2_listener_create
    for service in (ecs, elasticache, rds):  # nothing here runs in containers
        service._get_docker = lambda: None
    for number, enforced in ((signal.SIGUSR1, True), (signal.SIGUSR2, False)):
        signal.signal(number, lambda *_, wanted=enforced: setattr(app, "AUTH", wanted))
    app.main()


if __name__ == "__main__":
    main()
