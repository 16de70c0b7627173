#!/usr/bin/env bash
# How many system calls the thread of a loop makes for an echo.
#
#   bench/syscalls.sh BIN_DIR [--name NAME]
#
# 64 connections, 64 bytes, one in flight each; server on one CPU, load on the other. perf counts
# the calls of the thread io-0 while the load runs, without stopping it as strace would, and its
# sends, of which each echo is one; the floor is counted in the same way, in turn. Two calls are the
# least: recv and send. What is above is epoll_wait, one for a turn, so it depends on how many
# clients are ready at once.
# Leaves a table in build/bench-results/DATE-NAME/. Exit: 0; 1 something failed; 2 bad arguments; 77
# there is no perf, or it may not count.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
take_bin_dir "${1:-}"
name=syscalls
if (($# > 1)); then
  [[ $# == 3 && $2 == --name ]] || usage
  take_name "$3"
fi
event=raw_syscalls:sys_enter sends=syscalls:sys_enter_sendto rounds=5 seconds=2
perf stat -e $event,$sends true >/dev/null 2>&1 ||
  { echo "skipped: perf cannot count $event"; exit 77; }

make_results "$name"

# The calls of the server's loop for each echo, in $calls. The load runs longer than perf counts.
count_calls() {  # COMMAND...
  start_server "$@"
  local thread=$server task
  for task in /proc/"$server"/task/*; do
    [[ $(cat "$task/comm") != io-0 ]] || thread=${task##*/}
  done
  "${load_pins[@]}" "$bin/trireme" bench echo "$url" --connections 64 --bytes 64 --warm-up 500ms \
    --duration $((seconds + 1))s >/dev/null 2>&1 &
  local load=$!
  sleep 1
  perf stat -x, -e $event,$sends -t "$thread" -o "$results/count" -- sleep $seconds
  wait $load || fail "a run failed: $*"
  stop_server
  calls=$(awk -F, -v all=$event '$3 == all { calls = $1 } $3 != all && $1 > 0 { sends = $1 }
    END { if (!sends) exit 1; printf "%.3f", calls / sends }' "$results/count")
}

say() { echo "$*" | tee -a "$results/README.md"; }
say "# System calls of a loop's thread for an echo"
say
say "64 connections, 64 bytes, one in flight each; \`bench/syscalls.sh\`."
say
say "| round | floor | ours, inline | ours, adaptive |"
say "|---|---|---|---|"
for ((round = 1; round <= rounds; ++round)); do
  count_calls "$bin/floor_epoll" echo 0
  row="| $round | $calls |"
  for policy in inline adaptive; do
    count_calls "$bin/trireme" serve echo --dispatch $policy --io-workers 1 \
      --listen tcp://127.0.0.1:0 --log-level error
    row+=" $calls |"
  done
  say "$row"
done
rm -f "$results/server" "$results/count"
