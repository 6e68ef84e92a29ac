"""ElasticMQ, and the two apis that send to it: `logmill api`, and the baseline's."""

import json
import os
import shutil
import signal
import urllib.request

import installs
from common import BENCH, free_port, fresh_dir, start
from servers import Logmill, Server

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "eu-central-1"}
NO_CACHE = {"PYTHONDONTWRITEBYTECODE": "1"}
BASELINE = os.path.join(BENCH, "baseline")


class ElasticMq:
    """A server of SQS's protocol that keeps all in its memory. One serves a whole table, since a JVM
    is fast only when it has run for a while; every turn gets a queue of its own."""

    shared = None

    def __init__(self):
        jars = installs.elasticmq()
        self.port, self.dir, self.queues = free_port(), fresh_dir("elasticmq"), 0
        config = os.path.join(self.dir, "elasticmq.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write('include classpath("application.conf")\n'
                      f'node-address {{ host = "127.0.0.1", port = {self.port} }}\n'
                      f'rest-sqs {{ bind-port = {self.port}, bind-hostname = "127.0.0.1" }}\n'
                      "rest-stats.enabled = false\n")  # fmt: skip
        command = ["java", "-Xmx4g", f"-Dconfig.file={config}", "-cp", jars, "org.elasticmq.server.Main"]
        self.process = start(command, {}, self.port)
        self.pid = self.process.pid

    @classmethod
    def get(cls):
        if cls.shared is None:
            cls.shared = cls()
        return cls.shared

    def call(self, action, **parameters):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", json.dumps(parameters).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def new_queue(self):
        self.queues += 1
        return self.call("CreateQueue", QueueName=f"logs-{self.queues}")["QueueUrl"]

    def settings(self, queue):
        return CREDENTIALS | {"SQS_QUEUE_URL": queue, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def depth(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def count_logs(self, queue):
        """Takes all messages out of a queue, and counts the logs in them."""
        count = 0
        while messages := self.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                count += len(json.loads(message["Body"]).get("logs", [None]))
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
            self.call("DeleteMessageBatch", QueueUrl=queue, Entries=entries)
        return count

    def stop(self):
        self.process.terminate()  # Java's own status for this is 143
        self.process.wait(timeout=60)
        shutil.rmtree(self.dir)
        ElasticMq.shared = None


class IntoSqs:
    """An api with a queue of its own in the one ElasticMQ. Only the api's own CPU counts."""

    def __init__(self, *arguments, **options):
        self.kept = 0
        super().__init__(*arguments, **options)

    def new_queue(self):
        self.sqs = ElasticMq.get()
        self.queue = self.sqs.new_queue()
        return self.sqs.settings(self.queue)

    def settle(self):
        self.kept += self.sqs.count_logs(self.queue)
        return self.kept

    def disk(self):
        return None

    def stop(self):
        super().stop()
        self.sqs.call("DeleteQueue", QueueUrl=self.queue)


class LogmillApi(IntoSqs, Logmill):
    name = "logmill api"
    promise = "SQS has confirmed the message"
    prepare = staticmethod(installs.elasticmq)

    def __init__(self):
        super().__init__("api", **self.new_queue())


class BaselineApi(IntoSqs, Server):
    name = "baseline api"
    promise = "SQS has confirmed the message"
    statuses = (0, -signal.SIGTERM)

    @staticmethod
    def prepare():
        installs.elasticmq()
        installs.baseline()

    def __init__(self):
        programs = installs.baseline()
        settings = self.new_queue()
        port = free_port()
        command = [os.path.join(programs, "uvicorn"), "api:app", "--app-dir", BASELINE, "--port", str(port),
                   "--no-access-log", "--log-level", "warning"]  # fmt: skip
        super().__init__(command, port, settings | NO_CACHE, fresh_dir("baseline"))
