#!/bin/bash
# What handlers that block cost, by dispatch policy, and how long one of them stops its loop.
#
#   bench/blocking.sh BIN_DIR [--quick] [--pause] [--name NAME]
#
# 15 mixes: 0, 0.01, 1, 10, 100 % of requests block for 0.2, 2, 20 ms; 200 connections, one request
# in flight each, 32 data workers; server on one CPU, load on the other. Each policy serves each mix
# in turn, several rounds, medians. Then the added pause: pause_timer against `adaptive`, for
# handlers that block while none has in the second before, and while one has. --pause: only that.
# Leaves a table and all runs in build/bench-results/DATE-NAME/. Exit: 0; 1 something failed; 2 bad
# arguments.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
take_bin_dir "${1:-}"
shift
rounds=5 seconds=2 pairs=300 name=blocking only_pause=false
while (($# > 0)); do
  case $1 in
    --quick) rounds=1 seconds=2 pairs=50 ;;
    --pause) only_pause=true ;;
    --name)
      take_name "${2:-}"
      shift
      ;;
    *) usage ;;
  esac
  shift
done

if $only_pause; then rounds=0; fi

make_results "$name"
runs=$results/runs.tsv
printf '%s\t' round policy fraction block_us requests_per_second >"$runs"
echo p99_us >>"$runs"  # of those that do not block

serve() {  # POLICY
  start_server "$bin/trireme" serve delay --dispatch "$1" --io-workers 1 --data-workers 32 \
    --listen tcp://127.0.0.1:0 --log-level error
}

run_mix() {  # ROUND POLICY FRACTION BLOCK_US
  serve "$2"
  local said rate p99
  if ! said=$("${load_pins[@]}" "$bin/trireme" bench lines "$url" --connections 200 --json \
    --warm-up 1s --duration "${seconds}s" --block "$3" --block-time "${4}us"); then
    fail "a run failed: $*"
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

serve adaptive
"${load_pins[@]}" "$bin/pause_timer" "$url" --pairs "$pairs" --gap-ms 50 --rest-ms 1100 \
  >"$results/pause.txt"
"${load_pins[@]}" "$bin/pause_timer" "$url" --pairs "$pairs" >"$results/pause_again.txt"
stop_server
rm -f "$results/server"

python3 "$root/blocking_table.py" "$results"
