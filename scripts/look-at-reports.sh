#!/usr/bin/env bash
# Renders the reports of nine kinds of sweep of the demo as pictures to look at, at 1280 and 390 pixels, light and dark:
# OUT/KIND-WIDTH-THEME.png. Reports pages wider than their window, text outside its figure, overlapping labels, and
# tables or cells that do not respond; exits with 1 if there are any. Needs Chromium (CHROMIUM names it).
#
#   scripts/look-at-reports.sh OUT [KIND...]
#   VITPATCH=.build/debug/vitpatch scripts/look-at-reports.sh OUT
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: $0 OUT [KIND...]}
shift
vitpatch=${VITPATCH:-.build/release/vitpatch}
chromium=${CHROMIUM:-chromium}
kinds=${*:-heads windows tokens dose ablation donor groups both interactions}
mkdir -p "$out"

command -v "$chromium" > /dev/null || { echo "$0: $chromium not found; set CHROMIUM" >&2; exit 1; }

sweep() {
    case $1 in
    heads) set -- --site z ;;
    windows) set -- --site attn_out --site mlp_out --window 1 --window 3 --control 40 ;;
    tokens) set -- --site resid_pre --tokens each ;;
    dose) set -- --corruption noise:0.5,1,2,4 --site attn_out --window 1 --window 3 ;;
    ablation) set -- --ablate mean --corruption none --site mlp_out --site attn_out --window 1 ;;
    donor) set -- --donor demo --corruption none --site resid_post --tokens cls --site attn_out ;;
    groups) set -- --site attn_out --window 1 --groups "$out/groups.csv" ;;
    both) set -- --site z --site mlp_out --window 1 --direction restore --direction noise ;;
    interactions) set -- --site z --layers 0-1 --pairs top:6 --shapley 40 ;;
    esac
    "$vitpatch" sweep "$@" --out "$out/$kind" --overwrite > /dev/null 2> "$out/$kind.log" || { cat "$out/$kind.log"; exit 1; }
    "$vitpatch" report "$out/$kind" --images 6 > /dev/null 2>> "$out/$kind.log"
}

# Every second image of the demo is in one group; the other group's name is long and needs escaping.
"$vitpatch" sweep --site embed --corruption grayscale --out "$out/ids" --overwrite > /dev/null 2>&1
"$vitpatch" export "$out/ids" --format csv |
    awk -F, 'NR == 1 { print "image,light" } NR > 1 { print $1 "," (NR % 2 ? "bright" : "in the <dark> & far away") }' \
        > "$out/groups.csv"

check='<script>addEventListener("load",function(){
var w=innerWidth,r=[],d=document;d.querySelectorAll("details").forEach(function(e){e.open=true});
if(d.documentElement.scrollWidth>w)r.push("the page is "+d.documentElement.scrollWidth+" wide");
d.querySelectorAll("main *").forEach(function(e){if(e.closest("svg")&&e.tagName!=="svg"||e.closest(".scroll"))return;
var b=e.getBoundingClientRect();if(b.width&&b.right>w+1)r.push(e.tagName+"."+e.className+" ends at "+Math.round(b.right))});
d.querySelectorAll("main svg").forEach(function(s){var o=s.getBoundingClientRect(),t=[].slice.call(s.querySelectorAll("text")).map(function(e){
return{b:e.getBoundingClientRect(),t:e.textContent}}).filter(function(x){return x.b.width});
t.forEach(function(x){if(x.b.left<o.left-1||x.b.right>o.right+1||x.b.top<o.top-2||x.b.bottom>o.bottom+2)
r.push("text leaves its figure: "+x.t+" ("+(s.getAttribute("aria-label")||"")+")")});
for(var i=0;i<t.length;i++)for(var j=0;j<i;j++){var a=t[i].b,b=t[j].b,
x=Math.min(a.right,b.right)-Math.max(a.left,b.left),y=Math.min(a.bottom,b.bottom)-Math.max(a.top,b.top);
if(x>1.5&&y>3)r.push("labels on each other: "+t[i].t+" / "+t[j].t+" ("+(s.getAttribute("aria-label")||"")+")")}});
d.querySelectorAll("details").forEach(function(e){e.open=false});
var h=d.querySelector(".scroll th[role=button]");if(h){h.click();var c=[].map.call(h.closest("table").tBodies[0].rows,function(x){return x.cells[h.cellIndex].textContent});
if(h.getAttribute("aria-sort")!=="descending"||c.length>1&&c[0]<c[c.length-1]&&isNaN(parseFloat(c[0])))r.push("a table does not sort: "+c.join(" "))}
var f=d.querySelector(".filter input");if(f){var b=f.parentNode.nextElementSibling.querySelector("tbody"),n=b.rows.length;f.value="no such row";f.dispatchEvent(new Event("input"));
if([].some.call(b.rows,function(x){return !x.hidden}))r.push("a table does not filter");f.value="";f.dispatchEvent(new Event("input"))}
var m=d.querySelector("svg[tabindex]");if(m){["ArrowRight","ArrowDown","Enter"].forEach(function(k){m.dispatchEvent(new KeyboardEvent("keydown",{key:k,bubbles:true}))});
var g=d.querySelector("dialog");if(!g||!g.open||!g.querySelector("figcaption"))r.push("a cell does not open");else g.close()}
else if(d.querySelector("[data-c]"))r.push("cells do not open");
var p=d.createElement("pre");p.setAttribute("id","found");p.textContent=d.documentElement.scrollHeight+"\n"+r.join("\n");p.hidden=true;d.body.appendChild(p)})</script>'

browse() { "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=4000 "$@" 2> /dev/null; }

found=0
for kind in $kinds; do
    sweep "$kind"
    for theme in light dark; do
        page=$out/$kind/look.html
        sed "s/<html lang=\"en\">/<html lang=\"en\" data-theme=\"$theme\">/" "$out/$kind/report.html" > "$page"
        printf '%s' "$check" > "$out/check.html"
        cat "$page" "$out/check.html" > "$out/$kind/checked.html"
        for width in 1280 390; do
            browse --window-size=$width,1200 --dump-dom "file://$(realpath "$out/$kind/checked.html")" |
                python3 -c 'import html, re, sys
m = re.search(r"""<pre id="found"[^>]*>(.*?)</pre>""", sys.stdin.read(), re.S)
print(html.unescape(m[1]) if m else "")' > "$out/found.txt"
            height=$(head -n 1 "$out/found.txt")
            [ "${height:-0}" -gt 0 ] || { echo "$kind $width $theme: the page did not load"; found=1; continue; }
            if [ "$theme" = light ] && [ "$(sed 1d "$out/found.txt" | grep -c .)" -gt 0 ]; then
                sed 1d "$out/found.txt" | grep . | sort | uniq -c | sed "s/^/$kind $width: /"
                found=1
            fi
            browse --window-size=$width,"$height" --screenshot="$out/$kind-$width-$theme.png" "file://$(realpath "$page")"
        done
        rm -f "$out/$kind/look.html" "$out/$kind/checked.html"
    done
done
exit $found
