#!/usr/bin/env bash
# Runs the long tests one after another, after it has installed the tools that are missing. `make soak`
# runs it. With a word, it runs the tests with that word in their name: tests/load/soak.sh haproxy
set -eu
cd "$(dirname "$0")/../.."

packages=()
for needed in haproxy:haproxy slowhttptest:slowhttptest unshare:util-linux ip:iproute2; do
    command -v "${needed%%:*}" >/dev/null || packages+=("${needed##*:}")
done
if [ ${#packages[@]} -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

# One process holds the client ends of ten thousand connections.
limit=$(ulimit -H -n)
if [ "$limit" != unlimited ] && [ "$limit" -lt 11000 ]; then
    echo "the hard limit on descriptors, $limit, is too low for 10,000 connections" >&2
    exit 1
fi
ulimit -n "$limit"

# These tests run here, since they move gigabytes. The mixed soak takes SOAK_SECONDS, by default half an hour.
large="files::a_file_of_five_gib_arrives_whole
watched_download::a_watched_download_is_nearly_as_fast_as_a_direct_one
mixed::soak"

# The others run in a network namespace of their own: all ports are free, and no other server is attacked.
# Its send buffers are small, because a slow reader blocks the server only when they are full.
cargo test --release --quiet --test load --no-run
unshare --map-root-user --net timeout 1500 bash -c '
    ip link set lo up
    echo 4096 4096 8192 >/proc/sys/net/ipv4/tcp_wmem
    large=$1
    shift
    CI=true exec cargo test --release --quiet --test load -- \
        --ignored $(printf -- "--skip %s " $large) --test-threads=1 --nocapture "$@"' soak "$large" "$@"

for test in $large; do
    case $test in
    *"${1:-}"*) cargo test --release --quiet --test load -- --ignored --exact --nocapture "$test" ;;
    esac
done
