# Everything that CI does, a developer does by the same names: `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_BUILD = CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
WEB_SOURCES = $(shell find webapp -path '*/node_modules' -prune -o -path webapp/.next -prune -o -path webapp/out -prune -o -type f -print)
PNPM = scripts/pnpm -C webapp
FUZZ_SECONDS ?= 30
ENGINES = scripts/with-neo4j scripts/with-kafka scripts/with-redis scripts/with-postgres
ON_ENGINES = $(shell grep -rlE --include='*_test.go' '(storetest|redistest|kafkatest|neo4jtest)\.' cmd internal | xargs -n1 dirname | sort -u | sed 's|^|./|')
DRIVERS = ./internal/redis ./internal/kafka ./internal/neo4j ./internal/live
FUZZ_API_SECONDS ?= 120
SOAK_MINUTES ?= 10
# The pictures of the documentation: name in screenshots/, and in docs/images/.
SHOWN = alert-desktop-light:alert dashboard-desktop-light:dashboard incident-desktop-light:incident attack-graph-desktop-light:attack-graph facilities-map-desktop-light:facilities federation-completed:federation

.PHONY: help run demo-capture build web test test-go engines test-api test-web test-browser check staticcheck lint generate verify bench fuzz fuzz-api bench-api soak lighthouse screenshots clean

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: build ## build all and start the server on http://127.0.0.1:8000
	exec bin/breakwater serve

demo-capture: bin/breakwater ## record the simulated plant under attack and replay it to the running server
	@mkdir -p demo
	bin/breakwater plant record --out demo/plant.pcap --duration 420s --attack port-scan@320s --attack unauthorised-write@360s --attack function-scan@390s
	bin/breakwater replay demo/plant.pcap --facility demo --learn 300s --speed 30x --now

build: web ## the program with the web app inside, at bin/breakwater
	$(GO_BUILD) -o bin/breakwater ./cmd/breakwater

bin/breakwater:
	$(MAKE) build

web: webapp/out/site/index.html ## the web app alone, at webapp/out

webapp/out/site/index.html: $(WEB_SOURCES)
	scripts/need-node-modules
	$(PNPM) build
	@touch $@

test: test-go engines test-api test-web test-browser ## every test, with what they need installed first

# Labelled data sets and days of simulated plants: the race detector makes them six times as long, and what runs at once in
# them is of fl and ml, whose own tests have it. The longest begin first, so that no core is idle in the end.
test-go: PLAIN = ./internal/eval ./internal/fl/simulate
test-go: LONG = ./internal/store ./cmd/breakwater ./internal/demo
test-go: ## Go tests with the race detector, on what is embedded
	scripts/need-tshark
	scripts/need-python-peers >/dev/null
	go test -race -timeout 30m $(LONG) $$(go list ./... | grep -vE "internal/(eval|fl/simulate)$$")
	go test -timeout 30m $(PLAIN)

# One package after the other where tests stop an engine that others share; each driver's engine is its own. The race
# detector is for those that speak with an engine themselves; the store has it in test-go, and with PostgreSQL it would take
# ten minutes more.
engines: STOPPING = ./cmd/breakwater ./internal/app
engines: ## the same suites and more on real engines, which it starts: PostgreSQL, Redis, Kafka, Neo4j
	$(ENGINES) sh -c 'go test -race -timeout 30m $(DRIVERS) && go test -p 1 -timeout 30m $(STOPPING) && go test -timeout 30m $(filter-out $(DRIVERS) $(STOPPING),$(ON_ENGINES))'

test-api: ## the running program asked what its description allows and forbids, briefly and always the same
	FUZZ_BRIEF=yes FUZZ_SEED=1 scripts/fuzz-api

test-web: ## unit tests of the web app
	scripts/need-node-modules
	$(PNPM) test

test-browser: build ## the real program driven by a real browser
	scripts/need-chromium
	$(PNPM) e2e

check: staticcheck lint verify ## formatting, vet, static analysis, lint, types, and that nothing generated is stale
	@test -z "$$(gofmt -l *.go cmd internal webapp/*.go)" || { echo "not gofmt'ed:"; gofmt -l *.go cmd internal webapp/*.go; exit 1; }
	go vet ./...

generate: ## write anew what is made from code: openapi.json, docs/asyncapi.yaml, docs/configuration.md, .env.example, help texts, schema.d.ts
	go test ./internal/api ./internal/app ./cmd/breakwater -run 'OpenAPI|AsyncAPI|EnvExample|Help' -update
	scripts/need-node-modules
	$(PNPM) generate

verify: generate ## fail when something generated is stale
	git diff --exit-code -- openapi.json docs/asyncapi.yaml docs/configuration.md .env.example cmd/breakwater/testdata webapp/lib/schema.d.ts

bench: ## the figures of docs/performance.md
	GOMAXPROCS=1 go test -run '^$$' -bench . -benchmem ./internal/capture ./internal/decode ./internal/detect ./internal/pipeline

staticcheck: ## static analysis of the Go code
	go tool -modfile=tools/go.mod staticcheck ./...

lint: ## lint and types of the web app
	scripts/need-node-modules
	$(PNPM) lint
	$(PNPM) typecheck

fuzz: ## each fuzz target for $(FUZZ_SECONDS) s
	for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' internal | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' $$pkg | cut -c6-); do \
	    go test ./$$pkg -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_SECONDS)s -fuzzminimizetime 10x; done; done

fuzz-api: ## ask the running program all that its description allows and forbids, for $(FUZZ_API_SECONDS) s on each database
	scripts/fuzz-api $(FUZZ_API_SECONDS)

bench-api: ## requests per second of GET /api/alerts, beside a bare loop of the same queries
	scripts/bench-api

soak: build ## a storm of alerts and $(SOAK_MINUTES) minutes of them, in a real browser: takes that long
	scripts/need-chromium
	SOAK_MINUTES=$(SOAK_MINUTES) $(PNPM) e2e soak

screenshots: build ## pictures of every page, into screenshots/, and those that the documentation shows, into docs/images/
	scripts/need-chromium
	SCREENSHOTS=$(CURDIR)/screenshots $(PNPM) e2e
	for shown in $(SHOWN); do cp screenshots/$${shown%:*}.png docs/images/$${shown#*:}.png; done

lighthouse: build ## Lighthouse's figures of every page
	scripts/lighthouse

clean: ## what was built
	rm -rf bin demo screenshots webapp/.next
	git clean -fdxq webapp/out
