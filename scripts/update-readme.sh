#!/bin/sh
# update-readme.sh OUTPUT [README]: puts OUTPUT between the demo markers of the README.
set -eu
output=$1
readme=${2:-README.md}
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT

[ -s "$output" ] || { echo "update-readme: $output is empty" >&2; exit 1; }
awk -v output="$output" '
    /^<!-- demo-output:end -->/ { inside = 0; ended = 1 }
    !inside { print }
    /^<!-- demo-output:begin -->/ {
        inside = begun = 1
        print "```text"
        while ((getline line < output) > 0) print line
        print "```"
    }
    END { exit !(begun && ended) }' "$readme" > "$fresh" ||
    { echo "update-readme: $readme lacks the demo markers" >&2; exit 1; }
cat "$fresh" > "$readme"
