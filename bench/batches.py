"""Table `batches`: NDJSON of 100 and of 1,000 logs a request, logmill beside other log servers.

All get the same logs of the corpus, about 220 bytes each as JSON, in the form that each takes. The
case `same` is 1,000 times one log, again and again: it shows how much of a figure is due to the
corpus, since who compresses columns has next to nothing to do then.
"""

import os

import corpus
from accept import available, rounds, tell_promises
from common import BATCHES, ROUNDS, SECONDS, free_port, wait_for
from figures import Aim, median, medians_table, ratio, tell_absent, tell_before
from peers import Collector, Rsyslog, VictoriaLogs
from servers import Before, Logmill

CONNECTIONS = 64
COLUMNS = [
    ("cpu_per_million", "CPU-s/million", 15, ".2f"), ("logs_per_second", "logs/s", 11, ".0f"),
    ("p50_ms", "p50 ms", 9, ".1f"), ("p99_ms", "p99 ms", 9, ".1f"),
    ("disk_mib_per_million", "disk MiB/million", 18, ".0f"), ("rss_peak_mib", "peak MiB", 10, ".0f"),
]  # fmt: skip


class Taking(Logmill):
    """`logmill api` on one core: taking and making durable alone. A worker counts the logs between
    the loads."""

    name = "logmill api, one core"
    promise = "fsynced in the queue"

    def __init__(self):
        super().__init__("api")
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setaffinity(int(thread), {0})
        self.kept = 0

    def settle(self):
        port = free_port()
        worker = Logmill("worker", self.dir, METRICS_PORT=str(port))
        worker.port = port
        wait_for("queue empty", lambda: self.metrics().get("logmill_queue_depth") == 0)
        self.kept += int(worker.metrics()["logmill_logs_stored_total"])
        worker.halt()
        return self.kept

    def disk(self):
        return None


CLASSES = {
    "serve": Logmill, "before": Before, "taking": Taking, "victorialogs": VictoriaLogs, "rsyslog": Rsyslog, "otelcol": Collector,
}  # fmt: skip


def aims(turns):
    return [
        Aim("logs/s taken durably by one core", median(turns, Taking.name, "logs_per_second"), least=500_000),
        Aim("CPU of logmill serve / VictoriaLogs",
            ratio(turns, Logmill.name, VictoriaLogs.name, "cpu_per_million"), most=2),
        Aim("CPU of logmill serve / the build before",
            ratio(turns, Logmill.name, Before.name, "cpu_per_million"), most=1.03),
    ]  # fmt: skip


def table():
    classes, absent = available(CLASSES)
    results = {"absent": absent, "cases": []}
    for batch in BATCHES:
        corpus.same = batch == "same"
        size = 1000 if corpus.same else int(batch)
        turns = rounds(classes, size, CONNECTIONS)
        what = "1,000 identical logs" if corpus.same else f"{size} logs"
        title = f"{what} a request, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {SECONDS} s"
        medians_table(title, turns, COLUMNS)
        tell_before(turns, Logmill.name, Before.name, "cpu_per_million")
        results["cases"].append({"title": title, "size": size, "turns": turns, "aims": [a.tell() for a in aims(turns)]})
    corpus.same = False
    tell_promises(turns)
    tell_absent(absent)
    return results
