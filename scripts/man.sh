#!/bin/sh
# Writes a man page for every command of PROGRAM to FOLDER with swift-argument-parser's generator. Its plugin would
# build the whole package again.
#
# usage: man.sh PROGRAM FOLDER
set -eu
swift=${SWIFT:-swift}

$swift build --product generate-manual > /dev/null
rm -rf "$2"
mkdir -p "$2"
"$($swift build --show-bin-path)/generate-manual" "$1" --multi-page --output-directory "$2"
