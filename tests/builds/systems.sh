#!/usr/bin/env bash
# For every system and processor of README: clippy, with warnings denied; and the tests that can be run
# here, natively or with an emulator. `make systems` runs it. Where something is missing, a sentence says
# so. tests/builds/systems.sh [check] [WORD]: with `check` nothing is run (.ci/run does it), and with a
# word the targets with that word in their name are taken.
set -u
# shellcheck disable=SC2086
cd "$(dirname "$0")/../.."
. tests/builds/target.sh

checked_only="
aarch64-apple-darwin
x86_64-apple-darwin
x86_64-pc-windows-msvc
x86_64-unknown-freebsd
x86_64-unknown-illumos
aarch64-linux-android
"

# What cannot be true under wine: a path with slashes, /proc, the order of bytes before a reset, a file
# that is changed while it is open, a test that starts itself again, and a close at once where a read
# waits in slices of 250 ms.
windows_skips="a_large_response_arrives_whole_before_its_reset
a_handler_that_does_not_return_is_left_behind_after_the_grace_time
a_file_that_changes_while_it_is_sent_ends_in_a_closed_connection
a_scoped_server_waits_for_a_handler_that_does_not_return_and_the_log_says_so
a_thousand_servers_in_a_row_leave_nothing
a_worker_has_the_scheduling_policy_of_its_server_and_a_handlers_thread_inherits_it
an_append_to_a_file_that_another_program_has_changed_fails_until_it_is_put_back
two_hundred_mocks_leave_nothing
a_connection_that_waits_for_a_request_or_for_its_rest_is_closed_at_once
two_hundred_servers_with_an_idle_client_each_do_not_wait_for_their_clients
a_client_that_trickles_or_does_not_read_is_not_waited_for_without_end
a_test_that_panics_shows_what_its_mock_has_seen
a_wait_for_a_permit_ends_in_time_and_is_refused_if_too_many_wait
an_open_connection_delays_the_stop_by_less_than_a_tenth_of_a_second"

runs=yes
if [ "${1:-}" = check ]; then
    runs=
    shift
fi
failed=0

# Runs tests of `$target`, with these flags of cargo and these of the tests. Those that fail are run once
# more, one at a time: some measure time, and the machine may be busy.
run_tests() {
    local run="timeout 900 cargo test --quiet --no-fail-fast --target $target $1" again
    $run -- $2 >"$log" 2>&1 && return
    [ $? != 124 ] && ! grep -q '(signal: ' "$log" || return 1 # it hung, or was killed
    again=$(sed -nE 's/^    ([a-z0-9_:]+)$/\1/p' "$log" | sort -u)
    [ -n "$again" ] || return 1
    echo "$target: once more, one at a time:" $again
    RUST_TEST_THREADS=1 $run -- --exact $again >"$log" 2>&1
}

report() {
    echo "$1: $2"
    case $2 in *FAIL*) failed=1 ;; esac
}

for target in $(awk '{ print $1 }' <<<"$targets") $checked_only; do
    case $target in
    *"${1:-}"*) ;;
    *) continue ;;
    esac
    if ! has_library "$target"; then
        report "$target" "left out, because rustup has no standard library for it here"
        continue
    fi
    if cargo clippy --quiet --lib --bins --target "$target" -- -D warnings &&
        cargo clippy --quiet --bins --no-default-features --target "$target" -- -D warnings; then
        report "$target" "clippy finds nothing"
    else
        report "$target" "clippy FAILS"
        continue
    fi
    [ -n "$runs" ] && grep -q "^$target " <<<"$targets" || continue
    (
        prepare_target "$target" || exit 0
        if [ "$emulator" = missing ]; then
            echo "$target: nothing is run, because there is no emulator"
            exit 0
        fi
        log=target/$target.log suffix=
        case $target in
        *windows*)
            suffix=.exe
            RUST_TEST_THREADS=4 run_tests "--lib --test api --test exchanges" "$(printf -- '--skip %s ' $windows_skips)"
            ;;
        i686-*-musl) RUST_TEST_THREADS=6 run_tests "--lib --test api --test exchanges" "" ;;
        # Under qemu the other tests take too long.
        *) run_tests --lib sys:: ;;
        esac || { echo "$target: the tests FAIL, see $log" && exit 1; }
        echo "$target: the tests pass${emulator:+ under $(basename "$emulator")}"
        cargo build --quiet --target "$target" --bin openkitchen &&
            tests/builds/try.sh "target/$target/debug/openkitchen$suffix" "$emulator"
    ) || failed=1
done
exit $failed
