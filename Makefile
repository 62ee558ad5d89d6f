# Few and short: `make run`, `make test`, `make lint`, `make types`, `make bench`; CI calls the same ones.
#
# .venv holds the form that is deployed: compiled where a C compiler and Python's headers are, else interpreted, which is said.
# .venv-pure holds the interpreted form, for the tests that run on both. What is installed there is tested and run, never the
# checkout. Both are made anew only when a source has changed.

PYTHON ?= python3
BALANCER_COMPILE ?= auto
SOURCES := pyproject.toml setup.py $(shell find balancer -name '*.py')

# The Debian packages that the compile step lacks here; empty where nothing is missing.
MISSING = $(shell $(PYTHON) -B setup.py missing)
EXTRAS = import sys, tomllib; table = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*(line for extra in sys.argv[1:] for line in table[extra]), sep="\n")

.PHONY: run test unit lint types bench clean
.DELETE_ON_ERROR:

run: .venv/installed
	@.venv/bin/python -P -m balancer.demo run -f conf/demo.cfg

test: .venv/extras .venv/installed .venv-pure/extras .venv-pure/installed
	@.venv/bin/python -P tests/everything.py

unit: .venv/extras .venv/installed
	@.venv/bin/python -P tests/everything.py unit

lint: .venv/extras
	.venv/bin/ruff check .

types: .venv/extras .venv/installed
	.venv/bin/mypy

bench: .venv/installed
	.venv/bin/python -P -m benchmarks

clean:
	rm -rf .venv .venv-pure

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv-pure/bin/python:
	$(PYTHON) -m venv .venv-pure

.venv/installed: $(SOURCES) | .venv/bin/python
	@if [ "$(BALANCER_COMPILE)" != never ] && [ -n "$(MISSING)" ]; then \
		echo "Not compiled: about four times slower. To compile: apt-get install $(MISSING)  and then 'make clean'."; fi
	BALANCER_COMPILE=$(BALANCER_COMPILE) .venv/bin/pip install --quiet .
	@touch $@

.venv-pure/installed: $(SOURCES) | .venv-pure/bin/python
	BALANCER_COMPILE=never .venv-pure/bin/pip install --quiet .
	@touch $@

.venv/extras: pyproject.toml | .venv/bin/python
	@.venv/bin/python -c '$(EXTRAS)' test lint > $@.txt
	.venv/bin/pip install --quiet -r $@.txt
	@touch $@

.venv-pure/extras: pyproject.toml | .venv-pure/bin/python
	@.venv-pure/bin/python -c '$(EXTRAS)' test > $@.txt
	.venv-pure/bin/pip install --quiet -r $@.txt
	@touch $@
