"""The contestants of table `search`: each loads a corpus once and is asked queries."""

import http.client
import json
import os
import subprocess
import time
import urllib.parse

import installs
from common import BEFORE, BENCH, LOGMILL, WORK, Unavailable, cpu_seconds, disk_bytes, free_port, memory_mib, start, stop
from search_corpora import DAY_US, SECOND_US, iso, parse_iso

REST_SECONDS, REST_MOST_SECONDS = 40, 600  # quiet for so long; waited for at most
REST_CPU_SHARE = 0.03
LIMIT = 100
CLICKHOUSE_INSERT = 200  # bodies at a time: it is not made for inserts of a thousand rows


class Contestant:
    """`key` names its directory, which is kept. `cpu_asked`: its CPU for loading is a figure."""

    key = name = "?"
    version = None
    cpu_asked = True

    def __init__(self, corpus):
        self.corpus = corpus
        self.dir = os.path.join(WORK, f"search-{corpus.name}", self.key)

    def load(self):
        """Takes all logs, and waits until it rests. Returns the figures."""
        began, before = time.monotonic(), self.cpu()
        for body in self.corpus.bodies():
            self.send(body)
        self.send(None)
        taken = time.monotonic() - began
        rested = self.rest()
        return {"cpu_seconds": self.cpu() - before, "load_seconds": taken, "rest_seconds": rested,
                "disk_bytes": self.disk(), "peak_mib": self.peak_mib()}  # fmt: skip

    def rest(self):
        """Waits until it neither computes nor writes; returns how long that took."""
        began = quiet = time.monotonic()
        cpu, size = self.cpu(), self.disk()
        while time.monotonic() < min(quiet + REST_SECONDS, began + REST_MOST_SECONDS):
            time.sleep(1)
            if self.cpu() - cpu > REST_CPU_SHARE * (time.monotonic() - quiet) + 0.02 or self.disk() != size:
                quiet, cpu, size = time.monotonic(), self.cpu(), self.disk()
        return quiet - began

    def disk(self):
        return disk_bytes(self.dir)

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def peak_mib(self):
        return memory_mib(self.process.pid, "VmHWM")

    def close(self):
        stop(self.process)


class OverHttp(Contestant):
    path = content_type = None

    def connect(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def request(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{self.name}: {answer.status}: {path}: {text[:300]}")
        return text

    def send(self, body):
        if body:
            self.request("POST", self.path, body, {"Content-Type": self.content_type})

    def ask(self, query):
        """Returns the milliseconds until the whole answer is there, and what it says."""
        path = self.path_of(query)
        began = time.perf_counter()
        text = self.request("GET", path)
        return (time.perf_counter() - began) * 1e3, self.parse(query, text)


class Logmill(OverHttp):
    key, name, program = "logmill", "logmill", LOGMILL
    path, content_type = "/logs", "application/x-ndjson"

    @staticmethod
    def prepare():
        pass

    def open(self, timeout=600):
        self.port = free_port()
        env = {"HOST": "127.0.0.1", "PORT": str(self.port), "DATA_DIR": self.dir, "LOG_LEVEL": "warn",
               "QUERY_TIMEOUT": str(timeout)}  # fmt: skip
        self.process = start([self.program, "serve"], env, self.port)
        self.connect()
        self.ids = {}

    def path_of(self, query):
        if query.ask == "one":
            return "/logs/" + self.id_of(query)
        since_us, until_us = query.since_us, query.until_us
        p = {}
        if query.ask == "list":
            p["limit"] = LIMIT
        else:
            low, high = self.corpus.span if query.ask == "count" else self.corpus.window
            since_us = low if since_us is None else since_us
            until_us = high + query.slack if until_us is None else until_us
            bucket_us = max(DAY_US, (until_us - since_us) // 900) if query.ask == "count" else self.corpus.bucket_us
            p["bucket"] = bucket_us // SECOND_US
        p |= {k: iso(v) for k, v in (("since", since_us), ("until", until_us)) if v is not None}
        if query.level:
            p["level"] = query.level
        if query.words or query.part:
            p["q"] = query.words or query.part
        if query.equals:
            p["attr." + query.equals[0]] = query.equals[1]
        return ("/logs?" if query.ask == "list" else "/logs/stats?") + urllib.parse.urlencode(p)

    def id_of(self, query):
        """Found once, and not measured."""
        if query.us not in self.ids:
            field, value = query.equals
            p = {"since": iso(query.us), "until": iso(query.us + 1), "attr." + field: value}
            found = json.loads(self.request("GET", "/logs?" + urllib.parse.urlencode(p)))["logs"]
            self.ids[query.us] = found[0]["id"]
        return self.ids[query.us]

    @staticmethod
    def parse(query, text):
        answer = json.loads(text)
        if query.ask == "one":
            return [parse_iso(answer["timestamp"])]
        if answer.get("searched_to"):
            raise RuntimeError(f"{query.name}: not searched to the end")
        if query.ask == "list":
            return sorted(parse_iso(log["timestamp"]) for log in answer["logs"])
        if query.ask == "count":
            return answer["total"]
        if query.ask == "times":
            return {parse_iso(b["timestamp"]): b["total"] for b in answer["buckets"] if b["total"]}
        return {(parse_iso(b["timestamp"]), level): n for b in answer["buckets"] for level, n in b["levels"].items() if n}


class Before(Logmill):
    key, name, program = "before", "the build before", BEFORE

    @staticmethod
    def prepare():
        if not BEFORE:
            raise Unavailable("BENCH_BEFORE does not name it")


class VictoriaLogs(OverHttp):
    """At its defaults, with all cores. It has no ids: a log is asked for by its time and what else
    makes it unique. A text that may begin within a word is its substring filter, whole words are its
    phrase filter, which its Bloom filters help."""

    key, name, version = "victoria-logs", "VictoriaLogs", installs.VICTORIA_LOGS
    content_type = "application/stream+json"
    prepare = staticmethod(installs.victoria_logs)

    def __init__(self, corpus):
        super().__init__(corpus)
        self.path = (f"/insert/jsonline?_stream_fields={corpus.service},{corpus.host}"
                     "&_time_field=timestamp&_msg_field=message")  # fmt: skip

    def open(self):
        self.port = free_port()
        command = [installs.victoria_logs(), f"-storageDataPath={self.dir}",
                   f"-httpListenAddr=127.0.0.1:{self.port}", "-loggerLevel=WARN"]  # fmt: skip
        if self.corpus.retention:
            command.append(f"-retentionPeriod={self.corpus.retention}")
        self.process = start(command, {}, self.port)
        self.connect()

    def path_of(self, query):
        q = []
        since_us, until_us = query.since_us, query.until_us
        if query.ask == "one":
            since_us, until_us = query.us, query.us + 1
        if since_us is not None:
            q.append(f"_time:[{iso(since_us)}, {iso(until_us)})")
        if query.equals:
            field, value = query.equals
            value = json.dumps(str(value))
            q.append(f"{{{field}={value}}}" if field in (self.corpus.service, self.corpus.host) else f"{field}:={value}")
        if query.level:
            q.append(f"level:={json.dumps(query.level)}")
        if query.words:
            q.append(json.dumps(query.words))
        if query.part:
            q.append(f"*{json.dumps(query.part)}*")
        text = " ".join(q) or "*"
        bucket = f"_time:{self.corpus.bucket_us // SECOND_US}s"
        text += {"count": " | count() n", "times": f" | stats by ({bucket}) count() n",
                 "levels": f" | stats by ({bucket}, level) count() n"}.get(query.ask, "")  # fmt: skip
        p = {"query": text} | ({"limit": LIMIT} if query.ask in ("list", "one") else {})
        return "/select/logsql/query?" + urllib.parse.urlencode(p)

    @staticmethod
    def parse(query, text):
        rows = [json.loads(line) for line in text.splitlines()]
        if query.ask == "count":
            return int(rows[0]["n"])
        if query.ask in ("list", "one"):
            return sorted(parse_iso(row["_time"]) for row in rows)
        time_of = lambda row: parse_iso(row["_time"])  # noqa: E731
        key = lambda row: (time_of(row), row["level"]) if query.ask == "levels" else time_of(row)  # noqa: E731
        return {key(row): int(row["n"]) for row in rows}


class ClickHouse(Contestant):
    """In a process of its own through chdb-core: a table as the exporter of the OpenTelemetry
    Collector makes it, ordered by service and time. It is given 200,000 logs an insert; its CPU for
    loading is not compared. Time counts in its process, so that it has no HTTP to pay."""

    key, name, version = "clickhouse", "ClickHouse", installs.CHDB
    cpu_asked = False
    prepare = staticmethod(installs.chdb)
    SETTINGS = "use_query_condition_cache = 0"
    TIME = "timestamp DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1))"
    COMMON = """level LowCardinality(String) CODEC(ZSTD(1)), message String CODEC(ZSTD(1)),
        {service} LowCardinality(String) CODEC(ZSTD(1)), {host} LowCardinality(String) CODEC(ZSTD(1)),"""
    OF_DAY = """trace String CODEC(ZSTD(1)), status Nullable(UInt16) CODEC(ZSTD(1)), ms Nullable(Float64) CODEC(ZSTD(1)),
        `order` Nullable(UInt64) CODEC(ZSTD(1)), attempt Nullable(UInt8) CODEC(ZSTD(1)),
        INDEX trace trace TYPE bloom_filter(0.001) GRANULARITY 1"""
    OF_EVENTS = """attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
        INDEX names mapKeys(attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX texts mapValues(attributes) TYPE bloom_filter(0.01) GRANULARITY 1"""

    def open(self):
        os.makedirs(self.dir, exist_ok=True)
        log = open(os.path.join(WORK, "clickhouse.log"), "ab")
        command = [installs.chdb(), os.path.join(BENCH, "chdb_worker.py"), os.path.join(self.dir, "data")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.waiting = []
        self.mapped = "attributes" in self.corpus.fields
        more = (self.COMMON + (self.OF_EVENTS if self.mapped else self.OF_DAY)).format(
            service=self.corpus.service, host=self.corpus.host)  # fmt: skip
        self.sql("CREATE DATABASE IF NOT EXISTS bench")
        self.sql(f"CREATE TABLE IF NOT EXISTS bench.logs ({self.TIME}, {more},"
                 "INDEX words message TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8)"
                 f"ENGINE = MergeTree ORDER BY ({self.corpus.service}, timestamp)")  # fmt: skip

    def sql(self, text, form="JSONCompactEachRow"):
        self.process.stdin.write(json.dumps({"sql": text, "format": form}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"ClickHouse: {answer['error'][:500]}: {text}")
        return answer

    def row(self, line):
        """An event whose other fields are a map of texts, objects flattened."""
        log, flat = json.loads(line), {}

        def put(name, value):
            if isinstance(value, dict):
                for key, inner in value.items():
                    put(f"{name}.{key}" if name else key, inner)
            else:
                flat[name] = value if isinstance(value, str) else json.dumps(value)

        put("", {k: v for k, v in log.items() if k not in self.corpus.fields})
        return json.dumps({k: log[k] for k in self.corpus.fields if k in log} | {"attributes": flat}).encode() + b"\n"

    def send(self, body):
        if body:
            self.waiting.append(b"".join(map(self.row, body.splitlines())) if self.mapped else body)
        if self.waiting and (not body or len(self.waiting) == CLICKHOUSE_INSERT):
            path = os.path.join(self.dir, "insert.ndjson")
            with open(path, "wb") as file:
                file.writelines(self.waiting)
            self.waiting = []
            self.sql(f"INSERT INTO bench.logs SELECT * FROM file('{path}', JSONEachRow, '{self.structure()}')"
                     " SETTINGS date_time_input_format = 'best_effort'")  # fmt: skip
            os.remove(path)

    def structure(self):
        kinds = {"timestamp": "DateTime64(6)", "status": "Nullable(UInt16)", "ms": "Nullable(Float64)",
                 "order": "Nullable(UInt64)", "attempt": "Nullable(UInt8)", "attributes": "Map(String, String)"}  # fmt: skip
        names = ["timestamp", "level", "message", self.corpus.service, self.corpus.host]
        names += [name for name in self.corpus.fields if name not in names]
        return ", ".join(f"`{name}` {kinds.get(name, 'String')}" for name in names)

    def rest(self):
        """Merged into one part, which it would not come to by itself: the most that it can."""
        began = time.monotonic()
        self.sql("OPTIMIZE TABLE bench.logs FINAL")
        for _ in range(REST_MOST_SECONDS):
            merging = self.sql("SELECT (SELECT count() FROM system.merges),"
                               "(SELECT count() FROM system.parts WHERE active AND table = 'logs')")  # fmt: skip
            if json.loads(merging["text"])[0] in (0, "0"):
                break
            time.sleep(1)
        return time.monotonic() - began

    def disk(self):
        """Of the parts that count: those that were merged are removed minutes later."""
        text = self.sql("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'logs'")["text"]
        return int(json.loads(text)[0])

    def ask(self, query):
        answer = self.sql(self.sql_of(query))
        return answer["ms"], self.parse(query, answer["text"])

    def sql_of(self, query):
        quote = lambda text: "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"  # noqa: E731
        where = []
        since_us, until_us = query.since_us, query.until_us
        if query.ask == "one":
            since_us, until_us = query.us, query.us + 1
        if since_us is not None:
            where += [f"timestamp >= fromUnixTimestamp64Micro({since_us}, 'UTC')",
                      f"timestamp < fromUnixTimestamp64Micro({until_us}, 'UTC')"]  # fmt: skip
        if query.equals:
            field, value = query.equals
            column = field if field in self.corpus.fields else f"attributes[{quote(field)}]"
            where.append(f"{column} = {quote(value)}")
        if query.level:
            where.append(f"level = {quote(query.level)}")
        if query.words or query.part:
            where.append(f"message LIKE {quote('%' + (query.words or query.part) + '%')}")
        tail = f" WHERE {' AND '.join(where)}" if where else ""
        end = f" SETTINGS {self.SETTINGS}"
        if query.ask in ("list", "one"):
            return f"SELECT * FROM bench.logs{tail} ORDER BY timestamp DESC LIMIT {LIMIT}{end}"
        if query.ask == "count":
            return f"SELECT count() FROM bench.logs{tail}{end}"
        seconds = self.corpus.bucket_us // SECOND_US
        by = f"intDiv(toUnixTimestamp(timestamp), {seconds})" + (", level" if query.ask == "levels" else "")
        return f"SELECT count(), {by} FROM bench.logs{tail} GROUP BY {by}{end}"

    def parse(self, query, text):
        rows = [json.loads(line) for line in text.splitlines()]
        if query.ask == "count":
            return int(rows[0][0])
        if query.ask in ("list", "one"):
            return sorted(parse_iso(row[0].replace(" ", "T")) for row in rows)
        bucket_us = self.corpus.bucket_us
        key = lambda row: (row[1] * bucket_us, row[2]) if query.ask == "levels" else row[1] * bucket_us  # noqa: E731
        return {key(row): int(row[0]) for row in rows}

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


CLASSES = {"serve": Logmill, "before": Before, "victoria-logs": VictoriaLogs, "clickhouse": ClickHouse}
