#!/bin/sh
# A test of a client in a shell: here the client is curl. It ends with 0 if all is as it should be.
set -eu
folder=$(mktemp -d)
mock= watch=
trap 'kill $mock $watch 2>/dev/null || true; rm -rf "$folder"' EXIT

# Waits until a file has text: the address that a command listens on. Each command has a file of its own.
address() {
    until [ -s "$1" ]; do kill -0 "$2" && sleep 0.02; done
    cat "$1"
}

# A client that asks again after a 503. The first page is played first, then the second.
mkdir "$folder/pages"
cat > "$folder/pages/1.wire" <<'PAGE'
<<<
HTTP/1.1 503 Service Unavailable
Retry-After: 0
Content-Length: 0

PAGE
cat > "$folder/pages/2.wire" <<'PAGE'
>>>
GET /menu HTTP/1.1
Host: localhost

<<<
HTTP/1.1 200 OK
Content-Length: 3

tea\
PAGE
openkitchen mock "$folder/pages" --port-file "$folder/port" > "$folder/report" &
mock=$!
answer=$(curl -qsS --noproxy '*' --retry 1 "http://$(address "$folder/port" $mock)/menu")
[ "$answer" = tea ]
wait $mock || { cat "$folder/report"; exit 1; } # 0: the requests were as written

# A client that waits for ever for a response that does not come.
printf -- '--- silent 60s\n' | openkitchen mock - --port-file "$folder/silent" > /dev/null &
mock=$!
code=0
curl -qsS --noproxy '*' --max-time 1 "http://$(address "$folder/silent" $mock)/" 2>/dev/null || code=$?
[ $code -eq 28 ]
kill $mock

# What crosses between a client and a server, in a file.
printf '<<<\nHTTP/1.1 204 No Content\n\n' | openkitchen mock - --loop --port-file "$folder/server" > /dev/null &
mock=$!
server=$(address "$folder/server" $mock)
openkitchen watch "$server" --listen 0 --port-file "$folder/watch" --record "$folder/recorded" > /dev/null &
watch=$!
curl -qsS --noproxy '*' "http://$(address "$folder/watch" $watch)/"
kill $watch
wait $watch
grep -q '^GET / HTTP/1.1$' "$folder"/recorded/*.wire
openkitchen check "$server" "$folder"/recorded/*.wire
