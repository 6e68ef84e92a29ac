"""Table `search`: what it costs to take and keep many logs, and what twelve queries take among them,
beside VictoriaLogs and ClickHouse.

Each corpus (search_corpora.py) is sent once in bodies of 1,000 logs, one after the other; the CPU is
all that is used until nothing is left to do: no computing and no writing for 40 s, waited for 10
minutes at most. Then the disk is measured, and each query asked of all contestants in turn, once to
warm up and then in five variants, other texts or other bounds, so that none can remember an answer.
All contestants must have found the same: the same times of logs, the same counts. Where a word is
asked for, words are what VictoriaLogs and ClickHouse search; a text that begins within a word they
have to search as such.

What was loaded stays in build/bench/search-…; with BENCH_SEARCH_REUSE=others (the default) all but
logmill are used again in later runs, with `all` logmill too, with `none` all are loaded anew. The
build before takes part up to two million logs, since its queries take long.

At the end: pages of 100 read one after the other while 50,000 logs/s come in; and the p99 of single
POSTs and of such pages while logmill compacts what it has just taken, beside the same at rest.
"""

import datetime
import http.client
import json
import math
import multiprocessing
import os
import shutil
import statistics
import sys
import time

import corpus
import load
import neighbours
import servers
from accept import available
from common import ROUNDS, SEARCH_EVENTS, SEARCH_LOGS, SEARCH_REUSE, SECONDS, WORK, cpu_seconds
from figures import Aim, median, medians_table, print_table, ratio, say_turn, tell_absent
from search_contestants import CLASSES
from search_corpora import VARIANTS, Day, Events

BEFORE_MOST_LOGS = 2_000_000
PACE = 50  # bodies of 1,000 a second
MORE_MS, LARGE = 5, 20_000_000
BACKLOG = 1_000_000  # logs that wait to be compacted
NEIGHBOUR_TIMES_MOST = 1.3


# ---- Loading ----


def load_all(found, classes):
    """Loads what is not there yet; returns the figures of each contestant by its key."""
    path = os.path.join(WORK, f"search-{found.name}", "kept.json")
    kept = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    for key, Class in classes.items():
        contestant = Class(found)
        again = SEARCH_REUSE == "none" or SEARCH_REUSE == "others" and key == "serve"
        old = kept.get(key, {})
        if not again and old.get("span") == list(found.span) and old.get("version") == Class.version:
            print(f"{Class.name}: as loaded at {old['when']}", flush=True)
            continue
        shutil.rmtree(contestant.dir, ignore_errors=True)
        os.makedirs(contestant.dir)
        contestant.open()
        when = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        kept[key] = contestant.load() | {"span": found.span, "version": Class.version, "when": when}
        contestant.close()
        with open(path, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        say_loaded(contestant, kept[key])
    return {key: kept[key] for key in classes}


def say_loaded(contestant, f):
    logs = contestant.corpus.logs
    print(f"{contestant.name:<18} {logs / f['load_seconds']:8.0f} logs/s, {f['cpu_seconds'] / logs * 1e6:5.2f} CPU-s a million, "
          f"{f['disk_bytes'] / logs:6.1f} bytes a log, at rest after {f['rest_seconds']:.0f} s", flush=True)  # fmt: skip


# ---- Asking ----


def check_equal(query, variant, answers):
    """Dies unless all have found the same. A log by id is one, though others ask otherwise, and real
    events may be there twice."""
    if query.ask == "one":
        answers = {name: sorted(set(times)) for name, times in answers.items()}
    (first, answer), *others = answers.items()
    for name, other in others:
        if other != answer:
            size = lambda a: a if isinstance(a, int) else f"{len(a)} ({str(a)[:200]} …)"  # noqa: E731
            sys.exit(f"bench: {query.name}, variant {variant} {query.conditions}: "
                     f"{first} found {size(answer)}, {name} {size(other)}")  # fmt: skip


def ask_all(found, contestants):
    """A turn for each contestant and variant: the milliseconds of each query."""
    turns = {(c.name, variant): {"contestant": c.name, "found": {}} for variant in range(1, VARIANTS) for c in contestants}
    variants = [found.queries(variant) for variant in range(VARIANTS)]
    for queries in zip(*variants):
        for variant, query in enumerate(queries):
            answers = {}
            for c in contestants:
                ms, answers[c.name] = c.ask(query)
                if variant > 0:
                    turns[c.name, variant][query.name] = ms
                    answer = answers[c.name]
                    turns[c.name, variant]["found"][query.name] = answer if isinstance(answer, int) else len(answer)
            check_equal(query, variant, answers)
    for turn in turns.values():
        turn["mean_ms"] = mean(turn[query.name] for query in variants[0])
    return list(turns.values()), [query.name for query in variants[0]]


def mean(values):
    """The geometric one."""
    return math.exp(statistics.fmean(math.log(value) for value in values))


# ---- Aims ----


def aims_of_loading(found, loaded):
    at = lambda key, figure: loaded[key][figure] if key in loaded else None  # noqa: E731
    per = lambda a, b: a / b if a and b else None  # noqa: E731
    best = min((d for d in (at("victoria-logs", "disk_bytes"), at("clickhouse", "disk_bytes")) if d), default=None)
    ours = at("serve", "cpu_seconds")
    yield Aim("disk at rest / the better of the two", per(at("serve", "disk_bytes"), best), most=0.7)
    yield Aim("CPU to take and keep / VictoriaLogs", per(ours, at("victoria-logs", "cpu_seconds")), most=0.33)
    if found.logs <= BEFORE_MOST_LOGS:
        yield Aim("CPU to take and keep / the build before", per(ours, at("before", "cpu_seconds")), most=0.8)
    yield Aim("peak memory while loading, MiB", at("serve", "peak_mib"), most=160)


def aims_of_queries(found, names, medians, peak_mib):
    """`medians`: ms by contestant and query."""
    ours, others = medians.get("logmill"), [medians[n] for n in ("VictoriaLogs", "ClickHouse") if n in medians]
    if not ours or not others:
        return
    best = {name: min(other[name] for other in others) for name in names}
    for name in names:
        bound = max(1, (best[name] + MORE_MS) / best[name])
        yield Aim(f"{name} / the better of the two (1.0, or {MORE_MS} ms more)", ours[name] / best[name], most=round(bound, 3))
    yield Aim("geometric mean of all / the better", mean(ours[n] / best[n] for n in names), most=0.3)
    if found.logs >= LARGE:
        for name in ("count of all", "histogram by level"):
            yield Aim(f"{name}, ms", ours[name], most=20)
        for name in ("trace id", "rare phrase", "log by id"):
            yield Aim(f"{name}, ms", ours[name], most=10)
    if "VictoriaLogs" in medians:
        yield Aim("rare text, which no filter helps with / VictoriaLogs",
                  ours["rare text"] / medians["VictoriaLogs"]["rare text"], most=1)  # fmt: skip
    yield Aim("peak memory while asking, MiB", peak_mib, most=160)


# ---- A corpus ----


def measure(found, classes):
    if found.logs > BEFORE_MOST_LOGS:
        classes = {key: Class for key, Class in classes.items() if key != "before"}
    print(f"\n{found.title}", flush=True)
    loaded = load_all(found, classes)
    loading = [{"contestant": classes[key].name, "cpu_per_million": f["cpu_seconds"] / found.logs * 1e6,
                "bytes_a_log": f["disk_bytes"] / found.logs, "logs_per_second": found.logs / f["load_seconds"],
                "rest_seconds": f["rest_seconds"], "peak_mib": f["peak_mib"], "when": f["when"]}
               for key, f in loaded.items()]  # fmt: skip
    for turn in loading:
        if turn["contestant"] == CLASSES["clickhouse"].name:
            turn.pop("cpu_per_million")  # it got its logs otherwise
    medians_table(f"Loading {found.title}", loading, [
        ("cpu_per_million", "CPU-s/million", 15, ".2f"), ("bytes_a_log", "bytes a log", 13, ".1f"),
        ("logs_per_second", "logs/s", 11, ".0f"), ("rest_seconds", "s to rest", 11, ".0f"), ("peak_mib", "peak MiB", 10, ".0f"),
    ])  # fmt: skip
    first = {"title": f"Loading {found.title}", "turns": loading,
             "aims": [aim.tell() for aim in aims_of_loading(found, loaded)]}  # fmt: skip

    contestants = [Class(found) for Class in classes.values()]
    for c in contestants:
        c.open()
    turns, names = ask_all(found, contestants)
    peak_mib = next((c.peak_mib() for c in contestants if c.key == "logmill"), None)
    for c in contestants:
        c.close()
    medians = {c.name: {n: median(turns, c.name, n) for n in names} for c in contestants}
    title = f"Asking {found.title}, ms, medians of {VARIANTS - 1}"
    rows = [(n, *(medians[c.name][n] for c in contestants), turns[0]["found"][n]) for n in names]
    print_table(title, [*((c.name, 18, ".1f") for c in contestants), ("found", 9, "d")], rows)
    aims = [aim.tell() for aim in aims_of_queries(found, names, medians, peak_mib)]
    return [first, {"title": title, "turns": turns, "aims": aims}]


# ---- Reading while logs come in ----


def feed(port, seconds, answers):
    """Sends PACE bodies a second; tells how many logs a second were taken."""
    with open(corpus.write_requests("ndjson", 1000), "rb") as file:
        requests = file.read().split(b"\2")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began, sent = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        body = requests[sent % len(requests)].replace(b"\1", load.stamp())
        connection.request("POST", "/logs", body, {"Content-Type": "application/x-ndjson"})
        connection.getresponse().read()
        sent += 1
        time.sleep(max(0, began + sent / PACE - time.monotonic()))
    answers.put(sent * 1000 / (time.monotonic() - began))


def beside(Class):
    logmill = Class()
    logmill.send(200_000)
    logmill.settle()
    answers = multiprocessing.Queue()
    feeder = multiprocessing.Process(target=feed, args=(logmill.port, SECONDS + 2, answers))
    feeder.start()
    time.sleep(1)
    connection = http.client.HTTPConnection("127.0.0.1", logmill.port, timeout=60)
    began, times = time.monotonic(), []
    while time.monotonic() < began + SECONDS:
        asked = time.monotonic()
        connection.request("GET", "/logs?limit=100")
        answer = connection.getresponse()
        if len(json.loads(answer.read())["logs"]) != 100:
            sys.exit("bench: a page without 100 logs")
        times.append(time.monotonic() - asked)
    figures = {"contestant": logmill.name, "reads_per_second": len(times) / (time.monotonic() - began),
               "p99_ms": sorted(times)[int(len(times) * 0.99)] * 1e3, "logs_per_second": answers.get(timeout=60)}  # fmt: skip
    feeder.join()
    logmill.kill()
    return figures


def reading_beside(ready):
    both = {"serve": servers.Logmill, "before": servers.Before}
    turns = []
    for number in range(1, ROUNDS + 1):
        for key in both.keys() & ready.keys():
            turns.append(f := beside(both[key]))
            say_turn(number, f, f"{f['reads_per_second']:8.0f} reads/s, p99 {f['p99_ms']:.1f} ms, "
                                f"{f['logs_per_second']:.0f} logs/s taken")  # fmt: skip
    if not turns:
        return []
    title = f"One reader of pages of 100 while {PACE * 1000:,} logs/s come in, medians of {ROUNDS} rounds of {SECONDS} s"
    medians_table(title, turns, [("reads_per_second", "reads/s", 10, ".0f"), ("p99_ms", "p99 ms", 9, ".1f"),
                                 ("logs_per_second", "logs/s taken", 14, ".0f")])  # fmt: skip
    found = ratio(turns, servers.Logmill.name, servers.Before.name, "reads_per_second")
    return [{"title": title, "turns": turns, "aims": [Aim("reads/s / the build before", found, least=1).tell()]}]


# ---- Neighbours of compaction ----


def rest(logmill, seconds=600):
    """Until it has computed next to nothing for three seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        cpu = cpu_seconds(logmill.pid)
        time.sleep(3)
        if cpu_seconds(logmill.pid) - cpu < 0.06:
            return
    sys.exit("bench: logmill does not come to rest")


def beside_compaction():
    logmill = servers.Logmill()
    logmill.send(200_000)
    logmill.settle()
    rest(logmill)
    at_rest = neighbours.measure(logmill.port)
    cpu = cpu_seconds(logmill.pid)
    neighbours.measure(logmill.port)
    alone = cpu_seconds(logmill.pid) - cpu
    logmill.send(BACKLOG)
    logmill.settle()
    cpu = cpu_seconds(logmill.pid)
    busy = neighbours.measure(logmill.port)
    figures = {"contestant": logmill.name, "compaction_cpu": (cpu_seconds(logmill.pid) - cpu - alone) / SECONDS}
    for kind in neighbours.KINDS:
        figures |= {f"{kind}_quiet": at_rest[kind], kind: busy[kind]}
    logmill.kill()
    return figures


def compacting():
    turns = []
    for number in range(1, ROUNDS + 1):
        turns.append(f := beside_compaction())
        say_turn(number, f, "".join(f"{kind} {f[kind]:6.1f} ms ({f[kind + '_quiet']:.1f})  " for kind in neighbours.KINDS))
    title = f"p99 beside compaction, medians of {ROUNDS} rounds of {SECONDS} s"
    columns = [(name, text, 15, ".1f") for kind in neighbours.KINDS
               for name, text in ((kind + "_quiet", kind + " at rest"), (kind, kind + ", ms"))]  # fmt: skip
    medians_table(title, turns, [*columns, ("compaction_cpu", "of a core", 11, ".2f")])
    aims = [Aim("CPU of compaction, of a core", statistics.median(t["compaction_cpu"] for t in turns), most=0.25)]
    for kind in neighbours.KINDS:
        quiet, busy = (statistics.median(t[name] for t in turns) for name in (kind + "_quiet", kind))
        bound = max(NEIGHBOUR_TIMES_MOST, (quiet + MORE_MS) / quiet)
        aims.append(Aim(f"p99 of {kind}s / at rest (1.3, or {MORE_MS} ms more)", busy / quiet, most=round(bound, 3)))
    return [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]


def table():
    ready, absent = available(CLASSES)
    cases = []
    for found in [Day(logs) for logs in SEARCH_LOGS] + ([Events(SEARCH_EVENTS)] if SEARCH_EVENTS else []):
        cases += measure(found, ready)
    cases += reading_beside(ready)
    if "serve" in ready:
        cases += compacting()
    tell_absent(absent)
    return {"absent": absent, "cases": cases}
