# What the scripts beside this file share: their arguments, the CPUs, the server that they measure,
# and where they leave what they found. Sourced by them; ends the server when they end.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

pins=(taskset -c "${SERVER_CPU:-0}")
load_pins=(taskset -c "${LOAD_CPU:-1}")
if (($(nproc) < 2)); then pins=() load_pins=(); fi

# The line of the head of the script that shows how it is called.
usage() {
  sed -n 's/^#   \(bench\/\)/usage: \1/p' "$0" >&2
  exit 2
}

# take_bin_dir [DIR]: the folder of the programs, its path in $bin.
take_bin_dir() {
  [[ -d ${1:-} ]] || usage
  bin=$(cd "$1" && pwd)
}

# take_name [NAME]: of the folder of results, in $name.
take_name() {
  name=${1:-}
  [[ $name =~ ^[A-Za-z0-9._-]+$ ]] || usage
}

# make_results NAME: a new folder build/bench-results/DATE-NAME, its path in $results.
make_results() {
  local first i
  first=$root/../build/bench-results/$(date +%F)-$1
  results=$first
  for ((i = 2; ; ++i)); do
    [[ -e $results ]] || break
    results=$first-$i
  done
  mkdir -p "$results"
}

fail() {
  echo "bench/$(basename "$0"): $*" >&2
  exit 1
}

server=
stop_server() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  [[ -z $server ]] || wait "$server" 2>/dev/null || true
  server=
}
trap stop_server EXIT

# start_server COMMAND...: after make_results. Its process in $server, where it listens in $url.
url=
start_server() {
  : >"$results/server"  # or the URL of the server before would be read
  "${pins[@]}" "$@" >"$results/server" &
  server=$!
  local tries
  for ((tries = 0; tries < 100; ++tries)); do
    url=$(sed -n 's/^listening on //p' "$results/server")
    [[ -n $url ]] && return
    sleep 0.05
  done
  fail "the server does not start"
}
