"""What table `search` loads and asks: logs as bodies of NDJSON, and twelve queries in variants.

`Day` is the corpus of corpus.py as one day of logs, each with a time of its own: evenly many an
hour, but at chance distances. Its 200,000 texts come again and again, each time with other traces
and other long numbers in the messages. `Events` are real ones, a file of NDJSON (SEARCH_EVENTS).

    bench/search_corpora.py LOGS|FILE      prints them: for bench/block_loop
"""

import collections
import datetime
import itertools
import json
import os
import random
import re
import subprocess
import sys

import corpus
from common import WORK

DAY_US = 86_400_000_000
HOUR_US, SECOND_US = DAY_US // 24, 1_000_000
BODY = 1000
VARIANTS = 6  # the first warms up

# Stand in a body where each pass over the texts puts other digits, other hex digits, and the time.
DIGIT, HEX, TIME = 0x80, 0x90, b"\1"
ABSENT = ["quetzal", "xylophon", "brontosaur", "kumquat", "zeppelin", "wombats"]  # parts of no word


def iso(us):
    time = datetime.datetime.fromtimestamp(us // SECOND_US, datetime.timezone.utc)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{us % SECOND_US:06}Z"


def parse_iso(text):
    """Microseconds; whatever is finer is cut off."""
    second, _, fraction = text.rstrip("Z").partition(".")
    time = datetime.datetime.fromisoformat(second).replace(tzinfo=datetime.timezone.utc)
    return int(time.timestamp()) * SECOND_US + int((fraction + "000000")[:6])


class Query:
    """What is asked, in nobody's language. `ask` is one of

    list     the newest 100, whole
    one      one log: by its id where a contestant has ids; by `us`, its time, and `equals` elsewhere
    count    how many in all
    levels   how many for each bucket of time (5 minutes, of the corpus of one day) and level
    times    how many for each bucket

    Conditions: `since_us` and `until_us`, `level`, `equals` (field, value), `words` (whole ones, in
    this order, in the message) or `part` (of the message, wherever in a word it begins). Both are
    found by the same search in logmill. `slack` is added to the end of the time of all logs by who
    might remember an answer."""

    def __init__(self, name, ask, slack=0, **conditions):
        self.name, self.ask, self.slack, self.conditions = name, ask, slack, conditions

    def __getattr__(self, name):
        if name not in ("since_us", "until_us", "level", "equals", "words", "part", "us"):
            raise AttributeError(name)
        return self.conditions.get(name)


class Day:
    fields = ["timestamp", "level", "message", "service", "host", "trace", "status", "ms", "order", "attempt"]
    service, host, bucket_us = "service", "host", 300 * SECOND_US
    retention = None

    def __init__(self, logs):
        self.name, self.title, self.logs = f"day-{logs}", f"{logs:,} logs of one day", logs
        self.templates = None
        self.start_us = self.window_start()
        self.window = (self.start_us, self.start_us + DAY_US)  # what histograms show
        self.span = self.window  # in which all logs are

    def window_start(self):
        """The day is yesterday, or one of the last few days for which logs are kept already."""
        path = os.path.join(WORK, f"search-{self.name}-start")
        today_us = int(datetime.datetime.now(datetime.timezone.utc).timestamp()) * SECOND_US // DAY_US * DAY_US
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                start_us = int(file.read())
            if start_us >= today_us - 4 * DAY_US:  # VictoriaLogs keeps seven days
                return start_us
        with open(path, "w", encoding="ascii") as file:
            file.write(str(today_us - DAY_US))
        return today_us - DAY_US

    @staticmethod
    def template(log):
        """A line with a mark where its time is to stand, and marks for digits that vary."""
        digits = lambda found: found[0][:1] + "".join(chr(DIGIT + int(d)) for d in found[0][1:])  # noqa: E731
        message = re.sub(r"\d{5,}", digits, log["message"])
        trace = "".join(chr(HEX + int(d, 16)) for d in log["trace"])
        entry = {"timestamp": "\1"} | log | {"message": message, "trace": trace}
        line = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).replace("\\u0001", "\1")
        return line.encode("latin-1")

    def body(self, number):
        """The NDJSON of logs number * 1000 and on, and their times."""
        if not self.templates:
            lines = [self.template(log) for log in corpus.logs(corpus.LOGS)]
            self.templates = [b"\n".join(lines[i : i + BODY]) + b"\n" for i in range(0, len(lines), BODY)]
        repeat, place = divmod(number, len(self.templates))
        r = random.Random(repeat)
        table = bytearray(range(256))
        table[DIGIT : DIGIT + 10] = bytes(r.sample(b"0123456789", 10))
        table[HEX : HEX + 16] = bytes(r.sample(b"0123456789abcdef", 16))
        texts = self.templates[place].translate(table).split(TIME)
        step = DAY_US * BODY // self.logs
        first = self.start_us + number * step
        times = [first + us for us in sorted(random.Random(number).sample(range(step), BODY))]
        return b"".join(itertools.chain.from_iterable(zip(texts, self.stamps(times)))) + texts[-1], times

    @staticmethod
    def stamps(times):
        second, text = None, b""
        for us in times:
            if us // SECOND_US != second:
                second = us // SECOND_US
                text = iso(us)[:20].encode()
            yield text + b"%06dZ" % (us % SECOND_US)

    def bodies(self):
        for number in range(self.logs // BODY):
            yield self.body(number)[0]

    def one(self, variant, begins):
        """A log of some body whose message begins so."""
        body, _ = self.body((2 * variant + 1) * (self.logs // BODY) // (2 * VARIANTS + 1))
        return next(log for log in map(json.loads, body.splitlines()) if log["message"].startswith(begins))

    def queries(self, variant):
        order, other = self.one(variant, "order "), self.one(variant, "GET ")
        number, customer = re.match(r"order (\d+) of customer (\d+)", order["message"]).groups()
        hour_us = self.start_us + (5 + 3 * variant) % 24 * HOUR_US
        return [
            Query("newest 100", "list", variant),
            Query("count of all", "count", variant),
            Query("histogram by level", "levels", variant),
            Query("histogram of errors", "times", variant, level="error"),
            Query("rare text", "list", variant, part=number[1:7]),
            Query("rare phrase", "list", variant, words=f"customer {customer} placed"),
            Query("text in no log", "list", variant, part=ABSENT[variant]),
            Query("trace id", "list", variant, equals=("trace", other["trace"])),
            Query("service and level", "list", variant, equals=("service", corpus.SERVICES[variant]), level="error"),
            Query("histogram of a text", "times", variant, words="placed"),
            Query("an hour of errors", "list", since_us=hour_us, until_us=hour_us + HOUR_US, level="error",
                  words="deadline exceeded"),
            Query("log by id", "one", us=parse_iso(other["timestamp"]), equals=("trace", other["trace"])),
        ]  # fmt: skip


class Events:
    """Windows events as several shippers write them, with our names for what we name: level, message,
    timestamp, and, for who wants them told apart, SourceName and Hostname."""

    fields = ["timestamp", "level", "message", "SourceName", "Hostname", "attributes"]
    service, host, bucket_us = "SourceName", "Hostname", 7 * DAY_US
    retention = "100y"  # they are of 2019 to 2022
    NAMES = {"level": ("level", "Level", "Severity"), "message": ("message", "Message"),
             "timestamp": ("@timestamp",), "SourceName": ("SourceName", "source_name"),
             "Hostname": ("Hostname", "computer_name"), "RecordNumber": ("RecordNumber", "record_number")}  # fmt: skip

    def __init__(self, path):
        self.name, self.path = "events", path
        self.lines = [json.dumps(self.log(line), separators=(",", ":"), ensure_ascii=False) for line in self.read()]
        self.logs = len(self.lines)
        self.title = f"{self.logs:,} real events"
        times = [parse_iso(json.loads(line)["timestamp"]) for line in (self.lines[0], self.lines[-1])]
        self.span = (times[0], times[1] + 1)
        self.window = (self.span[0] // self.bucket_us * self.bucket_us, self.span[1])
        hours = collections.Counter(line[14:27] for line in self.lines if '"message":"Image loaded' in line)
        self.hour_us = parse_iso(hours.most_common(1)[0][0] + ":00:00")

    def read(self):
        command = ["zstd", "-dc", "--long=27", self.path] if self.path.endswith(".zst") else ["cat", self.path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            yield from process.stdout

    def log(self, line):
        event = json.loads(line)
        log = {}
        for ours, names in self.NAMES.items():
            found = [event.pop(name) for name in names if name in event]
            log[ours] = found[0] if found else ""
        log["level"] = str(log["level"] or "none").lower()
        return {"timestamp": log.pop("timestamp")} | log | event

    def bodies(self):
        """Of at most a thousand logs, and of a size that is taken."""
        part, size = [], 0
        for line in self.lines:
            if part and (len(part) == BODY or size + len(line) > 900_000):
                yield ("\n".join(part) + "\n").encode()
                part, size = [], 0
            part.append(line)
            size += len(line.encode()) + 1
        yield ("\n".join(part) + "\n").encode()

    def one(self, variant, field, text=""):
        """A log from some place on that has `text` in a field."""
        logs = map(json.loads, self.lines[(2 * variant + 1) * self.logs // (3 * VARIANTS) :])
        return next(log for log in logs if log.get(field) and text in str(log[field]))

    def queries(self, variant):
        guid, one = (self.one(variant, field) for field in ("ProcessGuid", "RecordNumber"))
        moment = re.search(r"UtcTime: (20[-\d]+ [:\d]+\.\d+)", self.one(variant, "message", "UtcTime: 20")["message"])[1]
        hour_us = self.hour_us + variant
        return [
            Query("newest 100", "list", variant),
            Query("count of all", "count", variant),
            Query("histogram by level", "levels", variant),
            Query("histogram of errors", "times", variant, level="error"),
            Query("rare text", "list", variant, part=moment[12:]),
            Query("rare phrase", "list", variant, words=f"UtcTime: {moment}"),
            Query("text in no log", "list", variant, part=ABSENT[variant]),
            Query("trace id", "list", variant, equals=("ProcessGuid", guid["ProcessGuid"])),
            Query("service and level", "list", variant, equals=("SourceName", "PowerShell"), level="4"),
            Query("histogram of a text", "times", variant, words="Registry value set"),
            Query("an hour of errors", "list", since_us=hour_us, until_us=hour_us + HOUR_US, level="info",
                  words="Image loaded"),
            Query("log by id", "one", us=parse_iso(one["timestamp"]),
                  equals=("RecordNumber", one["RecordNumber"])),
        ]  # fmt: skip


if __name__ == "__main__":
    os.makedirs(WORK, exist_ok=True)
    what = sys.argv[1]
    for printed in (Day(int(what)) if what.isdigit() else Events(what)).bodies():
        sys.stdout.buffer.write(printed)
