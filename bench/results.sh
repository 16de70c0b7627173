# Where a run of the scripts beside this file leaves what it found. Sourced by them.

# make_results NAME: a new folder bench/results/DATE-NAME, its path in $results.
make_results() {
  local first i
  first=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/results/$(date +%F)-$1
  results=$first
  for ((i = 2; ; ++i)); do
    [[ -e $results ]] || break
    results=$first-$i
  done
  mkdir -p "$results"
}
