# For the scripts beside it, which source it: runs a program as PID 1 of namespaces of its own (processes,
# mounts, network, control groups). All that it starts ends with it, and nothing outside changes.

# Whether this system allows it. Makes the control group.
can_enclose() {
    local mounted
    [ "$(id -u)" = 0 ] && mounted=$(findmnt -n -t cgroup2 -o TARGET | head -n 1) && [ -n "$mounted" ] || return
    enclosed_group=$mounted$(sed -n 's/^0:://p' /proc/self/cgroup)/openkitchen-$$
    mkdir "$enclosed_group" 2>/dev/null && (unshare_all true 2>/dev/null)
}

# Takes the place of the shell.
unshare_all() {
    exec sh -c 'echo $$ >"$0/cgroup.procs" &&
        exec unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child "$@"' "$enclosed_group" "$@"
}

# enclose LOG COMMAND...: starts it, and sets `inside`, the words before a command that is to run there too.
# It comes after `can_enclose`.
enclose() {
    local log=$1
    shift
    unshare_all "$@" >"$log" 2>&1 </dev/null &
    enclosing=$!
    # PID 1 of the namespaces is the only child of unshare.
    for _ in $(seq 200); do
        enclosed=$(cat "/proc/$enclosing/task/$enclosing/children" 2>/dev/null) || break
        [ -z "$enclosed" ] || [ "$(cat "/proc/$enclosing/comm")" != unshare ] || break
        sleep 0.05
    done
    enclosed=${enclosed% }
    inside=(nsenter --target "$enclosed" --all)
}

# Ends what `enclose` has started, and removes its control groups.
release() {
    [ -z "${enclosed:-}" ] || kill -KILL "$enclosed" 2>/dev/null || true
    [ -z "${enclosing:-}" ] || wait "$enclosing" 2>/dev/null || true
    for _ in $(seq 100); do
        [ -d "${enclosed_group:-}" ] || return 0
        find "$enclosed_group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
        sleep 0.05
    done
} 2>/dev/null # bash would report what was killed
