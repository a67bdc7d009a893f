#!/usr/bin/env bash
# Has systemd read README's unit: it must name no setting that systemd does not know, and be well shut in.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
awk '/^```ini/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md |
    sed 's|/usr/local/bin/openkitchen|/bin/true|' >"$folder/openkitchen.service"
systemd-analyze verify "$folder/openkitchen.service" 2>&1 | grep -i 'openkitchen.service' && exit 1
systemd-analyze security --offline=true --no-pager "$folder/openkitchen.service" | tail -n 1
