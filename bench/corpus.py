"""The logs that are sent: lines as services really write them, the same at every run.

A corpus is made from a seed, so that two machines, and two versions of logmill, get the same work.
No log comes twice in it; the text of a line varies as in life: few templates, many values, levels
by their usual shares, now and then a stack trace. About 200 bytes a log as JSON.

A file of requests is written for bench/load.lua and bench/load.py: requests are separated by \\2, and
\\1 stands wherever the time of sending is to be put in, to the millisecond; the three digits behind
it make the times within a request rise.

    bench/corpus.py [LOGS]      prints so many logs as NDJSON
"""

import glob
import json
import os
import random
import sys
import zlib

from common import WORK

SEED = 20260101
# In a file of requests, which is sent again and again with new times: so many that who compresses
# blocks of some 10,000 logs of a service does not find one twice in a block.
LOGS, SINGLE_LOGS = 200_000, 20_000

same = False  # set for a time by who wants one log again and again: the easiest that there is

SERVICES = ["checkout", "cart", "search", "auth", "catalog", "mailer", "gateway", "billing"]
PATHS = ["/api/v2/cart/items", "/api/v2/orders", "/search", "/login", "/products", "/healthz", "/static/app.js"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "okhttp/4.12.0", "curl/8.5.0", "python-requests/2.32"]
TABLES = ["orders", "customers", "stock", "sessions", "invoices"]
ERRORS = ["connection reset by peer", "deadline exceeded", "no such host", "broken pipe", "too many open files"]


def access(r):
    status = r.choices([200, 201, 204, 304, 404, 500], [70, 8, 6, 8, 6, 2])[0]
    ms = int(r.lognormvariate(2.5, 1)) + 1
    text = (f"{r.choice(['GET', 'GET', 'GET', 'POST', 'PUT'])} {r.choice(PATHS)}?id={r.randrange(10**6)} "
            f"{status} {r.randrange(200, 40000)}B in {ms} ms {r.choice(AGENTS)}")  # fmt: skip
    return "error" if status == 500 else "info", text, {"status": status, "ms": ms}


def query(r):
    ms = round(r.lognormvariate(1, 1.2), 2)
    text = (f"SELECT * FROM {r.choice(TABLES)} WHERE customer_id = {r.randrange(10**7)} "
            f"ORDER BY created_at DESC LIMIT 50 -- {r.randrange(50)} rows")  # fmt: skip
    return "debug" if ms < 20 else "warning", text, {"ms": ms}


def business(r):
    text = (f"order {r.randrange(10**8)} of customer {r.randrange(10**7)} placed: "
            f"{r.randrange(1, 9)} items, {r.randrange(500, 90000) / 100:.2f} EUR, "
            f"payment by {r.choice(['card', 'invoice', 'wallet'])}")  # fmt: skip
    return "info", text, {"order": r.randrange(10**8)}


def failure(r):
    host = f"10.{r.randrange(256)}.{r.randrange(256)}.{r.randrange(256)}"
    text = f"upstream {host}:{r.choice([5432, 6379, 8080])}: {r.choice(ERRORS)} after {r.randrange(5000)} ms, retrying"
    return "error", text, {"attempt": r.randrange(1, 5)}


def trace(r):
    frames = "\n".join(
        f'  File "/srv/app/{r.choice(SERVICES)}/{r.choice(TABLES)}.py", line {r.randrange(900)}' for _ in range(4)
    )
    return "error", f"Traceback (most recent call last):\n{frames}\nKeyError: '{r.randrange(10**6)}'", {}


KINDS = [(access, 60), (query, 18), (business, 16), (failure, 5), (trace, 1)]


def logs(count, seed=SEED):
    """Yields logs as dicts, without a time."""
    r = random.Random(seed)
    kinds, weights = zip(*KINDS)
    for _ in range(count):
        level, message, more = r.choices(kinds, weights)[0](r)
        yield {
            "level": level, "message": message, "service": r.choice(SERVICES),
            "host": f"web-{r.randrange(20):02}", "trace": f"{r.getrandbits(64):016x}",
        } | more  # fmt: skip


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def json_line(log, number):
    return compact({"timestamp": f"\1{number % 1000:03}Z"} | log).replace("\\u0001", "\1")


def otlp_record(log, number):
    """The same log in the JSON of OTLP."""
    more = [{"key": k, "value": {"stringValue": str(v)}} for k, v in log.items() if k not in ("level", "message")]
    record = {"timeUnixNano": f"\1{number % 1000:03}000", "severityText": log["level"]}
    return compact(record | {"body": {"stringValue": log["message"]}, "attributes": more}).replace("\\u0001", "\1")


def syslog_line(log, number):
    """The same log in RFC 5424, with its JSON as the message."""
    severity = {"debug": 7, "info": 6, "warning": 4, "error": 3}[log["level"]]
    return f"<{8 * 16 + severity}>1 \1{number % 1000:03}Z {log['host']} {log['service']} - - - {compact(log)}"


def body(form, batch, first):
    """A request of the logs of `batch`, which are those from number `first` on."""
    if form == "otlp":
        records = ",".join(otlp_record(log, first + n) for n, log in enumerate(batch))
        return '{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + records + "]}]}]}"
    line = syslog_line if form == "syslog" else json_line
    text = [line(log, first + n) for n, log in enumerate(batch)]
    return text[0] if form == "json" else "\n".join(text) + "\n"


def write_file(name, make):
    """Writes a file with the text that `make` returns, unless it is there; returns its path."""
    with open(__file__, "rb") as source:
        version = zlib.crc32(source.read())
    path = os.path.join(WORK, f"corpus-{version:08x}-{name}")
    if not os.path.exists(path):
        for old in glob.glob(os.path.join(WORK, f"corpus-????????-{name}")):
            os.remove(old)
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(make())
        os.rename(path + ".new", path)
    return path


def write_requests(form, size):
    """A file of requests with `size` logs each. Forms: json (one log), ndjson, otlp, syslog."""

    def make():
        every = list(logs(SINGLE_LOGS if size == 1 else LOGS))
        every = every[:1] * size if same else every
        return "\2".join(body(form, every[i : i + size], i) for i in range(0, len(every), size))

    return write_file(f"{form}-{size}{'-same' if same else ''}", make)


def write_plain():
    """A file of NDJSON without times."""
    return write_file("plain", lambda: "".join(compact(log) + "\n" for log in logs(LOGS)))


if __name__ == "__main__":
    for entry in logs(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        print(compact(entry))
