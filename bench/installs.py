"""Gets the contestants that do not come from Debian: built from Go modules, fetched by Maven, or put
into a virtual environment of Python. All versions are pinned here or in files that are named here,
and everything is below build/ and there only once.

Each function returns a path, or raises Unavailable with the reason why this machine cannot have it.
"""

import os
import shutil
import subprocess
import sys

from common import BENCH, BUILD, ROOT, Unavailable

VICTORIA_LOGS = "v1.52.1"
CHDB = "26.9.0"  # of ClickHouse
COLLECTOR = "v0.165.0"  # bench/collector-build.yaml and follower-build.yaml name the same
MINUTES = 20

PEERS = os.path.join(BUILD, "peers")


def run(what, command, env=None):
    """Runs a step that may take minutes, its output in a file; Unavailable if it fails."""
    path = os.path.join(PEERS, what + ".log")
    os.makedirs(PEERS, exist_ok=True)
    print(f"preparing {what} …", flush=True)
    with open(path, "w", encoding="utf-8") as log:
        try:
            done = subprocess.run(command, check=False, stdout=log, stderr=log, timeout=MINUTES * 60,
                                  cwd=PEERS, env=os.environ | (env or {}))  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{what}: {error}") from error
    if done.returncode != 0:
        with open(path, encoding="utf-8") as log:
            last = ([line.strip() for line in log if line.strip()] or ["no output"])[-1]
        raise Unavailable(f"{what} could not be built: {last}")


def go_program(what, package, version):
    if not shutil.which("go"):
        raise Unavailable("Go is not installed (1.25 or later, https://go.dev)")
    folder = os.path.join(PEERS, f"{what}-{version}")
    if not os.path.exists(program := os.path.join(folder, os.path.basename(package))):
        run(what, ["go", "install", f"{package}@{version}"], {"GOBIN": folder, "GOFLAGS": "-buildvcs=false"})
    return program


def victoria_logs():
    return go_program("victoria-logs", "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs", VICTORIA_LOGS)


def chdb():
    """The Python of its virtual environment."""
    folder = os.path.join(PEERS, f"chdb-{CHDB}")
    if not os.path.exists(done := os.path.join(folder, "complete")):
        run("chdb", [sys.executable, "-m", "venv", "--clear", folder])
        pip = [os.path.join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"]
        run("chdb", [*pip, f"chdb-core=={CHDB}"])
        with open(done, "w", encoding="ascii"):
            pass
    return os.path.join(folder, "bin", "python")


def built_collector(what, config):
    """Built as the file `config` says; its output_path is seen from PEERS."""
    builder = go_program("builder", "go.opentelemetry.io/collector/cmd/builder", COLLECTOR)
    program = os.path.join(PEERS, f"{what}-{COLLECTOR}", "otelcol")
    if not os.path.exists(program):
        run(what, [builder, "--config", os.path.join(BENCH, config)], {"GOFLAGS": "-buildvcs=false"})
    return program


def collector():
    return built_collector("otelcol", "collector-build.yaml")


def follower_collector():
    return built_collector("otelcol-follow", "follower-build.yaml")


def rsyslog():
    program = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
    if not os.path.exists(program):
        raise Unavailable("rsyslogd is not installed (Debian's package rsyslog)")
    return program


def elasticmq():
    """The class path of its jars."""
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise Unavailable(f"ElasticMQ needs {program}")
    try:
        command = [os.path.join(ROOT, "tools", "elasticmq")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"ElasticMQ could not be fetched: {error.stderr.strip()[-200:]}") from error
    return os.path.join(done.stdout.strip(), "*")


def baseline():
    """The folder of the programs of its virtual environment."""
    requirements = os.path.join(BENCH, "baseline", "requirements.txt")
    folder = os.path.join(PEERS, "baseline")
    if not os.path.exists(done := os.path.join(folder, "complete")) or os.path.getmtime(done) < os.path.getmtime(
        requirements
    ):
        run("baseline", [sys.executable, "-m", "venv", "--clear", folder])
        pip = [os.path.join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check"]
        run("baseline", [*pip, "-r", requirements])
        with open(done, "w", encoding="ascii"):
            pass
    return os.path.join(folder, "bin")
