/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs of XDP's generic hook as one object; see ctx_xdp.h for why they are not those of xdp.bpf.c. */
#include "from_guest.bpf.h"
#include "from_uplink.bpf.h"
