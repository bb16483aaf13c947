# The front door. `make` alone lists what there is; every target works from a fresh clone and needs git, make,
# Node 20 or newer and npm: the pinned Node comes with node_modules.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# By make itself and not by the environment, so that a recipe never runs on another Node than the pinned one.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

modules := node_modules/.stamp
sources := $(shell find cmd pkg -name '*.ts' ! -name '*.test.ts')

.PHONY: help check test unit e2e bench fuzz build demo down generate verify clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: $(modules) ## Types, lint, format and architecture: the gate of every change, in seconds
	@tsc -p .
	@biome check --error-on-warnings
	@ava test/architecture.test.ts

test: bin/cove ## Everything: unit, conformance and end-to-end tests against the real engine
	@hack/needs.sh busybox bzip2 curl docker-registry gcc git kubectl sshd xz
	@hack/engine.sh
	@node hack/test.ts

unit: $(modules) ## Only the tests that need no engine
	@hack/needs.sh bzip2 git sshd xz
	@node hack/test.ts unit

e2e: bin/cove ## Only the tests against the real engine
	@hack/needs.sh curl busybox docker-registry gcc kubectl
	@hack/engine.sh
	@node hack/test.ts e2e

bench: bin/cove ## Measure; the numbers go to bench-results.jsonl too
	@hack/needs.sh curl busybox kubectl etcd
	@hack/engine.sh
	@node hack/bench.ts

fuzz: $(modules) ## Fuzz everything that reads what others wrote; DURATION=30 is the seconds for each target
	@DURATION=$(or $(DURATION),30) node hack/fuzz.ts

build: bin/cove ## The single executable: bin/cove

bin/cove: $(sources) hack/build.ts package.json $(modules)
	@node hack/build.ts

demo: bin/cove ## Start Cove on this machine, apply examples/02-build, show the page
	@hack/demo.sh

down: ## Stop the Cove that `make demo` started; containers keep running
	@hack/down.sh

generate: $(modules) ## Write what is derived from the sources: docs/reference, manifests/crds, the lock of other platforms
	@node hack/generate.ts

verify: $(modules) ## Fail when something derived is not what `make generate` would write
	@node hack/generate.ts --verify

clean: ## Remove what was built; node_modules, and the demo's data, stay
	@rm -rf bin bench-results.jsonl

# The stamp is not package-lock.json's business alone: an interrupted npm leaves node_modules without one.
$(modules): package-lock.json package.json
	@node hack/install.mjs
