# make setup   .venv with msdnet, every extra and nothing that the lock does not name
# make demo    segment a made-up chest CT and say where the report lies
# make test    lint, format, types, import layers, tests
# The interpreter can be chosen: make setup PYTHON=python3.12

PYTHON ?=
BIN = .venv/bin
EMPTY =
STAMP = .venv/.installed$(subst $(EMPTY) ,-,$(subst /,-,$(PYTHON)))
CHECKS = lint format-check types layers tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow wheel-check lock format clean $(CHECKS)

help:
	@sed -n 's/^# //p' Makefile

setup: $(STAMP)
	@:

$(STAMP): requirements.lock pyproject.toml scripts/setup scripts/find-uv
	@PYTHON='$(PYTHON)' sh scripts/setup
	@touch .venv/.installed '$(STAMP)'

demo: setup
	@$(BIN)/msdnet demo

# Every check runs, also when an earlier one fails; one failure fails the whole.
test: setup
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

lint:
	$(BIN)/ruff check .

format-check:
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

# Several tests at a time, with one thread each: two of torch's threads in each process would wait for one another.
# Compiled modules are kept, whatever the environment says: many tests start the command, which would compile them anew.
tests:
	env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-slow: setup
	$(BIN)/python -m pytest -m slow

wheel-check: setup
	@sh scripts/check-wheel

lock:
	@sh scripts/lock

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .uv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
