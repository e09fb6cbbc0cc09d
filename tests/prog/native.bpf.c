/* SPDX-License-Identifier: GPL-2.0-only */
/* Test runs hand XDP programs a device's own receive queue, as the generic hook does. Here the question which of the
 * two it is has the native hook's answer; linked in the place of offload.bpf.c, it lets the native hook's programs do
 * in a test run what they do on a driver. Neighbours: bpf/offload.bpf.c, world.c (loads it). */
#define offload_on_skb offload_on_skb_asked
#include "bpf/offload.bpf.c"
#undef offload_on_skb

int offload_on_skb(struct xdp_md *ctx);

int offload_on_skb(struct xdp_md *ctx)
{
	(void)ctx;
	return 0;
}
