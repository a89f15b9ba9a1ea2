.DEFAULT_GOAL := help
.PHONY: help check test

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

check: ## formatting and static checks
	@test -z "$$(gofmt -l *.go cmd internal)" || { echo "not gofmt'ed:"; gofmt -l *.go cmd internal; exit 1; }
	go vet ./...

test: ## every test
	go test -race ./...
