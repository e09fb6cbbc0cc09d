# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Guests for tests: boot them, run commands in them, put them away. To be sourced; set BUILD before.
# Neighbours: image.sh (what they boot), init (the agent inside), agent.py (the wire to it).

GUEST_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GUEST_DIR=${GUEST_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/guestlane-guests.XXXXXX")}
declare -A GUEST_PID=()

# guest_boot NAME NETNS VERSION MEMORY-MIB TAP=MAC[,QUEUES]...: starts a guest whose NICs are existing taps of NETNS.
guest_boot() {
	local name=$1 netns=$2 version=$3 memory=$4 image=$BUILD/guest/$3 nic tap mac queues id=0 cpus=${GUEST_CPUS:-1}
	local -a nics=()
	shift 4
	for nic in "$@"; do
		tap=${nic%%=*} mac=${nic#*=} queues=1
		case $mac in *,*) queues=${mac#*,} mac=${mac%,*} ;; esac
		local backend="tap,id=n$id,ifname=$tap,script=no,downscript=no,vhost=off"
		local device="virtio-net-pci,netdev=n$id,mac=$mac,romfile="
		if [ "$queues" -gt 1 ]; then
			backend+=",queues=$queues" device+=",mq=on,vectors=$((2 * queues + 2))" cpus=$queues
		fi
		nics+=(-netdev "$backend" -device "$device")
		id=$((id + 1))
	done
	ip netns exec "$netns" qemu-system-x86_64 -name "$name" -accel tcg -machine q35 -cpu max -smp "$cpus" \
		-m "$memory" -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$image/vmlinuz" -initrd "${GUEST_INITRD:-$image/base.cpio}" \
		-append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off tsc=reliable no_timer_check \
random.trust_cpu=on rdinit=/init gl.name=$name ${GUEST_APPEND:-}" \
		-serial "file:$GUEST_DIR/$name.console" -device virtio-rng-pci \
		-device virtio-serial-pci -chardev "socket,id=agent,path=$GUEST_DIR/$name.agent,server=on,wait=off" \
		-device virtconsole,chardev=agent "${nics[@]}" </dev/null >"$GUEST_DIR/$name.qemu" 2>&1 9>&- &
	GUEST_PID[$name]=$!
}

# guest_run NAME COMMAND [SECONDS]: the command's output and status; 124: no answer in time.
guest_run() {
	flock "$GUEST_DIR/$1.lock" "$GUEST_HERE/agent.py" "$GUEST_DIR/$1.agent" "${3:-30}" "$2"
}

# guest_ready NAME [SECONDS]: waits for its agent; shows its console when it never answers.
guest_ready() {
	local end=$((SECONDS + ${2:-60}))
	while [ "$SECONDS" -lt "$end" ] && kill -0 "${GUEST_PID[$1]}" 2>/dev/null; do
		guest_run "$1" true 60 && return 0
	done
	echo "guest $1 did not come up:" >&2
	tail -n 20 "$GUEST_DIR/$1.qemu" "$GUEST_DIR/$1.console" >&2
	return 1
}

guest_stop() {
	[ -n "${GUEST_PID[$1]:-}" ] || return 0
	kill "${GUEST_PID[$1]}" 2>/dev/null
	wait "${GUEST_PID[$1]}" 2>/dev/null
	unset "GUEST_PID[$1]"
}

# Leaves GUEST_DIR with the consoles to the caller.
guest_stop_all() {
	local name
	for name in "${!GUEST_PID[@]}"; do
		kill "${GUEST_PID[$name]}" 2>/dev/null
	done
	for name in "${!GUEST_PID[@]}"; do
		guest_stop "$name"
	done
}
