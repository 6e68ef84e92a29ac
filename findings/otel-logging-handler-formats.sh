#!/bin/bash
# OpenTelemetry's handler for Python's `logging` sends the message as the body, unless it was handed to
# `logging.basicConfig(handlers=[...])`: then all bodies are "WARNING:orders:the message".
#
# basicConfig gives each handler without a formatter its default one. Handlers that write lines want that;
# OpenTelemetry's formats a record if it has a formatter, and sends the text in place of the message, beside
# the level and the logger's name that it sends anyway. Searching for messages, or grouping by them, then
# fails without an error anywhere. `logging.getLogger().addHandler(...)` leaves it without one.
set -euo pipefail
INSTRUMENTATION=0.66b0 SDK=1.45.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "opentelemetry-sdk==$SDK" \
    "opentelemetry-instrumentation-logging==$INSTRUMENTATION"
env/bin/python - <<'PY' | tee said
import logging
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor


def body(how, add):
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    add(LoggingHandler(logger_provider=provider))
    logging.getLogger("orders").warning("order %d placed", 7)
    record = exporter.get_finished_logs()[0].log_record
    print(f"{how}: {record.severity_text} {record.body!r}")


body("addHandler", logging.getLogger().addHandler)
body("basicConfig", lambda handler: logging.basicConfig(handlers=[handler], force=True))
PY
diff said - <<'TEXT'
addHandler: WARN 'order 7 placed'
basicConfig: WARN 'WARNING:orders:order 7 placed'
TEXT
echo "as described, with version $INSTRUMENTATION"
