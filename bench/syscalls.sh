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
# Leaves a table in bench/results/DATE-NAME/. Exit: 0; 1 something failed; 2 bad arguments; 77 there
# is no perf, or it may not count.
set -euo pipefail

usage() {
  echo "usage: bench/syscalls.sh BIN_DIR [--name NAME]" >&2
  exit 2
}

bin=${1:-}
[[ -d $bin ]] || usage
bin=$(cd "$bin" && pwd)
name=syscalls
if (($# > 1)); then
  [[ $# == 3 && $2 == --name && $3 =~ ^[A-Za-z0-9._-]+$ ]] || usage
  name=$3
fi
event=raw_syscalls:sys_enter sends=syscalls:sys_enter_sendto rounds=5 seconds=2
perf stat -e $event,$sends true >/dev/null 2>&1 ||
  { echo "skipped: perf cannot count $event"; exit 77; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$root/results.sh"
make_results "$name"
pins=(taskset -c "${SERVER_CPU:-0}")
load_pins=(taskset -c "${LOAD_CPU:-1}")
if (($(nproc) < 2)); then pins=() load_pins=(); fi
work=$(mktemp -d)
server=
clean() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT

# Prints the calls of the server's loop for each echo. The load runs longer than perf counts.
calls_of() {  # COMMAND...
  : >"$work/server"
  "${pins[@]}" "$@" >"$work/server" &
  server=$!
  local url thread
  for _ in {1..100}; do
    url=$(sed -n 's/.*listening on \(tcp:.*\)/\1/p' "$work/server")
    [[ -n $url ]] && break
    sleep 0.05
  done
  thread=$server
  for task in /proc/"$server"/task/*; do
    [[ $(cat "$task/comm") != io-0 ]] || thread=${task##*/}
  done
  "${load_pins[@]}" "$bin/trireme" bench echo "$url" --connections 64 --bytes 64 --warm-up 500ms \
    --duration $((seconds + 1))s >/dev/null 2>&1 &
  local load=$!
  sleep 1
  perf stat -x, -e $event,$sends -t "$thread" -o "$work/count" -- sleep $seconds
  wait $load
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
  awk -F, -v all=$event '$3 == all { calls = $1 } $3 != all && $1 > 0 { sends = $1 }
    END { if (!sends) exit 1; printf "%.3f\n", calls / sends }' "$work/count"
}

{
  echo "# System calls of a loop's thread for an echo"
  echo
  echo "64 connections, 64 bytes, one in flight each; \`bench/syscalls.sh\`."
  echo
  echo "| round | floor | ours, inline | ours, adaptive |"
  echo "|---|---|---|---|"
  for ((round = 1; round <= rounds; ++round)); do
    row="| $round | $(calls_of "$bin/floor_epoll" echo 0) |"
    for policy in inline adaptive; do
      row+=" $(calls_of "$bin/trireme" serve echo --dispatch $policy --io-workers 1 \
        --listen tcp://127.0.0.1:0 --log-level error) |"
    done
    echo "$row"
  done
} | tee "$results/README.md"
