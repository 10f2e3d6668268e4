# Every target sets up what it needs by itself: git, make and Python 3.11 with venv are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TALLY := build/tally

# Each start of the program would compile all of its modules again, which takes half of its time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-slow-parallel test-alone test-wheel test-oldest test-systemd coverage torture \
  bench bench-quick bench-plots bench-peers mutants soak soak-faked fuzz lint format lock wheel wheels docs clean
# With -j, tests that must run alone would run beside the others.
.NOTPARALLEL:

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## a virtual environment with everything that is pinned

$(READY): requirements.lock pyproject.toml
	@scripts/check-python $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: $(READY)  ## the real daemon against the built-in simulator; alerts on this console
	$(BIN)/aitems-watcher demo

torture: $(READY)  ## every fault of docs/reliability.md in full, and one table (an hour and a half)
	scripts/torture $(BIN)/python

bench: $(READY)  ## the figures of docs/performance.md beside peers of the same minutes (half an hour)
	PYTHONPATH=. $(BIN)/python -m bench $(CASES)

bench-quick: $(READY)  ## smaller figures within two minutes
	PYTHONPATH=. $(BIN)/python -m bench --quick $(CASES)

bench-plots: $(READY)  ## draw the cost of a unit by size into docs/performance.svg (a quarter of an hour)
	PYTHONPATH=. $(BIN)/python -m bench.plots

bench-peers: $(READY)  ## install the peers of the benchmark: aiohttp and httpx by pip, Prometheus by apt (as root)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement bench/peers.txt
	apt-get install --yes --no-install-recommends prometheus prometheus-blackbox-exporter prometheus-alertmanager

mutants: $(READY)  ## faults planted into the mechanism, each to be caught by a quick test
	$(BIN)/python scripts/mutants.py

soak: $(READY)  ## 500 trainings, every fault now and then, MINUTES=30; draws docs/soak.svg
	PYTHONPATH=. $(BIN)/python scripts/soak.py $(or $(MINUTES),30)

soak-faked: $(READY)  ## the same over days of faked time, HOURS=72; draws docs/soak-72h.svg
	PYTHONPATH=. $(BIN)/python scripts/soak_faked.py $(or $(HOURS),72)

# Many tests mostly wait for a server or a daemon, so that two cores serve five processes.
PYTEST := $(BIN)/python -m pytest
BESIDE := -n 5 --dist worksteal
SLOW_BESIDE := -n 4 --dist worksteal
FAST := tests/acceptance tests/integration tests/fuzz tests/unit

test: $(READY)  ## the fast tests, about five minutes on two cores: unit, integration, acceptance
	$(PYTEST) -q $(BESIDE) $(FAST)

test-slow: test-slow-parallel test-alone  ## the slow tests of CI: tests/slow on both cores, then tests/alone
	$(BIN)/python -m tests.support.fault_table $(TALLY)/slow $(TALLY)/alone

test-slow-parallel: $(READY)
	rm -rf $(TALLY)
	$(PYTEST) -v $(SLOW_BESIDE) --tally $(TALLY)/slow tests/slow

test-alone: $(READY)
	$(PYTEST) -v --tally $(TALLY)/alone tests/alone

test-wheel: wheel  ## eleven acceptance tests (marker smoke) against the wheel, in a folder without the source
	scripts/test-wheel $(PYTHON)

test-oldest:  ## unit and integration tests with the lowest versions of the dependencies that the metadata allows
	@scripts/check-python $(PYTHON)
	scripts/test-oldest $(PYTHON)

coverage: $(READY)  ## the unit and integration tests again, with the lines that they do not reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q $(BESIDE) tests/integration tests/unit
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

wheels: wheel  ## build/wheels: the program and all that it needs, for a server without a network
	rm -rf build/wheels
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
	  --requirement requirements-runtime.lock --dest build/wheels
	cp dist/aitems_watcher-$$($(BIN)/python -c 'import watcher; print(watcher.__version__)')-*.whl build/wheels/

test-systemd: wheels  ## the unit under a real systemd; needs root, debootstrap and systemd-nspawn
	scripts/systemd-root $(CURDIR)/build/systemd-root build/wheels
	SYSTEMD_ROOT=$(CURDIR)/build/systemd-root $(BIN)/python -m pytest $(if $(TALLY_SYSTEMD),--tally $(TALLY_SYSTEMD)) tests/system

fuzz: $(READY)  ## what reads others' answers, a minute each (SECONDS=60)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3,<4"
	$(BIN)/python -m tests.fuzz.run $(or $(SECONDS),60)

lint: $(READY)  ## style, types, the arrows between the layers, the unit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	scripts/check-unit $(CURDIR)/$(BIN)/aitems-watcher

format: $(READY)  ## lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY)  ## pin anew: hashes, no addresses
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --group dev \
	  --python-version 3.11 pyproject.toml --output-file requirements.lock
	$(BIN)/python scripts/runtime_lock.py

wheel: $(READY)  ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

docs: $(READY)  ## write the parts of the docs that come from the code
	$(BIN)/python scripts/draw_lifecycle.py
	$(BIN)/python scripts/generate_cli_reference.py
	PYTHONPATH=. $(BIN)/python scripts/write_openapi.py
	$(BIN)/python scripts/grafana_dashboard.py

clean:  ## forget everything that was set up or built
	rm -rf $(VENV) $(VENV)-wheel dist build .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
