"""What Fargate does: tasks are run from their task definitions, as ECS tells them, with the environment,
secrets and credentials that they would have there. And the servers that they find by their names: a
real PostgreSQL and a real Redis or Valkey, with TLS and the passwords that Secrets Manager has.
"""

import http.server
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import threading
import urllib.parse

from stage import PATIENCE, Authority, eventually, listens

CREDENTIALS = ("169.254.170.2", 80)  # where ECS tells a task its role's


class Credentials(threading.Thread):
    """The endpoint of ECS that tells a task the credentials of its role."""

    def __init__(self):
        super().__init__(daemon=True)
        self.known = known = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = known.get(self.path)
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(json.dumps(found or {}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(CREDENTIALS, Handler)
        self.start()

    def run(self):
        self.server.serve_forever()

    def tell(self, login):
        """Returns the relative URI for AWS_CONTAINER_CREDENTIALS_RELATIVE_URI."""
        path = f"/v2/credentials/{len(self.known)}"
        self.known[path] = {"RoleArn": login["arn"], "AccessKeyId": login["AccessKeyId"],
                            "SecretAccessKey": login["SecretAccessKey"], "Token": login["SessionToken"],
                            "Expiration": login["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")}
        return path


def assume(cloud, arn):
    """Credentials of a role, as a service of AWS gets them for a task."""
    answer = cloud.client("sts").assume_role(RoleArn=arn, RoleSessionName="task")
    return {**answer["Credentials"], "arn": arn}


def client_as(cloud, login, service):
    return cloud.client(service, aws_access_key_id=login["AccessKeyId"],
                        aws_secret_access_key=login["SecretAccessKey"], aws_session_token=login["SessionToken"])


class Definition:
    """The task definition that a service runs now, with credentials of both its roles."""

    def __init__(self, cloud, resources, which):
        found = [one for key, one in resources.items()
                 if one["ResourceType"] == "AWS::ECS::Service" and key.startswith(f"Services{which}")]
        [service] = found
        [cluster] = [one["PhysicalResourceId"] for one in resources.values()
                     if one["ResourceType"] == "AWS::ECS::Cluster"]
        ecs = cloud.client("ecs")
        name = service["PhysicalResourceId"].rsplit("/", 1)[-1]
        [self.service] = ecs.describe_services(cluster=cluster, services=[name])["services"]
        answer = ecs.describe_task_definition(taskDefinition=self.service["taskDefinition"])
        self.task = answer["taskDefinition"]
        self.containers = {one["name"]: one for one in self.task["containerDefinitions"]}
        self.cloud = cloud
        self.role = assume(cloud, self.task["taskRoleArn"])
        self.execution_role = assume(cloud, self.task["executionRoleArn"])

    def environment(self, container="logmill"):
        env = {one["name"]: one["value"] for one in self.containers[container]["environment"]}
        secrets = client_as(self.cloud, self.execution_role, "secretsmanager")
        for secret in self.containers[container]["secrets"]:
            env[secret["name"]] = resolve(secrets, secret["valueFrom"])
        return env


def resolve(secretsmanager, value_from):
    """The value that `arn:…:NAME-XXXXXX:KEY:STAGE:VERSION` names."""
    parts = value_from.split(":")
    text = secretsmanager.get_secret_value(SecretId=":".join(parts[:7]))["SecretString"]
    return json.loads(text)[parts[7]] if len(parts) > 7 and parts[7] else text


def is_nobody_else():
    """Whether this is an ordinary user's namespace, in which root, that user, is all there is."""
    return pathlib.Path("/proc/self/uid_map").read_text().split()[2] == "1"


class Servers:
    """PostgreSQL and Redis, under the names and with the passwords that the stack's tasks are given; `env` has
    those of the database's master user.
    """

    def __init__(self, stage, env):
        self.stage = stage
        self.authority = Authority(stage.folder)
        self.env = env
        cache = urllib.parse.urlsplit(env["REDIS_URL"])
        stage.name(env["DATABASE_HOST"], cache.hostname)
        self.redis(cache)
        self.postgres()

    def redis(self, url):
        cert, key = self.authority.sign(url.hostname)
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        self.cache = self.stage.start("redis", [
            program, "--port", 0, "--tls-port", url.port, "--bind", "127.0.0.1", "--tls-cert-file", cert,
            "--tls-key-file", key, "--tls-ca-cert-file", self.authority.cert, "--tls-auth-clients", "no",
            "--requirepass", url.password, "--save", "", "--dir", self.stage.folder,
        ])
        self.cache.until("start", lambda: listens(url.port))

    def postgres(self):
        env, folder = self.env, self.stage.folder / "postgres"
        folder.mkdir()
        self.folder = folder
        programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda at: int(at.parent.name))
        owner = pwd.getpwnam("postgres")  # it refuses to be root
        if is_nobody_else():
            as_owner = ["unshare", "--user", f"--map-user={owner.pw_uid}", f"--map-group={owner.pw_gid}"]
            options = {"cwd": folder}
        else:
            as_owner = []
            options = {"cwd": folder, "user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        subprocess.run([*as_owner, programs / "initdb", "-D", data, "-U", "rdsadmin", "-E", "UTF8", "--locale=C.UTF-8",
                        "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions"],
                       check=True, capture_output=True, **options)
        (data / "pg_hba.conf").write_text("local all all trust\n"
                                          "hostssl all all all scram-sha-256\n")  # rds.force_ssl
        given = {"listen_addresses": "127.0.0.1", "ssl": "on", "ssl_cert_file": folder / "server.pem",
                 "ssl_key_file": folder / "server.key", "fsync": "off", "shared_buffers": "64MB"}
        settings = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        self.command = [*as_owner, programs / "postgres", "-D", data, "-k", folder, "-p", env["DATABASE_PORT"],
                        *settings]
        self.options = options
        self.start_database()
        # RDS's master user makes roles and databases, and is no superuser.
        self.sql(f"CREATE ROLE {env['DATABASE_USER']} LOGIN CREATEDB CREATEROLE", "postgres")
        self.set_password()
        self.sql(f"CREATE DATABASE {env['DATABASE_NAME']} OWNER {env['DATABASE_USER']}", "postgres")

    def start_database(self):
        """Also again, after `database.stop()`."""
        for file, name in zip(self.authority.sign(self.env["DATABASE_HOST"]), ("server.pem", "server.key")):
            shutil.copy(file, self.folder / name)
            (self.folder / name).chmod(0o600)
            if not is_nobody_else():
                os.chown(self.folder / name, self.options["user"], self.options["group"])
        self.database = self.stage.start("postgres-server", self.command, **self.options)
        self.database.until("start", lambda: self.sql("SELECT 1", "postgres") == "1")

    def bring_back(self, env):
        """The database with all that is in it, under another stack's name, as RDS makes it of a snapshot: roles have
        the passwords that they had, but the master user has that stack's. The cache is a new one.
        """
        cache = urllib.parse.urlsplit(env["REDIS_URL"])
        self.stage.name(env["DATABASE_HOST"], cache.hostname)
        self.cache.stop()
        self.redis(cache)
        self.database.stop(signal.SIGINT)
        self.env = env
        self.start_database()
        self.set_password()

    def set_password(self):
        password = self.env["DATABASE_PASS"].replace("'", "''")
        self.sql(f"ALTER ROLE {self.env['DATABASE_USER']} PASSWORD '{password}'", "postgres")

    def sql(self, text, database=None, user="rdsadmin"):
        """What psql prints; as the server's own administrator, unless for `user`."""
        ran = subprocess.run(["psql", "-h", self.folder, "-p", self.env["DATABASE_PORT"], "-U", user, "-d",
                              database or self.env["DATABASE_NAME"], "-XAtqc", text],
                             capture_output=True, text=True, check=False)
        if ran.returncode:
            raise OSError(ran.stderr)
        return ran.stdout.strip()

    @property
    def trust(self):
        """The only settings of a task that are not the stack's: authorities, since RDS's and Amazon's are not here."""
        return {"PGSSLROOTCERT": str(self.authority.cert), "REDIS_CA_FILE": str(self.authority.cert)}


class Task:
    """A container of a task definition, run as a process, after those that it waits for."""

    def __init__(self, stage, definition, servers, credentials, binary, name="logmill", alone=False, **changed):
        container = definition.containers[name]
        for first in [] if alone else container.get("dependsOn", []):
            assert first["condition"] == "SUCCESS"
            Task(stage, definition, servers, credentials, binary, first["containerName"]).succeed()
        self.env = {**definition.environment(name), **servers.trust, **changed,
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": credentials.tell(definition.role)}
        folder = stage.folder / f"bin-{len(stage.processes)}"
        folder.mkdir()
        (folder / "logmill").symlink_to(binary)
        self.env["PATH"] = f"{folder}:{os.environ['PATH']}"
        command = container["entryPoint"] + container["command"]
        self.health = container.get("healthCheck", {}).get("command")
        number = len(stage.processes)
        self.process = stage.start(f"{container['command'][0]}-{number}", [folder / command[0], *command[1:]],
                                   self.env)

    def succeed(self):
        """Waits for the end of what does not run on, which has to be a good one."""
        status = self.process.popen.wait(PATIENCE)
        assert status == 0, f"{self.process.name} ended with {status}:\n{self.process.said()[-4000:]}"

    def ready(self, patience=PATIENCE):
        sign = '"storing"' if self.health else '"listening"'
        self.process.until(sign, lambda: sign in self.process.said(), patience)
        if self.health:
            assert self.health[0] == "CMD"
            eventually("health check", lambda: subprocess.run(
                self.health[1:], env=self.env, check=False, capture_output=True).returncode == 0)
        return self

    def stop(self):
        status = self.process.stop()
        assert status == 0, f"{self.process.name} ended with {status}:\n{self.process.said()[-4000:]}"
