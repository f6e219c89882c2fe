# make demo    every bundled sample through predict and report, no network, seconds
# make test    what CI runs: ruff, mypy, pytest with coverage and a limit on skipped tests
# make bench   the scripts behind every published number
# make fuzz    every Hypothesis test for long
# make docs    rewrite docs/cli.md and the tree in README.md from the code
# make clean   remove what these made

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CONSTRAINTS := constraints.txt
DEMO_OUT ?= fabsight-demo
WORKERS ?= 2
# A machine without the real data, onnx and potrace skips 29 tests. More than this fails.
MAX_SKIPS ?= 32
MIN_COVERAGE ?= 90

# One thread per process: the machine's cores are used by processes, and results do not depend
# on how a numerical library splits its sums.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.PHONY: demo test lint types tests bench fuzz docs clean
.DELETE_ON_ERROR:

demo: $(VENV)/.base
	$(BIN)/fabsight demo --out $(DEMO_OUT)

test: lint types tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m pytest -p plugin_skips --max-skips $(MAX_SKIPS) \
		-q -n $(WORKERS) --dist worksteal --cov --cov-report= --cov-fail-under=$(MIN_COVERAGE)

bench: $(VENV)/.dev
	$(BIN)/fabsight bench all

fuzz: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m pytest -p plugin_skips --hypothesis-profile=fuzz \
		-m hypothesis -q -n $(WORKERS) tests

docs: $(VENV)/.dev
	$(BIN)/python docs/generate.py

clean:
	rm -rf build dist $(DEMO_OUT) .coverage .coverage.* .hypothesis .mypy_cache .ruff_cache \
		.pytest_cache
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "fabsight needs Python 3.11 or newer and found none on PATH:" \
		"install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "fabsight needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
		"name another: make PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) -m venv failed: install the venv package" \
		"(Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 3; }

$(VENV)/.base: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(PIP) install -c $(CONSTRAINTS) -e . || { echo "$(CONSTRAINTS) does not fit this" \
		"machine: installing the newest versions instead" >&2; $(PIP) install -e .; }
	@touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(PIP) install -c $(CONSTRAINTS) -e '.[dev]' || { echo "$(CONSTRAINTS) does not fit this" \
		"machine: installing the newest versions instead" >&2; $(PIP) install -e '.[dev]'; }
	@touch $@ $(VENV)/.base
