# `make` or `make help` lists the targets. PYTHON=python3.12 chooses the Python (3.11 to 3.13).
PYTHON ?= python3
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-gpu soak bench lint format lock image-check clean demo-env test-env train-env gpu-env browser prometheus

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

demo: demo-env ## Set up .venv, build the demo index and serve it on http://127.0.0.1:8000
	@exec .venv/bin/samestyle demo

test: browser prometheus ## Set up .venv and run the tests
	@.venv/bin/python -m pytest -m "not heavy" -n 2 --dist loadfile

test-all: browser prometheus train-env ## Run the heavy tests (installs PyTorch)
	@.venv/bin/python -m pytest -m heavy

test-gpu: gpu-env ## Run the tests of the GPU path on this machine's GPU (sets up .venv-gpu)
	@.venv-gpu/bin/python -m pytest -m gpu --gpu

soak: test-env ## Run the long measurements and keep their dated output under docs/soak/
	@mkdir -p docs/soak
	@(.venv/bin/python -m bench.soak && .venv/bin/python -m bench.contract) >docs/soak/$$(date -u +%F).txt; status=$$?; cat docs/soak/$$(date -u +%F).txt; exit $$status

bench: demo-env ## Measure speed on this machine
	@.venv/bin/python -m bench.build
	@.venv/bin/python -m bench.start
	@.venv/bin/python -m bench.same_style

lint: test-env ## Check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

format: test-env ## Format the code and mend what ruff can mend
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lock: ## Write the hashed locks anew (UPGRADE=1 takes newer versions)
	@bash requirements/lock.sh $(if $(UPGRADE),--upgrade)

image-check: test-env ## Build the container image, start its service and ask it (Docker, or Debian's buildah as root)
	@bash docker/check.sh

clean: ## Remove everything that was set up or cached
	@rm -rf .venv .venv-gpu .venv-lock .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

demo-env:
	@bash requirements/install.sh cpu

test-env:
	@bash requirements/install.sh test

train-env:
	@bash requirements/install.sh train

gpu-env:
	@bash requirements/install.sh gpu

browser: test-env
	@bash requirements/chromium.sh

prometheus: test-env
	@bash requirements/prometheus.sh
