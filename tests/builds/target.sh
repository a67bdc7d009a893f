# What cargo needs to build for a target. To be sourced: `prepare_target aarch64-unknown-linux-musl`
# installs the standard library and sets the variables for the linker and the emulator, or says what is
# missing and returns 1. musl brings its own C library, so Rust's own linker is enough for it.

# The line of each target: the target, its emulator, its linker, and their Debian packages.
targets="
x86_64-unknown-linux-gnu        -                    cc                         -
x86_64-unknown-linux-musl       -                    rust-lld                   -
i686-unknown-linux-gnu          qemu-i386-static     i686-linux-gnu-gcc         gcc-i686-linux-gnu,libc6-dev-i386-cross
i686-unknown-linux-musl         qemu-i386-static     rust-lld                   -
aarch64-unknown-linux-gnu       qemu-aarch64-static  aarch64-linux-gnu-gcc      gcc-aarch64-linux-gnu,libc6-dev-arm64-cross
aarch64-unknown-linux-musl      qemu-aarch64-static  rust-lld                   -
armv7-unknown-linux-gnueabihf   qemu-arm-static      arm-linux-gnueabihf-gcc    gcc-arm-linux-gnueabihf,libc6-dev-armhf-cross
armv7-unknown-linux-musleabihf  qemu-arm-static      rust-lld                   -
riscv64gc-unknown-linux-gnu     qemu-riscv64-static  riscv64-linux-gnu-gcc      gcc-riscv64-linux-gnu,libc6-dev-riscv64-cross
riscv64gc-unknown-linux-musl    qemu-riscv64-static  rust-lld                   -
x86_64-pc-windows-gnu           wine                 x86_64-w64-mingw32-gcc     gcc-mingw-w64-x86-64
"

# Installs the Debian packages with commas between them, if this is Debian.
install() {
    command -v apt-get >/dev/null || return 1
    [ -n "${apt_is_updated:-}" ] || apt-get update -qq || return 1
    apt_is_updated=1
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${1//,/ } >/dev/null
}

# Whether the compiler has a standard library for the target, or rustup gets one.
has_library() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ] || rustup target add "$1" >/dev/null 2>&1
}

# The static target of a processor, as `uname -m` or Rust calls it: musl, or glibc where there is no musl
# for it. Last comes the target of the compiler itself: Alpine's has a name of its own.
static_target() {
    local processor=$1 libraries="musl gnu" own target
    case $processor in
    armv7*) processor=armv7 libraries="musleabihf gnueabihf" ;;
    riscv64) processor=riscv64gc ;;
    esac
    own=$(rustc -vV | sed -n 's/^host: //p')
    for target in $(printf "$processor-unknown-linux-%s " $libraries) "$own"; do
        case $target in "$processor"-*-linux-*) ;; *) continue ;; esac
        has_library "$target" || continue
        case $target in
        *-gnu*) echo "$target: static with glibc; \`rustup target add $processor-unknown-linux-${libraries%% *}\`" \
            "gets musl, if there is one: it is smaller" >&2 ;;
        esac
        echo "$target"
        return
    done
    return 1
}

# Whether this machine runs programs for the target itself.
is_native() {
    case $(uname -sm)-$1 in
    Linux\ x86_64-x86_64-*linux* | Linux\ x86_64-i686-*linux* | Linux\ aarch64-aarch64-*linux*) ;;
    *) return 1 ;;
    esac
}

# Sets `emulator`, and exports what cargo reads.
prepare_target() {
    local target=$1 linker packages name
    if ! has_library "$target"; then
        echo "$target: left out, because there is no standard library for it here, and rustup has none"
        return 1
    fi
    read -r emulator linker packages < <(awk -v target="$target" '$1 == target { print $2, $3, $4 }
        END { print "- cc -" }' <<<"$targets")
    # rust-lld comes with rustup's toolchain, but is not in PATH.
    [ "$linker" != rust-lld ] || [ -n "$(find "$(rustc --print sysroot)/lib/rustlib" -name rust-lld)" ] || linker=cc
    if [ "$linker" != rust-lld ] && ! command -v "$linker" >/dev/null && ! install "$packages"; then
        echo "$target: left out, because $linker cannot be installed here"
        return 1
    fi
    if [ "$emulator" = - ] || is_native "$target"; then
        emulator=
    elif [ "$emulator" = wine ]; then
        emulator=$(wine_path) && prepare_wine || emulator=missing
    elif ! command -v "$emulator" >/dev/null && ! install qemu-user-static; then
        emulator=missing
    fi
    name=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$target")
    export "${name}_LINKER=$linker"
    # Identical functions are kept once, and relocations are packed: a twentieth of the size.
    local flags="-C target-feature=+crt-static"
    [ "$linker" != rust-lld ] || flags+=" -C link-arg=--icf=all -C link-arg=--pack-dyn-relocs=relr"
    export "${name}_RUSTFLAGS=$flags"
    if [ -n "$emulator" ] && [ "$emulator" != missing ]; then
        export "${name}_RUNNER=$emulator"
    fi
}

# Sets up wine: a folder of its own, quiet, and random bytes as Windows 10 has them.
prepare_wine() {
    export WINEPREFIX=$PWD/target/wine/prefix WINEDEBUG=-all WINEPATH="Z:$PWD/target/wine"
    mkdir -p target/wine
    x86_64-w64-mingw32-gcc -shared -o target/wine/bcryptprimitives.dll tests/builds/bcryptprimitives.c -ladvapi32
}

# Prints the command for wine, which Debian keeps out of PATH if it is for 64 bits alone.
wine_path() {
    command -v wine && return
    [ -x /usr/lib/wine/wine64 ] || install wine64 || return 1
    echo /usr/lib/wine/wine64
}
