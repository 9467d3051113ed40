# Two commands do everything: make run and make test.
GO      ?= go
RATE    ?= 20000
FUZZ    ?= 30s
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
PLUGIN_VERSION ?= 0.1.0
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)

export CGO_ENABLED ?= 0

.PHONY: help build run engine test test-parts bench lint fuzz mutate tracker console plugin boards clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/millrace
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o bin/millrace ./cmd/millrace

engine: build ## Fetch the embedded ClickHouse engine into the user's cache
	bin/millrace engine fetch

run: engine ## Run the appliance, embedded, on a live replay of real flights (RATE=events/s)
	bin/millrace demo --rate $(RATE)

test-parts: # install the real servers that the suites drive, where this is allowed
	@./.ci/parts

test: engine test-parts ## Run every test (real Redis, NATS and ClickHouse)
	$(GO) test -timeout 30m ./...

bench: engine ## Measure: end-to-end rates, freshness, rebuild, and the Go benchmarks
	$(GO) test -run "^$$" -bench . -benchtime 1s -timeout 60m ./ingest/... ./internal/... ./lake/... ./speed/... ./serving/...
	$(GO) test -run "^$$" -bench . -benchtime 1x -timeout 60m ./cmd/millrace

lint: ## Run golangci-lint with the import rules
	$(GO) run $(LINT) run ./...

fuzz: engine ## Fuzz every decoder for FUZZ each (default 30s), and compare every function with the engine at length
	$(GO) test -run '^TestEngineAgrees$$' -count=1 -v -timeout 60m ./internal/plan -long
	@for p in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for f in $$(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' $$p | sed 's/func //'); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZ) -fuzzminimizetime 1x $$p || exit 1; done; done

mutate: engine ## Break the exactness on purpose and see the exactness test fail
	./.ci/mutate

tracker: ## Make the small form of the JavaScript tracker again
	$(GO) test ./dashboards/tracker -run TestScriptIsTheSourceMadeSmall -update

plugin: ## Make the zip of the Grafana data source, bin/millrace-millrace-datasource-PLUGIN_VERSION.zip
	$(GO) run ./dashboards/grafana/pack -version $(PLUGIN_VERSION)

boards: ## Write the Grafana dashboards again from their code
	$(GO) test ./dashboards/grafana/boards -run TestDashboardsAreWhatTheCodeMakes -update

console: ## Build the web console into dashboards/console/dist (npm, esbuild)
	$(GO) test ./dashboards/console -run TestDistIsBuiltFromSources -count=1 -update

clean: ## Remove what was built and the demo's data
	rm -rf bin data
