"""Writes logs FIRST … FIRST + COUNT - 1 to a journal, by systemd-journal-remote:

    python journal.py JOURNAL_REMOTE FILE NAME FIRST COUNT
"""

import subprocess
import sys
import time

SLICE = 50
PAUSE = 0.02
SEVERITIES = (6, 4, 3)
BOOT = "0123456789abcdef0123456789abcdef"

program, path, name, first, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
to = subprocess.Popen([program, "-o", path, "-"], stdin=subprocess.PIPE)
for n in range(first, first + count):
    now = time.time_ns() // 1000
    entry = (
        f"__REALTIME_TIMESTAMP={now}\n__MONOTONIC_TIMESTAMP={time.monotonic_ns() // 1000}\n_BOOT_ID={BOOT}\n"
        f"PRIORITY={SEVERITIES[n % 3]}\nSYSLOG_IDENTIFIER=shop\nN={n}\nMESSAGE={name} #{n}. at {now // 1000}\n\n"
    )
    to.stdin.write(entry.encode())
    if n % SLICE == SLICE - 1:
        to.stdin.flush()
        time.sleep(PAUSE)
to.stdin.close()
sys.exit(to.wait())
