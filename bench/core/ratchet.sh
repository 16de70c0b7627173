#!/usr/bin/env bash
# Counts the instructions of a request, which a busy machine does not blur, and refuses more than
# before.
#
#   bench/core/ratchet.sh CORE_PATH COMPILER [--update]
#
# CORE_PATH is the program core_path, COMPILER a word for what built it ("GNU-12.2.0"): the counts
# of compilers differ. bench/core/instructions.txt has a line for each compiler and depth. 2 % over
# it fails (1), a compiler without a line or a machine without valgrind is skipped (77). Fewer by
# 2 % or more asks for --update, which writes the lines anew.
#
# Two runs of different length are subtracted, so that start and end do not count.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

program=$1 compiler=$2 update=${3-}
table=instructions.txt
short=4000 long=12000

command -v valgrind >/dev/null || { echo "skipped: no valgrind"; exit 77; }

# instructions DEPTH REQUESTS
instructions() {
  local output
  output=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
    "$program" --dispatch inline --depth "$1" --requests "$2" 2>&1) ||
    { echo "$output" >&2; return 1; }
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$output"
}

# lines_of DEPTH [!]: the lines of this compiler and depth, or all others.
lines_of() {
  awk -v compiler="$compiler" -v depth="$1" -v others="${2-}" \
    '($1 == compiler && $2 == depth) != (others == "!")' $table
}

status=0
for depth in 1 16; do
  few=$(instructions "$depth" $short)
  many=$(instructions "$depth" $long)
  now=$(((many - few) / (long - short)))
  before=$(lines_of "$depth" | awk '{ print $3 }')
  echo "depth $depth: $now instructions a request; before: ${before:-unknown}"
  if [[ $update == --update ]]; then
    { lines_of "$depth" '!' && echo "$compiler $depth $now"; } >$table.new
    mv $table.new $table
  elif [[ -z $before ]]; then
    echo "no line for $compiler in bench/core/$table; --update writes one"
    ((status)) || status=77
  elif ((now * 100 > before * 102)); then
    echo "more than 2 % over it: find out why, or --update and give the reason in the commit"
    status=1
  elif ((now * 102 < before * 100)); then
    echo "less than before: please --update"
  fi
done
exit $status
