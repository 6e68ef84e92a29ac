"""Table `read`: reading from the cache (Redis or Valkey in front of PostgreSQL), from PostgreSQL alone,
and from the embedded store, among BENCH_READ_LOGS logs that are spread over a day.

  newest    GET /logs?limit=100
  by id     GET /logs/{id}, 1,000 ids of all hours
  an hour   GET /logs?since=…&until=…&level=error&q=deadline&limit=100, each hour of the day: one log
            in a hundred matches

Loading takes minutes; both stores are kept in build/bench/read-…, and used again by later runs with
as many logs. Which of cache and store answered is asked of every place.
"""

import datetime
import json
import os
import shutil
import sys
import time
import urllib.request

import load
from common import READ_LOGS, ROUNDS, SECONDS, WARM_UP_SECONDS, WORK, cpu_seconds, disk_bytes, fresh_dir, wait_for
from figures import Aim, medians_table, ratio, say_turn
from servers import Logmill, Postgres, Redis

CONNECTIONS = 16
KINDS = ["newest", "by id", "an hour"]
COLUMNS = [
    ("requests_per_second", "requests/s", 12, ".0f"), ("p50_ms", "p50 ms", 9, ".2f"), ("p99_ms", "p99 ms", 9, ".2f"),
    ("cpu_per_100k", "CPU-s/100k: logmill", 21, ".2f"), ("server_cpu_per_100k", "the server", 12, ".2f"),
]  # fmt: skip
DAY_MS = 86_400_000
NAME = f"read-{READ_LOGS}"


def iso(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


class Place:
    """Where one contestant reads: a directory, settings, and the server whose time counts, too."""

    def __init__(self, name, directory, server, settings, cached=False):
        self.name, self.dir, self.server, self.settings, self.cached = name, directory, server, settings, cached

    def open(self):
        return Logmill("serve", self.dir, **self.settings)


def fill(place, start_ms):
    """Loads the logs, unless they are there; returns what it took."""
    requests = READ_LOGS // 1000
    logmill = Logmill("serve", place.dir, **place.settings)
    began = time.monotonic()
    logmill.send(READ_LOGS, lambda number: iso(start_ms + DAY_MS * number // requests).encode())
    wait_for("all logs stored", lambda: logmill.metrics().get("logmill_queue_depth") == 0, 600)
    seconds = time.monotonic() - began
    stored = int(logmill.metrics()["logmill_logs_stored_total"])
    logmill.halt()
    if stored != READ_LOGS:
        sys.exit(f"bench: {stored} logs stored instead of {READ_LOGS}")
    print(f"{place.name}: {stored} logs loaded in {seconds:.0f} s", flush=True)
    return {"seconds": seconds, "disk_mib_per_million": disk_bytes(place.dir) / stored * 1e6 / 2**20}


def prepare(postgres, embedded):
    """Both stores with the same logs, kept. Returns the figures of loading, and the first time."""
    path = os.path.join(WORK, NAME + ".json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    today_ms = int(time.time() * 1000) // DAY_MS * DAY_MS
    kept = {"start_ms": today_ms - DAY_MS, "logs": READ_LOGS}
    kept["loading"] = {place.name: fill(place, kept["start_ms"]) for place in (embedded, postgres)}
    postgres.server.sql("VACUUM (ANALYZE, FREEZE) logs")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(kept, file)
    return kept


def fetch(logmill, path):
    with urllib.request.urlopen(logmill.url(path), timeout=60) as answer:
        return json.loads(answer.read()), answer.headers["X-Cache"]


def hours(kept):
    for hour in range(24):
        since, until = (iso(kept["start_ms"] + n * DAY_MS // 24) for n in (hour, hour + 1))
        yield f"since={since}Z&until={until}Z"


def write_paths(kind, logmill, kept):
    """The file with the paths of a kind, one a line. Every one is tried before: it must find what it
    asks for."""
    paths = ["/logs?limit=100"]
    if kind == "by id":
        found = [log for hour in hours(kept) for log in fetch(logmill, f"/logs?{hour}&limit=42")[0]["logs"]]
        paths = [f"/logs/{log['id']}" for log in found]
    elif kind == "an hour":
        paths = [f"/logs?{hour}&level=error&q=deadline&limit=100" for hour in hours(kept)]
    path = os.path.join(WORK, "paths-" + kind.replace(" ", "-"))
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in paths)
    for line in paths:
        answer, _ = fetch(logmill, line)
        logs = answer["logs"] if "logs" in answer else [answer]
        if kind == "by id" and not line.endswith(logs[0]["id"]):
            sys.exit(f"bench: another log at {line}")
        if not logs or kind == "newest" and len(logs) != 100:
            sys.exit(f"bench: {len(logs)} logs at {line}")
    return path


def turn(place, kept):
    logmill = place.open()
    if place.cached:
        wait_for("cache is filled", lambda: fetch(logmill, "/logs?limit=100")[1] == "hit", 60)
    for kind in KINDS:
        if place.cached and kind != "newest":
            continue  # goes to the store
        paths = write_paths(kind, logmill, kept)
        load.wrk(logmill.url("/"), WARM_UP_SECONDS, CONNECTIONS, "paths", paths, warm_up=True)
        hits = lambda: logmill.metrics().get('logmill_cache_reads_total{result="hit"}', 0)  # noqa: E731
        before, cpu = hits(), cpu_seconds(logmill.pid)
        server_cpu = cpu_seconds(place.server.pid) if place.server else 0
        figures = {"contestant": f"{kind}, {place.name}", "kind": kind, "place": place.name}
        figures |= load.wrk(logmill.url("/"), SECONDS if kind != "an hour" else max(SECONDS, 5), CONNECTIONS, "paths", paths)
        per_100k = 100_000 / figures["requests"]
        figures["cpu_per_100k"] = (cpu_seconds(logmill.pid) - cpu) * per_100k
        if place.server:
            figures["server_cpu_per_100k"] = (cpu_seconds(place.server.pid) - server_cpu) * per_100k
        if place.cached and kind == "newest" and hits() - before < figures["requests"]:
            sys.exit("bench: not all reads came from the cache")
        yield figures
    logmill.halt()


def table():
    postgres, redis = Postgres(NAME + "-postgres", keep=True), Redis()
    database = {"DATABASE_URL": postgres.url, "QUERY_TIMEOUT": "300"}
    stored = Place("PostgreSQL", fresh_dir("logmill-postgres"), postgres, database)
    path = os.path.join(WORK, NAME + "-sqlite")
    os.makedirs(path, exist_ok=True)
    embedded = Place("SQLite", path, None, {})
    kept = prepare(stored, embedded)
    cached = Place(redis.name, fresh_dir("logmill-cache"), redis, database | {"REDIS_URL": redis.url}, cached=True)

    turns = []
    for number in range(1, ROUNDS + 1):
        for place in (cached, stored, embedded):
            for f in turn(place, kept):
                turns.append(f)
                say_turn(number, f, f"{f['requests_per_second']:9.0f} requests/s, p99 {f['p99_ms']:8.2f} ms")
    redis.stop()
    postgres.stop()
    for place in (cached, stored):
        shutil.rmtree(place.dir)

    turns.sort(key=lambda t: KINDS.index(t["kind"]))
    title = f"Reading among {READ_LOGS} logs, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {SECONDS} s"
    medians_table(title, turns, COLUMNS)
    for place, took in kept["loading"].items():
        print(f"loaded once into {place}: {took['seconds']:.0f} s, "
              f"{READ_LOGS / took['seconds']:.0f} logs/s from one client")  # fmt: skip
    found = ratio(turns, f"newest, {redis.name}", "newest, PostgreSQL", "requests_per_second")
    aim = Aim("newest 100: reads/s from the cache / from PostgreSQL", found, least=5)
    return {"loading": kept, "cases": [{"title": title, "turns": turns, "aims": [aim.tell()] if turns else []}]}
