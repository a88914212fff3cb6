#!/usr/bin/env bash
# Fuzzes every reader of files (Tests/FuzzReaders) with libFuzzer and AddressSanitizer. Inputs that reach new code are
# kept in .build-fuzz/corpus and mutated further. Fails, and keeps the input in .build-fuzz/found, if a reader traps,
# hangs, accesses memory out of bounds or uses too much of it.
#
#   scripts/fuzz.sh [SECONDS [READER ...]]     (default: 60 seconds in all, all readers)
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
case $seconds in '' | *[!0-9]*) echo "fuzz: $seconds is not a number of seconds" >&2; exit 64 ;; esac
shift || true
swift=${SWIFT:-swift}
build=.build-fuzz
resources=$(dirname "$(realpath "$(command -v "$swift")")")/../lib/clang
runtime=$(find -L "$resources" -name "libclang_rt.fuzzer_no_main-$(uname -m).a" | head -n 1)
[ -n "$runtime" ] || { echo "fuzz: this Swift has no libFuzzer (libclang_rt.fuzzer_no_main) under $resources" >&2; exit 1; }

# The gold linker cannot read this much debug information, hence lld.
VITPATCH_FUZZ=1 "$swift" build -c release --scratch-path "$build" --product fuzz --sanitize address \
    -Xswiftc -sanitize-coverage=edge,inline-8bit-counters,pc-table,trace-cmp -Xswiftc -use-ld=lld \
    -Xlinker "$runtime" -Xlinker -lstdc++
fuzz=$(realpath "$build/release/fuzz")

export SWIFT_BACKTRACE=enable=no ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=0:allocator_may_return_null=1}"
mkdir -p "$build/corpus" "$build/found"
FUZZ_FOLDER=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)
export FUZZ_FOLDER
trap 'rm -rf "$FUZZ_FOLDER"' EXIT
"$fuzz" --seeds "$build/seeds"
readers=("$@")
[ $# -gt 0 ] || mapfile -t readers < <("$fuzz" --list)
each=$((seconds / ${#readers[@]}))
[ "$each" -ge 1 ] || each=1
total=0 failed=()
for reader in "${readers[@]}"; do
    mkdir -p "$build/corpus/$reader"
    status=0
    FUZZ_READER=$reader timeout -k 10 $((each + 120)) "$fuzz" -max_total_time="$each" -timeout=30 -rss_limit_mb=4096 \
        -malloc_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$build/found/$reader-" -reload=0 \
        "$build/corpus/$reader" "$build/seeds/$reader" > "$build/$reader.log" 2>&1 || status=$?
    count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$reader.log")
    total=$((total + ${count:-0}))
    echo "fuzz: $reader: ${count:-0} inputs, $(ls "$build/corpus/$reader" | wc -l) kept"
    if [ "$status" != 0 ]; then
        failed+=("$reader")
        grep -aE 'ERROR|Fatal error|SUMMARY|Test unit written' "$build/$reader.log" || tail -n 5 "$build/$reader.log"
    fi
done
echo "fuzz: $total inputs in all"
[ ${#failed[@]} = 0 ] || { echo "fuzz: FAILED: ${failed[*]} ($build/READER.log, $build/found)" >&2; exit 1; }
