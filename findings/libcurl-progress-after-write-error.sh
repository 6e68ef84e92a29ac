#!/bin/bash
# libcurl calls the progress function once more after the write function has ended the transfer.
#
# A write function that returns less than it was given ends the transfer (CURLE_WRITE_ERROR). Who keeps
# its own reason beside it, and lets the progress function say afresh "go on" or "stop, because …", finds
# that reason overwritten: the progress function is asked again behind the error, though nothing is to go
# on any more. The reason has to be kept by whoever set it first.
set -euo pipefail
VERSION=7.45.7 # pycurl, whose wheel brings libcurl along
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary :all: "pycurl==$VERSION"
env/bin/python - <<'PY' | tee said
import http.server
import threading

import pycurl


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(pycurl.version.split()[1])
calls = []


def on_data(data):
    calls.append("write function ends it")
    return 0


def on_progress(*_):
    if not calls or calls[-1] != "progress function":
        calls.append("progress function")
    return 0


handle = pycurl.Curl()
handle.setopt(pycurl.URL, f"http://127.0.0.1:{server.server_port}/")
handle.setopt(pycurl.WRITEFUNCTION, on_data)
handle.setopt(pycurl.XFERINFOFUNCTION, on_progress)
handle.setopt(pycurl.NOPROGRESS, False)
try:
    handle.perform()
except pycurl.error as error:
    calls.append(f"error {error.args[0]}")
print("\n".join(calls))
PY
diff - <(tail -n +2 said) <<'TEXT'
progress function
write function ends it
progress function
error 23
TEXT
echo "as described"
