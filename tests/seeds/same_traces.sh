#!/usr/bin/env bash
# Demands that two builds of seeds_hash print the same: every call of the kernel, every client's
# bytes and every time are in the hashes.
#
#   tests/seeds/same_traces.sh PROGRAM OTHER SEEDS
set -euo pipefail
program=$1 other=$2 seeds=$3
if cmp -s "$program" "$other"; then
  echo "both programs are the same: one was to be built without the fast path"
  exit 1
fi
diff <("$program" "$seeds" 2>/dev/null) <("$other" "$seeds" 2>/dev/null) ||
  { echo "seed, hash: < with the fast path, > without; see seeds_hash --log SEED"; exit 1; }
