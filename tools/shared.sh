# What several scripts here do in the same way; sourced by them, in the topmost folder.
# shellcheck shell=sh

# compile_tests SUITE: compiles tests/SUITE and tests/support to build/SUITE and build/support. What
# is run with node then finds its packages, and tests LOGMILL_BIN or build/test/logmill.
compile_tests() {
    tools/npm-ci tests/integration || return
    tests/integration/node_modules/.bin/tsc -p "tests/$1" || return
    export NODE_PATH="$PWD/tests/integration/node_modules"
    export LOGMILL_BIN="${LOGMILL_BIN:-$PWD/build/test/logmill}"
}
