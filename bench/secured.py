"""Table `secured`: what a key and TLS cost.

  load          POST /log, one log a request, over 64 connections that are kept: without, with a key,
                over TLS 1.3; nginx over the same. CPU as in `single`.
  handshakes    full ones, TLS 1.3, one after the other, by `openssl s_time`: CPU of a connection
  memory        idle, without TLS and with it; private memory of a connection over which a log was
                sent, with CONNECTIONS_OPEN of them

The certificate is one of an elliptic curve (P-256) that the bench makes.
"""

import http.client
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.request

import corpus
import load
from accept import available, rounds
from common import LOGMILL, ROUNDS, SECONDS, WORK, cpu_seconds, family, memory_mib, stop
from figures import Aim, median, medians_table, ratio, ratios, say_turn, tell_absent
from footprint import BODY
from servers import Logmill, Nginx

CONNECTIONS = 64
CONNECTIONS_OPEN = 1000

FOLDER = os.path.join(WORK, "secured")
CERTIFICATE, PRIVATE_KEY, KEYS = (os.path.join(FOLDER, name) for name in ("cert.pem", "key.pem", "keys"))
UNVERIFIED = ssl._create_unverified_context()  # its own, which nobody signed


def make_certificate():
    os.makedirs(FOLDER, exist_ok=True)
    if not os.path.exists(CERTIFICATE):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                   "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                   "-keyout", PRIVATE_KEY, "-out", CERTIFICATE]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
        os.chmod(PRIVATE_KEY, 0o600)


def make_key():
    """A new key, in a file of keys of its own."""
    os.makedirs(FOLDER, exist_ok=True)
    if os.path.exists(KEYS):
        os.unlink(KEYS)
    command = [LOGMILL, "keys", "add", "bench", "--role", "admin"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"KEYS_FILE": KEYS})
    return done.stdout.strip()


class Plain(Logmill):
    pass


class WithKey(Logmill):
    name = "logmill serve, with a key"

    def __init__(self):
        self.key = make_key()
        super().__init__(KEYS_FILE=KEYS)

    def load(self, size, seconds, connections):
        path, content_type, form, time_form = self.route(size)
        arguments = content_type, time_form, corpus.write_requests(form, size), f"Bearer {self.key}"
        return load.wrk(self.url(path), seconds, connections, *arguments)


class OverTls:
    """For a server that speaks TLS on its port."""

    def url(self, path):
        return f"https://127.0.0.1:{self.port}{path}"

    def get(self, path):
        with urllib.request.urlopen(self.url(path), timeout=60, context=UNVERIFIED) as answer:
            return answer.read().decode()


class Tls(OverTls, Logmill):
    name = "logmill serve, TLS 1.3"

    prepare = staticmethod(make_certificate)

    def __init__(self, **settings):
        super().__init__(TLS_CERT_FILE=CERTIFICATE, TLS_KEY_FILE=PRIVATE_KEY, **settings)


class NginxTls(OverTls, Nginx):
    name = "nginx return 201, TLS 1.3"

    prepare = staticmethod(make_certificate)

    def __init__(self, connections=1024):
        super().__init__(connections, f"ssl_certificate {CERTIFICATE}; ssl_certificate_key {PRIVATE_KEY}; "
                                      "ssl_protocols TLSv1.2 TLSv1.3;")  # fmt: skip


# ---- Load ----


def tls_to_its_aim(turns):
    """Of each round: CPU over TLS, to that of nginx over TLS and what both differ by without."""
    cpus = [[t["cpu_per_100k"] for t in turns if t["contestant"] == c.name] for c in (Tls, NginxTls, Plain, Nginx)]
    found = sorted(tls / (nginx_tls + plain - nginx) for tls, nginx_tls, plain, nginx in zip(*cpus))
    return found[len(found) // 2] if found else None


def load_case():
    classes, absent = available({"nginx": Nginx, "nginx-tls": NginxTls, "serve": Plain, "key": WithKey, "tls": Tls})
    turns = rounds(classes, 1, CONNECTIONS)
    title = f"POST /log, {CONNECTIONS} connections that are kept, medians of {ROUNDS} rounds of {SECONDS} s"
    medians_table(title, turns, [("cpu_per_100k", "CPU-s/100k", 12, ".3f"),
                                 ("requests_per_second", "requests/s", 12, ".0f"),
                                 ("p99_ms", "p99 ms", 9, ".2f")])  # fmt: skip
    with_key = ratios(turns, WithKey.name, Plain.name, "cpu_per_100k")
    print("CPU with a key / without, round by round:", " ".join(f"{r:.3f}" for r in with_key))
    aims = [
        Aim("CPU of a log with a key / without", ratio(turns, WithKey.name, Plain.name, "cpu_per_100k"), most=1.03),
        Aim("CPU of a log over TLS / nginx's over TLS and what they differ by", tls_to_its_aim(turns), most=1.0),
    ]
    tell_absent(absent)
    return {"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}


# ---- Handshakes ----


def handshakes(server):
    before = cpu_seconds(server.pid)
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{server.port}", "-new", "-tls1_3", "-time", str(SECONDS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"^(\d+) connections in [\d.]+ real seconds", done.stdout, re.MULTILINE)
    if not found or int(found[1]) == 0:
        sys.exit(f"bench: {server.name}: no handshakes: {done.stdout}")
    time.sleep(0.2)
    return int(found[1]), cpu_seconds(server.pid) - before


def handshakes_case():
    turns = []
    for number in range(1, ROUNDS + 1):
        for contestant in (NginxTls, Tls):
            server = contestant()
            handshakes(server)
            n, cpu = handshakes(server)
            turns.append({"contestant": server.name, "handshakes": n, "cpu_ms": cpu / n * 1e3})
            say_turn(number, turns[-1], f"{cpu / n * 1e3:8.3f} CPU-ms a handshake, {n / SECONDS:8.0f} a second")
            server.stop()
    title = f"Full handshakes, TLS 1.3, medians of {ROUNDS} rounds of {SECONDS} s"
    medians_table(title, turns, [("cpu_ms", "CPU-ms", 9, ".3f"), ("handshakes", "handshakes", 12, ".0f")])
    aims = [Aim("CPU of a full handshake / nginx's", ratio(turns, Tls.name, NginxTls.name, "cpu_ms"), most=1.1)]
    return {"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}


# ---- Memory ----


def private_kib(pid):
    kib = 0
    for member in family(pid):
        with open(f"/proc/{member}/smaps_rollup", encoding="ascii") as lines:
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return kib


def send_one(server):
    """A log over a connection of its own, which is returned."""
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=60, context=UNVERIFIED)
    connection.request("POST", "/log", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 201 or not answer.read():
        sys.exit(f"bench: {server.name}: answered {answer.status}")
    return connection


def memory_case():
    turns = []
    for number in range(1, ROUNDS + 1):
        for contestant in (NginxTls, Plain, Tls):
            server = contestant()
            time.sleep(2)
            turns.append({"contestant": server.name, "rss_idle_mib": memory_mib(server.pid, "VmRSS"),
                          "anon_idle_mib": memory_mib(server.pid, "RssAnon")})  # fmt: skip
            if contestant is not Plain:
                first = [send_one(server) for _ in range(20)]
                time.sleep(1)
                before = private_kib(server.pid)
                more = [send_one(server) for _ in range(CONNECTIONS_OPEN)]
                time.sleep(1)
                turns[-1]["connection_kib"] = (private_kib(server.pid) - before) / len(more)
                for connection in first + more:
                    connection.close()
            say_turn(number, turns[-1], f"{turns[-1]['rss_idle_mib']:8.2f} MiB idle, "
                                        f"{turns[-1].get('connection_kib', 0):8.1f} KiB a connection")  # fmt: skip
            server.stop() if contestant is NginxTls else server.kill()
    title = f"Memory, medians of {ROUNDS} rounds"
    medians_table(title, turns, [("rss_idle_mib", "idle MiB", 10, ".2f"), ("anon_idle_mib", "its own", 9, ".2f"),
                                 ("connection_kib", "KiB a connection", 18, ".1f")])  # fmt: skip

    def more(figure):
        return median(turns, Tls.name, figure) - median(turns, Plain.name, figure)

    aims = [
        Aim("idle MiB with TLS, more than without: its own", more("anon_idle_mib"), most=1.0),
        Aim("idle MiB with TLS, more than without: resident, with pages of OpenSSL's libraries", more("rss_idle_mib"),
            most=1.0),
        Aim("private memory of a connection / nginx's", ratio(turns, Tls.name, NginxTls.name, "connection_kib"), most=1.2),
    ]
    return {"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}


def table():
    return {"absent": {}, "cases": [load_case(), handshakes_case(), memory_case()]}
