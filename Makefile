# Everything a fresh machine needs: python3 (3.11 or newer), a C compiler and make.
#   make demo   environment, then the main job on clips that the suite draws itself
#   make test   environment with the test tools, then linters, types and tests

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= results/demo
PIP    := $(BIN)/python -m pip --disable-pip-version-check
INPUTS := pyproject.toml $(wildcard requirements/*.txt)

.PHONY: demo test lint typecheck unit bench clean

demo: $(VENV)/.installed-demo
	$(BIN)/mova-eval --offline benchmarks render $(DEMO)/truth
	$(BIN)/mova-eval --offline score $(DEMO)/truth/items --benchmark mini --present --model truth \
	    --asr faster-whisper:packaged-base --require loudness,dnsmos,av_align,wer --out $(DEMO)/run
	$(BIN)/mova-eval --offline doctor --truth
	@echo "report: $(DEMO)/run/report.html"

test: lint typecheck unit

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.installed-test
	$(BIN)/mypy

unit: $(VENV)/.installed-test
	$(BIN)/pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered -m "not benchmark"

bench: $(VENV)/.installed-test
	$(BIN)/pytest tests/benchmarks -m benchmark -s

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mova-eval needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: $(INPUTS) | $(BIN)/python
	$(PIP) install -q -c requirements/constraints.txt -e .
	$(PIP) install -q --no-deps --require-hashes -r requirements/offline.txt
	touch $@

# torch comes first and pinned: where an index offers a build for the CPU alone, this keeps pip on it
$(VENV)/.installed-test: $(VENV)/.installed-demo
	$(PIP) install -q -c requirements/constraints.txt torch
	$(PIP) install -q -c requirements/constraints.txt -e '.[models,arena,arena-pg,test]'
	$(PIP) install -q --no-deps -r requirements/nodeps.txt
	$(PIP) install -q meeteval || echo "meeteval needs a C++ compiler: the comparison with it will be skipped"
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache
