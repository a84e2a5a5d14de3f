# Every command that the README names. Needs python3 (3.11 or newer) and make; sets up the rest in .venv.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
ARGS ?=

BIN := $(VENV)/bin
PACKAGES := core $(addprefix plugins/ovms_,conformance embeddings imagegen llm openvino rerank sources starter)
PROJECTS := $(addsuffix /pyproject.toml,$(PACKAGES))
EDITABLE := $(addprefix -e ,$(PACKAGES))
SOURCES := core/src $(wildcard plugins/*/src)

.PHONY: help serve test lint bench docs format clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

serve: $(VENV)/.runtime  ## Set up, fetch the starter models, serve them on 127.0.0.1:$(PORT)
	@exec $(BIN)/ovms serve --starter --port $(PORT) $(ARGS)

test: lint  ## Run ruff, mypy and all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/.development  ## Run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES) tests benchmarks docs/*.py docs/examples

format: $(VENV)/.development  ## Put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.development  ## Print the speed figures, as ratios within one run
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.development  ## Build the documentation into ./site, warnings as errors
	$(BIN)/python docs/settings_and_commands.py
	$(BIN)/python docs/reference.py
	$(BIN)/mkdocs build --strict

clean:  ## Remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist site

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: run make PYTHON=python3.11, or whatever yours is called"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.runtime: $(PROJECTS) | $(BIN)/python
	@echo "Installing into $(VENV) (a minute or two the first time)"
	$(BIN)/python -m pip install --quiet $(EDITABLE)
	@touch $@

$(VENV)/.development: $(VENV)/.runtime pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
