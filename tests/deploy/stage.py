"""What the test stands on: a folder, names that lead to this machine, and processes, stopped by pid.

It runs in a network of its own (tools/deploy-test makes it), so that everything has the very port that
it would have in AWS, and in a mount namespace of its own, so that /etc/hosts can say what a VPC's
name server says.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds; ends early in any normal run
STOP = 30


def eventually(what, probe, patience=PATIENCE):
    """Calls `probe` until it returns something true, or raises no OSError."""
    end = time.monotonic() + patience
    last = None
    while time.monotonic() < end:
        try:
            found = probe()
            if found:
                return found
        except OSError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"gave up waiting: {what} ({last})")


def listens(port, host="127.0.0.1"):
    with socket.create_connection((host, port), timeout=1):
        return True


class Process:
    """A program that runs until it is stopped; what it says is in a file."""

    def __init__(self, name, command, env, log, **options):
        self.name = name
        self.log = log
        with open(log, "ab") as said:
            self.popen = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=said,
                                          stderr=said, **options)

    def said(self):
        return self.log.read_text(errors="replace")

    def until(self, what, probe, patience=PATIENCE):
        def check():
            if self.popen.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.popen.returncode}:\n{self.said()[-4000:]}")
            return probe()
        return eventually(f"{self.name}: {what}", check, patience)

    def stop(self, number=15):
        """Ends it, and returns its status."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                self.popen.wait(STOP)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        return self.popen.returncode


class Stage:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="logmill-deploy-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as somebody else
        self.processes = []
        self.hosts = self.folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n")
        subprocess.run(["mount", "--bind", self.hosts, "/etc/hosts"], check=True)

    def name(self, *names):
        """These names lead to this machine."""
        with open(self.hosts, "a", encoding="utf-8") as hosts:
            hosts.write(f"127.0.0.1 {' '.join(names)}\n")

    def start(self, name, command, env=None, **options):
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8",
                "TMPDIR": str(self.folder)}
        process = Process(name, [str(part) for part in command], {**base, **(env or {})},
                          self.folder / f"{name}.log", **options)
        self.processes.append(process)
        return process

    def end(self):
        for process in reversed(self.processes):
            process.stop()
        subprocess.run(["umount", "/etc/hosts"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Authority:
    """Signs certificates for names; made by openssl(1)."""

    CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def __init__(self, folder):
        self.folder = folder
        self.cert = folder / "authority.pem"
        self.key = folder / "authority.key"
        self.openssl("req", "-x509", *self.CURVE, "-keyout", self.key, "-out", self.cert, "-days", "2",
                     "-subj", "/CN=authority of the test")

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def sign(self, host):
        """Returns the files of a certificate and its key."""
        cert, key = (self.folder / f"{host[:40]}.{end}" for end in ("pem", "key"))
        request, extensions = (self.folder / f"{host[:40]}.{end}" for end in ("csr", "ext"))
        extensions.write_text(f"subjectAltName=DNS:{host}\n")
        self.openssl("req", *self.CURVE, "-keyout", key, "-out", request, "-subj", "/CN=server")
        self.openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                     "-CAcreateserial", "-out", cert, "-days", "2", "-extfile", extensions)
        return cert, key
