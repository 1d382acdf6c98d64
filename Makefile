# Every target works on a fresh machine with Python 3.11 or 3.12: the environment is
# made first, in .venv, from hashed locks and nothing else. requirements.lock is what the
# package needs to run; requirements-test.lock adds what tests, notebooks and site need.
# The locks leave out the extras torch, gcs, gpu and tpu; see README.md for those.

.DEFAULT_GOAL := help
.PHONY: help demo test bench check format wheel docs lock clean environment tools

VENV := .venv
RUN := $(VENV)/bin/python
UV := uv==0.13.9

help: ## Show this list
	@echo "Usage: make TARGET [PYTHON=path/to/python3.11 or 3.12]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-13s%s\n", $$1, $$2}' Makefile

demo: environment ## Train the quickstart into demo/, say where table and report are
	$(RUN) -m repjax.main --config=experiments/quickstart.py --workdir=demo
	$(RUN) -m repjax.report --workdir=demo --networks=1
	@for file in demo/table3.md demo/*.html demo/*/*.html; do \
	  case $$file in *.html) what=report ;; *) what=table ;; esac; \
	  if [ -f "$$file" ]; then echo "$$what: $(CURDIR)/$$file"; fi; \
	done

test: tools ## Run all tests; choose some with ARGS="-k groups"
	$(RUN) -m pytest -n 2 $(ARGS)

bench: tools ## Measure speed and memory into bench/; PUBLISHED=DIR: with the authors' networks
	@mkdir -p bench
	$(RUN) benchmarks/train_step.py --out=bench/train_step.json
	$(RUN) benchmarks/analysis.py --out=bench/analysis.json
	$(RUN) benchmarks/scaling.py --out=bench/scaling.json --plot=bench/scaling.svg
	$(RUN) benchmarks/startup.py --out=bench/startup.json
	$(RUN) benchmarks/live_curves.py --out=bench/live_curves.json
	$(RUN) benchmarks/breakdown.py --out=bench/breakdown.json
	$(RUN) benchmarks/selection.py --out=bench/selection.json
	$(RUN) benchmarks/accelerator.py --out=bench/accelerator.json
	$(if $(PUBLISHED),$(RUN) benchmarks/published.py --published=$(PUBLISHED) \
	  --out=bench/published.json)
	$(if $(PUBLISHED),$(RUN) benchmarks/parity.py $(dir $(wildcard $(PUBLISHED)/*/model.pt)) \
	  --out=bench/parity.md)

check: tools ## Check format, lint and types; changes nothing
	$(RUN) -m ruff format --check
	$(RUN) -m ruff check
	$(RUN) -m mypy

format: tools ## Format the code and mend what lint can mend
	$(RUN) -m ruff check --fix --exit-zero
	$(RUN) -m ruff format

# One set of versions for both Pythons: `fewest` picks the newest that run on each.
COMPILE = "$$uv/bin/uv" pip compile pyproject.toml --universal --python-version 3.11 \
	  --fork-strategy fewest --generate-hashes --custom-compile-command "make lock" \
	  --no-config --quiet $(ARGS)

wheel: environment ## Build dist/repjax-VERSION-py3-none-any.whl, without network
	$(RUN) -m hatchling build --target wheel

docs: tools ## Build the documentation into site/, without network
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build

lock: ## Write both locks from pyproject.toml; newest versions with ARGS=--upgrade
	@$(find_python); \
	uv=$$(mktemp -d) && trap 'rm -rf "$$uv"' EXIT && \
	"$$python" -m venv "$$uv" && "$$uv/bin/pip" install --quiet $(UV) && \
	$(COMPILE) --group build --output-file requirements.lock && \
	$(COMPILE) --group build --extra test --constraints requirements.lock \
	  --output-file requirements-test.lock

clean: ## Remove the environment, demo/ and all caches
	rm -rf $(VENV) demo dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

tools: environment ## Add to .venv what tests, site and notebooks need, if not there
	@if cmp -s requirements-test.lock $(VENV)/made-from-test; then exit 0; fi; \
	echo "Adding the tools of the tests to $(VENV): about 1 GB, a minute or two"; \
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --only-binary :all: --requirement requirements-test.lock && \
	cp requirements-test.lock $(VENV)/made-from-test

environment: ## Make .venv, unless it was made from this very lock
	@if cmp -s requirements.lock $(VENV)/made-from && version=$$($(RUN) --version) && \
	  { [ -z "$(PYTHON)" ] || [ "$$version" = "$$("$(PYTHON)" --version 2>/dev/null)" ]; }; \
	then exit 0; fi; \
	$(find_python); \
	echo "Making $(VENV) with $$("$$python" --version): about 1 GB, a minute or two"; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	"$$python" -m venv --clear $(VENV) && \
	$(RUN) -m pip install --quiet --require-hashes --only-binary :all: \
	  --requirement requirements.lock && \
	$(RUN) -m pip install --quiet --no-index --no-deps --no-build-isolation \
	  --editable . && \
	cp requirements.lock $(VENV)/made-from

# Sets $$python, or stops. A name may be there and not run (pyenv's shims) or lack venv
# (Debian without python3-venv), so each candidate is tried, not looked up.
define find_python
for python in $(or $(PYTHON),python3.12 python3.11 python3) ""; do \
	  if [ -z "$$python" ]; then \
	    echo "repjax: no Python 3.11 or 3.12 with venv among:" \
	      "$(or $(PYTHON),python3.12 python3.11 python3);" \
	      "install one, or name it: make PYTHON=/path/to/python3.12" >&2; \
	    exit 2; \
	  fi; \
	  "$$python" -c "import ensurepip, sys, venv; sys.exit(\
	sys.version_info[:2] not in ((3, 11), (3, 12)))" 2>/dev/null && break; \
	done
endef
