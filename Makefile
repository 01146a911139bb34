# Exchange OS. `make` lists the targets; each brings up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ROOT := $(CURDIR)
PYTHON_BIN := .venv/bin/python

# The same as tools/env.sh, which is for work by hand.
export PATH := $(ROOT)/.venv/bin:$(ROOT)/node_modules/.bin:$(PATH)
export VIRTUAL_ENV := $(ROOT)/.venv
export SOLCX_BINARY_PATH := $(ROOT)/.solcx
export EXCHANGE_OS_NODE_MODULES := $(ROOT)/node_modules
export ETH_HASH_BACKEND := pysha3
export XLAYER_MAINNET_RPC ?= https://rpc.xlayer.tech
export XLAYER_TESTNET_RPC ?= https://testrpc.xlayer.tech

# Suites that need a node; the rest of tests/ is pure.
CHAIN_SUITES := $(wildcard tests/contracts tests/e2e tests/fork)
CHAIN_NETWORK ?= ethereum:local:foundry
PURE_SUITES := $(filter-out $(addsuffix /,$(CHAIN_SUITES)),$(wildcard tests/*/ tests/test_*.py))
SOLIDITY := $(shell find contracts tests/foundry -name '*.sol' 2>/dev/null)

# Passed on to pytest, for instance  make test ARGS="-m 'not slow' -x"; files and tests select:
# make test-chain ARGS="tests/contracts/test_inbox.py -x"
ARGS ?=
# Shards of a suite that run at the same time; 1 runs everything in one process
SHARDS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
# make fuzz: examples for each property
EXAMPLES ?= 1000
# make mutants: how many of each contract, and which (files; all of custody, governance and stake if none)
MUTANTS ?= 4
MUTATED ?=
# make fork-test: a node of X Layer to copy; a local stand-in if empty
export FORK_RPC ?=
# make drill: owners of the zone that dies
ACCOUNTS ?= 1000
# The seed of make fuzz and make mutants: drawn once, so that what is printed is what was used
ifndef SEED
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
endif

define banner
	@printf '\n== %s\n' $(1)
endef

.PHONY: help setup demo drill test test-pure test-chain fork-test test-forge coverage mutants bench fuzz lint format generate lock clean distclean

help: ## List the targets
	@echo "Exchange OS: anyone can launch a market venue."
	@echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "By hand:  . tools/env.sh   then   pytest | ape test | ape run | tradezone"

setup: ## Install everything into this folder (first time a minute or two, then a second)
	@tools/setup.sh

demo: setup ## Run a whole exchange on a local chain: stake, venue, trades, withdrawal
	$(call banner,"demo: ape run demo")
	@ape run demo

drill: setup ## Kill a sequencer and let everybody leave from chain and published files (ACCOUNTS=1000)
	$(call banner,"drill: ape run drill --accounts $(ACCOUNTS)")
	@ape run drill --accounts $(ACCOUNTS)

test: setup ## Run all tests: the pure suites, those that need a chain, the invariant runs
	@status=0; \
	$(MAKE) test-pure SETUP_DONE=1 || status=1; \
	$(MAKE) test-chain SETUP_DONE=1 || status=1; \
	$(MAKE) test-forge SETUP_DONE=1 || status=1; \
	exit $$status

test-pure: $(if $(SETUP_DONE),,setup) ## Run the pure suites only (pytest)
	$(call banner,"pure suites: pytest ($(SHARDS) shards)")
	@$(PYTHON_BIN) tools/shards.py --at-once $(SHARDS) --times tools/times_pure.json $(PURE_SUITES) -- \
		$(PYTHON_BIN) -m pytest -- $(ARGS)

# Compiled before the shards start: each would compile, and Ape rewrites what the others are reading.
test-chain: $(if $(SETUP_DONE),,setup) ## Run the suites that need a chain only (ape test, on anvil)
	$(call banner,"chain suites: ape test --network $(CHAIN_NETWORK) ($(SHARDS) shards)")
	@if [ -n "$(CHAIN_SUITES)" ]; then \
		ape compile && \
		$(PYTHON_BIN) tools/shards.py --at-once $(SHARDS) --own APE_DATA_FOLDER \
			--times tools/times_chain.json $(CHAIN_SUITES) -- \
			ape test --network $(CHAIN_NETWORK) -- $(ARGS); \
	else \
		echo "none in this checkout"; \
	fi

fork-test: $(if $(SETUP_DONE),,setup) ## Run the suites on a fork only (FORK_RPC=... copies that node of X Layer)
	$(call banner,"on a fork: ape test tests/fork")
	@ape compile && ape test tests/fork --network $(CHAIN_NETWORK) $(ARGS)

test-forge: $(if $(SETUP_DONE),,setup) ## Run the invariants of stake and governance only (forge test)
	$(call banner,"invariant runs: forge test")
	@if command -v forge >/dev/null; then forge test; else echo "no forge for this system"; fi

coverage: setup ## Say which statements and branches of the contracts the chain suites execute (half an hour)
	$(call banner,"coverage: ape test tests/contracts under tracers")
	@rm -rf .coverage-chain; ape compile && \
	ape test tests/contracts --network $(CHAIN_NETWORK) -p tools.coverage_plugin --timeout=0 -q $(ARGS); \
	$(PYTHON_BIN) tools/coverage.py --missing

mutants: setup ## Change contracts in small ways and see which suites notice (MUTANTS=4 of each; hours)
	$(call banner,"mutants: $(MUTANTS) of each contract by lot and seed $(SEED)")
	@ape compile && $(PYTHON_BIN) tools/mutate.py --mutants $(MUTANTS) --seed $(SEED) $(MUTATED)

bench: setup ## Measure every performance claim; one JSON line each
	$(call banner,"bench: python -m bench")
	@$(PYTHON_BIN) -m bench $(ARGS)

fuzz: setup ## Search for counter-examples (EXAMPLES=1000 a property, SEED=... repeats a run)
	$(call banner,"fuzz: seed $(SEED) and $(EXAMPLES) examples a property")
	@export FUZZ_EXAMPLES=$(EXAMPLES); status=0; \
	options="-m hypothesis --hypothesis-profile=fuzz --hypothesis-seed=$(SEED) --timeout=0"; \
	pytest $$options $(ARGS) || status=1; \
	TRADEZONE_FUZZ=1 TRADEZONE_FUZZ_SEED=$(SEED) TRADEZONE_FUZZ_STREAMS=$(EXAMPLES) \
		pytest tests/engine/test_random_streams.py tests/engine/test_steps_*.py tests/perps/test_random_markets.py \
		tests/perps/test_crashes.py \
		-k "many or example" -s --timeout=0 || status=1; \
	if [ -n "$(CHAIN_SUITES)" ]; then \
		ape test $(CHAIN_SUITES) --network $(CHAIN_NETWORK) $$options $(ARGS) || [ $$? -eq 5 ] || status=1; \
	fi; \
	if [ -d tests/foundry ]; then FOUNDRY_PROFILE=fuzz forge test --fuzz-seed $(SEED) || status=1; fi; \
	[ $$status -eq 0 ] || echo "repeat with: make fuzz SEED=$(SEED) EXAMPLES=$(EXAMPLES)"; \
	exit $$status

lint: setup ## Check style and types: ruff, mypy, forge fmt, solhint
	@status=0; \
	run() { printf '\n== %s\n' "$$*"; "$$@" || status=1; }; \
	run ruff check .; \
	run ruff format --check .; \
	run mypy; \
	if [ -n "$(SOLIDITY)" ]; then \
		run forge fmt --check; \
		run solhint --max-warnings 0 'contracts/**/*.sol'; \
	fi; \
	exit $$status

format: setup ## Rewrite the sources in house style
	@ruff check --fix-only --quiet .
	@ruff format .
	@if [ -n "$(SOLIDITY)" ]; then forge fmt; fi

generate: setup ## Write the Solidity and Vyper sources that follow from tradezone/protocol
	$(call banner,"generate: python -m tradezone.protocol.generate")
	@$(PYTHON_BIN) -m tradezone.protocol.generate

lock: ## Write requirements.lock and package-lock.json anew (UPGRADE=1 for the newest versions)
	@tools/lock.sh

clean: ## Remove what was built or cached; keep the installed tools
	@rm -rf .build out cache .demo .drill .numba_cache .hypothesis .pytest_cache .mypy_cache .ruff_cache \
		build dist crytic-export htmlcov .coverage .coverage-chain .venv/.stamp-warm-*
	@find . -path ./.venv -prune -o -path ./node_modules -prune -o -name __pycache__ -type d -print0 \
		| xargs -0 rm -rf

distclean: clean ## Remove the installed tools too
	@rm -rf .venv node_modules .solcx .setup.lock *.egg-info
