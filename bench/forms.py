"""The logs of the corpus in the forms of other programs' protocols, as bodies of bytes.

Each form is a function from logs, with the time of each in nanoseconds, to a body. The times are
whole milliseconds: finer ones would let a receiver take a body that is sent again for a repeat. A
log has the same text, level, time and five to seven attributes in each form. In Loki's, the level
and the service are labels, the rest is structured metadata.
"""

import ctypes
import datetime
import functools
import struct

from corpus import compact
from common import Unavailable

ATTRIBUTES_NOT = ("level", "message")


def attributes(log):
    return {k: v for k, v in log.items() if k not in ATTRIBUTES_NOT}


def iso(ns):
    at = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ns // 10**6 % 1000:03}Z"


# ---- Lines of JSON ----


def ndjson(logs):
    return "".join(compact({"timestamp": iso(ns)} | log) + "\n" for log, ns in logs).encode()


def bulk(logs):
    documents = (compact({"@timestamp": iso(ns)} | log) for log, ns in logs)
    return "".join('{"create":{"_index":"logs"}}\n' + document + "\n" for document in documents).encode()


def otlp_json_value(value):
    return {"intValue": str(value)} if isinstance(value, int) else (
        {"doubleValue": value} if isinstance(value, float) else {"stringValue": value})  # fmt: skip


def otlp_json(logs):
    records = [{
        "timeUnixNano": str(ns), "severityText": log["level"], "body": {"stringValue": log["message"]},
        "attributes": [{"key": k, "value": otlp_json_value(v)} for k, v in attributes(log).items()],
    } for log, ns in logs]  # fmt: skip
    return compact({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()


# ---- Protocol buffers ----


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, data):
    """Of bytes, or of a text."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def otlp_value(value):
    if isinstance(value, int):
        return varint(3 << 3) + varint(value)
    if isinstance(value, float):
        return varint(4 << 3 | 1) + struct.pack("<d", value)
    return field(1, value)


def otlp_record(log, ns):
    return (
        varint(1 << 3 | 1) + struct.pack("<Q", ns) + field(3, log["level"]) + field(5, field(1, log["message"]))
        + b"".join(field(6, field(1, k) + field(2, otlp_value(v))) for k, v in attributes(log).items())
    )  # fmt: skip


def otlp(logs):
    return field(1, field(2, b"".join(field(2, otlp_record(log, ns)) for log, ns in logs)))


@functools.cache
def libsnappy():
    try:
        return ctypes.CDLL("libsnappy.so.1")
    except OSError as why:
        raise Unavailable("libsnappy is not installed (Debian's package libsnappy1v5)") from why


def snappy(data):
    size = ctypes.c_size_t(libsnappy().snappy_max_compressed_length(ctypes.c_size_t(len(data))))
    out = ctypes.create_string_buffer(size.value)
    if libsnappy().snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size)) != 0:
        raise ValueError("snappy")
    return out.raw[: size.value]


def loki_entry(log, ns):
    time = varint(1 << 3) + varint(ns // 10**9) + varint(2 << 3) + varint(ns % 10**9)
    more = {k: v for k, v in attributes(log).items() if k != "service"}
    return field(1, time) + field(2, log["message"]) + b"".join(
        field(3, field(1, k) + field(2, str(v))) for k, v in more.items())  # fmt: skip


def loki(logs):
    streams = {}
    for log, ns in logs:
        labels = f'{{service="{log["service"]}",level="{log["level"]}"}}'
        streams.setdefault(labels, []).append(loki_entry(log, ns))
    pushed = (field(1, labels) + b"".join(field(2, e) for e in entries) for labels, entries in streams.items())
    return snappy(b"".join(field(1, stream) for stream in pushed))


# ---- Syslog ----

SEVERITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3}


def syslog(logs):
    """RFC 5424, a line each, with the log's attributes as structured data."""

    def quoted(value):
        return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")

    lines = []
    for log, ns in logs:
        more = {k: v for k, v in attributes(log).items() if k not in ("service", "host")}
        data = " ".join(f'{k}="{quoted(v)}"' for k, v in more.items())
        text = log["message"].replace("\n", " ")
        lines.append(f"<{16 * 8 + SEVERITIES[log['level']]}>1 {iso(ns)} {log['host']} {log['service']} - - "
                     f"[bench@32473 {data}] {text}\n")  # fmt: skip
    return "".join(lines).encode()
