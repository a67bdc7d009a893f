#!/usr/bin/env bash
# Runs the tests of src/sys for every system and processor for which a standard library, a linker and
# an emulator can be had, and compiles the others. `make systems` runs it. Where something is missing,
# a sentence says so. With a word, it takes the targets with that word in their name:
# tests/systems.sh musl
set -u
cd "$(dirname "$0")/.."

# target                        emulator               C compiler (musl brings its own library)
targets="
x86_64-unknown-linux-gnu        -                      cc
x86_64-unknown-linux-musl       -                      rust-lld
i686-unknown-linux-gnu          qemu-i386-static       i686-linux-gnu-gcc
i686-unknown-linux-musl         qemu-i386-static       rust-lld
aarch64-unknown-linux-gnu       qemu-aarch64-static    aarch64-linux-gnu-gcc
aarch64-unknown-linux-musl      qemu-aarch64-static    rust-lld
armv7-unknown-linux-gnueabihf   qemu-arm-static        arm-linux-gnueabihf-gcc
armv7-unknown-linux-musleabihf  qemu-arm-static        rust-lld
riscv64gc-unknown-linux-gnu     qemu-riscv64-static    riscv64-linux-gnu-gcc
riscv64gc-unknown-linux-musl    qemu-riscv64-static    rust-lld
aarch64-apple-darwin            compile                -
x86_64-apple-darwin             compile                -
x86_64-pc-windows-gnu           compile                -
x86_64-pc-windows-msvc          compile                -
x86_64-unknown-freebsd          compile                -
x86_64-unknown-illumos          compile                -
aarch64-linux-android           compile                -
"

if command -v apt-get >/dev/null && ! command -v qemu-arm-static >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends qemu-user-static \
        gcc-i686-linux-gnu libc6-dev-i386-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross \
        gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
fi

failed=0
while read -r target emulator compiler; do
    case $target in
    *"${1:-}"*) ;;
    *) continue ;;
    esac
    [ -n "$target" ] || continue
    if ! rustup target list --installed | grep -qx "$target" &&
        ! rustup target add "$target" >/dev/null 2>&1; then
        echo "$target: left out, because rustup has no standard library for it here"
        continue
    fi
    if [ "$emulator" = compile ]; then
        if cargo check --quiet --lib --bins --target "$target"; then
            echo "$target: compiles"
        else
            echo "$target: does not compile"
            failed=1
        fi
        continue
    fi
    # rust-lld comes with the Rust toolchain, but is not in PATH.
    if [ "$compiler" != rust-lld ] && ! command -v "$compiler" >/dev/null; then
        echo "$target: left out, because $compiler is not installed"
        continue
    fi
    case $(uname -m)-$target in
    x86_64-x86_64-* | x86_64-i686-* | aarch64-aarch64-*) emulator=- ;;
    esac
    if [ "$emulator" != - ] && ! command -v "$emulator" >/dev/null; then
        echo "$target: left out, because $emulator is not installed"
        continue
    fi
    name=CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')
    variables=("${name}_LINKER=$compiler" "${name}_RUSTFLAGS=-C target-feature=+crt-static")
    [ "$emulator" = - ] || variables+=("${name}_RUNNER=$emulator")
    if env "${variables[@]}" cargo test --quiet --lib --target "$target" sys:: >/dev/null; then
        echo "$target: passes"
    else
        echo "$target: FAILS"
        failed=1
    fi
done <<<"$targets"
exit $failed
