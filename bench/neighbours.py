"""Table `neighbours`: what a client gets while another one does its worst.

Two connections ask `logmill serve`, which has a million logs, every few milliseconds: one posts a log,
one reads GET /logs?limit=100. Each attack runs beside them for BENCH_SECONDS, and just before it the
same two are measured without it. An attack is one client that is allowed to do what it does:

  tails       20 live tails whose `q` is 900 letters of two bytes, and posts of 20 logs of 10 KB
  abandoned   20 searches for what is not there, a second, each left after 50 ms
  searches    6 connections that search all logs for what is not there, and wait
  histograms  6 connections that count all logs by second, with a filter, and wait
  pipelined   8 connections, each a live tail with 63 pages of 1,000 logs asked for behind it
  levels      300 posts, of some KB as sent, of a log with a level of 900 KB, then GET /logs/stats
  retention   RETENTION_DAYS=1 while logs of last week come in bodies of 1,000

BENCH_BEFORE names another build of logmill, whose figures stand beside. What is asked: the p99 of each
of the two at most 3 times as long as without the attack, or 5 ms longer.
"""

import datetime
import gzip
import http.client
import json
import multiprocessing
import os
import socket
import time
import urllib.parse

import load
from common import BEFORE, ROUNDS, SECONDS
from figures import Aim, median, print_table, say_turn
from servers import Before, Logmill

LOGS = 1_000_000
PAUSE_SECONDS = 0.004  # between two requests of a neighbour
ANSWER_SECONDS = 60  # after which a neighbour gives up
TIMES_MOST, MORE_MS_MOST = 3, 5
KINDS = ["post", "read"]
BUILDS = [Logmill, Before] if BEFORE else [Logmill]


# ---- The attacks, each in a process of its own until it is ended ----


def connect(port):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)


def ask(connection, path, body=None, headers=None):
    """One request and its whole answer; a connection that was closed is opened again."""
    try:
        connection.request("POST" if body else "GET", path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        connection.close()
        return None


def side_by_side(action, times):
    for _ in range(times - 1):
        if os.fork() == 0:
            break
    while True:
        action()


def send_raw(port, *requests):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"".join(f"{r} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for r in requests))
    return s


def tails(port):
    streams = []
    for n in range(20):
        text = urllib.parse.quote("äöüéè"[n % 5] * (899 - n) + "ß")
        streams.append(send_raw(port, f"GET /logs/tail?q={text}"))
    log = {"message": "äöüéè"[0] * 5000, "level": "info"}
    body = json.dumps([log] * 20, ensure_ascii=False).encode()
    connection = connect(port)
    while True:
        ask(connection, "/logs", body, {"Content-Type": "application/json"})
        time.sleep(1)


def abandoned(port):
    number = 0
    while True:
        streams = [send_raw(port, f"GET /logs?q=nowhere+to+be+found+{number + n}") for n in range(20)]
        number += 20
        time.sleep(0.05)
        for stream in streams:
            stream.close()
        time.sleep(0.95)


def searches(port):
    connection = connect(port)
    side_by_side(lambda: ask(connection, "/logs?q=nowhere+to+be+found"), 6)


def histograms(port):
    connection = connect(port)
    now = datetime.datetime.now(datetime.timezone.utc)
    since = (now - datetime.timedelta(minutes=16)).strftime("%Y-%m-%dT%H:%M:%SZ")
    side_by_side(lambda: ask(connection, f"/logs/stats?since={since}&bucket=1&not.q=nowhere"), 6)


def pipelined(port):
    tail = "GET /logs/tail?q=nowhere+to+be+found"
    streams = [send_raw(port, tail, *["GET /logs?limit=1000"] * 63) for _ in range(8)]
    while streams:
        time.sleep(1)


def levels(port):
    connection = connect(port)
    bodies = [gzip.compress(json.dumps({"message": "m", "level": c * 900_000}).encode()) for c in "abc"]
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    while True:
        for n in range(300):
            ask(connection, "/log", bodies[n % len(bodies)], headers)
        ask(connection, "/logs/stats?bucket=3600")


def retention(port):
    connection = connect(port)
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=7)
    log = json.dumps({"message": "an old log", "level": "info", "timestamp": old.isoformat()})
    while True:
        ask(connection, "/logs", "\n".join([log] * 1000), {"Content-Type": "application/x-ndjson"})


ATTACKS = {"tails": tails, "abandoned": abandoned, "searches": searches, "histograms": histograms,
           "pipelined": pipelined, "levels": levels, "retention": retention}  # fmt: skip


# ---- The neighbours ----


def neighbour(port, kind, seconds, answers):
    """Asks for `seconds`, and puts the times of its answers, in ms, into the queue `answers`."""
    connection, times, refused = connect(port), [], 0
    end = time.monotonic() + seconds
    body = json.dumps({"message": "a neighbour's log", "level": "info"})
    while time.monotonic() < end:
        began = time.monotonic()
        if kind == "post":
            status = ask(connection, "/log", body, {"Content-Type": "application/json"})
        else:
            status = ask(connection, "/logs?limit=100")
        times.append((time.monotonic() - began) * 1000)
        refused += status not in (200, 201)
        time.sleep(PAUSE_SECONDS)
    answers.put((kind, times, refused))


def measure(port):
    """The p99 of each kind, in ms, and how many requests had no success."""
    answers = multiprocessing.Queue()
    asking = [multiprocessing.Process(target=neighbour, args=(port, kind, SECONDS, answers)) for kind in KINDS]
    for process in asking:
        process.start()
    figures = {"refused": 0}
    for _ in asking:
        kind, times, refused = answers.get(timeout=SECONDS + 2 * ANSWER_SECONDS)
        figures[kind] = sorted(times)[int(len(times) * 0.99)]
        figures["refused"] += refused
    for process in asking:
        process.join()
    return figures


def attack_alone(attack, port):
    os.setpgid(0, 0)
    attack(port)


def turn(logmill, name):
    quiet = measure(logmill.port)
    attacker = multiprocessing.Process(target=attack_alone, args=(ATTACKS[name], logmill.port))
    attacker.start()
    time.sleep(1)
    attacked = measure(logmill.port)
    os.killpg(attacker.pid, 9)
    attacker.join()
    figures = {"refused": attacked["refused"]}
    for kind in KINDS:
        figures |= {f"{kind}_quiet": quiet[kind], kind: attacked[kind], f"{kind}_ratio": attacked[kind] / quiet[kind]}
    return figures


def is_met(figures, kind):
    return figures[kind] <= max(TIMES_MOST * figures[f"{kind}_quiet"], figures[f"{kind}_quiet"] + MORE_MS_MOST)


def table():
    turns = []
    for number in range(1, ROUNDS + 1):
        for name in ATTACKS:
            for build in BUILDS:
                logmill = build(**({"RETENTION_DAYS": "1"} if name == "retention" else {}))
                logmill.send(LOGS)
                logmill.settle()
                figures = {"contestant": build.name, "attack": name} | turn(logmill, name)
                logmill.kill()
                turns.append(figures)
                say_turn(number, figures, f"{name:<12}" + "".join(
                    f"{kind} {figures[kind]:9.1f} ms ({figures[kind + '_quiet']:.1f})  " for kind in KINDS))  # fmt: skip
    columns = [(f"{kind} {what}", 14, ".1f") for kind in KINDS for what in ("quiet", "p99 ms", "ratio")]
    figures = [f"{kind}{suffix}" for kind in KINDS for suffix in ("_quiet", "", "_ratio")]
    aims = []
    for build in (b.name for b in BUILDS):
        of_build = {name: [t for t in turns if t["attack"] == name and t["contestant"] == build] for name in ATTACKS}
        rows = [(name, *(median(found, build, f) for f in figures)) for name, found in of_build.items()]
        print_table(f"p99 of a neighbour, {build}, medians of {ROUNDS} rounds of {SECONDS} s",
                    [*columns, ("refused", 9, ".0f")],
                    [(*row, median(of_build[row[0]], build, "refused")) for row in rows])  # fmt: skip
        for kind in KINDS:
            met = sum(is_met(t, kind) for t in turns if t["contestant"] == build)
            aims.append(Aim(f"{build}: {kind}s with a p99 of 3 × or 5 ms more at most, of all turns",
                            met * len(BUILDS) / len(turns), least=1))  # fmt: skip
    return {"turns": turns, "aims": [aim.tell() for aim in aims]}
