#!/usr/bin/env bash
# Runs the kernels that GPUs get under Oclgrind, which says that it is a GPU, with checks for data races, addresses,
# divergent barriers and wrong calls. (Its --uninitialized is left away: Oclgrind 21.10 ends with a fault there.)
#
# usage: scripts/oclgrind.sh VITPATCH [SECONDS]       fails where Oclgrind or a check finds anything
#
# 1 every operation but the largest; 2 the small products of each of our GEMMs; 3 a sweep over one image: a whole pass
set -euo pipefail
vitpatch=$1
limit=${2:-600}
command -v oclgrind > /dev/null || { echo "oclgrind is missing: apt-get install oclgrind" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache

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
