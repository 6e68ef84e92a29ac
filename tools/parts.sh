# For scripts that run several checks and report at the end; sourced by tools/test and tools/lint.
# shellcheck shell=bash
passed=0
failed=()

# part NAME COMMAND...: runs it, and remembers how it went.
part() {
    local name=$1
    shift
    echo "==> $name"
    if "$@"; then
        passed=$((passed + 1))
    else
        failed+=("$name")
    fi
}

# Says how all parts went, and ends the script.
report() {
    for name in "${failed[@]+"${failed[@]}"}"; do
        echo "$1: FAILED: $name"
    done
    echo "$1: $passed passed, ${#failed[@]} failed"
    exit $((${#failed[@]} > 0))
}
