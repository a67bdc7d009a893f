#!/usr/bin/env bash
# Runs the fuzzer: it looks for bytes that break a property of tests/fuzz/properties. Each target runs for
# a fixed time, one after the other. `make fuzz` runs all of them, in an hour.
#
#     FOR=60 tests/fuzz/run.sh head framing     these targets, for 60 seconds each
#     KEEP=1 tests/fuzz/run.sh                  does not fuzz: copies a few of the inputs that were found
#                                               to tests/fuzz/corpus, where `make test` tries them
#
# It needs a nightly toolchain and a C++ compiler, and installs cargo-fuzz if it is missing. The inputs that
# it finds are kept in target/fuzz, and the next run begins with them.
set -eu
cd "$(dirname "$0")/../.."

seconds=${FOR:-450}
[ $# -gt 0 ] || set -- head framing chunked target transcript explain connection paces

build=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
binaries=$build/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
cargo +nightly fuzz build --fuzz-dir tests/fuzz --target-dir "$build"
# The fuzzer also begins with the transcripts of tests/exchanges.
SEEDS=$build/pages cargo test --quiet --test oracle seeds >/dev/null

# The longest input, in bytes. Short inputs are fast. Only the limits of chunks need longer ones.
longest_input() {
    if [ "$1" = chunked ]; then echo 6000; else echo 640; fi
}

run_target() {
    local name=$1 log=$build/$1.log
    mkdir -p "$build/corpus/$name" "$build/findings" "tests/fuzz/corpus/$name"
    # An input that takes ten seconds or half a gigabyte is a finding too.
    "$binaries/$name" -max_total_time="$seconds" -max_len="$(longest_input "$name")" -timeout=10 \
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

# Copies inputs to the corpus: the fewest that, together with the transcripts, cover all that is covered.
# The input that adds most is copied first. tests/oracle/corpus.rs limits how many.
keep_corpus() {
    local name=$1 kept=tests/fuzz/corpus/$1 files=0 bytes=0 size few
    few=$(mktemp -d)
    cp "$build/pages/$name"/* "$few"
    mkdir -p "$kept" "$build/corpus/$name"
    "$binaries/$name" -set_cover_merge=1 -use_counters=0 -max_len=$(longest_input "$name") \
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

has_finding=0
for name in "$@"; do
    if [ -n "${KEEP:-}" ]; then keep_corpus "$name"; else run_target "$name" || has_finding=1; fi
done
exit $has_finding
