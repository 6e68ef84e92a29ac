"""Table `postgres`: storing into PostgreSQL, logmill beside bare loops of libpq (pg_copy.c) and the
baseline's worker; and `store_append` of the build before, if BENCH_BEFORE names it (`bench/pg_copy` beside
it, in a database of its own). BENCH_BATCH (5000) rows a transaction.

All but the baseline store the same logs into the same table of the same server, emptied before each
turn. `logmill worker` takes its logs from the embedded queue, the baseline from ElasticMQ, as
messages of one log.
"""

import json
import os
import subprocess
import sys
import time

import corpus
import installs
import storing
from common import BEFORE, ROUNDS, ROWS, Unavailable, cpu_seconds, start, stop, wait_for, wanted
from figures import Aim, medians_table, ratio, tell_absent, tell_before
from servers import Logmill, Postgres
from sqs import BASELINE, NO_CACHE, ElasticMq

COPY, APPEND, WORKER = "COPY BINARY", "logmill store_append", "logmill worker"
APPEND_BEFORE = "store_append, before"
INSERT, OTHER = "INSERT, ten rows", "baseline worker"


class Table:
    def __init__(self):
        self.postgres = Postgres()
        if Logmill("migrate", DATABASE_URL=self.postgres.url).process.wait(timeout=30) != 0:
            sys.exit("bench: logmill migrate failed")

    def empty(self, name="logs"):
        self.postgres.sql(f"TRUNCATE {name}")
        self.postgres.sql("CHECKPOINT")

    def loop(self, way, rows, program="pg_copy", url=None):
        def turn():
            self.empty()
            before = cpu_seconds(self.postgres.pid)
            figures = storing.loop(program, url or self.postgres.url, way, rows)
            if way != "repeat":  # which stores everything before its clock starts
                figures["server_cpu_seconds"] = cpu_seconds(self.postgres.pid) - before
            return figures | {"counted": rows if url else self.postgres.count()}

        return turn

    def append_before(self):
        url = self.postgres.url.rsplit("/", 1)[0] + "/before"
        self.postgres.sql("CREATE DATABASE before")
        return self.loop("append", ROWS, os.path.join(os.path.dirname(os.path.abspath(BEFORE)), "bench", "pg_copy"), url)

    def worker(self):
        self.empty()
        figures, api = storing.worker({"DATABASE_URL": self.postgres.url}, self.postgres.pid)
        storing.clear(api)
        return figures | {"counted": self.postgres.count()}

    def baseline(self):
        """A hundredth of the rows, each a message. Python takes a second to start, so the clock runs
        from its first commits until the queue is empty."""
        rows, sqs = max(ROWS // 100, 2000), ElasticMq.get()
        queue = sqs.new_queue()
        env = sqs.settings(queue) | NO_CACHE | {"DATABASE_URL": self.postgres.url}
        command = [os.path.join(installs.baseline(), "python"), os.path.join(BASELINE, "worker.py")]
        subprocess.run([*command, "migrate"], check=True, env=os.environ | env)
        self.empty("baseline_logs")
        bodies = [json.dumps({"timestamp": "2026-01-01T00:00:00+00:00"} | log) for log in corpus.logs(rows)]
        for i in range(0, rows, 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[i : i + 10])]
            sqs.call("SendMessageBatch", QueueUrl=queue, Entries=entries)
        process = start(command, env)
        wait_for("the first commit", lambda: sqs.depth(queue) < rows)
        before, own = cpu_seconds(self.postgres.pid), cpu_seconds(process.pid)
        began, left = time.monotonic(), sqs.depth(queue)
        wait_for("queue empty", lambda: sqs.depth(queue) == 0)
        figures = {"rows": left, "seconds": time.monotonic() - began}
        figures["cpu_seconds"] = cpu_seconds(process.pid) - own
        figures["server_cpu_seconds"] = cpu_seconds(self.postgres.pid) - before
        stop(process, statuses=(0, -15))
        sqs.call("DeleteQueue", QueueUrl=queue)
        return figures | {"counted": self.postgres.count("baseline_logs") - (rows - left)}


def table():
    absent = {}
    place = Table()
    every = {
        "copy": (COPY, place.loop("copy", ROWS)), "append": (APPEND, place.loop("append", ROWS)),
        "repeat": ("the same, repeated", place.loop("repeat", ROWS)), "worker": (WORKER, place.worker),
        "staging": ("COPY, staging table", place.loop("staging", ROWS)),
        "insert": (INSERT, place.loop("insert", ROWS // 10)), "baseline": (OTHER, place.baseline),
    }  # fmt: skip
    if BEFORE:
        every["before"] = (APPEND_BEFORE, place.append_before())
    try:
        installs.elasticmq()
        installs.baseline()
    except Unavailable as why:
        absent[every.pop("baseline")[0]] = str(why)
    turns = storing.rounds(dict(every[key] for key in wanted(every)))
    place.postgres.stop()
    if ElasticMq.shared:
        ElasticMq.shared.stop()

    title = f"Storing into PostgreSQL, {ROWS} rows, {storing.BATCH} a transaction of the loops, medians of {ROUNDS} rounds"
    medians_table(title, turns, [c for c in storing.COLUMNS if c[0] != "disk_mib_per_million"], COPY)
    rows = "rows_per_second"
    aims = [
        Aim("rows/s of logmill worker / COPY BINARY", ratio(turns, WORKER, COPY, rows), least=0.9),
        Aim("rows/s of store_append / COPY BINARY", ratio(turns, APPEND, COPY, rows), least=0.9),
    ]
    for figure in (rows, "server_cpu_per_million"):
        tell_before(turns, APPEND, APPEND_BEFORE, figure)
    tell_absent(absent)
    return {"absent": absent, "cases": [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]}
