# `make run` and `make test` work as the first command on a machine with Python ≥ 3.11 and make.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
SCENARIO ?= scenarios/rag.yaml
WORKERS ?= 2

.PHONY: run test test-slow bench performance docs outputs studies format clean

run: .venv/installed
	$(BIN)/sim run $(SCENARIO)

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict simulator
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS)

test-slow: .venv/installed-dev
	$(BIN)/pytest -n $(WORKERS) -m slow

bench: .venv/installed-dev
	$(BIN)/pytest benchmarks --benchmark-enable

performance: .venv/installed-dev
	$(BIN)/python benchmarks/performance.py

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What the code on tutorial and how-to pages prints, written into them again.
outputs: .venv/installed-dev
	$(BIN)/python docs/site/cells.py

# The comparisons under reports/studies, made again by the commands on their pages.
studies: .venv/installed-dev
	$(BIN)/python docs/site/studies.py

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/installed: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/installed

.venv/installed-docs: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@ .venv/installed

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian and Ubuntu: apt install python3-venv); \
	name one with: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
