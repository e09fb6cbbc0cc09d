/* SPDX-License-Identifier: GPL-2.0-only */
/* The only place that counts: drops by interface and reason, traffic by interface, packets by flow.
 * Called once per packet, at its end. Neighbours: egress.h. */
#ifndef GL_COUNT_H
#define GL_COUNT_H

#include "pkt.h"

static __always_inline void count_drop(const struct pkt *p)
{
	const struct gl_drops_key key = { .slot = p->in_slot, .reason = p->reason };
	struct gl_count_val *count = bpf_map_lookup_elem(&gl_drops, &key);

	if (!count) {
		const struct gl_count_val zero = {};

		bpf_map_update_elem(&gl_drops, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&gl_drops, &key);
		if (!count)
			return;
	}
	count->packets++;
	count->bytes += p->len;
}

static __always_inline void count_received(const struct pkt *p)
{
	struct gl_traffic_val *traffic = bpf_map_lookup_elem(&gl_traffic, &p->in_slot);

	if (!traffic)
		return;
	traffic->from_guest.packets++;
	traffic->from_guest.bytes += p->len;
}

static __always_inline void count_sent(__u32 slot, __u32 len)
{
	struct gl_traffic_val *traffic = bpf_map_lookup_elem(&gl_traffic, &slot);

	if (!traffic)
		return;
	traffic->to_guest.packets++;
	traffic->to_guest.bytes += len;
}

static __always_inline void count_flow(const struct pkt *p, struct gl_flow_val *flow)
{
	__sync_fetch_and_add(&flow->packets, 1);
	__sync_fetch_and_add(&flow->bytes, p->l3_len);
	if (flow->last_seen != p->now)
		flow->last_seen = p->now;
}

#endif
