#!/bin/bash
# rsyslog's omelasticsearch (bulkmode) does not look at the HTTP status: a 503 or 429 with an empty body is a
# success to it, and the messages are gone; one with a JSON body drops them, too, whatever resumeRetryCount
# says.
#
# action.resumeRetryCount="-1" promises to try for ever, which holds for connections that are refused or
# break, and not for answers. An Elasticsearch behind a load balancer that answers for it (503, no body) loses
# all that is sent meanwhile, and rsyslog's statistics count it as done.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download -q rsyslog rsyslog-elasticsearch >/dev/null 2>&1
for file in *.deb; do dpkg -x "$file" root; done
dpkg-deb -f rsyslog-elasticsearch_*.deb Version
cat >try.py <<'PY'
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time

folder = os.getcwd()
modules = f"{folder}/root/usr/lib/x86_64-linux-gnu/rsyslog"
answers, bodies = [], []


class Elasticsearch(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, body = answers[0] if len(bodies) < 3 else (200, '{"errors":false,"items":[{"index":{"status":201}}]}')
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elasticsearch)
threading.Thread(target=server.serve_forever, daemon=True).start()
for answer in ((503, ""), (429, ""), (503, '{"error":"busy","status":503}'), (0, "")):
    answers[:] = [answer]
    bodies.clear()
    with open("conf", "w") as conf:
        conf.write(f"""
            global(workDirectory="{folder}")
            module(load="imuxsock" SysSock.Use="off")
            module(load="omelasticsearch")
            input(type="imuxsock" socket="{folder}/log" unlink="on")
            action(type="omelasticsearch" server="127.0.0.1" serverport="{server.server_port}" bulkmode="on"
                searchType="" action.resumeRetryCount="-1" action.resumeInterval="1")""")
    daemon = subprocess.Popen(["root/usr/sbin/rsyslogd", "-n", "-f", "conf", "-i", "pid", "-M", modules],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists("log"):
        time.sleep(0.1)
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    out.connect("log")
    out.send(b"<14>Nov 28 12:00:00 shop: order one")
    time.sleep(10)
    daemon.send_signal(signal.SIGTERM)
    daemon.wait()
    if os.path.exists("log"):
        os.unlink("log")
    times = sum("order one" in body for body in bodies)
    said = f"{answer[0]} {answer[1]!r}" if answer[0] else "the connection closed"
    print(f"{said}: order one was sent {'once, and no more' if times == 1 else 'again'}")
PY
python3 try.py | tee said
diff said - <<'TEXT'
503 '': order one was sent once, and no more
429 '': order one was sent once, and no more
503 '{"error":"busy","status":503}': order one was sent once, and no more
the connection closed: order one was sent again
TEXT
echo "as described"
