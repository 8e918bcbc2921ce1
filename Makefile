# Every command that a person types. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SITE   := _build/html
CLASS  := _build/class
SLUGS  := perceptron networks backprop convolution attention
PORT   ?= 8000

# one thread each: the tools below run side by side, and small arrays gain nothing from more
export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help setup course book site exercises serve test test-without-site test-fast lint format mutants bench stills vendor clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## make .venv with everything in requirements.txt

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "make: Python 3.11 is needed ($(PYTHON) is not it, or not there). Install it, or name it: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

course: book  ## the executed site, the exercises, and a graded demonstration class
	@$(BIN)/python -m autograder demo --out $(CURDIR)/$(CLASS)
	@echo "site: $(CURDIR)/$(SITE)/index.html   (or: make serve)"

book: exercises  ## build the executed site into _build/html; warnings and failing cells are errors
	@$(MAKE) --no-print-directory site

site:
	@# the kernels' note about TCP (they listen on 127.0.0.1 only) would stand here once for every page
	@# after a failure every page is read again (its results stay cached): a page that was read once warns no more
	$(BIN)/jupyter-book build . --path-output . -W -n --keep-going -q 2>&1 | { grep -v 'TCP without encryption' || true; } || \
	  { rm -f _build/.doctrees/environment.pickle; exit 1; }

exercises: $(READY)  ## generate exercises/ from solutions/
	@$(BIN)/python -m autograder release

serve: book  ## build, then show the site on http://localhost:8000
	$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(SITE)

test: exercises  ## set up, build the site, and every test
	@# the tests that do not look at the site run beside its build, which is busy with one page at a time
	@$(MAKE) --no-print-directory -j 2 site test-without-site
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/book

test-without-site:
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/book

test-fast: $(READY)  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

lint: $(READY)  ## ruff on code, percent scripts and the cells of the book
	$(BIN)/ruff check .
	$(BIN)/python tests/lint_book.py

mutants: $(READY)  ## which slips in the solutions would still get full marks
	$(BIN)/python -m tests.mutation $(SLUGS)

bench: $(READY)  ## measure side by side with what a user would pick instead
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

stills: $(READY)  ## take the still pictures of the live figures again (needs Chromium)
	$(BIN)/python book/_stills/update.py

vendor:  ## fetch the third-party files of book/_vendor again (needs npm)
	sh book/_vendor/update.sh

clean:  ## remove what was built (not .venv)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
