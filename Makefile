# Each target makes what it needs of .venv, every download checked against the hashes in constraints.txt, then runs.
# Needs python3 with venv, and make. PYTHON and VENV may name another Python and folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ANVIL := tools/chains/node_modules/.package-lock.json
ZK := zk/node_modules/.package-lock.json
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps

.PHONY: help demo chains zk test check bench docs lock clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    margin the bundled book, print the report and write report.html"
	@echo "make chains  install what local chains need: the Python packages, and anvil where there is npm"
	@echo "make zk      install the prover of zero-knowledge proofs where there is npm, and try it"
	@echo "make test    run all tests"
	@echo "make check   lint, types, import law, guards"
	@echo "make bench   run the benchmarks and print one table"
	@echo "make docs    build the documentation, running every block"
	@echo "make lock    resolve all dependencies again (needs uv)"

demo: $(VENV)/level-core
	$(BIN)/crossmargin demo

chains: $(VENV)/level-chains $(ANVIL)

zk: $(VENV)/level-test $(ZK)
	$(BIN)/python -m pytest -q tests/adapters/test_zero_knowledge.py

test: $(VENV)/level-test $(ANVIL)
	$(BIN)/python -m pytest -q -n auto

check: $(VENV)/level-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/guards

bench: $(VENV)/level-bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/level-docs
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

lock:
	.ci/lock

clean:
	rm -rf $(VENV) docs/_build

# Without npm, or without its registry, tests of a chain in another process, or of the prover, skip and say so.
$(ANVIL): tools/chains/package-lock.json
	if command -v npm > /dev/null; then cd tools/chains && npm ci --ignore-scripts --loglevel=error || true; fi

# What is locked is installed as locked. `ci` would refuse, as the prover's packages of other systems are not locked.
$(ZK): zk/package-lock.json
	if command -v npm > /dev/null; then cd zk && npm install --no-save --ignore-scripts --loglevel=error || true; fi

# A level of constraints.txt and all above it, then the package itself; the build backend is among the pinned.
$(VENV)/level-%: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	awk '/^# level / { if (past) exit; past = $$3 == "$*" } { print }' constraints.txt > $@.txt
	$(PIP) --require-hashes --requirement $@.txt
	$(PIP) --no-build-isolation --editable .
	mv $@.txt $@
