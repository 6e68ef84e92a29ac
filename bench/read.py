"""Table `read`: GET /logs?limit=100 from the cache, from PostgreSQL, and from the embedded store.

BENCH_ROWS logs are stored before, in PostgreSQL and in a file. Each turn starts `logmill serve`
afresh, with REDIS_URL or without; which of cache and store answered is asked of its metrics.
"""

import shutil
import statistics
import sys
import urllib.request

from common import (
    CONNECTIONS, ROUNDS, ROWS, SECONDS, WARM_UP_SECONDS,
    cpu_seconds, fresh_dir, load, median, print_table, ratios, say_turn, wait_for,
)  # fmt: skip
from servers import Logmill, Postgres, Redis

PATH = "/logs?limit=100"
READS = 'logmill_cache_reads_total{result="%s"}'


class Place:
    """Where one contestant reads: a directory, settings, and the server whose time counts, too."""

    def __init__(self, name, x_cache, server, settings):
        self.name, self.x_cache, self.server, self.settings = name, x_cache, server, settings
        self.dir = fresh_dir("logmill-" + name)

    def open(self):
        return Logmill("serve", self.dir, **self.settings)

    def fill(self):
        logmill = self.open()
        logmill.send(ROWS)
        if (stored := logmill.wait_until_stored()) != ROWS:
            sys.exit(f"bench: {stored} logs stored instead of {ROWS}")
        logmill.stop()


def x_cache(logmill):
    """Whence the answer came; None where there is no cache."""
    with urllib.request.urlopen(logmill.url(PATH), timeout=30) as answer:
        if answer.read().count(b'"message"') != 100:
            sys.exit("bench: not 100 logs in the answer")
        return answer.headers["X-Cache"]


def turn(place):
    logmill = place.open()
    wait_for(f"X-Cache {place.x_cache}", lambda: (x_cache(logmill) or "none") == place.x_cache, 30)
    load(logmill.url(PATH), WARM_UP_SECONDS)

    result = READS % ("hit" if place.x_cache == "hit" else "bypass")
    before = logmill.metrics()
    cpu = cpu_seconds(logmill.pid)
    server_cpu = cpu_seconds(place.server.pid) if place.server else 0
    figures = {"contestant": place.name} | load(logmill.url(PATH), SECONDS)
    per_100k = 100_000 / figures["requests"]
    figures["cpu_per_100k"] = (cpu_seconds(logmill.pid) - cpu) * per_100k
    if place.server:
        figures["server_cpu_per_100k"] = (cpu_seconds(place.server.pid) - server_cpu) * per_100k
    else:
        figures["server_cpu_per_100k"] = 0
    after = logmill.metrics()
    if after[result] - before[result] < figures["requests"]:
        sys.exit(f"bench: not all reads came from {place.name}")
    logmill.stop()
    return figures


def table():
    postgres, redis = Postgres(), Redis()
    database = {"DATABASE_URL": postgres.url}
    cached = Place(redis.name, "hit", redis, database | {"REDIS_URL": redis.url})
    stored = Place("PostgreSQL", "none", postgres, database)
    embedded = Place("SQLite", "none", None, {})
    places = (cached, stored, embedded)
    cached.fill()
    embedded.fill()
    postgres.sql("VACUUM (ANALYZE, FREEZE) logs")

    turns = []
    for number in range(1, ROUNDS + 1):
        for place in places:
            turns.append(f := turn(place))
            say_turn(number, f, f"{f['requests_per_second']:9.0f} requests/s")
    redis.stop()
    postgres.stop()
    for place in places:
        shutil.rmtree(place.dir)

    names = ["requests_per_second", "p50_ms", "p99_ms", "cpu_per_100k", "server_cpu_per_100k"]
    print_table(
        f"GET {PATH}, {ROWS} logs stored, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {SECONDS} s",
        [
            ("requests/s", 12, ".0f"), ("p50 ms", 9, ".2f"), ("p99 ms", 9, ".2f"),
            ("CPU-s/100k: logmill", 21, ".2f"), ("the server", 12, ".2f"),
        ],
        [(p.name, *(median(turns, p.name, name) for name in names)) for p in places],
    )  # fmt: skip
    ratio = statistics.median(ratios(turns, cached.name, stored.name, names[0]))
    print(f"reads from {cached.name} against reads from PostgreSQL: {ratio:.2f} x")
    return {"turns": turns, "cache_ratio": ratio}
