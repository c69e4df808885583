#!/usr/bin/env bash
# Writes how far the simulator is from published measurements: the table of docs/accuracy.md and
# topologies/validation/speed.yaml (what `tessera sim` prints beside its own).
# Usage: scripts/accuracy.sh FOLDER     a folder of measurement tables (*.csv)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tables=${1:?usage: scripts/accuracy.sh FOLDER}
tessera=build/release/tessera
page=docs/accuracy.md
groups=topologies/validation/speed.yaml

[ -x "$tessera" ] || scripts/build.sh
if [ -f "$tables/tt_transformers_perf.csv" ]; then
    "$tessera" validate "$tables/tt_transformers_perf.csv" --error-groups >"$groups.new"
    mv "$groups.new" "$groups"
fi
{
    sed '/^<!-- table -->$/q' "$page"
    "$tessera" validate --all "$tables" --null --markdown
} >"$page.new"
mv "$page.new" "$page"
