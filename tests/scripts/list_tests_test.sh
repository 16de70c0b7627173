#!/usr/bin/env bash
# Every test of a program is in one entry of ctest, however many share a process: none, unless the
# environment says so. One that fails is seen beside one that is skipped.
#
# Method: a program that lists tests as GoogleTest does and notes which it was told to run.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/program" <<'PROGRAM'
#!/usr/bin/env bash
if [[ $1 == --gtest_list_tests ]]; then
  printf '%s\n' 'Running main() from gtest_main.cc' 'Plain.' '  One' '  Two' '  Skipped' \
    'Setups/Many.' '  First/a  # GetParam() = 16-byte object <04-79; 00>' '  First/b' '  First/c' \
    '  First/d' '  First/e' '  Second/0  # GetParam() = 5'
  exit
fi
filter=${1#--gtest_filter=}
echo "$filter" >>"$(dirname "$0")/ran"
[[ $filter != *Skipped* ]] || echo '[  SKIPPED ] Plain.Skipped'
[[ ! -e $(dirname "$0")/fails || $filter != *"$(cat "$(dirname "$0")/fails")"* ]]
PROGRAM
chmod +x "$folder/program"
printf '%s\n' 'set(properties TIMEOUT 60 LABELS "all")' 'include(list.cmake)' \
  >"$folder/CTestTestfile.cmake"

# entries TESTS-A-PROCESS
entries() {
  rm -f "$folder/ran"
  cmake -D program="$folder/program" -D list="$folder/list.cmake" -D folder="$folder" \
    -D tests_a_process="$1" -P "$root/tests/list_tests.cmake"
  ctest --test-dir "$folder" -L all >"$folder/log" 2>&1
}
export TRIREME_TESTS_SHARE=1
expect() {
  [[ $2 == "$3" ]] || { echo "$1: expected '$3', found '$2'"; cat "$folder/log"; exit 1; }
}

all="Plain.One Plain.Skipped Plain.Two Setups/Many.First/a Setups/Many.First/b Setups/Many.First/c"
all+=" Setups/Many.First/d Setups/Many.First/e Setups/Many.Second/0"
for most in 1 2 3 16; do
  entries "$most"
  expect "tests with $most a process" "$(tr : '\n' <"$folder/ran" | sort | xargs)" "$all"
  expect "more than $most a process" \
    "$(awk -F: -v most="$most" 'NF > most' "$folder/ran")" ""
done
expect "processes with 16" "$(cut -d: -f1 "$folder/ran" | sort | xargs)" \
  "Plain.One Setups/Many.First/a Setups/Many.Second/0"
TRIREME_TESTS_SHARE='' entries 16
expect "tests with an entry each" "$(sort "$folder/ran" | xargs)" "$all"

echo Plain.Two >"$folder/fails"
for most in 1 16; do
  if entries "$most"; then
    echo "a failure with $most a process was not seen"
    exit 1
  fi
done
