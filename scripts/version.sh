#!/bin/sh
# Prints the version that the source states (`let vitpatchVersion = "1.2.3"`), or 0.0.0 where it states none.
set -eu
cd "$(dirname "$0")/.."
version=$(cat Sources/vitpatch/*.swift | sed -n 's/^let vitpatchVersion *= *"\([^"]*\)".*/\1/p' | head -n 1)
echo "${version:-0.0.0}"
