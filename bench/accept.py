"""Table `accept`: `logmill serve` beside nginx under the same load.

Both get the same POSTs from wrk in turns, each turn from a fresh start. What counts is the CPU time
of the whole process (all threads and children) per 100,000 requests; for logmill that includes
making every log durable and storing it: the clock stops when its queue is empty and the store holds
every log that was accepted.
"""

import os
import shutil
import sys
import time

from common import (
    CONNECTIONS, ROUNDS, SECONDS, WARM_UP_SECONDS,
    cpu_seconds, load, median, memory_mib, print_table, say_turn, write_body,
)  # fmt: skip
from servers import Logmill, Nginx

CONTESTANTS = {"nginx": Nginx, "logmill": Logmill}


def make_case(name, logs):
    """What is sent: one log to /log, or `logs` of them as NDJSON to /logs."""
    body_file = write_body(logs)
    return {
        "name": name,
        "logs": logs,
        "bytes": os.path.getsize(body_file),
        "path": "/log" if logs == 1 else "/logs",
        "content_type": "application/json" if logs == 1 else "application/x-ndjson",
        "body_file": body_file,
    }


def turn(name, case):
    """One contestant, started afresh, under the load of `case`; returns its figures."""
    contestant = CONTESTANTS[name]()
    is_logmill = name == "logmill"
    request = {"content_type": case["content_type"], "body_file": case["body_file"]}
    url = contestant.url(case["path"])
    time.sleep(0.5)
    figures = {"contestant": name, "rss_idle_mib": memory_mib(contestant.pid, "VmRSS")}
    warm_up = load(url, WARM_UP_SECONDS, **request)
    if is_logmill:
        contestant.wait_until_stored()

    before = cpu_seconds(contestant.pid)
    began = time.monotonic()
    figures |= load(url, SECONDS, **request)
    stored = contestant.wait_until_stored() if is_logmill else 0
    figures["seconds_until_stored"] = time.monotonic() - began
    figures["cpu_seconds"] = cpu_seconds(contestant.pid) - before

    if is_logmill:
        check_stored(stored, (warm_up["requests"] + figures["requests"]) * case["logs"], case)
    figures["logs_per_second"] = figures["requests_per_second"] * case["logs"]
    figures["cpu_per_100k_requests"] = figures["cpu_seconds"] / figures["requests"] * 100_000
    figures["cpu_per_100k_logs"] = figures["cpu_per_100k_requests"] / case["logs"]
    figures["rss_after_mib"] = memory_mib(contestant.pid, "VmRSS")
    figures["rss_peak_mib"] = memory_mib(contestant.pid, "VmHWM")
    contestant.stop()
    shutil.rmtree(contestant.dir)
    return figures


def check_stored(stored, sent, case):
    """`sent` logs were answered 201; up to one request a connection got its answer too late for wrk
    to count it, in the warm-up and in the turn. Every log must be stored, once."""
    late = 2 * CONNECTIONS * case["logs"]
    if not sent <= stored <= sent + late:
        sys.exit(f"bench: {sent} logs answered 201, {stored} stored")


def single_logs():
    """POST /log, one log a request, in turns."""
    case = make_case("POST /log", 1)
    turns = []
    for number in range(1, ROUNDS + 1):
        for name in CONTESTANTS:
            turns.append(f := turn(name, case))
            say_turn(
                number, f, f"{f['cpu_per_100k_requests']:6.2f} CPU-s per 100k,"
                f"{f['requests_per_second']:9.0f} requests/s",
            )  # fmt: skip
    names = [
        "cpu_per_100k_requests", "requests_per_second", "p50_ms", "p99_ms",
        "rss_idle_mib", "rss_after_mib",
    ]  # fmt: skip
    print_table(
        f"POST /log, {case['bytes']} bytes, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {SECONDS} s",
        [
            ("CPU-s/100k", 12, ".3f"), ("requests/s", 12, ".0f"), ("p50 ms", 9, ".2f"),
            ("p99 ms", 9, ".2f"), ("idle MiB", 10, ".1f"), ("after MiB", 11, ".1f"),
        ],
        [(who, *(median(turns, who, name) for name in names)) for who in CONTESTANTS],
    )  # fmt: skip
    ratio = median(turns, "logmill", names[0]) / median(turns, "nginx", names[0])
    print(f"CPU of logmill, every log stored, against nginx: {ratio:.2f} x")
    return {"case": case, "turns": turns, "cpu_ratio": ratio}


def batches():
    """POST /logs with NDJSON."""
    results = []
    for logs in (100, 1000):
        case = make_case(f"POST /logs, {logs} logs", logs)
        results.append({"case": case, "turns": [turn("logmill", case)]})
    names = [
        "cpu_per_100k_logs", "logs_per_second", "requests_per_second", "p50_ms", "p99_ms",
        "rss_peak_mib", "seconds_until_stored",
    ]  # fmt: skip
    print_table(
        f"NDJSON, {CONNECTIONS} connections, one round of {SECONDS} s",
        [
            ("CPU-s/100k logs", 17, ".3f"), ("logs/s", 10, ".0f"), ("requests/s", 12, ".0f"),
            ("p50 ms", 9, ".2f"), ("p99 ms", 9, ".2f"), ("peak MiB", 10, ".1f"), ("all stored s", 14, ".1f"),
        ],
        [(r["case"]["name"], *(r["turns"][0][name] for name in names)) for r in results],
    )  # fmt: skip
    return results


def table():
    return {"single": single_logs(), "batches": batches()}
