# What several scripts here do in the same way; sourced by them, in the topmost folder.
# shellcheck shell=sh

# install_once FOLDER STAMP COMMAND...: runs COMMAND, which fills FOLDER, unless that is done for the
# same STAMP. If several do it at once, one does and the others wait. Says nothing on stdout.
install_once() {
    folder=$1 stamp=$2
    shift 2
    mkdir -p build
    {
        if command -v flock >/dev/null; then flock 9; fi
        if [ -e "$folder/complete" ] && [ "$(cat "$folder/complete")" = "$stamp" ]; then
            return 0
        fi
        rm -rf "$folder"
        mkdir -p "$folder"
        "$@" >&2 9>&- && printf '%s' "$stamp" >"$folder/complete"
    } 9>"build/.${folder##*/}-lock"
}

# packages_of_python FOLDER ARGUMENT...: for install_once, what `pip install ARGUMENT...` does in a
# virtual environment that is FOLDER. Needs Python's venv (Debian: python3-venv).
packages_of_python() {
    python3 -m venv "$1" || return
    pip=$1/bin/pip
    shift
    "$pip" --quiet --disable-pip-version-check install "$@"
}

# compile_tests SUITE: compiles tests/SUITE and tests/support to build/SUITE and build/support. What
# is run with node then finds its packages, and tests LOGMILL_BIN or build/test/logmill.
compile_tests() {
    tools/npm-ci tests/integration || return
    tests/integration/node_modules/.bin/tsc -p "tests/$1" || return
    export NODE_PATH="$PWD/tests/integration/node_modules"
    export LOGMILL_BIN="${LOGMILL_BIN:-$PWD/build/test/logmill}"
}
