#!/bin/sh
# Runs the simulations of docs/methods.md (coverage of intervals, false rejections, false marks, bias of metrics) and
# prints their tables as Markdown. Compiles only the program's statistics.
#
#   scripts/simulations.sh
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
files=""
for name in CounterRandom Bootstrap Interval Normal EffectStatistics SignFlips Reliability PredictionPowered; do
    files="$files Sources/Statistics/$name.swift"
done
# shellcheck disable=SC2086
swiftc -O -swift-version 6 -package-name vitpatch -module-name simulations -o "$folder/simulations" \
    $files scripts/simulations/main.swift
"$folder/simulations"
