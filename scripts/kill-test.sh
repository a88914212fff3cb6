#!/usr/bin/env bash
# Kills sweeps of the demo with SIGKILL at random moments, resumes them (killing some again while they resume), and
# compares their final exports with an uninterrupted run, byte for byte.
#
#   scripts/kill-test.sh [KILLS]     (default 100)
#   VITPATCH=.build/debug/vitpatch SEED=7 scripts/kill-test.sh 20
#
# After every kill, the store must contain only rows of the uninterrupted run.
set -euo pipefail
cd "$(dirname "$0")/.."

kills=${1:-100}
vitpatch=${VITPATCH:-.build/release/vitpatch}
RANDOM=${SEED:=$((RANDOM + 1))}
case $kills in '' | *[!0-9]*) echo "kill-test: $kills is not a number of kills" >&2; exit 64 ;; esac
[ -x "$vitpatch" ] || { echo "kill-test: $vitpatch is not there; make build" >&2; exit 1; }

# Many small waves; patches of one image in several waves; two corruptions with noise draws and images left out.
sweeps=(
    "--memory 4M"
    "--memory 3M --limit 120 --site z --site attn_out"
    "--memory 4M --limit 60 --corruption noise:0.5,1 --samples 2 --keep clean-correct --direction restore --direction noise"
)

work=$(mktemp -d)
child=
trap '[ -z "$child" ] || kill -KILL "$child" 2> /dev/null || true; rm -rf "$work"' EXIT
export NO_COLOR=1
fail() { echo "kill-test: $* (SEED=$SEED)" >&2; exit 1; }
now() { date +%s%N; }

# Starts sweep $1 with further options in the background; sets $child.
start() {
    local sweep=$1
    shift
    # shellcheck disable=SC2086  # options, split at spaces
    "$vitpatch" sweep ${sweeps[sweep]} --out "$work/run" "$@" > "$work/out" 2> "$work/err" &
    child=$!
}

# Waits for the child; sets $status to its exit status.
finish() { status=0; wait "$child" 2> /dev/null || status=$?; child=; }

for i in "${!sweeps[@]}"; do
    begin=$(now)
    start "$i"
    finish
    [ "$status" = 0 ] || fail "the uninterrupted run ended with $status: $(tail -n 1 "$work/err")"
    duration[i]=$((($(now) - begin) / 1000))
    "$vitpatch" export "$work/run" --format csv --to "$work/whole$i.csv"
    sort "$work/whole$i.csv" > "$work/sorted$i.csv"
    echo "kill-test: sweep $i (${sweeps[i]}): $(($(wc -l < "$work/whole$i.csv") - 1)) rows in $((duration[i] / 1000)) ms"
    rm -rf "$work/run"
done

killed=0 rounds=0 early=0 unstarted=0 resuming=0
while [ "$killed" -lt "$kills" ]; do
    sweep=$((rounds % ${#sweeps[@]})) resume= again=$((RANDOM % 3))
    rounds=$((rounds + 1))
    rm -rf "$work/run" "$work/cache"
    # Now and then the device's program caches are empty, so that kills also hit their creation.
    if [ $((rounds % 15)) = 8 ]; then export XDG_CACHE_HOME=$work/cache POCL_CACHE_DIR=$work/cache/pocl; mkdir -p "$work/cache/pocl"; fi
    while :; do
        start "$sweep" $resume
        if [ "$killed" -lt "$kills" ]; then
            # From 0 to slightly more than the run takes.
            delay=$((RANDOM * (duration[sweep] / 1000) / 31000))
            sleep "$(printf '%d.%03d' $((delay / 1000)) $((delay % 1000)))"
            kill -KILL "$child" 2> /dev/null || true
        fi
        finish
        if [ "$status" = 137 ]; then
            killed=$((killed + 1))
            [ -z "$resume" ] || resuming=$((resuming + 1))
            if [ -e "$work/run/results.sqlite" ]; then
                resume=--resume
                "$vitpatch" export "$work/run" --format csv --to "$work/part.csv" ||
                    fail "round $rounds: export after the kill ended with $?"
                sort "$work/part.csv" | comm -23 - "$work/sorted$sweep.csv" > "$work/strange"
                [ ! -s "$work/strange" ] || fail "round $rounds: after the kill: $(head -n 1 "$work/strange")"
                [ "$(wc -l < "$work/part.csv")" != 1 ] || early=$((early + 1))
            else
                unstarted=$((unstarted + 1))
            fi
            # Some may now finish, others are killed once or twice more.
            if [ "$again" -gt 0 ]; then again=$((again - 1)); continue; fi
            start "$sweep" $resume
            finish
        fi
        [ "$status" = 0 ] || fail "round $rounds, ${resume:-from the start}: ended with $status: $(tail -n 1 "$work/err")"
        break
    done
    "$vitpatch" export "$work/run" --format csv --to "$work/end.csv"
    cmp "$work/end.csv" "$work/whole$sweep.csv" || fail "round $rounds: sweep $sweep exports other bytes"
    [ "$(ls "$work/run")" = results.sqlite ] || fail "round $rounds: left behind: $(ls "$work/run" | tr '\n' ' ')"
    unset XDG_CACHE_HOME POCL_CACHE_DIR
    [ $((rounds % 10)) != 0 ] || echo "kill-test: $killed kills in $rounds sweeps so far"
done
echo "kill-test: passed: $killed kills ($unstarted before the store was there, $early before its first wave, $resuming" \
    "while resuming) in $rounds sweeps; every export has the same bytes (SEED=$SEED)"
