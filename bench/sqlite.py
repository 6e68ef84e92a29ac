"""Table `sqlite`: storing into the embedded store, logmill beside a bare loop of sqlite3 in C.

The bare loop (sqlite_loop.c) inserts the same rows into the same table with the same pragmas, as many
a transaction; it is the most that this format of file allows. The worker also takes the logs out of
the embedded queue, and parses them.
"""

import shutil

import storing
from common import ROUNDS, ROWS, disk_bytes, fresh_dir, wanted
from figures import Aim, medians_table, ratio

BARE, APPEND, WORKER = "bare sqlite3", "logmill store_append", "logmill worker"


def loop(way):
    def turn():
        directory = fresh_dir("sqlite")
        figures = storing.loop("sqlite_loop", directory, way, ROWS)
        figures |= {"counted": ROWS, "disk_mib_per_million": disk_bytes(directory) / ROWS * 1e6 / 2**20}
        shutil.rmtree(directory)
        return figures  # counted by sqlite_loop itself

    return turn


def worker():
    figures, api = storing.worker({})
    figures["counted"] = api.count()
    storing.clear(api)
    return figures


CONTESTANTS = {
    BARE: loop("bare"), APPEND: loop("append"), "the same, repeated": loop("repeat"), WORKER: worker,
}  # fmt: skip
KEYS = {"bare": BARE, "append": APPEND, "repeat": "the same, repeated", "worker": WORKER}


def table():
    turns = storing.rounds({KEYS[key]: CONTESTANTS[KEYS[key]] for key in wanted(KEYS)})
    title = f"Storing into SQLite, {ROWS} rows, {storing.BATCH} a transaction of the loops, medians of {ROUNDS} rounds"
    columns = [c for c in storing.COLUMNS if c[0] != "server_cpu_per_million"]
    medians_table(title, turns, columns, BARE)
    aims = [
        Aim("rows/s of logmill worker / bare sqlite3", ratio(turns, WORKER, BARE, "rows_per_second"), least=0.8),
        Aim("rows/s of store_append / bare sqlite3", ratio(turns, APPEND, BARE, "rows_per_second"), least=0.8),
    ]
    return {"cases": [{"title": title, "turns": turns, "aims": [aim.tell() for aim in aims]}]}
