#!/bin/sh
# Tests scripts/compare-output.sh, check-readme.sh and update-readme.sh on made-up outputs.
set -eu
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

cat > "$work/base" <<'TEXT'
  device        cpu-haswell-AMD EPYC 7763, PoCL 3.1
  images        160, 2 waves of 96, 12.5 s, 33.1 passes/s, 1.2 GB
  accuracy      clean 98.8%   corrupted 51.2%
  total effect  p +0.412 [+0.380, +0.444]   kl 1.25e+03

  layer  window 1
      0  +0.120 [ 0.000, +0.150] ███▌    window 3
     10  +0.0500 [-0.0010, +0.0900] █ ◀
TEXT

# check NAME ok|differs SED-EDIT: the expected result of the comparison after this edit of the output.
check() {
    sed -E "$3" "$work/base" > "$work/other"
    if [ "$3" ] && cmp -s "$work/base" "$work/other"; then echo "$1: the edit changes nothing" >&2; failures=1; fi
    found=ok
    sh "$here/compare-output.sh" "$work/base" "$work/other" > "$work/said" 2>&1 || found=differs
    if [ "$found" != "$2" ]; then
        echo "FAILED: $1: expected '$2', got '$found'" >&2
        cat "$work/said" >&2
        failures=1
    fi
}

check "equal" ok ""
check "another device" ok 's/cpu-haswell.*/NVIDIA H100, 550.54/'
check "other times, rates and sizes" ok 's/12\.5 s, 33\.1 passes.s, 1\.2 GB/950 ms, 1,200.5 passes\/s, 700 MB/'
check "a longer time" ok 's/12\.5 s/1 h 5 min/'
check "other waves" ok 's/2 waves of 96/1 wave of 160/'
check "another bar" ok 's/███▌/███/'
check "other spacing" ok 's/ \[/   [/g'
check "last digit of a percentage" ok 's/51\.2%/51.3%/'
check "0.002 of a probability" ok 's/\+0\.412/+0.414/'
check "a sign that comes with rounding" ok 's/ 0\.000,/-0.001,/'
check "last digit of a number with exponent" ok 's/1\.25e\+03/1.26e+03/'
check "one digit more" ok 's/51\.2%/51.25%/'
check "two units in the last digit of a number with exponent" differs 's/1\.25e\+03/1.27e+03/'
check "two units in the last digit of a percentage" differs 's/51\.2%/51.4%/'
check "0.003 of a probability" differs 's/\+0\.412/+0.415/'
check "the other sign" differs 's/\+0\.120/-0.120/'
check "another layer" differs 's/^     10 /     11 /'
check "another count of images" differs 's/images        160/images        161/'
check "a decimal number that became whole" differs 's/51\.2%/51%/'
check "another word" differs 's/corrupted/corrupt/'
check "the mark on another line" differs 's/ ◀//'
check "a missing line" differs '/accuracy/d'
check "a line more" differs '/accuracy/p'
check "nothing at all" differs 'd'

# The README's block: missing, written, checked, broken.
printf 'before\n<!-- demo-output:begin -->\n<!-- demo-output:end -->\nafter\n' > "$work/README.md"
expect() {
    found=ok
    "$@" > "$work/said" 2>&1 || found=differs
    if [ "$found" != "$wanted" ]; then echo "FAILED: $*: expected '$wanted'" >&2; cat "$work/said" >&2; failures=1; fi
}
wanted=differs expect sh "$here/check-readme.sh" "$work/base" "$work/README.md"
wanted=ok expect sh "$here/update-readme.sh" "$work/base" "$work/README.md"
wanted=ok expect sh "$here/update-readme.sh" "$work/base" "$work/README.md"
wanted=ok expect sh "$here/check-readme.sh" "$work/base" "$work/README.md"
wanted=ok expect test "$(wc -l < "$work/README.md")" -eq "$(($(wc -l < "$work/base") + 6))"
wanted=ok expect sh -c "head -n 1 '$work/README.md' | grep -qx before && tail -n 1 '$work/README.md' | grep -qx after"
sed -i 's/98\.8%/97.8%/' "$work/README.md"
wanted=differs expect sh "$here/check-readme.sh" "$work/base" "$work/README.md"
echo "no markers" > "$work/README.md"
wanted=differs expect sh "$here/update-readme.sh" "$work/base" "$work/README.md"
wanted=ok expect grep -qx "no markers" "$work/README.md"

[ "$failures" -eq 0 ] && echo "scripts/compare-output.sh: all checks passed"
exit "$failures"
