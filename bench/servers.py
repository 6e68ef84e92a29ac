"""The servers that the tables start, each in a directory of its own, on a free port of loopback."""

import atexit
import glob
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from common import BENCH, LOG, LOGMILL, free_port, fresh_dir, start, stop, wait_for


class Logmill:
    """`logmill serve`, or another command, with `settings`."""

    def __init__(self, command="serve", data_dir=None, **settings):
        self.dir = data_dir or fresh_dir("logmill")
        self.port = free_port() if command in ("serve", "api") else None
        env = {"HOST": "127.0.0.1", "PORT": str(self.port or 0), "DATA_DIR": self.dir} | settings
        self.process = start([LOGMILL, command], env, self.port)
        self.pid = self.process.pid

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def metrics(self):
        with urllib.request.urlopen(self.url("/metrics"), timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {
            name: float(value)
            for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        }

    def wait_until_stored(self):
        """Returns how many logs there are when all that were accepted are stored."""

        def stored():
            m = self.metrics()
            accepted, stored = m["logmill_logs_accepted_total"], m["logmill_logs_stored_total"]
            return stored if m["logmill_queue_depth"] == 0 and stored >= accepted else 0

        return int(wait_for("all logs stored", stored))

    def send(self, logs):
        """Sends so many logs, a thousand at a time; they get the time of their arrival."""
        line = json.dumps(LOG, separators=(",", ":")).encode() + b"\n"
        headers = {"Content-Type": "application/x-ndjson"}
        for sent in range(0, logs, 1000):
            body = line * min(1000, logs - sent)
            request = urllib.request.Request(self.url("/logs"), body, headers)
            urllib.request.urlopen(request, timeout=30).close()

    def stop(self):
        stop(self.process)


class Nginx:
    """The yardstick for taking requests: does nothing with what it gets."""

    def __init__(self):
        self.port = free_port()
        self.dir = fresh_dir("nginx")
        with open(os.path.join(BENCH, "nginx.conf"), encoding="utf-8") as template:
            conf = template.read().replace("@PORT@", str(self.port)).replace("@DIR@", self.dir)
        path = os.path.join(self.dir, "nginx.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(conf)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = start([program, "-e", "stderr", "-p", self.dir, "-c", path], {}, self.port)
        self.pid = self.process.pid

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        stop(self.process)


class Postgres:
    """With everything on that makes commits durable. It refuses to run as root."""

    SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "unix_socket_directories": ""}

    def __init__(self):
        self.user = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.folder = folder = self.make_folder()
        data, password_file = os.path.join(folder, "data"), os.path.join(folder, "password")
        password = secrets.token_hex()
        with open(password_file, "w", encoding="ascii") as out:
            out.write(password)
        self.run("initdb", "-D", data, "-U", "postgres", "--pwfile", password_file,
                 "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8")  # fmt: skip
        port = free_port()
        settings = [f"--{name}={value}" for name, value in self.SETTINGS.items()]
        command = [self.program("postgres"), "-D", data, "-p", str(port), *settings]
        self.process = start(command, {}, port, cwd=folder, **self.user)
        self.pid = self.process.pid
        self.url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        wait_for("PostgreSQL ready", lambda: self.psql("SELECT 1").returncode == 0, 30)

    def make_folder(self):
        folder = fresh_dir("postgres")
        if self.user:
            os.chown(folder, self.user["user"], self.user["group"])
            if subprocess.run(["test", "-x", folder], check=False, **self.user).returncode != 0:
                folder = tempfile.mkdtemp(prefix="logmill-bench-", dir="/var/tmp")
                os.chown(folder, self.user["user"], self.user["group"])
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

    def count(self):
        return int(self.sql("SELECT count(*) FROM logs"))

    def stop(self):
        stop(self.process, signal.SIGINT)  # does not wait for clients
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
