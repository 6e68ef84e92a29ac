#!/bin/bash
# VictoriaLogs: JSON lines sent with curl's own Content-Type are answered 200, and none is stored.
#
# `curl --data-binary @logs http://…/insert/jsonline` says application/x-www-form-urlencoded, as every POST of
# curl's without a header does. The body is then read as the parameters of a form before anybody looks for
# lines: the answer is 200 with nothing in it, no line is stored, and nothing of it is in the server's output.
# With text/plain, or with any other type that is no form's, the same bytes are stored.
set -euo pipefail
VICTORIA_LOGS=v1.52.1
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
GOBIN=$folder GOFLAGS=-buildvcs=false go install \
    "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@$VICTORIA_LOGS"
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
./victoria-logs -storageDataPath=data -httpListenAddr="127.0.0.1:$port" 2>said &
server=$!
at=http://127.0.0.1:$port
curl --silent --retry 100 --retry-delay 1 --retry-connrefused --max-time 60 "$at/health" >/dev/null

log="{\"_time\":\"$(date -u +%Y-%m-%dT%H:%M:%SZ)\",\"_msg\":\"hello\"}"
send() {
    curl --silent --write-out '%{http_code} and %{size_download} bytes' --data-binary "$log" "$@" "$at/insert/jsonline"
}
stored() {
    curl --silent "$at/internal/force_flush"
    curl --silent --data-urlencode 'query=* | stats count() n' "$at/select/logsql/query"
}

echo "VictoriaLogs $VICTORIA_LOGS, $(curl --version | head -n 1 | cut -d ' ' -f 1,2)"
by_default="$(send), then $(stored)"
complaints=$(grep -c -E '	(warn|error)	' said || true)
as_text="$(send --header 'Content-Type: text/plain'), then $(stored)"
echo "as curl has it: $by_default; warnings and errors: $complaints"
echo "as text/plain:  $as_text"
[ "$by_default" = '200 and 0 bytes, then {"n":"0"}' ]
[ "$complaints" = 0 ]
[ "$as_text" = '200 and 0 bytes, then {"n":"1"}' ]
