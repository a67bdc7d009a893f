#!/usr/bin/env bash
# Runs static binaries as PID 1 in a folder that holds nothing else: no /etc, /proc or /dev. Prints the memory
# of an idle server: all that is resident (VmRSS), and of it what is no page of a file (RssAnon).
# tests/builds/chroot.sh BINARY...
set -eu

fail() {
    echo "$binary: $*" >&2
    exit 1
}

# The first line of a file, as soon as it is there.
await() {
    for _ in $(seq 200); do
        if [ -s "$1" ]; then
            head -n 1 "$1"
            return
        fi
        sleep 0.05
    done
    fail "no port after 10 s: $(cat "$folder.log")"
}

for binary; do
    folder=$(mktemp -d)
    unshare="unshare --user --map-root-user --pid --fork --kill-child"
    $unshare true 2>/dev/null || unshare="unshare --pid --fork --kill-child"
    trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder" "$folder.log"' EXIT
    cp "$binary" "$folder/openkitchen"
    mkdir "$folder/public"
    echo "hello" >"$folder/public/index.html"

    # One session of the server, from start to stop: a signal ends it at once, since it is idle.
    session() {
        signal=$1
        shift
        $unshare chroot "$folder" /openkitchen "$@" --listen 127.0.0.1:0 --port-file /port >"$folder.log" 2>&1 &
        server=$!
        address=$(await "$folder/port")
        # PID 1 of its namespace is the only child of unshare. The line has no end, so `read` returns 1.
        read -r process <"/proc/$server/task/$server/children" || [ -n "$process" ]
        $unshare chroot "$folder" /openkitchen healthcheck "http://$address/healthz" || fail "no healthcheck"
        answer=$(curl -fsS "http://$address/")
        memory=$(awk '/^VmRSS:/ { all = $2 } /^RssAnon:/ { own = $2 } END { printf "%d KiB, of it %d its own", all, own }' \
            "/proc/$process/status")
        since=$(date +%s%N)
        kill -s "$signal" "$process"
        wait "$server" || fail "$signal: exit code $?"
        took=$((($(date +%s%N) - since) / 1000000))
        [ $took -le 100 ] || fail "the stop took $took ms"
        rm -f "$folder/port"
    }

    session TERM serve /public
    session INT serve /public
    idle=$memory
    [ "$answer" = hello ] || fail "the file is not served: $answer"
    # `make small` leaves the lesson site out.
    if "$binary" --help | grep -q "^  send"; then
        session INT --data /likes
        grep -q "<title>" <<<"$answer" || fail "the site has no page: $answer"
        session TERM --data /likes --record /records
        ls "$folder"/records/*.wire >/dev/null || fail "nothing is recorded"
        printf 'GET / HTTP/1.1\r\nHost : h\r\n\r\n' | $unshare chroot "$folder" /openkitchen explain | grep -q 'section 5.1' ||
            fail "explain says nothing"
    else
        for said in "$("$binary" serve --trace 2>&1)" "$(OPENKITCHEN_TRACE=1 "$binary" serve 2>&1)"; do
            grep -q "was built without it" <<<"$said" || fail "of the trace that it lacks, it says: $said"
        done
    fi
    rm -rf "$folder" "$folder.log"
    echo "$binary: runs as PID 1 in an empty folder; memory of an idle \`serve\`: $idle"
done
