"""Posts logs FIRST … FIRST + COUNT - 1 to an agent, JSON objects, one a line, until each was taken:

    python posts.py URL NAME FIRST COUNT
"""

import datetime
import json
import sys
import time
import urllib.request

SLICE = 50
PAUSE = 0.02

url, name, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
lines = []
for n in range(first, first + count):
    now = datetime.datetime.now(datetime.timezone.utc)
    message = f"{name} #{n}. at {int(now.timestamp() * 1000)}"
    level = ("info", "warning", "error")[n % 3]
    lines.append(json.dumps({"_time": now.isoformat(), "level": level, "_msg": message, "n": n}))
    if len(lines) == SLICE or n == first + count - 1:
        body = "\n".join(lines).encode()
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}))
                break
            except OSError:
                time.sleep(0.1)
        lines.clear()
        time.sleep(PAUSE)
