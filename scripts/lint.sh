#!/bin/sh
# Fails if Swift files do not conform to `swift format` (.swift-format), or a kernel has a line over 120 columns.
set -eu
cd "$(dirname "$0")/.."
${SWIFT:-swift} format lint --strict --parallel --recursive Package.swift Sources Tests Demo Benchmarks examples scripts
long=$(LC_ALL=C.UTF-8 grep -nE '.{121}' kernels/*.cl) || exit 0
echo "lint: lines over 120 columns:" >&2
echo "$long" >&2
exit 1
