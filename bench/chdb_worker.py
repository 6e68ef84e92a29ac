"""ClickHouse in a process of its own, for search.py: run by the Python of the environment that has
chdb-core, with the directory of the data as the only argument.

Reads requests, a line of JSON each, {"sql": …, "format": …}; answers a line: the milliseconds that
the query took, the CPU seconds of the process so far, the answer's text.
"""

import json
import os
import sys
import time

from chdb import session

MS = 1e3


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed
    opened = session.Session(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        try:
            text = opened.query(request["sql"], request["format"]).bytes().decode()
            answer = {"text": text}
        except RuntimeError as error:
            answer = {"error": str(error)}
        answer |= {"ms": (time.perf_counter() - began) * MS, "cpu": time.process_time()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
