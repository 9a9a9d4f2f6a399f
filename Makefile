# `make up` runs the product, `make test` runs the tests; both set up a private .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)
export AWF_DATA_DIR ?= $(CURDIR)/.awf

.PHONY: up test test-bridges lint bench bench-docs conformance faults eval generate pictures lock clean help

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

up: $(STAMP) ## Run AWF with the embedded backend and the demo workload
	@$(BIN)/awf up

test: $(STAMP) ## Run the linters, the generated-files check and all tests
	@scripts/test

test-bridges: $(STAMP) ## Test the bridges against the real frameworks (1.3 GB in .venv-bridges)
	@scripts/test-bridges $(BIN)/python

lint: $(STAMP) ## Run ruff and mypy
	@$(BIN)/ruff format --check awf tests
	@$(BIN)/ruff check awf tests
	@$(BIN)/mypy

bench: $(STAMP) ## Run the benchmarks; they print tables and assert nothing about time
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

conformance: $(STAMP) ## Run the *.test files of DIR (Prometheus' language) against the embedded PromQL engine
	@$(BIN)/python -m tests.conformance $(DIR) $(ARGS)

bench-docs: $(STAMP) ## Run the embedded stack's benchmarks and write docs/benchmarks.md
	@$(BIN)/python tests/benchmarks/_docs.py

faults: $(STAMP) ## Run the fault suite in its long form: about a quarter of an hour
	@AWF_TEST_FAULTS=long $(BIN)/pytest -n 2 -rP tests/faults

eval: $(STAMP) ## Evaluate the watcher on SEEDS="1 2 3" and write docs/evaluation.md
	@$(BIN)/awf eval $(SEEDS:%=--seed %) --write docs/evaluation.md

generate: $(STAMP) ## Write dashboards/ and rules/ anew
	@$(BIN)/awf generate

pictures: $(STAMP) ## Take the documentation's pictures of the dashboards: about ten minutes
	@AWF_TEST_SCREENSHOTS=docs/images $(BIN)/pytest tests/e2e/test_dashboards_page.py -k picture

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade
lock: ## Resolve requirements/*.txt anew for all supported Pythons (needs uv)
	$(LOCK) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/runtime.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --group bridges -o requirements/bridges.txt
	$(LOCK) --group bridges-crewai -o requirements/bridges-crewai.txt

clean: ## Remove the virtual environment and the demo's data
	rm -rf $(VENV) .venv-bridges .awf

$(STAMP): requirements/dev.txt pyproject.toml
	@scripts/setup "$(PYTHON)" "$(VENV)" "$@"
