#!/bin/bash
# VictoriaLogs: a log without the field counts in quantile(), median() and min() as the lowest value, in avg() not.
#
# Of 14 logs five have ms, 1 to 5. avg(ms) is 3, max(ms) 5, count(ms) 5. quantile(0.9, ms) is 4 and not 5,
# since nine empty values are sorted before them; median(ms) and min(ms) are empty values themselves, and so are
# not in the answer at all. What is meant needs a filter: `ms:* | stats quantile(…)`. So a percentile over logs
# of which only some carry the number (a duration, beside lines without one) is too low, and says nothing of it.
set -euo pipefail
VICTORIA_LOGS=v1.52.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
GOBIN=$folder GOFLAGS=-buildvcs=false go install \
    "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@$VICTORIA_LOGS"
python3 - "$VICTORIA_LOGS" <<'PY'
import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

with socket.create_server(("127.0.0.1", 0)) as free:
    ADDRESS = "127.0.0.1:%d" % free.getsockname()[1]
server = subprocess.Popen(["./victoria-logs", "-storageDataPath=data", "-httpListenAddr=" + ADDRESS],
                          stderr=subprocess.DEVNULL)


def call(path, body=b"", kind="application/x-www-form-urlencoded"):
    request = urllib.request.Request(f"http://{ADDRESS}{path}", body, {"Content-Type": kind})
    return urllib.request.urlopen(request, timeout=10).read()


def ask(query):
    answer = call("/select/logsql/query", urllib.parse.urlencode({"query": query}).encode())
    return json.loads(answer) if answer else {}


def wait(what):
    for _ in range(300):
        try:
            if what():
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit("it did not answer in 30 s")


try:
    wait(lambda: call("/health") == b"OK")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    logs = [{"_time": now, "_msg": "done", "ms": str(n)} for n in range(1, 6)]
    logs += [{"_time": now, "_msg": "begun"}] * 9
    call("/insert/jsonline", "\n".join(map(json.dumps, logs)).encode(),
         "application/stream+json")
    wait(lambda: ask("* | stats count() n") == {"n": "14"})
    stats = ("stats avg(ms) avg, max(ms) max, count(ms) count, "
             "min(ms) min, median(ms) median, quantile(0.9, ms) p90")
    everything, having = ask("* | " + stats), ask("ms:* | " + stats)
finally:
    server.terminate()
    server.wait()

print("VictoriaLogs", sys.argv[1])
print("14 logs, of which 5 have ms:", json.dumps(everything, sort_keys=True))
print("asked with ms:*            :", json.dumps(having, sort_keys=True))
assert everything == {"avg": "3", "max": "5", "count": "5", "p90": "4"}, everything
assert having == {"avg": "3", "max": "5", "count": "5", "min": "1", "median": "3", "p90": "5"}, having
PY
