"""`make deploy-test`: deploys the stack on this machine against emulators of AWS, reads back what was made,
runs it, updates it and rolls back. tests/deploy/README.md says what that shows.
"""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time
import traceback

import permissions
from client import Client
from cloud import ACCOUNT, REGION, Cloud
from readback import Readback, equal
from stage import PATIENCE, ROOT, Stage, eventually
from tasks import Credentials, Definition, Servers, Task

BINARY = pathlib.Path(os.environ.get("LOGMILL_BIN", ROOT / "build" / "test" / "logmill"))
BEFORE = "7ca0bf5"  # the build before, whose schema has a step less: tests/integration/compatible.test.ts
LOGS = 10_000
ALSO = 500  # before and after an update
TASK_CONNECTIONS = 7  # of cdk/README.md, "Choices"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/x"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/logmill:2"
NO_QUESTIONS = ("--require-approval", "never")


def part(name):
    print(f"==> {name}", flush=True)


class Walk:
    """One stack, from its keys on."""

    def __init__(self, stage, cloud):
        self.stage = stage
        self.cloud = cloud
        self.keys()
        self.plain = cloud.assembly(keysSecretArn=self.keys_arn)

    def keys(self):
        """README's: made by `logmill keys`, and put into a secret."""
        file = self.stage.folder / "keys"
        made = {}
        for name, role in (("shop", "write"), ("anna", "read"), ("root", "admin")):
            ran = subprocess.run([BINARY, "keys", "add", name, "--role", role], check=True, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 env={**os.environ, "KEYS_FILE": str(file)})
            made[name] = ran.stdout.split()[-1]
        self.write, self.read, self.admin = made["shop"], made["anna"], made["root"]
        secret = self.cloud.client("secretsmanager").create_secret(Name="logmill-keys",
                                                                   SecretString=file.read_text())
        self.keys_arn = secret["ARN"]

    def deploy(self):
        part("bootstrap")
        self.cloud.cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", self.plain)
        part("deploy, and read back")
        self.cloud.cdk("deploy", "--app", self.plain, *NO_QUESTIONS)
        calls = [line.split()[0] for line in (self.stage.folder / "docker.calls").read_text().splitlines()]
        equal(calls, ["login", "inspect", "build", "tag", "push"], "what the CDK asks Docker for")
        back = Readback(self.cloud)
        print("as promised:", ", ".join(back.all()))
        self.queue = back.outputs["QueueUrl"]
        self.dead = back.one("AWS::SQS::Queue", "QueuesDeadLetters")

    def definitions(self):
        """Of both tasks, as the services have them now; their credentials are got while IAM lets all pass."""
        resources = self.cloud.stack()[0]
        return {which.lower(): Definition(self.cloud, resources, which) for which in ("Api", "Worker")}

    def tried_permissions(self):
        part("each role's calls, allowed and forbidden")
        definitions = self.definitions()
        self.cloud.enforce()
        tried = permissions.try_all(self.cloud, self.queue, self.dead, definitions)
        print(f"{tried} calls tried")
        for queue in (self.queue, self.dead):
            self.cloud.client("sqs").purge_queue(QueueUrl=queue)
        self.cloud.enforce(False)

    # ---- What runs in it ----

    def start(self, definitions, binary, **how):
        """A worker and an api, in that order, as a deployment starts them."""
        worker = Task(self.stage, definitions["worker"], self.servers, self.credentials, binary, **how).ready()
        api = Task(self.stage, definitions["api"], self.servers, self.credentials, binary, **how).ready()
        return worker, api

    def run(self):
        part(f"{LOGS} logs through api and worker of the task definitions")
        definitions = self.definitions()
        master = definitions["worker"].environment("migrate")
        self.servers = Servers(self.stage, {**definitions["api"].environment(), **master})
        self.credentials = Credentials()
        self.client = Client(8000, self.write, self.read)
        self.cloud.enforce()
        worker, api = self.start(definitions, BINARY)
        status = self.client.ask("POST", "/logs", [{"message": "no key", "level": "info"}])[0]
        equal(status, 401, "who has no key")
        began = time.monotonic()
        self.client.send("first", LOGS)
        self.client.verify("first", LOGS)
        self.kept = ("first", LOGS)
        print(f"{LOGS} logs there exactly once after {time.monotonic() - began:.1f} s")
        self.connections()
        self.away(definitions)
        part("dead letters, and requeue")
        worker.stop()
        self.dead_letters(definitions["worker"])
        api.stop()
        self.cloud.enforce(False)

    def connections(self):
        """One task of each has no more of them than the README counts its tasks by."""
        rows = self.servers.sql("SELECT usename, count(*) FROM pg_stat_activity WHERE usename ^@ 'logmill_' GROUP BY 1")
        held = {name: int(count) for name, count in (row.split("|") for row in rows.splitlines())}
        equal(sorted(held), ["logmill_api", "logmill_worker"], "who is connected to the database")
        assert max(held.values()) <= TASK_CONNECTIONS, f"connections to the database: {held}"
        print(f"connections to the database: {held}")

    def dead_letters(self, definition):
        """A message that became a dead letter is listed, sent again, and stored once."""
        sqs = self.cloud.client("sqs")
        self.client.send("dead", 1)
        answer = eventually("the message", lambda: sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=1, MessageAttributeNames=["All"], WaitTimeSeconds=1
        ).get("Messages"))
        sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=answer[0]["ReceiptHandle"])
        sqs.send_message(QueueUrl=self.dead, MessageBody=answer[0]["Body"],
                         MessageAttributes=answer[0].get("MessageAttributes", {}))
        sqs.send_message(QueueUrl=self.dead, MessageBody="this is not a message of logmill's")
        worker = Task(self.stage, definition, self.servers, self.credentials, BINARY).ready()
        # From a machine with credentials for SQS, as README has it.
        env = {"AWS_REGION": REGION, "SQS_QUEUE_URL": self.queue, "AWS_ACCESS_KEY_ID": ACCOUNT,
               "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true", "PATH": os.environ["PATH"]}

        def command(*words):
            return subprocess.run([BINARY, *words], env=env, check=True, text=True, stdout=subprocess.PIPE).stdout
        letters = [json.loads(line) for line in command("dead-letters").splitlines()]
        equal(len(letters), 2, "dead letters")
        command("dead-letters", "requeue", *[one["id"] for one in letters if "not a message" not in one["body"]])
        self.client.verify("dead", 1)
        left = [json.loads(line) for line in command("dead-letters").splitlines()]
        equal([one["body"] for one in left], ["this is not a message of logmill's"], "dead letters that are left")
        worker.stop()

    def away(self, definitions):
        """Without the database tasks that run go on, a worker's does not start, and one of api does, and takes logs."""
        part("the database is away")
        self.servers.database.stop(signal.SIGINT)
        migrate = Task(self.stage, definitions["worker"], self.servers, self.credentials, BINARY, "migrate")
        equal(migrate.process.popen.wait(PATIENCE), 1, "status of migrate")
        api = Task(self.stage, definitions["api"], self.servers, self.credentials, BINARY, PORT="8010").ready()
        Client(8010, self.write, self.read).send("started meanwhile", 10)
        self.client.send("ran already", 10)
        self.servers.start_database()
        for tag in ("started meanwhile", "ran already"):
            self.client.verify(tag, 10)
        api.stop()

    # ---- Updates ----

    def update(self):
        """A new image brings the schema a step further, and the roles that tasks log in by; the one before, which
        logged in as the master user, comes back, and both lose nothing.
        """
        part("an update with a step of the schema, and its rollback")
        git = subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{BEFORE}^{{commit}}"], check=False,
                             capture_output=True)
        if git.returncode:
            print(f"SKIPPED: commit {BEFORE} is not in this clone, whose history is cut")
            return
        built = subprocess.run([ROOT / "tools" / "build-before", BEFORE], check=True, text=True,
                               stdout=subprocess.PIPE)
        old = pathlib.Path(built.stdout.strip())
        self.servers.sql(f"DROP DATABASE {self.servers.env['DATABASE_NAME']}", "postgres")
        self.servers.sql(f"CREATE DATABASE {self.servers.env['DATABASE_NAME']} "
                         f"OWNER {self.servers.env['DATABASE_USER']}", "postgres")

        master = {name: self.servers.env[name] for name in ("DATABASE_USER", "DATABASE_PASS")}
        first = self.definitions()
        tasks = self.start(first, old, alone=True, **master)
        self.client.send("before", ALSO)
        self.client.verify("before", ALSO)
        version = int(self.schema())

        self.cloud.cdk("deploy", "--app", self.cloud.assembly(keysSecretArn=self.keys_arn, imageUri=IMAGE),
                       *NO_QUESTIONS)
        second = self.definitions()
        for which in second:
            for container in second[which].containers.values():
                equal(container["image"], IMAGE, f"image of {which} after the update")
            assert second[which].task["revision"] > first[which].task["revision"], "no new revision"
        equal(Readback(self.cloud).outputs["QueueUrl"], self.queue, "queue after the update")
        newer = Task(self.stage, second["worker"], self.servers, self.credentials, BINARY,
                     METRICS_PORT="8002").ready()
        assert int(self.schema()) > version, "the update has no step of the schema: choose an older build"
        self.client.send("during", ALSO)  # both workers, and the api of before
        self.client.verify("during", ALSO)

        owner = self.servers.sql("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class "
                                 "WHERE relnamespace = 'public'::regnamespace")
        equal(owner, "logmill_worker", "who owns the tables after the update")
        self.reads_only(second["api"])

        self.cloud.cdk("deploy", "--app", self.plain, *NO_QUESTIONS)
        newer.stop()
        for task in reversed(tasks):
            task.stop()
        third = self.definitions()
        images = [one["worker"].containers["logmill"]["image"] for one in (third, first)]
        equal(*images, "image after the rollback")
        tasks = self.start(third, old, alone=True, **master)
        self.client.send("after", ALSO)
        for tag in ("before", "during", "after"):
            self.client.verify(tag, ALSO)
        self.kept = ("before", ALSO)
        for task in reversed(tasks):
            task.stop()
        print(f"schema {version} → {self.schema()}, and a build that knows {version} goes on")

    def reads_only(self, definition):
        """By its role the api takes and reads logs, and the database lets it delete none."""
        env = definition.environment()
        equal(env["DATABASE_USER"], "logmill_api", "the api's own role")
        api = Task(self.stage, definition, self.servers, self.credentials, BINARY, PORT="8010").ready()
        client = Client(8010, self.write, self.read)
        client.send("own role", 10)
        client.verify("own role", 10)
        status, said = client.ask("DELETE", "/logs?q=own&reason=tried", key=self.admin)
        assert status >= 500, f"a role that only reads: DELETE /logs answers {status} {said}"
        client.verify("own role", 10)
        api.stop()

    def schema(self):
        return self.servers.sql("SELECT max(version) FROM logmill_schema")

    # ---- The end ----

    def destroy(self):
        part("destroy, and what is left")
        said = self.cloud.cdk("destroy", "--app", self.plain, "--force", fails=True)
        assert re.search("protect", said, re.I), said
        bare = self.cloud.assembly(keysSecretArn=self.keys_arn, deletionProtection=False)
        self.cloud.cdk("deploy", "--app", bare, *NO_QUESTIONS)
        back = Readback(self.cloud, deletionProtection=False)
        back.check_load_balancer()
        back.check_database()
        back.check_protection()
        bucket = back.one("AWS::S3::Bucket")
        self.cloud.cdk("destroy", "--app", bare, "--force")
        sqs = self.cloud.client("sqs")
        equal(set(sqs.list_queues()["QueueUrls"]), {self.queue, self.dead}, "queues that are left")
        buckets = {one["Name"] for one in self.cloud.client("s3").list_buckets()["Buckets"]}
        assert bucket in buckets, "the bucket of access logs is gone"
        rds = self.cloud.client("rds")
        equal(rds.describe_db_instances()["DBInstances"], [], "databases that are left")
        equal(len(rds.describe_db_snapshots()["DBSnapshots"]), 1, "last snapshots")
        for service, ask, what in (("ecs", "list_task_definitions", "taskDefinitionArns"),
                                   ("elbv2", "describe_load_balancers", "LoadBalancers"),
                                   ("elasticache", "describe_replication_groups", "ReplicationGroups"),
                                   ("sns", "list_topics", "Topics"), ("cloudwatch", "describe_alarms", "MetricAlarms")):
            equal(getattr(self.cloud.client(service), ask)()[what], [], f"what {service} has left")
        secrets = self.cloud.client("secretsmanager").list_secrets()["SecretList"]
        equal([one["Name"] for one in secrets], ["logmill-keys"], "secrets that are left, but for the one made by hand")
        roles = [one["RoleName"] for one in self.cloud.client("iam").list_roles()["Roles"]]
        equal([one for one in roles if one.startswith("logmill")], [], "roles that are left")

    def bring_back(self):
        """A new stack has the logs of the one that was destroyed, and logs in by its own passwords."""
        part("the last snapshot, brought back by a new stack")
        [snapshot] = self.cloud.client("rds").describe_db_snapshots()["DBSnapshots"]
        named = {"databaseSnapshot": snapshot["DBSnapshotIdentifier"], "deletionProtection": False}
        made = self.cloud.assembly(keysSecretArn=self.keys_arn, **named)
        self.cloud.cdk("deploy", "--app", made, *NO_QUESTIONS)
        print("as promised:", ", ".join(Readback(self.cloud, **named).all()))
        self.queue = Readback(self.cloud).outputs["QueueUrl"]
        definitions = self.definitions()
        master = definitions["worker"].environment("migrate")
        self.servers.bring_back({**definitions["api"].environment(), **master})
        tasks = self.start(definitions, BINARY)
        self.client.verify(*self.kept)
        self.client.send("brought back", ALSO)
        self.client.verify("brought back", ALSO)
        for task in reversed(tasks):
            task.stop()

        keeps_its_database(self.cloud, self.cloud.assembly(keysSecretArn=self.keys_arn, deletionProtection=False))
        self.cloud.cdk("destroy", "--app", made, "--force")


def other_choices(cloud, keys_arn):
    """All that the first stack was not: Aurora, HTTPS from the internet, two zones, a NAT gateway."""
    part("a stack of other choices: deployed, read back, destroyed")
    choices = {"stackName": "logmill-two", "database": "aurora", "exposure": "internet", "multiAz": True,
               "certificateArn": CERTIFICATE, "natGateways": 1, "cpuArchitecture": "X86_64",
               "deletionProtection": False}
    plain = cloud.assembly(keysSecretArn=keys_arn, imageUri=IMAGE, **choices)
    cloud.cdk("deploy", "--app", plain, *NO_QUESTIONS)
    print("as promised:", ", ".join(Readback(cloud, **choices).all()))
    part("another exposure")
    inside = {**choices, "exposure": "internal"}
    cloud.cdk("deploy", "--app", cloud.assembly(keysSecretArn=keys_arn, imageUri=IMAGE, **inside), *NO_QUESTIONS)
    print("as promised:", ", ".join(Readback(cloud, **inside).all()))
    cloud.cdk("destroy", "--app", plain, "--force")
    part("its last snapshot, brought back")
    [snapshot] = cloud.client("rds").describe_db_cluster_snapshots()["DBClusterSnapshots"]
    made = cloud.assembly(keysSecretArn=keys_arn, imageUri=IMAGE, **choices,
                          databaseSnapshot=snapshot["DBClusterSnapshotArn"])
    cloud.cdk("deploy", "--app", made, *NO_QUESTIONS)
    Readback(cloud, **choices).check_database()
    keeps_its_database(cloud, plain)
    cloud.cdk("destroy", "--app", made, "--force")


def keeps_its_database(cloud, plain):
    """An update that names the snapshot no more would make another database, and is refused."""
    said = cloud.cdk("deploy", "--app", plain, *NO_QUESTIONS, fails=True)
    assert "custom-named resource requires replacing" in said, said


def test(stage):
    began = time.monotonic()
    walk = Walk(stage, Cloud(stage))
    print(f"emulators and template: {time.monotonic() - began:.0f} s")
    walk.deploy()
    walk.tried_permissions()
    walk.run()
    walk.update()
    walk.destroy()
    walk.bring_back()
    other_choices(walk.cloud, walk.keys_arn)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends through all `finally`s
    began = time.monotonic()
    stage = Stage()
    try:
        test(stage)
    except Exception as reason:  # pylint: disable=broad-except # whatever failed, what was said last is told
        if not isinstance(reason, AssertionError):
            traceback.print_exc()
        for process in stage.processes:
            print(f"-- {process.name} said last:\n{process.said()[-2000:]}", file=sys.stderr)
        print(f"deploy-test: FAILED: {reason}", file=sys.stderr)
        if os.environ.get("HOLD"):  # for who wants to look around: nsenter -n -m -t PID
            print(f"deploy-test: HOLD is set: all stays until {os.getpid()} gets a SIGTERM", file=sys.stderr)
            signal.pause()
        return 1
    finally:
        stage.end()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"deploy-test: passed in {time.monotonic() - began:.0f} s, "
          f"with {sum(one.ru_utime + one.ru_stime for one in used):.0f} s of processors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
