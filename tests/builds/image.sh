#!/usr/bin/env bash
# Builds README's container image with buildah, and runs what the image names in a chroot of its files, as
# its user and with its variables, in a network of its own. tests/builds/image.sh
set -eu
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
    echo "image: left out, because only root may unpack it here"
    exit
fi
if ! command -v buildah >/dev/null; then
    apt-get install -y -qq --no-install-recommends buildah >/dev/null 2>&1 || {
        echo "image: left out, because buildah cannot be installed here"
        exit
    }
fi

folder=$(mktemp -d)
server=
buildah="buildah --root $folder/images --runroot $folder/run --storage-driver vfs"
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; $buildah rm --all >/dev/null; rm -rf "$folder"' EXIT
mkdir -p "$folder/context/target/static" "$folder/context/public"
cp target/static/openkitchen-small "$folder/context/target/static"
echo hello >"$folder/context/public/index.html"
awk '/^```dockerfile/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$folder/context/Dockerfile"
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

inside=(env -i "${variables[@]}" chroot "--userspec=$user" "$root")
PATH=$PATH:/usr/sbin unshare --net --pid --fork --kill-child sh -c 'ip link set lo up && exec "$@"' - \
    "${inside[@]}" "${command[@]}" >"$folder/log" 2>&1 &
server=$!
for _ in $(seq 200); do
    # PID 1 of its namespace is the only child of unshare.
    process=$(cat "/proc/$server/task/$server/children" 2>/dev/null) || true
    [ -z "$process" ] || ! grep -q listening "$folder/log" || break
    sleep 0.05
done
network=(nsenter --target "${process% }" --net)
"${network[@]}" "${inside[@]}" "${check[@]}"
[ "$("${network[@]}" curl -fsS http://127.0.0.1:8080/)" = hello ]
kill "${process% }"
wait "$server"
server=
echo "image: $(du -sb "$root" | cut -f 1) bytes; built by buildah, it serves, its health check succeeds, and SIGTERM stops it"
