#!/usr/bin/env bash
# Looks for bytes that break a property of tests/fuzz/properties, for a fixed time, one target after
# the other, and says what it saw. `make fuzz` runs all of them, in an hour.
#
#     FOR=60 tests/fuzz/run.sh head framing     these, for 60 seconds each
#     KEEP=1 tests/fuzz/run.sh                  looks for nothing: a little of what was found since goes
#                                               into tests/fuzz/corpus, for `make test` to try
#
# It needs a nightly toolchain and a C++ compiler, and installs cargo-fuzz where that is missing. What it
# finds on the way stays below target/fuzz, and the next run goes on from there.
set -eu
cd "$(dirname "$0")/../.."

seconds=${FOR:-450}
[ $# -gt 0 ] || set -- head framing chunked target transcript explain connection paces

build=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
binaries=$build/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
cargo +nightly fuzz build --fuzz-dir tests/fuzz --target-dir "$build"
# The fuzzer begins with the pages below tests/exchanges.
SEEDS=$build/pages cargo test --quiet --test corpus seeds >/dev/null

# Bytes of an input, at most. Short ones are quick; only chunks have limits that lie further out.
longest() {
    if [ "$1" = chunked ]; then echo 6000; else echo 640; fi
}

look() {
    local name=$1 log=$build/$1.log
    mkdir -p "$build/corpus/$name" "$build/findings" "tests/fuzz/corpus/$name"
    # An input that takes ten seconds, or half a gigabyte, is a finding too.
    "$binaries/$name" -max_total_time="$seconds" -max_len="$(longest "$name")" -timeout=10 \
        -malloc_limit_mb=512 -rss_limit_mb=4096 -dict=tests/fuzz/words.dict -print_final_stats=1 \
        -artifact_prefix="$build/findings/$name-" \
        "$build/corpus/$name" "$build/pages/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 || {
        echo "$name: a FINDING, see $log"
        grep -aE -A 12 'panicked at|^==.*ERROR' "$log" | head -n 40
        grep -a 'Test unit written to' "$log"
        return 1
    }
    echo "$name: $(sed -n 's/^Done \(.*\) runs in \(.*\) second(s)/\1 inputs in \2 s/p' "$log"), no finding"
}

# The fewest inputs that reach, beyond the pages, all that was reached; in the order of how much each
# adds, as far as tests/corpus.rs lets them in.
keep() {
    local name=$1 kept=tests/fuzz/corpus/$1 files=0 bytes=0 size few
    few=$(mktemp -d)
    cp "$build/pages/$name"/* "$few"
    mkdir -p "$kept" "$build/corpus/$name"
    "$binaries/$name" -set_cover_merge=1 -use_counters=0 -max_len=$(longest "$name") \
        "$few" "$kept" "$build/corpus/$name" 2>/dev/null
    rm -rf "$kept" "$few"/page-*
    mkdir "$kept"
    for input in $(ls -tr "$few"); do
        size=$(wc -c <"$few/$input")
        if [ $files -lt 40 ] && [ $((bytes + size)) -le 65536 ]; then
            cp "$few/$input" "$kept"
            files=$((files + 1)) bytes=$((bytes + size))
        fi
    done
    echo "$name: $files inputs kept, $bytes bytes, of $(ls "$few" | wc -l)"
    rm -rf "$few"
}

found=0
for name in "$@"; do
    if [ -n "${KEEP:-}" ]; then keep "$name"; else look "$name" || found=1; fi
done
exit $found
