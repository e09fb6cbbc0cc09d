/* SPDX-License-Identifier: GPL-2.0-only */
/* The sweeper without its timer: one walk of the tenant's table for each run, the tenant's index standing in bytes
 * 14..17 of the packet, host order. Neighbours: bpf/sweep.bpf.h, drive.c (runs it). */
#include "bpf/sweep.bpf.h"

#if !GL_IS_IPV6
SEC("tc") int sweep_now(struct __sk_buff *ctx)
{
	__u32 tenant = 0;
	struct gl_sweep_timer *sweep = sweep_asked(ctx, &tenant);

	if (!sweep)
		return TC_ACT_SHOT;
	sweep_tenant(&gl_sweep, &tenant, sweep);
	return TC_ACT_OK;
}
#endif
