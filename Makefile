# Every target does all its own set-up. A machine needs Python 3.11+ and make.
#
#   make demo [SOURCE=sqs|kinesis|dynamodb|kafka] [ORDERS=1000]
#             [EMULATOR=ministack|elasticmq|moto|kinesalite|dynamodb-local|kafka]
#   make test [TESTS="tests/unit -k planner"] [ARGS=-n0]        (-n0: in one process, which a debugger can enter)
#   make help

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
# Where it is set, each of the processes of the tests compiles every module of the product and of the tests anew.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$each"; break; }; done)
NONE = $(error Headrace needs Python 3.11 or newer, and there is none on PATH. Name one: make PYTHON=/path/to/python3)
PY := .venv/bin/python
SUITES := $(wildcard $(addprefix tests/,unit property scenario contract integration acceptance))
TESTS ?= $(SUITES)
SOURCE ?= sqs
EMULATOR ?=
ORDERS ?=
PACKAGES := -p headrace.config -p headrace.dispatch -p headrace.pollers -p headrace.service
FORMATTED := .ci config dispatch pollers service tests examples $(wildcard benchmarks)

.PHONY: help
help: ## Show the targets
	@sed -n 's/^\([a-z%-]*\):.*## /\1\t/p' Makefile | expand -t 12

.PHONY: venv emulators
venv: ## Set up .venv from requirements/dev.lock
	@"$(or $(PYTHON),$(NONE))" .ci/environment.py .venv requirements/dev.lock --project

emulators: ## Set up .emulators from requirements/emulators.lock
	@"$(or $(PYTHON),$(NONE))" .ci/environment.py .emulators requirements/emulators.lock

.PHONY: demo
demo: venv emulators ## Send orders through a real emulator and account for each
	@$(PY) examples/demo/demo.py --source "$(SOURCE)" $(if $(EMULATOR),--emulator "$(EMULATOR)") $(if $(ORDERS),--orders "$(ORDERS)")

.PHONY: test
test: venv emulators ## Run the tests, the fast ones first
	$(PY) -m pytest -n auto $(TESTS) $(ARGS)

.PHONY: coverage
coverage: venv ## Run the unit, property and scenario tests; fail where they leave a branch of what decides
	$(PY) .ci/branches.py $(ARGS)

.PHONY: proof
proof: venv emulators ## Run the tests with full counts (up to two hours)
	HEADRACE_PROOF=1 $(PY) -m pytest -n auto $(filter-out tests/acceptance,$(SUITES)) $(wildcard tests/proof) $(ARGS)

.PHONY: check
check: format-check lint types house docs-check wheel-check ## Format, lint, strict types, rooms, documents, the wheel

.PHONY: format format-check lint types
format: venv ## Rewrite the sources in the project's format
	$(PY) -m ruff format $(FORMATTED)
	$(PY) -m ruff check --fix $(FORMATTED)

format-check: venv
	$(PY) -m ruff format --check $(FORMATTED)

lint: venv
	$(PY) -m ruff check $(FORMATTED)

types: venv
	$(PY) -m mypy $(PACKAGES)
	$(PY) -m mypy tests
	MYPYPATH=benchmarks $(PY) -m mypy .ci $(wildcard benchmarks)
	MYPYPATH=examples/demo $(PY) -m mypy examples/demo examples/compose

.PHONY: house
house: venv ## Show the rooms and their imports; fail on what breaks their rules
	@$(PY) .ci/house.py

.PHONY: docs docs-check
docs: venv ## Write the generated parts of the documents
	$(PY) -m headrace.config.schema --write
	$(PY) .ci/documents.py --write

docs-check: venv
	$(PY) -m headrace.config.schema --check
	$(PY) .ci/documents.py --check
	$(PY) .ci/semantics.py --check

.PHONY: wheel-check
wheel-check: venv
	$(PY) -m pytest tests/acceptance/test_wheel.py

.PHONY: compose-check
compose-check: ## Build, run, kill and stop docker-compose.yml on the engine that DOCKER_HOST names
	@"$(or $(PYTHON),$(NONE))" .ci/compose_check.py

.PHONY: page-check
page-check: venv emulators ## Run the tests of the page in a real Chromium, of the dashboard in a real Prometheus
	HEADRACE_STRICT=1 $(PY) -m pytest -n0 tests/page $(ARGS)

.PHONY: page-pictures
page-pictures: venv emulators ## Take the pictures of docs/ anew, in a real Chromium
	HEADRACE_PICTURES=docs/pictures $(PY) -m pytest -n0 tests/page/test_page_pictures.py $(ARGS)

.PHONY: lock
lock: ## Resolve the requirements again (UPGRADE=1: to the newest)
	@"$(or $(PYTHON),$(NONE))" .ci/lock.py $(if $(UPGRADE),--upgrade)

.PHONY: bench
bench: venv emulators ## Measure the goals of docs/performance.md (up to 40 minutes)
	$(PY) benchmarks/measuring/every.py $(ARGS)

bench-%: venv emulators ## Run one: bench-isolation is benchmarks/isolation.py
	@test -f "benchmarks/$*.py" || { echo "there is no benchmarks/$*.py" >&2; exit 2; }
	$(PY) "benchmarks/$*.py" $(ARGS)

.PHONY: clean
clean: ## Remove what the other targets made, environments and fetched servers too
	rm -rf .venv .venv.lock .emulators .emulators.lock .servers .headrace build dist *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
