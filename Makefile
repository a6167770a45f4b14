# Every target makes its own environment when it is missing. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -q
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export MPLBACKEND := Agg

.DEFAULT_GOAL := help
.PHONY: help report test check docs bench verify clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or run make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "alliancekit needs Python 3.11 or newer; $(PYTHON) is older. Run make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing alliancekit into $(VENV) (about a minute) ..."
	$(PIP) install --use-pep517 -c constraints.txt -e '.[peers]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing the development tools ..."
	$(PIP) install --use-pep517 -c constraints.txt -e '.[peers,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.run
	$(PIP) install --use-pep517 -c constraints.txt -e '.[peers,docs]'
	@touch $@

report: $(VENV)/.run ## run every analysis and write reports/
	$(BIN)/alliancekit run --all

test: $(VENV)/.dev ## unit, reference, recovery, crosscheck and snapshot tests
	$(BIN)/python -m pytest -n 2 -m "not slow"

check: $(VENV)/.dev ## style, types, layer contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.docs ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.dev ## time the engine beside its peers (R packages where installed)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/structural.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/streamed.py

verify: $(VENV)/.dev ## the slow recovery studies, and every report made again and compared
	$(BIN)/python -m pytest -n 2 -m slow
	$(BIN)/alliancekit verify reports

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
