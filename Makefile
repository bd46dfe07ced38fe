# make demo | test | check | bench | docs. Everything lives in .venv; delete it to start over.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Tests are many small sums: spinning OpenMP threads would only slow each other down.
test test-web check bench: export OMP_NUM_THREADS = 1

# make web needs node 20.19 or newer; make test-web that, and Debian's chromium (or another, named in CHROMIUM).

.PHONY: help demo test web test-web check bench docs clean

help:
	@echo "make demo   set up, learn a space from the Python standard library's documentation, search it"
	@echo "make test   set up what the tests need, run them"
	@echo "make web    build the page of tolman serve (needs node); make test-web tries it in a real browser"
	@echo "make check  style, types, layers, generated docs"
	@echo "make bench  the benchmarks that need no data; the others: python benchmarks/NAME.py --help"
	@echo "make docs   write the generated pages again"

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Tolman needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "error: python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

# torch first and alone: with its version settled, nothing later draws another build of it.
.venv/.torch: .venv/.python constraints.txt
	@echo "setting up .venv (a few minutes the first time)"
	@$(INSTALL) torch
	@touch $@

.venv/.tolman: .venv/.torch pyproject.toml
	@$(INSTALL) --editable '.[files,serve,topics]'
	@touch $@

.venv/.dev: .venv/.torch pyproject.toml
	@$(INSTALL) --editable '.[dev]'
	@touch $@ .venv/.tolman

stdlib.space: | .venv/.tolman
	$(BIN)/tolman learn python:stdlib --output $@ --budget 60s

demo: stdlib.space
	$(BIN)/tolman search $< "wait until another thread is done" -k 5
	@echo
	@echo "Your turn. Ask this space something else:"
	@echo "  $(BIN)/tolman search $< \"parse a date\""
	@echo "Or learn one from your own text (.csv .tsv .jsonl .parquet .txt, or a folder of documents):"
	@echo "  $(BIN)/tolman learn FILE --output my.space"
	@echo "  $(BIN)/tolman search my.space \"your question\""
	@echo "What was learned, how good it is, what it cost: $</card.md"

test: .venv/.dev
	$(BIN)/python -m pytest

web/node_modules/.done: web/package-lock.json
	@cd web && npm ci --silent
	@touch $@

web: web/node_modules/.done
	cd web && npm run --silent check && npm run --silent build

test-web: .venv/.dev web/node_modules/.done
	cd web && npm run --silent check
	$(BIN)/python -m pytest tests/web

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_exports.py
	$(BIN)/python docs/generate.py --check

bench: .venv/.dev
	$(BIN)/python benchmarks/cold_search.py

docs: .venv/.dev
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv stdlib.space web/node_modules
