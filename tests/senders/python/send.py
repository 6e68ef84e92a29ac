"""Sends logs FIRST … FIRST + COUNT - 1 as the program of BLOCK does, a block of docs/senders.md or of
blocks/ here, which makes a `logger` of Python's logging, or functions `send(level, text, n)` and `end()`:

    python send.py BLOCK NAME FIRST COUNT

In slices, a moment apart: a trial needs time in which things happen.
"""

import logging
import sys
import time

SLICE = 50
PAUSE = 0.02

block, name, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
made = {"__name__": "shop"}
with open(block, encoding="utf-8") as text:
    exec(compile(text.read(), block, "exec"), made)  # the page's own words

LEVELS = (logging.INFO, logging.WARNING, logging.ERROR)
send = made.get("send") or (lambda level, text, n: made["logger"].log(LEVELS[level], text, extra={"n": n}))
failed = 0
for n in range(first, first + count):
    try:
        send(n % 3, f"{name} #{n}. at {int(time.time() * 1000)}", n)
    except Exception as error:  # what some senders do to the program that logs
        if not failed:
            print(f"out of a call that logs: {error!r}", file=sys.stderr)
        failed += 1
    if n % SLICE == SLICE - 1:
        time.sleep(PAUSE)
if failed:
    print(f"{failed} calls failed", file=sys.stderr)
made.get("end", lambda: None)()
logging.shutdown()
