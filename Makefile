# One command for each thing to do; `make` lists them. Python's packages go into .venv, from the lock files, once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
INSTALL := install --quiet --disable-pip-version-check --no-input --require-hashes
PIP_INSTALL := $(BIN)/python -m pip $(INSTALL)
COMPILE := uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# Each of these files records that a step was done; a step whose sources are newer is done again.
VENV := .venv/.made
RUN := .venv/.run
DEV := .venv/.dev
BENCH := benchmarks/.venv/.made
SCRIPTS := node_modules/.made

.PHONY: help run test full faults attacks secured check fuzz mutants coverage servers servers-down bench drill evaluate profile tables tokens secrets containers sbom calendars settings screenshots lock clean

help: ## List the targets (this list)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN) ## Run everything on this machine alone: simulated prices, one SQLite file, the page; Ctrl+C ends it
	@exec scripts/run.sh

test: $(DEV) ## Run all tests, on real Kafka and InfluxDB where this machine can have them (built once)
	@$(BIN)/python -m devtools.building || echo 'The tests that need what is missing are skipped (with CI=true they fail).'
	@$(BIN)/python -m pytest -n 2 --dist worksteal

full: $(DEV) ## Run all tests in their full form: more kills, modes and symbols than `make test` has
	@$(BIN)/python -m devtools.building
	@TICKFLOW_TESTS=full $(BIN)/python -m pytest -n 2 --dist worksteal

faults: $(DEV) ## Break everything under load (about 25 minutes) and write the table of docs/guarantees.md
	@$(BIN)/python -m devtools.building
	@TICKFLOW_FAULTS=full $(BIN)/python -m pytest -s -m faults tests/faults
	@TICKFLOW_FAULTS=full $(BIN)/python -m pytest -s -n 0 --timeout 1800 tests/integration/test_notify.py

attacks: $(DEV) ## Attack the page with 5,000 hostile requests on each stack, and with hundreds of connections
	@$(BIN)/python -m devtools.building
	@TICKFLOW_ATTACKS=full $(BIN)/python -m pytest -s -n 0 tests/attacks

secured: $(DEV) ## Take each right at Kafka from each script, before it starts and while it runs
	@$(BIN)/python -m devtools.building
	@TICKFLOW_TESTS=full $(BIN)/python -m pytest -n 0 tests/secured/test_acls.py

check: $(DEV) $(SCRIPTS) ## Check formatting, lint, types, the documentation, and that tests notice a few mutants
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@node_modules/.bin/biome ci --colors=off --log-level=warn .
	@$(BIN)/python -m pytest -q tests/test_docs.py tests/test_troubleshooting.py
	@$(BIN)/python -m devtools.mutants --sample

fuzz: $(DEV) ## Fuzz the decoder of ticks for ten minutes
	@$(BIN)/python -m tests.fuzz

mutants: $(DEV) ## Change the code in small ways and see whether its tests notice: hours; MODULES=NAME for one
	@$(BIN)/python -m devtools.mutants $(MODULES)

coverage: $(DEV) ## Run all tests and show which lines and branches they do not reach
	@$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term-missing:skip-covered --cov-report=html
	@$(BIN)/python -m devtools.coverage_table

servers: $(RUN) ## Start real Kafka and InfluxDB without Docker, on localhost:9092 and localhost:8086
	@$(BIN)/python -m devtools.servers up

servers-down: $(RUN) ## End those two; their data stay
	@$(BIN)/python -m devtools.servers down

bench: $(DEV) $(BENCH) ## Measure speed and memory, about an hour; CASES="start memory" for some, SHORT=1 for a trial
	@$(BIN)/python -m devtools.building
	@$(BIN)/python -m benchmarks $(if $(SHORT),--short) $(CASES)

drill: $(DEV) ## Break one thing after another, and write into docs/operate.md how soon each is said (10 minutes)
	@$(BIN)/python -m devtools.building
	@$(BIN)/python -m benchmarks $(if $(SHORT),--short) drill
	@$(BIN)/python -m benchmarks.tables

evaluate: $(DEV) $(BENCH) ## Measure what alerts are worth and write docs/detection.md, about half an hour; SHORT=1 for a trial
	@mkdir -p benchmarks/results
	@$(BIN)/python -m benchmarks.evaluate $(if $(SHORT),--short)

profile: $(DEV) $(BENCH) ## Show where the worker's time goes: tables, and a flame graph
	@$(BIN)/python -m devtools.building
	@$(BIN)/python -m benchmarks.profiling $(if $(SHORT),--short)

tables: $(DEV) ## Write what `make bench` and `make profile` measured into docs/performance.md
	@$(BIN)/python -m benchmarks.tables

tokens: $(RUN) ## Make tokens of InfluxDB for worker, page, auditor and Grafana, with least rights, in secrets/
	@$(BIN)/python -m devtools.tokens

secrets: ## Make certificates and passwords for docker-compose.secure.yml, in secrets/
	@scripts/secrets.sh

containers: ## Start Compose's containers in each form, audit what they store, remove them; needs Docker
	@scripts/containers.sh

sbom: $(DEV) ## Write sbom.json (CycloneDX): the libraries of requirements.lock with their hashes; works offline
	@$(BIN)/cyclonedx-py requirements --no-validate --output-reproducible --sv 1.6 -o sbom.json requirements.lock

calendars: $(DEV) ## Write the calendars in tickflow/calendars/ from the library, after it was updated
	@$(BIN)/python -m devtools.calendars

settings: $(DEV) ## Write .env.example and the table of docs/settings.md from config.py
	@$(BIN)/python -m devtools.settings_text

screenshots: $(DEV) ## Take pictures of the page into docs/: DAY=FILE of a recorded day; without it, of simulated ticks
	@$(BIN)/python scripts/screenshots.py docs $(DAY)

lock: $(VENV) ## Write the lock files from requirements*.txt; with UPGRADE=1 take newer versions
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/python -m venv "$$folder"; \
	"$$folder/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	for name in requirements requirements-dev benchmarks/requirements; do "$$folder/bin/"$(COMPILE) "$$name.txt" -o "$$name.lock" > /dev/null; done

clean: ## Remove .venv and all caches; data/ stays
	@rm -rf .venv benchmarks/.venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@command -v $(PYTHON) > /dev/null || { echo 'There is no $(PYTHON) here: install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo '$(PYTHON) lacks the module venv: install it (Debian, Ubuntu: apt install python3-venv)' >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

$(RUN): requirements.lock | $(VENV)
	@echo 'Installing what requirements.lock pins into .venv (once) ...'
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(DEV): requirements-dev.lock | $(VENV)
	@echo 'Installing what requirements-dev.lock pins into .venv (once) ...'
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

$(BENCH): benchmarks/requirements.lock | $(VENV)
	@echo 'Installing what benchmarks/requirements.lock pins into benchmarks/.venv (once) ...'
	@$(BIN)/python -m venv benchmarks/.venv
	@benchmarks/.venv/bin/python -m pip $(INSTALL) -r benchmarks/requirements.lock
	@touch $@

$(SCRIPTS): package-lock.json
	@command -v npm > /dev/null || { echo 'There is no npm here, which installs the checker of the scripts in assets/: install it (Debian, Ubuntu: apt install npm)' >&2; exit 1; }
	@echo 'Installing what package-lock.json pins into node_modules (once) ...'
	@npm ci --silent
	@touch $@
