#!/bin/sh
# Prints the version in the source (`let vitpatchVersion = "1.2.3"`), or 0.0.0 if there is none.
set -eu
cd "$(dirname "$0")/.."
version=$(cat Sources/vitpatch/*.swift | sed -n 's/^let vitpatchVersion *= *"\([^"]*\)".*/\1/p' | head -n 1)
echo "${version:-0.0.0}"
