#!/usr/bin/env bash
# Builds into build/release; the binary is build/release/tessera. Installs packages and configures
# on the first call only.
# Usage: scripts/build.sh [--sanitize|--fuzz] [TARGET...]
#   --sanitize builds into build/sanitize, --fuzz (clang, libFuzzer) into build/fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=build/release
options=(-DCMAKE_BUILD_TYPE=Release)
if [ "${1:-}" = --sanitize ]; then
    shift
    folder=build/sanitize
    options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo "-DTESSERA_SANITIZE=address;undefined"
        -DTESSERA_BENCH=OFF)
elif [ "${1:-}" = --fuzz ]; then
    shift
    folder=build/fuzz
    options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++-14 -DTESSERA_FUZZ=ON
        "-DTESSERA_SANITIZE=fuzzer-no-link;address;undefined" -DTESSERA_BENCH=OFF)
fi
[ $# -gt 0 ] || set -- all

scripts/deps.sh build
if [ ! -e "$folder/build.ninja" ]; then
    echo "configuring $folder"
    mkdir -p "$folder"
    cmake -S . -B "$folder" -G Ninja "${options[@]}" >"$folder/configure.log" 2>&1 || {
        cat "$folder/configure.log" >&2
        rm -f "$folder/build.ninja"
        exit 1
    }
fi

quiet=()
[ -t 1 ] || quiet=(--quiet)
ninja -C "$folder" "${quiet[@]}" "$@"
