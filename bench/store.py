"""Table `store`: storing into PostgreSQL, logmill beside bare loops of libpq (see pg_copy.c).

All store the same logs into the same table of the same server, emptied before each turn; the rows
are counted after it. Besides store_append() two turns show the whole program: its worker, storing
what stands in the embedded queue, and `serve` from the first request of a load of NDJSON to the last
row.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time

from common import (
    ROOT, ROUNDS, ROWS, SECONDS,
    cpu_seconds, load, median, print_table, ratios, say_turn, values, wait_for, write_body,
)  # fmt: skip
from servers import Logmill, Postgres

PG_COPY = os.environ.get("PG_COPY_BIN", os.path.join(ROOT, "build", "bench", "pg_copy"))
BATCH = int(os.environ.get("BENCH_BATCH", "5000"))  # rows a transaction; an INSERT has ten
LOGS_A_REQUEST = 1000


def bare(loop, rows):
    """A turn of pg_copy."""

    def turn(postgres):
        command = [PG_COPY, postgres.url, loop, str(rows), str(BATCH)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return {"rows": rows, "seconds": float(output)}

    return turn


def worker(postgres):
    """The clock runs from the start of the worker until the queue is empty."""
    api = Logmill("api", DATABASE_URL=postgres.url)
    api.send(ROWS)
    began = time.monotonic()
    drain = Logmill("worker", api.dir, DATABASE_URL=postgres.url)
    wait_for("queue empty", lambda: api.metrics()["logmill_queue_depth"] == 0)
    figures = {"rows": ROWS, "seconds": time.monotonic() - began}
    figures["cpu_seconds"] = cpu_seconds(drain.pid)
    drain.stop()
    api.stop()
    shutil.rmtree(api.dir)
    return figures


def serve(postgres):
    """The clock runs from the first request until the last log is stored."""
    logmill = Logmill("serve", DATABASE_URL=postgres.url)
    body_file = write_body(LOGS_A_REQUEST)
    began = time.monotonic()
    load(logmill.url("/logs"), SECONDS, "application/x-ndjson", body_file)
    figures = {"rows": logmill.wait_until_stored(), "seconds": time.monotonic() - began}
    figures["cpu_seconds"] = cpu_seconds(logmill.pid)
    logmill.stop()
    shutil.rmtree(logmill.dir)
    return figures


COPY, INSERT = "COPY BINARY", "INSERT, ten rows"
CONTESTANTS = {
    COPY: bare("copy", ROWS),
    "logmill store_append": bare("append", ROWS),
    "the same, repeated": bare("repeat", ROWS),
    "logmill worker": worker,
    "logmill serve": serve,
    "COPY, staging table": bare("staging", ROWS),
    INSERT: bare("insert", ROWS // 10),
}


def turn(name, postgres):
    postgres.sql("TRUNCATE logs")
    postgres.sql("CHECKPOINT")
    figures = {"contestant": name} | CONTESTANTS[name](postgres)
    stored = postgres.count()
    if stored != figures["rows"]:
        sys.exit(f"bench: {name}: {stored} rows instead of {figures['rows']}")
    figures["rows_per_second"] = figures["rows"] / figures["seconds"]
    return figures


def table():
    postgres = Postgres()
    migration = Logmill("migrate", DATABASE_URL=postgres.url).process
    if migration.wait(timeout=30) != 0:
        sys.exit("bench: logmill migrate failed")
    turns = []
    for number in range(1, ROUNDS + 1):
        for name in CONTESTANTS:
            turns.append(f := turn(name, postgres))
            say_turn(number, f, f"{f['rows_per_second']:9.0f} rows/s, {f['rows']:8} rows")
    postgres.stop()

    figure = "rows_per_second"
    rows = []
    for name in CONTESTANTS:
        to_copy = ratios(turns, name, COPY, figure)
        to_insert = ratios(turns, name, INSERT, figure)
        rows.append(
            (name, median(turns, name, figure), min(values(turns, name, figure)),
             max(values(turns, name, figure)), statistics.median(to_copy), statistics.median(to_insert))
        )  # fmt: skip
    print_table(
        f"Storing into PostgreSQL, {ROWS} rows, {BATCH} a transaction, medians of {ROUNDS} rounds",
        [
            ("rows/s", 10, ".0f"), ("least", 10, ".0f"), ("most", 10, ".0f"),
            ("x COPY", 9, ".2f"), ("x INSERT", 10, ".1f"),
        ],
        rows,
    )  # fmt: skip
    return {"turns": turns}
