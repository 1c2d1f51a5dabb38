# make demo: environment, sample city, pipeline, dashboard.  make test: environment, services, whole suite.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CITY ?= luqiao
PORT ?= 8050
SCALE ?= 1
ONCE ?=
STORE ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?= auto
AXE := web/node_modules/axe-core/axe.min.js

help:
	@echo "make demo [CITY=luqiao|boston] [ONCE=1] [PORT=8050] [STORE=postgis]   sample city, pipeline, dashboard on http://127.0.0.1:8050"
	@echo "make test      whole suite      make check   ruff, mypy --strict, import-linter"
	@echo "make docs      the documentation, built into build/site without the Internet"
	@echo "make accept    checks that need ../shared      make setup   only the environment"

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt tools/system-packages
	bash tools/system-packages venv
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e '.[dev]'
	touch $@

# STORE=postgis: on a PostGIS cluster of its own in the temporary folder; STORE=postgresql://... on one that is there.
demo: setup
ifeq ($(STORE),postgis)
	bash tools/system-packages postgis
	store="$$(bash tools/postgis-cluster start "$${TMPDIR:-/tmp}/cloudmap-demo-postgis")" && \
	trap 'bash tools/postgis-cluster stop "$${TMPDIR:-/tmp}/cloudmap-demo-postgis"' EXIT && echo "store: $$store?schema=$(CITY)" && \
	CLOUDMAP_STORE="$$store?schema=$(CITY)" $(BIN)/cloudmap demo $(CITY) --port $(PORT) --scale $(SCALE) $(if $(ONCE),--once)
else
	$(if $(STORE),CLOUDMAP_STORE='$(STORE)' )$(BIN)/cloudmap demo $(CITY) --port $(PORT) --scale $(SCALE) $(if $(ONCE),--once)
endif

test: setup
	bash tools/system-packages test
	$(MAKE) --no-print-directory $(AXE)
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile tests

# What the pages are judged by for those who see or point badly; the pins stand in web/package.json.
$(AXE):
	bash tools/system-packages node
	cd web && npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

accept: setup
	@test -d ../shared || { echo "make accept needs ../shared (the project's shared data)"; exit 1; }
	$(BIN)/python -m pytest tests/accept --accept

docs: setup
	$(BIN)/python tools/glossary.py --check
	$(BIN)/python tools/reference.py build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --clean
	@echo "build/site/index.html"

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: help setup demo test check accept docs format
