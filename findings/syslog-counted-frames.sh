#!/bin/bash
# Counted frames of syslog hold a line feed at their end, and MSG may begin with a space that nobody wrote.
#
# Octet counting (RFC 6587, 3.4.1) has no terminator: a frame is COUNT SP MSG. Still syslog-ng's syslog()
# ends each message with a line feed, and counts it; so does rsyslog with TCP_Framing="octet-counted" and
# its own template for RFC 5424, which also writes two spaces before the text (one is the template's, one
# that of the old format "TAG: text"). Both are allowed: they are a part of MSG, as the RFC has it. So a
# receiver that takes MSG as it is has messages that end with a line feed, and begin with a space by one
# sender and not by another.
set -euo pipefail
RSYSLOG=8.2302.0-1+deb12u2 SYSLOG_NG=3.38.1-5+deb12u1 # of Debian 12
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq rsyslog="$RSYSLOG" syslog-ng-core="$SYSLOG_NG" libestr0 libfastjson4 liblognorm5 \
    libivykis0 libnet1 libwrap0 libpcre3
for package in *.deb; do dpkg -x "$package" root; done
LIBRARIES=$folder/root/usr/lib/x86_64-linux-gnu:$folder/root/usr/lib/syslog-ng:$folder/root/lib/x86_64-linux-gnu
export LIBRARIES
python3 - <<'PY' | tee said
import os
import re
import socket
import subprocess
import time

TEXT = b"<12>Nov 28 00:00:00 shop: order placed"
ROOT = os.path.abspath("root")

RSYSLOG = """global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" socket="{folder}/rsyslog" unlink="on")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
    template="RSYSLOG_SyslogProtocol23Format")
"""
SYSLOG_NG = """@version: 3.38
source s {{ unix-dgram("{folder}/syslog-ng"); }};
destination d {{ syslog("127.0.0.1" port({port}) transport("tcp")); }};
log {{ source(s); destination(d); }};
"""


def frame_of(name, config, command):
    server = socket.create_server(("127.0.0.1", 0))
    folder = os.getcwd()
    with open(name + ".conf", "w") as file:
        file.write(config.format(folder=folder, port=server.getsockname()[1]))
    daemon = subprocess.Popen(command, env={"LD_LIBRARY_PATH": os.environ["LIBRARIES"]},
                              stderr=subprocess.DEVNULL)
    try:
        while not os.path.exists(name):
            time.sleep(0.05)
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(TEXT, name)
        server.settimeout(30)
        connection, _ = server.accept()
        received, head = b"", None
        while not head or len(received) < len(head[0]) + int(head[1]):
            received += connection.recv(1000)
            head = re.match(rb"(\d+) ", received)
        return received
    finally:
        daemon.kill()
        daemon.wait()


def show(name, frame):
    count, message = frame.split(b" ", 1)
    text = re.search(rb"\S+ shop \S+ \S+ (\[.*?\]|-)(.*)$", message, re.S).group(2)
    print(f"{name}: counts all of it: {int(count) == len(message)}; behind its head: {text}")


show("rsyslog", frame_of("rsyslog", RSYSLOG, [
    ROOT + "/usr/sbin/rsyslogd", "-n", "-f", "rsyslog.conf", "-i", os.path.abspath("rsyslog.pid"),
    "-M", ROOT + "/usr/lib/x86_64-linux-gnu/rsyslog"]))
show("syslog-ng", frame_of("syslog-ng", SYSLOG_NG, [
    ROOT + "/usr/sbin/syslog-ng", "-F", "-f", "syslog-ng.conf", "--no-caps",
    "--module-path=" + ROOT + "/usr/lib/syslog-ng/3.38", "--pidfile=ng.pid",
    "--persist-file=ng.persist", "--control=ng.ctl"]))
PY
echo "rsyslog $RSYSLOG, syslog-ng $SYSLOG_NG"
diff said - <<'TEXT'
rsyslog: counts all of it: True; behind its head: b'  order placed\n'
syslog-ng: counts all of it: True; behind its head: b' order placed\n'
TEXT
echo "as described"
