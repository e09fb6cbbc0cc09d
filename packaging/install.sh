#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Installs what `make` has built, or takes it away again: install.sh install|uninstall BUILD DESTDIR PREFIX
# The binary itself writes its man page and completion.
set -euo pipefail

if [ $# != 4 ]; then
	sed -n '3s/^# //p' "$0" >&2
	exit 2
fi
action=$1 build=$2 root=$3$4
top=$(cd "$(dirname "$0")/.." && pwd)

bin=$root/bin/guestlane
man=$root/share/man/man8/guestlane.8
completion=$root/share/bash-completion/completions/guestlane
doc=$root/share/doc/guestlane # all of the folder is ours

do_install() {
	install -D -m 0755 "$build/guestlane" "$bin"
	install -d "$(dirname "$man")" "$(dirname "$completion")" "$doc"
	"$build/guestlane" help --man | install -m 0644 /dev/stdin "$man"
	"$build/guestlane" help --completion bash | install -m 0644 /dev/stdin "$completion"
	local file
	for file in "$top"/README.md "$top"/LICENSE* "$top"/docs/*.md "$top"/docs/*.json; do
		[ ! -f "$file" ] || install -m 0644 "$file" "$doc/"
	done
	for file in "$top"/examples/*; do
		[ ! -f "$file" ] || install -D -m 0644 -t "$doc/examples" "$file"
	done
}

do_uninstall() {
	rm -f "$bin" "$man" "$completion"
	rm -rf "$doc"
}

case $action in
install) do_install ;;
uninstall) do_uninstall ;;
*)
	echo "install.sh: install or uninstall, not '$action'" >&2
	exit 2
	;;
esac
