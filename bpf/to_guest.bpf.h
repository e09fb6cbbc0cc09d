/* SPDX-License-Identifier: GPL-2.0-only */
/* On egress of a guest's interface: lets through what the other programs send there, and nothing of the host's own. */
#ifndef GL_TO_GUEST_BPF_H
#define GL_TO_GUEST_BPF_H

#include "hook.h"

#include "count.h"
#include "port.h"

SEC("tc") int to_guest_tc(struct __sk_buff *ctx)
{
	const struct gl_port_val *in;
	struct pkt *p;

	if (ctx->mark == GL_MARK) {
		ctx->mark = 0;
		return TC_ACT_UNSPEC;
	}
	p = pkt_new();
	if (!p)
		return TC_ACT_SHOT;
	p->len = ctx->len;
	stage_port(p, ctx->ifindex, &in);
	p->reason = GL_DROP_HOST_TO_GUEST;
	count_drop(p);
	return TC_ACT_SHOT;
}

#endif
