#!/usr/bin/env bash
# Tries a binary in an empty folder: each command does what it says. tests/builds/try.sh BINARY [EMULATOR]
set -eu

binary=$(realpath "$1") emulator=${2:-}
folder=$(mktemp -d)
servers=()
trap 'kill -9 "${servers[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
mkdir public
echo hello >public/index.html

run() { timeout 60 $emulator "$binary" "$@"; }

fail() {
    echo "$binary: $*" >&2
    cat server.log >&2 || true
    exit 1
}

# Starts a server, and sets `address` and `server`.
start() {
    rm -f port
    $emulator "$binary" "$@" --listen 127.0.0.1:0 --port-file port >server.log 2>&1 &
    server=$!
    servers+=("$server")
    for _ in $(seq 600); do
        [ ! -s port ] || break
        sleep 0.05
    done
    [ -s port ] || fail "$1: no port after 30 s"
    address=$(head -n 1 port | tr -d '\r')
}

# Stops it, as Ctrl-C does: it says so, and leaves nothing.
stop() {
    kill -INT "$server"
    for _ in $(seq 200); do
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    ! kill -0 "$server" 2>/dev/null || fail "it does not stop within 10 s"
    wait "$server" || fail "the exit code of a stopped server is $?"
    grep -q stopped server.log || fail "it does not say that it has stopped"
}

run --version | grep '^openkitchen ' >/dev/null || fail "no version"

start serve public
[ "$(curl -fsS "http://$address/")" = hello ] || fail "serve: the file does not come"
[ "$(curl -sS -o body -w '%{http_code}' --path-as-is "http://$address/../public/index.html")" != 200 ] || fail "serve: outside"
run healthcheck "http://$address/healthz" || fail "healthcheck: $?"
stop
grep -q '"GET / HTTP/1.1" 200' server.log || fail "serve: no access log"

start --data likes
curl -fsS "http://$address/" | grep '<title>' >/dev/null || fail "the site has no page"
curl -fsS -d post=3 "http://$address/api/likes" | grep '"likes":1' >/dev/null || fail "the site counts no like"
printf 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n' | run send "$address" --timeout 0.5 >sent || fail "send: $?"
grep -q '^HTTP/1.1 200 OK' sent || fail "send: no response"
run check "$address" >checked 2>&1 || fail "check: $(tail -n 5 checked)"
printf 'GET / HTTP/1.1\r\nHost : h\r\n\r\n' | run explain | grep 'section 5.1' >/dev/null || fail "explain"
run learn --print | grep 'HTTP' >/dev/null || fail "learn"
site=$server target=$address
start watch "$target" --no-page
curl -fsS "http://$address/about" >/dev/null || fail "watch passes nothing on"
stop
grep -q '^GET /about HTTP/1.1' server.log || fail "watch prints nothing"
server=$site
cat >page.wire <<'WIRE'
# One response

>>>
GET / HTTP/1.1
Host: h

<<<
HTTP/1.1 200 OK
Content-Length: 2

ok\
WIRE
rm -f port
$emulator "$binary" mock page.wire --listen 127.0.0.1:0 --port-file port >mock.log 2>&1 &
mock=$!
for _ in $(seq 600); do [ ! -s port ] || break; sleep 0.05; done
printf 'GET / HTTP/1.1\r\nHost: h\r\n\r\n' | run send "$(head -n 1 port | tr -d '\r')" --timeout 0.5 >sent || true
wait $mock || fail "mock: $(cat mock.log)"
grep -q '^ok' sent || fail "mock: $(cat sent)"
: >server.log
kill -INT "$site"
wait "$site" || fail "the site's exit code is $?"
start --data likes
curl -fsS "http://$address/api/likes" | grep '"likes":1\|1' >/dev/null || fail "the like is lost"
stop
echo "$binary: each command works${emulator:+, under $(basename "$emulator")}"
