#!/bin/sh
# compare-output.sh EXPECTED ACTUAL
#
# Succeeds if two outputs of the demo agree after scripts/mask.sed, white space aside: the same text line by line, equal
# whole numbers, and numbers with decimals within one unit of their last printed digit or 0.002, whichever is larger
# (vector widths, and with them rounding, differ between processors). Otherwise names the differing lines, prints the
# diff and fails.
set -eu
LC_ALL=C.UTF-8
export LC_ALL
rules=$(dirname "$0")/mask.sed
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -E -f "$rules" "$1" > "$work/expected"
sed -E -f "$rules" "$2" > "$work/actual"

if awk '
    # Splits a line into numbers n[1..] and the texts between them t[0..], without white space. Returns their count.
    function split_line(line, n, t,    count) {
        count = 0
        while (match(line, /[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) {
            t[count] = squeezed(substr(line, 1, RSTART - 1))
            n[++count] = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
        }
        t[count] = squeezed(line)
        return count
    }
    function squeezed(text) { gsub(/[ \t\r]+/, "", text); return text }

    # One unit in the last printed digit: 0.01 for 1.25, 1e-5 for 1.25e-3.
    function unit(number,    parts, pieces, exponent) {
        exponent = split(tolower(number), parts, "e") == 2 ? parts[2] + 0 : 0
        split(parts[1], pieces, ".")
        return 10 ^ (exponent - length(pieces[2]))
    }
    function near(a, b,    difference, allowed) {
        if (a == b "") return 1
        if (a !~ /\./ || b !~ /\./) return 0
        difference = a - b
        if (difference < 0) difference = -difference
        allowed = unit(a) > unit(b) ? unit(a) : unit(b)
        if (allowed < 0.002) allowed = 0.002
        return difference <= allowed * (1 + 1e-9)
    }
    function report(line, text) { print "line " line ": " text; failed = 1 }

    FILENAME == ARGV[1] { expected[++lines] = $0; next }
    { actual[++seen] = $0 }
    END {
        if (lines != seen) report((lines < seen ? lines : seen) + 1, lines " lines expected, " seen + 0 " found")
        for (i = 1; i <= lines && i <= seen; i++) {
            a = split_line(expected[i], an, at)
            b = split_line(actual[i], bn, bt)
            if (a != b) { report(i, "not the same text"); continue }
            for (j = 0; j <= a; j++) {
                if (at[j] != bt[j]) { report(i, "not the same text"); break }
                if (j > 0 && !near(an[j], bn[j])) report(i, an[j] " expected, " bn[j] " found")
            }
        }
        exit failed
    }' "$work/expected" "$work/actual" > "$work/report"
then
    exit 0
fi
cat "$work/report"
diff -u --label "expected: $1" --label "found: $2" "$work/expected" "$work/actual" || true
exit 1
