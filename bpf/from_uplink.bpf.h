/* SPDX-License-Identifier: GPL-2.0-only */
/* On ingress of an uplink: takes what is for guests, leaves everything else to the host. */
#ifndef GL_FROM_UPLINK_BPF_H
#define GL_FROM_UPLINK_BPF_H

#include "hook.h"

#include "pipeline.h"

GL_ENTRY(from_uplink)
{
	struct way way = {};
	struct pkt *p = pkt_new();

	return p ? finish(ctx, p, &way, uplink_verdict(p, from_uplink(ctx, p, &way))) : CTX_DROP;
}

#endif
