# Everything a checkout needs; `make setup` once, then the other targets. Needs Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?= ../shared/data
# The processor build is enough; a plain "torch" may bring gigabytes of GPU libraries.
TORCH ?= torch==2.13.0
TRAIN_STAMP := $(VENV)/.installed-train
# What speed is compared with; apart, since one of the peers asks for an exact scikit-learn.
BENCH_VENV ?= .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed

# Bytecode, also where Python is told to write none by itself: without it every start reads source for a third of a second.
COMPILED := $(BIN)/python -m compileall -q moderation

.PHONY: setup demo test test-train lint lint-code lint-rules bench chaos peers limits scaling bench-cuda bench-rules evasion quality adaptation corpus-check train model-cuda kernel kernel-sanitize fuzz fuzz-lines clean

setup: $(STAMP)

$(STAMP): pyproject.toml hatch_build.py $(wildcard native/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	$(COMPILED)
	touch $(STAMP)

$(TRAIN_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[train]"
	touch $(TRAIN_STAMP)

test-train: $(TRAIN_STAMP)
	$(BIN)/python -m pytest -n 2 tests/test_training_*.py

demo:
	test -x $(BIN)/moderate || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --editable ".[arrow]" && $(COMPILED))
	$(BIN)/moderate scan examples/posts.jsonl --format table --text-field title --text-field text --text-field tags

# The native kernel alone, into the checkout; `make setup` does it as well.
kernel:
	test -x $(BIN)/python || $(MAKE) setup
	$(BIN)/python hatch_build.py

# The kernel's tests, on a copy whose kernel reports reads and writes outside of its arrays and what C leaves undefined.
SANITIZED := work/sanitized
kernel-sanitize: setup
	rm -rf $(SANITIZED) && mkdir -p $(SANITIZED) && cp -R moderation $(SANITIZED)
	CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
		$(BIN)/python hatch_build.py $(SANITIZED)/moderation/_kernel.abi3.so
	LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) PYTHONMALLOC=malloc \
		ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONPATH=$(SANITIZED) MODERATION_DATA=. \
		$(BIN)/pytest tests/test_kernel.py tests/test_kernel_buffers.py tests/test_kept_kernel.py tests/test_collect_kernel.py tests/test_features_kernel.py tests/test_tokens_kernel.py tests/test_bag.py tests/test_conditions_kernel.py tests/test_sketch.py tests/test_decide_kernel.py

# Bytes without end into readers, folds, rule loader and verdict writer (tests/fuzz), FUZZ_SECONDS each; `make fuzz-rules` is one of them.
FUZZ_SECONDS ?= 600
FUZZ_LINES ?= 1000000
FUZZ_TARGETS := jsonl csv parquet arrow folds rules verdicts
.PHONY: $(FUZZ_TARGETS:%=fuzz-%)

fuzz: $(FUZZ_TARGETS:%=fuzz-%)

$(FUZZ_TARGETS:%=fuzz-%): fuzz-%: setup
	$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install --quiet --editable ".[fuzz]"
	$(BIN)/python tests/fuzz/run.py $* $(FUZZ_SECONDS)

# Lines of random bytes through `moderate scan`: each is one verdict or one error.
fuzz-lines: setup
	$(BIN)/python tests/fuzz/random_lines.py $(FUZZ_LINES) work/fuzz-lines

# Each process takes tests that stand together, so that what a file prepares is prepared once.
test: setup
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: lint-code lint-rules

lint-code: $(TRAIN_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lint-rules: $(STAMP)
	$(BIN)/moderate rules check --strict
	$(BIN)/moderate rules test

# Posts per second, stage by stage, on one core.
bench: setup
	taskset -c 0 $(BIN)/python benchmarks/throughput.py

# Scans killed at random moments and resumed: is every byte that of an undisturbed one?
chaos: setup
	$(BIN)/python tests/scan_chaos.py --runs 60

$(BENCH_STAMP): pyproject.toml hatch_build.py native/kernel.c
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(BENCH_VENV)/bin/python -m pip install --quiet --editable ".[bench]"
	touch $(BENCH_STAMP)

# Speed and quality beside other matchers and classifiers, on one core (about six minutes); WRITE= leaves docs/performance.md alone.
WRITE ?= --write
peers: $(BENCH_STAMP)
	taskset -c 0 $(BENCH_VENV)/bin/python benchmarks/peers.py $(WRITE)

# What the machine can do at most: memory, UTF-8, automaton, multiplications; on one core.
limits: setup
	taskset -c 0 $(BIN)/python benchmarks/limits.py $(WRITE)

# How cost grows with the length of posts, the number of posts and the number of rules (about five minutes).
scaling: setup
	$(BIN)/python benchmarks/scaling.py $(WRITE)

# Posts per second by batch size on a GPU, and how far its scores are from the processor's.
bench-cuda: setup
	$(BIN)/python benchmarks/cuda.py $(WRITE)

# The rules alone: false alarms, recall, precision, speed and its worst cases.
bench-rules: setup
	$(BIN)/python benchmarks/rules.py $(if $(wildcard $(DATA)),--data $(DATA))

# The rules alone on posts that hide what they say; CLASSIFIER=1: the shipped classifier alone, CLASSIFIER=folder: another; TIER=deep.
evasion: setup
	$(BIN)/python benchmarks/evasion.py $(if $(wildcard $(DATA)),--data $(DATA)) \
		$(if $(CLASSIFIER),--classifier $(filter-out 1,$(CLASSIFIER))) $(if $(TIER),--tier $(TIER))

# The corpus against its own rules: fields, labels, contacts, near-duplicates, sizes, variety.
corpus-check: setup
	$(BIN)/python -m moderation.evaluation.corpus_check corpus

# Trains the model from public data and corpus/ on two cores (an hour to an hour and a half); the folds of held-out sources come with it.
train: $(TRAIN_STAMP)
	$(BIN)/python -m moderation.training.build --data $(DATA)
	$(BIN)/python -m moderation.training.screen --data $(DATA) --model models/default

# The same model with a float16 deep tier, for CUDA; takes what `make train` left in work/.
model-cuda: $(TRAIN_STAMP)
	$(BIN)/python -m moderation.training.build --data $(DATA) --precision float16 --out work/model-cuda

# Leave-sources-out figures of the recipe; reuses the folds that `make train` left in work/.
quality: $(TRAIN_STAMP)
	$(BIN)/python benchmarks/quality.py --data $(DATA)

# What 100 and 300 labels of a source bring to a model that never saw it; reuses work/ as well.
adaptation: $(TRAIN_STAMP)
	$(BIN)/python benchmarks/adaptation.py --data $(DATA)

clean:
	rm -rf $(VENV) $(BENCH_VENV) build dist work
