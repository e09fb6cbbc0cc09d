/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs of XDP's generic hook as one object. Not those of xdp.bpf.c, as these have multi-buffer support: with it
 * the kernel copies the skb and forgets how long its Ethernet header is (Linux 6.18, skb_pp_cow_data()), so that TC
 * would see none. */
#include "from_guest.bpf.h"
#include "from_uplink.bpf.h"
