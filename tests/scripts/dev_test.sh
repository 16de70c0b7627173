#!/usr/bin/env bash
# ./dev explains itself and refuses what it does not know.
#
# Goal: a stranger's first call never does harm. Method: from another folder, without building.
set -euo pipefail
dev=$(cd "$(dirname "$0")/../.." && pwd)/dev
cd /

bash -n "$dev"
"$dev" help | grep -q '^usage: ./dev COMMAND'
for arguments in "" "destroy" "check --nonsense"; do
  status=0
  # shellcheck disable=SC2086
  "$dev" $arguments >/dev/null 2>/tmp/dev_test.$$ || status=$?
  if ! grep -q '^usage:' /tmp/dev_test.$$ || [[ $status != 2 ]]; then
    echo "'dev $arguments' ended with $status and printed:"
    cat /tmp/dev_test.$$
    exit 1
  fi
done
rm -f /tmp/dev_test.$$
# Every line of packages.txt is a known group and its packages.
awk '!/^#/ && NF && ($1 !~ /^(run|test|check|bench|databases|docs|deep)$/ || NF == 1) {
       print; bad = 1 }
     END { exit bad }' "${dev%/*}/packages.txt"
