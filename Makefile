# The front door of Soundsight: `make help` lists what can be done.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

# A song of your own: make demo SONG=path.mp3 OUT=video.mp4
EXAMPLE := examples/first-light.flac
SONG    ?= $(EXAMPLE)
OUT     ?= out/demo.mp4

PYPROJECTS := $(wildcard */pyproject.toml services/*/pyproject.toml)
BIN        := .venv/bin

# These files say what the environment was last made from. They lie inside it, so that removing
# .venv is all it takes to start afresh.
RUNTIME := .venv/runtime.stamp
DEV     := .venv/dev.stamp
TORCH   := .venv/torch.stamp

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 16

## For users

.PHONY: setup
setup: $(RUNTIME) ## Make .venv with everything the suite needs to run (PYTHON=... names an interpreter)

# The filter gives the example song when that is the one to render, and nothing otherwise.
.PHONY: demo
demo: $(RUNTIME) $(filter $(EXAMPLE),$(SONG)) ## Render the example song to out/demo.mp4, or SONG=path.mp3 to OUT=video.mp4
	@mkdir -p "$$(dirname "$(OUT)")"
	$(BIN)/soundsight render "$(SONG)" -o "$(OUT)"

$(EXAMPLE): examples/make_example_song.py $(wildcard examples/songsmith/*.py) | $(RUNTIME)
	$(BIN)/python examples/make_example_song.py

$(RUNTIME): locks/runtime.txt $(PYPROJECTS) scripts/setup.sh
	@scripts/setup.sh runtime
	@touch $@

# Another interpreter, named on the command line, makes the environment anew.
ifeq ($(origin PYTHON),command line)
.PHONY: $(RUNTIME)
endif

# TORCH_INDEX names another index for PyTorch: that of its CPU builds saves 3 GB of CUDA on Linux.
.PHONY: setup-torch
setup-torch: $(TORCH) ## Add PyTorch to .venv for models of your own (TORCH_INDEX=URL: builds for a CPU, or another GPU)

$(TORCH): $(RUNTIME) locks/torch.txt
	@TORCH_INDEX="$(TORCH_INDEX)" scripts/setup.sh torch
	@touch $@

# BUILD=cpu or BUILD=cuda; without it, cuda where a GPU of NVIDIA's answers. TORCH_INDEX as above.
.PHONY: setup-vllm
setup-vllm: ## Make .venv-vllm, which serves language models (BUILD=cpu: 3.5 GB, BUILD=cuda: 10 GB)
	@TORCH_INDEX="$(TORCH_INDEX)" scripts/setup-vllm.sh $(or $(BUILD),auto)

## For operators

# ENGINE is docker, podman or buildah; deploy/images/build.sh tells what else it reads (BASE, ...).
IMAGES := gateway analyzer scenewriter videogen composer cli

.PHONY: images
images: ## Build the images that need no GPU (IMAGES="videogen-cuda vllm": those; ENGINE, REGISTRY, TAG)
	@deploy/images/build.sh $(IMAGES)

.PHONY: sbom
sbom: ## Copy the bills of materials out of images that were built, to out/sbom (CycloneDX)
	@deploy/images/sbom.sh out/sbom $(IMAGES)

## For developers

.PHONY: setup-dev
setup-dev: $(DEV) ## Add what tests and lint need to .venv

$(DEV): $(RUNTIME) locks/dev.txt
	@scripts/setup.sh dev
	@touch $@

# Half of a run is waiting for servers and child processes, so two files of tests run side by side.
TWO_AT_ONCE := --numprocesses=2 --dist=loadfile

.PHONY: test
test: $(DEV) ## Run the tests of all parts, but the long ones
	$(BIN)/python -m pytest $(TWO_AT_ONCE)

.PHONY: test-long
test-long: $(DEV) ## Run the tests that take minutes each
	$(BIN)/python -m pytest -m long $(TWO_AT_ONCE)

# Only the files that have such tests: to read all others takes each process a quarter of a minute.
.PHONY: test-torch
test-torch: $(DEV) $(TORCH) ## Run the tests that need PyTorch: tiny models, made on the spot
	$(BIN)/python -m pytest -m torch $(TWO_AT_ONCE) \
		$$(grep --recursive --files-with-matches --include='test_*.py' 'pytest\.mark\.torch' $(wildcard */tests services/*/tests tests))

# A model of 135 million parameters: it shows that everything fits, not how well a model can write.
SMOLLM := build/models/smollm2-135m-instruct

.PHONY: test-vllm
test-vllm: $(DEV) $(SMOLLM) $(filter $(EXAMPLE),$(SONG)) ## Run the tests that need a real vLLM, with a tiny model (SONG=song.ogg: on that song)
	SOUNDSIGHT_TEST_LLM="$(abspath $(SMOLLM))" SOUNDSIGHT_TEST_SONG="$(abspath $(SONG))" \
		$(BIN)/python -m pytest tests/test_vllm.py -m vllm --log-level=INFO -rP

$(SMOLLM): deploy/vllm/test-model.txt deploy/vllm/unpack_gguf.py scripts/setup-vllm.sh
	@TORCH_INDEX="$(TORCH_INDEX)" scripts/setup-vllm.sh $(or $(BUILD),auto)
	@deploy/vllm/get_test_model.sh $@

# Needs root, buildah and debootstrap, 6 GB for as long as it runs, and a quarter of an hour.
.PHONY: test-images
test-images: $(RUNTIME) $(filter $(EXAMPLE),$(SONG)) ## Build the images without a container engine, and have them make a film
	$(BIN)/python scripts/check_images.py "$(SONG)" $(OPTIONS)

# A seed repeats a run: make fuzz SEED=42. `make test` sends fewer, and the same each time.
.PHONY: fuzz
fuzz: $(DEV) ## Send 50,000 made-up requests to every method of every service (CASES=1000: so many)
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; \
		echo "seed $$seed: to repeat this run, make fuzz SEED=$$seed$(if $(CASES), CASES=$(CASES))"; \
		SOUNDSIGHT_FUZZ_CASES=$(or $(CASES),50000) SOUNDSIGHT_FUZZ_SEED=$$seed \
		$(BIN)/python -m pytest tests/fuzz --numprocesses=2 --log-level=INFO -rP

.PHONY: histories
histories: $(DEV) ## Record the histories of renders that tests replay, after a new version of workflows
	$(BIN)/python -m pytest gateway/tests/histories/record.py

.PHONY: bench
bench: $(DEV) $(filter $(EXAMPLE),$(SONG)) ## Print where the time of a render goes, beside a bare encode (SONG=song.ogg: of that song)
	$(BIN)/python bench/render.py "$(SONG)"

.PHONY: bench-worlds
bench-worlds: $(DEV) ## Print what each world of the built-in renderer costs per frame
	$(BIN)/python bench/worlds.py

# The catalogue's songs are rendered once, into out/songs: a quarter of an hour the first time.
.PHONY: bench-analyzer
bench-analyzer: $(DEV) ## Print how well and fast songs are heard (SONGS_DIR=folder: and your own; OPTIONS=--help)
	PYTHONPATH=examples $(BIN)/python bench/analyzer.py $(if $(SONGS_DIR),--songs-dir "$(SONGS_DIR)") $(OPTIONS)

# Needs `make setup-torch`. OPTIONS='--random wan2.1-t2v-1.3b' times layers of real size without any
# weights; `--help` lists the rest. The tables are kept in out/videogen.
.PHONY: bench-videogen
bench-videogen: $(DEV) $(TORCH) ## Time a video model with and without each feature: make bench-videogen MODEL=folder
	$(BIN)/python bench/videogen.py $(if $(MODEL),"$(MODEL)") --out out/videogen $(OPTIONS)

.PHONY: bench-scheduling
bench-scheduling: $(DEV) ## Simulate videogen's scheduler on 1 to 256 devices (OPTIONS=--help)
	$(BIN)/python bench/scheduling.py $(OPTIONS)

.PHONY: bench-dispatch
bench-dispatch: $(DEV) ## Print how busy the gateway keeps 64 videogen endpoints (OPTIONS=--help)
	$(BIN)/python bench/dispatch.py $(OPTIONS)

.PHONY: bench-http
bench-http: $(DEV) ## Print what the gateway's HTTP costs beside its gRPC (OPTIONS=--help)
	$(BIN)/python bench/gateway_http.py $(OPTIONS)

# Everything but the burst of 1,000 songs takes a minute; that one takes ten.
.PHONY: bench-scaling
bench-scaling: $(DEV) ## Simulate scaling videogen to zero and back, on up to 500 GPUs (OPTIONS=--help)
	$(BIN)/python bench/scaling.py $(OPTIONS)

# Both documents are kept in out/film, with a contact sheet; BURST=12.5 makes the sheet 12 frames in
# a row from there, TRUTH=song.json judges the cuts by true beats as well.
.PHONY: bench-film
bench-film: $(DEV) $(filter $(EXAMPLE),$(SONG)) ## Measure a finished video: make bench-film VIDEO=video.mp4 SONG=song.mp3
	@test -n "$(VIDEO)" || { echo "name the video: make bench-film VIDEO=video.mp4 SONG=song.mp3" >&2; exit 2; }
	@mkdir -p out/film
	$(BIN)/soundsight analyze "$(SONG)" --json out/film/analysis.json --quiet
	$(BIN)/soundsight storyboard "$(SONG)" --json out/film/storyboard.json --quiet $(OPTIONS)
	$(BIN)/python bench/film.py "$(VIDEO)" --analysis out/film/analysis.json \
		--storyboard out/film/storyboard.json --sheet out/film/sheet.png \
		$(if $(BURST),--burst $(BURST)) $(if $(TRUTH),--truth $(TRUTH))

# helm is fetched into build/tools; SOUNDSIGHT_HELM names another one. `make test` runs these too.
.PHONY: chart
chart: $(DEV) ## Lint the chart, render it in every way, and check what comes out
	@$(if $(SOUNDSIGHT_HELM),,scripts/get-helm.sh)
	$(BIN)/python -m pytest tests/chart $(TWO_AT_ONCE)

.PHONY: chart-examples
chart-examples: $(DEV) ## Render the chart's profiles to tests/chart/rendered
	$(BIN)/python scripts/render_chart_examples.py

.PHONY: lint
lint: lint-code lint-protos lint-generated ## Run every check that needs no test: style, types, contracts, imports, drift

.PHONY: lint-code
lint-code: $(DEV) ## Check style, types, and which part imports which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: lint-protos
lint-protos: $(DEV) ## Check the contracts' style, and that callers of the released ones still work
	$(BIN)/python scripts/lint_protos.py

.PHONY: lint-generated
lint-generated: $(DEV) ## Check that generated files are what their sources give
	$(BIN)/python scripts/generate_protos.py --check
	$(BIN)/python scripts/generate_settings_page.py --check
	$(BIN)/python scripts/generate_errors_page.py --check
	$(BIN)/python scripts/generate_openapi.py --check
	$(BIN)/python scripts/generate_chart_page.py --check
	scripts/lock.sh --check
	deploy/images/lock.sh --check

.PHONY: format
format: $(DEV) ## Put the Python code into the house's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: protos
protos: $(DEV) ## Generate the contracts' Python code from protos/soundsight/**/*.proto
	$(BIN)/python scripts/generate_protos.py

.PHONY: protos-release
protos-release: $(DEV) ## Record the contracts as released: from then on `make lint` keeps callers working
	$(BIN)/python scripts/generate_protos.py --release

.PHONY: settings-page
settings-page: $(DEV) ## Generate docs/settings.md from the parts' settings classes
	$(BIN)/python scripts/generate_settings_page.py

.PHONY: errors-page
errors-page: $(DEV) ## Generate docs/errors.md from the parts' error tables
	$(BIN)/python scripts/generate_errors_page.py

.PHONY: openapi
openapi: $(DEV) ## Generate the description of the HTTP API from the contracts and the error tables
	$(BIN)/python scripts/generate_openapi.py

.PHONY: chart-page
chart-page: $(DEV) ## Generate the chart's table of values, and the settings in its schema
	$(BIN)/python scripts/generate_chart_page.py

.PHONY: lock
lock: $(DEV) ## Fit the lock files to what the parts declare (UPGRADE=1: take the newest versions)
	scripts/lock.sh $(if $(UPGRADE),--upgrade)
	deploy/images/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove what was made here: .venv, build, out, caches
	rm -rf .venv .venv-vllm build out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
