# For scripts that run several checks and report at the end; sourced by tools/test and tools/lint.
# What each prints is kept in build/parts.
# shellcheck shell=bash
passed=0
failed=()
took=()
mkdir -p build/parts

# part NAME COMMAND...: runs it, and remembers how it went.
part() {
    local name=$1 began=$SECONDS
    shift
    echo "==> $name"
    if "$@" 2>&1 | tee "build/parts/${name//\//-}.log"; then
        passed=$((passed + 1))
    else
        failed+=("$name")
    fi
    took+=("$((SECONDS - began)) s: $name")
}

# Says how long each part took, which failed and what in it, and ends the script.
report() {
    printf '%s\n' "${took[@]}"
    for name in "${failed[@]+"${failed[@]}"}"; do
        echo "$1: FAILED: $name"
        grep -E '(FAIL|TIMEOUT|ERROR|Sanitizer|✖|not ok|error:)' "build/parts/${name//\//-}.log" | sort -u | tail -n 20
    done
    echo "$1: $passed passed, ${#failed[@]} failed"
    exit $((${#failed[@]} > 0))
}
