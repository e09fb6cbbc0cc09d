/* SPDX-License-Identifier: GPL-2.0-only */
/* Which address and port does a new flow get? Public destinations to guests, guests' sources to public addresses.
 * A port is free when the key of its answers is: taking it and writing the answers' entry are one step.
 * Neighbours: route.h (has found where it goes), leg.h (writes the opener's entry). */
#ifndef GL_NAT_H
#define GL_NAT_H

#include <linux/errno.h>

#include "flow.h"
#include "opening.h"
#include "route.h"

/* From the uplink: whom does the public address mean? STEP_PASS: the host. */
static __always_inline enum step nat_destination(struct pkt *p, struct opening *o, __u16 uplink)
{
	struct gl_addr4_val *addr = public_lookup(p, o->key.dst_be, GL_BLOCK_WHOLE, uplink);
	enum step step;

	if (!addr)
		return STEP_PASS;
	if (addr->flags & GL_ADDR_F_FLOATING) {
		step = target_port(p, o, addr->slot, true);
		o->val.new_dst_be = addr->inner_be;
		o->val.flags |= GL_FLOW_F_REWRITE;
		o->asked_for = 1;
		return step;
	}
	if (addr->flags & GL_ADDR_F_ROUTED)
		return target_port(p, o, addr->slot, true);
	if (addr->flags & GL_ADDR_F_FORWARD) {
		struct gl_forward4_val *forward =
			forward_lookup(p, o->key.dst_be, o->key.dport_be, o->key.proto, uplink);

		if (forward) {
			step = target_port(p, o, forward->slot, true);
			o->val.new_dst_be = forward->inner_be;
			o->val.new_dport_be = forward->inner_port_be;
			o->val.flags |= GL_FLOW_F_REWRITE;
			o->asked_for = 1;
			return step;
		}
	}
	if (addr->flags & GL_ADDR_F_HOST)
		return STEP_PASS;
	return drop(p, GL_DROP_NO_FLOW);
}

struct port_search {
	__u32 tenant;
	__u16 min;
	__u16 count;
	__u16 offset;
	__u8 query; /* ICMP: the identifier is what is translated */
	__u8 found;
	__u8 full;
};

/* One candidate. The loop's context is small, as the opening flow is found again per CPU. */
static long nat_try_port(__u32 i, struct port_search *search)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	void *table = flow_table(search->tenant);
	__be16 port_be;

	if (!o || !table)
		return 1;
	port_be = bpf_htons(search->min + (search->offset + i) % search->count);
	o->val.new_sport_be = port_be;
	o->peer_key.dport_be = port_be;
	switch (flow_insert(table, &o->peer_key, &o->peer_val)) {
	case 0:
		search->found = 1;
		return 1;
	case -EEXIST:
		return 0;
	default:
		search->full = 1;
		return 1;
	}
}

static __always_inline bool pool_holds(const struct gl_pool4 *pool, __be32 addr_be, __be16 port_be)
{
	const __u16 port = bpf_ntohs(port_be);

	return pool->addr_be == addr_be && port >= pool->port_min && port <= pool->port_max;
}

/* The source of a flow that leaves by the uplink. Sets val.new_*; *written tells that the answers' entry stands. */
static __always_inline enum step nat_source(struct pkt *p, struct opening *o, const struct gl_port_val *in,
					    const struct gl_flow4_val *old, bool *written)
{
	struct gl_network_val *network;
	struct port_search search = { .tenant = o->tenant };
	__u32 pick;

	if (in->mode != GL_MODE_NAT)
		return STEP_NEXT;
	o->val.flags |= GL_FLOW_F_REWRITE;
	o->peer_val.flags |= GL_FLOW_F_REWRITE;
	if (in->floating_be && o->key.src_be == in->addr_be[0]) {
		o->val.new_src_be = in->floating_be;
		return STEP_NEXT;
	}
	/* SCTP's CRC covers its ports and is no sum that could be mended. */
	if (o->key.proto != IPPROTO_TCP && o->key.proto != IPPROTO_UDP && !o->echo)
		return drop(p, GL_DROP_NAT_PROTOCOL);
	network = network_by_index(in->network, p->side);
	if (!network || !network->pool_count)
		return drop(p, GL_DROP_MAP_MISSING);

	/* A mapping that was valid and still is stays as it is. */
	if (old && (old->flags & GL_FLOW_F_REWRITE)) {
		for (__u32 i = 0; i < GL_NET_POOL; i++) {
			if (i < network->pool_count &&
			    pool_holds(&network->pool[i], old->new_src_be, old->new_sport_be)) {
				o->val.new_src_be = old->new_src_be;
				o->val.new_sport_be = old->new_sport_be;
				return STEP_NEXT;
			}
		}
	}
	/* RFC 4787 REQ-2: one guest, one public address. */
	pick = (bpf_ntohl(o->key.src_be) * 0x9e3779b1u >> 16) % network->pool_count;
	if (pick >= GL_NET_POOL)
		return drop(p, GL_DROP_MAP_MISSING);
	o->val.new_src_be = network->pool[pick].addr_be;
	o->peer_key.dst_be = o->val.new_src_be;
	search.min = network->pool[pick].port_min;
	search.count = network->pool[pick].port_max - search.min + 1;
	if (!search.count)
		search.count = 0xffff;
	/* RFC 6056: a random place to begin */
	search.offset = bpf_get_prandom_u32() % search.count;
	bpf_loop(search.count, nat_try_port, &search, 0);
	if (search.full)
		return flow_refuse(p, o->tenant);
	if (!search.found)
		return drop(p, GL_DROP_NAT_EXHAUSTED);
	*written = true;
	return STEP_NEXT;
}

#endif
