"""What all tables need: settings, and processes with their CPU time, memory and files."""

import atexit
import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "bench")
BUILD = os.environ.get("BENCH_BUILD", os.path.join(ROOT, "build"))  # of `make`, or another
WORK = os.path.join(BUILD, "bench")  # on the disk that the project is on, not on a tmpfs
LOGMILL = os.environ.get("LOGMILL_BIN", os.path.join(BUILD, "logmill"))


def numbers(name, default):
    return [int(number) for number in os.environ.get(name, default).replace(",", " ").split()]


SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = numbers("BENCH_CONNECTIONS", "1 64 512")
BATCHES = os.environ.get("BENCH_BATCHES", "100 1000 same").replace(",", " ").split()
ROWS = int(os.environ.get("BENCH_ROWS", "500000"))
READ_LOGS = int(os.environ.get("BENCH_READ_LOGS", "10000000"))
SIZE_LOGS = int(os.environ.get("BENCH_SIZE_LOGS", "20000000"))
GATHER_RATES = numbers("BENCH_GATHER_RATES", "1 10 100 500 1000 2000 5000")
SEARCH_LOGS = numbers("BENCH_SEARCH_LOGS", "2000000")
SEARCH_EVENTS = os.environ.get("BENCH_SEARCH_EVENTS")  # a file of NDJSON, perhaps .zst
SEARCH_REUSE = os.environ.get("BENCH_SEARCH_REUSE", "others")
CONTESTANTS = os.environ.get("BENCH_CONTESTANTS", "").replace(",", " ").split()
WARM_UP_SECONDS = 1
BEFORE = os.environ.get("BENCH_BEFORE")  # another build of logmill, to stand beside


class Unavailable(Exception):
    """A contestant cannot be had on this machine; the text says why."""


def wanted(names):
    """Those of `names` that BENCH_CONTESTANTS asks for; all, if it asks for none of them."""
    return [name for name in names if name in CONTESTANTS] or list(names)


# ---- Processes ----


def fresh_dir(name):
    path = os.path.join(WORK, name)
    if os.path.islink(path):
        shutil.rmtree(os.path.realpath(path), ignore_errors=True)
        os.unlink(path)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(command, env=None, port=None, **options):
    """Starts a server and returns when it takes connections on `port`, if any. `process.began` is the
    time at which it was started."""
    log = open(os.path.join(WORK, os.path.basename(command[0]) + ".log"), "ab")
    began = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | (env or {}), stdout=log, stderr=log, **options)
    process.began = began
    atexit.register(process.terminate)  # however the bench ends; does nothing once it has stopped
    while time.monotonic() < began + 30:
        if process.poll() is not None:
            sys.exit(f"bench: {command[0]} ended at once; see {log.name}")
        if port is None:
            return process
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.001)
    sys.exit(f"bench: {command[0]} does not listen; see {log.name}")


def stop(process, how=signal.SIGTERM, statuses=(0,)):
    process.send_signal(how)
    if process.wait(timeout=60) not in statuses:
        sys.exit(f"bench: {process.args[0]} ended with status {process.returncode}")


def family(pid):
    """`pid` and its children, whichever of its threads started them."""
    members = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as children:
            members += [p for child in children.read().split() for p in family(int(child))]
    return members


def cpu_seconds(pid):
    """User and system time so far of a process, all its threads and its children, ended ones too: a
    child that ends while this looks is counted with its parent from then on."""
    ticks = 0
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{member}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid, field):
    """VmRSS (now) or VmHWM (the most so far) of a process and its children."""
    kib = 0
    for member in family(pid):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{member}/status", encoding="ascii") as status:
            kib += sum(int(line.split()[1]) for line in status if line.startswith(field + ":"))
    return kib / 1024


def disk_bytes(folder):
    """What the files of a folder take on the disk."""
    files = glob.glob(os.path.join(folder, "**"), recursive=True, include_hidden=True)
    return sum(os.lstat(file).st_blocks * 512 for file in files if os.path.lexists(file))


def wait_for(what, condition, seconds=120):
    """Returns what `condition` returns, once that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    sys.exit(f"bench: after {seconds} s not yet: {what}")
