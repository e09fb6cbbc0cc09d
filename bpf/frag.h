/* SPDX-License-Identifier: GPL-2.0-only */
/* IPv4 fragments follow their first one: it leaves its ports behind, the others pick them up.
 * Neighbours: parse.h (p->frag), flow.h (what the ports are for). */
#ifndef GL_FRAG_H
#define GL_FRAG_H

#include "pkt.h"

static __always_inline enum step stage_fragment(struct pkt *p)
{
	struct gl_frag4_key key = {
		.src_be = p->src_be,
		.dst_be = p->dst_be,
		.id_be = p->id_be,
		.scope = p->scope,
		.proto = p->proto,
	};

	if (p->frag == FRAG_HEAD) {
		struct gl_frag4_locked val = { .sport_be = p->sport_be, .dport_be = p->dport_be, .seen = p->now };

		bpf_map_update_elem(&gl_frag4, &key, &val, BPF_ANY);
	} else if (p->frag == FRAG_TAIL) {
		struct gl_frag4_locked *val = bpf_map_lookup_elem(&gl_frag4, &key);

		if (!val || p->now - val->seen > GL_SECONDS_FRAGMENT)
			return drop(p, GL_DROP_FRAGMENT_NO_HEAD);
		p->sport_be = val->sport_be;
		p->dport_be = val->dport_be;
	}
	return STEP_NEXT;
}

#endif
