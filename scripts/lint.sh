#!/usr/bin/env bash
# Checks how the sources look.
# Usage: scripts/lint.sh format          every source is as .clang-format says
#        scripts/lint.sh fix             formats every source in place
#        scripts/lint.sh tidy [FOLDER]   .clang-tidy on the production rooms; FOLDER is a configured
#                                        build (build/release); clean files are not checked again
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rooms=(core tensor mesh fabric ccl dispatch model serve cli)

sources() { # folders... -- find's name tests
    local folders=()
    while [ "$1" != -- ]; do
        [ ! -d "$1" ] || folders+=("$1")
        shift
    done
    shift
    find "${folders[@]}" -type f \( "$@" \) -print0 | sort -z
}

format() {
    sources "${rooms[@]}" tests bench -- -name '*.h' -o -name '*.cc' |
        xargs -0 -r -n 16 -P 2 clang-format-14 --style=file "$@"
}

# A file is judged again when it, a header, the checks or its flags changed.
tidy() {
    local folder=$1 common file stamp
    local todo=()
    if [ ! -e "$folder/compile_commands.json" ]; then
        echo "lint.sh: $folder is not configured; run scripts/build.sh first" >&2
        exit 2
    fi
    mkdir -p "$folder/tidy"
    common=$({
        cat .clang-tidy cmake/*.cmake
        sources "${rooms[@]}" -- -name '*.h' | xargs -0 cat
    } | sha256sum)
    while IFS= read -r -d '' file; do
        stamp=$folder/tidy/$({ echo "$common $file"; cat "$file"; } | sha256sum | cut -c1-32)
        [ -e "$stamp" ] || todo+=("$file" "$stamp")
    done < <(sources "${rooms[@]}" -- -name '*.cc')
    [ ${#todo[@]} -gt 0 ] || return 0
    # shellcheck disable=SC2016
    printf '%s\0' "${todo[@]}" | xargs -0 -n 2 -P 2 bash -c '
        out=$(clang-tidy-14 --quiet --extra-arg=-Wno-unknown-warning-option -p "$0" "$1" 2>&1) && touch "$2" && exit 0
        printf "%s\n" "$out"
        exit 1' "$folder"
}

case "${1:-}" in
    format) format --dry-run -Werror ;;
    fix) format -i ;;
    tidy) tidy "${2:-build/release}" ;;
    *)
        echo "usage: scripts/lint.sh format|fix|tidy [FOLDER]" >&2
        exit 2
        ;;
esac
