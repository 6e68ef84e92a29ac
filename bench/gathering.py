"""Table `gathering`: what single logs cost at SQS, and what it costs them that they share its requests.

Logs of about 0.3 KB come one a request, at random moments (a Poisson process, whatever the answers take), to
`logmill api` with one HTTP thread. Beside it stands a server of SQS's protocol that confirms each message
when CONFIRMED_S have passed, counts its logs, and its requests as SQS does: each 64 KiB that were begun.
Gathered and not (SQS_GATHER_MS=0) in turns. A row `one client` is one that sends its next log when it has
the answer to the last.

A log's time is that from its being written to its answer; so it has the load's own pauses in it, which the
turns without gathering have as well.
"""

import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import random
import signal
import statistics
import sys
import time

from common import GATHER_RATES, ROUNDS, SECONDS, WARM_UP_SECONDS, cpu_seconds, free_port
from figures import Aim
from servers import Logmill
from sqs import CREDENTIALS

CONFIRMED_S = 0.014
REQUEST_BYTES = 64 << 10
LOGS_LEAST = 20  # of a turn, however seldom they come
GATHERED = {}  # as it is by default
ALONE = {"SQS_GATHER_MS": "0"}
ATTRIBUTES = {
    "QueueArn": "arn:aws:sqs:eu-central-1:1:logs", "MaximumMessageSize": "1048576", "VisibilityTimeout": "30",
    "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}  # fmt: skip


class Http(asyncio.Protocol):
    """Cuts what comes into messages of HTTP that have a Content-Length."""

    def __init__(self):
        self.text = bytearray()
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.text += data
        while (end := self.text.find(b"\r\n\r\n") + 4) >= 4:
            head = bytes(self.text[:end])
            low = head.lower()
            if b"\r\nexpect: 100-continue" in low and len(self.text) == end:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            at = low.find(b"\r\ncontent-length:")
            length = int(low[at + 17 : low.index(b"\r", at + 2)]) if at >= 0 else 0
            if len(self.text) < end + length:
                return
            body = bytes(self.text[end : end + length])
            del self.text[: end + length]
            self.came(head, body)

    def came(self, head, body):
        raise NotImplementedError


class Sqs(Http):
    """Takes messages. `counted` is shared with the bench: messages, requests, logs."""

    counted = None

    def came(self, head, body):
        if b"AmazonSQS.SendMessage\r" not in head:
            self.answer({"Attributes": ATTRIBUTES})
            return
        text = json.loads(body)["MessageBody"]
        raw = text.encode()
        for n, more in enumerate((1, -(-len(raw) // REQUEST_BYTES), len(json.loads(text)["logs"]))):
            self.counted[n] += more
        answer = {"MessageId": f"m{self.counted[0]}", "MD5OfMessageBody": hashlib.md5(raw).hexdigest()}
        asyncio.get_running_loop().call_later(CONFIRMED_S, self.answer, answer)

    def answer(self, what):
        body = json.dumps(what).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)


def serve(port, counted):
    async def forever():
        Sqs.counted = counted
        server = await asyncio.get_running_loop().create_server(Sqs, "127.0.0.1", port)
        await server.serve_forever()

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())


class Client(Http):
    """One connection, which goes back to the `free` ones with each answer."""

    def __init__(self, load):
        super().__init__()
        self.load, self.began = load, 0.0

    def send(self):
        self.began = time.perf_counter()
        self.transport.write(self.load.request())

    def came(self, head, body):
        if b" 201 " not in head[:20]:
            sys.exit(f"bench: {head[:20]}: {body[:200]}")
        self.load.times.append(time.perf_counter() - self.began)
        self.load.free.append(self)
        self.load.answered()


class Load:
    """`free`: connections without a request."""

    def __init__(self, port):
        self.port, self.free, self.times, self.sent = port, [], [], 0
        self.answered = lambda: None

    def request(self):
        self.sent += 1
        body = (
            b'{"level":"info","service":"shop","customer":%d,"trace":"%032x","message":"%s"}'
            % (random.randrange(10**8), random.getrandbits(128), b"GET /cart/items 200 in 12 ms " * 7)
        )  # fmt: skip
        return b"POST /log HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(body), body)  # fmt: skip

    async def send(self):
        if not self.free:
            loop = asyncio.get_running_loop()
            self.free.append((await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port))[1])
        self.free.pop().send()

    async def all_answered(self):
        while len(self.times) < self.sent:
            await asyncio.sleep(0.001)

    async def one_after_the_other(self, seconds):
        came = asyncio.Event()
        self.answered = came.set
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            came.clear()
            await self.send()
            await came.wait()
        self.answered = lambda: None

    async def at_random(self, rate, seconds):
        began, due = time.perf_counter(), random.expovariate(rate)
        while due < seconds:
            await asyncio.sleep(max(0, began + due - time.perf_counter()))
            while due < min(seconds, time.perf_counter() - began):
                await self.send()
                due += random.expovariate(rate)

    async def run(self, rate, seconds):
        """Returns the seconds that it took to send. `rate`: None for one client."""
        self.times.clear()
        self.sent = 0
        began = time.perf_counter()
        await (self.at_random(rate, seconds) if rate else self.one_after_the_other(seconds))
        took = time.perf_counter() - began
        await self.all_answered()
        return took

    def close(self):
        for client in self.free:
            client.transport.close()


def turn(rate, settings, sqs_port, counted):
    queue = {"SQS_QUEUE_URL": f"http://127.0.0.1:{sqs_port}/1/logs", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{sqs_port}"}
    api = Logmill("api", WEB_CONCURRENCY="1", **CREDENTIALS, **queue, **settings)
    load = Load(api.port)

    async def run():
        await load.run(rate, WARM_UP_SECONDS)
        counted[:] = [0, 0, 0]
        cpu = cpu_seconds(api.pid)
        took = await load.run(rate, max(SECONDS, LOGS_LEAST / (rate or LOGS_LEAST)))
        cpu = cpu_seconds(api.pid) - cpu
        load.close()
        return took, cpu

    took, cpu = asyncio.run(run())
    api.stop()
    messages, requests, logs = counted
    times = sorted(load.times)
    if logs != len(times):
        sys.exit(f"bench: {len(times)} logs were answered, {logs} are in messages")
    return {
        "rate": rate, "gathers": settings is GATHERED, "logs": logs, "logs_per_second": logs / took,
        "requests_per_log": requests / logs, "logs_per_message": logs / messages,
        "p50_ms": 1000 * statistics.median(times), "p99_ms": 1000 * times[int(len(times) * 0.99)],
        "cpu_100k": 1e5 * cpu / logs,
    }  # fmt: skip


COLUMNS = [
    ("logs_per_second", "came", 8, ".0f"), ("requests_per_log", "requests/log", 14, ".3f"), ("logs_per_message", "logs/message", 14, ".1f"),
    ("p50_ms", "p50 ms", 9, ".1f"), ("p99_ms", "p99 ms", 9, ".1f"), ("cpu_100k", "CPU-s/100,000", 15, ".2f"),
]  # fmt: skip


def middle(turns, rate, gathers, figure):
    return statistics.median(t[figure] for t in turns if t["rate"] == rate and t["gathers"] is gathers)


def tell(turns, rates):
    aims = []
    print(f"\n{'logs/s':>12}{'gathers':>9}" + "".join(f"{heading:>{width}}" for _, heading, width, _ in COLUMNS))
    for rate in rates:
        for gathers in (False, True):
            cells = (f"{middle(turns, rate, gathers, c[0]):>{c[2]}{c[3]}}" for c in COLUMNS)
            print(f"{rate or 'one client':>12}{'yes' if gathers else 'no':>9}" + "".join(cells), flush=True)
        more = middle(turns, rate, True, "p99_ms") - middle(turns, rate, False, "p99_ms")
        aims.append(Aim(f"gathering, {rate or 'one client'}: p99 longer by, ms", more, most=25 if rate else 5))
    for rate, least in ((500, 12), (2000, 40)):
        if rate in rates:
            found = middle(turns, rate, True, "logs_per_message")
            aims.append(Aim(f"gathering, {rate}: logs a message", found, least=least))
    return aims


def table():
    counted = multiprocessing.Array("Q", 3)
    port = free_port()
    sqs = multiprocessing.Process(target=serve, args=(port, counted), daemon=True)
    sqs.start()
    rates, turns = [None, *GATHER_RATES], []
    for number in range(ROUNDS):
        for rate in rates:
            for settings in (ALONE, GATHERED):
                turns.append(turn(rate, settings, port, counted))
                print(f"round {number + 1}: {turns[-1]}", flush=True)
    aims = tell(turns, rates)
    sqs.terminate()
    title = "gathering: single logs to SQS"
    return {"absent": {}, "cases": [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]}
