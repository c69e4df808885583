#!/usr/bin/env bash
# Writes how far the simulator is from published measurements: the tables of docs/accuracy.md and
# topologies/validation/speed.yaml (what `tessera sim` prints beside its own).
# Usage: scripts/accuracy.sh FOLDER [--transfer]     a folder of measurement tables (*.csv);
# --transfer also fits constants again without some rows, which takes minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tables=${1:?usage: scripts/accuracy.sh FOLDER [--transfer]}
tessera=build/release/tessera
page=docs/accuracy.md
groups=topologies/validation/speed.yaml

# Puts what COMMAND prints between the marks NAME and /NAME of the page.
section() {
    local name=$1
    shift
    {
        sed "/^<!-- $name -->\$/q" "$page"
        "$@"
        sed -n "/^<!-- \/$name -->\$/,\$p" "$page"
    } >"$page.new"
    mv "$page.new" "$page"
}

[ -x "$tessera" ] || scripts/build.sh
if [ -f "$tables/tt_transformers_perf.csv" ]; then
    "$tessera" validate "$tables/tt_transformers_perf.csv" --error-groups >"$groups.new"
    mv "$groups.new" "$groups"
fi
section errors scripts/accuracy.py "$tables"
section constants scripts/constants.py --markdown
if [ "${2:-}" = --transfer ]; then section transfer scripts/transfer.py "$tables"; fi
