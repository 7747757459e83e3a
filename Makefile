# What a newcomer, a maintainer and CI type. `make help` lists it.
# Nothing has to be installed by hand but Python (3.11 or newer, with venv) and make; the second run of a target is quick.
# Everything comes from the locked files in requirements/, each package checked against its hash.

VENV ?= .venv
LISTEN ?= 127.0.0.1:5000
DATA ?= moorage-data
# More arguments for the program that a target runs: make serve ARGS="--workers 2", make test ARGS="-k tags"
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
LOCKED := $(PIP) install --require-hashes --no-deps
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links $(UPGRADE)
# What neither measures time nor starts programs that want the machine for themselves.
SIDE_BY_SIDE := not e2e and not faults and not conformance and not slow
UNIT := not e2e and not faults and not conformance and not postgresql and not slow

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test check unit bench conformance requirements format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="	" read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done

serve: $(VENV)/.runtime ## set everything up and serve 127.0.0.1:5000 on SQLite and files, open to everyone on this machine
	@exec $(BIN)/moorage serve --open --listen $(LISTEN) --data $(DATA) $(ARGS)

test: $(VENV)/.dev ## set everything up and run the whole suite; tells what it skips, and how to install that
ifeq ($(strip $(ARGS)),)
	@first=0; $(BIN)/python -m pytest -m "$(SIDE_BY_SIDE)" -n 2 -q || first=$$?; \
	$(BIN)/python -m pytest -m "not ($(SIDE_BY_SIDE))" && exit $$first
else
	$(BIN)/python -m pytest $(ARGS)
endif

check: $(VENV)/.dev ## format, lint, types, import contracts, unit tests with coverage: what a commit has to pass
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory unit

unit: $(VENV)/.dev ## the unit tests alone, with coverage
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -m "$(UNIT)" -n 2 -q -r fEs --cov --cov-report=json:.coverage.json $(ARGS)
	$(BIN)/python -m tests.house.coverage_floors

bench: $(VENV)/.dev ## measure beside other registries and engines, where they are installed; prints tables of ratios
	$(BIN)/python -m benchmarks $(ARGS)
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m benchmarks.engine
endif

conformance: $(VENV)/.dev ## run the distribution-spec's own tool against both servers
	$(BIN)/python -m pytest -m conformance tests/conformance $(ARGS)

format: $(VENV)/.dev ## write the code as the checks want it
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

requirements: $(VENV)/.lock ## lock the dependencies again after a change of pyproject.toml; newer ones: UPGRADE=--upgrade
	$(LOCK) pyproject.toml --all-extras --group build -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra all -c requirements/dev.txt -o requirements/all.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --group lock -o requirements/lock.txt
	@sed -i '1i # Locked from pyproject.toml by `make requirements`; not edited by hand.' requirements/*.txt

clean: ## remove what these targets made, but no data and no installed tools
	rm -rf $(VENV) dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -not -path './.tools/*' -exec rm -rf {} +

# The stamps. A larger set installs over a smaller one: they are locked together and agree on every version.
$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the server needs into $(VENV) ..."
	@$(LOCKED) -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the server and its tests need into $(VENV) ..."
	@$(LOCKED) -r requirements/dev.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation -e .
	@touch $(VENV)/.runtime $@

$(VENV)/.lock: requirements/lock.txt | $(BIN)/python
	@$(LOCKED) -r requirements/lock.txt
	@touch $@

$(BIN)/python:
	@requirements/make-venv $(VENV)
