# Two commands: `make demo` runs the main job on the sample events, `make test` checks everything.
# Both build the environment first; it lives in .venv. Outside the project only the installer's cache is written.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The machine's uv, or the one put into the environment where there is none.
UV = PATH="$(CURDIR)/$(BIN):$$PATH" uv

.PHONY: demo test coverage setup lock check bench crash clean

demo: setup
	@$(BIN)/penstock demo

test: setup check
	$(BIN)/pytest

# The same tests, counted: a quarter slower, so it is no part of `test`.
coverage: setup
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@command -v uv >/dev/null 2>&1 || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes --requirements requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock:
	@$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

bench: setup
	$(BIN)/python -m benchmarks

crash: setup
	$(BIN)/python -m benchmarks.crash --write

clean:
	rm -rf $(VENV) .penstock
