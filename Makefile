# Few and short: `make run`, `make test`, `make lint`, `make types`, `make bench`, `make soak`, `make fuzz`; CI calls the same ones.
#
# .venv holds the form that is deployed: compiled where a C compiler and Python's headers are, else interpreted, which is said.
# .venv-pure holds the interpreted form, for the tests that run on both. What is installed there is tested and run, never the
# checkout. Both are made anew only when a source has changed.

# The interpreter of both: of those that are here the one that serves best, or the one that is named.
PYTHON ?= $(shell python3 -B setup.py interpreter)
PYTHON := $(PYTHON)
BALANCER_COMPILE ?= auto
SOURCES := pyproject.toml setup.py $(shell find balancer -name '*.py' -o -name '*.c' -o -path '*/assets/*')

# The Debian packages that the compile step lacks here, empty where nothing is missing, and the form that .venv gets of it. The
# form is part of the stamp's name: a compiler that is installed later is noticed.
MISSING := $(shell $(PYTHON) -B setup.py missing)
CAN_COMPILE := $(if $(MISSING),$(filter require,$(BALANCER_COMPILE)),yes)
FORM := $(if $(filter never,$(BALANCER_COMPILE)),pure,$(if $(CAN_COMPILE),compiled,pure))
INSTALLED := .venv/installed-$(FORM)
EXTRAS = import sys, tomllib; table = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*(line for extra in sys.argv[1:] for line in table[extra]), sep="\n")

.PHONY: run test unit lint types bench bench-micro soak fuzz clean limits
.DELETE_ON_ERROR:

run: $(INSTALLED)
	@.venv/bin/python -P -m balancer.demo run -f conf/demo.cfg

test: .venv/extras $(INSTALLED) .venv-pure/extras .venv-pure/installed
	@.venv/bin/python -P tests/everything.py

unit: .venv/extras $(INSTALLED)
	@.venv/bin/python -P tests/everything.py unit

lint: .venv/extras
	.venv/bin/ruff check .

types: .venv/extras $(INSTALLED)
	.venv/bin/mypy

# benchmarks/ is found in the checkout; it imports nothing of ours and starts what is installed.
# BENCH holds words for it: make bench BENCH="--quick --scenario keepalive"
bench: $(INSTALLED) .venv/extras-bench
	.venv/bin/python -m benchmarks $(BENCH)

bench-micro: $(INSTALLED) .venv/extras-bench
	.venv/bin/python -P -m pytest -c benchmarks/micro/pytest.ini --rootdir benchmarks/micro benchmarks/micro

# A million exchanges with servers and clients that break off at every point, and the figures; COUNT=... for another number.
COUNT ?= 1000000
soak: .venv/extras $(INSTALLED)
	PYTHONPATH=tests .venv/bin/python -P tests/soak.py --count $(COUNT)

# What slow, silent and greedy clients cost, beside haproxy. LIMITS holds words for it: make limits LIMITS="--connections 100"
limits: .venv/extras $(INSTALLED)
	@PYTHONPATH=tests .venv/bin/python -P -m limits_beside_haproxy $(LIMITS)

# Half of the time on the interpreted form, where the lines that are reached guide the search, half on the deployed form. With
# KEEP=1 what reaches new lines is written into tests/corpus; what fails always is.
fuzz: SECONDS ?= 600
fuzz: .venv/extras $(INSTALLED) .venv-pure/extras .venv-pure/installed
	@status=0; for python in .venv-pure/bin/python .venv/bin/python; do \
		PYTHONPATH=tests $$python -P -m fuzz --seconds $$(( $(SECONDS) / 2 )) $(if $(KEEP),--keep) || status=1; done; exit $$status

clean:
	rm -rf .venv .venv-pure

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv-pure/bin/python:
	$(PYTHON) -m venv .venv-pure

$(INSTALLED): $(SOURCES) | .venv/bin/python
	@if [ "$(BALANCER_COMPILE)" = auto ] && [ -n "$(MISSING)" ]; then \
		echo "Not compiled, about four times slower. What would compile it: apt-get install $(MISSING)"; fi
	@rm -f .venv/installed-*
	BALANCER_COMPILE=$(BALANCER_COMPILE) .venv/bin/pip install --quiet .
	@touch $@

.venv-pure/installed: $(SOURCES) | .venv-pure/bin/python
	BALANCER_COMPILE=never .venv-pure/bin/pip install --quiet .
	@touch $@

.venv/extras: pyproject.toml | .venv/bin/python
	@.venv/bin/python -c '$(EXTRAS)' test lint > $@.txt
	.venv/bin/pip install --quiet -r $@.txt
	@touch $@

.venv/extras-bench: pyproject.toml | .venv/bin/python
	@.venv/bin/python -c '$(EXTRAS)' bench > $@.txt
	.venv/bin/pip install --quiet -r $@.txt
	@touch $@

.venv-pure/extras: pyproject.toml | .venv-pure/bin/python
	@.venv-pure/bin/python -c '$(EXTRAS)' test > $@.txt
	.venv-pure/bin/pip install --quiet -r $@.txt
	@touch $@
