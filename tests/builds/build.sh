#!/usr/bin/env bash
# Builds a static binary: tests/builds/build.sh PROFILE OUTPUT [TARGET] [flags of cargo]. TARGET is a
# processor (aarch64) or a whole name (x86_64-pc-windows-gnu); without it, this machine's processor.
set -eu
cd "$(dirname "$0")/../.."
. tests/builds/target.sh

profile=$1 output=$2 processor=${3:-$(uname -m)}
shift 2
[ $# = 0 ] || shift
case $processor in
*-*) target=$processor ;;
*) target=$(static_target "$processor") || { echo "there is no static library for $processor, and rustup has none" >&2; exit 1; } ;;
esac
prepare_target "$target" >&2
if [ "$profile" = smallest ]; then
    command -v rustup >/dev/null ||
        { echo "make smallest needs rustup, for the source of the standard library: https://rustup.rs" >&2; exit 1; }
    rustup component add rust-src 2>/dev/null ||
        { echo "rustup cannot install rust-src, the source of the standard library" >&2; exit 1; }
    # These flags are unstable: a stable compiler takes them with RUSTC_BOOTSTRAP.
    export RUSTC_BOOTSTRAP=1
    set -- -Z build-std=std,panic_unwind -Z build-std-features=optimize_for_size "$@"
    # A panic names its line and not its file. With frame pointers the tables for unwinding are a quarter smaller.
    # Of the limits on the length of a function that is inlined, this one gives the smallest file.
    flags=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")_RUSTFLAGS
    export "$flags=${!flags} -Z location-detail=line -C force-frame-pointers=yes -C llvm-args=-inline-threshold=48"
fi
cargo build --quiet --locked --profile "$profile" --target "$target" --bin openkitchen "$@"
mkdir -p "$(dirname "$output")"
case $target in *windows*) suffix=.exe ;; *) suffix= ;; esac
cp "target/$target/$profile/openkitchen$suffix" "$output"
echo "$output: $(($(wc -c <"$output") / 1024)) KiB, $target"
