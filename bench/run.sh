#!/bin/bash
# What `./dev bench` calls: the server beside the floor programs and its peers.
#
#   bench/run.sh BIN_DIR [WHAT] [--quick] [--name NAME]...   see compare/, --help
#   bench/run.sh BIN_DIR blocking [--quick] [--name NAME]    see blocking.sh
#   bench/run.sh BIN_DIR databases [--quick]                 see databases/run.py
#   bench/run.sh BIN_DIR tls [--quick] [--name NAME]         see tls.py
#
# Leaves tables, charts and every run in build/bench-results/DATE-NAME/; Ctrl-C, of the runs so far.
# Exit: 0; 1 the control is void, a server is wrong, a run failed, or it was interrupted; 2 bad
# arguments. SERVER_CPU and LOAD_CPU (0 and 1) say where the two sides are pinned.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ ${2:-} == blocking ]]; then
  exec "$root/blocking.sh" "$1" "${@:3}"
fi
export PYTHONDONTWRITEBYTECODE=1
if [[ ${2:-} == databases ]]; then
  exec python3 "$root/databases/run.py" "$1" "${@:3}"
fi
if [[ ${2:-} == tls ]]; then
  exec python3 "$root/tls.py" "$1" "${@:3}"
fi
exec python3 "$root/compare" "$@"
