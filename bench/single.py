"""Table `single`: POST /log, one log a request, over 1, 64 and 512 connections.

What counts is the CPU time of the whole process, all threads and children, per 100,000 logs; for
`logmill serve` that includes making every log durable and storing it. If a log goes into SQS
(ElasticMQ), only the api's own CPU counts.
"""

from accept import available, rounds, tell_promises
from common import CONNECTIONS, ROUNDS, SECONDS
from figures import Aim, medians_table, ratio, tell_absent, tell_before
from peers import VictoriaLogs
from servers import Before, Logmill, Nginx
from sqs import BaselineApi, LogmillApi

CLASSES = {
    "nginx": Nginx, "serve": Logmill, "before": Before, "api": LogmillApi, "baseline": BaselineApi, "victorialogs": VictoriaLogs,
}  # fmt: skip
COLUMNS = [
    ("cpu_per_100k", "CPU-s/100k", 12, ".3f"), ("requests_per_second", "requests/s", 12, ".0f"),
    ("p50_ms", "p50 ms", 9, ".2f"), ("p99_ms", "p99 ms", 9, ".2f"),
    ("rss_idle_mib", "idle MiB", 10, ".1f"), ("rss_peak_mib", "peak MiB", 10, ".1f"),
]  # fmt: skip


def aims(turns):
    def cpu(who, other, inverse=False):
        found = ratio(turns, who.name, other.name, "cpu_per_100k")
        return 1 / found if found and inverse else found

    return [
        Aim("CPU of logmill serve / nginx", cpu(Logmill, Nginx), most=1.6),
        Aim("CPU of the baseline api / logmill api", cpu(LogmillApi, BaselineApi, True), least=40),
        Aim("CPU of the baseline api / logmill serve, worker and store included",
            cpu(Logmill, BaselineApi, True), least=40),
        Aim("CPU of logmill serve / the build before", cpu(Logmill, Before), most=1.03),
        Aim("CPU of VictoriaLogs / logmill serve", cpu(Logmill, VictoriaLogs, True), least=6),
    ]  # fmt: skip


def table():
    classes, absent = available(CLASSES)
    results = {"absent": absent, "cases": []}
    for connections in CONNECTIONS:
        turns = rounds(classes, 1, connections)
        title = f"POST /log, {connections} connections, medians of {ROUNDS} rounds of {SECONDS} s"
        medians_table(title, turns, COLUMNS)
        tell_before(turns, Logmill.name, Before.name, "cpu_per_100k")
        results["cases"].append(
            {"title": title, "connections": connections, "turns": turns, "aims": [a.tell() for a in aims(turns)]}
        )
    tell_promises(turns)
    tell_absent(absent)
    return results
