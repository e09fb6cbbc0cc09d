/* SPDX-License-Identifier: GPL-2.0-only */
/* On ingress of a guest's interface: nothing a guest sends gets past it into the host's stack. */
#ifndef GL_FROM_GUEST_BPF_H
#define GL_FROM_GUEST_BPF_H

#include "hook.h"

#include "pipeline.h"

GL_ENTRY(from_guest)
{
	struct way way = {};
	struct pkt *p = pkt_new();

	return p ? finish(ctx, p, &way, from_guest(ctx, p, &way)) : CTX_DROP;
}

#endif
