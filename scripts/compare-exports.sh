#!/usr/bin/env bash
# Whether two binaries compute the same: the exports of the sweeps in compare-exports.txt, byte for byte.
#
#   scripts/compare-exports.sh make BINARY FOLDER      writes FOLDER/NAME.csv of every sweep
#   scripts/compare-exports.sh compare FOLDER FOLDER   names the files that differ; exit 1 where there are any
#
# MODEL and DATA name a second model and its images; without them the sweeps that ask for them are left out.
# ONLY is a pattern of names (default: all). Run it in the repository's root.
set -euo pipefail
list="$(dirname "$0")/compare-exports.txt"

make_exports() {
  local binary="$1" folder="$2" name options
  mkdir -p "$folder"
  runs="$(mktemp -d)"
  trap 'rm -rf "$runs"' EXIT
  grep -v '^#' "$list" | while read -r name options; do
    [[ "$name" == ${ONLY:-*} ]] || continue
    if [[ "$options" == *'$MODEL'* && ( -z "${MODEL:-}" || -z "${DATA:-}" ) ]]; then continue; fi
    options="${options//\$MODEL/${MODEL:-}}"
    options="${options//\$DATA/${DATA:-}}"
    # shellcheck disable=SC2086
    if ! "$binary" sweep $options --out "$runs/$name" >"$runs/$name.log" 2>&1 </dev/null; then
      echo "$name failed: $(tail -1 "$runs/$name.log")" >&2
      exit 1
    fi
    "$binary" export "$runs/$name" --format csv --to "$folder/$name.csv" </dev/null
    rm -rf "${runs:?}/$name"
  done
}

compare() {
  local status=0 one
  for one in "$1"/*.csv; do
    cmp "$one" "$2/$(basename "$one")" || status=1
  done
  [[ $status == 0 ]] && echo "$(find "$1" -name '*.csv' | wc -l) exports are the same"
  return $status
}

case "${1:-}" in
  make) make_exports "$2" "$3" ;;
  compare) compare "$2" "$3" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
