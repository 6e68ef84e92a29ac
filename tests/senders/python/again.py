"""Runs a command, and again when it has ended, as systemd does with Restart=, until SIGTERM:

    python again.py COMMAND...
"""

import signal
import subprocess
import sys
import time

PAUSE = 0.2
running = None
ending = False


def end(*_):
    global ending
    ending = True
    if running is not None:
        running.terminate()


signal.signal(signal.SIGTERM, end)
while not ending:
    running = subprocess.Popen(sys.argv[1:])
    running.wait()
    time.sleep(PAUSE)
