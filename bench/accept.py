"""Turns of taking logs, for the tables `single` and `batches`: contestants get the same load one after
the other, each started afresh, and each has to show that it did the work.

The clock of the CPU stops when a contestant has everything where it is to stay: stored and
acknowledged (logmill), flushed to the disk (VictoriaLogs), written (rsyslog), sent on (collector), in
the queue (apis in front of SQS).
"""

import sys
import time

from common import ROUNDS, SECONDS, WARM_UP_SECONDS, Unavailable, memory_mib, wanted
from figures import say_turn
from sqs import ElasticMq


def check_kept(name, kept, sent, size, connections):
    """`sent` logs were answered with a success; up to one request a connection got its answer too
    late for wrk to count it, in the warm-up and in the turn. Every log must be there, once."""
    late = 2 * connections * size
    if kept is not None and not sent <= kept <= sent + late:
        sys.exit(f"bench: {name}: {sent} logs taken, {kept} kept")


def turn(contestant, size, connections):
    """Figures of one contestant under requests of `size` logs."""
    server = contestant()
    time.sleep(0.5)
    figures = {"contestant": server.name, "rss_idle_mib": memory_mib(server.pid, "VmRSS")}
    warm_up = server.load(size, WARM_UP_SECONDS, connections)
    server.settle()

    before = server.cpu()
    began = time.monotonic()
    figures |= server.load(size, SECONDS, connections)
    kept = server.settle()
    figures["seconds_until_kept"] = time.monotonic() - began
    figures["cpu_seconds"] = server.cpu() - before

    check_kept(server.name, kept, (warm_up["requests"] + figures["requests"]) * size, size, connections)
    logs = figures["requests"] * size
    answers = "p50_ms" in figures
    figures["logs"], figures["kept"] = logs, kept
    figures["logs_per_second"] = logs / figures["seconds" if answers else "seconds_until_kept"]
    figures["cpu_per_100k"] = figures["cpu_seconds"] / logs * 1e5
    figures["cpu_per_million"] = figures["cpu_seconds"] / logs * 1e6
    if kept and (disk := server.disk()):
        figures["disk_mib_per_million"] = disk / kept * 1e6 / 2**20
    figures["rss_peak_mib"] = memory_mib(server.pid, "VmHWM")
    figures["promise"], figures["version"] = server.promise, server.version
    server.stop()
    return figures


def available(classes):
    """Those of `classes`, a dict, that are asked for and can be had; and why the others cannot."""
    ready, absent = {}, {}
    for key in wanted(classes):
        try:
            classes[key].prepare()
            ready[key] = classes[key]
        except Unavailable as why:
            absent[classes[key].name] = str(why)
    return ready, absent


def rounds(classes, size, connections):
    """All turns: ROUNDS of each of `classes`, interleaved."""
    turns = []
    for number in range(1, ROUNDS + 1):
        for contestant in classes.values():
            turns.append(f := turn(contestant, size, connections))
            say_turn(number, f, f"{f['cpu_per_100k']:8.3f} CPU-s per 100k logs,"
                                f"{f['logs_per_second']:10.0f} logs/s")  # fmt: skip
    if ElasticMq.shared:
        ElasticMq.shared.stop()
    return turns


def tell_promises(turns):
    """What each contestant's success means, and its version."""
    print("what a success promises:")
    for name, promise, version in dict.fromkeys((t["contestant"], t["promise"], t["version"]) for t in turns):
        print(f"  {name:<26}{promise}{f' ({version})' if version else ''}", flush=True)
