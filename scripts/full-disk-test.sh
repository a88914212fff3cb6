#!/usr/bin/env bash
# Sweeps the demo onto a disk that fills up (a small tmpfs in its own mount namespace) and onto a read-only one: one
# clear sentence and status 1, the finished waves readable, and after --resume the bytes of an undisturbed sweep. Then
# runs every other command that writes: the files it would have replaced are unchanged.
set -euo pipefail
cd "$(dirname "$0")/.."

vitpatch=$(realpath "${VITPATCH:-.build/release/vitpatch}")
sweep=(--memory 4M)
fail() { echo "full-disk-test: FAILED: $*" >&2; exit 1; }
[ -x "$vitpatch" ] || fail "$vitpatch is not there; make build"

if [ "${1:-}" != inside ]; then
    user=
    [ "$(id -u)" = 0 ] || user="--user --map-root-user"
    # shellcheck disable=SC2086
    if ! reason=$(unshare $user --mount mount -t tmpfs tmpfs /tmp 2>&1); then
        echo "full-disk-test: skipped: this user may not mount a tmpfs here ($reason)"
        exit 0
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # shellcheck disable=SC2086
    VITPATCH=$vitpatch unshare $user --mount "$0" inside "$work"
    exit
fi

work=$2 disk=$2/disk
export NO_COLOR=1
# The caches of compiled kernels are elsewhere; this run fills them.
"$vitpatch" sweep "${sweep[@]}" --out "$work/whole" > /dev/null 2>&1 || fail "the undisturbed sweep ended with $?"
"$vitpatch" export "$work/whole" --format csv --to "$work/whole.csv"
sort "$work/whole.csv" > "$work/sorted.csv"
mkdir "$disk"

# Runs vitpatch and expects status 1 and one sentence with $1 in it, whatever it printed before.
refused() {
    local words=$1 status=0
    shift
    "$vitpatch" "$@" > "$work/out" 2> "$work/err" || status=$?
    grep -v -e '^Warning: ' -e 'images are done already' "$work/err" > "$work/lines" || true
    [ "$status" = 1 ] || fail "vitpatch $1 ended with $status: $(tail -n 1 "$work/err")"
    [ "$(wc -l < "$work/lines")" = 1 ] || fail "vitpatch $1 says more than one line: $(cat "$work/err")"
    grep -q "^Error: .*$disk.*$words" "$work/lines" || fail "vitpatch $1 says: $(cat "$work/lines")"
    sed 's/^/  /' "$work/lines"
}

# Exports the results so far, which must be rows of the undisturbed sweep; their number in $rows.
part() {
    "$vitpatch" export "$disk/run" --format csv --to "$work/part.csv" || fail "export of a part ended with $?"
    sort "$work/part.csv" | comm -23 - "$work/sorted.csv" > "$work/strange"
    [ ! -s "$work/strange" ] || fail "not in the undisturbed sweep: $(head -n 1 "$work/strange")"
    rows=$(($(wc -l < "$work/part.csv") - 1))
}

some=0
for free in 0 16 64 128 256 512; do  # KiB
    mount -t tmpfs -o size=16m tmpfs "$disk"
    head -c $((16 * 1024 * 1024 - free * 1024)) /dev/zero > "$disk/filler" 2> /dev/null || true
    echo "full-disk-test: $free KiB free"
    refused "disk is full" sweep "${sweep[@]}" --out "$disk/run"
    resume=
    if [ -e "$disk/run/results.sqlite" ]; then
        resume=--resume
        part
        [ "$rows" = 0 ] || some=$((some + 1))
        full=$rows
        # Still full: the same again, and nothing is lost.
        refused "disk is full" sweep "${sweep[@]}" --out "$disk/run" --resume
        part
        [ "$rows" -ge "$full" ] || fail "$full rows before the second try, $rows after it"
        mount -o remount,ro "$disk"
        full=$rows
        part
        [ "$rows" = "$full" ] || fail "$full rows, but $rows where the disk is read-only"
        refused "read-only" sweep "${sweep[@]}" --out "$disk/run" --resume
        refused "read-only" sweep "${sweep[@]}" --out "$disk/run" --overwrite
        refused "read-only" sweep "${sweep[@]}" --out "$disk/new"
        mount -o remount,rw "$disk"
        echo "  $rows rows are readable, on the full disk and read-only"
    fi
    rm "$disk/filler"
    "$vitpatch" sweep "${sweep[@]}" --out "$disk/run" $resume > /dev/null 2> "$work/err" ||
        fail "after space was freed the sweep ended with $?: $(tail -n 1 "$work/err")"
    "$vitpatch" export "$disk/run" --format csv --to "$work/end.csv"
    cmp "$work/end.csv" "$work/whole.csv" || fail "$free KiB: other bytes"
    [ "$(ls "$disk/run")" = results.sqlite ] || fail "left behind: $(ls "$disk/run" | tr '\n' ' ')"
    umount "$disk"
done
# Every other command that writes: on a full disk its targets are unchanged, and nothing else is left there.
for shard in 0 1; do
    "$vitpatch" sweep "${sweep[@]}" --shard $shard/2 --out "$work/shard$shard" > /dev/null 2>&1
done
"$vitpatch" sweep --limit 3 --out "$work/other" > /dev/null 2>&1
mount -t tmpfs -o size=16m tmpfs "$disk"
mkdir "$disk/new" "$disk/old" "$disk/old/figures"
cp "$work/whole/results.sqlite" "$disk/new"
cp "$work/other/results.sqlite" "$disk/old"
for file in old.csv old/report.html old/figures/effects.svg old/search.csv old/search.json; do echo old > "$disk/$file"; done
list() { (cd "$disk" && find . -type f ! -name filler -exec sha256sum {} + | sort -k 2); }
list > "$work/before"
for free in 0 8; do  # KiB
    rm -f "$disk/filler"
    size=$(($(df --output=avail "$disk" | tail -n 1) - free))
    head -c $((size * 1024)) /dev/zero > "$disk/filler"
    echo "full-disk-test: everything else, $free KiB free"
    for format in csv jsonl npz; do refused "disk is full" export "$disk/new" --format $format --to "$disk/old.csv"; done
    refused "disk is full" export "$disk/new" --to "$disk/new.csv"
    refused "disk is full" merge "$work/shard0" "$work/shard1" --out "$disk/old" --overwrite
    refused "disk is full" merge "$work/shard0" "$work/shard1" --out "$disk/merged"
    refused "disk is full" sweep "${sweep[@]}" --out "$disk/old" --overwrite
    refused "disk is full" sweep --limit 2 --out "$work/traced" --overwrite --profile "$disk/old.csv"
    # A report is many files: those that fit are replaced.
    [ "$free" != 0 ] || refused "disk is full" report "$disk/old"
    list | cmp - "$work/before" || fail "targets have changed on the full disk"
done
umount "$disk"

[ "$some" -ge 2 ] || fail "the disk never got full between waves, so the test tested little"
echo "full-disk-test: PASSED: every sweep ended with the bytes of the undisturbed one"
