# `make help` lists the targets. Each sets up what it needs in a virtual environment here.
PYTHON ?= python3
# Another google-genai than the pinned one, for instance: make test SDK=2.34.0
SDK ?=
# Some of the tests, for instance: make test TESTS=tests/core
TESTS ?=
# Another environment than the pinned one: lowest, without-aiohttp, peers, peers-3, stores, ray, docs,
# mteb. Targets below set it.
VARIANT ?=
# What `make bench-pair` compares with.
BASE ?= HEAD
# What `make examples` runs; for instance: make examples EXAMPLES=rag
EXAMPLES ?= rag recommendation classification clustering similarity
# What `make mteb` runs: tasks by mteb's names, the model, the dimension, the most that it may cost in
# dollars, and whether the published scores are fetched.
TASKS ?=
MODEL ?= gemini-embedding-2
DIMENSION ?= 3072
BUDGET ?= 1
PUBLISHED ?=
# How long `make soak` takes, and each of the two programs of `make fuzz`.
SOAK_SECONDS ?= 300
FUZZ_SECONDS ?= 1800
KILLS ?= 100
SEED ?= 1
# Whose batch API `make kills` uses: gemini or vertex.
SERVICE ?= gemini

# Another Python than the usual one has environments of its own.
ifneq ($(PYTHON),python3)
# pyenv starts a version only when told which.
export PYENV_VERSION ?= $(shell pyenv whence $(PYTHON) 2>/dev/null | tail -1)
PY_VERSION := $(shell PYENV_VERSION=$(PYENV_VERSION) $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(PY_VERSION),)
$(error $(PYTHON) does not run here)
endif
endif
VENV := .venv$(PY_VERSION:%=-py%)$(VARIANT:%=-%)$(SDK:%=-sdk-%)
RUN := $(VENV)/bin
READY := $(VENV)/.ready
# uv from the machine if it is there, else one of our own inside the environment.
UV := $(if $(shell command -v uv 2>/dev/null),uv,$(RUN)/uv)
MAKEFLAGS += --no-print-directory

# What an environment holds, and what prints the versions of it all.
INSTALL := --editable '.[all,plot,standin]' --group dev
PINS := sed -e '$(SDK:%=s/^google-genai==.*/google-genai==%/)' constraints.txt
ifeq ($(VARIANT),lowest)
PINS := echo '$(SDK:%=google-genai==%)' | $(UV) pip compile --quiet --no-header --no-annotate --python $(RUN)/python \
	--resolution lowest-direct --extra all --extra plot --extra standin --constraints - pyproject.toml
# llama-index-core 0.13 at its own import, with the pydantic that the SDK needs.
export PYTHONWARNINGS := ignore:The 'validate_default' attribute with value True
else ifneq ($(filter peers peers-3,$(VARIANT)),)
INSTALL += --group $(VARIANT)
else ifeq ($(VARIANT),stores)
INSTALL += --group stores
PINS += | sed -e 's/^tqdm==.*/tqdm==4.67.3/' # Daft takes none that is newer
TESTS := tests/stores
export GEMINI_EMBED_STORES := 1
else ifeq ($(VARIANT),ray)
INSTALL := --editable '.[ray,fast,standin]' --group pytest
TESTS := tests/scale
export GEMINI_EMBED_RAY := 1
else ifeq ($(VARIANT),docs)
INSTALL := --group docs
else ifeq ($(VARIANT),mteb)
INSTALL := --editable '.[fast,standin]' --group mteb --group pytest
TESTS := tests/benchmarks/test_mteb_runs.py
export GEMINI_EMBED_MTEB := 1
# mteb needs PyTorch. A build for the processor alone, which is much smaller, is taken from where pip
# looks for wheels, or from PyTorch's own index; where neither has one, the usual build is installed.
FIRST := $(UV) pip install --quiet --no-index --no-deps --find-links "$$PIP_FIND_LINKS" torch 2>/dev/null \
	|| $(UV) pip install --quiet --torch-backend cpu torch 2>/dev/null || true
else ifeq ($(VARIANT),without-aiohttp)
INSTALL := --editable '.[langchain,fast]' --group pytest
TESTS := tests/without_aiohttp
endif

# The tests as a whole, in the pinned environment, are held to run nearly all of the core.
ifeq ($(VARIANT)$(SDK)$(TESTS),)
MEASURED := -m coverage run
endif

# The versions that `make test-matrix` stands on beside the lowest, and those it shows.
SDK_2 := 2.34.0
SDK_3_FIRST := 3.0.0
SDK_3 := $(shell sed -n 's/^google-genai==//p' constraints.txt)

SHOWN := ^(google-genai|langchain-core|llama-index-core)==

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-media examples test test-matrix test-sdk-3-first test-peers test-lowest \
	test-lowest-frameworks test-without-aiohttp test-python3.12 test-python3.13 test-python3.14 \
	test-stores test-ray test-mteb docs site dist lint typecheck format bench bench-pair bench-scale mteb run-mteb soak fuzz \
	kills record clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; for instance: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once)"
	@if [ $(UV) = $(RUN)/uv ]; then \
		$(PYTHON) -m venv --clear $(VENV) && $(RUN)/python -m pip install --quiet uv; \
	else \
		$(UV) venv --quiet --clear --python $(PYTHON) $(VENV); \
	fi
	@$(PINS) > $(VENV)/constraints.txt
	$(if $(FIRST),@export VIRTUAL_ENV=$(VENV); $(FIRST))
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraints $(VENV)/constraints.txt $(INSTALL)
	@touch $@

examples: $(READY) ## show what people build with it, with both frameworks: five examples, no key needed
	@for name in $(EXAMPLES); do echo; echo "$$name"; $(RUN)/python -m examples.$$name || exit 1; done

demo: $(READY) ## find passages of Python's documentation with both frameworks, no key needed
	@$(RUN)/python examples/demo.py

demo-media: $(READY) ## find pictures and PDF pages by sentences with both frameworks, no key needed
	@$(RUN)/python -m examples.pictures

test: $(READY) ## run all tests, and see how much of the core they run: no network, no key
	@echo "$(VENV):" $$($(UV) pip freeze --quiet --python $(RUN)/python | grep -E '$(SHOWN)')
	@$(RUN)/python $(MEASURED) -m pytest $(TESTS)
	$(if $(MEASURED),@$(RUN)/python -m coverage report)

test-matrix: test test-sdk-3-first test-peers test-lowest test-lowest-frameworks \
	test-without-aiohttp test-python3.12 test-python3.13 test-python3.14
test-matrix: ## run `test` and:

test-sdk-3-first: ##   with the first google-genai 3
	@$(MAKE) test SDK=$(SDK_3_FIRST)

test-peers: ##   beside the official integrations: both with google-genai 2, LangChain's with 3
	@$(MAKE) test VARIANT=peers SDK=$(SDK_2)
	@$(MAKE) test VARIANT=peers-3 TESTS=tests/peers

test-lowest: ##   with the lowest versions that pyproject.toml allows
	@$(MAKE) test VARIANT=lowest

test-lowest-frameworks: ##   with these, but google-genai 3
	@$(MAKE) test VARIANT=lowest SDK=$(SDK_3)

test-without-aiohttp: $(READY) ##   those for environments that lack aiohttp, with google-genai 3 and 2
	@GEMINI_EMBED_STANDIN_PYTHON=$(RUN)/python $(MAKE) test VARIANT=without-aiohttp
	@GEMINI_EMBED_STANDIN_PYTHON=$(RUN)/python $(MAKE) test VARIANT=without-aiohttp SDK=$(SDK_2)

test-python3.12: ##   with Python 3.12, where the machine has it
	@$(call where_it_runs,python3.12)

test-python3.13: ##   with Python 3.13, likewise
	@$(call where_it_runs,python3.13)

test-python3.14: ##   with Python 3.14, likewise
	@$(call where_it_runs,python3.14)

define where_it_runs
if PYENV_VERSION=$$(pyenv whence $(1) 2>/dev/null | tail -1) $(1) -c '' 2>/dev/null; \
	then $(MAKE) test PYTHON=$(1); else echo "$(1) is not on this machine"; fi
endef

test-stores: ## run the tests with real vector stores, and the notebook (1.5 GB of packages)
	@$(MAKE) test VARIANT=stores

test-ray: ## run the tests with Ray itself, on this machine (0.5 GB of packages)
	@$(MAKE) test VARIANT=ray

docs: ## build the documentation's site, in site/, and fail for a warning or a dead link
	@$(MAKE) site VARIANT=docs

site: $(READY)
	@$(RUN)/python tools/build_docs.py

test-mteb: ## run the tests with mteb itself, on small tasks, no key needed (1.8 GB of packages)
	@$(MAKE) test VARIANT=mteb

dist: $(READY) ## build what is released, and run all that the documentation shows with the wheel
	@rm -rf dist
	@$(UV) build --quiet --python $(RUN)/python
	@GEMINI_EMBED_WHEEL=$$(echo dist/*.whl) GEMINI_EMBED_UV=$(UV) $(RUN)/python -m pytest tests/wheel

lint: $(READY) ## check style, formatting and the direction of imports
	@$(RUN)/ruff check
	@$(RUN)/ruff format --check
	@$(RUN)/lint-imports --no-cache --no-logo

typecheck: $(READY) ## check types with mypy and pyright, tests included
	@$(RUN)/mypy
	@$(RUN)/mypy --config-file tests/typing/without_plugin.ini --cache-dir .mypy_cache/without_plugin \
		tests/typing
	@PYRIGHT_PYTHON_GLOBAL_NODE=0 PYRIGHT_PYTHON_IGNORE_WARNINGS=1 \
		$(RUN)/pyright --pythonpath $(RUN)/python

format: $(READY) ## format, and mend what can be mended
	@$(RUN)/ruff check --fix --quiet || true
	@$(RUN)/ruff format

bench: $(READY) ## measure beside the SDK and the official integrations (BENCH=--quick for a look)
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --constraints constraints.txt --group bench
	@$(RUN)/python -m benchmarks.compare $(BENCH)
	@$(RUN)/python -m benchmarks.plot

bench-pair: $(READY) ## measure what a change costs: make bench-pair BASE=main (BENCH="--pairs 9" for a look)
	@$(RUN)/python -m benchmarks.pair --base $(BASE) $(BENCH)

bench-scale: $(READY) ## measure growth: a million texts, several processes, Ray (BENCH="--only day" for a part)
	@$(RUN)/python -m benchmarks.growth $(BENCH)

mteb: ## with a key, run tasks of MTEB and tell the cost before: make mteb TASKS="STSBenchmark NFCorpus"
	@$(MAKE) run-mteb VARIANT=mteb

run-mteb: $(READY)
	@$(RUN)/python -m benchmarks.mteb $(TASKS) --model $(MODEL) --dimension $(DIMENSION) \
		--budget $(BUDGET) $(if $(PUBLISHED),--published)

soak: $(READY) ## embed for SOAK_SECONDS (300), and see whether the process grows
	@$(RUN)/python -m benchmarks.soak --seconds $(SOAK_SECONDS)

fuzz: $(READY) ## look for wrong vectors in mutated answers and damaged cache files, FUZZ_SECONDS each (1800)
	@PYTHONPATH=tests $(RUN)/python -m fuzz.answers --seconds $(FUZZ_SECONDS) --seed $(SEED)
	@PYTHONPATH=tests $(RUN)/python -m fuzz.cache_files --seconds $(FUZZ_SECONDS) --seed $(SEED)

kills: $(READY) ## kill a run of a batch API at KILLS (100) random moments, and look at what comes of it
	@PYTHONPATH=tests $(RUN)/python -m kills.kills --kills $(KILLS) --seed $(SEED) --service $(SERVICE)

record: $(READY) ## record the cassettes again: from Google with a key set, else from the stand-in
	@rm -rf tests/recorded/cassettes
	@$(RUN)/python -m pytest tests/recorded --record-mode=rewrite

clean: ## remove what the other targets made
	@rm -rf demo-media dist site .cache .coverage .venv .venv-* .hypothesis .mypy_cache .pytest_cache .ruff_cache
