"""The image without anything beside it, as `docker run` starts it: `logmill serve`, with queue and
store on a volume, and nothing else that could be written.

    python3 -m composetest.alone ARCHITECTURE     builds it, and tries it
"""

import os
import subprocess
import sys
import time

from . import images
from .client import Client, free_port
from .engine import Engine, NoEngine, run

ROOT = os.path.dirname(images.TOOLS)
NAME = "logmill-image-test"

HEALTHY_SECONDS = 180
STORED_SECONDS = 60


def check(image, env, name):
    """Logs go in and come out, and it ends well; so once more, with what is left in the volume.
    `name`: of container and volume, which are removed. Returns how many logs there were."""
    def docker(*args):
        return subprocess.run(["docker", *args], env=env, text=True, check=True,
                              stdout=subprocess.PIPE).stdout.strip()

    port = free_port()
    options = ("--detach", "--name", name, "--read-only", "--cap-drop", "ALL", "--volume",
               f"{name}:/data", "--publish", f"127.0.0.1:{port}:8000")
    client = Client(port)
    try:
        for _ in range(2):
            docker("run", *options, image)
            end = time.monotonic() + HEALTHY_SECONDS
            while docker("inspect", "-f", "{{.State.Health.Status}}", name) != "healthy":
                assert time.monotonic() < end, "not healthy: " + docker("logs", name)
                time.sleep(0.5)
            client.post_until_taken(100)
            client.wait_until_all_stored(STORED_SECONDS)
            docker("stop", name)
            status = docker("inspect", "-f", "{{.State.ExitCode}}", name)
            assert status == "0", f"after SIGTERM it ended with status {status}"
            docker("rm", name)
    finally:
        run(["docker", "rm", "--force", name], env)
        run(["docker", "volume", "rm", "--force", name], env)
    return len(client.acknowledged)


def main(architecture):
    try:
        with Engine() as engine:
            made = images.provide(engine.env, architecture, [images.BASE])
            try:
                subprocess.run(["docker", "build", "--platform", f"linux/{architecture}", "--tag",
                                NAME, ROOT], env=engine.env, check=True)
                logs = check(NAME, engine.env, NAME)
            finally:
                run(["docker", "rmi", "--force", NAME, *made], engine.env)
    except (NoEngine, AssertionError, RuntimeError, subprocess.CalledProcessError) as reason:
        print(f"image-test: FAILED: {architecture}: {reason}", file=sys.stderr)
        return 1
    print(f"{architecture}: {logs} logs were answered 201, each is there once")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
