#!/usr/bin/env bash
# Builds everything and runs every test: the release build with the format and lint checks, then
# the fast tests under the address and undefined-behaviour sanitizers. When CI=true also the tests
# labelled slow, and a minute of each fuzz program. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Both stages count: a fast test passes twice, plain and sanitized.
passed=0
failed=0
noise='^ *[0-9]+/[0-9]+ Test .* Passed |^\[[A-Z_]+\] *$|^Internal ctest|^Running main|^$'

run_tests() { # build folder, ctest options...
    local folder=$1 code=0 summary total wrong skipped
    local log=$folder/ctest.log
    shift
    rm -f "$log"
    ctest --test-dir "$folder" -j "$(nproc)" --quiet --output-on-failure --no-tests=error \
        --output-log "$log" "$@" || code=$?
    summary=$(grep -E '^[0-9]+% tests passed, ' "$log" | tail -n 1 || true)
    if [[ $summary =~ ([0-9]+)\ tests\ failed\ out\ of\ ([0-9]+) ]]; then
        wrong=${BASH_REMATCH[1]}
        total=${BASH_REMATCH[2]}
    else
        wrong=0
        total=0
    fi
    skipped=$(grep -cE '\*\*\*Skipped' "$log" || true)
    passed=$((passed + total - wrong - skipped))
    # ctest can fail without a failed test: none found, a program that does not list its tests.
    if [ "$code" -ne 0 ] && [ "$wrong" -eq 0 ]; then wrong=1; fi
    failed=$((failed + wrong))
    if [ "$wrong" -gt 0 ]; then grep -vE "$noise" "$log" || true; fi
    echo "   $((total - wrong - skipped)) passed, $wrong failed, $skipped skipped"
}

stage() { # title, build folder, build options and targets, then ctest options after --
    local started=$SECONDS folder=$2
    local build=()
    echo "== $1"
    shift 2
    while [ "$1" != -- ]; do
        build+=("$1")
        shift
    done
    shift
    if scripts/build.sh "${build[@]}"; then
        echo "   built in $((SECONDS - started)) s"
        run_tests "$folder" "$@"
    else
        echo "   does not build"
        failed=$((failed + 1))
    fi
    echo "   $((SECONDS - started)) s"
}

scripts/deps.sh test
export UBSAN_OPTIONS=print_stacktrace=1
labels=(-LE '^slow$')
[ "${CI:-}" != true ] || labels=()
stage "release: tests, format, lint" build/release all -- "${labels[@]}"
stage "sanitizers: fast tests" build/sanitize --sanitize all -- -L '^fast$'
if [ "${CI:-}" = true ]; then
    stage "fuzzing: a minute each" build/fuzz --fuzz fuzz_programs -- -L '^fuzz$'
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
