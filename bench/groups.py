"""Table `groups`: what is counted and grouped among the logs of table `search`, in milliseconds,
beside VictoriaLogs.

What `search` has loaded is used; else it is loaded. Each question is asked of both in turn, once to
warm up and then in five variants: the end of the range is a few seconds further, so that none can
remember an answer. logmill remembers what whole blocks had to say to a question, if that is little
(src/store/sqlite/tallies.h): so what the first time took stands in a table of its own, for both. The same figures must have come, as far as both are exact: percentiles are within
5 % of each other, for VictoriaLogs takes a sample; it counts a log without the field as one with the
lowest value, and is asked for those that have it. Patterns are different ideas on either side, and are not compared.
Services and hosts are VictoriaLogs' streams, by which its blocks are divided: each has one of them.
"""

import json
import sys
import time
import urllib.parse

from accept import available
from common import SEARCH_LOGS
from figures import Aim, median, print_table, tell_absent, values
from search import load_all, mean
from search_contestants import CLASSES
from search_corpora import DAY_US, SECOND_US, VARIANTS, Day, iso

LARGE = 20_000_000


class Question:
    """`ours`: path and parameters; `theirs`: LogsQL behind the range of time. `read_ours` and
    `read_theirs` make of an answer what has to be the same; None: nothing."""

    def __init__(self, name, ours, theirs, read_ours=None, read_theirs=None, near=False):
        self.name, self.ours, self.theirs = name, ours, theirs
        self.read_ours, self.read_theirs, self.near = read_ours, read_theirs, near


def stats(query=None, **parameters):
    if query:
        parameters["query"] = query
    return "/logs/stats", parameters


def groups(key, value="count"):
    """{a group's value: its number}"""
    return lambda answer: {g["by"][key]: (g | g.get("values", {}))[value] for g in answer["groups"]}


def rows(key, value="n"):
    return lambda answer: {row[key]: float(row[value]) for row in answer if float(row[value])}


def buckets(answer):
    """{(time, service, level): logs}"""
    found = {}
    for bucket in answer["buckets"]:
        for part in bucket["groups"]:
            by = answer["groups"][part["group"]]["by"]
            found[bucket["timestamp"][:19], by["service"], by["level"]] = part["count"]
    return found


QUESTIONS = [
    Question("top 10 of a field", stats("status:*", by="status", value="count", top=10),
             "status:* | stats by (status) count() n | sort by (n desc) limit 10", groups("status"), rows("status")),
    Question("top 10 of their streams' field", stats(by="host", value="count", top=10),
             "| stats by (host) count() n | sort by (n desc) limit 10", groups("host"), rows("host")),
    Question("two fields per 5 minutes", stats(by="level,service", value="count", bucket=300, top=1000),
             "| stats by (_time:300s, level, service) count() n", buckets,
             lambda answer: {(r["_time"][:19], r["service"], r["level"]): int(r["n"]) for r in answer}),
    Question("p95 by service", stats(by="service", value="p95(ms)", top=1000),
             "ms:* | stats by (service) quantile(0.95, ms) n", groups("service", "p95(ms)"), rows("service"), near=True),
    Question("distinct values", stats(value="distinct(host)"), "| stats count_uniq(host) n"),
    Question("fields with top values", ("/logs/fields", {"top": 10}), "| facets 10"),
    Question("patterns", ("/logs/patterns", {"top": 50}), "| collapse_nums | top 50 by (_msg)"),
    Question("regular expression", stats(r"/customer \d+7 placed/", by="service", value="count", top=1000),
             r'_msg:~"customer \\d+7 placed" | stats by (service) count() n', groups("service"), rows("service")),
    Question("number range and text", stats("status:>=500 GET", by="service", value="count", top=1000),
             "status:>=500 GET | stats by (service) count() n", groups("service"), rows("service")),
]  # fmt: skip


def range_of(found, variant):
    """A few seconds further each time, behind the last log."""
    return found.start_us, found.start_us + DAY_US + variant * SECOND_US


def reconnect(contestant):
    """The connection may have been idle for as long as the other one took, and be closed."""
    contestant.connect()
    contestant.connection.connect()


def ask_ours(contestant, question, found, variant):
    path, parameters = question.ours
    since_us, until_us = range_of(found, variant)
    p = parameters | {"since": iso(since_us), "until": iso(until_us)}
    began = time.perf_counter()
    text = contestant.request("GET", path + "?" + urllib.parse.urlencode(p))
    ms = (time.perf_counter() - began) * 1e3
    answer = json.loads(text)
    if answer.get("searched_to"):
        sys.exit(f"bench: {question.name}: not searched to the end")
    return ms, answer


def ask_theirs(contestant, question, found, variant):
    since_us, until_us = range_of(found, variant)
    p = {"query": f"_time:[{iso(since_us)}, {iso(until_us)}) {question.theirs}"}
    began = time.perf_counter()
    text = contestant.request("GET", "/select/logsql/query?" + urllib.parse.urlencode(p))
    ms = (time.perf_counter() - began) * 1e3
    return ms, [json.loads(line) for line in text.splitlines()]


def check_same(question, ours, theirs):
    if not question.read_ours:
        return
    x, y = question.read_ours(ours), question.read_theirs(theirs)
    same = x == y if not question.near else x.keys() == y.keys() and all(abs(x[k] - y[k]) <= 0.05 * y[k] for k in x)
    if not same:
        sys.exit(f"bench: {question.name}: logmill found {str(x)[:300]}, VictoriaLogs {str(y)[:300]}")


def ask_neighbours(found, contestants, turns):
    """25 logs before and after one, of its service: VictoriaLogs knows streams, and asks by them."""
    name = "neighbours of a log"
    for variant in range(VARIANTS):
        log = found.one(variant, "GET ")
        for c in contestants:
            reconnect(c)
            if c.key == "victoria-logs":
                at = f"_time:[{log['timestamp']}, {log['timestamp']}] trace:={json.dumps(log['trace'])}"
                path = "/select/logsql/query?" + urllib.parse.urlencode(
                    {"query": at + " | stream_context before 25 after 25"})  # fmt: skip
            else:
                p = {"since": log["timestamp"], "attr.trace": log["trace"], "limit": 1}
                at = json.loads(c.request("GET", "/logs?" + urllib.parse.urlencode(p)))["logs"][0]["id"]
                path = "/logs?" + urllib.parse.urlencode(
                    {"around": at, "before": 25, "after": 25, "same": "service,host"})  # fmt: skip
            began = time.perf_counter()
            try:
                c.request("GET", path)
            except RuntimeError as error:
                print(f"{name}: {error}", flush=True)
                return []
            if variant > 0:
                turns[c.name, variant][name] = (time.perf_counter() - began) * 1e3
    return [name]


def ask_all(found, contestants):
    turns = {(c.name, variant): {"contestant": c.name} for variant in range(1, VARIANTS) for c in contestants}
    first = {c.name: {} for c in contestants}
    names = []
    for question in QUESTIONS:
        try:
            for variant in range(VARIANTS):
                answers = {}
                for c in contestants:
                    ask = ask_theirs if c.key == "victoria-logs" else ask_ours
                    reconnect(c)
                    cpu = c.cpu()
                    ms, answers[c.key] = ask(c, question, found, variant)
                    if variant == 0:
                        first[c.name][question.name] = ms
                        continue
                    turns[c.name, variant][question.name] = ms
                    turns[c.name, variant]["CPU: " + question.name] = (c.cpu() - cpu) * 1e3
                if len(answers) == 2:
                    check_same(question, *answers.values())
        except RuntimeError as error:
            print(f"{question.name}: {error}", flush=True)
            continue
        names.append(question.name)
    names += ask_neighbours(found, contestants, turns)
    return list(turns.values()), names, first


def cpu_of(turns, contestant, name):
    found = values(turns, contestant, "CPU: " + name)
    return sum(found) / len(found) if found else None


def measure(found, classes):
    print(f"\n{found.title}", flush=True)
    load_all(found, classes)
    contestants = [Class(found) for Class in classes.values()]
    for c in contestants:
        c.open()
    turns, names, first = ask_all(found, contestants)
    for c in contestants:
        c.close()
    medians = {c.name: {n: median(turns, c.name, n) for n in names} for c in contestants}
    title = f"Groups of {found.title}, ms, medians of {VARIANTS - 1}"
    aims = []
    ours, theirs = medians.get("logmill"), medians.get("VictoriaLogs")
    if ours and theirs:
        ratios = {n: ours[n] / theirs[n] for n in names}
        columns = [(c.name, 18, ".1f") for c in contestants]
        print_table(title, [*columns, ("ratio", 9, ".2f")],
                    [(n, *(medians[c.name][n] for c in contestants), ratios[n]) for n in names])  # fmt: skip
        print_table("CPU of each, ms, means (it is counted in ticks of 10)", columns,
                    [(n, *(cpu_of(turns, c.name, n) for c in contestants)) for n in names])  # fmt: skip
        asked = [n for n in names if n in first["logmill"]]
        firsts = {n: first["logmill"][n] / first["VictoriaLogs"][n] for n in asked}
        print_table("The first time, ms, once", [*columns, ("ratio", 9, ".2f")],
                    [(n, *(first[c.name][n] for c in contestants), firsts[n]) for n in asked])  # fmt: skip
        aims = [Aim(f"{n} / VictoriaLogs", ratios[n], most=1.0).tell() for n in names]
        aims.append(Aim("geometric mean of all / VictoriaLogs", mean(ratios.values()), most=0.4).tell())
        aims.append(Aim("geometric mean of the first time / VictoriaLogs", mean(firsts.values()), most=0.4).tell())
    return {"title": title, "turns": turns, "first": first, "aims": aims}


def table():
    ready, absent = available({key: CLASSES[key] for key in ("serve", "victoria-logs")})
    cases = [measure(Day(logs), ready) for logs in SEARCH_LOGS]
    tell_absent(absent)
    return {"absent": absent, "cases": cases}
