#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Runs the suites and adds them up: run.sh BUILD [LEVEL|LEVEL/SUITE]..., all levels by default, in this order:
#   unit   no privileges        prog   BPF programs on crafted packets    netns   hosts in namespaces
#   guest  real QEMU guests     fuzz   every parser for a few seconds      bench   a smoke run
# A suite ends with a line `N passed, N failed, N skipped` (or cmocka's own) and a status other than 0 when it failed.
# A line that begins with "skip" is the reason of a skip. Logs are kept below BUILD/logs.
# Two lanes take suites from one list, as these share nothing: GL_LANES=1 runs one after the other.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
[ $# -ge 1 ] || { sed -n '3,7s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1" || exit 2
build=$(cd "$1" && pwd)
shift
wanted=("$@")
declare -A bound=([unit]=300 [prog]=900 [netns]=900 [guest]=2400 [fuzz]=600 [bench]=600)
passed=0 failed=0 skipped=0 suites=0
used=" "
results=$build/logs/results
mkdir -p "$build/logs" && : >"$results" || exit 2

bold='' red='' green='' off=''
if [ -t 1 ]; then
	bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' off=$'\e[0m'
fi

is_wanted() {
	local level=$1 name=$2 w
	[ ${#wanted[@]} -gt 0 ] || return 0
	for w in "${wanted[@]}"; do
		case $w in
		"$level" | "$level/$name" | "$level/${name%.*}")
			used+="$w "
			return 0
			;;
		esac
	done
	return 1
}

# "passed failed skipped" of a log; nothing when it has no closing line.
counts() {
	awk '
		/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { line = $1 " " $3 " " $5 }
		/^\[  PASSED  \] [0-9]+ test\(s\)/ { p += $4; cmocka = 1 }
		/^\[  FAILED  \] [0-9]+ test\(s\)/ { f += $4; cmocka = 1 }
		/^\[  SKIPPED \] [0-9]+ test\(s\)/ { s += $4; cmocka = 1 }
		END { if (line) print line; else if (cmocka) print p + 0, f + 0, s + 0 }
	' "$1"
}

# suite LEVEL NAME COMMAND...: runs it and tells how it went.
suite() {
	local level=$1 name=$2 log=$build/logs/$1/$2.log start status line p f s verdict color
	shift 2
	mkdir -p "$build/logs/$level"
	start=${EPOCHREALTIME/./}
	timeout -k 20 "${bound[$level]}" "$@" >"$log" 2>&1 </dev/null
	status=$?
	line=$(counts "$log")
	read -r p f s <<<"${line:-0 0 0}"
	verdict=ok
	if [ "$status" = 124 ] || [ "$status" = 137 ]; then
		verdict="FAILED: not done after ${bound[$level]} s"
	elif [ -z "$line" ]; then
		verdict="FAILED: no closing line, status $status"
	elif [ "$status" != 0 ] || [ "$f" != 0 ]; then
		verdict="FAILED: status $status"
	elif [ $((p + s)) = 0 ]; then
		verdict="FAILED: ran nothing"
	fi
	[ "$verdict" = ok ] || [ "$f" != 0 ] || f=1
	color=$green
	[ "$verdict" = ok ] || color=$red
	printf '%-34s %5d passed %4d failed %4d skipped %7.1f s  %s%s%s\n' "$level/$name" "$p" "$f" "$s" \
		"$(((${EPOCHREALTIME/./} - start) / 100000))e-1" "$color" "$verdict" "$off"
	if [ "$s" != 0 ]; then
		grep -E '^([[:space:]]*skip|\[  SKIPPED \] [a-z_])' -i "$log" | sort -u | sed 's/^/    /'
	fi
	if [ "$verdict" != ok ]; then
		printf '%s---- the last of %s%s\n' "$bold" "$log" "$off"
		grep -aE '^(FAIL|not ok|\[  FAILED  \]|.*: (error|Error|ERROR): )' "$log" | tail -n 25 | sed 's/^/    /'
		tail -n "${TAIL:-40}" "$log" | sed 's/^/  | /'
		printf '%s----%s\n' "$bold" "$off"
	fi
	echo "$p $f $s" >>"$results"
}

namespaces() { ip netns list 2>/dev/null | awk '$1 ~ /^glt-/ { print $1 }' | sort; }

# Names of executables among the arguments, without directory.
executables() {
	local f
	for f in "$@"; do
		[ -f "$f" ] && [ -x "$f" ] && basename "$f"
	done
}

before=$(namespaces)

# ---- what is to be run ----------------------------------------------------------------------------------------------

# enlist LIST LEVEL NAME COMMAND...: a line of LIST, where it is wanted.
enlist() {
	local list=$1 IFS=$'\t'
	shift
	is_wanted "$1" "$2" || return 0
	printf '%s\n' "$*" >>"$list"
	suites=$((suites + 1))
}
kernels=$build/logs/list.kernels rest=$build/logs/list.rest
: >"$kernels" && : >"$rest" || exit 2
for name in $(executables tests/guest/test_kernel_*.sh); do enlist "$kernels" guest "$name" "tests/guest/$name" "$build"; done
for name in $(executables "$build"/unit/test_*); do enlist "$rest" unit "$name" "$build/unit/$name"; done
for name in $(executables tests/unit/test_*.sh tests/unit/test_*.py); do
	enlist "$rest" unit "$name" "tests/unit/$name" "$build"
done
for name in $(executables "$build"/prog_test "$build"/model_test); do enlist "$rest" prog "$name" "$build/$name"; done
for name in $(executables tests/netns/test_*); do enlist "$rest" netns "$name" "tests/netns/$name" "$build"; done
for name in $(executables tests/guest/test_*.sh); do
	case $name in test_kernel_*) ;; *) enlist "$rest" guest "$name" "tests/guest/$name" "$build" ;; esac
done
[ ! -x tests/fuzz/run.sh ] || enlist "$rest" fuzz run.sh tests/fuzz/run.sh "$build" 5
[ ! -x tests/bench/run ] || enlist "$rest" bench run tests/bench/run "$build" --smoke

# ---- lanes ----------------------------------------------------------------------------------------------------------

# The first line of a list, which is then no longer in it.
take() {
	(
		flock 8
		head -n 1 "$1"
		sed -i 1d "$1"
	) 8>"$results.lock"
}

# lane LIST...: runs what is left of the lists, one suite after the other.
lane() {
	local list line out
	local -a words
	for list; do
		while line=$(take "$list") && [ -n "$line" ]; do
			IFS=$'\t' read -ra words <<<"$line"
			[ "${words[0]}" != guest ] || echo "$(date +%T) guest/${words[1]} begins, which takes minutes"
			# In one piece: the other lane prints as well.
			out=$(suite "${words[@]}")
			printf '%s\n' "$out"
		done
	done
}

stop() {
	local pid
	for pid; do
		stop $(pgrep -P "$pid")
		kill "$pid" 2>/dev/null
	done
}
trap 'stop $(jobs -p)' EXIT
trap 'exit 130' INT TERM HUP
# Emulated kernels take longest, and one core each: both lanes begin with them, so that neither waits at the end.
lane "$kernels" "$rest" &
[ "${GL_LANES:-2}" = 1 ] || lane "$kernels" "$rest" &
wait
trap - EXIT INT TERM HUP

if [ "$(wc -l <"$results")" != "$suites" ]; then
	echo "run.sh: of $suites suites $(wc -l <"$results") came to an end" >&2
	failed=$((failed + 1))
fi
while read -r p f s; do
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done <"$results"

for w in ${wanted[@]+"${wanted[@]}"}; do
	case $used in
	*" $w "*) ;;
	*)
		echo "run.sh: no such level or suite: $w" >&2
		failed=$((failed + 1))
		;;
	esac
done
if [ "$suites" = 0 ]; then
	echo "run.sh: nothing was run" >&2
	failed=$((failed + 1))
fi
# New namespaces with nobody in them are ours, and nobody will take them away.
for name in $(comm -13 <(echo "$before") <(namespaces)); do
	if [ -z "$(ip netns pids "$name" 2>/dev/null)" ]; then
		echo "${red}left behind: network namespace $name$off"
		failed=$((failed + 1))
	fi
done

echo
printf '%s\n' "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
