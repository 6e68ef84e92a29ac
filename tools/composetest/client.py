"""Sends logs to a running api while things go wrong, remembers every 201, and looks whether each of
these is there exactly once.
"""

import collections
import http.client
import json
import socket
import threading
import time
import urllib.parse
import uuid

TIMEOUT_SECONDS = 15
PATIENCE_SECONDS = 120
PAGE = 1000


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Client:
    def __init__(self, port):
        self.port = port
        self.tag = uuid.uuid4().hex  # in every message, so that this run's logs can be found
        self.sent = 0
        self.acknowledged = set()

    def request(self, method, path, body=None):
        """(status, JSON of the answer); OSError or HTTPException if none came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, body and json.dumps(body),
                               {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def post(self):
        """Sends one log, once; true where it was answered 201."""
        message = f"{self.tag} {self.sent}"
        self.sent += 1
        try:
            status, _ = self.request("POST", "/log", {"message": message, "level": "info",
                                                      "number": self.sent})
        except (OSError, http.client.HTTPException, ValueError):
            return False
        if status == 201:
            self.acknowledged.add(message)
        return status == 201

    def post_until_taken(self, number):
        """Sends until so many more are answered 201; a fault just past may cost a few."""
        wanted = len(self.acknowledged) + number
        end = time.monotonic() + PATIENCE_SECONDS
        while len(self.acknowledged) < wanted:
            self.post()
            assert time.monotonic() < end, f"{number} logs are not taken in {PATIENCE_SECONDS} s"

    def stored(self):
        """How often each message of this run is there."""
        found = collections.Counter()
        query = {"q": self.tag, "limit": PAGE}
        while True:
            status, page = self.request("GET", "/logs?" + urllib.parse.urlencode(query))
            if status != 200:
                raise OSError(f"GET /logs answered {status}: {page}")
            found.update(log["message"] for log in page["logs"])
            if not page["next"]:
                return found
            query["cursor"] = page["next"]

    def wait_until_all_stored(self, seconds):
        """Returns the number of acknowledged logs; AssertionError if one is missing after so
        long, or any log is there twice."""
        end = time.monotonic() + seconds
        while True:
            try:
                found = self.stored()
                missing = self.acknowledged - set(found)
                problem = f"{len(missing)} of {len(self.acknowledged)} such logs are missing"
            except (OSError, http.client.HTTPException, ValueError) as error:
                found, missing, problem = {}, True, str(error)
            twice = [message for message, times in found.items() if times > 1]
            assert not twice, f"{len(twice)} logs are there more than once"
            if not missing:
                return len(self.acknowledged)
            assert time.monotonic() < end, f"after {seconds} s {problem}"
            time.sleep(0.5)


class Sender:
    """In a `with`: sends logs all the time, one after another, from a thread."""

    def __init__(self, client):
        self.client = client
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        while not self.stopping.is_set():
            if not self.client.post():
                self.stopping.wait(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
