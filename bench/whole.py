#!/usr/bin/env python3
"""Whether every question comes to its whole answer though each request has a second at most:

    bench/whole.py [LOGS [QUERIES [SECONDS]]]       (2000000 300 600)

Of the logs that table `search` has loaded (logmill's of so many logs). Queries by chance, put together
of what the corpus has, are asked with QUERY_TIMEOUT=1 as a count, as groups, and as a list, each
gone on with by `next` until nothing is left; the three have to have found the same logs. It ends
after so many seconds, and tells how far it came. An answer that is no success is a failure, as is
one that does not get on.
"""

import json
import random
import sys
import time
import urllib.parse

import corpus
from search_contestants import Logmill
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


def main():
    logs, queries, seconds = (int(n) for n in (sys.argv[1:] + ["2000000", "300", "600"][len(sys.argv) - 1 :]))
    found = Day(logs)
    logmill = Logmill(found)
    logmill.open(timeout=1)
    asker, began, done, most = Asker(logmill), time.monotonic(), 0, 0
    for number in range(queries):
        if time.monotonic() > began + seconds:
            break
        text = query(random.Random(number))
        p = {"query": text, "since": iso(found.start_us), "until": iso(found.start_us + DAY_US)}
        before, at = asker.slices, time.monotonic()
        count, groups = asker.count(p), asker.groups(p)
        listed = asker.list(p) if count <= LIST_MOST else count
        if not count == groups == listed:
            sys.exit(f"whole: {text}: {count} counted, {groups} in groups, {listed} listed")
        most = max(most, time.monotonic() - at)
        done += 1
        print(f"{number:4} {count:9} logs, {asker.slices - before:3} times gone on: {text}", flush=True)
    logmill.close()
    print(f"{done} of {queries} queries over {logs:,} logs came to their whole answers, the same as a count, as groups "
          f"and as a list: {asker.requests} requests, {asker.slices} of them gone on with; the longest took {most:.1f} s")  # fmt: skip


main()
