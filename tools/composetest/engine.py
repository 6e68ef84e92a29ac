"""A Docker engine for `make compose-test`: the one that runs, or one started for the purpose."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

START_SECONDS = 60
STOP_SECONDS = 60


class NoEngine(Exception):
    """No engine runs, and none can be started. The text says why."""


class Engine:
    """Use it in a `with`: an engine that was started is stopped, with all that it made."""

    def __init__(self):
        self.env = dict(os.environ)
        self.folder = None
        self.daemon = None
        self.before = None

    def __enter__(self):
        if run(["docker", "version"], self.env) == 0:
            print("the engine that is running here is used")
            return self
        if os.geteuid() != 0:
            raise NoEngine("no engine is running, and only root can start one")
        try:
            self._start()
        except FileNotFoundError as error:
            self.__exit__()
            raise NoEngine(f"{error.filename} is missing: tools/bootstrap compose") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        self.folder = tempfile.mkdtemp(prefix="logmill-docker-")
        self.before = Network()
        socket = f"unix://{self.folder}/docker.sock"
        config = f"{self.folder}/daemon.json"  # not the system's
        with open(config, "w", encoding="ascii") as file:
            file.write("{}")
        log_name = f"{self.folder}/dockerd.log"
        with open(log_name, "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", "--host", socket, "--config-file", config,
                 "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
                 "--pidfile", f"{self.folder}/pid"],
                stdout=log, stderr=log, start_new_session=True)
        self.env["DOCKER_HOST"] = socket
        end = time.monotonic() + START_SECONDS
        while run(["docker", "version"], self.env) != 0:
            if self.daemon.poll() is not None or time.monotonic() > end:
                with open(log_name, encoding="utf-8") as log:
                    said = "".join(log.readlines()[-15:])
                raise NoEngine(f"dockerd cannot be started here; it said:\n{said}")
            time.sleep(0.5)

    def __exit__(self, *_):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.daemon.pid, signal.SIGKILL)  # its containerd, too
                self.daemon.wait()
        if self.folder:
            for mount in sorted(mounts_under(self.folder), reverse=True):
                run(["umount", "-l", mount], self.env)
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.before:
            self.before.restore()


class Network:
    """What a Docker engine changes in the system's network, and leaves behind when it ends."""

    FORWARDING = "/proc/sys/net/ipv4/ip_forward"

    def __init__(self):
        self.forwarding = read(self.FORWARDING)
        self.links = set(os.listdir("/sys/class/net"))
        # With an engine that we cannot reach: the rules are its own, too.
        self.shared = "docker0" in self.links
        self.policy = self._forward_policy()

    @staticmethod
    def _forward_policy():
        saved = subprocess.run(["iptables-save", "-t", "filter"], capture_output=True, text=True)
        found = re.search(r"^:FORWARD (\w+)", saved.stdout, re.MULTILINE)
        return found[1] if found else "ACCEPT"

    def restore(self):
        """Takes away the engine's rules and bridges; other rules, older or newer, stay."""
        if self.shared:
            return
        for table in ("filter", "nat"):
            saved = subprocess.run(["iptables-save", "-t", table], capture_output=True, text=True)
            kept = [line for line in saved.stdout.splitlines()
                    if not re.search(r"DOCKER|\bdocker0\b|\bbr-[0-9a-f]{12}\b", line)]
            text = "\n".join(kept) + "\n"
            text = re.sub(r"^:FORWARD \w+", f":FORWARD {self.policy}", text, flags=re.MULTILINE)
            subprocess.run(["iptables-restore", "-T", table], input=text, text=True, check=False)
        for link in set(os.listdir("/sys/class/net")) - self.links:
            if link == "docker0" or link.startswith("br-"):
                subprocess.run(["ip", "link", "delete", link], check=False)
        with open(self.FORWARDING, "w", encoding="ascii") as file:
            file.write(self.forwarding)


def run(args, env):
    """The exit status of a command that has nothing to say."""
    try:
        return subprocess.run(args, env=env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        return 127


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def mounts_under(folder):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        points = [line.split()[1] for line in mounts]
    return [point for point in points if point.startswith(folder + "/")]
