# The daily commands. `make help` lists them; CONTRIBUTING.md says when to use which.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CONFIG ?= modelpager.yml
# Further arguments for the program: `make demo ARGS=--once`.
ARGS ?=
# cargo-nextest where it is installed, `cargo test` where it is not.
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help demo run check test bench bench-peers fmt accept openapi clean-data ci

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Play the story: alerts in, messages out, nothing to set up (ARGS=--once for full speed)
	cargo run -- demo $(ARGS)

run: ## Serve with CONFIG (default modelpager.yml), or with the defaults when there is no such file
	cargo run -- serve $(if $(wildcard $(CONFIG)),--config $(CONFIG)) $(ARGS)

check: ## Format, lints, documentation, licences and bans: all that needs no test
	.ci/run check

test: ## Install what the tests need, then run every one of them
	scripts/test-setup.sh
ifeq ($(NEXTEST),)
	cargo test --locked
else
	cargo nextest run --locked
	cargo test --doc --locked
endif

bench: ## Measure every figure beside its bare limit, release build (ARGS="accept1 --seconds 5"; --help)
	cargo bench --locked --bench bench -- $(ARGS)

fmt: ## Format the sources
	cargo fmt

accept: ## Run the tests and take the snapshots they made as right; look at the diff
	INSTA_UPDATE=always INSTA_FORCE_PASS=1 cargo test --locked
	git status --short -- '*.snap'

openapi: ## Write the description of the HTTP API to docs/openapi.json
	cargo run --quiet -- openapi > docs/openapi.json

bench-peers: ## Compare with other programs under the same load (ARGS=NAMES for some of them)
	cargo build --release --locked
	PYTHONDONTWRITEBYTECODE=1 python3 scripts/bench-peers/run.py target/release/modelpager $(ARGS)

clean-data: ## Remove the SQLite database of the working directory
	rm -f modelpager.db modelpager.db-wal modelpager.db-shm modelpager.db.lock

ci: ## What the gate runs: check, then test
	.ci/run
