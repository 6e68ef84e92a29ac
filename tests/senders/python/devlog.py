"""Writes logs FIRST … FIRST + COUNT - 1 to a socket as /dev/log is one, as programs do by syslog(3):

    python devlog.py SOCKET NAME FIRST COUNT

Waits for the socket, and for room in it; ends when all are written.
"""

import socket
import sys
import time

SLICE = 50
PAUSE = 0.02
SEVERITIES = (6, 4, 3)
USER = 1 << 3

path, name, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def connect():
    while True:
        try:
            return out.connect(path)
        except OSError:
            time.sleep(0.05)


connect()
for n in range(first, first + count):
    now = time.time()
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(now))
    line = f"<{USER + SEVERITIES[n % 3]}>{stamp} shop: {name} #{n}. at {int(now * 1000)}".encode()
    while True:
        try:
            out.send(line)
            break
        except OSError:
            connect()
    if n % SLICE == SLICE - 1:
        time.sleep(PAUSE)
