#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Runs every fuzzer for a while: tests/fuzz/run.sh BUILD SECONDS. fuzz_NAME starts from tests/fuzz/corpus-NAME and
# tests/fuzz/NAME.dict where there are such; what it finds on the way stays in a folder that goes away with it.
# An input that makes one fail is printed, so that it can be kept as a test.
set -euo pipefail

build=${1:?usage: tests/fuzz/run.sh BUILD SECONDS}
seconds=${2:?usage: tests/fuzz/run.sh BUILD SECONDS}
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/guestlane-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

for fuzzer in "$build"/fuzz/fuzz_*; do
	[ -x "$fuzzer" ] || continue
	name=$(basename "$fuzzer")
	name=${name#fuzz_}
	mkdir -p "$work/$name/corpus"
	[ ! -d "$here/corpus-$name" ] || cp -r "$here/corpus-$name/." "$work/$name/corpus"
	options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=16384 -verbosity=0
		-print_final_stats=1 -artifact_prefix="$work/$name/")
	[ ! -f "$here/$name.dict" ] || options+=(-dict="$here/$name.dict")
	if nice -n 5 "$fuzzer" "${options[@]}" "$work/$name/corpus" >"$work/$name/log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name/log")
		printf 'ok   fuzz_%s: %s inputs\n' "$name" "${runs:-?}"
		passed=$((passed + 1))
	else
		printf 'FAIL fuzz_%s\n' "$name"
		tail -n 60 "$work/$name/log"
		for input in "$work/$name"/{crash,leak,oom,timeout,slow-unit}-*; do
			[ -f "$input" ] || continue
			printf 'the input, %s, in base64:\n' "$(basename "$input")"
			base64 "$input"
		done
		failed=$((failed + 1))
	fi
done
if [ $((passed + failed)) = 0 ]; then
	printf 'FAIL no fuzzers below %s/fuzz\n' "$build"
	failed=1
fi
printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ]
