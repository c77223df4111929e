# An engine has mounts and processes to itself, by namespaces: what it leaves is gone with its last process. What it shares
# with the machine is the network, so that its containers' ports can be reached, and the control groups.
# shellcheck shell=sh disable=SC2154  # busybox, bridge and the like are environment
before() {
    inside || return
    # The shims' sockets are always there, whoever their engine is.
    mkdir -p /run/containerd && "$busybox" mount -t tmpfs tmpfs /run/containerd || return
    links_end
    "$busybox" ip link add name "$bridge" type bridge &&
        "$busybox" ip addr add "$address" dev "$bridge" &&
        "$busybox" ip link set "$bridge" up
}

# Whether this is the engine's own namespace: `after` would end the machine's processes elsewhere.
inside() {
    inner=$(readlink /proc/self/ns/pid) && [ -n "$outside" ] && [ "$inner" != "$outside" ]
}

# The bridge, and those of networks that were made: with addresses of the engine's pool, or known to the engine.
links_end() {
    "$busybox" ip link delete "$bridge" 2>/dev/null
    "$busybox" ip -o -4 addr show | while read -r _ name _ of _; do
        case $name/$of in
        */"$pool".*) "$busybox" ip link delete "$name" ;;
        br-*) ! grep -aqs "${name#br-}" "$networks" || "$busybox" ip link delete "$name" ;;
        esac
    done
}

after() {
    inside || return
    # Everybody of this namespace but its first process and this one.
    kill -KILL -1
    links_end
    sleep 0.1
    find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} \;
}

