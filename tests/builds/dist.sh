#!/usr/bin/env bash
# Builds what can be installed without Rust, into target/dist: a static binary for each Linux, one for
# Windows, and Python wheels that hold the same. Each binary is tried in an empty folder, natively or with
# an emulator, and the wheel of this machine in an empty environment. tests/builds/dist.sh [WORD]: the
# targets with that word in their name.
set -eu
cd "$(dirname "$0")/../.."
. tests/builds/target.sh

out=$PWD/target/dist
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
mkdir -p "$out"
if [ ! -x target/maturin/bin/maturin ]; then
    python3 -m venv target/maturin
    target/maturin/bin/pip install --quiet maturin
fi

for processor in x86_64 i686 aarch64 armv7 riscv64gc x86_64-pc-windows-gnu; do
    case $processor in
    *"${1:-}"*) ;;
    *) continue ;;
    esac
    case $processor in
    *windows*) target=$processor name=openkitchen-$version-x86_64-windows.exe tag=win_amd64 ;;
    *)
        target=$(static_target "$processor") || { echo "$processor: left out, because rustup has no library for it"; continue; }
        name=openkitchen-$version-${processor%gc}-linux tag="manylinux_2_17_${processor%gc}.musllinux_1_1_${processor%gc}"
        [ "$processor" != armv7 ] || tag=manylinux_2_17_armv7l.musllinux_1_1_armv7l
        [ "$processor" != riscv64gc ] || tag=manylinux_2_31_riscv64.musllinux_1_2_riscv64
        ;;
    esac
    (
        prepare_target "$target" || exit 0
        tests/builds/build.sh static "$out/$name" "$target"
        if [ "$emulator" = missing ]; then
            echo "$name: not tried, because there is no emulator"
        else
            tests/builds/try.sh "$out/$name" "$emulator"
        fi
        # The tag of a static binary is right on every libc, which maturin cannot know: so it is set after.
        rm -rf target/wheel
        target/maturin/bin/maturin build --quiet --bindings bin --locked --profile static --target "$target" \
            --compatibility linux --auditwheel skip --out target/wheel
        target/maturin/bin/python -m wheel version >/dev/null 2>&1 || target/maturin/bin/pip install --quiet wheel
        case $target in
        *windows*) ;;
        *) target/maturin/bin/python -m wheel tags --remove --platform-tag "$tag" target/wheel/*.whl >/dev/null ;;
        esac
        target/maturin/bin/python -m zipfile -e target/wheel/*.whl target/wheel
        cmp "$out/$name" target/wheel/*.data/scripts/openkitchen*
        cp target/wheel/*.whl "$out/"
        echo "$(basename target/wheel/*.whl): holds the same binary"
    )
done

# README's line, where nothing else is installed, and Rust cannot be found: pip takes the wheel of this
# machine out of those that lie there.
if ls "$out"/*"_$(uname -m)"*.whl >/dev/null 2>&1; then
    line=$(grep -o '`pip install [^`]*`' README.md | tr -d '`')
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python3 -m venv "$folder"
    PATH="$folder/bin:/usr/bin:/bin" sh -c "$line --quiet"
    tests/builds/try.sh "$folder/bin/openkitchen"
fi
