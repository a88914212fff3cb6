# Replaces everything that may differ between two runs of the demo by a word. This is the only such list;
# scripts/compare-output.sh uses it (GNU sed -E, UTF-8).

# The device's name, and the bars, which are drawn from the numbers beside them.
s/^( *device\b).*/\1 DEVICE/I
s/[▀▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐░▒▓]+//g

# Dates and times of day.
s/[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:?[0-9]{2}(:?[0-9]{2})?Z?)?/DATE/g
s/\b[0-9]+:[0-9]{2}(:[0-9]{2})?\b/TIME/g

# Rates, then durations, then memory, and the number of waves, which depends on memory.
s/[0-9][0-9.,]* *([A-Za-z]+ ?\/ ?s|[A-Za-z]+ per second)\b/RATE/g
s/[0-9][0-9.,]* *(ns|us|µs|ms|s|sec|seconds?|min|minutes?|h|hours?)\b/TIME/g
s/TIME( TIME)+/TIME/g
s/[0-9][0-9.,]* *([kKMGT]i?)?B\b/SIZE/g
s/\b[0-9]+ waves?( of [0-9]+)?\b/WAVES/g

# Typographic minus.
s/−/-/g
