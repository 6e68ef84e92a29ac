#!/usr/bin/env python3
"""Whether every question comes to its whole answer though each request has a second at most:

    bench/whole.py [embedded|postgres [LOGS [QUERIES [SECONDS [LANES]]]]]   (embedded 2000000 300 600 1)

Of so many logs of a day: those that table `search` has loaded, or, as are those of PostgreSQL, loaded
first and kept. Queries by chance, put together of what the corpus has, are asked with QUERY_TIMEOUT=1 as a
count, as groups, and as a list, each gone on with by `next` until nothing is left; the three have to have
found the same logs. LANES of them are asked at once, of one process with one thread for searches, so
that each has a share of its time: few logs are then as many. It ends after so many seconds, and tells
how far it came, and how often the queries were gone on with. An answer that is no success is a failure,
as is one that does not get on.
"""

import http.client
import json
import os
import random
import statistics
import sys
import threading
import time
import urllib.parse

import corpus
import search_contestants
import servers
from common import LOGMILL, WORK, free_port, start, stop
from search_corpora import DAY_US, Day, iso

LIST_MOST = 20_000  # logs of a list that is read to its end
PAGE = 1000
WORDS = ["order", "customer", "GET", "timeout", "payment", "user", "failed", "EUR", "zeppelin", "connection"]


def query(r, depth=0):
    """A query that people might write, as text."""
    if depth < 3 and r.random() < 0.45:
        parts = [query(r, depth + 1) for _ in range(r.randint(2, 3))]
        return "(" + r.choice([" ", " OR "]).join(parts) + ")"
    if depth < 3 and r.random() < 0.1:
        return "-" + query(r, depth + 1)
    return r.choice([
        lambda: r.choice(WORDS),
        lambda: f"level:{r.choice(['error', 'warn', 'info', 'debug', '>=warning', '>=error'])}",
        lambda: f"service:{r.choice(corpus.SERVICES)}",
        lambda: f"host:*{r.randint(0, 9)}",
        lambda: f"status:{r.choice(['>=500', '200', '[400 TO 499]', '*', '404'])}",
        lambda: f"ms:{r.choice(['>50', '<5', '[10 TO 20]', '17'])}",
        lambda: f"/{r.choice(WORDS)} .?\\d+{r.randint(0, 9)}/",
        lambda: f"any:{r.randint(100, 9999)}",
        lambda: f"trace:*{r.randint(16, 255):x}",
        lambda: f"order:>{r.randint(0, 10**8)}",
        lambda: "-attempt:*",
    ])()  # fmt: skip


class Service:
    """Of one store, whose logs are loaded if they are not there."""

    def __init__(self, kind, found):
        self.env, self.postgres = {}, None
        self.dir = search_contestants.Logmill(found).dir
        if kind == "postgres":
            self.postgres = servers.Postgres(f"whole-{found.logs}-postgres", keep=True)
            self.env = {"DATABASE_URL": self.postgres.url}
            self.dir = os.path.join(WORK, f"whole-{found.logs}")
        os.makedirs(self.dir, exist_ok=True)
        self.start(600)
        p = urllib.parse.urlencode({"since": iso(found.start_us), "until": iso(found.start_us + DAY_US), "bucket": 86400})
        if json.loads(self.request("GET", "/logs/stats?" + p))["total"] != found.logs:
            self.load(found)
        self.stop()

    def start(self, timeout):
        self.port = free_port()
        env = {"HOST": "127.0.0.1", "PORT": str(self.port), "DATA_DIR": self.dir, "LOG_LEVEL": "warn",
               "QUERY_TIMEOUT": str(timeout), "READ_THREADS": "2"}  # fmt: skip
        self.process = start([LOGMILL, "serve"], env | self.env, self.port)

    def stop(self):
        stop(self.process)

    def close(self):
        self.stop()
        if self.postgres:
            self.postgres.stop()

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body, {"Content-Type": "application/x-ndjson"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{answer.status}: {path}: {text[:300]}")
        return text

    def load(self, found):
        for body in found.bodies():
            self.request("POST", "/logs", body)
        while "logmill_queue_depth 0\n" not in self.request("GET", "/metrics").decode():
            time.sleep(0.2)


class Asker:
    def __init__(self, logmill):
        self.logmill, self.requests, self.slices = logmill, 0, 0

    def parts(self, path, parameters):
        """All answers, one after the other, until nothing is left."""
        cursor = None
        while True:
            p = parameters | ({"cursor": cursor} if cursor else {})
            answer = json.loads(self.logmill.request("GET", path + "?" + urllib.parse.urlencode(p)))
            self.requests += 1
            yield answer
            if not answer.get("next"):
                return
            if answer["next"] == cursor:
                raise RuntimeError(f"{path}: it does not get on")
            cursor = answer["next"]
            self.slices += 1

    def count(self, parameters):
        return sum(answer["total"] for answer in self.parts("/logs/stats", parameters | {"bucket": 86400}))

    def groups(self, parameters):
        total = 0
        for answer in self.parts("/logs/stats", parameters | {"by": "service,level", "value": "count,p95(ms)"}):
            if answer["next"] and "state" not in answer:
                raise RuntimeError("a part without a state")
            total += answer["total"]
        return total

    def list(self, parameters):
        seen = set()
        for answer in self.parts("/logs", parameters | {"limit": PAGE}):
            seen |= {log["id"] for log in answer["logs"]}
        return len(seen)


class Run:
    """What the lanes share."""

    def __init__(self, service, found, queries, until):
        self.service, self.found, self.queries, self.until = service, found, queries, until
        self.lock, self.next, self.failed = threading.Lock(), 0, None
        self.gone_on, self.took, self.requests = [], [], 0

    def take(self):
        with self.lock:
            if self.failed or self.next == self.queries or time.monotonic() > self.until:
                return None
            self.next += 1
            return self.next - 1

    def one(self, number):
        text, asker, began = query(random.Random(number)), Asker(self.service), time.monotonic()
        p = {"query": text, "since": iso(self.found.start_us), "until": iso(self.found.start_us + DAY_US)}
        count, groups = asker.count(p), asker.groups(p)
        listed = asker.list(p) if count <= LIST_MOST else count
        if not count == groups == listed:
            raise RuntimeError(f"{text}: {count} counted, {groups} in groups, {listed} listed")
        with self.lock:
            self.gone_on.append(asker.slices)
            self.took.append(time.monotonic() - began)
            self.requests += asker.requests
        print(f"{number:4} {count:9} logs, {asker.slices:3} times gone on: {text}", flush=True)

    def lane(self):
        while (number := self.take()) is not None:
            try:
                self.one(number)
            except Exception as why:  # whatever it is, the others end
                self.failed = f"query {number}: {why}"


def main():
    given = dict(zip(("kind", "logs", "queries", "seconds", "lanes"), sys.argv[1:]))
    logs, queries, seconds, lanes = (int(given.get(name, n)) for name, n in
                                     (("logs", 2000000), ("queries", 300), ("seconds", 600), ("lanes", 1)))  # fmt: skip
    kind, found = given.get("kind", "embedded"), Day(logs)
    service = Service(kind, found)
    service.start(1)
    run = Run(service, found, queries, time.monotonic() + seconds)
    threads = [threading.Thread(target=run.lane) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    service.close()
    if run.failed:
        sys.exit(f"whole: {run.failed}")
    on = run.gone_on
    print(f"{kind}: {len(on)} of {queries} queries over {logs:,} logs came to their whole answers, the same as a count, as "
          f"groups and as a list: {run.requests} requests in {lanes} lanes, {sum(on)} of them gone on with; a query was gone "
          f"on with {statistics.median(on):.0f} times (median), {sum(n >= 3 for n in on)} of them at least 3 times, "
          f"{sum(n == 0 for n in on)} never; the longest took {max(run.took):.1f} s")  # fmt: skip


main()
