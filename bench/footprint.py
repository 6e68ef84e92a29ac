"""Table `footprint`: how soon, how small.

  first 201     from the start of the process (exec included) to the first log taken
  idle          resident memory, two seconds after the first log
  full load     the most so far after single logs over 512 connections and bodies of 1,000 logs over 64
  10,000 open   resident memory with 10,000 open connections, each of which has sent a log
  program       size of the file; of the baseline, its virtual environment
"""

import http.client
import os
import resource
import socket
import sys
import time

import installs
from accept import available
from common import LOGMILL, ROUNDS, SECONDS, disk_bytes, fresh_dir, memory_mib
from figures import Aim, median, medians_table, say_turn, tell_absent
from peers import Collector, VictoriaLogs
from servers import Logmill, Nginx
from sqs import BaselineApi, ElasticMq

OPEN = 10_000
BODY = b'{"level":"info","message":"GET /cart/items 200 in 12 ms for customer 48151623","service":"shop"}'
COLUMNS = [
    ("first_ms", "first 201 ms", 14, ".1f"), ("rss_idle_mib", "idle MiB", 10, ".1f"),
    ("rss_load_mib", "full load MiB", 15, ".1f"), ("rss_open_mib", "10,000 open MiB", 17, ".1f"),
    ("program_mib", "program MiB", 13, ".1f"),
]  # fmt: skip


class Serve(Logmill):
    """With room for a few connections more than are opened (MAX_CONNECTIONS, 10,000 by default)."""

    def __init__(self):
        super().__init__("serve", MAX_CONNECTIONS=str(OPEN + 100))


class Again(Logmill):
    """Started in a directory that has been used."""

    name = "logmill serve, again"
    kept = None

    def __init__(self):
        if Again.kept is None:
            Again.kept = fresh_dir("logmill-again")
            first = Logmill("serve", Again.kept)
            first.send(100_000)
            first.settle()
            first.halt()
        super().__init__("serve", Again.kept)

    def stop(self):
        self.halt()


class Yardstick(Nginx):
    def __init__(self):
        super().__init__(connections=OPEN + 100)


CLASSES = {
    "nginx": Yardstick, "serve": Serve, "again": Again, "victorialogs": VictoriaLogs, "otelcol": Collector,
    "baseline": BaselineApi,
}  # fmt: skip
PROGRAMS = {
    "nginx": lambda: Nginx.program(), "serve": lambda: LOGMILL, "again": lambda: LOGMILL,
    "victorialogs": installs.victoria_logs, "otelcol": installs.collector,
    "baseline": lambda: os.path.dirname(installs.baseline()),
}  # fmt: skip


def size_mib(path):
    return (disk_bytes(path) if os.path.isdir(path) else os.path.getsize(path)) / 2**20


def post(server):
    """One log; returns when it is taken."""
    path, content_type, form, _ = server.route(1)
    body = OTLP if form == "otlp" else BODY
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type})
            status = connection.getresponse().status
        except OSError:
            status = 0
        finally:
            connection.close()
        if status in (200, 201, 204):
            return
        if status not in (0, 503) or time.monotonic() > server.process.began + 30:
            sys.exit(f"bench: {server.name}: answered {status}")
        time.sleep(0.001)


OTLP = (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityText":"info","body":{"stringValue":"GET '
        b'/cart/items 200 in 12 ms for customer 48151623"}}]}]}]}')  # fmt: skip


def open_all(server):
    """OPEN connections, each of which sends a log and gets its answer, a hundred at a time."""
    path, content_type, form, _ = server.route(1)
    body = OTLP if form == "otlp" else BODY
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    connections = []
    for _ in range(OPEN // 100):
        some = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(100)]
        for connection in some:
            connection.sendall(head.encode() + body)
        for connection in some:
            if not connection.recv(4096).startswith(b"HTTP/1.1 20"):
                sys.exit(f"bench: {server.name} refused one of {OPEN} connections")
        connections += some
    return connections


def first(key):
    """The figures that a start gives."""
    server = CLASSES[key]()
    post(server)
    figures = {"contestant": server.name, "first_ms": (time.monotonic() - server.process.began) * 1e3}
    time.sleep(2)
    figures["rss_idle_mib"] = memory_mib(server.pid, "VmRSS")
    return server, figures


def memory(server):
    """The figures that take a load; of one round, since they hardly change."""
    figures = {}
    connections = open_all(server)
    time.sleep(1)
    figures["rss_open_mib"] = memory_mib(server.pid, "VmRSS")
    for connection in connections:
        connection.close()
    server.load(1, SECONDS, 512)
    if not isinstance(server, BaselineApi):  # which takes single logs only
        server.load(1000, SECONDS, 64)
    figures["rss_load_mib"] = memory_mib(server.pid, "VmHWM")
    server.settle()
    return figures


def table():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    classes, absent = available(CLASSES)
    turns = []
    for number in range(1, ROUNDS + 1):
        for key in classes:
            server, f = first(key)
            if number == 1 and key != "again":
                f |= memory(server)
            f["program_mib"] = size_mib(PROGRAMS[key]())
            turns.append(f)
            say_turn(number, f, f"first 201 after {f['first_ms']:7.1f} ms, {f['rss_idle_mib']:6.1f} MiB idle")
            server.stop()
    if ElasticMq.shared:
        ElasticMq.shared.stop()
    title = f"First answer and memory, medians of {ROUNDS} rounds"
    medians_table(title, turns, COLUMNS)
    aims = [
        Aim("logmill serve: ms from start to the first 201", median(turns, Serve.name, "first_ms"), most=50),
        Aim("logmill serve: idle MiB", median(turns, Serve.name, "rss_idle_mib"), most=15),
    ]
    tell_absent(absent)
    return {"absent": absent, "cases": [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]}
