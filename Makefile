# vitpatch: `make demo` and `make test` are all that a fresh Debian or Ubuntu machine with Swift 6, git and make needs.

SWIFT ?= swift
RELEASE := .build/release/vitpatch
DEMO := runs/demo
# Where the demo's standard output goes; empty: the terminal.
DEMO_OUTPUT ?=

.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint format readme check-readme test-scripts bundle clean kill-test full-disk-test \
    slurm-test benchmark test-intel test-loopvec check-rusticl check-gpu check-amx wheel test-python notebooks fuzz man

help:  ## List these targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
	    printf '  make %-14s %s\n' "$$name" "$$text"; done

setup:  ## Install the C libraries and PoCL that are missing (apt-get, with sudo only if needed)
	@sh scripts/setup.sh

build: setup  ## Build the release binary, .build/release/vitpatch
	$(SWIFT) build -c release --product vitpatch

demo: build  ## Run the sweep on the built-in model and images into runs/demo
	@mkdir -p runs
	$(RELEASE) sweep --out $(DEMO) --overwrite $(if $(DEMO_OUTPUT),> $(DEMO_OUTPUT))
	@echo
	@echo "The results are in $(DEMO). Next:"
	@echo "  $(RELEASE) summary $(DEMO)"
	@echo "  $(RELEASE) export $(DEMO) --format csv --to $(DEMO)/effects.csv"
	@echo "  $(RELEASE) sweep --help      # a model and images of your own"

test: setup test-scripts  ## Run all tests (the device tests on PoCL where there is no other OpenCL device)
	$(SWIFT) test --disable-xctest

lint:  ## Check the format of the Swift files and the kernels' line lengths
	@SWIFT=$(SWIFT) sh scripts/lint.sh

format:  ## Bring the Swift files into that format
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests Demo Benchmarks examples scripts

test-scripts:  ## Test the README check itself
	@sh scripts/test-compare-output.sh

check-readme: DEMO_OUTPUT = runs/demo.txt
check-readme: demo  ## Run the demo and compare it with the output in README.md
	@cat $(DEMO_OUTPUT)
	@sh scripts/check-readme.sh $(DEMO_OUTPUT)

readme: DEMO_OUTPUT = runs/demo.txt
readme: demo  ## Run the demo and put its output into README.md
	@sh scripts/update-readme.sh $(DEMO_OUTPUT)

bundle: setup  ## Make dist/vitpatch-VERSION-linux-ARCH.tar.xz for a machine without Swift
	@sh scripts/bundle.sh

man: build  ## Write a man page for every command to dist/man
	@SWIFT=$(SWIFT) sh scripts/man.sh $(RELEASE) dist/man/man1

# Uses an existing bundle instead of making one: make wheel BUNDLE=dist/vitpatch-...
wheel: $(if $(BUNDLE),,bundle)  ## Make dist/vitpatch-VERSION-py3-none-manylinux_2_NN_ARCH.whl, the bundle for pip
	@python3 scripts/wheel.py $(or $(BUNDLE),dist/vitpatch-$$(sh scripts/version.sh)-linux-$$(uname -m))

test-python: wheel  ## Test the wheel in a fresh virtual environment: ruff, mypy --strict, pytest, the notebooks
	@scripts/test-python.sh

notebooks: wheel  ## Run examples/notebooks and store their outputs
	@scripts/test-python.sh --store-notebooks tests/test_notebooks.py

kill-test: build  ## Kill demo sweeps at 100 random moments (KILLS=n), and every command that writes at its system calls
	@scripts/kill-test.sh $(or $(KILLS),100)
	@scripts/kill-writes-test.sh

full-disk-test: build  ## Sweep into a full and into a read-only disk (a small tmpfs)
	@scripts/full-disk-test.sh

slurm-test: build  ## Run examples/slurm on its own Slurm (installs it), compare with a sweep without shards
	@scripts/slurm-test.sh

# Builds into .build-fuzz, which takes minutes the first time; inputs that reached new code stay in .build-fuzz/corpus.
fuzz: setup  ## Fuzz every reader of files by libFuzzer with AddressSanitizer, FUZZ_SECONDS (60) in all
	@SWIFT=$(SWIFT) scripts/fuzz.sh $(or $(FUZZ_SECONDS),60)

# PoCL's other method for work-groups, with its kernels compiled anew.
test-loopvec: build  ## Run verify on PoCL with its loop vectoriser for work-groups (POCL_WORK_GROUP_METHOD=loopvec)
	@cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
	    { POCL_WORK_GROUP_METHOD=loopvec POCL_CACHE_DIR=$$cache XDG_CACHE_HOME=$$cache $(RELEASE) verify > $$cache/out || \
	        { cat $$cache/out; exit 1; }; } && tail -n 1 $$cache/out

check-rusticl: build  ## Check the small kernels on Mesa's rusticl and llvmpipe (downloads 62 MB, installs nothing)
	@scripts/rusticl.sh $(abspath $(RELEASE)) verify --only kernel --max-size 20000

test-intel: setup  ## Run all tests on Intel's OpenCL runtime for CPUs (installs it from PyPI)
	@scripts/intel-opencl.sh $(SWIFT) test --disable-xctest

check-gpu: build  ## Check the kernels that GPUs get on a machine without one (Oclgrind, clang-19, PyPI's ptxas)
	@scripts/oclgrind.sh $(RELEASE)
	@python3 scripts/static-check.py

check-amx:  ## Check what clang-19 makes of the kernel for CPUs with AMX, on a machine without one
	@python3 scripts/amx-check.py

benchmark: build  ## Compare with PyTorch and TransformerLens (downloads them); writes Benchmarks/results.md
	@Benchmarks/run.sh $(BENCHMARK_OPTIONS)

clean:  ## Delete what was built; runs/ stays
	rm -rf .build .build-bundle .build-fuzz dist
