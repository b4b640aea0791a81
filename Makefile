# Two commands on a fresh machine with python3 and make: `make run` and `make test`.
#
# test-fast   the loop of daily work, under a minute on two cores: all but whole runs and browsers
# test        every test
# check       lint, format, types, import layers
# doctest     the examples in the docstrings
# smoke       does every benchmark still run? tiny inputs, measures nothing
# fuzz        damaged inputs of every kind; FUZZ=10000 for the long one
# mutants     do the tests notice planted faults?
# bench       measured speeds against their targets
# docs        the documentation site, in site/: open site/index.html
# skill       docs/skill.md: every model on four borders
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= configs/eastern-border.yaml

FUZZ ?= 60

.PHONY: run test test-fast check doctest docs smoke fuzz mutants bench skill lock raw schema \
	clean clean-runs

run: $(VENV)/.runtime
	$(BIN)/borderrisk run $(CONFIG)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow and not browser"

doctest: $(VENV)/.dev
	$(BIN)/python -m pytest --doctest-modules src/borderrisk

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

smoke: $(VENV)/.bench
	$(BIN)/python -m benchmarks --smoke

fuzz: $(VENV)/.dev
	$(BIN)/python -m benchmarks.fuzz --cases $(FUZZ)

mutants: $(VENV)/.dev
	$(BIN)/python -m benchmarks.mutants

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

skill: $(VENV)/.dev
	$(BIN)/python -m benchmarks.skill

raw: $(VENV)/.dev
	$(BIN)/python scripts/build_world_base.py
	$(BIN)/python scripts/build_raw_data.py

schema: $(VENV)/.runtime
	$(BIN)/borderrisk schema > docs/config.schema.json

# The runtime lock is a subset of the development lock with the same versions.
$(VENV)/.runtime: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/.bench: requirements-bench.lock $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

$(VENV)/.docs: requirements-docs.lock $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	touch $@

# Needs uv; rewrites the locks from pyproject.toml.
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header
lock:
	$(LOCK) --group build -o requirements.lock
	$(LOCK) --group build --group dev --all-extras -c requirements.lock -o requirements-dev.lock
	$(LOCK) --group docs -c requirements-dev.lock -o requirements-docs.lock
	$(LOCK) --group bench -c requirements-dev.lock -o requirements-bench.lock

clean:
	rm -rf $(VENV) build dist site src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

clean-runs:
	find data/processed -mindepth 1 -not -name README.md -delete
