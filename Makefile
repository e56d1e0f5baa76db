# Each target makes what it needs: .venv comes with the first one, and is brought up to date when the dependencies in
# pyproject.toml or the versions in constraints.txt change.
PYTHON ?= $(shell python3.11 -c "" 2>/dev/null && echo python3.11 || echo python3)
OUT ?= out
BIN := .venv/bin
READY := .venv/.installed

.PHONY: help demo test lab lint
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## edit a face with the embedded model on the CPU: notebook, page and picture in out/
	mkdir -p "$(OUT)"
	CUDA_VISIBLE_DEVICES= $(BIN)/papermill -r out_dir "$(OUT)" notebooks/01_edit.ipynb "$(OUT)/01_edit.ipynb"
	$(BIN)/jupyter-nbconvert --to html "$(OUT)/01_edit.ipynb"
	@echo "Made:" && ls "$(OUT)/01_edit.ipynb" "$(OUT)/01_edit.html" "$(OUT)/sweep.png"

test: $(READY) ## run the whole test suite
	$(BIN)/python -m pytest

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/jupyter-lab notebooks

lint: $(READY) ## check style, types and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml --no-logo

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@
