#!/bin/bash
# Python's SysLogHandler over TCP ends messages with NUL, and never connects again.
#
# Elsewhere messages of syslog in a stream end with a line feed, or have a count before them (RFC 6587).
# Python's standard library ends each with a zero byte, and leaves line feeds as they are: who reads lines
# makes one log of all, or many logs of a traceback. And when the receiver closes the connection, the
# handler goes on writing to the dead socket: all that is logged from then on is lost until the program is
# started again, though the receiver has been back for long. So a receiver that restarts should hand its
# open connections over rather than close them.
set -euo pipefail
VERSION=3.11.2-6+deb12u9 # of Debian 12
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq python3.11-minimal="$VERSION" libpython3.11-minimal="$VERSION" \
    libpython3.11-stdlib="$VERSION"
for package in *.deb; do dpkg -x "$package" root; done
PYTHONHOME=$folder/root/usr root/usr/bin/python3.11 - <<'PY' | tee said
import logging
import logging.handlers
import platform
import socket

logging.raiseExceptions = False  # else each failure is a traceback on stderr
print(platform.python_version())
server = socket.create_server(("127.0.0.1", 0))
handler = logging.handlers.SysLogHandler(server.getsockname(), socktype=socket.SOCK_STREAM)
log = logging.getLogger("shop")
log.setLevel(logging.INFO)
log.addHandler(handler)
connection, _ = server.accept()
log.info("line one\nline two")
log.info("next")
received = b""
while received.count(b"\0") < 2:
    received += connection.recv(1000)
print(received)

connection.close()
server.settimeout(0.1)
for i in range(20):
    log.info("after it %d", i)
    try:
        server.accept()
        print("it connects again")
        break
    except TimeoutError:
        pass
else:
    print("20 messages later it has not connected again")
PY
diff - <(tail -n +2 said) <<'TEXT'
b'<14>line one\nline two\x00<14>next\x00'
20 messages later it has not connected again
TEXT
echo "as described"
