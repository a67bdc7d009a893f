#!/usr/bin/env bash
# Looks for data races and for undefined behaviour, and says what it saw. `make races` runs it; it takes
# a quarter of an hour or so, most of it to build.
#
# - ThreadSanitizer watches every thread of every test below tests/, the library's and those of the
#   binary that the tests start, over real sockets. std is built with it too, or its locks and queues
#   would look like races.
# - Miri runs the tests of the message, the routes and the connection one step at a time. It has no
#   options for sockets, so it sees no server; but it sees what ThreadSanitizer cannot: a read of
#   memory that nobody wrote, in httparse for one, whose table of fields is handed to it unwritten.
#
# Nothing is suppressed. What neither can see: an order of threads that did not come about while they
# looked, and Linux calls that Miri does not know (src/bin/openkitchen/sys.rs).
set -eu
cd "$(dirname "$0")/../.."

host=$(rustc +nightly -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-$PWD/target}/races
told=$(mktemp -d)
trap 'rm -rf "$told"' EXIT
found=0

rustup component add --toolchain nightly rust-src miri 2>/dev/null

# A second's sleep at the end of each process would make some tests too slow for what they measure.
export TSAN_OPTIONS="log_path=$told/report atexit_sleep_ms=0"
reports() { find "$told" -name 'report.*'; }

# A watcher that sees nothing would pass everything: here is a race for it.
cat >"$told/race.rs" <<'RUST'
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
rustc +nightly -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer -o "$told/race" "$told/race.rs"
"$told/race" || true
if [ -z "$(reports)" ]; then
    echo "ThreadSanitizer does not see a race that is there"
    exit 1
fi
reports | xargs rm

RUSTFLAGS=-Zsanitizer=thread CARGO_TARGET_DIR=$target cargo +nightly test --quiet -Zbuild-std \
    --target "$host" --no-fail-fast --test '*' || found=1
[ -z "$(reports)" ] || found=1
reports | xargs -r cat
echo "ThreadSanitizer: a report of $(reports | wc -l) processes"

MIRIFLAGS=-Zmiri-disable-isolation CARGO_TARGET_DIR=$target cargo +nightly miri test --quiet --lib -- \
    message:: route:: net:: || found=1

[ $found -eq 0 ] && echo "no race, no undefined behaviour"
exit $found
