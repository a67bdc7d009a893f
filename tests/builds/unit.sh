#!/usr/bin/env bash
# Has systemd read README's units: they must name no setting that systemd does not know, and the service
# must be well shut in. tests/builds/unit.sh BINARY: each system call of a session of it is one that the
# service allows.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT

# Each unit begins with a comment, the path of its file.
awk -v folder="$folder" '/^```/ { unit = "" }
    /^# \/etc\/systemd\/system\// { n = split($2, parts, "/"); unit = folder "/" parts[n] }
    unit { print > unit }' README.md
sed -i 's|/usr/local/bin/openkitchen|/bin/true|' "$folder"/*
for unit in service socket; do
    [ -s "$folder/openkitchen.$unit" ]
    if systemd-analyze verify "$folder/openkitchen.$unit" 2>&1 | grep "openkitchen\.$unit"; then exit 1; fi
done
systemd-analyze security --offline=true --threshold=35 --no-pager "$folder/openkitchen.service" | tail -n 1

if ! command -v strace >/dev/null; then
    echo "openkitchen.service: its system calls are not compared, because there is no strace"
    exit
fi
# The calls of a set of systemd, and of the sets in it.
calls() {
    local name
    for name in $(systemd-analyze syscall-filter --no-pager "$1" | sed '1d; s/^ *//; /^#/d'); do
        case $name in @*) calls "$name" ;; *) echo "$name" ;; esac
    done
}
calls @system-service | sort -u >"$folder/allowed"
mkdir "$folder/public"
echo hello >"$folder/public/index.html"
strace -f -qq -o "$folder/trace" "$binary" serve "$folder/public" --list --listen 127.0.0.1:0 \
    --port-file "$folder/port" >/dev/null 2>&1 &
strace=$!
for _ in $(seq 200); do [ ! -s "$folder/port" ] || break; sleep 0.05; done
server=$(pgrep -P "$strace")
address=$(cat "$folder/port")
curl -fsS "http://$address/" | grep -q hello
"$binary" healthcheck "http://$address/healthz"
kill "$server"
wait "$strace"
server=
sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$folder/trace" | sort -u >"$folder/used"
grep -qx accept4 "$folder/used"
if comm -23 "$folder/used" "$folder/allowed" | grep .; then
    echo "openkitchen.service: the service would not allow these calls" >&2
    exit 1
fi
echo "openkitchen.service: each of $(wc -l <"$folder/used") system calls is allowed"
