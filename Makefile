# CNN Explorer.  `make` lists what can be made.

PORT ?= 8501
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test check chromium bench screenshots clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 22

run: .venv/.run ## set up what is missing, then open the app (PORT=8501)
	@echo "CNN Explorer: http://localhost:$(PORT) (Ctrl+C stops it)"
	@exec $(BIN)/streamlit run app.py --server.port $(PORT)

test: check chromium ## set up what is missing, then check and test everything, in a browser too
	@echo "Testing"
	@$(BIN)/python -m pytest

check: .venv/.test ## format, lint and types
	@echo "Checking format, lint and types"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/oxlint --deny-warnings explorer
	@$(BIN)/mypy

bench: .venv/.test ## measure against peers and floors; results go to benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

screenshots: .venv/.test chromium ## take the pictures of every page, light and dark
	@$(BIN)/python -m tests.browser.screenshots

chromium:
	@$(PYTHON) tests/browser/chromium.py

clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("CNN Explorer needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv

.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing requirements.txt into .venv (about 6 GB; some minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.test: requirements-dev.txt .venv/.run
	@echo "Installing requirements-dev.txt into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
