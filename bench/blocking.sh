#!/bin/bash
# What handlers that block cost, by dispatch policy, and how long one of them stops its loop.
#
#   bench/blocking.sh BIN_DIR [--quick] [--name NAME]
#
# 15 mixes: 0, 0.01, 1, 10, 100 % of requests block for 0.2, 2, 20 ms; 200 connections, one request
# in flight each, 32 data workers; server on one CPU, load on the other. Each policy serves each mix
# in turn, several rounds, medians. Then the added pause: pause_timer against `adaptive`.
# Leaves a table and all runs in bench/results/DATE-NAME/. Exit: 0; 1 something failed; 2 bad
# arguments.
set -euo pipefail

usage() {
  echo "usage: bench/blocking.sh BIN_DIR [--quick] [--name NAME]" >&2
  exit 2
}

bin=${1:-}
[[ -d $bin ]] || usage
bin=$(cd "$bin" && pwd)
shift
rounds=5 seconds=2 pairs=300 name=blocking
while (($# > 0)); do
  case $1 in
    --quick) rounds=1 seconds=2 pairs=50 ;;
    --name)
      name=${2:-}
      [[ $name =~ ^[A-Za-z0-9._-]+$ ]] || usage
      shift
      ;;
    *) usage ;;
  esac
  shift
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$root/results.sh"
make_results "$name"
runs=$results/runs.tsv
printf '%s\t' round policy fraction block_us requests_per_second >"$runs"
echo p99_us >>"$runs"  # of those that do not block

pins=(taskset -c "${SERVER_CPU:-0}")
load_pins=(taskset -c "${LOAD_CPU:-1}")
if (($(nproc) < 2)); then pins=() load_pins=(); fi

server=
stop_server() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  [[ -z $server ]] || wait "$server" 2>/dev/null || true
  server=
}
trap stop_server EXIT

url=
start_server() {  # POLICY
  : >"$results/server"  # or the URL of the server before would be read
  "${pins[@]}" "$bin/trireme" serve delay --dispatch "$1" --io-workers 1 --data-workers 32 \
    --listen tcp://127.0.0.1:0 --log-level error >"$results/server" &
  server=$!
  local tries
  for ((tries = 0; tries < 100; ++tries)); do
    url=$(sed -n 's/^listening on //p' "$results/server")
    [[ -n $url ]] && return
    sleep 0.05
  done
  echo "bench/blocking.sh: the server does not start" >&2
  exit 1
}

run_mix() {  # ROUND POLICY FRACTION BLOCK_US
  start_server "$2"
  local said rate p99
  if ! said=$("${load_pins[@]}" "$bin/trireme" bench lines "$url" --connections 200 --json \
    --warm-up 1s --duration "${seconds}s" --block "$3" --block-time "${4}us"); then
    echo "bench/blocking.sh: a run failed: $*" >&2
    exit 1
  fi
  stop_server
  read -r rate p99 < <(python3 -c 'import json, sys
run = json.load(sys.stdin)
fast = run["latency_us"]
print(round(run["requests_per_second"]), round(fast["p99"]) if fast["count"] else "-")' <<<"$said")
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" "$rate" "$p99" | tee -a "$runs" >&2
}

for ((round = 1; round <= rounds; ++round)); do
  for fraction in 0 0.0001 0.01 0.1 1; do
    for block_us in 200 2000 20000; do
      for policy in inline workers adaptive; do
        run_mix "$round" "$policy" "$fraction" "$block_us"
      done
    done
  done
done

start_server adaptive
"${load_pins[@]}" "$bin/pause_timer" "$url" --pairs "$pairs" >"$results/pause.txt"
stop_server
rm -f "$results/server"

python3 "$root/blocking_table.py" "$results"
