"""The servers that the tables start, each in a directory of its own, on a free port of loopback."""

import atexit
import datetime
import glob
import http.client
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

import corpus
import load
from common import BEFORE, BENCH, LOGMILL, WORK, Unavailable, cpu_seconds, disk_bytes, free_port, fresh_dir, start, stop, wait_for


class Server:
    """What a table measures: a process in a directory of its own. `promise` says what a success that
    it answers means."""

    name = promise = "?"
    version = None
    statuses = (0,)  # with which it ends when it is told to

    @staticmethod
    def prepare():
        """Gets what it needs; raises Unavailable if that is not to be had."""

    def __init__(self, command, port, env=None, directory=None):
        self.port = port
        self.dir = directory
        self.process = start(command, env, port)
        self.pid = self.process.pid

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path):
        with urllib.request.urlopen(self.url(path), timeout=60) as answer:
            return answer.read().decode()

    def metrics(self):
        lines = (line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if line[:1] not in ("#", ""))
        return {name: float(value) for name, value in lines}

    def route(self, size):
        """How `size` logs are sent: path, content type, form of the corpus, form of the time."""
        if size == 1:
            return "/log", "application/json", "json", "iso"
        return "/logs", "application/x-ndjson", "ndjson", "iso"

    def load(self, size, seconds, connections):
        path, content_type, form, time_form = self.route(size)
        requests = corpus.write_requests(form, size)
        return load.wrk(self.url(path), seconds, connections, content_type, time_form, requests)

    def settle(self):
        """Returns how many logs it has, once all that it has taken are where they are to stay; None
        if it keeps nothing."""

    def cpu(self):
        """CPU seconds of all that counts."""
        return cpu_seconds(self.pid)

    def disk(self):
        """Bytes of its files; None if it has none of its own."""
        return disk_bytes(self.dir)

    def stop(self):
        stop(self.process, statuses=self.statuses)
        shutil.rmtree(self.dir)


class Logmill(Server):
    """`logmill serve`, or another command, with `settings`."""

    name = "logmill serve"
    promise = "fsynced in the queue; stored exactly once"

    def __init__(self, command="serve", data_dir=None, program=LOGMILL, **settings):
        directory = data_dir or fresh_dir("logmill")
        port = free_port() if command in ("serve", "api") else None
        env = {"HOST": "127.0.0.1", "PORT": str(port or 0), "DATA_DIR": directory, "LOG_LEVEL": "warn"}
        super().__init__([program, command], port, env | settings, directory)

    def settle(self):
        def stored():
            m = self.metrics()
            accepted, stored = m["logmill_logs_accepted_total"], m["logmill_logs_stored_total"]
            return stored if m.get("logmill_queue_depth") == 0 and stored >= accepted else 0

        return int(wait_for("all logs stored", stored))

    def send(self, logs, stamp=lambda number: load.stamp()):
        """Sends so many logs of the corpus, a thousand a request, one after the other. `stamp` gives
        the time of the request with that number, to the millisecond; default: that of sending."""
        with open(corpus.write_requests("ndjson", 1000), "rb") as file:
            requests = file.read().split(b"\2")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for number in range((logs + 999) // 1000):
            body = requests[number % len(requests)].replace(b"\1", stamp(number))
            if logs < (number + 1) * 1000:
                body = b"".join(body.splitlines(keepends=True)[: logs - number * 1000])
            connection.request("POST", "/logs", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            if answer.status != 201:
                sys.exit(f"bench: {answer.status}: {answer.read()}")
            answer.read()
        connection.close()

    def count(self):
        """How many logs of yesterday, today and tomorrow the store has."""
        day = datetime.timedelta(days=1)
        now = datetime.datetime.now(datetime.timezone.utc)
        since, until = ((now + n * day).strftime("%Y-%m-%dT%H:%M:%SZ") for n in (-1, 1))
        return json.loads(self.get(f"/logs/stats?since={since}&until={until}&bucket=3600"))["total"]

    def halt(self):
        """Stops it, but leaves its directory."""
        stop(self.process)

    def kill(self):
        """Ends it whatever it does, and removes its directory."""
        stop(self.process, signal.SIGKILL, statuses=(-signal.SIGKILL,))
        shutil.rmtree(self.dir)


class Before(Logmill):
    """Another build of logmill, the one that BENCH_BEFORE names."""

    name = "the build before"

    def __init__(self, **options):
        super().__init__(program=BEFORE, **options)

    @staticmethod
    def prepare():
        if not BEFORE:
            raise Unavailable("BENCH_BEFORE does not name it")


class Nginx(Server):
    """The yardstick for taking requests: does nothing with what it gets."""

    name = "nginx return 201"
    promise = "nothing: the log is dropped"

    @staticmethod
    def program():
        return shutil.which("nginx") or "/usr/sbin/nginx"

    def __init__(self, connections=1024, tls=None):
        """`tls`: its settings of TLS, if it is to speak it."""
        port, directory = free_port(), fresh_dir("nginx")
        with open(os.path.join(BENCH, "nginx.conf"), encoding="utf-8") as template:
            conf = template.read().replace("@PORT@", str(port)).replace("@DIR@", directory)
        conf = conf.replace("@CONNECTIONS@", str(connections)).replace("@TLS@", f" ssl; {tls}" if tls else ";")
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(conf)
        super().__init__([self.program(), "-e", "stderr", "-p", directory, "-c", path], port, {}, directory)

    def disk(self):
        return None


class Postgres:
    """With everything on that makes commits durable. It refuses to run as root."""

    SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "unix_socket_directories": ""}

    def __init__(self, name="postgres", keep=False):
        """With `keep` the data stay when it stops, and are used again under the same name."""
        self.user, self.keep = {}, keep
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.folder = folder = self.make_folder(name)
        data, password_file = os.path.join(folder, "data"), os.path.join(folder, "password")
        if not os.path.exists(password_file):
            with open(password_file, "w", encoding="ascii") as out:
                out.write(secrets.token_hex())
            self.run("initdb", "-D", data, "-U", "postgres", "--pwfile", password_file,
                     "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8")  # fmt: skip
        with open(password_file, encoding="ascii") as file:
            password = file.read()
        port = free_port()
        settings = [f"--{name}={value}" for name, value in self.SETTINGS.items()]
        command = [self.program("postgres"), "-D", data, "-p", str(port), *settings]
        self.process = start(command, {}, port, cwd=folder, **self.user)
        self.pid = self.process.pid
        self.url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        wait_for("PostgreSQL ready", lambda: self.psql("SELECT 1").returncode == 0, 30)

    def make_folder(self, name):
        if self.keep and os.path.exists(kept := os.path.join(WORK, name)):
            return os.path.realpath(kept)
        folder = fresh_dir(name)
        if self.user:
            os.chown(folder, self.user["user"], self.user["group"])
            if subprocess.run(["test", "-x", folder], check=False, **self.user).returncode != 0:
                folder = tempfile.mkdtemp(prefix="logmill-bench-", dir="/var/tmp")
                os.chown(folder, self.user["user"], self.user["group"])
                if self.keep:
                    os.rmdir(os.path.join(WORK, name))
                    os.symlink(folder, os.path.join(WORK, name))
                else:
                    atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @staticmethod
    def program(name):
        """Of the newest version there is."""
        found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
        return max(found, key=lambda path: int(path.split("/")[4])) if found else name

    def run(self, name, *arguments):
        subprocess.run([self.program(name), *arguments], check=True, stdout=subprocess.DEVNULL,
                       cwd="/", **self.user)  # fmt: skip

    def psql(self, text):
        command = [self.program("psql"), "-XqAt", "-c", text, self.url]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def sql(self, text):
        done = self.psql(text)
        done.check_returncode()
        return done.stdout.strip()

    def count(self, table="logs"):
        return int(self.sql(f"SELECT count(*) FROM {table}"))

    def stop(self):
        stop(self.process, signal.SIGINT)  # does not wait for clients
        if not self.keep:
            shutil.rmtree(self.folder)


class Redis:
    """Or Valkey. Keeps nothing on the disk, as a cache need not."""

    def __init__(self):
        folder, port, password = fresh_dir("redis"), free_port(), secrets.token_hex()
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        options = ["--bind", "127.0.0.1", "--save", "", "--requirepass", password]
        self.process = start([program, "--port", str(port), "--dir", folder, *options], {}, port)
        self.pid = self.process.pid
        self.name = "Valkey" if "valkey" in program else "Redis"
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"

    def stop(self):
        stop(self.process)
