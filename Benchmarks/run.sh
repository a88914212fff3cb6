#!/bin/sh
# Runs the comparison with PyTorch, transformers and TransformerLens: Benchmarks/run.sh [options of benchmark.py]
#
# The first run makes Benchmarks/.venv from requirements.txt (several GB of downloads). BENCHMARK_VENV names another
# virtual environment, which is taken as it is.
set -eu
cd "$(dirname "$0")"

if [ -n "${BENCHMARK_VENV:-}" ]; then
    venv=$BENCHMARK_VENV
else
    venv=.venv
    # The copy says which requirements were installed to the end.
    if ! cmp -s requirements.txt "$venv/requirements.txt"; then
        python3 -m venv "$venv" || { echo "Install python3 (3.10 or later) with its venv module: apt-get install python3-venv" >&2; exit 1; }
        "$venv/bin/pip" install --quiet -r requirements.txt
        cp requirements.txt "$venv/requirements.txt"
    fi
fi
exec "$venv/bin/python" benchmark.py "$@"
