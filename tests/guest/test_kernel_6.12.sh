#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
# Everything on Debian 12's Linux 6.12, which attaches by tcx. Neighbour: kernel.sh.
exec "$(dirname "$0")/kernel.sh" "$1" 6.12 tcx
