#!/usr/bin/env bash
# Builds a static binary: tests/builds/build.sh PROFILE OUTPUT [TARGET] [flags of cargo]. TARGET is a
# processor (aarch64) or a whole name (x86_64-pc-windows-gnu); without it, this machine's processor.
set -eu
cd "$(dirname "$0")/../.."
. tests/builds/target.sh

profile=$1 output=$2 target=${3:-$(uname -m)}
shift 2
[ $# = 0 ] || shift
case $target in
*-*) ;;
*) target=$(static_target "$target") || { echo "there is no static library for ${3:-$(uname -m)}, and rustup has none" >&2; exit 1; } ;;
esac
prepare_target "$target" >&2
cargo build --quiet --locked --profile "$profile" --target "$target" --bin openkitchen "$@"
mkdir -p "$(dirname "$output")"
case $target in *windows*) suffix=.exe ;; *) suffix= ;; esac
cp "target/$target/$profile/openkitchen$suffix" "$output"
echo "$output: $(($(wc -c <"$output") / 1024)) KiB, $target"
