# Two commands: `make laws` and `make test`. Each sets itself up.
PYTHON ?= python3
LAWS ?= share_then_specialize
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SNAKEMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --profile local
TARGETS := $(if $(filter all,$(LAWS)),all,$(addprefix law_,$(LAWS)))

include tests/rooms.mk
ifneq ($(filter-out $(ROOMS),$(ROOM)),)
$(error ROOM=$(ROOM): unknown; one of: $(ROOMS))
endif

.PHONY: setup laws test smoke slices real lint docs publish report faults slurm

setup: $(READY)

# torch first: a bare `torch` elsewhere in the list could bring several GB of another build.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "lawcheck needs Python 3.11 to 3.13, found $$($(PYTHON) --version); set PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet torch==2.13.0 -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

laws: $(READY)
	$(SNAKEMAKE) $(TARGETS)
	@for law in $(if $(filter all,$(LAWS)),$$($(BIN)/lawcheck list --names --scale proxy),$(LAWS)); do \
	  $(BIN)/lawcheck judge $$law --scale proxy --scores results/proxy/laws/$$law.scores.parquet || exit; done
	@$(BIN)/lawcheck report --scale proxy >/dev/null
	@echo "Page: results/proxy/report/index.html  Tables: results/proxy/tables/  Figures: paper_figures/proxy/"
	@echo "More: make laws LAWS=all | $(BIN)/lawcheck list | $(BIN)/snakemake --profile local law_NAME"

smoke: $(READY)
	$(SNAKEMAKE) law_share_then_specialize --config scale=smoke

# Real questions through every stage; LAWCHECK_DATA names the folder of real data.
slices: $(READY)
	$(SNAKEMAKE) law_share_then_specialize --config scale=slices
	@$(BIN)/lawcheck judge share_then_specialize --scale slices \
	  --scores results/slices/laws/share_then_specialize.scores.parquet

# The same arms on a pretrained language model (docs/smollm2.md): the time it will take, runs with the
# time that is left, controls, contrasts. After a kill it resumes.
REAL := real_model_controls real_model_sharing
real: $(READY)
	@$(BIN)/lawcheck plan $(firstword $(REAL)) --scale smollm2 --left 2
	@(while sleep 120; do $(BIN)/lawcheck plan $(firstword $(REAL)) --scale smollm2 --left 2; done) & \
	  clock=$$!; trap 'kill $$clock' EXIT INT TERM; \
	  $(SNAKEMAKE) $(addprefix law_,$(REAL)) --cores 2 --resources mem_mb=6000 --config scale=smollm2 --quiet rules
	@for law in $(REAL); do $(BIN)/lawcheck judge $$law --scale smollm2 \
	  --scores results/smollm2/laws/$$law.scores.parquet || exit; done
	@$(BIN)/lawcheck report --scale smollm2 >/dev/null
	@echo "Page: results/smollm2/report/index.html"

# Scores, verdicts and tables of the judged laws of a scale into results/reference/, their figures
# into paper_figures/reference/, both under version control: make publish SCALE=merging.
SCALE ?= proxy
publish: $(READY)
	$(BIN)/lawcheck publish --scale $(SCALE)
	$(MAKE) report PUBLISHED=$(SCALE)

# Pages, tables and figures of the published results, drawn again from their scores and verdicts.
PUBLISHED ?= $(patsubst results/reference/%/laws,%,$(wildcard results/reference/*/laws))
report: $(READY)
	for scale in $(PUBLISHED); do \
	  $(BIN)/lawcheck render --scale $$scale --results results/reference --figures paper_figures/reference && \
	  $(BIN)/lawcheck report --from results/reference/$$scale || exit; done

lint: $(READY)
	$(BIN)/python .ci/words
	$(BIN)/codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile reproduce/rules
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --lint
	$(BIN)/mypy

# The site of docs/, in site/: a warning, such as a link that leads nowhere, is an error.
DOCS := .cache/docs
$(DOCS)/.ready: docs.lock
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install --quiet -r docs.lock
	touch $@

docs: $(DOCS)/.ready
	$(DOCS)/bin/mkdocs build --quiet
	@echo "Site: site/index.html"

# In two processes, of one thread each. make test ROOM=judging: the quick tests of one room, in one.
test: $(READY)
	$(BIN)/pytest $(if $(ROOM),-m "not slow" $(patsubst %,tests/test_%.py,$($(ROOM))),-n 2)

# The long form of what `make test` tries in a few minutes: kills and deaths at writes
# (docs/faults.md), damaged files (docs/bad-input.md), two clones and other arithmetic
# (docs/determinism.md), a hundred million rows (docs/performance.md).
faults: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/faults.py
	$(BIN)/python benchmarks/fuzz.py
	$(BIN)/python benchmarks/determinism.py
	$(BIN)/python benchmarks/load.py

# The long form of what `make test` tries on a real Slurm, with and without accounting: a whole
# study is cancelled, preempted, loses its node, its time, its memory and its head, and is compared
# with an undisturbed one. Needs root, slurm-wlm, munge, slurmdbd and mariadb-server; 25 minutes.
slurm: $(READY)
	LAWCHECK_SLURM=long $(BIN)/pytest tests/test_slurm.py tests/test_launch_slurm.py
