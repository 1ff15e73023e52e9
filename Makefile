# `make` alone lists the targets. Everything is installed in .venv, and nowhere else.

PYTHON ?= python3
PORT ?= 8501
ADDRESS ?= 127.0.0.1

# The index of torch without CUDA for Linux: a download of 0.2 GB instead of several. With an NVIDIA
# card, or with `make install TORCH_INDEX=`, torch comes from the default index, whose build has CUDA.
TORCH_INDEX ?= $(if $(shell command -v nvidia-smi 2>/dev/null),,https://download.pytorch.org/whl/cpu)

# `make lock UPGRADE=--upgrade` takes the newest versions; without it, pins that still fit are kept.
UPGRADE ?=

# `make test WORKERS=1` runs the tests in one process.
WORKERS ?= 3

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install app test train-tiny model bench load screenshots lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## create .venv with everything: classifier, fine-tuning, page

app: install ## serve the page on http://localhost:$PORT (8501)
	$(RUN) -m streamlit run app.py --server.port $(PORT) --server.address $(ADDRESS)

# The browser's tests have the cores to themselves: a page waits for a browser that waits for a core.
test: $(VENV)/installed-dev ## run every check and test: ruff, mypy, pytest; offline once installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest tests/browser
	$(RUN) -m pytest --numprocesses $(WORKERS) --ignore tests/browser

train-tiny: install ## fine-tune on data/sample.csv into runs/tiny, in about a minute, offline
	$(RUN) -m finetune --config configs/tiny.toml --clear

# Two teachers, then the model that learns from both, in eight steps. Needs the data that the configs name.
model: install ## train the shipped model again, some ten hours on two cores
	$(RUN) -m finetune --config configs/jigsaw-minilm-wide.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-narrow.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-student.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-second.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-third.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-everyday.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-words.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-ambiguous.toml --resume
	$(RUN) -m finetune --config configs/jigsaw-minilm-concern.toml --resume

bench: install ## print the speed tables of docs/benchmarks.md: scoring, cold start, training
	$(RUN) benchmarks/scoring.py
	$(RUN) benchmarks/cold_start.py
	$(RUN) benchmarks/training.py

load: install ## measure the HTTP service: 64 clients, ten times too many, one alone
	$(RUN) benchmarks/load.py

screenshots: $(VENV)/installed-dev ## take screenshots of every page, and the README's animation, into docs/screenshots
	$(RUN) -m tests.browser.screenshots docs/screenshots

lock: $(VENV)/pyvenv.cfg ## pin pyproject.toml's dependencies, and theirs, in requirements*.txt
	$(PIP) install --quiet uv==0.13.8
	$(LOCK) pyproject.toml --extra all --group app --group train --output-file requirements.txt
# torch itself requires its CUDA packages by exact version. Pinned here as well, they would be
# downloaded for its CPU build too.
	sed -i.bak -E '/^(cuda|nvidia)-|^triton=/d' requirements.txt && rm requirements.txt.bak
# With hashes: pip then refuses any other file. requirements.txt cannot have them, as torch's CPU
# build has no fixed index and its CUDA build asks for packages that are not pinned.
	$(LOCK) pyproject.toml --extra files --extra serve --extra hub --group app --generate-hashes \
	  --constraints requirements.txt --output-file requirements-slim.txt
	$(LOCK) --group dev --constraints requirements.txt --output-file requirements-dev.txt

LOCK = $(RUN) -m uv pip compile --quiet --universal --fork-strategy fewest \
	--annotation-style line --custom-compile-command "make lock" $(UPGRADE)

clean: ## remove .venv and the caches; runs/ and models/ stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: this needs Python 3.11 or newer, and $(PYTHON) is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo missing): name another, as in make PYTHON=python3.12" >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) has no venv module: install it" \
	    "(Debian, Ubuntu: sudo apt install python3-venv) and run make again" >&2; \
	  exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

# The stamp files make a second run fast: pip runs again only after the pins have changed.
$(VENV)/installed: $(VENV)/pyvenv.cfg requirements.txt
	@if [ -n "$(TORCH_INDEX)" ]; then \
	  if $(RUN) -c 'import urllib.request as web; web.urlopen("$(TORCH_INDEX)/torch/", timeout=5)' 2>/dev/null; \
	  then $(PIP) install --no-deps --index-url $(TORCH_INDEX) "$$(grep -o '^torch==[^ ]*' requirements.txt)"; \
	  else echo "$(TORCH_INDEX) does not answer: taking torch from the default index"; \
	  fi; \
	fi
	$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	$(PIP) install -r requirements-dev.txt
	@touch $@
