"""Says logs FIRST … FIRST + COUNT - 1 on stdout, a line each, behind <PRI>: python prefixed.py NAME FIRST COUNT"""

import sys
import time

SLICE = 50
PAUSE = 0.02
SEVERITIES = (6, 4, 3)

name, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for n in range(first, first + count):
    print(f"<{8 + SEVERITIES[n % 3]}>{name} #{n}. at {int(time.time() * 1000)}", flush=n % SLICE == SLICE - 1)
    if n % SLICE == SLICE - 1:
        time.sleep(PAUSE)
