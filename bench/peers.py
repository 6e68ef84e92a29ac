"""Other programs that take logs, each as its own documentation recommends to run it on one machine."""

import json
import os
import re
import signal
import subprocess

import corpus
import installs
import load
from common import free_port, fresh_dir, wait_for
from servers import Nginx, Server


class VictoriaLogs(Server):
    """All settings at their defaults. Streams are told apart by the service, as its documentation
    recommends for fields that name where a log comes from."""

    name = "VictoriaLogs"
    promise = "in memory; on the disk within 5 s (-inmemoryDataFlushInterval)"
    version = installs.VICTORIA_LOGS
    ROUTE = "/insert/jsonline?_stream_fields=service&_time_field=timestamp&_msg_field=message"

    prepare = staticmethod(installs.victoria_logs)

    def __init__(self):
        program, port, directory = installs.victoria_logs(), free_port(), fresh_dir("victoria-logs")
        data = os.path.join(directory, "data")
        command = [program, f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=WARN"]
        super().__init__(command, port, {}, directory)

    def route(self, size):
        return self.ROUTE, "application/stream+json", "ndjson", "iso"

    def count(self):
        text = self.get("/select/logsql/query?query=*%20%7C%20stats%20count()%20n")
        return int(json.loads(text)["n"]) if text.strip() else 0

    def settle(self):
        def flushed():
            m = self.metrics()
            taken = sum(v for k, v in m.items() if k.startswith("vl_rows_ingested_total"))
            return m['vl_storage_rows{type="storage/inmemory"}'] == 0 and self.count() >= taken

        wait_for("VictoriaLogs has flushed", flushed)
        return self.count()


class Rsyslog(Server):
    """Lines over TCP (imptcp), a main queue in memory that goes on on the disk when it is full, and a
    file. TCP tells the sender nothing, so that its rate is that of the lines in the file."""

    name = "rsyslog"
    promise = "no answer; a file, not fsynced"
    CONFIG = """
global(workDirectory="@DIR@" maxMessageSize="64k")
module(load="imptcp" threads="2")
main_queue(queue.type="LinkedList" queue.size="200000" queue.filename="main" queue.maxDiskSpace="8g"
           queue.dequeueBatchSize="2048" queue.saveOnShutdown="on" queue.timeoutEnqueue="60000")
input(type="imptcp" address="127.0.0.1" port="@PORT@" socketBacklog="1024")
*.* action(type="omfile" file="@DIR@/logs" template="RSYSLOG_FileFormat" flushOnTXEnd="off" ioBufferSize="64k")
"""

    prepare = staticmethod(installs.rsyslog)

    def __init__(self):
        program, port, directory = installs.rsyslog(), free_port(), fresh_dir("rsyslog")
        self.file = os.path.join(directory, "logs")
        config = os.path.join(directory, "rsyslog.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(self.CONFIG.replace("@DIR@", directory).replace("@PORT@", str(port)))
        said = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stdout
        self.version = re.search(r"rsyslogd\s+(\S+)", said)[1]
        self.sent = self.size = 0
        super().__init__([program, "-n", "-f", config, "-i", os.path.join(directory, "pid")], port, {}, directory)

    def load(self, size, seconds, connections):
        summary = load.tcp(self.port, seconds, connections, corpus.write_requests("syslog", size))
        self.sent += summary["requests"] * size
        return summary

    def count(self):
        if not os.path.exists(self.file):
            return 0
        return int(subprocess.run(["wc", "-l", self.file], check=True, capture_output=True).stdout.split()[0])

    def settle(self):
        """Once the file no longer grows, HUP makes rsyslog write what its buffer still has."""

        def written():
            size, self.size = self.size, os.path.getsize(self.file) if os.path.exists(self.file) else 0
            if size != self.size:
                return False
            self.process.send_signal(signal.SIGHUP)
            return self.count() >= self.sent

        wait_for("rsyslog has written all lines", written)
        return self.count()


class Collector(Server):
    """OTLP over HTTP into a sending queue on the disk; behind it nginx takes all and drops it."""

    name = "OpenTelemetry Collector"
    version = installs.COLLECTOR
    promise = "in the queue's file, not fsynced (file_storage, fsync: false)"
    CONFIG = """
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:@PORT@"}}}}
extensions: {file_storage: {directory: "@DIR@/queue", create_directory: true}}
exporters:
  otlp_http:
    endpoint: "http://127.0.0.1:@SINK@"
    encoding: proto
    compression: none
    sending_queue: {storage: file_storage, queue_size: 100000, block_on_overflow: true}
service:
  extensions: [file_storage]
  telemetry:
    logs: {level: warn}
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: @METRICS@}}}}]
  pipelines: {logs: {receivers: [otlp], exporters: [otlp_http]}}
"""

    prepare = staticmethod(installs.collector)

    def __init__(self):
        program = installs.collector()
        self.sink = Nginx()
        port, self.metrics_port, directory = free_port(), free_port(), fresh_dir("otelcol")
        config = os.path.join(directory, "config.yaml")
        places = {"@DIR@": directory, "@PORT@": port, "@SINK@": self.sink.port, "@METRICS@": self.metrics_port}
        with open(config, "w", encoding="utf-8") as out:
            out.write(re.sub("@[A-Z]+@", lambda place: str(places[place[0]]), self.CONFIG))
        super().__init__([program, "--config", config], port, {}, directory)

    def route(self, size):
        return "/v1/logs", "application/json", "otlp", "ns"

    def settle(self):
        def sent():
            port, self.port = self.port, self.metrics_port
            try:
                m = self.metrics()
            finally:
                self.port = port
            total = {key: sum(v for k, v in m.items() if k.startswith(key)) for key in (
                "otelcol_receiver_accepted_log_records", "otelcol_exporter_sent_log_records")}  # fmt: skip
            taken, gone = total.values()
            return gone if gone >= taken else 0

        return int(wait_for("the collector has sent all", sent))

    def disk(self):
        return None

    def stop(self):
        super().stop()
        self.sink.stop()
