# Two commands on a fresh machine: `make report` and `make test`. Each sets up .venv by itself.

PYTHON ?= python3
WORKSHEET ?= worksheets/fundamentals.md
REPORT ?= report.html
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
RUN_READY := $(VENV)/ready-to-run
TEST_READY := $(VENV)/ready-to-test
DOCS_READY := $(VENV)/ready-for-docs

.PHONY: report test lint docs notebook clean

report: $(RUN_READY)
	$(BIN)/backprove run $(WORKSHEET) -o $(REPORT)

test: $(TEST_READY)
	$(BIN)/python -m pytest -q -n $(JOBS)

lint: $(TEST_READY) $(DOCS_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# The notebook of the repository, executed by a kernel of its own; make report keeps the answers.
notebook: $(DOCS_READY)
	$(BIN)/python tools/notebook.py execute notebooks/fundamentals.ipynb build/fundamentals.ipynb

docs: $(DOCS_READY)
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs docs/_build/html

clean:
	rm -rf $(VENV) $(REPORT) docs/_build

# The stamps are newer than the two files that say what is installed, or the set-up runs again.
$(RUN_READY): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(TEST_READY): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	@touch $(RUN_READY) $@

$(DOCS_READY): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[docs]'
	@touch $(RUN_READY) $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'backprove needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo 'No virtual environment could be made; on Debian: apt-get install python3-venv' >&2; exit 1; }
