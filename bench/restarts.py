"""Table `restarts`: what clients notice of 20 take-overs in a row (`--take-over`).

Threads send log after log, half of them on kept-alive connections, half on a new one for each, and
two send bodies of 1,000; none of them tries anything again. Told are the longest time that one
waited for its answer, with the same without restarts beside it, and how many requests failed, logs
were lost, and logs were there twice.
"""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

from common import LOGMILL, WORK, free_port, fresh_dir
from figures import Aim

RESTARTS = 20
SINGLE, BATCHES = 6, 2
BATCH_LOGS = 1000
BETWEEN_S = 0.5  # take-overs


class Client(threading.Thread):
    """Sends until it is told to stop. `sent`: what it was told is safe; `slowest`: seconds."""

    def __init__(self, name, port, logs, keeps):
        super().__init__(daemon=True)
        self.prefix, self.port, self.logs, self.keeps = name, port, logs, keeps
        self.sent, self.failed, self.slowest, self.is_over = 0, [], 0.0, False

    def run(self):
        connection, number = None, 0
        while not self.is_over:
            lines = [{"message": f"{self.prefix} {number + i}", "level": "info"} for i in range(self.logs)]
            number += self.logs
            started = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request(
                    "POST",
                    "/logs" if self.logs > 1 else "/log",
                    json.dumps(lines if self.logs > 1 else lines[0]),
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                answer.read()
                if answer.status != 201:
                    raise http.client.HTTPException(f"answered {answer.status}")
                self.sent += self.logs
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection = None
            else:
                if not self.keeps or answer.will_close:
                    connection.close()
                    connection = None
            self.slowest = max(self.slowest, time.monotonic() - started)


def start(port, data, *arguments):
    environment = dict(os.environ, DATA_DIR=data, PORT=str(port), WEB_CONCURRENCY="2", LOG_LEVEL="warn")
    with open(os.path.join(WORK, "restarts.log"), "ab") as log:
        return subprocess.Popen([LOGMILL, "serve", *arguments], env=environment, stderr=log)


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    return connection.getresponse().read()


def wait_until_it_serves(port):
    while True:
        try:
            ask(port, "/ready")
            return
        except OSError:
            time.sleep(0.02)


def stored(port):
    """How many different messages there are, and how many in all."""
    messages, total, cursor = set(), 0, ""
    while True:
        page = json.loads(ask(port, f"/logs?limit=1000{cursor}"))
        messages.update(log["message"] for log in page["logs"])
        total += len(page["logs"])
        if not page["next"]:
            return len(messages), total
        cursor = f"&cursor={page['next']}"


def turn(restarts):
    data, port = fresh_dir("logmill-restarts"), free_port()
    server = start(port, data)
    wait_until_it_serves(port)
    clients = [Client(f"single {i}", port, 1, i % 2 == 0) for i in range(SINGLE)]
    clients += [Client(f"batch {i}", port, BATCH_LOGS, i % 2 == 0) for i in range(BATCHES)]
    for client in clients:
        client.start()
    for _ in range(RESTARTS):
        time.sleep(BETWEEN_S)
        if restarts:
            old, server = server, start(port, data, "--take-over")
            if old.wait(60) != 0:
                raise RuntimeError("a process that was taken over did not end with 0")
    time.sleep(BETWEEN_S)
    for client in clients:
        client.is_over = True
    for client in clients:
        client.join()
    sent = sum(client.sent for client in clients)
    deadline = time.monotonic() + 60
    different, total = stored(port)
    while different < sent and time.monotonic() < deadline:
        time.sleep(0.5)
        different, total = stored(port)
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    return {
        "name": f"{RESTARTS} take-overs" if restarts else "none",
        "logs": sent,
        "slowest_ms": 1000 * max(client.slowest for client in clients),
        "failed": sum(len(client.failed) for client in clients),
        "lost": sent - different,
        "doubled": total - different,
    }


def table():
    turns = [turn(False), turn(True)]
    title = f"{RESTARTS} restarts under load"
    print(f"\n{title}\n{'':14}{'logs':>10}{'longest wait ms':>18}{'failed':>8}{'lost':>6}{'doubled':>9}")
    for f in turns:
        print(
            f"{f['name']:14}{f['logs']:10}{f['slowest_ms']:18.0f}{f['failed']:8}{f['lost']:6}{f['doubled']:9}"
        )
    worst = turns[1]
    aims = [
        Aim("restarts: longest wait for an answer, ms", worst["slowest_ms"], most=1000),
        Aim("restarts: failed, lost and doubled", worst["failed"] + worst["lost"] + worst["doubled"], most=0),
    ]
    return {"absent": {}, "cases": [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]}
