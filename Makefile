# make run     starts the sign-up example on http://127.0.0.1:5000; another port: make run PORT=5001
# make chat    starts the chat example over ASGI, at the same address; HOST and PORT as for run
# make accounts  starts the example of accounts, as above; mails come to the terminal
# make redis   starts the example of two servers that share sessions and events through Redis; PORT as for run, and the next one
# make test    formatter check, linter, type checkers, tests but those below
# make test-servers    the tests that start servers and reloaders, which take minutes
# make test-ecosystem  extensions and applications of Flask, each on Flask and on Erlen
# make test-applications  the same for large applications, which need environments of their own
# make bench   measures everything beside other frameworks, and writes figures, charts and page to docs/benchmarks;
#              make bench KIND=serving runs one program, benchmarks.serving, and writes nothing; others are database, startup,
#              memory.idle, and memory (of large bodies)
# make bench-charts    the charts and the page alone, from the figures that are there
# make bench-guard     instructions a request beside the committed figures; ARGS=--write accepts those of now
# make docs    the site of the documentation, in build/docs, with warnings as errors and each link of it followed
# make docs-walk   the same site in a browser: each page as a desktop and as a phone show it, light and dark
# make screenshots     the pictures in docs/images, of the examples as they run
# make format  formats, and mends what the linter can mend
# make clean   removes what the others made
#
# Another interpreter, in an environment of its own:
#   make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 5000

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt
ENVIRONMENTS := $(patsubst ecosystem/environments/%.txt,%,$(wildcard ecosystem/environments/*.txt))

.PHONY: run chat accounts redis test test-servers test-ecosystem test-applications lint types pytest bench bench-charts bench-guard docs docs-walk screenshots api-table format clean
.DEFAULT_GOAL := test

run: $(VENV)/.installed-example
	cd examples/signup && "$(abspath $(BIN))/erlen" --app signup run --host $(HOST) --port $(PORT)

chat: $(VENV)/.installed-chat
	cd examples/chat && "$(abspath $(BIN))/granian" --interface asgi --host $(HOST) --port $(PORT) chat:app

accounts: $(VENV)/.installed-accounts
	cd examples/accounts && "$(abspath $(BIN))/erlen" --app accounts_example run --debug --host $(HOST) --port $(PORT)

redis: $(VENV)/.installed-redis
	cd examples/redis && PORT=$(PORT) "$(abspath $(BIN))/python" -m doors

test: lint types pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# The variable keeps pyright from asking a registry whether it is the newest.
types: $(VENV)/.installed-test
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

pytest: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not servers" $(ARGS)

# What starts whole servers and watches over reloads: minutes of waiting.
test-servers: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m servers $(ARGS)

# An environment of its own: what extensions need must not hold back what Erlen is tested with. Some bring plugins for
# pytest, which are for their users' tests.
test-ecosystem: $(VENV)-ecosystem/.installed
	$(VENV)-ecosystem/bin/python -m pytest --disable-plugin-autoload ecosystem -m "not applications" $(ARGS)

# Pytest runs in the environment above, and plays each application with the Python of its own.
test-applications: $(VENV)-ecosystem/.installed $(ENVIRONMENTS:%=$(VENV)-ecosystem-%/.installed)
	$(VENV)-ecosystem/bin/python -m pytest --disable-plugin-autoload ecosystem -m applications $(ARGS)

bench: $(VENV)/.installed-charts
	$(BIN)/python -m benchmarks.$(or $(KIND),publishing) $(ARGS)

bench-charts: $(VENV)/.installed-charts
	$(BIN)/python -m benchmarks.publishing.charts
	$(BIN)/python -m benchmarks.publishing.page

# In an environment that has one of the two extras already, nothing is installed.
bench-guard: $(if $(wildcard $(VENV)/.installed-test),$(VENV)/.installed-test,$(VENV)/.installed-bench)
	$(BIN)/python -m benchmarks.instructions --guard $(ARGS)

# In an environment that has one of the two extras already, nothing is installed.
docs: $(if $(wildcard $(VENV)/.installed-test),$(VENV)/.installed-test,$(VENV)/.installed-docs)
	$(BIN)/python tools/build_docs.py $(ARGS)

docs-walk: $(VENV)/.installed-test
	$(BIN)/python tools/walk_docs.py $(ARGS)

screenshots: $(VENV)/.installed-test
	PYTHONPATH=tools:examples/accounts:examples/chat:examples/signup $(BIN)/python -m screenshots $(ARGS)

api-table: $(VENV)/.installed-test
	$(BIN)/python tools/api_table.py

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: pip runs again only when what is to be installed has changed.
$(VENV)/.installed-%: $(BIN)/python $(SOURCES)
	$(INSTALL) --editable '.[$*]'
	@touch $@

$(VENV)-ecosystem/.installed: pyproject.toml ecosystem/requirements.txt ecosystem/constraints.txt
	$(check-python)
	$(PYTHON) -m venv $(VENV)-ecosystem
	$(VENV)-ecosystem/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint ecosystem/constraints.txt --requirement ecosystem/requirements.txt --editable .
	@touch $@

# Without their dependencies: the file has all of them, and some applications ask for an older Flask.
$(VENV)-ecosystem-%/.installed: pyproject.toml ecosystem/environments/%.txt
	$(check-python)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --requirement ecosystem/environments/$*.txt --editable .
	@touch $@

.PRECIOUS: $(VENV)/.installed-%

define check-python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "Erlen needs Python 3.11 or newer, and '$(PYTHON)' is not. Name another: make PYTHON=python3.13 ..."; \
  exit 1; }
endef

$(BIN)/python:
	$(check-python)
	$(PYTHON) -m venv $(VENV)
