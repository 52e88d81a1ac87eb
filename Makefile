# Everything a contributor runs. Needs python3 (3.11 or newer), git, make and, for the tests against the
# real client, node. The first target that needs it makes .venv; nothing is installed outside this folder.

PYTHON   ?= python3
VENV     := .venv
BIN      := $(VENV)/bin
PACKAGE  := $(VENV)/.package
READY    := $(VENV)/.ready
SITE     := $(VENV)/.site
GENERATE := fixtures/generate
CLIENTS  := $(GENERATE)/node_modules/.package-lock.json
BROWSER  := tests/browser
AXE      := $(BROWSER)/node_modules/.package-lock.json
PYTEST   ?= $(BIN)/python -m pytest -q -n auto --dist loadgroup
ARGS     ?=

.DEFAULT_GOAL := help
.PHONY: help ready docs site demo test faults lives rules lint format bench coverage fixtures golden clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The package alone is all that a demo needs.
$(PACKAGE): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) with the package (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# pip learned dependency groups in 25.1.
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

$(READY): $(PACKAGE)
	@echo "Adding what the tests and checks need (once, a few minutes) ..."
	@# pip compiles on one core.
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile --group dev
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

# Without npm, what needs it is skipped by name; where CI=true it is a failure. npm finds a machine's settings (proxy, CA,
# registry) by the folder it stands in, and says itself what it could not do.
define NPM_CI
	@if ! command -v npm >/dev/null; then echo "npm is missing: $(2)"; \
	elif (cd $(1) && npm ci --no-audit --no-fund); then touch $@; exit 0; \
	else echo "npm could not install what $(1) needs, for the reason above: $(2)"; fi; \
	test "$$CI" != true
endef

ready: $(READY) $(CLIENTS) $(AXE) ## what the tests need; with -j3 side by side

# The real Baileys, both versions, for the contract tests.
$(CLIENTS): fixtures/generate/package-lock.json
	$(call NPM_CI,$(GENERATE),no tests against the real Baileys)

# Reads like a shell session: each command is shown, then run, and what came of it is compared.
demo: $(PACKAGE) ## clean, undo, back up, damage and repair a bloated session folder, and compare
	@rm -rf .demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh fixtures/demo.sh .demo

# axe-core, for the tests of the HTML report.
$(AXE): $(BROWSER)/package-lock.json
	$(call NPM_CI,$(BROWSER),no accessibility tests)

test: $(READY) $(CLIENTS) $(AXE) ## all tests but the long ones (ARGS="-k name" picks)
	$(PYTEST) -m 'not faults and not lives' $(ARGS)

faults: $(READY) $(CLIENTS) ## the long proofs: kills, races, full disks, broken clocks
	$(PYTEST) -m faults $(ARGS)

lives: $(READY) $(CLIENTS) ## two hundred random lives of the real client, cleaned every day (LIVES=2000-2099: others)
	$(PYTEST) -m lives $(ARGS)

rules: $(READY) $(CLIENTS) ## what each rule of a cleanup costs over sixty days of the real client (docs/policy.md)
	$(BIN)/python -m benchmarks.rules $(ARGS)

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY) ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY) $(CLIENTS) ## speed and memory against find, node and restic (fails beyond the limits)
	$(BIN)/python -m benchmarks.run $(ARGS)

coverage: $(READY) $(CLIENTS) $(AXE) ## which lines the tests reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m 'not faults' $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

fixtures: $(CLIENTS) ## make the fixtures again with the real Baileys (needs npm)
	cd $(GENERATE) && npm run generate

docs: $(READY) ## write the generated pages again: settings, man page, rooms, kinds
	$(BIN)/python -m baileys_tools.config.describe > docs/configuration.md
	$(BIN)/python -m baileys_tools.cli.manpage > docs/baileys-tools.1
	$(BIN)/python -m tests.house > docs/rooms.txt
	$(BIN)/python -m tests.kinds
	$(BIN)/python -m tests.integration.bots.log_forms

# Not --quiet: what is not told is not counted by `strict` either.
site: $(SITE) ## the documentation as a site in build/site, every link and anchor checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

$(SITE): $(PACKAGE)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --group site
	@touch $@

pictures: $(READY) $(AXE) ## take the pictures of the page in the documentation again
	$(BIN)/python -m tests.browser.pictures $(ARGS)

golden: $(READY) ## write the golden plans again; read the diff before committing it
	$(BIN)/python fixtures/golden.py --write

clean: ## remove what the targets above made
	rm -rf $(VENV) $(GENERATE)/node_modules $(BROWSER)/node_modules .demo dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
