# Everything a developer types. Each target installs what it needs first, and only if that changed.
#
#   make run         the whole project on 127.0.0.1 with demo data; Ctrl-C stops it
#                    (PORT, DATA_DIR, DATABASE_URL, REDIS_URL change the defaults)
#   make test        all tests (ARGS="-k expiry" for some); make test-long adds the long forms
#   make lint        format, style, imports, templates, migrations, Django's checks
#   make types       mypy
#   make bench       the benchmark
#   make bench-pages every page of the back office on a million cards
#   make bench-night credit of a million cards expires, and the books are proved
#   make bench-books how long finance's pages take on 3,000,000 entries
#   make screenshots the pictures of docs/back-office.md
#   make messages    bring the translation files up to date with the texts in the source
#   make lock        pin the newest allowed versions again (UPGRADE=--upgrade moves them all)
#
# PYTHON names another interpreter than the first of these that is 3.11 or newer.

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)
BIN := .venv/bin
INSTALLED := .venv/installed
TOOLS := DJANGO_SETTINGS_MODULE=tests.settings

.PHONY: run test test-long lint types bench bench-pages bench-night bench-books screenshots messages lock
.DEFAULT_GOAL := run

run: $(INSTALLED)
	@$(BIN)/python -m config.launch --with-parent

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-long: $(INSTALLED)
	LONG=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# Comparing models with migrations needs no database; Django would warn that there is none.
lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	find templates loyalty giftcard_provider -name '*.html' | \
		xargs -r $(BIN)/djade --check --target-version 5.2
	$(TOOLS) $(BIN)/python manage.py check
	$(TOOLS) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

types: $(INSTALLED)
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m tests.bench $(ARGS)

bench-pages: $(INSTALLED)
	$(BIN)/python -m tests.bench.back_office $(ARGS)

bench-night: $(INSTALLED)
	$(BIN)/python -m tests.bench.night $(ARGS)

bench-books: $(INSTALLED)
	$(BIN)/python -m tests.bench.books $(ARGS)

screenshots: $(INSTALLED)
	$(BIN)/python -m tests.browser.screenshots

messages: $(INSTALLED)
	$(TOOLS) $(BIN)/python -m tests.translations.messages

# The lock holds names, versions and hashes only: no index, no host. It keeps the extras: pip would
# take the newest release for a `package[extra]` that it finds pinned only as `package`.
lock:
	rm -rf .cache/uv && $(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install -qq uv
	for name in requirements requirements-dev; do \
		.cache/uv/bin/uv pip compile --quiet $(UPGRADE) --python-version 3.11 --generate-hashes \
			--no-header --no-annotate --no-strip-extras $$name.in --output-file $$name.txt || exit 1; \
	done
	rm -rf .cache/uv

$(INSTALLED): requirements.txt requirements-dev.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11" >&2; \
		exit 1; \
	}
	@echo "Installing the pinned dependencies into .venv ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --no-compile --no-input --disable-pip-version-check \
		--require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $@
