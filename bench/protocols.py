"""Table `protocols`: bodies of 1,000 logs as agents send them, over CONNECTIONS connections.

All get the same logs of the corpus in one protocol, byte for byte the same, and each case has a
contestant that shows what the protocol costs beside our own NDJSON. CPU is that of the receiver: of
logmill, of `logmill api` on one core, which takes and makes durable; `logmill serve`, which stores
them as well, is reported beside it. Bodies have fixed times, but one text of 16 digits in each is
another whenever it is sent, so that none is the same twice.

Then datagrams of syslog, at a rate; and what memory the listeners cost an idle process.
"""

import http.client
import os
import random
import selectors
import socket
import time

import corpus
import forms
from accept import available, rounds, tell_promises
from batches import Taking
from common import ROUNDS, SECONDS, WORK, free_port, memory_mib, wait_for
from figures import Aim, median, medians_table, ratio, tell_absent
from peers import Collector, Rsyslog, VictoriaLogs
from servers import Logmill

CONNECTIONS = 16
SIZE = 1000
BODIES = 50  # that are made; each is sent again and again
UDP_RATE, UDP_SECONDS = 100_000, 10
VL_FIELDS = "_stream_fields=service&_msg_field=message"
COLUMNS = [
    ("cpu_per_million", "CPU-s/million", 15, ".2f"), ("logs_per_second", "logs/s", 11, ".0f"),
    ("rss_peak_mib", "peak MiB", 10, ".0f"),
]  # fmt: skip


# ---- Load ----


class Body:
    """A body whose first log has a trace of 16 digits, which `fresh` makes another one."""

    def __init__(self, form, logs):
        self.form, self.logs = form, logs
        self.text = None if form == "loki" else getattr(forms, form)(logs)
        self.at = None if form == "loki" else self.text.index(logs[0][0]["trace"].encode())

    def fresh(self):
        trace = f"{random.getrandbits(64):016x}"
        if self.text is None:  # it is compressed, so it is made anew
            first, ns = self.logs[0]
            return forms.loki([(first | {"trace": trace}, ns), *self.logs[1:]])
        return b"".join((self.text[: self.at], trace.encode(), self.text[self.at + 16 :]))


made = {}


def bodies(form):
    if form not in made:
        logs = list(corpus.logs(BODIES * SIZE))
        begin_ms = int(time.time() * 1000) - BODIES * SIZE
        timed = [(log, (begin_ms + n) * 10**6) for n, log in enumerate(logs)]
        made[form] = [Body(form, timed[i : i + SIZE]) for i in range(0, len(timed), SIZE)]
    return made[form]


def ready(form):
    """Whole bodies, made before the clock runs."""
    return [body.fresh() for body in bodies(form)]


class Client:
    """One connection of HTTP, or of lines without answers."""

    def __init__(self, port, head):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.head, self.left, self.answer = head, memoryview(b""), b""

    def begin(self, body):
        head = self.head % len(body) if self.head else b""
        self.left, self.answer = memoryview(head + body), b""

    def send(self):
        self.left = self.left[self.socket.send(self.left) :]

    def receive(self):
        """The status of the answer, once it is whole: it has a length, or chunks, or no body."""
        self.answer += self.socket.recv(65536) or self.fail()
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        is_whole = body.endswith(b"0\r\n\r\n") if b"transfer-encoding: chunked" in lines else len(body) >= length
        return int(head[9:12]) if is_whole else None

    def fail(self):
        raise SystemExit(f"bench: a connection was closed: {self.answer[:200]!r}")


def load(port, form, head, seconds):
    """Sends for `seconds`; all that was begun is ended. `head` None: there are no answers."""
    prepared, sent = ready(form), 0
    with selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            client = Client(port, head)
            selector.register(client.socket, selectors.EVENT_WRITE, client)
            client.begin(prepared[sent % len(prepared)])
            sent += 1
        began = time.monotonic()
        while selector.get_map():
            for key, events in selector.select():
                client = key.data
                if events & selectors.EVENT_WRITE:
                    client.send()
                    if client.left:
                        continue
                    if head:
                        selector.modify(client.socket, selectors.EVENT_READ, client)
                        continue
                elif (status := client.receive()) is None:
                    continue
                elif not 200 <= status < 300:
                    raise SystemExit(f"bench: answered {status}: {client.answer[-300:]!r}")
                if time.monotonic() - began >= seconds:
                    selector.unregister(client.socket)
                    client.socket.close()
                    continue
                n = sent % len(prepared)
                if form != "loki" and sent >= len(prepared):
                    prepared[n] = bodies(form)[n].fresh()
                client.begin(prepared[n])
                selector.modify(client.socket, selectors.EVENT_WRITE, client)
                sent += 1
    taken = time.monotonic() - began
    return {"requests": sent, "seconds": taken, "requests_per_second": sent / taken}


def head_of(path, content_type, more=""):
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n{more}"
            "Content-Length: %d\r\n\r\n").encode()  # fmt: skip


# ---- Contestants ----


def http_sender(base, form, path, content_type, label=None):
    class Sender(base):
        name = label or base.name

        def load(self, size, seconds, connections):
            return load(self.port, form, head_of(path, content_type), seconds)

    return Sender


class Syslog(Taking):
    """Lines over TCP; nobody is answered, so that its rate is that of what became durable."""

    promise = "no answer; fsynced in the queue once it was read"

    def __init__(self):
        self.syslog_port = free_port()
        os.environ["SYSLOG_LISTEN"] = f"tcp://127.0.0.1:{self.syslog_port}"
        try:
            super().__init__()
        finally:
            del os.environ["SYSLOG_LISTEN"]
        self.sent = 0

    def load(self, size, seconds, connections):
        figures = load(self.syslog_port, "syslog", None, seconds)
        self.sent += figures["requests"] * SIZE
        wait_for("all lines durable", lambda: self.metrics()["logmill_logs_accepted_total"] >= self.sent)
        return figures


class SyslogFile(Rsyslog):
    def load(self, size, seconds, connections):
        figures = load(self.port, "syslog", None, seconds)
        self.sent += figures["requests"] * SIZE
        return figures


PROTOBUF, JSON, NDJSON = "application/x-protobuf", "application/json", "application/x-ndjson"
OUR_JSONLINE = "/insert/jsonline?_msg_field=message&_time_field=timestamp"
VL_BULK = f"/insert/elasticsearch/_bulk?_time_field=@timestamp&{VL_FIELDS}"
OWN = http_sender(Taking, "ndjson", "/logs", NDJSON, "the same as NDJSON")

# name, contestants, the one that is judged, the one beside it, and the most that the ratio may be
CASES = [
    ("OTLP, protobuf", {
        "taking": (otlp := http_sender(Taking, "otlp", "/v1/logs", PROTOBUF)), "ndjson": OWN,
        "otelcol": (collector := http_sender(Collector, "otlp", "/v1/logs", PROTOBUF)),
        "serve": http_sender(Logmill, "otlp", "/v1/logs", PROTOBUF),
    }, [(otlp, collector, 0.33), (otlp, OWN, 1.15)]),
    ("OTLP, JSON", {
        "taking": (otlp_json := http_sender(Taking, "otlp_json", "/v1/logs", JSON)), "ndjson": OWN,
        "otelcol": http_sender(Collector, "otlp_json", "/v1/logs", JSON),
        "serve": http_sender(Logmill, "otlp_json", "/v1/logs", JSON),
    }, [(otlp_json, OWN, 1.5)]),
    ("Elasticsearch _bulk", {
        "taking": (bulk := http_sender(Taking, "bulk", "/_bulk", NDJSON)),
        "victorialogs": (vl_bulk := http_sender(VictoriaLogs, "bulk", VL_BULK, NDJSON)),
        "serve": http_sender(Logmill, "bulk", "/_bulk", NDJSON),
    }, [(bulk, vl_bulk, 0.4)]),
    ("Loki push, protobuf and snappy", {
        "taking": (loki := http_sender(Taking, "loki", "/loki/api/v1/push", PROTOBUF)),
        "victorialogs": (vl_loki := http_sender(VictoriaLogs, "loki", "/insert/loki/api/v1/push", PROTOBUF)),
        "serve": http_sender(Logmill, "loki", "/loki/api/v1/push", PROTOBUF),
    }, [(loki, vl_loki, 0.4)]),
    ("VictoriaLogs' JSON lines", {
        "taking": (jsonline := http_sender(Taking, "ndjson", OUR_JSONLINE, NDJSON)),
        "victorialogs": (vl_jsonline := http_sender(VictoriaLogs, "ndjson", VictoriaLogs.ROUTE, NDJSON)),
        "serve": http_sender(Logmill, "ndjson", OUR_JSONLINE, NDJSON),
    }, [(jsonline, vl_jsonline, 0.4)]),
    ("syslog over TCP", {"taking": Syslog, "rsyslog": SyslogFile}, [(Syslog, SyslogFile, 1.0)]),
]  # fmt: skip


# ---- Datagrams ----


def datagrams():
    """UDP_RATE datagrams a second for UDP_SECONDS; what became of each."""
    port = free_port()
    server = Logmill("serve", SYSLOG_LISTEN=f"udp://127.0.0.1:{port}")
    lines = [line for body in ready("syslog")[:10] for line in body.splitlines()]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect(("127.0.0.1", port))
    before, began, sent = server.cpu(), time.monotonic(), 0
    while (passed := time.monotonic() - began) < UDP_SECONDS:
        while sent < passed * UDP_RATE:
            out.send(lines[sent % len(lines)])
            sent += 1
        time.sleep(0.0005)
    time.sleep(1)
    kept = server.settle()
    metrics = server.metrics()
    dropped = {name: value for name, value in metrics.items() if "dropped" in name and value}
    figures = {"sent": sent, "kept": kept, "dropped": dropped, "seconds": passed,
               "cpu_per_million": (server.cpu() - before) / max(kept, 1) * 1e6}  # fmt: skip
    server.stop()
    print(f"\nsyslog over UDP: {sent / passed:.0f} datagrams/s for {passed:.0f} s: {sent} sent, {kept} kept, dropped: "
          f"{dropped or 'none'}; {figures['cpu_per_million']:.2f} CPU-s per million, storing included", flush=True)  # fmt: skip
    counted = kept + sum(dropped.values())
    if counted != sent:
        print(f"NOT counted: {sent - counted:.0f} datagrams", flush=True)
    return figures


# ---- Memory ----


def idle_mib(**settings):
    server = Logmill("serve", **settings)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/log", b'{"level":"info","message":"first"}', {"Content-Type": JSON})
    connection.getresponse().read()
    time.sleep(2)
    found = memory_mib(server.pid, "VmRSS")
    server.stop()
    return found


def listeners():
    """What all listeners cost an idle process."""
    found = []
    for _ in range(ROUNDS):
        some = {name: ",".join(f"{how}://127.0.0.1:{free_port()}" for how in ways) for name, ways in (
            ("SYSLOG_LISTEN", ("udp", "tcp")), ("GELF_LISTEN", ("udp", "tcp")), ("FLUENT_LISTEN", ("tcp",)))}  # fmt: skip
        found.append({"without": idle_mib(), "with": idle_mib(**some)})
    more = sorted(f["with"] - f["without"] for f in found)[len(found) // 2]
    aim = Aim("MiB that all listeners cost an idle process", more, most=2)
    print()
    return {"turns": found, "aims": [aim.tell()]}


def table():
    os.makedirs(WORK, exist_ok=True)
    results = {"absent": {}, "cases": []}
    for title, classes, judged in CASES:
        ready_classes, absent = available(classes)
        turns = rounds(ready_classes, SIZE, CONNECTIONS)
        title = f"{title}, {SIZE} logs a body, {CONNECTIONS} connections, medians of {ROUNDS} rounds of {SECONDS} s"
        medians_table(title, turns, COLUMNS)
        aims = [
            Aim(f"CPU of {a.name} / {b.name}", ratio(turns, a.name, b.name, "cpu_per_million"), most=most)
            for a, b, most in judged
        ]
        results["cases"].append({"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]})
        results["absent"] |= absent
    results["datagrams"] = datagrams()
    results["listeners"] = listeners()
    tell_promises([turn for case in results["cases"] for turn in case["turns"]])
    tell_absent(results["absent"])
    return results
