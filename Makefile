# The road from a shell. `make demo` and `make test` install what they need by themselves.
.DEFAULT_GOAL := help
PYTHON ?= python3
RECIPE ?= recipes/demo.toml
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export NATIVIZE_HOME ?= $(CURDIR)/.nativize
export DO_NOT_TRACK := 1

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## the environment in .venv, with KenLM's lmplz built from its source

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "nativize needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --progress-bar off -e '.[dev]'
	$(BIN)/python -m nativize.quality.lmplz --install-system-packages
	@touch $@

demo: install ## compose a crawl, walk the whole road, say what came out
	$(BIN)/python -m dagster_project demo

run: install ## walk a recipe: make run RECIPE=recipes/….toml
	$(BIN)/python -m dagster_project walk --recipe $(RECIPE)

ui: install ## the Dagster UI at http://127.0.0.1:3000
	NATIVIZE_RECIPE=$(abspath $(RECIPE)) $(BIN)/python -m dagster_project ui

plan: install ## what a recipe will do and what of it is stale
	$(BIN)/nativize plan $(RECIPE)

test: install ## the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-full: install ## the tests with the slow ones, browser included
	NATIVIZE_SLOW=1 $(BIN)/python -m pytest

check: install ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

golden: install ## record the outputs of all stages with their versions
	NATIVIZE_RECORD_GOLDEN=1 $(BIN)/python -m pytest tests/promises/test_versions_tell_the_truth.py

readme: demo ## write the demo's figures into the README
	$(BIN)/python -m dagster_project summary --readme

bench: install ## a benchmark beside its peers: make bench NAME=dedup
	@test -n "$(NAME)" || { echo "name one: make bench NAME=…"; ls benchmarks/*.py | xargs -n 1 basename -s .py; exit 2; }
	$(BIN)/python -m benchmarks.$(NAME)

clean: ## remove the environment and everything that was computed
	rm -rf $(VENV) $(NATIVIZE_HOME)

.PHONY: help install demo run ui plan test test-full check golden readme bench clean
