"""What all tables need: settings, processes and their figures, load, and printing."""

import atexit
import datetime
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "bench")
WORK = os.path.join(ROOT, "build", "bench")  # on the disk that the project is on, not on a tmpfs
LOGMILL = os.environ.get("LOGMILL_BIN", os.path.join(ROOT, "build", "logmill"))

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "64"))
ROWS = int(os.environ.get("BENCH_ROWS", "200000"))
WARM_UP_SECONDS = 1

LOG = {
    "level": "info",
    "message": "GET /cart/items 200 in 12 ms for customer 48151623",
    "service": "shop",
    "request": "7f3a9c52",
}


# ---- Processes ----


def fresh_dir(name):
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(command, env=None, port=None, **options):
    """Starts a server and returns when it takes connections on `port`, if any."""
    log = open(os.path.join(WORK, os.path.basename(command[0]) + ".log"), "ab")
    process = subprocess.Popen(command, env=os.environ | (env or {}), stdout=log, stderr=log, **options)
    atexit.register(process.terminate)  # however the bench ends; does nothing once it has stopped
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"bench: {command[0]} ended at once; see {log.name}")
        if port is None:
            return process
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: {command[0]} does not listen; see {log.name}")


def stop(process, how=signal.SIGTERM):
    process.send_signal(how)
    if process.wait(timeout=60) != 0:
        sys.exit(f"bench: {process.args[0]} ended with status {process.returncode}")


def family(pid):
    """`pid` and its children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid] + [p for child in children.read().split() for p in family(int(child))]


def cpu_seconds(pid):
    """User and system time of a process, all its threads and its living children so far."""
    ticks = 0
    for member in family(pid):
        with open(f"/proc/{member}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, field):
    """VmRSS (now) or VmHWM (the most so far) of a process and its children."""
    kib = 0
    for member in family(pid):
        with open(f"/proc/{member}/status", encoding="ascii") as status:
            kib += sum(int(line.split()[1]) for line in status if line.startswith(field + ":"))
    return kib / 1024


def wait_for(what, condition, seconds=120):
    """Returns what `condition` returns, once that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    sys.exit(f"bench: after {seconds} s not yet: {what}")


# ---- Load ----


def write_body(logs):
    """A file to be sent: one log as JSON, or `logs` of them as NDJSON."""
    now = datetime.datetime.now(datetime.timezone.utc)
    line = json.dumps(LOG | {"timestamp": now.isoformat()}, separators=(",", ":"))
    path = os.path.join(WORK, f"body-{logs}")
    with open(path, "w", encoding="utf-8") as out:
        out.write(line if logs == 1 else (line + "\n") * logs)
    return path


def load(url, seconds, content_type=None, body_file=None):
    """Lets wrk send for `seconds`, POSTs where there is a body, and returns its summary. An answer
    with an error ends the bench."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", os.path.join(BENCH, "load.lua"), url]
    if body_file:
        command += ["--", content_type, body_file]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    summary = json.loads(output.splitlines()[-1])
    if summary["refused"] or summary["broken"]:
        sys.exit(f"bench: requests failed: {summary}")
    summary["requests_per_second"] = summary["requests"] / summary["seconds"]
    return summary


# ---- Figures ----


def values(turns, contestant, figure):
    return [t[figure] for t in turns if t["contestant"] == contestant]


def median(turns, contestant, figure):
    return statistics.median(values(turns, contestant, figure))


def ratios(turns, contestant, other, figure):
    """Of each round: what disturbs a machine for a while disturbs both."""
    return [a / b for a, b in zip(values(turns, contestant, figure), values(turns, other, figure))]


def say_turn(number, figures, text):
    print(f"round {number}: {figures['contestant']:<22}{text}", flush=True)


def print_table(title, columns, rows):
    """`columns` are (heading, width, format); a row has a name and then one number a column."""
    print(f"\n{title}")
    print(" " * 22 + "".join(f"{heading:>{width}}" for heading, width, _ in columns))
    for name, *numbers in rows:
        cells = (f"{n:>{width}{form}}" for n, (_, width, form) in zip(numbers, columns))
        print(f"{name:<22}" + "".join(cells))
