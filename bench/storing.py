"""What the tables `postgres` and `sqlite` share: loops written in C, and logmill's worker.

All contestants store the logs of the corpus. Nothing is stored before a turn, and the rows are
counted after it.
"""

import os
import shutil
import subprocess
import sys
import time

import corpus
from common import BUILD, ROUNDS, ROWS, cpu_seconds, wait_for
from figures import say_turn
from servers import Logmill

BATCH = int(os.environ.get("BENCH_BATCH", "5000"))  # rows a transaction of the loops in C


def loop(program, place, way, rows):
    """A turn of bench/pg_copy or bench/sqlite_loop."""
    path = os.path.join(BUILD, "bench", program)
    command = [path, place, way, corpus.write_plain(), str(rows), str(BATCH)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {done.stderr}")
    seconds, cpu = (float(number) for number in done.stdout.split())
    return {"rows": rows, "seconds": seconds, "cpu_seconds": cpu}


def worker(settings, server_pid=None):
    """`logmill worker`, storing what an api has left in the embedded queue: the clock runs from its
    start until the queue is empty. Returns the api, to count the rows, as well."""
    api = Logmill("api", **settings)
    api.send(ROWS)
    before = cpu_seconds(server_pid) if server_pid else 0
    began = time.monotonic()
    drain = Logmill("worker", api.dir, **settings)
    wait_for("queue empty", lambda: api.metrics().get("logmill_queue_depth") == 0)
    figures = {"rows": ROWS, "seconds": time.monotonic() - began, "cpu_seconds": cpu_seconds(drain.pid)}
    if server_pid:
        figures["server_cpu_seconds"] = cpu_seconds(server_pid) - before
    drain.halt()
    return figures, api


def clear(api):
    api.halt()
    shutil.rmtree(api.dir)


def rounds(contestants):
    """ROUNDS turns of each of `contestants`: functions that return figures, among them `rows` and the
    `counted` ones."""
    turns = []
    for number in range(1, ROUNDS + 1):
        for name in contestants:
            f = {"contestant": name} | contestants[name]()
            if f["counted"] != f["rows"]:
                sys.exit(f"bench: {name}: {f['counted']} rows instead of {f['rows']}")
            f["rows_per_second"] = f["rows"] / f["seconds"]
            f["cpu_per_million"] = f["cpu_seconds"] / f["rows"] * 1e6
            if "server_cpu_seconds" in f:
                f["server_cpu_per_million"] = f["server_cpu_seconds"] / f["rows"] * 1e6
            turns.append(f)
            say_turn(number, f, f"{f['rows_per_second']:9.0f} rows/s, {f['cpu_per_million']:6.2f} CPU-s a million")
    return turns


COLUMNS = [
    ("rows_per_second", "rows/s", 10, ".0f"), ("least", "least", 10, ".0f"), ("most", "most", 10, ".0f"),
    ("to_limit", "x the limit", 13, ".3f"), ("cpu_per_million", "CPU-s/million", 15, ".2f"),
    ("server_cpu_per_million", "the server's", 14, ".2f"), ("disk_mib_per_million", "disk MiB/million", 18, ".0f"),
]  # fmt: skip
