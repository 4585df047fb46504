SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help console run test test-registry test-login soak fuzz lint bench build clean pins

BIN := .cache/bin
NODE := $(CURDIR)/.cache/venv-node/bin/node
WEB := shared/console/web
BROWSERS := infra/tools/browsers
PACKAGES ?= ./...
TESTS := $(BIN)/gotestsum --format pkgname --format-hide-empty-pkg --

# The variables of `make run`; see the README.
export MTSC_ONCE := $(ONCE)
export MTSC_REGISTRANTS := $(REGISTRANTS)
export MTSC_SOURCE := $(SOURCE)
export MTSC_PACE := $(PACE)
export MTSC_WORKERS := $(WORKERS)
export MTSC_REPLICAS := $(REPLICAS)
export MTSC_ALLOW := $(ALLOW)
export MTSC_CALLBACK_BASE := $(CALLBACK_BASE)

help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

console: ## Build the console into shared/console/dist; nothing is done if no source changed
	@infra/tools/fetch console
	@cd $(WEB) && $(NODE) build.mjs

run: console ## Start everything on this machine with a demo (SOURCE=odk ONCE=1 REGISTRANTS=50000 PACE=real WORKERS=4 REPLICAS=2 ALLOW=10.0.0.0/8 CALLBACK_BASE=https://…)
	@infra/tools/fetch go ministack
	@echo "building"
	@go build -o $(BIN)/run ./infra/local/run && exec $(BIN)/run

# These packages drive whole systems: browsers, functions as processes, thousands of
# failures. With the race detector they would take an hour, and it would see little that
# unit tests do not run; RACED are the tests of infra/system that have it.
WHOLE := /infra/(bench|console|e2e|soak|system)$$
RACED := Reconciled|Survive|Share|Beside

test: console ## Run all tests (PACKAGES=./shared/... for some)
	@infra/tools/fetch go cc curl jq chromium ministack dynamodb-local gotestsum schemathesis browsers
	go vet $(PACKAGES)
	cd $(WEB) && $(NODE) --test
	cd $(BROWSERS) && $(NODE) --test
	go list $(PACKAGES) | grep -Ev '$(WHOLE)' | xargs -r $(TESTS) -race -timeout 80m
	go list $(PACKAGES) | grep '/infra/system$$' | xargs -r $(TESTS) -race -timeout 80m -run '$(RACED)'
	go list $(PACKAGES) | grep -E '$(WHOLE)' | xargs -r $(TESTS) -timeout 80m

test-registry: ## Test client, connector and simulator against a real Odoo 19, and 14 while it is available (LINES=19)
	@infra/tools/fetch go ministack
	@MTSC_REGISTRY_LINES="$(or $(LINES),19 14)" go -C infra/realodoo test -count=1 -timeout 80m

test-login: console ## Test sign-in to the console with a real Keycloak
	@infra/tools/fetch go ministack keycloak
	@MTSC_KEYCLOAK=1 go test -count=1 -timeout 40m -v ./infra/keycloak

soak: ## Make long runs, with imports beside them, while functions are killed at random (SEED=7 RUNS=20 REGISTRANTS=2000)
	@infra/tools/fetch go ministack
	@go run ./infra/soak $(if $(SEED),-seed $(SEED)) $(if $(RUNS),-runs $(RUNS)) $(if $(REGISTRANTS),-registrants $(REGISTRANTS))

fuzz: ## Search for inputs that break parsers and the API (EACH=5m for each target, API=10m by each role)
	@infra/tools/fetch go schemathesis
	@go run ./infra/fuzz $(if $(EACH),-each $(EACH)) $(if $(API),-api $(API)) $(if $(SEED),-seed $(SEED))

lint: console ## Check code, modules and the template
	@infra/tools/fetch go lint golangci-lint browsers
	cd $(WEB) && $(NODE) node_modules/typescript/bin/tsc --noEmit
	$(NODE) $(BROWSERS)/check.mjs $(WEB)/../dist/*.br
	.cache/venv-lint/bin/cfn-lint --append-rules cfn_lint_serverless.rules -- template.yaml
	go mod tidy -diff
	go -C infra/tools mod tidy -diff
	$(BIN)/golangci-lint run ./...

bench: console ## Measure speed and size against the goals (ONLY=cold,preview WIDTHS="4 workers, identity latency 300ms")
	@infra/tools/fetch go dynamodb-local chromium ministack
	@go run ./infra/bench $(if $(ONLY),-only '$(ONLY)') $(if $(WIDTHS),-widths '$(WIDTHS)')

# SAM's Go builder has no options, so they are in the environment.
build: console ## Build for AWS, into .aws-sam (ARCHITECTURE=x86_64 for Intel)
	@infra/tools/fetch go sam
	CGO_ENABLED=0 GOFLAGS='-tags=lambda.norpc -trimpath -buildvcs=false "-ldflags=-s -w"' SAM_CLI_TELEMETRY=0 \
		.cache/venv-sam/bin/sam build $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))

clean: ## Remove all that was built or fetched
	rm -rf .aws-sam .build .cache $(WEB)/node_modules $(WEB)/src/generated $(BROWSERS)/node_modules
	git clean -fqX shared/console/dist

# Pins the Python tools of infra/tools/requirements-*.in to their newest versions,
# with all dependencies and hashes.
pins:
	@infra/tools/fetch python
	python3 -m venv .cache/venv-uv && .cache/venv-uv/bin/pip install --quiet uv
	cd infra/tools && for name in ministack lint sam odoo schemathesis node; do \
		../../.cache/venv-uv/bin/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.10 \
			--custom-compile-command "make pins" requirements-$$name.in -o requirements-$$name.txt || exit; done
