"""Writes logs FIRST … FIRST + COUNT - 1 to a file, a JSON object a line, as programs do, or, if the file is
below a folder "pods", as a container runtime writes what a container prints:

    python lines.py FILE NAME FIRST COUNT
"""

import datetime
import json
import sys
import time

SLICE = 50
PAUSE = 0.02

path, name, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with open(path, "a", encoding="utf-8") as out:
    for n in range(first, first + count):
        now = datetime.datetime.now(datetime.timezone.utc)
        message = f"{name} #{n}. at {int(now.timestamp() * 1000)}"
        level = ("info", "warn", "error")[n % 3]
        if "/pods/" in path:
            line = f"{now.isoformat()} stdout F {message}"
        else:
            line = json.dumps({"time": now.isoformat(), "level": level, "message": message, "n": n})
        out.write(line + "\n")
        if n % SLICE == SLICE - 1:
            out.flush()
            time.sleep(PAUSE)
