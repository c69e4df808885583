#!/usr/bin/env bash
# Builds the simulator and lets a small character model write on a simulated T3K of eight chips.
# Usage: scripts/demo.sh [further options of `tessera run`]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/build.sh tessera >&2
exec build/release/tessera run models/tiny-shakespeare --mesh t3k --prompt "ROMEO:" \
    --max-new-tokens 200 --temperature 0 --precision performance "$@"
