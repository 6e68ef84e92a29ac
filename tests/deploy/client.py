"""A client of the api, by HTTP, with keys."""

import collections
import http.client
import json
import urllib.parse

from stage import eventually

PAGE = 1000
SECONDS = 30
STORED_SECONDS = 180


class Client:
    def __init__(self, port, write, read):
        self.port = port
        self.write = write
        self.read = read

    def ask(self, method, path, body=None, key=None):
        """(status, JSON of the answer)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def send(self, tag, number, batch=100):
        """Sends so many logs, "TAG 0" and on, each of which has to be answered 201."""
        for first in range(0, number, batch):
            logs = [{"message": f"{tag} {n}", "level": "info", "n": n}
                    for n in range(first, min(first + batch, number))]
            status, said = self.ask("POST", "/logs", logs, self.write)
            assert status == 201, f"POST /logs: {status} {said}"

    def there(self, tag):
        """How often each message of this tag is there."""
        found = collections.Counter()
        query = {"q": tag, "limit": PAGE}
        while True:
            status, page = self.ask("GET", "/logs?" + urllib.parse.urlencode(query), key=self.read)
            if status != 200:
                raise OSError(f"GET /logs: {status} {page}")
            found.update(log["message"] for log in page["logs"])
            if not page["next"]:
                return found
            query["cursor"] = page["next"]

    def verify(self, tag, number):
        """Each of them is there, exactly once, and nothing else that bears their name."""
        eventually(f"{number} logs of {tag}", lambda: len(self.there(tag)) >= number, STORED_SECONDS)
        wanted = collections.Counter(f"{tag} {n}" for n in range(number))
        found = self.there(tag)
        assert found == wanted, (f"{tag}: missing {list((wanted - found).items())[:5]}, "
                                 f"too many {list((found - wanted).items())[:5]}")
