#!/usr/bin/env bash
# Looks for data races and undefined behaviour with ThreadSanitizer and Miri. `make races` runs it. It
# takes about a quarter of an hour, most of it to build.
#
# - ThreadSanitizer checks all threads of all tests below tests/: the library's threads, and those of the
#   binary that the tests start, over real sockets. std is built with it too. Otherwise the locks and
#   queues of std would be reported as races.
# - Miri interprets the tests of the message, the routes and net. It does not support socket options, so
#   it runs no server. But it sees what ThreadSanitizer cannot: a read of uninitialized memory, for
#   example in httparse, which gets its table of fields uninitialized.
#
# No report is suppressed. Neither tool sees an order of threads that did not occur during the run. Miri
# does not know the Linux calls in src/sys/.
set -eu
cd "$(dirname "$0")/../.."

host=$(rustc +nightly -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-$PWD/target}/races
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
found=0

rustup component add --toolchain nightly rust-src miri 2>/dev/null

# By default each process sleeps a second before its exit, which is too long for tests that measure time.
export TSAN_OPTIONS="log_path=$reports/report atexit_sleep_ms=0"
list_reports() { find "$reports" -name 'report.*'; }

# A program with a race shows that ThreadSanitizer works: it must report this race.
cat >"$reports/race.rs" <<'RUST'
static mut COUNT: u32 = 0;
fn count() {
    unsafe { COUNT += 1 }
}
fn main() {
    let other = std::thread::spawn(count);
    count();
    other.join().unwrap();
}
RUST
rustc +nightly -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -o "$reports/race" "$reports/race.rs"
"$reports/race" || true
if [ -z "$(list_reports)" ]; then
    echo "ThreadSanitizer does not report a known race"
    exit 1
fi
list_reports | xargs rm

RUSTFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=$target cargo +nightly test --quiet -Zbuild-std \
    --target "$host" --no-fail-fast --test '*' || found=1
[ -z "$(list_reports)" ] || found=1
list_reports | xargs -r cat
echo "ThreadSanitizer: reports from $(list_reports | wc -l) processes"

MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=$target cargo +nightly miri test --quiet --lib -- \
    message:: route:: net:: || found=1

[ $found -eq 0 ] && echo "no race, no undefined behaviour"
exit $found
