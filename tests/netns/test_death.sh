#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Is apply all or nothing, whatever happens on the way, and does the next command clean up?
# Steps of an apply are numbered; GUESTLANE_DIE_AT=N kills the command at the N-th, GUESTLANE_FAIL_AT=N fails it there.
# test_death.sh BUILD [PART]: an apply mostly waits for the kernel, so that all parts run at once, each on its own host.
# Neighbours: lib.sh, apply.sh (host and definitions), test_apply.sh, loader/apply.c.
parts=(forward back failed first)

if [ $# -lt 2 ]; then
	logs=$(mktemp -d "${TMPDIR:-/tmp}/glt-XXXXXX")
	declare -A pids=()
	trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$logs"' EXIT
	for part in "${parts[@]}"; do
		"$0" "${1:-build}" "$part" >"$logs/$part" 2>&1 &
		pids[$part]=$!
	done
	status=0 total=(0 0 0)
	for part in "${parts[@]}"; do
		wait "${pids[$part]}" || status=1
		sed '$d' "$logs/$part"
		read -r p _ f _ s _ < <(tail -n 1 "$logs/$part" | tr -d ,)
		if ! [[ "$p $f $s" =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]]; then
			tail -n 1 "$logs/$part"
			echo "FAIL  $part did not come to its end"
			p=0 f=1 s=0
		fi
		total=($((total[0] + p)) $((total[1] + f)) $((total[2] + s)))
	done
	echo "${total[0]} passed, ${total[1]} failed, ${total[2]} skipped"
	exit $status
fi

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/apply.sh"
part=$1

must() { "$@" >"$W/out" 2>&1 || fails "$*"; }

must gl apply "$W/before.yaml"
shape >"$W/before"
entries >"$W/before.entries"
must gl apply "$W/after.yaml"
shape >"$W/after"
entries >"$W/after.entries"
must gl apply "$W/before.yaml"

# dies N: whether an apply of the other definition has an N-th step, at which it was killed.
dies() {
	GUESTLANE_DIE_AT=$1 gl apply "$W/after.yaml" >"$W/out" 2>&1
	local status=$?
	[ "$status" = 137 ] && return
	[ "$status" = 0 ] || fails "step $1: status $status"
	return 1
}

forward() {
	local n=1
	while dies $n; do
		ok "killed at step $n: before or after" either
		ok "killed at step $n: apply cleans up" gl apply "$W/after.yaml"
		ok "killed at step $n: clean" is_shape after
		must gl apply "$W/before.yaml"
		n=$((n + 1))
	done
	ok "an apply has $((n - 1)) steps, all of them survived" is_shape after
	ok "more than twenty steps" test "$n" -gt 21
}

back() {
	local n=1
	while dies $n; do
		ok "killed at step $n, then back: apply" gl apply "$W/before.yaml"
		ok "killed at step $n, then back: clean" is_shape before
		n=$((n + 1))
	done
	ok "more than twenty steps back" test "$n" -gt 21
}

# How many steps the apply of the other definition has, by halving.
steps() {
	local low=1 high=256 mid
	while [ $((high - low)) -gt 1 ]; do
		mid=$(((low + high) / 2))
		if dies $mid; then low=$mid; else high=$mid; fi
		must gl apply "$W/before.yaml"
	done
	last=$low
}

failed() {
	local n last
	steps
	for n in $(seq 1 "$last"); do
		if GUESTLANE_FAIL_AT=$n gl apply "$W/after.yaml" >"$W/out" 2>&1; then
			ok "failed at step $n, after the commit: apply cleans up" gl apply "$W/after.yaml"
			ok "failed at step $n: after" is_shape after
			must gl apply "$W/before.yaml"
		else
			ok "failed at step $n: before" is_shape before
		fi
	done
	ok "more than twenty steps that fail" test "$last" -gt 20
}

first() {
	ok "delete" gl delete --all
	for n in 1 2 3 4 5 6; do
		GUESTLANE_DIE_AT=$n gl apply "$W/before.yaml" >/dev/null 2>&1
	done
	ok "a first apply after several that died" gl apply "$W/before.yaml"
	ok "is complete" is_shape before
	for n in 1 2 3 4; do
		GUESTLANE_DIE_AT=$n gl delete --all >/dev/null 2>&1
	done
	ok "delete after several that died" gl delete --all
	ok "no pin is left by them" test ! -e "$W/bpf/gl"
	GUESTLANE_FAIL_AT=6 gl apply "$W/before.yaml" >/dev/null 2>&1
	ok "a first apply that fails leaves nothing" test ! -e "$W/bpf/gl"
	ok "but the operator's ports" test "$(reserved)" = "$(cat "$W/own")"
}

$part
finish
