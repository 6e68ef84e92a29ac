#!/bin/bash
# logrotate's renamecopy deletes the lines of a program that reopens its log a moment late, and says
# nothing.
#
# Its manual: the file is renamed to NAME.tmp in its folder, postrotate is run, then NAME.tmp is copied
# to its final name and removed. So what a program writes between that copy and its own reopening goes
# into a file that has no name any more. With plain create the same program loses nothing: the renamed
# file stays, and gets those lines. logrotate exits with 0 and prints nothing (with compress, gzip's
# "file size changed while zipping" is at least printed). And while postrotate runs, which may take long,
# the only name of what was written before is NAME.tmp, which is what most that collect logs, and their
# users' patterns, leave out.
set -euo pipefail
logrotate --version 2>&1 | head -n 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >write.py <<'PY'
import signal, sys, time
late, lines = 0.3, 3000
file, at = open(sys.argv[1], "a"), None
def hear(*_):
    global at
    at = time.monotonic() + late
signal.signal(signal.SIGHUP, hear)
for n in range(lines):
    if at is not None and time.monotonic() >= at:
        at = None
        file = open(sys.argv[1], "a")
    print(f"line {n}", file=file, flush=True)
    time.sleep(0.001)
PY
try() { # DIRECTIVES
    mkdir -p logs/old
    python3 write.py logs/app.log &
    local writer=$!
    printf '%s {\nrotate 9\ncreate\n%s\npostrotate\nls %s >>%s\nkill -HUP %s\nendscript\n}\n' \
        "$folder/logs/app.log" "$1" "$folder/logs" "$folder/names" "$writer" >conf
    for _ in 1 2; do
        sleep 0.7
        logrotate -f -s state conf >>said 2>&1
    done
    wait "$writer"
    there=$(find logs -type f -exec cat {} + | sort -u | wc -l)
    rm -rf logs state
}
try ''
echo "create: $there of 3000 lines"
[ "$there" = 3000 ]
: >names
try "$(printf 'renamecopy\nolddir old')"
echo "renamecopy: $there of 3000 lines; names while postrotate ran: $(sort -u names | tr '\n' ' ')"
[ "$there" -lt 2900 ]
grep -qx app.log.tmp names
[ ! -s said ]
echo "as described"
