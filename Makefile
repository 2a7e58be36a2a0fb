# One command for each job. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := python -m pip install --quiet --disable-pip-version-check

# Each program that a test starts, and each worker, would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

# Live tests wait for timers more than they compute: three of them for each processor.
CORES   = $$(nproc 2>/dev/null || echo 1)
WORKERS = $$(( $(CORES) * 3 ))

UNIT = -m "not live" --ignore tests/live --dist worksteal
UNIT_WORKERS = $(CORES)

.PHONY: help run man check test test-lowest test-all coverage dist test-dist pictures clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
	    while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) --upgrade "pip>=25.1"
	$(BIN)/$(PIP) --editable .
	# As pip does where it copies: with PYTHONDONTWRITEBYTECODE, each start would compile all modules.
	-$(BIN)/python -m compileall -q handshake
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/$(PIP) --group test
	touch $@

$(VENV)/.covered: $(VENV)/.tested
	$(BIN)/$(PIP) --group coverage
	touch $@

$(VENV)/.built: $(VENV)/.installed
	$(BIN)/$(PIP) --group build
	touch $@

# A real connection on loopback. Exit code 3: no privileges for raw sockets, as the error of probe
# explains.
run: $(VENV)/.installed ## open a real connection on loopback, and say what to do next
	@$(BIN)/handshake probe || test $$? -eq 3
	@echo
	@echo 'What next? In this shell, so that all examples of README.md work as they are typed:'
	@echo "  alias handshake=\"$$PWD/$(BIN)/handshake\" sudo='sudo '"
	@echo '  sudo handshake probe HOST:PORT             why does a connection not open?'
	@echo '  handshake list captures/mixed.pcap         the connections of a capture'
	@echo '  handshake replay captures/refused.pcap     one of them, segment by segment'
	@echo '  handshake demo                             a lesson: how a connection is made'
	@echo '  handshake help probe                       options and examples of a command'

man: $(VENV)/.installed ## write the manual page, handshake.1
	$(BIN)/handshake help --man > handshake.1

# What starts programs, reads many captures or waits is left to `make test`.
SLOW = tests/cli tests/fuzz tests/oracle tests/test_platforms.py

check: $(VENV)/.tested lint ## quick loop: lint, types, imports, unit tests that start no program
	$(BIN)/pytest -n $(UNIT_WORKERS) $(UNIT) $(SLOW:%=--ignore %)

# What fails among others on a busy machine must pass alone; what is wrong fails again.
test: $(VENV)/.tested lint ## check everything: lint, types, imports, all tests (live ones as root)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal || { test $$? -eq 1 && \
	    echo 'What has failed runs once more, alone:' && \
	    $(BIN)/pytest -v --last-failed --last-failed-no-failures none; }

.PHONY: lint
lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-lowest: ## all tests with the oldest dependencies that pyproject.toml allows
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/$(PIP) --upgrade "pip>=25.1"
	$(VENV)-lowest/bin/$(PIP) --group test --editable . \
	    $$(sed -n '/^dependencies/,/^]/s/.*"\(.*\)>=\(.*\)".*/\1==\2/p' pyproject.toml)
	$(VENV)-lowest/bin/pytest -n $(WORKERS) --dist worksteal

test-all: ## tests without live ones on each Python that is found: 3.11 to 3.14
	@for version in 3.11 3.12 3.13 3.14; do \
	    python=$$(.ci/find-python $$version) || { echo "Python $$version: not found, not tested"; continue; }; \
	    echo "Python $$version: $$python"; venv=$(VENV)-$$version; \
	    $$python -m venv $$venv && $$venv/bin/$(PIP) --upgrade "pip>=25.1" && \
	    $$venv/bin/$(PIP) --group test --editable . && \
	    $$venv/bin/pytest -n $(UNIT_WORKERS) $(UNIT) --ignore tests/oracle || exit 1; \
	done

coverage: $(VENV)/.covered ## branch coverage of all tests, the programs they start included
	rm -f .coverage .coverage.*
	-$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/coverage html --quiet

dist: $(VENV)/.built ## build wheel and sdist in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

test-dist: dist ## install the wheel in a clean venv, run its commands and the sdist's tests
	.ci/test-dist $(PYTHON)

pictures: $(VENV)/.installed ## draw the pictures of the README again
	$(BIN)/python docs/pictures.py

clean: ## remove all that these commands made
	rm -rf $(VENV) $(VENV)-* dist build htmlcov .coverage .coverage.* .mypy_cache .ruff_cache \
	    .pytest_cache .hypothesis .import_linter_cache
