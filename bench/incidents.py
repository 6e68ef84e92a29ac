#!/usr/bin/env python3
"""Fills a logmill with a million logs of a web shop, of the last 24 hours, in which three incidents
hide: to try the page on, and to measure its first view.

    bench/incidents.py http://127.0.0.1:8000 [LOGS]

With more than a million LOGS the usual ones come again, at other times.

The same logs every time, but for the day. What the incidents are stands in INCIDENTS, and is not
told to whoever tries to find them.
"""

import http.client
import json
import random
import sys
import time
import urllib.parse

LOGS = 1_000_000
BATCH = 2000
DAY_S = 86_400

# Seconds before the end: when it begins and ends.
INCIDENTS = {
    # A release of payments leaks connections on one host; gateway answers 502, carts are given up.
    "pool": (7 * 3600, 7 * 3600 - 1500),
    # The disk of the catalogue's database fills: writes get slow for an hour, then fail.
    "disk": (15 * 3600, 15 * 3600 - 5400),
    # A certificate of the mail relay ends: few errors, among many that are there every day.
    "relay": (2 * 3600, 0),
}

VERSIONS = {"gateway": "5.2.0", "payments": "2.14.0", "catalog": "3.9.4", "cart": "1.30.2", "auth": "4.0.1",
            "mailer": "2.2.7", "search": "7.1.0"}
HOSTS = {"gateway": 4, "payments": 3, "catalog": 3, "cart": 3, "auth": 2, "mailer": 1, "search": 2}
PATHS = ["/", "/cart", "/cart/items", "/checkout", "/products/{}", "/search?q={}", "/login", "/orders/{}"]


def log(rng, at, service, level, message, **attributes):
    host = attributes.pop("host", None) or f"{service[:4]}-{rng.randint(1, HOSTS[service])}"
    return {"timestamp": at, "level": level, "message": message, "service": service, "host": host,
            "version": attributes.pop("version", VERSIONS[service]), **attributes}


def usual(rng, at):
    """One log of every day."""
    kind = rng.random()
    trace = f"{rng.getrandbits(128):032x}"
    if kind < 0.55:
        path = rng.choice(PATHS).format(rng.randint(1, 9999))
        ms = round(4 + rng.random() ** 4 * 900)
        status = 404 if rng.random() < 0.02 else 200
        return log(rng, at, "gateway", "warning" if status == 404 else "info", f"GET {path} {status} in {ms} ms",
                   http={"method": "GET", "path": path, "status": status}, duration_ms=ms, trace_id=trace)
    if kind < 0.68:
        return log(rng, at, "catalog", "debug", f"cache hit for product {rng.randint(1, 9999)}", trace_id=trace)
    if kind < 0.78:
        return log(rng, at, "cart", "info", f"item {rng.randint(1, 9999)} added, {rng.randint(1, 9)} in cart",
                   trace_id=trace, user={"id": rng.randint(1, 60_000)})
    if kind < 0.84:
        if rng.random() < 0.04:
            return log(rng, at, "payments", "error", f"card declined by the bank: code {rng.choice([51, 54, 61])}",
                       trace_id=trace, order=rng.randint(10**6, 10**7))
        return log(rng, at, "payments", "info", f"order {rng.randint(10**6, 10**7)} paid in {rng.randint(90, 900)} ms",
                   trace_id=trace)
    if kind < 0.90:
        return log(rng, at, "auth", "info", f"user {rng.randint(1, 60_000)} logged in", trace_id=trace)
    if kind < 0.93:
        return log(rng, at, "auth", "warning", f"wrong password for user {rng.randint(1, 60_000)}", trace_id=trace)
    if kind < 0.96:
        return log(rng, at, "mailer", "info", f"mail {rng.getrandbits(32):08x} handed to relay-1 in {rng.randint(20, 90)} ms")
    return log(rng, at, "search", "debug", f"query took {rng.randint(2, 80)} ms, {rng.randint(0, 300)} hits", trace_id=trace)


TRACE = ("PoolTimeout: no connection within 5000 ms (20 of 20 in use)\n"
         "    at Pool.acquire (/srv/payments/db/pool.js:88:15)\n"
         "    at Orders.charge (/srv/payments/orders.js:41:22)\n"
         "    at async POST /charge (/srv/payments/routes.js:17:5)")


def incidents(rng, end):
    """All logs of the three, in no order."""
    begin, until = (end - s for s in INCIDENTS["pool"])
    found = [log(rng, begin - 40, "payments", "info", "payments 2.14.1 started", host="paym-2", version="2.14.1")]
    for at in range(int(begin), int(until)):
        if rng.random() < 0.5:
            trace = f"{rng.getrandbits(128):032x}"
            found += [
                log(rng, at + 0.2, "cart", "info", "checkout begun", trace_id=trace),
                log(rng, at + 5.3, "payments", "error", TRACE, host="paym-2", version="2.14.1", trace_id=trace),
                log(rng, at + 5.4, "gateway", "error", "POST /checkout 502 in 5106 ms", trace_id=trace,
                    http={"method": "POST", "path": "/checkout", "status": 502}, duration_ms=5106),
            ]
    begin, until = (end - s for s in INCIDENTS["disk"])
    for at in range(int(begin), int(until)):
        part = (at - begin) / (until - begin)
        if part < 0.67 and rng.random() < 0.3:
            found.append(log(rng, at, "catalog", "warning", f"slow write: {round(800 + part * 9000)} ms to /data/pg_wal",
                             host="cata-3", disk={"used_percent": round(88 + part * 17, 1)}))
        elif part >= 0.67 and rng.random() < 0.2:
            found.append(log(rng, at, "catalog", "critical", "could not write to /data/pg_wal: No space left on device",
                             host="cata-3", disk={"used_percent": 100}))
    begin, until = (end - s for s in INCIDENTS["relay"])
    for at in range(int(begin), int(until), 180):
        found.append(log(rng, at, "mailer", "error", "relay-1: TLS handshake failed: certificate has expired",
                         host="mail-1", peer="relay-1.shop.example:465"))
    return found


def usual_ones(rng, times):
    """The usual logs of these times, as JSON: a million are made, of which more are as many again."""
    made = []
    for n, at in enumerate(times):
        if n < LOGS:
            text = as_json(usual(rng, at))
            made.append(text[text.index(","):])
        yield at, f'{{"timestamp":{at}{made[n % LOGS]}'


def as_json(log):
    return json.dumps(log, separators=(",", ":"))


def post(connection, logs):
    body = "\n".join(logs)
    connection.request("POST", "/logs", body, {"content-type": "application/x-ndjson"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        sys.exit(f"{answer.status}: {text[:300]!r}")


def main():
    url = urllib.parse.urlsplit(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else LOGS
    connection = http.client.HTTPConnection(url.hostname, url.port or 80)
    rng = random.Random(2026)
    end = time.time() - 60
    hidden = sorted(incidents(rng, end), key=lambda each: each["timestamp"])
    batch = []
    times = (end - DAY_S + n * DAY_S / count for n in range(count))
    for at, text in usual_ones(rng, times):
        while hidden and hidden[0]["timestamp"] <= at:
            batch.append(as_json(hidden.pop(0)))
        batch.append(text)
        if len(batch) >= BATCH:
            post(connection, batch)
            batch = []
    post(connection, batch + [as_json(each) for each in hidden])
    print(f"{count} logs and three incidents are sent")


if __name__ == "__main__":
    main()
