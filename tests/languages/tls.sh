#!/bin/sh
# A mock that is reached with https: nginx ends TLS in front of it, and passes the requests on as HTTP/1.1.
# (stunnel or Caddy do the same.) The certificate is made for the test, and the client is told to trust it.
set -eu
PATH=$PATH:/usr/sbin
folder=$(mktemp -d)
mock= nginx=
trap 'kill $mock $nginx 2>/dev/null || true; rm -rf "$folder"' EXIT

printf '>>>\nGET /menu HTTP/1.1\nHost: localhost\n\n<<<\nHTTP/1.1 200 OK\nContent-Length: 3\n\ntea\\\n' |
    openkitchen mock - --port-file "$folder/port" > "$folder/report" &
mock=$!
until [ -s "$folder/port" ]; do kill -0 $mock && sleep 0.02; done

openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
cat > "$folder/nginx.conf" <<CONF
daemon off;
pid $folder/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen 127.0.0.1:${TLS_PORT:-8443} ssl;
        ssl_certificate $folder/certificate.pem;
        ssl_certificate_key $folder/key.pem;
        location / {
            proxy_pass http://$(cat "$folder/port");
            proxy_http_version 1.1;         # nginx asks with HTTP/1.0 unless told
            proxy_set_header Host \$host;
            proxy_set_header Connection ""; # and adds Connection: close
            proxy_buffering off;            # so that what trickles, trickles
        }
    }
}
CONF
nginx -p "$folder" -c "$folder/nginx.conf" -e stderr &
nginx=$!

answer=$(curl -qs --noproxy '*' --cacert "$folder/certificate.pem" --retry 20 --retry-connrefused --retry-delay 0 \
    --retry-max-time 10 "https://localhost:${TLS_PORT:-8443}/menu")
[ "$answer" = tea ]
wait $mock || { cat "$folder/report"; exit 1; } # 0: the request was as written
