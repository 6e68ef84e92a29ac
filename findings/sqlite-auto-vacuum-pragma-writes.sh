#!/bin/bash
# `PRAGMA auto_vacuum=INCREMENTAL` is a write in SQLite, even where the file has that mode already.
#
# Set-up pragmas are usually run by whoever opens a file, readers too, since most of them (cache_size,
# synchronous, journal_mode where nothing changes) only set up the connection. This one takes the write
# lock and commits a page each time: an opening waits for every writer, fails as "locked" where one
# takes long, and needs room on a full disk. To ask (`PRAGMA auto_vacuum`) is a read.
set -euo pipefail
VERSION=3.50.4.0 # apsw, which brings the SQLite of its version along
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "apsw==$VERSION"
env/bin/python - <<'PY' | tee said
import os
import apsw

print("SQLite", apsw.sqlite_lib_version())
path = "some.db"
writer = apsw.Connection(path)
for pragma in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL"):
    writer.execute(f"PRAGMA {pragma}").fetchall()
writer.execute("CREATE TABLE t(x)")
other = apsw.Connection(path)
print("the file's mode:", other.execute("PRAGMA auto_vacuum").fetchall()[0][0], "(2: incremental)")


def say(pragma):
    before = os.path.getsize(path + "-wal")
    try:
        other.execute(f"PRAGMA {pragma}").fetchall()
        grown = os.path.getsize(path + "-wal") - before
        print(f"{pragma}: {'the log grew' if grown else 'nothing was written'}")
    except apsw.BusyError as error:
        print(f"{pragma}: {error}")


PRAGMAS = ("cache_size=-64", "synchronous=FULL", "journal_mode=WAL", "auto_vacuum", "auto_vacuum=INCREMENTAL")
for pragma in PRAGMAS:
    say(pragma)
writer.execute("BEGIN IMMEDIATE")
print("while another connection writes:")
for pragma in PRAGMAS:
    say(pragma)
PY
diff - <(tail -n +2 said) <<'TEXT'
the file's mode: 2 (2: incremental)
cache_size=-64: nothing was written
synchronous=FULL: nothing was written
journal_mode=WAL: nothing was written
auto_vacuum: nothing was written
auto_vacuum=INCREMENTAL: the log grew
while another connection writes:
cache_size=-64: nothing was written
synchronous=FULL: nothing was written
journal_mode=WAL: nothing was written
auto_vacuum: nothing was written
auto_vacuum=INCREMENTAL: database is locked
TEXT
echo "as described"
