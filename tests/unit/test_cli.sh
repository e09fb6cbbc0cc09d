#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# The command line without privileges: arguments, exit statuses, check, man page, completion, install. test_cli.sh BUILD
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
gl=$(realpath "${1:?BUILD}")/guestlane
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0 skipped=0
unset NO_COLOR

pass() { passed=$((passed + 1)); }
fail() {
	failed=$((failed + 1))
	printf 'FAIL: %s\n' "$1"
	sed 's/^/    out: /' "$tmp/out" | head -n 5
	sed 's/^/    err: /' "$tmp/err" | head -n 5
}
# run ARGUMENT...: output in $tmp/out and $tmp/err, status in $status
run() {
	"$gl" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
}
# is WHAT CONDITION...
is() {
	local what=$1
	shift
	if "$@"; then pass; else fail "$what"; fi
}
out_has() { grep -qF -- "$1" "$tmp/out"; }
err_has() { grep -qF -- "$1" "$tmp/err"; }
# A usage error: status 2, nothing on standard output, every line begins as promised, and it says TEXT.
usage_error() {
	local text=$1
	shift
	run "$@"
	is "status 2: $*" [ "$status" = 2 ]
	is "no output: $*" [ ! -s "$tmp/out" ]
	is "every line begins with guestlane: $*" [ -z "$(grep -v '^guestlane: ' "$tmp/err")" ]
	is "says '$text': $*" err_has "$text"
}
# json PYTHON-EXPRESSION: true of `d`, the one document on standard output
json() {
	/usr/bin/python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
sys.exit(not eval(sys.argv[2]))' "$tmp/out" "$1" 2>>"$tmp/err"
}

cat >"$tmp/good.yaml" <<-'EOF'
	version: 1
	tenants:
	  - name: acme
	    networks:
	      - { name: lab, mode: isolated, subnets: [10.0.0.0/24] }
	    guests:
	      - name: one
	        interfaces:
	          - { tap: tap-1, mac: "52:54:00:00:00:01", network: lab, addresses: [10.0.0.11] }
	          - { tap: tap-2, mac: "52:54:00:00:00:02", network: lab, addresses: [10.0.0.12] }
EOF
printf 'version: 1\ncolour: red\ntenants: 5\n' >"$tmp/bad.yaml"

# ---- arguments
usage_error "unknown command 'shw'; did you mean 'show'?" shw
usage_error "unknown command 'xyzzy'" xyzzy
usage_error "unknown option '--tennant'; did you mean '--tenant'?" show flows --tennant acme
usage_error "unknown option '-x'" -x status
usage_error "'--json' takes no value" --json=1 status
usage_error "'--bpffs' needs a value" status --bpffs
usage_error "'--state' needs a value" status --state ''
usage_error "status takes no option '--tap'" status --tap tap-1
usage_error "check needs a FILE" check
usage_error "check needs a FILE" check -j
usage_error "did you mean 'flows'?" show flws
usage_error "show needs a word" show
usage_error "one word too many" show flows nat
usage_error "one word too many" status now
usage_error "show flows takes no option '--reasons'" show flows --reasons
usage_error "show nat takes no option '--proto'" show nat --proto tcp
usage_error "show drops takes no option '--group'" show drops --group web
usage_error "'tpc' is no protocol" show flows --proto tpc
usage_error "'256' is no protocol" show flows --proto 256
for address in 10.0.0 10.0.0.0/33 10.0.0.0/ /8 2001:db8::/129 2001:db8::1%eth0 :1 10.0.0.0.0.0.0.0.0.0.0; do
	usage_error "'--src': '$address' is no address or prefix" show flows --src "$address"
	usage_error "'--dst': '$address' is no address or prefix" flows delete --dst "$address"
done
for ports in 0 65536 80-79 80- -80 http 80-90-100; do
	usage_error "'--sport': '$ports' is no port" show flows "--sport=$ports"
	usage_error "'--dport': '$ports' is no port" flows delete "--dport=$ports"
done
usage_error "'openish' is not a list of states; there are new, assured, syn_sent" show flows --flow-state openish
usage_error "is not a list of states" show flows --flow-state established,
usage_error "flows needs a word" flows
usage_error "needs --all, or an option" flows delete
usage_error "either --all or options" flows delete --all --tenant acme
usage_error "flows takes no option '--reasons'" flows delete --reasons
usage_error "did you mean 'gl_port'?" dump gl_prot
usage_error "delete needs --all" delete
usage_error "delete needs --all" delete tenant
usage_error "either --all or a tenant" delete --all tenant acme
usage_error "not for 'fish'" help --completion fish
run
is "no command: status 2" [ "$status" = 2 ]
is "no command: the commands are listed" err_has "apply FILE..."
is "no command: nothing on standard output" [ ! -s "$tmp/out" ]

# ---- help: every command, from -h as from help
mapfile -t commands < <("$gl" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
is "eleven commands" [ "${commands[*]}" = "check plan apply delete status show flows advertise dump version help" ]
for command in "${commands[@]}"; do
	run help "$command"
	is "help $command" [ "$status" = 0 ]
	is "help $command has its usage" out_has "Usage: guestlane [OPTIONS] $command"
	is "help $command has an example" out_has "  guestlane "
	cp "$tmp/out" "$tmp/help"
	run "$command" --help
	is "$command --help says the same" cmp -s "$tmp/out" "$tmp/help"
	run -h "$command"
	is "-h $command says the same" cmp -s "$tmp/out" "$tmp/help"
done
run help xyzzy
is "help of an unknown command" [ "$status" = 2 ]
run --help
is "--help lists the commands" out_has "check FILE..."

# ---- version
run version
is "version" grep -qxE 'guestlane [0-9]+\.[0-9]+\.[0-9]+' "$tmp/out"
cp "$tmp/out" "$tmp/version"
run --version
is "--version" cmp -s "$tmp/out" "$tmp/version"
run -j version
abi=$(sed -n 's/^#define GL_ABI_VERSION \([0-9]*\)$/\1/p' maps/abi.h)
is "version -j" json "d['abi'] == $abi and d['version'] in open('$tmp/version').read()"
is "the default of max_flows is stated" json "d['limits']['max_flows_default'] == $(
	sed -n 's/^#define GL_FLOWS_DEFAULT \([0-9]*\).*/\1/p' maps/limits.h)"
while read -r macro value; do
	key=$(tr '[:upper:]' '[:lower:]' <<<"${macro#GL_}")
	case $macro in
	GL_FLOWS_DEFAULT) key=max_flows_default ;;
	GL_FLOWS_MAX) key=max_flows_limit ;;
	esac
	is "limit $macro is $value" json "d['limits']['$key'] == $value"
done < <(sed -n 's/^#define \(GL_[A-Z0-9_]*\) \([0-9][0-9]*\).*/\1 \2/p' maps/limits.h)
is "no limit beside those of limits.h" json "len(d['limits']) == $(grep -cE '^#define GL_[A-Z0-9_]+ [0-9]' maps/limits.h)"

# ---- check
run check "$tmp/good.yaml"
is "check: status" [ "$status" = 0 ]
is "check: sums up" [ "$(cat "$tmp/out")" = "$tmp/good.yaml: ok: 1 tenant, 1 network, 1 guest, 2 interfaces" ]
run check --json "$tmp/good.yaml"
is "check --json" json "d['errors'] == [] and d['interfaces'] == 2 and d['tenants'] == 1"
"$gl" check - <"$tmp/good.yaml" >"$tmp/out" 2>"$tmp/err"
is "check of standard input" [ $? = 0 ]
run check "$tmp/bad.yaml"
is "check: a bad definition is status 2" [ "$status" = 2 ]
is "check: nothing on standard output" [ ! -s "$tmp/out" ]
is "check: the place of the first error" err_has "$tmp/bad.yaml:2:1: error: "
is "check: the place of the second error" err_has "$tmp/bad.yaml:3:10: error: "
is "check: nothing but errors" [ -z "$(grep -vE '^[^:]*:[0-9]+:[0-9]+: error: ' "$tmp/err")" ]
for option in -j -p; do
	run check "$tmp/bad.yaml" $option
	is "check $option: status 2" [ "$status" = 2 ]
	is "check $option: two errors" json "len(d['errors']) == 2"
	is "check $option: with their places" json \
		"[(e['file'], e['line'], e['column']) for e in d['errors']] == [('$tmp/bad.yaml', 2, 1), ('$tmp/bad.yaml', 3, 10)]"
	is "check $option: with their words" json "all(e['message'] in open('$tmp/err').read() for e in d['errors'])"
done
run check "$tmp/missing.yaml"
is "check: a missing file is status 1" [ "$status" = 1 ]
is "check: a missing file is named" err_has "$tmp/missing.yaml"
is "check: errors begin with guestlane:" [ -z "$(grep -v '^guestlane: ' "$tmp/err")" ]
run -j check "$tmp/missing.yaml"
is "check -j: a failure without a place" json "len(d['errors']) == 1 and d['errors'][0]['line'] is None"
run apply "$tmp/bad.yaml" --bpffs "$tmp/bpf" --state "$tmp/state"
is "apply of a bad definition is status 2" [ "$status" = 2 ]
is "apply of a bad definition makes nothing" [ ! -e "$tmp/bpf" ]
is "apply of a bad definition makes no state" [ ! -e "$tmp/state" ]
run -j flows delete --all --bpffs "$tmp/bpf" --state "$tmp/state"
is "flows delete where nothing is" json "d == {'deleted': 0}"
is "flows delete makes no state" [ ! -e "$tmp/state" ]
run -j advertise --bpffs "$tmp/bpf" --state "$tmp/state"
is "advertise where nothing is" json "d == {'told': 0}"
run advertise --tenant none --bpffs "$tmp/bpf" --state "$tmp/state"
is "advertise says how many it told" out_has "0 interfaces told"
is "advertise makes no state" [ ! -e "$tmp/state" ]
usage_error "advertise takes no option '--proto'" advertise --proto tcp
usage_error "'now' is one word too many" advertise now
printf 'version: 1\n"\377\033": 1\n' >"$tmp/bytes.yaml"
run -j check "$tmp/bytes.yaml"
is "check: what is not UTF-8 still makes a document" json "len(d['errors']) >= 1"
is "check: no escape reaches the terminal" [ -z "$(grep -P '\x1b' "$tmp/err")" ]

# ---- what needs no host
run show drops --reasons
is "every drop reason is listed" [ "$(wc -l <"$tmp/out")" = "$(($(grep -c '^GL_DROP(' maps/drops.def) + 1))" ]
while IFS= read -r reason; do
	is "drop reason $reason" grep -qE "^$reason +[^ ]" "$tmp/out"
done < <(sed -n 's/^GL_DROP(\([A-Z0-9_]*\),.*/\1/p' maps/drops.def)
run -j show drops --reasons
is "reasons as JSON" json "len(d) == $(grep -c '^GL_DROP(' maps/drops.def) and d[0]['reason'] == 'NOT_CONFIGURED'"

# ---- readers that go, disks that are full
"$gl" show drops --reasons 2>"$tmp/err" | true
is "a reader that goes is no error" [ "${PIPESTATUS[0]}" = 0 ]
is "a reader that goes is not spoken of" [ ! -s "$tmp/err" ]
"$gl" -j show drops --reasons >/dev/full 2>"$tmp/err"
is "a full disk is an error" [ $? = 1 ]
is "a full disk is named" err_has "No space left on device"
is "no colors but on a terminal" [ -z "$("$gl" show drops --reasons | grep -P '\x1b')" ]

# ---- man page
run help --man
cp "$tmp/out" "$tmp/guestlane.8"
is "man page" [ "$status" = 0 ]
for command in "${commands[@]}"; do
	is "man page: $command" grep -q "^\.It Cm $command" "$tmp/guestlane.8"
done
for option in json pretty bpffs state help version all tenant network tap reasons proto src dst sport dport flow-state \
	group; do
	is "man page: --$option" grep -qE "^\.It.* Fl -$option( |\$)" "$tmp/guestlane.8"
done
is "man page: hidden options stay hidden" [ -z "$(grep -E 'Fl -(man|completion)' "$tmp/guestlane.8")" ]
if command -v mandoc >/dev/null; then
	# Whether this machine has the other pages is not our page's matter.
	mandoc -T lint "$tmp/guestlane.8" 2>&1 | grep -v 'mandoc.db\|referenced manual not found' >"$tmp/out"
	is "man page lints" [ ! -s "$tmp/out" ]
	mandoc -T ascii "$tmp/guestlane.8" >"$tmp/out" 2>"$tmp/err"
	is "man page renders" grep -q 'delete --all' <(col -b <"$tmp/out")
else
	skipped=$((skipped + 2))
	echo "skip: mandoc is not installed"
fi
# Every example of the man page is one that the command line takes.
while read -r example; do
	read -ra words <<<"$example"
	run "${words[@]:1}" --help
	is "example: $example" [ "$status" = 0 ]
done < <(sed -n 's/^\.Dl # //p' "$tmp/guestlane.8")

# ---- completion
run help --completion bash
cp "$tmp/out" "$tmp/completion"
is "completion is a script" bash -n "$tmp/completion"
# complete WORD...: what bash offers for the last one
complete_words() {
	bash -c 'cd "$1" || exit; . "$2"; shift 2; COMP_WORDS=(guestlane "$@"); COMP_CWORD=$#; COMPREPLY=()
_guestlane; printf "%s\n" "${COMPREPLY[@]}"' - "$tmp" "$tmp/completion" "$@" 2>>"$tmp/err" | sort | tr '\n' ' '
}
is "completion offers every command" [ "$(complete_words '')" = "$(printf '%s\n' "${commands[@]}" | sort | tr '\n' ' ')" ]
is "completion of a command" [ "$(complete_words st)" = "status " ]
is "completion after options" [ "$(complete_words -j --bpffs /tmp sta)" = "status " ]
is "completion of a subject" [ "$(complete_words show f)" = "flows " ]
is "completion of a subject, once" [ "$(complete_words show flows n)" = " " ]
is "completion of an option" [ "$(complete_words show flows --ta)" = "--tap " ]
is "completion knows whose an option is" [ "$(complete_words status --ta)" = " " ]
is "completion of what is done to flows" [ "$(complete_words flows d)" = "delete " ]
is "completion of a filter" [ "$(complete_words flows delete --d)" = "--dport --dst " ]
is "completion of a protocol" [ "$(complete_words flows delete --proto t)" = "tcp " ]
is "completion of a flow's state" [ "$(complete_words show flows --flow-state esta)" = "established " ]
is "completion of a tap" grep -qw lo <<<"$(complete_words show flows --tap l)"
is "completion of a map" [ "$(complete_words dump gl_por)" = "gl_port " ]
is "completion of a file" [ "$(complete_words check goo)" = "good.yaml " ]
for command in "${commands[@]}"; do
	is "completion of $command's options" grep -qw -- --json <<<"$(complete_words "$command" --)"
done

# ---- install and uninstall
packaging/install.sh install "$(dirname "$gl")" "$tmp/root" /usr >"$tmp/out" 2>"$tmp/err"
is "install" [ $? = 0 ]
for file in bin/guestlane share/man/man8/guestlane.8 share/bash-completion/completions/guestlane share/doc/guestlane; do
	is "install: $file" [ -e "$tmp/root/usr/$file" ]
done
is "install: man page" cmp -s "$tmp/root/usr/share/man/man8/guestlane.8" "$tmp/guestlane.8"
is "install: the binary runs" "$tmp/root/usr/bin/guestlane" check "$tmp/good.yaml" >/dev/null
packaging/install.sh uninstall "$(dirname "$gl")" "$tmp/root" /usr
is "uninstall leaves nothing" [ -z "$(find "$tmp/root" -type f)" ]
is "uninstall leaves no folder of ours" [ -z "$(find "$tmp/root" -name '*guestlane*')" ]

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
