"""Table `follow`: programs that read files of logs as they grow, and send the lines on.

All follow the files of one folder, DIR/*.log, of lines of 200 bytes, and send them to a `logmill serve`
of their own, each in the protocol that is its own: logmill's HTTP, OTLP over HTTP, syslog over TCP.
Figures are those of the follower's process alone; the server has to have each line in the end, once.

  backlog   a file of BENCH_FOLLOW_MB (200; the aims are for 1000) is there when the follower starts
  steady    50,000 lines a second for BENCH_FOLLOW_SECONDS (10), each written by a write(2) of its own
  1,000     memory after 1,000 files of 200 lines
  quiet     CPU of 20 s in which nothing happens to 5,000 files, all of which were read
  latency   a single line, from before its write(2) to the server's answer (rsyslog gets none), 200 times

logmill makes a log of each line: its time and level are found in the text. The others send the line
as it is: the collector has no operators, rsyslog no parser.
"""

import functools
import multiprocessing
import os
import random
import re
import resource
import selectors
import signal
import socket
import subprocess
import time

import corpus
import installs
from accept import available
from common import LOGMILL, ROUNDS, cpu_seconds, free_port, fresh_dir, memory_mib, start, stop, wait_for
from figures import Aim, median, medians_table, ratio, say_turn, tell_absent
from servers import Logmill

MEGABYTES = int(os.environ.get("BENCH_FOLLOW_MB", "200"))
STEADY_SECONDS = int(os.environ.get("BENCH_FOLLOW_SECONDS", "10"))
LINE = 200
BLOCK = 10_000  # lines that are made; a file has them again and again, each with a number of its own
RATE = 50_000
FILES, LINES_A_FILE = 1000, 200
QUIET_FILES, QUIET_SECONDS = 5000, 20
SINGLE_LINES = 200
PATIENCE = 900
COLUMNS = [
    ("backlog_cpu", "CPU-s/million", 15, ".2f"), ("backlog_rate", "lines/s", 11, ".0f"),
    ("steady_cpu", "steady", 9, ".2f"), ("rss_mib", "MiB", 8, ".1f"), ("rss_files_mib", "1,000 files", 13, ".1f"),
    ("quiet_percent", "quiet %", 10, ".2f"), ("p50_ms", "p50 ms", 9, ".1f"), ("p99_ms", "p99 ms", 9, ".1f"),
]  # fmt: skip


# ---- Lines ----


@functools.cache
def block():
    """What is before and behind the number of each line."""
    stamp, made = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()), []
    for n, log in enumerate(corpus.logs(BLOCK)):
        head = f"{stamp}.{n * 100:06d}Z {log['level'].upper()} [{log['service']}] #"
        tail = " " + log["message"].replace("\n", " ").ljust(LINE, ".")
        made.append((head.encode(), tail.encode()))
    return made


def lines(first, count):
    """`count` lines, numbered from `first` on."""
    made = block()
    return [b"%b%012d%b\n" % (head, n, tail[: LINE - 13 - len(head)])
            for n, (head, tail) in ((n, made[n % BLOCK]) for n in range(first, first + count))]  # fmt: skip


def write_file(path, count, begin=0):
    with open(path, "wb") as out:
        for first in range(begin, begin + count, BLOCK):
            out.write(b"".join(lines(first, min(BLOCK, begin + count - first))))


def write_files(folder, files, count):
    """No two of them begin with the same line: the collector takes those for one."""
    for n in range(files):
        write_file(os.path.join(folder, f"app{n}x.log"), count, n * count)


def write_steadily(path, prepared, rate):
    """Each line by a write of its own, some of them each millisecond."""
    out = os.open(path, os.O_WRONLY | os.O_APPEND)
    began, done = time.monotonic(), 0
    while done < len(prepared):
        due = min(len(prepared), int((time.monotonic() - began) * rate))
        for n in range(done, due):
            os.write(out, prepared[n])
        done = max(done, due)
        time.sleep(0.001)


# ---- Followers ----


class Follower:
    name = promise = "?"
    version = None
    sends = has_answers = True
    statuses = (0,)

    @staticmethod
    def prepare():
        pass

    def __init__(self, folder, port, syslog_port):
        self.dir = fresh_dir("follower")
        self.process = start(self.command(folder, port, syslog_port))
        self.pid = self.process.pid

    def config(self, text, **places):
        path = os.path.join(self.dir, "config")
        with open(path, "w", encoding="utf-8") as out:
            out.write(re.sub("@[A-Z]+@", lambda place: str(places[place[0][1:-1]]), text))
        return path

    def count(self, server):
        """How many lines have come where they are to go."""
        return int(server.metrics()["logmill_logs_accepted_total"])

    def stop(self):
        stop(self.process, statuses=self.statuses)


class Follow(Follower):
    name = "logmill send --follow"
    promise = "each line once: offsets are in a file of SQLite, fsynced"

    def command(self, folder, port, syslog_port):
        return [LOGMILL, "send", "--follow", os.path.join(folder, "*.log"), "--url", f"http://127.0.0.1:{port}",
                "--state", os.path.join(self.dir, "state.db")]  # fmt: skip


class FileLog(Follower):
    name = "Collector's filelog"
    version = installs.COLLECTOR
    promise = "offsets in file_storage, not fsynced; what is in its queue is lost with the process"
    prepare = staticmethod(installs.follower_collector)
    CONFIG = """
receivers: {file_log: {include: ["@FOLDER@/*.log"], start_at: beginning, storage: file_storage}}
extensions: {file_storage: {directory: "@DIR@/storage", create_directory: true}}
exporters:
  otlp_http:
    endpoint: "http://127.0.0.1:@PORT@"
    encoding: proto
    compression: none
    sending_queue: {block_on_overflow: true, batch: {sizer: items, min_size: 1000, max_size: 5000, flush_timeout: 20ms}}
service:
  extensions: [file_storage]
  telemetry: {logs: {level: warn}, metrics: {level: none}}
  pipelines: {logs: {receivers: [file_log], exporters: [otlp_http]}}
"""

    def command(self, folder, port, syslog_port):
        return [installs.follower_collector(), "--config",
                self.config(self.CONFIG, FOLDER=folder, DIR=self.dir, PORT=port)]  # fmt: skip


class ImFile(Follower):
    name = "rsyslog's imfile"
    promise = "no answer; offsets are written when it ends"
    has_answers = False
    prepare = staticmethod(installs.rsyslog)
    CONFIG = """
global(workDirectory="@DIR@" maxMessageSize="64k")
main_queue(queue.type="LinkedList" queue.size="100000" queue.timeoutEnqueue="60000" queue.dequeueBatchSize="1024")
module(load="imfile" mode="inotify")
input(type="imfile" file="@FOLDER@/*.log" tag="bench" reopenOnTruncate="on")
"""
    ACTION = """
*.* action(type="omfwd" target="127.0.0.1" port="@PORT@" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"
           TCP_Framing="octet-counted" action.resumeRetryCount="-1")
"""

    def command(self, folder, port, syslog_port):
        program = installs.rsyslog()
        said = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stdout
        self.version = re.search(r"rsyslogd\s+(\S+)", said)[1]
        config = self.config(self.CONFIG + self.ACTION, DIR=self.dir, FOLDER=folder, PORT=syslog_port)
        return [program, "-n", "-f", config, "-i", os.path.join(self.dir, "pid")]


class ImFileToFile(ImFile):
    """Without a network: the least that it can cost."""

    name = "imfile, into a file"
    promise = "a file, not fsynced; offsets are written when it ends"
    sends, size = False, 0
    ACTION = """
*.* action(type="omfile" file="@DIR@/out" template="RSYSLOG_FileFormat" flushOnTXEnd="off" ioBufferSize="64k")
"""

    def count(self, server):
        """Once the file no longer grows, HUP makes it write what its buffer still has."""
        out = os.path.join(self.dir, "out")
        time.sleep(0.2)
        size, self.size = self.size, os.path.getsize(out) if os.path.exists(out) else -1
        if size != self.size or size < 0:
            return 0
        self.process.send_signal(signal.SIGHUP)
        return int(subprocess.run(["wc", "-l", out], check=True, capture_output=True).stdout.split()[0])


CLASSES = {"follow": Follow, "filelog": FileLog, "imfile": ImFile, "tofile": ImFileToFile}


# ---- Turns ----


class Place:
    """A folder, a server, and a follower between them."""

    def __init__(self, follower, prepare, relay=None):
        self.folder, syslog_port = fresh_dir("followed"), free_port()
        prepare(self.folder)
        self.server = Logmill("serve", SYSLOG_LISTEN=f"tcp://127.0.0.1:{syslog_port}")
        self.relay = relay and Relay(self.server.port)
        self.began = time.monotonic()
        self.follower = follower(self.folder, self.relay.port if relay else self.server.port, syslog_port)

    def wait(self, count):
        wait_for(f"{count} lines", lambda: self.follower.count(self.server) >= count, PATIENCE)
        return time.monotonic()

    def cpu(self):
        return cpu_seconds(self.follower.pid)

    def is_stored(self):
        m = self.server.metrics()
        return m["logmill_queue_depth"] == 0 and m["logmill_logs_stored_total"] >= m["logmill_logs_accepted_total"]

    def end(self, count):
        """Stops all; each line has to be there, once."""
        peak = memory_mib(self.follower.pid, "VmHWM")
        self.follower.stop()
        if self.follower.sends:
            wait_for("all logs stored", self.is_stored, PATIENCE)
        kept = wait_for("the rest", lambda: self.follower.count(self.server))
        if kept != count:
            print(f"NOT the same: {self.follower.name}: {count} lines, {kept} logs", flush=True)
        if self.relay:
            self.relay.stop()
        self.server.stop()
        return peak


def backlog(follower):
    count = MEGABYTES * 10**6 // LINE
    place = Place(follower, lambda folder: write_file(os.path.join(folder, "app.log"), count))
    ended = place.wait(count)
    cpu = place.cpu()
    figures = {"backlog_cpu": cpu / count * 1e6, "backlog_rate": count / (ended - place.began)}
    return figures | {"rss_mib": place.end(count), "promise": place.follower.promise, "version": place.follower.version}


def steady(follower):
    count = RATE * STEADY_SECONDS
    prepared = lines(0, count)
    path = []

    def prepare(folder):
        path.append(os.path.join(folder, "app.log"))
        write_file(path[0], 1)

    place = Place(follower, prepare)
    place.wait(1)
    time.sleep(1)
    before = place.cpu()
    write_steadily(path[0], prepared, RATE)
    written = time.monotonic()
    behind = place.wait(count + 1) - written
    figures = {"steady_cpu": (place.cpu() - before) / count * 1e6, "steady_behind_s": behind}
    place.end(count + 1)
    return figures


def many(follower):
    place = Place(follower, lambda folder: write_files(folder, FILES, LINES_A_FILE))
    place.wait(FILES * LINES_A_FILE)
    return {"rss_files_mib": place.end(FILES * LINES_A_FILE)}


def quiet(follower):
    place = Place(follower, lambda folder: write_files(folder, QUIET_FILES, 1))
    place.wait(QUIET_FILES)
    time.sleep(5)
    before = place.cpu()
    time.sleep(QUIET_SECONDS)
    percent = (place.cpu() - before) / QUIET_SECONDS * 100
    place.end(QUIET_FILES)
    return {"quiet_percent": percent}


# ---- Latency ----


class Relay:
    """Between a follower and the server: tells when an answer comes by."""

    def __init__(self, server_port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answers, tell = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=self.run, args=(server_port, tell), daemon=True)
        self.process.start()
        self.listener.close()

    def run(self, server_port, tell):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.listener:
                    client, server = self.listener.accept()[0], socket.create_connection(("127.0.0.1", server_port))
                    for s in (client, server):
                        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    selector.register(client, selectors.EVENT_READ, (server, False))
                    selector.register(server, selectors.EVENT_READ, (client, True))
                    continue
                other, is_answer = key.data
                if data := key.fileobj.recv(1 << 16):
                    other.sendall(data)
                    if is_answer and data.startswith((b"HTTP/1.1 20", b"HTTP/1.0 20")):
                        tell.send(time.monotonic())
                else:
                    for s in (key.fileobj, other):
                        selector.unregister(s)
                        s.close()
                    break  # the other one may be among the events

    def forget(self):
        while self.answers.poll():
            self.answers.recv()

    def stop(self):
        self.process.terminate()
        self.process.join()


def latency(follower):
    if not follower.has_answers:
        return {}
    place = Place(follower, lambda folder: write_file(os.path.join(folder, "app.log"), 1), relay=True)
    place.wait(1)
    time.sleep(1)
    found = []
    with open(os.path.join(place.folder, "app.log"), "ab", buffering=0) as out:
        for line in lines(1, SINGLE_LINES):
            time.sleep(random.uniform(0.05, 0.15))
            place.relay.forget()
            began = time.monotonic()
            out.write(line)
            if not place.relay.answers.poll(30):
                raise SystemExit(f"bench: {follower.name}: a line without an answer")
            found.append((place.relay.answers.recv() - began) * 1e3)
    place.end(SINGLE_LINES + 1)
    found.sort()
    return {"p50_ms": found[len(found) // 2], "p99_ms": found[len(found) * 99 // 100]}


# ---- The table ----


def aims(turns):
    def of(who, figure):
        return median(turns, who.name, figure)

    found = []
    for figure, what in (("backlog_cpu", "a backlog"), ("steady_cpu", "50,000 lines/s")):
        for other, most in ((FileLog, 0.5), (ImFile, 1.0)):
            found.append(Aim(f"CPU of {what}: {Follow.name} / {other.name}",
                             ratio(turns, Follow.name, other.name, figure), most=most))  # fmt: skip
    return found + [
        Aim("MiB with one file", of(Follow, "rss_mib"), most=20),
        Aim("MiB with 1,000 files", of(Follow, "rss_files_mib"), most=60),
        Aim("% of a core for 5,000 quiet files", of(Follow, "quiet_percent"), most=0.5),
        Aim("ms from a line's write to its 201, p99", of(Follow, "p99_ms"), most=50),
    ]


PARTS = {"backlog": backlog, "steady": steady, "many": many, "quiet": quiet, "latency": latency}


def table():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parts = os.environ.get("BENCH_FOLLOW_PARTS", " ".join(PARTS)).split()
    classes, absent = available(CLASSES)
    turns = []
    for number in range(1, ROUNDS + 1):
        turn = {key: {"contestant": classes[key].name} for key in classes}
        for part in parts:
            for key, follower in classes.items():
                figures = PARTS[part](follower)
                turn[key] |= figures
                said = ", ".join(f"{k} {v:.2f}" for k, v in figures.items() if isinstance(v, float))
                say_turn(number, turn[key], f"{part}: {said}")
        turns += turn.values()
    title = f"Files followed, medians of {ROUNDS} rounds, {MEGABYTES} MB"
    medians_table(title, turns, COLUMNS)
    told = [aim.tell() for aim in aims(turns)]
    tell_absent(absent)
    return {"absent": absent, "cases": [{"title": title, "turns": turns, "aims": told}]}
