# The two commands that matter: `make demo` and `make test`. Both build the virtual environment they need.
#
#   PYTHON=python3.12 make test     another interpreter (3.11 or newer)
#   VENV=.venv312 make test         another place for the environment
#   EXAMPLES=200 make fuzz          fewer examples of every property
#   make mutants MUTANTS=--help     its rooms and options

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
EXAMPLES ?= 2000
MUTANTS ?=

BIN := $(VENV)/bin
# Stamps: the interpreter the environment was made with, and what was installed into it.
MADE := $(VENV)/.made-with-$(notdir $(PYTHON))
INSTALLED := $(VENV)/.installed
DOCUMENTED := $(VENV)/.installed-docs
MUTABLE := $(VENV)/.installed-mutants
# Twice quiet: errors are shown, remarks about the configuration of pip are not.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint slow fuzz mutants bench references studies docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(MADE):
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(INSTALLED): pyproject.toml $(MADE)
	$(PIP) --editable '.[dev]'
	@touch $@

$(DOCUMENTED): pyproject.toml $(INSTALLED)
	$(PIP) --editable '.[docs]'
	@touch $@

$(MUTABLE): pyproject.toml $(INSTALLED)
	$(PIP) --editable '.[mutants]'
	@touch $@

venv: $(INSTALLED) ## the virtual environment alone

demo: $(INSTALLED) ## simulate, infer, audit; writes the results to the folder demo/
	$(BIN)/goalinf demo demo --force

lint: $(INSTALLED) ## style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint ## lint, then the tests
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

slow: $(INSTALLED) ## the tests that take minutes each
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m slow

fuzz: $(INSTALLED) ## properties with 2,000 examples each; an hour (EXAMPLES=200: fewer)
	HYPOTHESIS_PROFILE=fuzz GOALINF_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -n $(WORKERS) --dist worksteal -m fuzz

mutants: $(MUTABLE) ## plant small bugs, report what the tests notice by room; hours (MUTANTS='infer --sample 20': fewer)
	$(BIN)/python tests/mutants.py $(MUTANTS)

bench: $(INSTALLED) ## speed against naive baselines, as ratios within this run
	$(BIN)/python benchmarks/agents.py
	$(BIN)/python benchmarks/run.py

references: $(INSTALLED) ## reference posteriors of the catalogue, into models/reference; a quarter of an hour
	$(BIN)/python models/reference/make.py

studies: $(INSTALLED) ## the studies, side by side; studies/index.html
	$(BIN)/python studies/run.py

docs: $(DOCUMENTED) ## the documentation, into docs/_build/html; a warning is an error
	$(BIN)/sphinx-build -W --keep-going --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## everything that was built
	rm -rf $(VENV) build dist demo docs/_build docs/auto_gallery docs/api docs/studies docs/sg_execution_times.rst
	rm -f studies/index.html studies/*/output.txt
	rm -rf .mutants .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
