# make demo           a shop of real households at http://127.0.0.1:8000 (PORT=…, HOUSEHOLDS=…; SERVE=0 stops before serving)
# make test           everything on SQLite, and what has a database on MariaDB and on PostgreSQL
#                     and a small shop on the built wheel in three environments (PYTHONS=here: those of this Python alone)
# make test-embedded  what needs no service and no browser
# make bench NAME=…   one of: admin batch cold complete_journey curated deep growth images imports pairs personal pipeline serving sessions shoppers simulate tracking upgrade
# make screenshots    the pictures of the documentation, from the demo's shop
# make wheel          the wheel and the source distribution, in dist/
# make lint           style, types, templates, migrations

PYTHON ?= python3
PORT ?= 8000
SERVE ?= 1
HOUSEHOLDS ?= 800
NAME ?=
PYTEST ?=
PYTHONS ?=

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py

# Debian keeps servers where only root looks.
export PATH := $(PATH):/usr/sbin

.PHONY: demo test test-embedded wheel bench screenshots lint clean
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
	$(BIN)/python -m tests.services postgres -n 2 $(PYTEST)
	$(BIN)/python -m tests.matrix $(if $(filter here,$(PYTHONS)),--here) oldest base newest

test-embedded: .venv/dev.stamp
	$(BIN)/python -m tests.services sqlite -n 2 -m "not browser" $(PYTEST)

wheel: .venv/made.stamp
	$(BIN)/pip install --quiet build
	rm -rf dist
	$(BIN)/python -m build --outdir dist

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
	rm -rf .venv .nox var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/demo.stamp: pyproject.toml | .venv/made.stamp
	$(BIN)/pip install --quiet --editable '.[demo]'
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/made.stamp
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

# MariaDB and what its client is built with, PostgreSQL, a broker, a browser: each package whose programs are missing.
.venv/services.stamp: .venv/dev.stamp
	@set -- $$( \
		command -v mariadbd >/dev/null || echo mariadb-server; \
		{ command -v mariadb_config || command -v mysql_config; } >/dev/null || echo libmariadb-dev; \
		command -v pkg-config >/dev/null || echo pkg-config; \
		{ command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || echo postgresql; \
		command -v redis-server >/dev/null || echo redis-server; \
		{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || echo chromium; \
		command -v npm >/dev/null || echo nodejs npm); \
	test $$# = 0 || $(call apt,$$*)
	$(BIN)/pip install --quiet --editable '.[dev,mysql,postgres]'
	@touch $@

# Debian's python3 comes without what makes virtual environments.
.venv/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.x'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt,python3-venv)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	@touch $@

apt = { test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { echo "Please install: $(1)"; exit 1; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1); }
