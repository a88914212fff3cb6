#!/usr/bin/env bash
# Kills every command that writes files with SIGKILL at its system calls (strace's inject): at every write, fsync,
# rename and unlink, or at MOST of each kind, evenly spread, if there are more. After each kill every target must be
# unchanged or complete. Then makes the mapping of SQLite's shared memory fail, as network file systems do.
#
#   scripts/kill-writes-test.sh [MOST]     (default 8)
set -euo pipefail
cd "$(dirname "$0")/.."

most=${1:-8}
vitpatch=$(realpath "${VITPATCH:-.build/release/vitpatch}")
case $most in '' | *[!0-9]*) echo "kill-writes-test: $most is not a number of kills" >&2; exit 64 ;; esac
fail() { echo "kill-writes-test: FAILED: $*" >&2; exit 1; }
[ -x "$vitpatch" ] || fail "$vitpatch is not there; make build"
if ! command -v strace > /dev/null; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    echo "kill-writes-test: installing strace"
    $sudo apt-get update -q > /dev/null && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy strace > /dev/null ||
        fail "strace cannot be installed"
fi
if ! reason=$(strace -o /dev/null true 2>&1); then
    echo "kill-writes-test: skipped: this user may not trace programs here ($reason)"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NO_COLOR=1
cd "$work"

csv() { "$vitpatch" export "$1" --format csv --to "$2" || fail "$label: export of $1 ended with $?"; }

# The commands' inputs, and their expected outputs.
label=preparation
options=(--limit 24 --memory 4M --site attn_out --groups groups.csv)
{ echo image,half; for i in 0 1 2 3 4 5; do echo "green-circle/000$i.png,$((i % 2))"; done; } > groups.csv
"$vitpatch" sweep "${options[@]}" --logits --out whole > /dev/null 2>&1
csv whole whole.csv
for shard in 0 1 2; do
    "$vitpatch" sweep "${options[@]}" --logits --shard $shard/3 --out shard$shard > /dev/null 2>&1
done
"$vitpatch" sweep --limit 6 --out other > /dev/null 2>&1
csv other other.csv
"$vitpatch" sweep "${options[@]}" --out plain > /dev/null 2>&1
csv plain plain.csv
sort plain.csv > plain.sorted
for format in csv jsonl npz; do "$vitpatch" export whole --format $format --to export.$format; done
"$vitpatch" report whole > /dev/null 2>&1
mv whole/report.html whole/figures .
"$vitpatch" search --limit 8 --site resid_post --max 1 --out found > /dev/null 2>&1

# An interrupted sweep: results.sqlite with its log beside it.
cp -r other logged
python3 - << 'END'
import sqlite3, os
db = sqlite3.connect("logged/results.sqlite")
db.execute("PRAGMA journal_mode = WAL")
db.execute("UPDATE manifest SET value = 'x' WHERE key = 'host'")
db.commit()
os._exit(0)
END
[ -s logged/results.sqlite-wal ] || fail "no log was left"

old() { echo old > "$1"; }
is_old_or() {  # FILE EXPECTED
    if [ "$(head -c 4 "$1" | tr -d '\0')" = old ] && [ "$(wc -c < "$1")" = 4 ]; then olds=$((olds + 1)); return; fi
    cmp -s "$1" "$2" || fail "$label: $1 is neither what it was nor whole"
    news=$((news + 1))
}
is_store() {  # DIR OLD.csv NEW.csv
    csv "$1" got.csv
    if cmp -s got.csv "$2"; then olds=$((olds + 1)); return; fi
    cmp -s got.csv "$3" || fail "$label: $1 is neither the old store nor the new one"
    news=$((news + 1))
}
is_sweep() {  # DIR OLD.csv NEW.sorted: the old store, or rows of the new one
    csv "$1" got.csv
    if cmp -s got.csv "$2"; then olds=$((olds + 1)); return; fi
    [ -z "$(sort got.csv | comm -23 - "$3")" ] || fail "$label: $1 is neither the old store nor a part of the new one"
    news=$((news + 1))
}

# Each command has three functions: before_, command_ and after_.
before_merge() { rm -rf out; }
command_merge() { run merge shard0 shard1 shard2 --out out; }
after_merge() {
    if [ -e out/results.sqlite ]; then
        is_store out whole.csv whole.csv
        "$vitpatch" summary out --by half > got.txt 2>&1 || fail "$label: $(cat got.txt)"
    else olds=$((olds + 1)); fi
}
before_merge_overwrite() { rm -rf out; cp -r other out; }
command_merge_overwrite() { run merge shard0 shard1 shard2 --out out --overwrite; }
after_merge_overwrite() { is_store out other.csv whole.csv; }
for format in csv jsonl npz; do
    eval "before_export_$format() { rm -rf target; mkdir target; old target/file; }
        command_export_$format() { run export whole --format $format --to target/file; }
        after_export_$format() { is_old_or target/file export.$format; }"
done
before_report() {
    rm -rf out; mkdir out; cp whole/results.sqlite out; mkdir out/figures; old out/report.html
    for file in figures/*; do old "out/$file"; done
}
command_report() { run report out; }
after_report() {
    is_old_or out/report.html report.html
    for file in figures/*; do is_old_or "out/$file" "$file"; done
    csv out got.csv; cmp got.csv whole.csv || fail "$label: the store has changed"
}
before_sweep_overwrite() { rm -rf out; cp -r other out; }
command_sweep_overwrite() { run sweep "${options[@]}" --out out --overwrite; }
after_sweep_overwrite() { is_sweep out other.csv plain.sorted; }
before_sweep_over_a_log() { rm -rf out; cp -r logged out; }
command_sweep_over_a_log() { command_sweep_overwrite; }
after_sweep_over_a_log() { after_sweep_overwrite; }
before_profile() { rm -rf out target; mkdir target; old target/file; }
command_profile() { run sweep --limit 2 --out out --overwrite --profile target/file; }
after_profile() {
    if [ "$(wc -c < target/file)" = 4 ]; then olds=$((olds + 1)); return; fi
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' target/file || fail "$label: half a trace"
    news=$((news + 1))
}
before_search() { rm -rf out; mkdir out; old out/search.csv; old out/search.json; }
command_search() { run search --limit 8 --site resid_post --max 1 --out out --overwrite; }
after_search() { is_old_or out/search.csv found/search.csv; is_old_or out/search.json found/search.json; }

tracing=() status=0
run() { status=0; "${tracing[@]}" "$vitpatch" "$@" > run.out 2> run.err || status=$?; }

total=0
calls="write pwrite64 fsync fdatasync rename linkat unlink ftruncate"
for name in merge merge_overwrite export_csv export_jsonl export_npz report sweep_overwrite sweep_over_a_log profile search; do
    label=$name
    before_$name
    tracing=(strace -f -qq -o log -e "trace=execve,${calls// /,}" -e signal=none)
    command_$name
    [ "$status" = 0 ] || fail "$name ended with $status: $(tail -n 1 run.err)"
    olds=0 news=0
    after_$name
    [ "$olds" = 0 ] || [ "$name" = merge ] || fail "$name: the undisturbed run changed nothing"
    main=$(awk '$2 ~ /^execve/ { print $1; exit }' log)
    kills=0 olds=0 news=0
    for call in $calls; do
        # strace counts per thread; files are written by the first thread.
        count=$(awk -v main="$main" -v call="$call(" '$1 == main && index($2, call) == 1' log | wc -l)
        points=$((count < most ? count : most))
        for ((i = 0; i < points; i++)); do
            at=$((points == 1 ? 1 : 1 + i * (count - 1) / (points - 1)))
            label="$name, killed at $call $at of $count"
            before_$name
            tracing=(strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$at")
            command_$name 2> /dev/null
            [ "$status" = 137 ] || [ "$status" = 0 ] || fail "$label: ended with $status: $(tail -n 1 run.err)"
            [ "$status" = 0 ] || kills=$((kills + 1))
            after_$name
        done
    done
    # Leftovers of the kills do not stop the command.
    label="$name, after a kill"
    tracing=()
    case $name in merge) rm -rf out ;; esac
    command_$name
    [ "$status" = 0 ] || fail "$label: ended with $status: $(tail -n 1 run.err)"
    if [ -e out/results.sqlite ]; then
        left=$(find out -name '*results.sqlite*' | sort | tr '\n' ' ')
        [ "$left" = "out/results.sqlite " ] || fail "$label: left behind: $left"
    fi
    [ "$kills" -gt 0 ] || fail "$name was never killed"
    total=$((total + kills))
    echo "kill-writes-test: $name: $kills kills; targets as they were $olds times, whole $news times"
done

# Network file systems: the mapping of the log's shared index fails.
label="without shared memory"
rm -rf out
tracing=(strace -f -qq -o log -P "$work/out/results.sqlite-shm" -e trace=mmap -e inject=mmap:error=ENODEV)
command_sweep_overwrite
[ "$status" = 0 ] || fail "$label: the sweep ended with $status: $(tail -n 1 run.err)"
grep -q INJECTED log || fail "$label: no mapping failed, so nothing was tested"
csv out got.csv
cmp got.csv plain.csv || fail "$label: other bytes"
[ "$(ls out)" = results.sqlite ] || fail "$label: left behind: $(ls out | tr '\n' ' ')"
rm -rf out && cp -r logged out
run export out --format csv --to got.csv
[ "$status" = 0 ] || fail "$label: export of a store with a log ended with $status: $(tail -n 1 run.err)"
grep -q INJECTED log || fail "$label: no mapping failed for a reader"
cmp got.csv other.csv || fail "$label: other bytes of a store with a log"
echo "kill-writes-test: PASSED: $total kills; every target was what it was or whole, and a sweep without shared memory" \
    "gives the same bytes"
