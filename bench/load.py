"""Load: wrk with load.lua for what speaks HTTP, and lines over plain TCP for what does not.

Both send the requests of a file that corpus.py made, in turn, over many connections, with the time
of sending in every log.
"""

import datetime
import json
import os
import selectors
import socket
import subprocess
import sys
import time

from common import BENCH


def wrk(url, seconds, connections, *arguments, warm_up=False):
    """Lets wrk send for `seconds` and returns its summary; `arguments` as load.lua describes them. An
    answer with an error ends the bench, and so does none at all, but in a warm-up."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
               "-s", os.path.join(BENCH, "load.lua"), url, "--", *arguments]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: wrk failed: {done.stderr or done.stdout}")
    summary = json.loads(done.stdout.splitlines()[-1])
    if summary["refused"] or summary["broken"] or not (summary["requests"] or warm_up):
        sys.exit(f"bench: requests to {url} failed: {summary}")
    summary["requests_per_second"] = summary["requests"] / summary["seconds"]
    return summary


def stamp():
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S.").encode() + b"%03d" % (now.microsecond // 1000)


def tcp(port, seconds, connections, path):
    """Writes for `seconds` whatever the connections take; returns how many requests that were. There
    are no answers."""
    with open(path, "rb") as file:
        requests = file.read().split(b"\2")
    sent = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            s = socket.create_connection(("127.0.0.1", port))
            s.setblocking(False)
            selector.register(s, selectors.EVENT_WRITE, [b""])
        began = time.monotonic()
        while selector.get_map():
            late = time.monotonic() - began >= seconds
            for key, _ in selector.select():
                if not key.data[0] and late:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    continue
                if not key.data[0]:
                    key.data[0] = memoryview(requests[sent % len(requests)].replace(b"\1", stamp()))
                    sent += 1
                key.data[0] = key.data[0][key.fileobj.send(key.data[0]) :]
    taken = time.monotonic() - began
    return {"requests": sent, "seconds": taken, "requests_per_second": sent / taken}
