# netseg: two commands for a fresh machine (Python 3.11, make, gcc; no GPU needed).
#   make demo   builds a synthetic study, carries it through all stations, prints the report's path
#   make test   static checks and tests; SLOW=1 adds the slow ones, where nothing may be missing

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml requirements/lock.txt | cksum | cut -d' ' -f1)
DEMO ?= demo
PYTEST_ARGS ?=

# Threads beyond the cores make small tensors slower; one line of output per test file is enough.
ifeq ($(SLOW),1)
  MARKS :=
  export NETSEG_SLOW_STRICT := 1
else
  MARKS := -m "not slow"
endif

.PHONY: help install demo test check tests coverage format clean

help:
	@sed -n '2,4p' Makefile

install: $(STAMP)

$(STAMP): pyproject.toml requirements/lock.txt
	@echo "install: creating $(VENV) with the locked packages (some minutes, once; about 2.5 GB with a CPU torch)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "netseg needs Python 3.11 or newer; set PYTHON=python3.11"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/lock.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/lock.txt -e '.[dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: $(STAMP)
	@echo "demo: a synthetic triphasic CT + SSTR-PET through all stations (about a minute)"
	@$(BIN)/netseg demo -o $(DEMO)

test: check tests

check: $(STAMP)
	@echo "check: ruff, import-linter, pyright (about two minutes)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/basedpyright --level error

tests: $(STAMP)
	@echo "tests: $(if $(filter 1,$(SLOW)),all, the slow ones too (up to half an hour),the default suite (up to ten minutes; SLOW=1 adds the slow ones))"
	@$(BIN)/python -m pytest $(MARKS) $(PYTEST_ARGS)

coverage: $(STAMP)
	@$(BIN)/python -m pytest $(MARKS) --cov --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

format: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
