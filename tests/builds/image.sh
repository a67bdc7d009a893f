#!/usr/bin/env bash
# Builds README's container image and runs it, each as README says: with Docker, whose daemon is this script's
# own, in namespaces of its own; and with buildah, in a chroot. tests/builds/image.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/builds/namespaces.sh
folder=$(mktemp -d)
buildah="buildah --root $folder/images --runroot $folder/run --storage-driver vfs"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null
    [ ! -e "$folder/images" ] || $buildah rm --all >/dev/null
    release
    rm -rf "$folder"' EXIT

fail() {
    echo "image: $*" >&2
    exit 1
}

mkdir -p "$folder/context/target/static" "$folder/context/public" "$folder/elsewhere/public/docs"
cp target/static/openkitchen-small "$folder/context/target/static"
echo hello >"$folder/context/public/index.html"
echo other >"$folder/elsewhere/public/index.html"
awk '/^```dockerfile/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$folder/context/Dockerfile"

# Debian's packages are unpacked and not installed: an installed one would start a daemon for the whole machine.
find_docker() {
    PATH=$folder/engine/usr/bin:$folder/engine/usr/sbin:$PATH:/usr/sbin:/sbin
    ! command -v dockerd >/dev/null || return 0
    mkdir "$folder/packages"
    (cd "$folder/packages" && apt-get -qq -o APT::Sandbox::User=root download docker.io containerd runc) || return
    for package in "$folder/packages"/*; do dpkg -x "$package" "$folder/engine" || return; done
}

# As PID 1: the daemon. It may change this network, which has no way out.
daemon() {
    set -e
    mount -t proc proc /proc
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir /sys/fs/cgroup/daemon # a group with processes of its own takes no limits for others
    echo 1 >/sys/fs/cgroup/daemon/cgroup.procs
    mount -t tmpfs tmpfs /run
    ip link set lo up
    export TMPDIR=$1
    exec dockerd --data-root "$1/docker" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/sock" --storage-driver vfs
}

docker() { command docker --host "unix://$folder/sock" --config "$folder/config" "$@"; }

# The value of a template for the container.
state() { docker inspect --format "$1" "$container"; }

# The command in README that begins with these words.
readme() { grep -o "\`$1 [^\`]*\`" README.md | tr -d '\`'; }

# Runs README's command in this folder, in the background and with these flags too, until it answers.
run() {
    local command=$1 within=$2
    shift 2
    container=$(cd "$within" && eval "docker run --detach \"\$@\" ${command#docker run }")
    for _ in $(seq 100); do
        answer=$("${inside[@]}" curl -fsS http://127.0.0.1:8080/ 2>/dev/null) && return
        sleep 0.05
    done
    fail "no answer: $(docker logs "$container" 2>&1)"
}

# SIGTERM to PID 1. Docker would wait 10 s before it kills.
stop() {
    local since took
    since=$(date +%s%N)
    docker stop "$container" >/dev/null
    took=$((($(date +%s%N) - since) / 1000000))
    [ $took -lt 4000 ] || fail "docker stop took $took ms"
    [ "$(state '{{.State.ExitCode}}')" = 0 ] || fail "docker stop: exit code $(state '{{.State.ExitCode}}')"
}

try_docker() {
    local number wanted build commands
    build=$(readme "docker build")
    mapfile -t commands < <(readme "docker run") # with the files of the image, and with those of a folder
    [ ${#commands[@]} = 2 ] || fail "README has ${#commands[@]} commands that run it"
    (cd "$folder/context" && $build) >"$folder/log" 2>&1 || fail "$(cat "$folder/log")"
    run "${commands[0]}" "$folder/context"
    [ "$answer" = hello ] || fail "it answers $answer"
    stop

    run "${commands[1]}" "$folder/elsewhere" $(readme -e) --security-opt no-new-privileges --health-interval 1s
    [ "$answer" = other ] || fail "with another folder, it answers $answer"
    answer=$("${inside[@]}" curl -fsS http://127.0.0.1:8080/docs/)
    grep -q "<h1>/docs/</h1>" <<<"$answer" || fail "with $(readme -e), it answers $answer"
    for _ in $(seq 100); do
        [ "$(state '{{.State.Health.Status}}')" = starting ] || break
        sleep 0.1
    done
    [ "$(state '{{.State.Health.Status}}')" = healthy ] || fail "$(state '{{json .State.Health}}')"
    number=$(state '{{.State.Pid}}')
    for wanted in Uid:65534.65534.65534.65534 CapPrm:0+ CapEff:0+ NoNewPrivs:1; do
        "${inside[@]}" grep -qE "^${wanted/:/:[[:space:]]+}$" "/proc/$number/status" || fail "not $wanted"
    done
    stop
    echo "image: Docker $(docker version --format '{{.Server.Version}}') builds and runs it: with a folder; healthy;" \
        "as user 65534, without privileges, on a read-only root; docker stop ends it"
}

if ! can_enclose; then
    echo "image: Docker is left out, because only root can run it, in namespaces and a control group (cgroup2) of its own"
elif ! find_docker; then
    echo "image: Docker is left out, because it cannot be unpacked here"
else
    enclose "$folder/daemon" bash -c "$(declare -f daemon); daemon \"\$@\"" - "$folder"
    for _ in $(seq 200); do
        ! docker version >/dev/null 2>&1 || break
        kill -0 "$enclosing" 2>/dev/null || break
        sleep 0.1
    done
    if docker version >/dev/null 2>&1; then
        try_docker
    else
        echo "image: Docker is left out, because its daemon does not run here: $(tail -n 1 "$folder/daemon")"
    fi
fi

if [ "$(id -u)" != 0 ]; then
    echo "image: buildah is left out, because only root may unpack it here"
    exit
fi
if ! command -v buildah >/dev/null; then
    apt-get install -y -qq --no-install-recommends buildah >/dev/null 2>&1 || {
        echo "image: buildah is left out, because it cannot be installed here"
        exit
    }
fi
$buildah build --quiet --format docker --isolation chroot --tag site "$folder/context" >/dev/null
root=$($buildah mount "$($buildah from site)")
value() {
    $buildah inspect --type image site |
        python3 -c "import json, sys; config = json.load(sys.stdin)['Docker']['config']; print(*$1, sep='\n')"
}
mapfile -t variables < <(value "config['Env']")
mapfile -t command < <(value "config['Cmd']")
mapfile -t check < <(value "config['Healthcheck']['Test'][1:]")
user=$(value "[config['User']]")

chroot=(env -i "${variables[@]}" chroot "--userspec=$user" "$root")
PATH=$PATH:/usr/sbin unshare --net --pid --fork --kill-child sh -c 'ip link set lo up && exec "$@"' - \
    "${chroot[@]}" "${command[@]}" >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 200); do
    # PID 1 of its namespace is the only child of unshare.
    process=$(cat "/proc/$server/task/$server/children" 2>/dev/null) || true
    [ -z "$process" ] || ! grep -q listening "$folder/log" || break
    sleep 0.05
done
network=(nsenter --target "${process% }" --net)
"${network[@]}" "${chroot[@]}" "${check[@]}"
[ "$("${network[@]}" curl -fsS http://127.0.0.1:8080/)" = hello ]
kill "${process% }"
wait "$server"
server=
echo "image: $(du -sb "$root" | cut -f 1) bytes; built by buildah, it serves, its health check succeeds, and SIGTERM stops it"
