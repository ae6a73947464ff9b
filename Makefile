# make without a target says what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
VENV_FUZZ := .venv-fuzz
BIN := $(VENV)/bin
# One more than two processors: many tests wait for other processes.
PYTEST_WORKERS ?= 3
# Tests of one module stay together, so that what it makes for all of them is made once.
PYTEST := $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal
# The engine that demo and serve use needs its packages.
ENGINE_PACKAGES := $(if $(filter whisper,$(ENGINE)),$(VENV)/installed-whisper)

.PHONY: help install whisper demo serve test fast check lint types migrations format schema screenshots state-machine bench-transcribe bench-queue bench-cache bench-pipeline bench-search bench-api bench-admin fuzz clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing what Longhand needs into $(VENV) (once, about a minute)."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

install: $(VENV)/installed ## install what Longhand needs into .venv

$(VENV)/installed-whisper: requirements-whisper.txt $(VENV)/installed
	@echo "Installing the Whisper engine into $(VENV) (once, 265 MB)."
	@$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-whisper.txt
	@touch $@

whisper: $(VENV)/installed-whisper ## install the optional Whisper engine too

demo: $(VENV)/installed $(ENGINE_PACKAGES) ## set everything up and transcribe the bundled recording
	@$(BIN)/python manage.py demo && $(BIN)/python -m config.embedded

serve: $(VENV)/installed $(ENGINE_PACKAGES) ## run the web server, workers and sweeper; prints address and login
	@$(BIN)/python manage.py serve || [ $$? -eq 130 ]

test: $(VENV)/installed ## run the whole suite on real servers
	@$(PYTEST) $(ARGS)

fast: $(VENV)/installed ## run the tests that start no processes
	@$(PYTEST) --ignore tests/workers --ignore tests/commands --ignore tests/browser \
		--ignore tests/config $(ARGS)

check: lint types migrations ## lint, types, migrations

lint: $(VENV)/installed ## find faults of style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/installed ## check types, strictly
	@$(BIN)/mypy .

migrations: $(VENV)/installed ## fail when a model has changed without a migration
	@$(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/installed ## format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

schema: $(VENV)/installed ## write docs/openapi.yaml anew
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

screenshots: $(VENV)/installed ## take the pictures of the documentation anew (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots

state-machine: $(VENV)/installed ## write docs/state_machine.md anew
	@$(BIN)/python manage.py document_state_machine

bench-transcribe: $(VENV)/installed ## measure the main job against its limits and its peers
	@$(BIN)/python -m tests.bench.transcribe

bench-queue: $(VENV)/installed ## measure the job queue against its limits and its peers
	@$(BIN)/python -m tests.bench.queue $(ARGS)

bench-cache: $(VENV)/installed ## measure the cache against its limits and its peers
	@$(BIN)/python -m tests.bench.cache $(ARGS)

bench-pipeline: $(VENV)/installed ## measure cutting, joining, providers and limits
	@$(BIN)/python -m tests.bench.pipeline $(ARGS)

bench-search: $(VENV)/installed ## measure search, related documents and indexing
	@$(BIN)/python -m tests.bench.search $(ARGS)

bench-api: $(VENV)/installed ## measure lists, requests, uploads and streams of the API
	@$(BIN)/python -m tests.bench.api $(ARGS)

bench-admin: $(VENV)/installed ## measure the board of the back office
	@$(BIN)/python -m tests.bench.admin $(ARGS)

$(VENV_FUZZ)/installed: requirements-fuzz.txt
	@echo "Installing what asks the API into $(VENV_FUZZ) (once, half a minute)."
	@$(PYTHON) -m venv $(VENV_FUZZ)
	@$(VENV_FUZZ)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-fuzz.txt
	@touch $@

fuzz: $(VENV)/installed $(VENV_FUZZ)/installed ## ask the API all that its schema allows, and what it forbids
	@$(BIN)/python -m tests.fuzz $(ARGS)

clean: ## remove the virtual environment and everything Longhand has written
	rm -rf $(VENV) $(VENV_FUZZ) .venv-bench var
