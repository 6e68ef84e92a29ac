"""Writes the lines FIRST, FIRST + STEP, … below END by one of Python's loggers, which rotates FILE:

    python write.py KIND FILE NAME FIRST END STEP [SECONDS]

Or as a program that reopens its file, DELAY seconds after a SIGHUP ("reopen DELAY"), or that never
does ("keep"), or that leaves the rotation to the program that it writes to ("pipe": buffered in
blocks, as most programs do into a pipe). In slices, a moment apart, so that it takes SECONDS, or a
little time in which things can happen.
"""

import logging
import logging.handlers
import signal
import sys
import time

SLICE = 50
PAUSE = 0.01
BYTES = 100_000  # a file, about
FILES = 1000  # none is deleted

kind, path, name = sys.argv[1:4]
first, end, step = (int(text) for text in sys.argv[4:7])
seconds = float(sys.argv[7]) if len(sys.argv) > 7 else 0.0
pause = max(PAUSE, seconds * SLICE * step / (end - first))
kind, _, option = kind.partition(" ")


def by_logging(handler):
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    return logging.getLogger("orders").info, logging.shutdown


def rotating():
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=BYTES, backupCount=FILES)
    return by_logging(handler)


def timed():
    return by_logging(logging.handlers.TimedRotatingFileHandler(path, when="S", interval=1))


def concurrent():
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    return by_logging(
        ConcurrentRotatingFileHandler(path, maxBytes=BYTES, backupCount=FILES, use_gzip=True)
    )


def loguru():
    from loguru import logger

    logger.remove()
    logger.add(path, rotation=f"{BYTES} B", compression=option or None)
    return logger.info, logger.remove


def reopen():
    state = {"at": None}

    def hear(*_):
        state["at"] = time.monotonic() + float(option)

    def write(text):
        if state["at"] is not None and time.monotonic() >= state["at"]:
            state["at"] = None
            state["file"].close()
            state["file"] = open(path, "a", encoding="utf-8")
        state["file"].write(text + "\n")
        state["file"].flush()

    signal.signal(signal.SIGHUP, hear)  # before there is a file, which rotations wait for
    state["file"] = open(path, "a", encoding="utf-8")

    def end():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Python's end would make it deadly again
        state["file"].close()

    return write, end


def keep():
    file = open(path, "a", encoding="utf-8")
    return lambda text: (file.write(text + "\n"), file.flush()), file.close


def pipe():
    return lambda text: sys.stdout.write(text + "\n"), sys.stdout.flush


KINDS = {
    "rotating": rotating,
    "timed": timed,
    "concurrent": concurrent,
    "loguru": loguru,
    "reopen": reopen,
    "keep": keep,
    "pipe": pipe,
}
write, finish = KINDS[kind]()
padding = "x" * 60
for at, n in enumerate(range(first, end, step)):
    write(f"{name} #{n}. {padding} {n};")
    if at % SLICE == SLICE - 1:
        time.sleep(pause)
finish()
