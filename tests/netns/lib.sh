# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# What the bash scenarios stand on: `. lib.sh BUILD` re-runs the script in private mount and PID namespaces, so that
# mounts, pins, network namespaces and processes are gone when it ends, in whatever way. Neighbour: gl.py, for Python.
#   ok TEXT COMMAND...      counts the command's success       no TEXT COMMAND...    counts its failure as success
#   netns NAME              a new namespace glt-NAME           in_ns NAME COMMAND... runs there
#   gl ARGS...              guestlane in glt-host with its own pins and state
#   finish                  the closing line, and the status
if [ -z "${GLT_WORLD:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 1; }
	GLT_WORLD=$(mktemp -d "${TMPDIR:-/tmp}/glt-XXXXXX")
	export GLT_WORLD
	trap 'rmdir "$GLT_WORLD"' EXIT
	unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
	exit
fi
trap - EXIT
BUILD=$(cd "${1:-build}" && pwd) || exit 2
shift
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs tmpfs "$GLT_WORLD"
mkdir "$GLT_WORLD/bpf"
mount -t bpf bpf "$GLT_WORLD/bpf"
passed=0 failed=0 skipped=0

netns() {
	ip netns add "glt-$1"
	nsenter --net="/run/netns/glt-$1" sh -c 'ip link set lo up
		echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null
}

in_ns() {
	local name=$1
	shift
	nsenter --net="/run/netns/glt-$name" "$@"
}

gl() { in_ns host "$BUILD/guestlane" --bpffs "$GLT_WORLD/bpf/gl" --state "$GLT_WORLD/state" "$@"; }

passes() {
	passed=$((passed + 1))
	echo "ok    $1"
}

fails() {
	failed=$((failed + 1))
	echo "FAIL  $1"
	sed 's/^/      /' "$GLT_WORLD/out"
}

ok() {
	local text=$1
	shift
	if "$@" >"$GLT_WORLD/out" 2>&1; then passes "$text"; else fails "$text"; fi
}

no() {
	local text=$1
	shift
	if "$@" >"$GLT_WORLD/out" 2>&1; then fails "$text"; else passes "$text"; fi
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
	exit
}
