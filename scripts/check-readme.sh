#!/bin/sh
# check-readme.sh OUTPUT [README]: fails if the demo output in the README does not match OUTPUT.
set -eu
output=$1
readme=${2:-README.md}
here=$(dirname "$0")
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT

# The lines inside the fence between the two markers.
awk '
    /^<!-- demo-output:begin -->/ { inside = 1; next }
    /^<!-- demo-output:end -->/ { inside = 0 }
    inside && /^```/ { fenced = !fenced; next }
    inside && fenced' "$readme" > "$shown"

if ! [ -s "$shown" ]; then
    echo "check-readme: $readme has no demo output between its markers; run 'make readme'" >&2
    exit 1
fi
if sh "$here/compare-output.sh" "$shown" "$output"; then
    echo "check-readme: $readme shows what the demo prints"
else
    echo "check-readme: $readme does not show what the demo prints; look at the diff, then run 'make readme'" >&2
    exit 1
fi
