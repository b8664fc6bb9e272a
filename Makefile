# `make help` lists the targets. Each sets up what it needs in a virtual environment here.
PYTHON ?= python3
# Another google-genai than the pinned one, for instance: make test SDK=2.34.0
SDK ?=
VENV := .venv$(if $(SDK),-sdk-$(SDK))
# The dependency groups of pyproject.toml that go into it.
GROUPS := dev
RUN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-stores lint typecheck format bench record clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment

# uv from the machine if it is there, else one of our own inside the environment.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; for instance: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once)"
	@if command -v uv >/dev/null; then \
		uv venv --quiet --clear --python $(PYTHON) $(VENV); \
	else \
		$(PYTHON) -m venv --clear $(VENV) && $(RUN)/python -m pip install --quiet uv; \
	fi
	@sed -e '$(if $(SDK),s/^google-genai==.*/google-genai==$(SDK)/)' constraints.txt > $(VENV)/constraints.txt
	@UV=$$(command -v uv || echo $(RUN)/uv); \
		VIRTUAL_ENV=$(VENV) $$UV pip install --quiet --constraints $(VENV)/constraints.txt \
			--editable '.[all,standin]' $(addprefix --group ,$(GROUPS))
	@touch $@

demo: $(READY) ## find passages of Python's documentation with both frameworks, no key needed
	@$(RUN)/python examples/demo.py

test: $(READY) ## run all tests: no network, no key
	@$(RUN)/python -m pytest

test-stores: ## run the tests with real vector stores, and the notebook (1.5 GB of packages)
	@$(MAKE) --no-print-directory VENV=$(VENV)-stores GROUPS='dev stores' setup
	@GEMINI_EMBED_STORES=1 $(VENV)-stores/bin/python -m pytest tests/stores

lint: $(READY) ## check style and formatting
	@$(RUN)/ruff check
	@$(RUN)/ruff format --check

typecheck: $(READY) ## check types, tests included
	@$(RUN)/mypy

format: $(READY) ## format, and mend what can be mended
	@$(RUN)/ruff check --fix --quiet || true
	@$(RUN)/ruff format

bench: $(READY) ## measure beside the SDK and the official integrations (BENCH=--quick for a look)
	@VIRTUAL_ENV=$(VENV) $$(command -v uv || echo $(RUN)/uv) pip install --quiet \
		--constraints constraints.txt --group bench
	@$(RUN)/python -m benchmarks.compare $(BENCH)

record: $(READY) ## record the cassettes again: from Google with a key set, else from the stand-in
	@rm -rf tests/recorded/cassettes
	@$(RUN)/python -m pytest tests/recorded --record-mode=rewrite

clean: ## remove what the other targets made
	@rm -rf .venv .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache
