# Every chore under one word. `make demo` and `make test` need only Python 3.11, git and make; they set up the rest.

BIN := .venv/bin

.PHONY: help demo test check format lock dashboards metrics-doc up clean setup

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Make .venv; does nothing when it is up to date.
	@scripts/setup_python.sh

demo: setup ## Run the exporter on a simulated company, with an embedded PostgreSQL.
	@$(BIN)/ai-workflow-exporter demo

test: check ## All of `check`, then all tests on real databases.
	@$(BIN)/python scripts/test_services.py -- $(BIN)/python -m pytest $(or $(PYTEST_ARGS),--numprocesses 3 --dist loadfile)

check: setup ## Format, lint, types, import contracts; no services, no tests.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Format the code and apply the lint fixes that are safe.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## Resolve pyproject.toml into the lock files anew (needs uv).
	@scripts/lock.sh

dashboards: setup ## Build the dashboards and alert rules from their sources.
	@$(BIN)/python -m grafana.src.build

metrics-doc: setup ## Write docs/metrics.md from the code.
	@$(BIN)/python -m scripts.metrics_doc

up: ## Start the whole stack with Docker.
	@docker compose up --detach --wait

clean: ## Remove what can be made again, here; the caches outside stay.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
