#!/usr/bin/env bash
# Runs the GPU kernels under Oclgrind, which identifies as a GPU, with checks for data races, addresses, divergent
# barriers and wrong calls. (Without --uninitialized, at which Oclgrind 21.10 crashes.)
#
# usage: scripts/oclgrind.sh VITPATCH [SECONDS]       fails if Oclgrind or a check finds anything
#
# 1 a copy of a kernel without one of its barriers, which must be reported; 2 every operation except the largest; 3 the
# small products of each of our GEMMs; 4 a sweep over one image: a whole pass
set -euo pipefail
vitpatch=$1
limit=${2:-600}
command -v oclgrind > /dev/null || { echo "oclgrind is missing: apt-get install oclgrind" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache

# Tests the check itself: layer norm of two tokens by eight work-items, complete and without the barrier after their
# sums are stored.
kernels=$(dirname "$0")/../kernels
cat "$kernels/common.cl" "$kernels/layernorm.cl" > "$work/whole.cl"
awk '/barrier/ && !cut { cut = 1; next } { print }' "$work/whole.cl" > "$work/cut.cl"
for name in whole cut; do
  # Program, kernel, ND-range, group, and the arguments of layernorm_rows
  cat > "$work/$name.sim" << END
$work/$name.cl
layernorm_rows
8 1 2
8 1 1
<size=256 float fill=1.5>
<size=4 int>
32
<size=8 int>
0 1
<size=4 int>
0
<size=4 int>
1
<size=4 int>
32
<size=128 float fill=1>
<size=128 float fill=0>
<size=4 float>
1e-6
<size=256 float fill=0>
END
  timeout "$limit" oclgrind-kernel --build-options "-DV=4 -DWG=8" --data-races --log "$work/$name.log" "$work/$name.sim"
done
[ ! -s "$work/whole.log" ] || { cat "$work/whole.log"; echo "oclgrind: the whole kernel is not clean" >&2; exit 1; }
grep -q "data race at local memory" "$work/cut.log" || {
  echo "oclgrind: a missing barrier is not found" >&2
  exit 1
}
grep -m 1 -A 1 "data race" "$work/cut.log" | sed 's/^/oclgrind: without a barrier: /'

run() {
  local name=$1
  shift
  : > "$work/log"
  echo "oclgrind: $name"
  timeout "$limit" oclgrind --data-races --check-api --max-errors 1000 --log "$work/log" "$vitpatch" "$@" > "$work/out" 2>&1 || {
    tail -n 20 "$work/out" "$work/log"
    echo "oclgrind: $name failed" >&2
    exit 1
  }
  if [ -s "$work/log" ]; then
    cat "$work/log"
    echo "oclgrind: $name is not clean" >&2
    exit 1
  fi
  tail -n 1 "$work/out"
}

run "operations" verify --device oclgrind --only kernel --gemm tiled --max-size 3000000
run "products" verify --device oclgrind --only gemm --gemm tiled --max-size 1000000
run "a pass" sweep --device oclgrind --gemm tiled --limit 1 --site attn_out --layers 0 --window 1 --out "$work/run"
