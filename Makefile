# make report    every table and figure into reports/out (digits; with DATA=FOLDER the real benchmarks too)
# make test      the tests, in parallel        make test-all   slow ones too
# make lint      ruff and mypy                 make bench      side by side against peers
# make docs      the site, built strictly into build/docs
# make test-light  the wheel without torch on every Python   make test-nb301  beside the public package
# Each target makes the environment it needs in .venv; the second time it is there.

PYTHON ?= python3
VENV ?= .venv
DATA ?=
WORKERS ?= auto
# The CPU build of torch; where this index cannot be reached, pip's own sources are used.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# pyenv's shims answer for every version they hold
export PYENV_VERSION := $(shell command -v pyenv >/dev/null 2>&1 && pyenv versions --bare 2>/dev/null | grep -E '^3\.1[1234](\.|$$)' | paste -sd: -)

.PHONY: full report test test-all test-light test-nb301 lint format bench gallery notebook docs wheel clean help

help:
	@sed -n '1,6p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=24'

# Light: what a report needs, with charts that answer the pointer (page). No torch.
$(VENV)/.light: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e '.[page]'
	@touch $@

# Full: torch first, alone and from the CPU index, so that nothing resolves it to a CUDA build.
$(VENV)/.full: $(VENV)/.light
	$(BIN)/python -c 'import torch' 2>/dev/null || $(PIP) install --no-deps --retries 0 --timeout 20 --extra-index-url $(TORCH_INDEX) -c constraints.txt torch
	$(PIP) install -c constraints.txt -e '.[page,supernet,nb101,nb301,robust-darts,dev]'
	@touch $@

# Docs: what builds the site, beside what a report needs. No torch: its modules are read as text.
$(VENV)/.docs: $(VENV)/.light
	$(PIP) install -c constraints.txt -e '.[docs]'
	@touch $@

full: $(VENV)/.full

report: $(VENV)/.light
	$(BIN)/nasanalysis report $(if $(DATA),--data $(DATA)) --out reports/out

test: $(VENV)/.full
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow' $(ARGS)

test-all: $(VENV)/.full
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

# The light install (no torch), from the wheel, on every supported Python of this machine.
test-light: $(VENV)/.full
	$(BIN)/nox --no-error-on-missing-interpreters -s light

lint: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.full
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.full
	$(BIN)/python benchmarks/run.py $(if $(DATA),--data $(DATA))

# With DATA the committed page under docs; without, what is embedded, under reports/out.
gallery: $(VENV)/.light
	$(BIN)/nasanalysis gallery $(if $(DATA),--data $(DATA) --out docs,--out reports/out/gallery)

notebook: $(VENV)/.full
	$(BIN)/python -m jupytext --to ipynb --execute notebooks/*.py

# NAS-Bench-301 beside the public package, which needs an environment of its own.
test-nb301: $(VENV)/.full
	$(BIN)/python tests/nb301_oracle/run.py

# The pages of the four works, once; `make clean docs` writes them anew.
build/papers/answer.md: | $(VENV)/.light
	$(BIN)/nasanalysis papers --out build/papers

docs: $(VENV)/.docs build/papers/answer.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: $(VENV)/.full
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) .nox build dist reports/out .pytest_cache .mypy_cache .ruff_cache .hypothesis
