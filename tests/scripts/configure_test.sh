#!/usr/bin/env bash
# A machine without what only the tests need can configure the programs, and a project that adds
# Trireme as a subdirectory can have its tests. The flags that a user gives are heeded, with them
# every source compiles, and no warning stops who only builds.
#
# Goal: `./dev run` installs the packages of the group `run` alone, so whatever else a machine has
# or lacks must not matter. Method: configure into an empty folder while CMake is told that one
# package does not exist.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for package in Boost GTest; do
  build=$folder/$package
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_COMPILER="${CXX:-c++}" -D"CMAKE_DISABLE_FIND_PACKAGE_$package=ON" \
    >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
  if ! grep -q 'no tests in this build' "$build.log"; then
    echo "without $package nobody says that tests are left out"
    exit 1
  fi
  if ! grep -q 'bin/trireme:' "$build/build.ninja"; then
    echo "without $package there is no trireme"
    exit 1
  fi
done

mkdir "$folder/outer"
printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(outer LANGUAGES C CXX)' \
  'set(TRIREME_TESTS ON)' 'set(TRIREME_PROGRAMS ON)' "add_subdirectory($root trireme)" \
  >"$folder/outer/CMakeLists.txt"
cmake -S "$folder/outer" -B "$folder/inner" -G Ninja -DCMAKE_CXX_COMPILER="${CXX:-c++}" \
  >"$folder/inner.log" 2>&1 || { cat "$folder/inner.log"; exit 1; }

# Without a word of the user: optimized, checks on, warnings are warnings, code for plugins.
flags=$(grep -m1 -A5 'CMakeFiles/trireme.dir/src/reply/peer.cc.o:' "$folder/GTest/build.ninja")
for wanted in ' -O2 ' ' -fPIC '; do
  grep -q -e "$wanted" <<<"$flags" || { echo "no$wanted in $flags"; exit 1; }
done
for unwanted in -Werror -DNDEBUG; do
  ! grep -q -e "$unwanted" <<<"$flags" || { echo "$unwanted in $flags"; exit 1; }
done

# Sources that g++ 12 refused with -O3, for what it thinks of std::string.
cmake -S "$root" -B "$folder/given" -G Ninja -DTRIREME_TESTS=OFF -DTRIREME_WERROR=ON \
  -DCMAKE_CXX_COMPILER="${CXX:-c++}" -DCMAKE_CXX_FLAGS_RELEASE='-O3 -DNDEBUG' \
  >"$folder/given.log" 2>&1 || { cat "$folder/given.log"; exit 1; }
grep -q ' -O3 -DNDEBUG ' "$folder/given/build.ninja" ||
  { echo "CMAKE_CXX_FLAGS_RELEASE is overruled"; exit 1; }
objects=CMakeFiles/trireme.dir/src
cmake --build "$folder/given" -j2 \
  --target "$objects/reply/peer.cc.o" "$objects/accept/endpoint.cc.o" \
  >"$folder/given.log" 2>&1 || { cat "$folder/given.log"; exit 1; }
