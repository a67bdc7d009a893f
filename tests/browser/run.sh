#!/usr/bin/env bash
# Tests the page in Chromium: `make test-browser`. Installs what is missing; where it cannot, it fails and says what.
# Arguments go to node, such as --test-name-pattern=lab, or a file.
set -eu
cd "$(dirname "$0")"

needed=(chromium:chromium node:nodejs npm:npm)
packages=()
for tool in "${needed[@]}"; do
    command -v "${tool%%:*}" >/dev/null || packages+=("${tool##*:}")
done
if [ ${#packages[@]} -gt 0 ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
for tool in "${needed[@]}"; do
    command -v "${tool%%:*}" >/dev/null || { echo "the tests of the page need ${tool%%:*}: install ${tool##*:}" >&2; exit 1; }
done
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent
cargo build --quiet --manifest-path ../../Cargo.toml

export CHROMIUM="${CHROMIUM:-$(command -v chromium)}"
[ "${1:-}" != pictures ] || exec node pictures.mjs
exec node --test --test-reporter=spec --test-concurrency=2 "$@" *.test.mjs
