#!/usr/bin/env bash
# Tries README's recipes for proxies with the real ones, as they stand there but for the addresses: each
# passes a page on, and Host unchanged, to two instances; one of them is stopped, and no request fails. Then
# the same with Unix sockets between the two.
# tests/builds/proxies.sh BINARY
set -eu

binary=$(realpath "$1") readme=$(realpath "$(dirname "$0")/../../README.md")
folder=$(mktemp -d)
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 . # nginx has a user of its own

fail() {
    echo "proxies: $*" >&2
    exit 1
}

# The first block of README that holds the words, with addresses that are free.
block() {
    awk -v words="$1" '/^```/ { if (inside && index(text, words)) { printf "%s", text; exit } inside = !inside; text = ""; next }
        inside { text = text $0 "\n" }' "$readme" |
        sed "s#127.0.0.1:5001#$one#; s#127.0.0.1:5002#$two#; s/:80\b/:$port/; s/listen 80;/listen $port;/"
}

start() {
    rm -f "port-$1"
    "$binary" --listen 127.0.0.1:0 --listen "unix:$folder/$1.sock" --port-file "port-$1" --data "likes-$1" --no-trace --drain 3 >"log-$1" 2>&1 &
    processes+=("$!")
    for _ in $(seq 200); do [ ! -s "port-$1" ] || break; sleep 0.05; done
}

ask() { curl -fsS --max-time 10 "http://127.0.0.1:$port/$1" "${@:2}"; }

number=0
for setup in "nginx tcp" "nginx unix:" "haproxy tcp" "haproxy unix@" "caddy tcp" "caddy unix/"; do
    proxy=${setup% *} between=${setup#* }
    PATH=$PATH:/usr/sbin
    command -v $proxy >/dev/null || apt-get install -y -qq --no-install-recommends $proxy >/dev/null 2>&1 || {
        echo "$proxy: left out, because it cannot be installed here"
        continue
    }
    number=$((number + 1))
    port=$((20000 + RANDOM % 10000))
    processes=()
    start a
    start b
    one=$(head -n 1 port-a) two=$(head -n 1 port-b)
    [ "$between" = tcp ] || one=$between$folder/a.sock two=$between$folder/b.sock
    case $proxy in
    nginx)
        { echo "pid $folder/pid; error_log stderr; events {}"; echo "http { access_log off;"; block "upstream kitchen"; echo "}"; } >conf
        nginx -e stderr -p "$folder" -c "$folder/conf" -g "daemon off;" >proxy.log 2>&1 &
        ;;
    haproxy)
        block "backend kitchen" >conf
        ! haproxy -c -f conf 2>&1 | grep -iE 'warning|alert' || fail "haproxy complains: $(cat conf)"
        haproxy -f conf >proxy.log 2>&1 &
        ;;
    caddy)
        { echo "{ admin off"; echo "auto_https off"; echo "}"; block "reverse_proxy"; } >conf
        HOME=$folder caddy run --config conf --adapter caddyfile >proxy.log 2>&1 &
        ;;
    esac
    processes+=("$!")
    for _ in $(seq 200); do ask healthz >/dev/null 2>&1 && break; sleep 0.05; done
    ask raw -H 'Host: shop.example' | grep -i '^host: shop.example' >/dev/null || fail "$setup: Host: $(tail -n 20 conf proxy.log)"
    ask api/likes -d post=3 -H 'Origin: http://127.0.0.1:'"$port" | grep likes >/dev/null || fail "$proxy: no like"
    # SIGTERM: the proxy finds out by /healthz (or by a refused connection), and nothing fails.
    kill -TERM "${processes[0]}"
    for _ in $(seq 100); do
        ask about >/dev/null || fail "$proxy: a request failed while one instance stopped"
        sleep 0.05
    done
    kill "${processes[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    echo "$setup: passes on to two instances, and one stops without a failed request"
done
