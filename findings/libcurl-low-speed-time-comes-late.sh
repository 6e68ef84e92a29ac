#!/bin/bash
# libcurl's CURLOPT_LOW_SPEED_TIME gives a POST that hangs up six seconds late: with 2 s, and
# CURLOPT_LOW_SPEED_LIMIT 1, a server that takes it and says nothing is left after 8 s.
#
# "Below the limit for so many seconds" is not counted from the last byte. The speed is the mean of the
# last five or six seconds, in which the bytes of the body that were sent count as well: a few hundred
# keep it above 1 byte a second until they have left that window, and the seconds are counted from then.
# A request without a body is left in time. Of a time-out of 10 s in all, one attempt that hangs takes
# nearly everything.
set -euo pipefail
VERSION=7.45.7 # pycurl, whose wheel brings libcurl along
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary :all: "pycurl==$VERSION"
env/bin/python - <<'PY' | tee said
import socket
import time

import pycurl

SECONDS = 2
listener = socket.create_server(("127.0.0.1", 0))  # takes what comes, and never answers
print(pycurl.version.split()[1])
for name, body in (("a request without a body", None), ("with a body of 400 bytes", b"x" * 400)):
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, f"http://127.0.0.1:{listener.getsockname()[1]}/")
    handle.setopt(pycurl.LOW_SPEED_LIMIT, 1)
    handle.setopt(pycurl.LOW_SPEED_TIME, SECONDS)
    if body:
        handle.setopt(pycurl.POSTFIELDS, body)
    began = time.monotonic()
    try:
        handle.perform()
    except pycurl.error as error:
        late = time.monotonic() - began - SECONDS
        print(f"{name}: error {error.args[0]}, {'more' if late > 4 else 'less'} than 4 s late")
        print(f"  {late:.1f} s late")
PY
diff - <(grep than said) <<'TEXT'
a request without a body: error 28, less than 4 s late
with a body of 400 bytes: error 28, more than 4 s late
TEXT
echo "as described"
