"""The set-ups under stress, made of the servers of the bench: each has everything of its own, in
build/stress/, on free ports of loopback."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import urllib.request

from common import ROOT, free_port, fresh_dir, start, stop, wait_for
from servers import Logmill, Postgres, Redis

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "stress", "AWS_SECRET_ACCESS_KEY": "stress", "AWS_REGION": "eu-central-1"}


def answers(ask):
    """True if a server can be asked already."""
    try:
        ask()
        return True
    except OSError:
        return False


class Embedded:
    """`logmill serve` alone."""

    name = "embedded"
    COLUMNS = {"vu": "json_extract(attributes, '$.vu')", "n": "json_extract(attributes, '$.n')"}

    def __init__(self):
        self.logmill = Logmill("serve")
        self.url = self.logmill.url("")
        self.pids = {"serve": self.logmill.pid}

    def metrics(self):
        return self.logmill.metrics()

    def counts(self):
        m = self.metrics()
        return m["logmill_logs_accepted_total"], m["logmill_logs_stored_total"], m["logmill_queue_depth"]

    def query(self, text, **values):
        with contextlib.closing(sqlite3.connect(os.path.join(self.logmill.dir, "logs.db"))) as db:
            return db.execute(text.format(**self.COLUMNS, **values)).fetchall()

    def stop(self):
        stop(self.logmill.process)
        shutil.rmtree(self.logmill.dir, ignore_errors=True)


class ElasticMq:
    """A server of the SQS protocol with one queue, in its memory; tools/elasticmq fetches it."""

    def __init__(self):
        jars = subprocess.run([os.path.join(ROOT, "tools", "elasticmq")], check=True, capture_output=True, text=True)
        port, folder = free_port(), fresh_dir("elasticmq")
        config = os.path.join(folder, "elasticmq.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(f"""include classpath("application.conf")
                node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
                rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1" }}
                rest-stats.enabled = false
                queues {{ logs {{ defaultVisibilityTimeout = 30 seconds }} }}""")
        command = ["java", "-Xmx1g", f"-Dconfig.file={config}", "-cp", os.path.join(jars.stdout.strip(), "*"),
                   "org.elasticmq.server.Main"]  # fmt: skip
        self.process = start(command, cwd=folder)
        self.pid = self.process.pid
        self.url = f"http://127.0.0.1:{port}/000000000000/logs"
        wait_for("ElasticMQ ready", lambda: answers(self.depth))

    def depth(self):
        """Messages that wait or are being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        body = json.dumps({"QueueUrl": self.url, "AttributeNames": names}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.GetQueueAttributes"}
        with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=30) as answer:
            return sum(int(n) for n in json.load(answer)["Attributes"].values())

    def stop(self):
        self.process.terminate()  # a JVM then ends with status 143
        self.process.wait(timeout=60)


class Cloud:
    """`logmill api` and `logmill worker` over ElasticMQ, PostgreSQL and Redis or Valkey."""

    name = "cloud"
    COLUMNS = {"vu": "(attributes->>'vu')::int", "n": "(attributes->>'n')::int"}

    def __init__(self):
        self.sqs, self.postgres, self.redis = ElasticMq(), Postgres(), Redis()
        metrics_port = free_port()
        settings = CREDENTIALS | {
            "SQS_QUEUE_URL": self.sqs.url,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
        }
        self.worker = Logmill("worker", fresh_dir("worker"), METRICS_PORT=str(metrics_port), **settings)
        self.worker.port = metrics_port
        self.api = Logmill("api", fresh_dir("api"), **settings)
        self.url = self.api.url("")
        self.pids = {
            "api": self.api.pid,
            "worker": self.worker.pid,
            "PostgreSQL": self.postgres.pid,
            "ElasticMQ": self.sqs.pid,
            self.redis.name: self.redis.pid,
        }
        wait_for("the worker's metrics", lambda: answers(self.worker.metrics))

    def metrics(self):
        """Of both together."""
        api, worker = self.api.metrics(), self.worker.metrics()
        return {name: api.get(name, 0) + worker.get(name, 0) for name in api | worker}

    def counts(self):
        stored = self.worker.metrics()["logmill_logs_stored_total"]
        return self.api.metrics()["logmill_logs_accepted_total"], stored, self.sqs.depth()

    def query(self, text, **values):
        lines = self.postgres.sql(text.format(**self.COLUMNS, **values)).splitlines()
        return [tuple(int(cell) for cell in line.split("|")) for line in lines]

    def stop(self):
        for logmill in (self.api, self.worker):
            stop(logmill.process)
            shutil.rmtree(logmill.dir, ignore_errors=True)
        for server in (self.redis, self.postgres, self.sqs):
            server.stop()


SETUPS = {setup.name: setup for setup in (Embedded, Cloud)}
