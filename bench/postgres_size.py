"""Table `size`: what a PostgreSQL with BENCH_SIZE_LOGS logs of one day, yesterday, answers, and how fast,
beside another build (BENCH_BEFORE) that reads the same tables.

  newest      GET /logs?limit=100 of the day
  histogram   GET /logs/stats of the day, five minutes, by level
  phrase      level=error and a phrase of every third error, the newest 100 of the day
  hour        the same within an hour, each of the day's once
  rare        level=error and a phrase of one log in 500,000, 100 of the day: all are found
  absent      level=error and a phrase of no log, of the day
  trace       the attribute trace_id, of one log of any time of the day
  letters     an hour of `absent` for a phrase with letters that fold beyond ASCII

The day has the indexes that BENCH_SIZE_INDEXES names, as DATABASE_INDEXES does (levels,attributes).
Loaded by SQL, which takes some minutes a million, and kept in build/bench/size-… for later runs. Answers
are compared: who finds other logs than the build before has no figure.
"""

import datetime
import json
import os
import shutil
import statistics
import sys
import time
import urllib.parse
import urllib.request

from common import BEFORE, LOGMILL, ROUNDS, SIZE_LOGS, WORK, cpu_seconds, fresh_dir, wait_for
from figures import Aim, median, medians_table, ratio, say_turn
from servers import Logmill, Postgres

NAME = f"size-{SIZE_LOGS}"
STATE = os.path.join(WORK, NAME + ".json")
OURS, OTHER = "logmill", "the build before"
COLUMNS = [("ms", "ms", 10, ".2f"), ("least", "least", 10, ".2f"), ("most", "most", 10, ".2f"),
           ("server_cpu_ms", "the server's CPU, ms", 22, ".1f")]  # fmt: skip
CHUNKS = 20
INDEXES = os.environ.get("BENCH_SIZE_INDEXES", "levels,attributes")
KINDS = os.environ.get("BENCH_SIZE_KINDS", "").split()

# A log each 86,400 s / SIZE_LOGS: 220 bytes, 3 % of level error.
ROWS_SQL = """
INSERT INTO logs_{digits}
SELECT at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8'
    || substr(hash, 4, 15))::uuid,
  CASE WHEN i % 33 = 0 THEN 'error' WHEN i % 20 = 1 THEN 'warning' WHEN i % 10 = 3 THEN 'debug' ELSE 'info' END,
  CASE WHEN i % 500016 = 33 * 2000 THEN 'journal of node ' || i % 97 || ' is torn: the Kelvin reading is lost'
       WHEN i % 99 = 0 THEN 'payment ' || i || ' failed: deadline exceeded after ' || i % 30000 || ' ms at shop-' || i % 97
       WHEN i % 33 = 0 THEN 'connection to db-' || i % 7 || ' refused: pool exhausted, ' || i % 300 || ' wait, request ' || i
       ELSE 'request ' || i || ' to /api/v1/orders/' || i % 100003 || ' done in ' || i % 997 || ' ms by worker-' || i % 31 END,
  ('{{"service":"svc-' || i % 23 || '","trace_id":"' || hash || '","http":{{"status":' || 200 + i % 5 || '}},"ms":'
    || i % 997 || '}}')::jsonb
FROM (SELECT i, timestamptz '{day} 00:00:00+00' + i * interval '86400 s' / {all} AS at, md5(i::text) AS hash
  FROM generate_series({first}::bigint, {last}::bigint) AS i) AS numbered
"""


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def load(postgres):
    """Makes yesterday's partition, once; returns the day."""
    if os.path.exists(STATE):
        with open(STATE, encoding="ascii") as file:
            return datetime.datetime.fromisoformat(json.load(file)["day"])
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    day = today - datetime.timedelta(days=1)
    if Logmill("migrate", DATABASE_URL=postgres.url).process.wait(timeout=60) != 0:
        sys.exit("bench: logmill migrate failed")
    names = {"digits": day.strftime("%Y%m%d"), "day": day.date(), "all": SIZE_LOGS}
    postgres.sql("CREATE TABLE logs_{digits} (LIKE logs INCLUDING ALL)".format(**names))
    began = time.monotonic()
    for n in range(CHUNKS):
        first, last = SIZE_LOGS * n // CHUNKS, SIZE_LOGS * (n + 1) // CHUNKS - 1
        postgres.sql(ROWS_SQL.format(first=first, last=last, **names))
        print(f"{last + 1} logs after {time.monotonic() - began:.0f} s", flush=True)
    postgres.sql("VACUUM (ANALYZE, FREEZE) logs_{digits}".format(**names))
    postgres.sql("ALTER TABLE logs ATTACH PARTITION logs_{digits} FOR VALUES FROM ('{day} 00:00:00+00') TO ('{next} 00:00:00+00')"
                 .format(next=today.date(), **names))  # fmt: skip
    postgres.sql("INSERT INTO counts_missed DEFAULT VALUES")
    worker = Logmill("worker", DATABASE_URL=postgres.url, DATABASE_INDEXES=INDEXES)
    counted = ("SELECT count(*) FROM counting WHERE counted_from = '-infinity' AND NOT EXISTS (SELECT FROM counts_added) "
               "AND NOT EXISTS (SELECT FROM counts_missed)")  # fmt: skip
    wait_for("all logs counted", lambda: postgres.sql(counted) == "1", 1800)
    made = ("SELECT count(*) FROM pg_class AS c JOIN pg_index AS x ON x.indexrelid = c.oid "
            "WHERE c.relname ~ 'logs_{digits}_logmill_' AND x.indisvalid").format(**names)  # fmt: skip
    wait_for("all indexes", lambda: postgres.sql(made) == str(len(list(filter(None, INDEXES.split(","))))), 7200)
    worker.stop()
    postgres.sql("VACUUM ANALYZE")
    with open(STATE, "w", encoding="ascii") as file:
        json.dump({"day": day.isoformat()}, file)
    return day


def make_paths(postgres, day):
    """Of each kind its requests, which are asked one after the other in each round."""
    whole = f"since={iso(day)}&until={iso(day + datetime.timedelta(days=1))}"
    hours = [f"since={iso(day + datetime.timedelta(hours=n))}&until={iso(day + datetime.timedelta(hours=n + 1))}"
             for n in range(1, 24, 4)]  # fmt: skip
    digits = day.strftime("%Y%m%d")
    traces = postgres.sql(f"SELECT attributes ->> 'trace_id' FROM logs_{digits} TABLESAMPLE SYSTEM (0.1) LIMIT 10").split()

    def errors(span, text):
        return f"/logs?{span}&level=error&limit=100&q=" + urllib.parse.quote(text)

    kinds = {
        "newest": [f"/logs?{whole}&limit=100"] * 20,
        "histogram": [f"/logs/stats?{whole}&bucket=300"] * 5,
        "phrase": [errors(whole, "deadline exceeded")] * 5,
        "hour": [errors(hour, "deadline exceeded") for hour in hours],
        "rare": [errors(whole, "reading is lost")],
        "absent": [errors(whole, "no such text")],
        "letters": [errors(hours[2], "no such t\u00e4xt")],
        "trace": [f"/logs?{whole}&attr.trace_id={trace}&limit=10" for trace in traces[:1]],
    }
    return {kind: paths for kind, paths in kinds.items() if not KINDS or kind in KINDS}


def whole_answer(logmill, path):
    """Follows `next` as clients do, and adds up what they add up."""
    found, at = [], path
    while True:
        with urllib.request.urlopen(logmill.url(at), timeout=600) as answer:
            body = json.loads(answer.read())
        found += [log["id"] for log in body["logs"]] if "logs" in body else [body]
        limit = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("limit", ["0"])[0]
        if "logs" not in body or not body.get("next") or len(found) >= int(limit):
            return found
        at = f"{path}&cursor={urllib.parse.quote(body['next'])}"


def turn(who, program, postgres, kinds, answers):
    logmill = Logmill("api", fresh_dir("size-" + who.replace(" ", "-")), program=program,
                      DATABASE_URL=postgres.url, QUERY_TIMEOUT="300")  # fmt: skip
    whole_answer(logmill, "/logs?limit=1")  # it is connected
    for kind, paths in kinds.items():
        cpu, times = cpu_seconds(postgres.pid), []
        for number, path in enumerate(paths):
            began = time.monotonic()
            found = whole_answer(logmill, path)
            times.append((time.monotonic() - began) * 1000)
            if answers.setdefault(kind, {}).setdefault(number, found) != found:
                sys.exit(f"bench: another answer at {path}")
        yield {"contestant": f"{kind}, {who}", "kind": kind, "ms": statistics.median(times),
               "server_cpu_ms": (cpu_seconds(postgres.pid) - cpu) * 1000 / len(paths)}  # fmt: skip
    logmill.halt()
    shutil.rmtree(logmill.dir)


def table():
    postgres = Postgres(NAME + "-postgres", keep=True)
    kinds = make_paths(postgres, load(postgres))
    builds = {OURS: LOGMILL} | ({OTHER: BEFORE} if BEFORE else {})
    answers, turns = {}, []
    for number in range(1, ROUNDS + 1):
        for who, program in builds.items():
            for f in turn(who, program, postgres, kinds, answers):
                turns.append(f)
                say_turn(number, f, f"{f['ms']:10.2f} ms, {f['server_cpu_ms']:10.1f} ms of the server's CPU")
    postgres.stop()
    order = list(kinds)
    turns.sort(key=lambda t: order.index(t["kind"]))
    title = f"{SIZE_LOGS} logs of a day in PostgreSQL, medians of {ROUNDS} rounds"
    medians_table(title, turns, COLUMNS)
    bounds = {"newest": 1, "histogram": 0.02, "hour": 0.05}
    aims = [Aim(f"{kind}: ms / the build before", ratio(turns, f"{kind}, {OURS}", f"{kind}, {OTHER}", "ms"), most=most)
            for kind, most in bounds.items()]  # fmt: skip
    aims.append(Aim("trace: ms", median(turns, f"trace, {OURS}", "ms"), most=10))
    return {"cases": [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]}
