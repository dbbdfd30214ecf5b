# `make report` and `make test` need nothing but make and a Python of 3.11 or newer.

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
INSTALLED := $(VENV)/installed
# The folders under the one name that they are imported by: what mypy and editors read.
LINKS := $(VENV)/links/gradparity
ROOMS := reference torch_impl jax_impl parity_tests reports

# NumPy's OpenBLAS lets its threads wait without sleeping, and others wait for them. The
# command shortens that for itself (parity_tests/processes/settings.py); pytest is not the command. The
# tests share the processors among several processes, and wait still less.
test test-deep test-browser: export OPENBLAS_THREAD_TIMEOUT ?= 18
bench-layers: export OPENBLAS_THREAD_TIMEOUT ?= 20
# The same of PyTorch's threads, but only where several processes share the processors:
# alone, they are faster if they do not sleep.
test test-deep test-browser: export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: report test docs test-deep test-browser test-stacks lint format bench bench-layers published elementary book lock clean help

report: $(INSTALLED) ## run the suite and write gradparity-report/
	$(BIN)/gradparity report

docs: $(INSTALLED) ## the manual, and what happens under the hood: a site in gradparity-docs/
	$(BIN)/gradparity explain --all --output gradparity-docs
	$(BIN)/python -m gradparity.reports.explain.manual docs gradparity-docs
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir gradparity-docs/notebooks .

test: $(INSTALLED) ## the parity suite
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not browser and not deep"

test-deep: $(INSTALLED) ## 10,000 random cases a layer, and what else takes long (Chromium)
	$(BIN)/python -m pytest -n auto --dist worksteal --hypothesis-profile=deep parity_tests/suite/catalogue/test_properties.py parity_tests/suite/functions/test_random_programs.py
	$(BIN)/python -m pytest -m deep

test-browser: $(INSTALLED) ## the report and the pages in Chromium, which must be installed
	$(BIN)/python -m pytest -n auto --dist loadfile -m "browser and not deep"

STACKS ?=
test-stacks: $(INSTALLED) ## on the oldest and the newest versions of everything (STACKS=newest)
	$(BIN)/python .ci/stacks.py $(STACKS)

lint: $(INSTALLED) ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
ifeq ($(OS),Windows_NT)
	@echo Types are not checked on Windows: mypy reads the folders through symbolic links.
else
	@mkdir -p $(LINKS)
	@for room in $(ROOMS); do ln -sfn ../../../$$room $(LINKS)/$$room; done
	@for file in __init__.py __main__.py py.typed; do ln -sf ../../../reports/face/$$file $(LINKS)/; done
	$(BIN)/mypy
endif

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## speed, against the floor and against idiomatic loops
	$(BIN)/gradparity bench

# Without the options of the suite: shapes would be checked at run time, and that be timed.
bench-layers: $(INSTALLED) ## speed of the layers one by one, under pytest-benchmark (a minute)
	$(BIN)/python -m pytest -q -o addopts= parity_tests/benchmarks/bench_layers.py --benchmark-disable-gc \
	  --benchmark-max-time=0.1 --benchmark-min-rounds=10 --benchmark-time-unit=us \
	  --benchmark-name=short --benchmark-columns=median,iqr,min,rounds

published: $(INSTALLED) ## renew reports/published/ from a run on the real MNIST (ten minutes)
	$(BIN)/gradparity report --dataset mnist --seeds 10 --output reports/published
	rm reports/published/report.html

FUNCTIONS ?=
elementary: $(INSTALLED) ## measure exp, log and the like on this machine, for the rounding bounds (an hour; FUNCTIONS=tanh)
	$(BIN)/python -m gradparity.parity_tests.measuring.elementary_errors $(FUNCTIONS)

BOOK ?=
BOOK2 ?=
book: $(INSTALLED) ## renew the digests of the book's code, from clones of its repositories (BOOK=..., BOOK2=...)
	$(BIN)/python -m gradparity.parity_tests.suite.grading.book_digests $(BOOK) $(BOOK2)

# torch's CUDA libraries are left out: torch itself pins them, where its build needs any.
# Where Python 3.11 cannot have what newer ones can, as of JAX and NumPy, there are two lines.
lock: $(INSTALLED) ## renew requirements.lock
	{ sed -n '/^#/p' requirements.lock; \
	  $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy requires-python \
	    --prerelease disallow --extra dev --no-header --no-annotate \
	    --constraint constraints.txt pyproject.toml \
	  | grep -Ev '^(nvidia-|cuda-|triton)'; } > requirements.lock.new
	mv requirements.lock.new requirements.lock

clean: ## remove what make has made
	rm -rf $(VENV) .stacks gradparity-report gradparity-docs .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/' | expand -t 16

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gradparity needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": run make PYTHON=python3.12, for instance")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --requirement requirements.lock
	$(BIN)/python -m pip install --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)
