# make demo           a shop of real households at http://127.0.0.1:8000 (PORT=…, HOUSEHOLDS=…; SERVE=0 stops before serving)
# make test           everything, on SQLite and (what has a database) on MariaDB
# make test-embedded  what needs no service and no browser
# make bench NAME=…   one of: admin cold complete_journey deep images pairs personal pipeline serving sessions shoppers simulate tracking upgrade
# make screenshots    the pictures of the documentation, from the demo's shop
# make lint           style, types, templates, migrations

PYTHON ?= python3
PORT ?= 8000
SERVE ?= 1
HOUSEHOLDS ?= 800
NAME ?=
PYTEST ?=

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
PACKAGES := mariadb-server libmariadb-dev pkg-config redis-server chromium

# Debian keeps servers where only root looks.
export PATH := $(PATH):/usr/sbin

.PHONY: demo test test-embedded bench screenshots lint clean
.DELETE_ON_ERROR:

demo: .venv/demo.stamp
	$(MANAGE) migrate --verbosity 0
	$(MANAGE) load_completejourney --households $(HOUSEHOLDS)
	$(MANAGE) demo --port $(PORT)
ifneq ($(SERVE),0)
	$(MANAGE) runserver --noreload 127.0.0.1:$(PORT)
endif

test: .venv/services.stamp
	$(BIN)/python -m tests.services sqlite -n 2 $(PYTEST)
	$(BIN)/python -m tests.services mariadb -n 2 $(PYTEST)

test-embedded: .venv/dev.stamp
	$(BIN)/python -m tests.services sqlite -n 2 -m "not browser" $(PYTEST)

bench: .venv/services.stamp
	$(BIN)/python -m benchmarks $(NAME)

screenshots: .venv/services.stamp
	$(MAKE) demo SERVE=0
	$(BIN)/python docs/screenshots.py

lint: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/djlint --quiet --lint ecomrec_django example_shop
	$(MANAGE) makemigrations --check --dry-run

clean:
	rm -rf .venv var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/demo.stamp: pyproject.toml | .venv/made.stamp
	$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/made.stamp
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

# MariaDB and what its client is built with, a broker, a browser.
.venv/services.stamp: .venv/dev.stamp
	@{ command -v mariadbd && command -v redis-server && command -v pkg-config && \
	   { command -v mariadb_config || command -v mysql_config; } && \
	   { command -v chromium || command -v chromium-browser || command -v google-chrome; }; } >/dev/null || $(call apt,$(PACKAGES))
	$(BIN)/pip install --quiet --editable '.[dev,mysql]'
	@touch $@

# Debian's python3 comes without what makes virtual environments.
.venv/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.x'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt,python3-venv)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	@touch $@

apt = { test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo 'Please install: $(1)'; exit 1; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1); }
