#!/bin/sh
# Tests the Python package as a user installs it: in a fresh virtual environment with the wheel in dist/ and the
# packages that tests and notebooks need. Runs ruff, mypy --strict and pytest, and recomputes the numbers in summary and
# report (scripts/recompute.py). usage: scripts/test-python.sh [PYTEST-OPTION ...]
set -eu
cd "$(dirname "$0")/.."

wheel=$(ls -t dist/vitpatch-*.whl 2> /dev/null | head -n 1)
[ -n "$wheel" ] || { echo "test-python: no wheel in dist/; 'make wheel' makes it" >&2; exit 1; }
environment=.build-python
rm -rf "$environment"
python3 -m venv "$environment" || { echo "test-python: needs Python 3.11 or later with venv (Debian package python3-venv)" >&2; exit 1; }
bin=$PWD/$environment/bin
"$bin/pip" install --quiet --disable-pip-version-check -r python/requirements-test.txt
"$bin/pip" install --quiet --disable-pip-version-check --no-deps "$wheel"

files="python scripts/wheel.py scripts/recompute.py scripts/recomputing scripts/corruption-pictures.py"
"$bin/ruff" format --check --config python/pyproject.toml $files
"$bin/ruff" check --config python/pyproject.toml $files
cd python
"$bin/mypy" src tests
"$bin/mypy" --python-version 3.11 ../scripts/wheel.py
# The package under test is the installed one: python/src is not on the path.
unset VITPATCH_EXE PYTHONPATH || true
"$bin/python" -m pytest "$@"
# With options only some tests are requested.
[ $# -gt 0 ] || "$bin/python" ../scripts/recompute.py --vitpatch "$bin/vitpatch"
