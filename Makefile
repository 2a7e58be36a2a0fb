# The one command for each job: `make run` shows it, `make test` checks it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test test-lowest picture clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group test
	touch $@

# A real connection by hand on loopback, then a saved one. Exit code 3 means that
# this machine does not allow raw sockets; probe has said so in a line.
run: $(VENV)/.installed
	@$(BIN)/handshake probe || test $$? -eq 3
	@echo
	@$(BIN)/handshake replay captures/open-close-v4.pcap

# Live tests wait for timers more than they compute: two of them for each processor.
WORKERS = $$(( $$(nproc 2>/dev/null || echo 1) * 2 ))

test: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

# The oldest dependencies that pyproject.toml allows, in an environment of their own.
test-lowest:
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(VENV)-lowest/bin/python -m pip install --quiet --disable-pip-version-check --group test --editable . \
	    $$(sed -n '/^dependencies/,/^]/s/.*"\(.*\)>=\(.*\)".*/\1==\2/p' pyproject.toml)
	$(VENV)-lowest/bin/pytest -n $(WORKERS) --dist worksteal

picture: $(VENV)/.installed
	$(BIN)/python docs/picture.py

clean:
	rm -rf $(VENV) $(VENV)-lowest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
