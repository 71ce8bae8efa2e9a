# Everything a checkout needs; `make setup` once, then the other targets. Needs Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= ../shared/data
# The processor build is enough; a plain "torch" may bring gigabytes of GPU libraries.
TORCH ?= torch==2.13.0
TRAIN_STAMP := $(VENV)/.installed-train

.PHONY: setup demo test test-train lint bench bench-rules evasion quality train clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $(STAMP)

$(TRAIN_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[train]"
	touch $(TRAIN_STAMP)

test-train: $(TRAIN_STAMP)
	$(BIN)/python -m pytest -n 2 tests/test_training_*.py

demo:
	test -x $(BIN)/moderate || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --editable ".[arrow]")
	$(BIN)/moderate scan examples/posts.jsonl --format table --text-field title --text-field text --text-field tags

test: setup
	$(BIN)/python -m pytest -n 2

lint: $(TRAIN_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/moderate rules check --strict
	$(BIN)/moderate rules test

# Posts per second, stage by stage, on one core.
bench: setup
	taskset -c 0 $(BIN)/python benchmarks/throughput.py

# The rules alone: false alarms, recall, precision, speed and its worst cases.
bench-rules: setup
	$(BIN)/python benchmarks/rules.py $(if $(wildcard $(DATA)),--data $(DATA))

# The rules alone on posts that hide what they say.
evasion: setup
	$(BIN)/python benchmarks/evasion.py $(if $(wildcard $(DATA)),--data $(DATA))

# Trains the model from public data and corpus/ on two cores; the folds of held-out sources come with it.
train: $(TRAIN_STAMP)
	$(BIN)/python -m moderation.training.build --data $(DATA)

# Leave-sources-out figures of the recipe; reuses the folds that `make train` left in work/.
quality: $(TRAIN_STAMP)
	$(BIN)/python benchmarks/quality.py --data $(DATA)

clean:
	rm -rf $(VENV) build dist work
