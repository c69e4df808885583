#!/usr/bin/env bash
# Installs the Debian 12 packages that are missing; does nothing when none is.
# Usage: scripts/deps.sh [build|test]    build: to compile everything; test (default): and to lint
set -euo pipefail

packages=(
    g++ cmake ninja-build ccache git pkg-config
    libtbb-dev libfmt-dev libspdlog-dev libhwloc-dev libboost-dev nlohmann-json3-dev
    libyaml-cpp-dev libprotobuf-dev protobuf-compiler libcli11-dev libpcre2-dev libhwy-dev
    libicu-dev libsentencepiece-dev libsqlite3-dev libgtest-dev libbenchmark-dev
)
case "${1:-test}" in
    build) ;;
    test) packages+=(clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev) ;;
    *) echo "usage: scripts/deps.sh [build|test]" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: not a Debian system; install the equivalents of: ${packages[*]}" >&2
    exit 2
fi

installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qxF "$package installed" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps.sh: needs root or sudo to install: ${missing[*]}" >&2
        exit 2
    fi
    as_root=(sudo)
fi

echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "deps.sh: apt-get $1 failed" >&2
        exit 1
    }
}
apt update
apt install -y --no-install-recommends "${missing[@]}"
