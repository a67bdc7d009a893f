#!/usr/bin/env bash
# Has systemd read README's units: they must name no setting that systemd does not know, and the service
# must be well shut in. tests/builds/unit.sh BINARY: each system call of a session of it is one that the
# service allows. Then a systemd that this script boots runs the units.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/../.."
. tests/builds/namespaces.sh
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; release; rm -rf "$folder"' EXIT

inside=()
fail() {
    echo "openkitchen.service: $*" >&2
    [ -z "${inside[*]}" ] || "${inside[@]}" journalctl --no-pager -u 'openkitchen.*' | grep -v ' "GET ' | tail >&2
    exit 1
}

# Each unit begins with a comment, the path of its file.
mkdir "$folder/units" "$folder/read"
awk -v folder="$folder/units" '/^```/ { unit = "" }
    /^# \/etc\/systemd\/system\// { n = split($2, parts, "/"); unit = folder "/" parts[n] }
    unit { print > unit }' README.md
cp "$folder/units"/* "$folder/read"
sed -i 's|/usr/local/bin/openkitchen|/bin/true|' "$folder/read"/*
for unit in service socket; do
    [ -s "$folder/read/openkitchen.$unit" ]
    if systemd-analyze verify "$folder/read/openkitchen.$unit" 2>&1 | grep "openkitchen\.$unit"; then exit 1; fi
done
systemd-analyze security --offline=true --threshold=35 --no-pager "$folder/read/openkitchen.service" | tail -n 1

# The calls of a set of systemd, and of the sets in it.
calls() {
    local name
    for name in $(systemd-analyze syscall-filter --no-pager "$1" | sed '1d; s/^ *//; /^#/d'); do
        case $name in @*) calls "$name" ;; *) echo "$name" ;; esac
    done
}

compare_system_calls() {
    calls @system-service | sort -u >"$folder/allowed"
    mkdir "$folder/public"
    echo hello >"$folder/public/index.html"
    strace -f -qq -o "$folder/trace" "$binary" serve "$folder/public" --list --listen 127.0.0.1:0 \
        --port-file "$folder/port" >/dev/null 2>&1 &
    local strace=$! address
    for _ in $(seq 200); do [ ! -s "$folder/port" ] || break; sleep 0.05; done
    server=$(pgrep -P "$strace")
    address=$(cat "$folder/port")
    curl -fsS "http://$address/" | grep -q hello
    "$binary" healthcheck "http://$address/healthz"
    kill "$server"
    wait "$strace"
    server=
    sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$folder/trace" | sort -u >"$folder/used"
    grep -qx accept4 "$folder/used"
    if comm -23 "$folder/used" "$folder/allowed" | grep .; then fail "the service would not allow these calls"; fi
    echo "openkitchen.service: each of $(wc -l <"$folder/used") system calls is allowed"
}

# As PID 1: systemd, in a folder with the /usr of this machine, an /etc of its own and README's units.
boot() {
    set -e
    local folder=$1 binary=$2 name
    mkdir "$folder/root"
    mount -t tmpfs -o mode=755 tmpfs "$folder/root"
    cd "$folder/root"
    mkdir -p usr proc sys dev run tmp var srv/www home/www etc/systemd/system old
    chmod 1777 tmp
    mount --bind /usr usr
    mount -o remount,bind,ro usr
    mount -t tmpfs -o mode=755 tmpfs usr/local
    for name in bin sbin lib lib64; do [ ! -L "/$name" ] || cp -P "/$name" .; done
    mkdir usr/local/bin
    cp "$binary" usr/local/bin/openkitchen
    echo hello >srv/www/index.html
    cp "$folder/units"/* etc/systemd/system
    cp /etc/ld.so.cache etc
    printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >etc/passwd
    printf 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n' >etc/group
    : >etc/machine-id
    mount -t proc proc proc
    for name in sys sysrq-trigger; do # these are the whole machine's
        [ -e "proc/$name" ] || continue
        mount --bind "proc/$name" "proc/$name"
        mount -o remount,bind,ro "proc/$name"
    done
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs dev
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty dev
    mkdir dev/pts
    mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    mount -t tmpfs -o mode=755 tmpfs run
    ip link set lo up
    pivot_root . old
    umount -l /old
    exec env -i container=test PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --unit=basic.target
}

# Asks with a connection for each request, until the file `over` is there.
ask_on() {
    until [ -e "$folder/over" ]; do
        "${inside[@]}" curl -fsS --fail-early --max-time 10 -H 'Connection: close' 'http://127.0.0.1/?[1-200]' || return
    done
}

control() { "${inside[@]}" systemctl --quiet "$@"; }

# One request, with these options of curl.
ask() {
    [ "$("${inside[@]}" curl -fsS --max-time 10 "$@" http://127.0.0.1/)" = hello ] || fail "no answer: curl $*"
}

# Restarts the service, which takes no grace time, in an idle system as under load.
restart() {
    local since
    since=$(date +%s%N)
    control restart openkitchen.service
    [ $((($(date +%s%N) - since) / 1000000)) -lt 4000 ] || fail "a restart took 4 s or more"
}

run_units() {
    for _ in $(seq 200); do
        [ "$("${inside[@]}" systemctl is-system-running 2>/dev/null)" != running ] || break
        sleep 0.1
    done
    control enable --now openkitchen.socket
    ! control is-active openkitchen.service || fail "it runs before its first client"
    ask
    control is-active openkitchen.service

    # It is shut in: no privilege, a filter of system calls, and nothing that it can write.
    "${inside[@]}" systemd-analyze security --threshold=35 --no-pager openkitchen.service >/dev/null
    local process wanted path number clients=() answers command valid
    process=$("${inside[@]}" systemctl show --property MainPID --value openkitchen.service)
    "${inside[@]}" grep -E '^(Uid|Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' "/proc/$process/status" >"$folder/status"
    ! grep -qE '^Uid:.*\b0\b' "$folder/status" || fail "it is root"
    for wanted in CapPrm:0+ CapEff:0+ CapBnd:0+ CapAmb:0+ NoNewPrivs:1 Seccomp:2; do
        grep -qE "^${wanted/:/:[[:space:]]+}$" "$folder/status" || fail "not $wanted: $(cat "$folder/status")"
    done
    for path in /srv/www /usr /etc /proc/sys/kernel/hostname /sys/fs/cgroup; do
        "${inside[@]}" nsenter --target "$process" --mount sh -c '! [ -w "$0" ]' "$path" || fail "it may write $path"
    done
    for path in /dev/tty0 /home/www; do
        ! "${inside[@]}" nsenter --target "$process" --mount test -e "$path" || fail "it has $path"
    done

    # Clients wait while it restarts; a crash is a restart too.
    for number in 1 2 3 4; do
        ask_on >"$folder/answers-$number" &
        clients+=("$!")
    done
    for _ in 1 2 3; do
        sleep 0.5 # of load
        restart
    done
    sleep 0.5
    : >"$folder/over"
    for number in "${clients[@]}"; do wait "$number" || fail "a client was not answered while the service restarted"; done
    ! sort -u "$folder"/answers-* | grep -vx hello || fail "a wrong answer"
    answers=$(cat "$folder"/answers-* | wc -l)
    control kill --signal KILL openkitchen.service
    ask

    # Its health, its log, and a password.
    "${inside[@]}" /usr/local/bin/openkitchen healthcheck 80
    if command -v goaccess >/dev/null; then
        command=$(grep -o '`journalctl [^`]*`' README.md | tr -d '`')
        valid=$("${inside[@]}" sh -c "$command -o json" 2>/dev/null | sed -nE 's/.*"valid_requests": *([0-9]+).*/\1/p')
        [ "${valid:-0}" -ge "$answers" ] || fail "goaccess reads ${valid:-no} requests in the log"
    fi
    "${inside[@]}" sh -c 'umask 077 && echo OPENKITCHEN_AUTH=me:secret >/etc/openkitchen.env'
    control reset-failed # so many starts are a failure, too
    control restart openkitchen
    ! "${inside[@]}" curl -fsS http://127.0.0.1/ 2>/dev/null || fail "it asks for no password"
    ask --user me:secret
    "${inside[@]}" rm /etc/openkitchen.env

    # It stops with its socket, and starts it.
    control stop openkitchen.socket
    ! "${inside[@]}" curl -s http://127.0.0.1/ || fail "it answers when it is stopped"
    ! control is-active openkitchen.service || fail "it runs without its socket"
    control reset-failed
    control start openkitchen.service
    ask
    control stop openkitchen.socket

    # A Unix socket, to which the service's own user may not connect.
    "${inside[@]}" sed -i 's|^ListenStream=80|ListenStream=/run/kitchen.sock\nSocketMode=0660\nSocketGroup=www-data|' \
        /etc/systemd/system/openkitchen.socket
    control daemon-reload
    control reset-failed
    control start openkitchen.socket
    [ "$("${inside[@]}" stat -c '%a %G' /run/kitchen.sock)" = "660 www-data" ]
    for _ in 1 2 3; do
        ask --unix-socket /run/kitchen.sock
        restart
    done
    echo "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p'): it runs the units:" \
        "$answers requests during 3 restarts, and none failed; a crash; a stop; a Unix socket"
}

if command -v strace >/dev/null; then
    compare_system_calls
else
    echo "openkitchen.service: its system calls are not compared, because there is no strace"
fi
if [ ! -x /lib/systemd/systemd ] || ! can_enclose; then
    echo "systemd: left out, because only root can boot one, in namespaces and a control group (cgroup2) of its own"
    exit
fi
enclose "$folder/boot" bash -c "$(declare -f boot); boot \"\$@\"" - "$folder" "$binary"
run_units
