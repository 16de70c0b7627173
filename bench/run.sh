#!/bin/bash
# What `./dev bench` calls: the server against the hand-written floor, as ratios.
#
#   bench/run.sh BIN_DIR [all|control|echo|lines] [--quick] [--name NAME]
#   bench/run.sh BIN_DIR blocking [--quick] [--name NAME]   see blocking.sh
#
# BIN_DIR holds floor_epoll, ab_timer, trireme_load and trireme. Leaves a table and every slice in
# bench/results/DATE-NAME/. Exit: 0; 1 the control is void or a comparison failed; 2 bad arguments.
# SERVER_CPU and LOAD_CPU (0 and 1) say where the two sides are pinned.
set -euo pipefail

usage() {
  echo "usage: bench/run.sh BIN_DIR [all|control|echo|lines|blocking] [--quick] [--name NAME]" >&2
  exit 2
}

what=all
seconds=12
name=
bin=${1:-}
[[ -d $bin ]] || usage
bin=$(cd "$bin" && pwd)
shift
if [[ ${1:-} == blocking ]]; then
  exec "$(dirname "${BASH_SOURCE[0]}")/blocking.sh" "$bin" "${@:2}"
fi
while (($# > 0)); do
  case $1 in
    all | control | echo | lines) what=$1 ;;
    --quick) seconds=4 ;;
    --name)
      name=${2:-}
      [[ $name =~ ^[A-Za-z0-9._-]+$ ]] || usage
      shift
      ;;
    *) usage ;;
  esac
  shift
done

for program in floor_epoll ab_timer; do
  if [[ ! -x $bin/$program ]]; then
    echo "bench/run.sh: $bin/$program is missing: build it first (./dev build)" >&2
    exit 1
  fi
done

server_cpu=${SERVER_CPU:-0}
load_cpu=${LOAD_CPU:-1}
# Shorter than ab_timer's default: the interval of the same 12 s came out half as wide.
slices=(--slice-ms 25 --warmup-slices 40)
pins=(--server-cpu "$server_cpu" --load-cpu "$load_cpu")
where="servers on CPU $server_cpu, load on CPU $load_cpu"
if (($(nproc) < 2)); then
  pins=()
  where="not pinned: there is one CPU only, so that server and load take turns"
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$root/results.sh"
make_results "${name:-$what}"
table=$results/README.md
status=0

compiler_of() {  # the one that built the program, if that can be read
  local said
  said=$(readelf -p .comment "$1" 2>/dev/null | sed -n 's/^ *\[ *[0-9a-f]*\] *//p' |
    head -1) || true
  echo "${said:-unknown}"
}

describe_machine() {
  echo "- Date: $(date -u '+%F %H:%M') UTC; load average before: $(cut -d' ' -f1-3 /proc/loadavg)"
  echo "- Kernel: $(uname -srm)"
  echo "- CPU: $(nproc) x$(sed -n 's/^model name\s*://p' /proc/cpuinfo | head -1)"
  echo "- Built by: floor $(compiler_of "$bin/floor_epoll"); trireme $(compiler_of "$bin/trireme")"
  echo "- Method: \`bench/README.md\`; $seconds s a row, slices of 25 ms, A B B A, $where"
}

begin_table() {
  echo "# Against the floor: $what"
  echo
  describe_machine
  echo
  echo "Ratio: server CPU per request over load CPU per request, B's over A's; 1.03 is 3 % dearer"
  echo "than A. CPU in us per request, switches a request."
  echo
  echo "| what | ratio | 95 % | A req/s | B req/s | A CPU | B CPU | A switches | B switches |"
  echo "|---|---|---|---|---|---|---|---|---|"
}

figure() {  # NAME FILE
  awk -v name="$1" '$1 == name { print $2 }' "$2"
}

# compare NAME A_COMMAND B_COMMAND [OPTION]...: one row. The ratio stays in $ratio.
compare() {
  local title=$1 a=$2 b=$3 figures=$results/$1.txt
  shift 3
  echo "== $title" >&2
  echo "- \`$title\`: A \`${a//"$bin/"/}\`, B \`${b//"$bin/"/}\`, \`$*\`" >>"$results/commands"
  ratio=failed
  if ! "$bin/ab_timer" --a "$a" --b "$b" --seconds "$seconds" "${slices[@]}" "${pins[@]}" \
    --out "$results/$title.json" "$@" >"$figures"; then
    echo "| $title | FAILED | | | | | | | |" >>"$table"
    rm -f "$figures"
    status=1
    return
  fi
  sed -i "s#$bin/##g" "$results/$title.json"  # commands without the paths of this machine
  ratio=$(figure ratio "$figures")
  local row column
  row="| $title | **$ratio** | $(figure ratio_low "$figures")-$(figure ratio_high "$figures")"
  for column in requests_per_second server_cpu_us context_switches; do
    row+=" | $(figure "a_$column" "$figures") | $(figure "b_$column" "$figures")"
  done
  echo "$row |" | tee -a "$table" >&2
  rm -f "$figures"
}

echo_rows() {
  local floor="$bin/floor_epoll echo 0"
  local serve="$bin/trireme serve echo --listen tcp://127.0.0.1:0 --io-workers 1"
  compare echo-inline "$floor" "$serve --dispatch inline" --scenario echo
  compare echo-adaptive "$floor" "$serve --dispatch adaptive" --scenario echo
  compare echo-epoll-et "$floor" "$serve --dispatch inline --driver epoll-et" --scenario echo
  # A component, and not of every system.
  if "$bin/trireme" serve echo --help | grep -q io_uring; then
    compare echo-io_uring "$floor" "$serve --dispatch inline --driver io_uring" --scenario echo
  fi
}

lines_rows() {
  local floor="$bin/floor_epoll lines 0"
  local serve="$bin/trireme serve delay --listen tcp://127.0.0.1:0 --io-workers 1"
  local depth dispatch
  for depth in 1 16; do
    for dispatch in inline adaptive workers; do
      compare "lines-$dispatch-depth-$depth" "$floor" "$serve --dispatch $dispatch" \
        --scenario lines --depth "$depth"
    done
  done
}

begin_table >"$table"
compare control "$bin/floor_epoll echo 0" "$bin/floor_epoll echo 0" --scenario echo
verdict="The control, the floor against itself, came out at $ratio: within 0.98-1.02."
if ! awk -v ratio="$ratio" 'BEGIN { exit !(ratio >= 0.98 && ratio <= 1.02) }'; then
  verdict="**VOID: the control, the floor against itself, came out at $ratio, outside 0.98-1.02."
  verdict+=" The machine was too busy: no ratio on this page means anything.**"
  status=1
fi
if [[ $what != control && ! -x $bin/trireme ]]; then
  echo "bench/run.sh: $bin/trireme is missing: only the control was measured" >&2
  verdict+=" The tool trireme was missing: nothing else was measured."
  status=1
elif [[ $what != control ]]; then
  [[ $what == lines ]] || echo_rows
  [[ $what == echo ]] || lines_rows
fi

{
  echo
  echo "$verdict"
  echo
  echo "64 connections, 64-byte messages. Every slice is in the JSON file of its row. The commands:"
  echo
  cat "$results/commands"
} >>"$table"
rm "$results/commands"
echo >&2
echo "$verdict" >&2
cat "$table"
echo "in $results" >&2
exit "$status"
