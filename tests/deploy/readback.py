"""What was made, as AWS's own APIs tell it, beside what README.md and cdk/README.md promise.

The numbers stand here again, as the documents have them: what is compared is the document, not the code
that the template came from.
"""

import json

from botocore.exceptions import ClientError

from cloud import ENDPOINT

DAY = 86_400

# cdk/README.md, "alarm when": metric, comparison (> or <), threshold, and whether no number is an alarm, too.
ALARMS = {
    "ApiCpu": (">", 85, False), "ApiMemory": (">", 85, False), "ApiRequestsPerTarget": (">", 240_000, False),
    "Api5xxRate": (">", 1, False), "ApiP99": (">", 0.5, False), "ApiHealthyHosts": ("<", 1, True),
    "ApiTasks": ("<", 2, True), "WorkerBacklogPerTask": (">", 1_000, False), "OldestMessage": (">", 600, False),
    "WorkerCpu": (">", 90, False), "WorkerMemory": (">", 85, False), "WorkerTasks": ("<", 1, True),
    "DeadLetters": (">", 0, False), "StoreFailures": (">", 100, False), "WorkerDeployment": (">", 35, False),
    "DatabaseCpu": (">", 80, True), "DatabaseTransactionIds": (">", 1_000_000_000, False),
    "DatabaseDiskQueue": (">", 64, False), "DatabaseMemory": ("<", 128 * 2**20, False),
    "CacheCpu": (">", 80, True), "CacheMemory": (">", 80, False),
}
OF_SECOND_NODE = {"Cache2Cpu": (">", 80, True), "Cache2Memory": (">", 80, False)}
OF_RDS = {"DatabaseCredits": ("<", 30, False), "DatabaseConnections": (">", 144, False),
          "DatabaseFreeStorage": ("<", 50 * 2**30 * 0.15, False)}
OF_AURORA = {"DatabaseCapacity": (">", 90, False), "DatabaseConnections": (">", 1_600, False)}

PORTS = {"api": 8000, "database": 5432, "cache": 6379, "endpoints": 443}


def equal(found, wanted, what):
    assert found == wanted, f"{what}: there is {found!r}, promised is {wanted!r}"


class Readback:
    """`made` are the choices by which the stack was made, as cdk/README.md names them."""

    def __init__(self, cloud, **made):
        self.cloud = cloud
        self.name = made.get("stackName", "logmill")
        self.database = made.get("database", "rds")
        self.protected = made.get("deletionProtection", True)
        self.internet = made.get("exposure", "internal") == "internet"
        self.certificate = made.get("certificateArn")
        self.gateways = made.get("natGateways", 0)
        self.zones = 2 if made.get("multiAz") else 1
        self.processor = made.get("cpuArchitecture", "ARM64")
        self.resources, self.outputs, self.stack = cloud.stack(self.name)

    def ids(self, kind, start=""):
        return {key: one["PhysicalResourceId"] for key, one in self.resources.items()
                if one["ResourceType"] == kind and key.startswith(start)}

    def one(self, kind, start=""):
        found = self.ids(kind, start)
        assert len(found) == 1, f"{len(found)} of {kind} {start}"
        return next(iter(found.values()))

    def all(self):
        """Runs each of the checks, and returns their names; tells of all that fail."""
        checks = [name for name in dir(self) if name.startswith("check_")]
        failed = []
        for name in checks:
            try:
                getattr(self, name)()
            except (AssertionError, ClientError, KeyError, ValueError) as error:
                failed.append(f"{name.removeprefix('check_')}: {type(error).__name__}: {error}")
        assert not failed, "\n".join(failed)
        return [name.removeprefix("check_").replace("_", " ") for name in checks]

    # ---- Queue ----

    def queue(self, start):
        url = self.one("AWS::SQS::Queue", start)
        answer = self.cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return answer["Attributes"]

    def check_queue(self):
        queue, dead = self.queue("QueuesQueue"), self.queue("QueuesDeadLetters")
        equal(self.outputs["QueueUrl"], self.one("AWS::SQS::Queue", "QueuesQueue"), "output QueueUrl")
        for name, found in (("queue", queue), ("dead letters", dead)):
            equal(found["MessageRetentionPeriod"], str(14 * DAY), f"{name}: how long messages are kept")
            equal(found["MaximumMessageSize"], "1048576", f"{name}: largest message")
            equal(found["SqsManagedSseEnabled"], "true", f"{name}: encryption")
            only_by_tls(json.loads(found["Policy"]), name)
        redrive = json.loads(queue["RedrivePolicy"])
        equal(redrive["deadLetterTargetArn"], dead["QueueArn"], "where dead letters go")
        equal(int(redrive["maxReceiveCount"]), 100, "deliveries before a message is a dead letter")
        equal("RedrivePolicy" in dead, False, "dead letters go nowhere")
        equal(queue["ReceiveMessageWaitTimeSeconds"], "20", "queue: long polling")

    # ---- Network ----

    def check_security_groups(self):
        """Each rule is an arrow of the drawing, and there is no other."""
        ec2 = self.cloud.client("ec2")
        ids = {name.lower(): self.one("AWS::EC2::SecurityGroup", f"Network{name}") for name in
               ("LoadBalancer", "Api", "Worker", "Database", "Cache", "Endpoints")}
        names = {number: name for name, number in ids.items()}
        equal(len(self.ids("AWS::EC2::SecurityGroup")), len(ids), "security groups")
        found = {"in": set(), "out": set()}
        for group in ec2.describe_security_groups(GroupIds=list(names))["SecurityGroups"]:
            for way, rules in (("in", group["IpPermissions"]), ("out", group["IpPermissionsEgress"])):
                for rule in rules:
                    peers = [names[pair["GroupId"]] for pair in rule["UserIdGroupPairs"]]
                    peers += [one["CidrIp"] for one in rule["IpRanges"]]
                    peers += [one["CidrIpv6"] for one in rule["Ipv6Ranges"]]
                    for peer in peers:
                        found[way].add((names[group["GroupId"]], peer, rule["IpProtocol"],
                                        rule.get("FromPort"), rule.get("ToPort")))
        arrows = [("loadbalancer", "api")]
        arrows += [(task, to) for task in ("api", "worker") for to in ("database", "cache", "endpoints")]

        def tcp(at, peer, to):
            return (at, peer, "tcp", PORTS.get(to, to), PORTS.get(to, to))
        clients = {tcp("loadbalancer", "0.0.0.0/0" if self.internet else "10.0.0.0/16", port)
                   for port in ([80, 443] if self.certificate else [80])}
        equal(found["in"], {tcp(to, at, to) for at, to in arrows} | clients, "what security groups let in")
        layers = {tcp(task, "0.0.0.0/0", 443) for task in ("api", "worker")}
        nowhere = {rule for rule in found["out"] if rule[1] == "255.255.255.255/32"}  # the CDK's "none"
        equal(found["out"] - nowhere, {tcp(at, to, to) for at, to in arrows} | layers,
              "what security groups let out")
        equal({rule[0] for rule in nowhere}, {"database", "cache", "endpoints"}, "groups that let nothing out")

    def check_ways_out(self):
        ec2 = self.cloud.client("ec2")
        vpc = self.one("AWS::EC2::VPC")
        of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
        there = [one for one in ec2.describe_nat_gateways()["NatGateways"] if one["VpcId"] == vpc]
        equal(len(there), self.gateways, "NAT gateways")
        gateways = {}
        for table in ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]:
            out = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
            for association in table["Associations"]:
                if association.get("SubnetId"):
                    gateways[association["SubnetId"]] = bool(out)
        places = ["loadbalancer", "tasks"] if self.gateways else ["loadbalancer"]
        public = {value for key, value in self.ids("AWS::EC2::Subnet").items()
                  if any(place in key for place in places)}
        equal(len(gateways), 6, "subnets")
        equal({subnet for subnet, out in gateways.items() if out}, public, "subnets with a way out")
        endpoints = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
        prefix = f"com.amazonaws.{self.cloud.client('sts').meta.region_name}."
        equal({one["ServiceName"].removeprefix(prefix) for one in endpoints},
              {"sqs", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "s3"}, "endpoints of the VPC")
        flows = ec2.describe_flow_logs()["FlowLogs"]
        equal([one["TrafficType"] for one in flows if one["ResourceId"] == vpc], ["REJECT"], "flow log")

    def check_load_balancer(self):
        elb = self.cloud.client("elbv2")
        arn = self.one("AWS::ElasticLoadBalancingV2::LoadBalancer")
        [balancer] = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        equal(balancer["Scheme"], "internet-facing" if self.internet else "internal", "load balancer")
        scheme = "https" if self.certificate else "http"
        equal(self.outputs["LoadBalancerAddress"], f"{scheme}://{balancer['DNSName']}", "output LoadBalancerAddress")
        answer = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        attributes = {one["Key"]: one["Value"] for one in answer}
        equal(attributes["deletion_protection.enabled"], str(self.protected).lower(), "deletion protection")
        equal(attributes["routing.http.drop_invalid_header_fields.enabled"], "true", "invalid headers")
        equal(attributes["access_logs.s3.bucket"], self.one("AWS::S3::Bucket"), "access logs")
        listeners = {one["Port"]: one for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
        equal(set(listeners), {80, 443} if self.certificate else {80}, "listeners")
        if self.certificate:
            equal([one["CertificateArn"] for one in listeners[443]["Certificates"]], [self.certificate], "certificate")
            assert "TLS13" in listeners[443]["SslPolicy"], listeners[443]["SslPolicy"]
            [refused] = listeners[80]["DefaultActions"]
            equal((refused["Type"], refused["FixedResponseConfig"]["StatusCode"]), ("fixed-response", "400"), "port 80")
        equal([one["Type"] for one in listeners[443 if self.certificate else 80]["DefaultActions"]], ["forward"],
              "where requests go")
        [targets] = elb.describe_target_groups(LoadBalancerArn=arn)["TargetGroups"]
        equal((targets["Port"], targets["TargetType"], targets["HealthCheckPath"]), (8000, "ip", "/health"),
              "targets")

    # ---- Database, cache, secrets ----

    def check_database(self):
        rds = self.cloud.client("rds")
        if self.database == "aurora":
            [made] = rds.describe_db_clusters(DBClusterIdentifier=self.name)["DBClusters"]
            equal(made["Engine"], "aurora-postgresql", "database")
            group = made["VpcSecurityGroups"]
            members = [one for one in rds.describe_db_instances()["DBInstances"]
                       if one.get("DBClusterIdentifier") == self.name]
            equal([one["DBInstanceClass"] for one in members], ["db.serverless"] * self.zones, "members of the cluster")
            scaling = made["ServerlessV2ScalingConfiguration"]
            equal((scaling["MinCapacity"], scaling["MaxCapacity"]), (0.5, 16), "capacity")
            equal(any(one["PubliclyAccessible"] for one in members), False, "database: public")
        else:
            [made] = rds.describe_db_instances(DBInstanceIdentifier=self.name)["DBInstances"]
            equal((made["Engine"], made["DBInstanceClass"]), ("postgres", "db.t4g.small"), "database")
            equal((made["AllocatedStorage"], made["MaxAllocatedStorage"], made["StorageType"]),
                  (50, 1000, "gp3"), "storage")
            equal((made["MultiAZ"], made["PubliclyAccessible"]), (self.zones > 1, False), "database: zones, public")
            equal(made["CopyTagsToSnapshot"], True, "tags of snapshots")
            group = made["VpcSecurityGroups"]
            [parameters] = made["DBParameterGroups"]
            asked = rds.get_paginator("describe_db_parameters").paginate(
                DBParameterGroupName=parameters["DBParameterGroupName"])
            values = {one["ParameterName"]: one.get("ParameterValue") for page in asked for one in page["Parameters"]}
            equal((values["max_connections"], values["rds.force_ssl"]), ("180", "1"), "parameters")
        equal(made["EngineVersion"].split(".")[0], "17", "PostgreSQL")
        equal(made["MasterUsername"], "logmill", "master user")
        equal((made["StorageEncrypted"], made["DeletionProtection"], made["BackupRetentionPeriod"]),
              (True, self.protected, 7), "database: encrypted, protected, backups")
        equal([one["VpcSecurityGroupId"] for one in group],
              [self.one("AWS::EC2::SecurityGroup", "NetworkDatabase")], "security group of the database")

    def check_cache(self):
        group = self.one("AWS::ElastiCache::ReplicationGroup")
        elasticache = self.cloud.client("elasticache")
        [made] = elasticache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"]
        equal((made["TransitEncryptionEnabled"], made["AtRestEncryptionEnabled"], made["AuthTokenEnabled"]),
              (True, True, True), "cache: TLS, encrypted, password")
        equal((made["Engine"], made["CacheNodeType"]), ("valkey", "cache.t4g.micro"), "cache")
        equal(len(made["MemberClusters"]), self.zones, "nodes of the cache")

    def text_of(self, secret):
        return self.cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]

    def secret(self, start):
        return self.text_of(self.one("AWS::SecretsManager::Secret", start))

    def check_secrets(self):
        logins = [json.loads(text) for text in map(self.text_of, self.ids("AWS::SecretsManager::Secret").values())
                  if text.startswith("{")]
        equal({login["username"] for login in logins}, {"logmill", "logmill_worker", "logmill_api"},
              "users of the database")
        for login in logins:
            assert len(login["password"]) >= 30, "a password of the database is short"
            equal("host" in login, login["username"] == "logmill", "the master's secret says where it is")
        token = self.secret("CacheToken")
        assert len(token) == 64 and token.isalnum(), "the cache's password has no 64 letters and digits"
        url = self.secret("CacheUrl")
        assert url.startswith(f"rediss://:{token}@") and url.endswith(":6379"), "REDIS_URL"

    # ---- Services ----

    def definition(self, which):
        ecs = self.cloud.client("ecs")
        name = self.one("AWS::ECS::Service", f"Services{which}").rsplit("/", 1)[-1]
        [service] = ecs.describe_services(cluster=self.one("AWS::ECS::Cluster"), services=[name])["services"]
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        return service, task, {one["name"]: one for one in task["containerDefinitions"]}

    def check_services(self):
        for which, command in (("Api", "api"), ("Worker", "worker")):
            service, task, containers = self.definition(which)
            container = containers["logmill"]
            configuration = service["deploymentConfiguration"]
            equal(configuration["deploymentCircuitBreaker"], {"enable": True, "rollback": True}, "circuit breaker")
            equal((configuration["minimumHealthyPercent"], configuration["maximumPercent"]), (100, 200), "roll-out")
            alarms = {"Api": ["AlarmsApi5xxRate"], "Worker": ["AlarmsWorkerDeployment", "AlarmsDeadLetters"]}[which]
            equal(sorted(configuration["alarms"]["alarmNames"]),
                  sorted(self.one("AWS::CloudWatch::Alarm", one) for one in alarms), "alarms of a deployment")
            equal((configuration["alarms"]["enable"], configuration["alarms"]["rollback"]), (True, True), "alarms")
            place = service["networkConfiguration"]["awsvpcConfiguration"]
            equal(place["assignPublicIp"], "DISABLED", "public address")
            equal(place["securityGroups"], [self.one("AWS::EC2::SecurityGroup", f"Network{which}")], "its group")
            equal(set(place["subnets"]), {value for key, value in self.ids("AWS::EC2::Subnet").items()
                                          if "tasks" in key}, "its subnets")
            equal((task["cpu"], task["memory"], task["networkMode"]), ("512", "1024", "awsvpc"), "size")
            equal(task["runtimePlatform"]["cpuArchitecture"], self.processor, "processor")
            equal(container["entryPoint"] + container["command"], ["logmill", command], "command")
            equal(container["readonlyRootFilesystem"], True, "read-only root")
            equal(container["logConfiguration"]["options"]["mode"], "non-blocking", "diagnostics")
        equal(sorted(containers), ["logmill", "migrate"], "containers of the worker's task")
        equal(containers["migrate"]["entryPoint"] + containers["migrate"]["command"], ["logmill", "migrate"], "migrate")
        equal(containers["migrate"]["essential"], False, "the worker goes on when it has migrated")
        equal(container["dependsOn"], [{"containerName": "migrate", "condition": "SUCCESS"}], "the worker waits for it")
        equal(container["healthCheck"]["command"], ["CMD", "logmill", "health", "worker"], "health of the worker")

    def check_environment(self):
        common = {"AWS_REGION": "eu-central-1", "SQS_QUEUE_URL": self.outputs["QueueUrl"], "DATABASE_PORT": "5432",
                  "DATABASE_NAME": "logs", "PGSSLMODE": "verify-full",
                  "PGSSLROOTCERT": "/usr/share/logmill/rds.pem", "LOG_FORMAT": "json", "RETENTION_DAYS": "0",
                  "SHUTDOWN_TIMEOUT": "20", "EMF_INTERVAL": "60", "EMF_NAMESPACE": self.name}
        own = {"Api": {"HOST": "0.0.0.0", "PORT": "8000", "TRUSTED_PROXIES": "10.0.0.0/24,10.0.1.0/24",
                       "WEB_CONCURRENCY": "1", "ANONYMOUS": "none"},
               "Worker": {"HOST": "127.0.0.1", "METRICS_PORT": "8001"}}
        secrets = {"Api": {"KEYS"}, "Worker": set()}
        logins = {which: self.one("AWS::SecretsManager::Secret", f"Database{role}")
                  for which, role in (("Api", "Reader"), ("Worker", "Writer"))}
        for which in own:
            container = self.definition(which)[2]["logmill"]
            env = {one["name"]: one["value"] for one in container["environment"]}
            assert env.pop("DATABASE_HOST").endswith("amazonaws.com"), "DATABASE_HOST"
            equal(env, {**common, **own[which]}, f"environment of {which}")
            equal({one["name"] for one in container["secrets"]},
                  {"DATABASE_USER", "DATABASE_PASS", "REDIS_URL", *secrets[which]}, f"secrets of {which}")
            equal({one["valueFrom"] for one in container["secrets"] if one["name"].startswith("DATABASE_")},
                  {f"{logins[which]}:{key}::" for key in ("username", "password")}, f"who {which} is to the database")
        names = {one["name"] for one in self.definition("Worker")[2]["migrate"]["secrets"]}
        equal(names, {f"DATABASE_{whose}{what}" for whose in ("", "WRITER_", "READER_") for what in ("USER", "PASS")},
              "secrets of migrate")

    def check_diagnostics(self):
        groups = self.cloud.client("logs").describe_log_groups()["logGroups"]
        ours = {one["logGroupName"]: one.get("retentionInDays") for one in groups}
        kind = "cluster" if self.database == "aurora" else "instance"
        names = [*self.ids("AWS::Logs::LogGroup", "Services").values(), f"/aws/rds/{kind}/{self.name}/postgresql"]
        equal([ours.get(name) for name in names], [30, 30, 30], "days that diagnostics are kept")

    def check_access_logs(self):
        s3 = self.cloud.client("s3")
        bucket = self.one("AWS::S3::Bucket")
        only_by_tls(json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]), "bucket")
        [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        equal((rule["Status"], rule["Expiration"]["Days"]), ("Enabled", 7), "days of access logs")
        blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        equal(set(blocked.values()), {True}, "bucket: public access blocked")

    # ---- Scaling, alarms, dashboard ----

    def check_scaling(self):
        scaling = self.cloud.client("application-autoscaling")
        limits = {"rds": {"Api": (2, 6), "Worker": (1, 4)}, "aurora": {"Api": (2, 20), "Worker": (1, 10)}}
        found = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        found = {one["ResourceId"]: (one["MinCapacity"], one["MaxCapacity"]) for one in found}
        cluster = self.one("AWS::ECS::Cluster")
        where = {which: f"service/{cluster}/" + self.one("AWS::ECS::Service", f"Services{which}").rsplit("/", 1)[-1]
                 for which in ("Api", "Worker")}
        equal({key: value for key, value in found.items() if cluster in key},
              {where[which]: limits[self.database][which] for which in where}, "how many tasks")
        policies = [one for one in scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
                    if cluster in one["ResourceId"]]
        values = {}
        for policy in policies:
            tracked = policy.get("TargetTrackingScalingPolicyConfiguration")
            if tracked:
                metric = tracked.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "backlog")
                values[metric, policy["ResourceId"]] = tracked["TargetValue"]
        equal(values, {("ECSServiceAverageCPUUtilization", where["Api"]): 60,
                       ("ECSServiceAverageMemoryUtilization", where["Api"]): 70,
                       ("ALBRequestCountPerTarget", where["Api"]): 120_000,
                       ("backlog", where["Worker"]): 100}, "more tasks when")
        [steps] = [one["StepScalingPolicyConfiguration"] for one in policies
                   if one["PolicyType"] == "StepScaling"]
        equal([(one["MetricIntervalLowerBound"], one["ScalingAdjustment"]) for one in steps["StepAdjustments"]],
              [(0, 1), (240, 3)], "more workers by age")

    def check_alarms(self):
        asked = self.cloud.client("cloudwatch").get_paginator("describe_alarms").paginate()
        found = {one["AlarmName"]: one for page in asked for one in page["MetricAlarms"]}
        topic = self.one("AWS::SNS::Topic")
        promised = {**ALARMS, **(OF_AURORA if self.database == "aurora" else OF_RDS),
                    **(OF_SECOND_NODE if self.zones > 1 else {})}
        ids = self.ids("AWS::CloudWatch::Alarm", "Alarms")
        equal(len(ids), len(promised), "alarms")
        for name, (way, threshold, silent) in promised.items():
            alarm = found[self.one("AWS::CloudWatch::Alarm", f"Alarms{name}")]
            equal(alarm["ComparisonOperator"], {">": "GreaterThanThreshold", "<": "LessThanThreshold"}[way], name)
            equal(alarm["Threshold"], threshold, f"alarm {name}")
            equal(alarm["TreatMissingData"], "breaching" if silent else "notBreaching", f"alarm {name} in silence")
            equal((alarm["AlarmActions"], alarm["OKActions"]), ([topic], [topic]), f"whom {name} tells")
        equal(found[self.one("AWS::CloudWatch::Alarm", "AlarmsApiP99")]["ExtendedStatistic"], "p99", "ApiP99")
        rate = found[self.one("AWS::CloudWatch::Alarm", "AlarmsApi5xxRate")]["Metrics"]
        [expression] = [one["Expression"] for one in rate if "Expression" in one]
        assert "target" in expression and "balancer" in expression, expression

    def check_topic(self):
        sns = self.cloud.client("sns")
        attributes = sns.get_topic_attributes(TopicArn=self.one("AWS::SNS::Topic"))["Attributes"]
        key = self.one("AWS::KMS::Key")
        assert key in attributes["KmsMasterKeyId"], "the topic has no key of its own"
        equal(self.cloud.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"], True, "key rotation")
        policy = json.loads(attributes["Policy"])
        only_by_tls(policy, "topic")
        services = {one["Principal"].get("Service") for one in policy["Statement"]
                    if one["Effect"] == "Allow" and isinstance(one["Principal"], dict)}
        assert {"cloudwatch.amazonaws.com", "events.amazonaws.com"} <= services, services

    def check_dashboard(self):
        """Its metrics are those of what was made."""
        body = self.cloud.client("cloudwatch", at=ENDPOINT).get_dashboard(DashboardName=self.one("AWS::CloudWatch::Dashboard"))["DashboardBody"]
        widgets = json.loads(body)["widgets"]
        named = json.dumps(widgets)
        queue = self.outputs["QueueUrl"].rsplit("/", 1)[-1]
        for name in (queue, self.one("AWS::ECS::Cluster"), self.name):
            assert name in named, f"the dashboard has nothing of {name}"
        assert "${" not in named and "Ref" not in named.replace("Refused", ""), "the dashboard has names unresolved"

    def check_protection(self):
        equal(self.stack["EnableTerminationProtection"], self.protected, "protection of the stack")


def only_by_tls(policy, what):
    denied = [one for one in policy["Statement"] if one["Effect"] == "Deny"
              and one.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}]
    assert denied, f"{what}: plain HTTP is not refused"
