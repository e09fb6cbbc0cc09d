/* SPDX-License-Identifier: GPL-2.0-only */
/* The order of stages, from both sides. A stage returns STEP_NEXT or how the packet ends; finish() carries that out.
 *
 *   from_guest    parse -> interface -> anti-spoof -> ARP | broadcast | fragment -> leg (flow, or route, policy, NAT)
 *   from_uplink   parse -> whose address or MAC is it? not ours: to the host, untouched -> leg
 *
 * A leg that ends at another public address of ours is followed by a second one, as if it came by the uplink. */
#ifndef GL_PIPELINE_H
#define GL_PIPELINE_H

#include "parse.h"

#include "antispoof.h"
#include "egress.h"
#include "frag.h"
#include "leg.h"
#include "neigh.h"
#include "port.h"
#if GL_IS_IPV6
#include "nd.h"
#endif
#include "related.h"

#define STAGE(call)                                                                                                    \
	do {                                                                                                           \
		enum step step_ = (call);                                                                              \
		if (step_ != STEP_NEXT)                                                                                \
			return step_;                                                                                  \
	} while (0)

/* Headers in one piece: XDP leaves frames in several to TC. */
static __always_inline enum step stage_linear(gl_ctx *ctx, const struct pkt *p)
{
	if (GL_IS_XDP && p->len != ctx_linear(ctx))
		return STEP_SLOW;
	return STEP_NEXT;
}

static __always_inline void remember_tuple(struct pkt *p)
{
	p->orig_src_be = p->src_be;
	p->orig_dst_be = p->dst_be;
	p->orig_sport_be = p->sport_be;
	p->orig_dport_be = p->dport_be;
	p->key_proto = p->proto;
}

/* Broadcast and multicast stay in the guest's own network; in a bridge network they also go out on its segment. */
static __always_inline enum step stage_broadcast(struct pkt *p, const struct gl_port_val *in)
{
	struct gl_network_val *network;

	if (!mac_is_multicast(p->dmac))
		return STEP_NEXT;
	network = network_by_index(in->network, p->side);
	if (!network)
		return drop(p, GL_DROP_MAP_MISSING);
	if (!(network->flags & GL_NET_F_BROADCAST) && !is_dhcp_request(p))
		return drop(p, GL_DROP_BROADCAST_OFF);
	if (!ip_is_multicast(&p->dst_be) && !ip_is_broadcast(&p->dst_be)) {
		bool own = false;

		for (__u32 i = 0; i < GL_NET_GATEWAYS; i++) {
			const gl_ip *mask = &net_gateway(network, i)->mask_be;

			if (ip_is_subnet_broadcast(&p->dst_be, mask) && ip_in_subnet(&p->dst_be, &p->src_be, mask))
				own = true;
		}
		if (!own)
			return drop(p, GL_DROP_BROADCAST_FOREIGN);
	}
	if (!policy_broadcast(p, in->policy, GL_EGRESS))
		return drop(p, GL_DROP_GROUP_EGRESS);
	p->repl_uplink = in->mode == GL_MODE_BRIDGE;
	return STEP_REPLICATE;
}

/* The public address that the packet is for, and through it the tenant. STEP_PASS: the host's own. */
static __always_inline enum step stage_public(struct pkt *p, const struct gl_addr_val *addr, __u16 uplink)
{
	struct gl_addr_val *block;

	if (!addr)
		return STEP_PASS;
	p->tenant = addr->tenant;
	p->gen = addr->gen;
	if (addr->flags & (GL_ADDR_F_FLOATING | GL_ADDR_F_ROUTED))
		return STEP_NEXT;
	if (addr->flags & GL_ADDR_F_FORWARD) {
		struct gl_forward_val *forward = forward_lookup(p, &p->dst_be, p->dport_be, p->key_proto, uplink);

		if (forward) {
			p->tenant = forward->tenant;
			p->gen = forward->gen;
			return STEP_NEXT;
		}
	}
	block = public_lookup(p, &p->dst_be, bpf_ntohs(p->dport_be) >> GL_NAT_BLOCK_SHIFT, uplink);
	if (block && (p->key_proto == IPPROTO_TCP || p->key_proto == IPPROTO_UDP || p->key_proto == PROTO_ICMP)) {
		p->tenant = block->tenant;
		p->gen = block->gen;
		return STEP_NEXT;
	}
	return addr->flags & GL_ADDR_F_HOST ? STEP_PASS : drop(p, GL_DROP_NO_FLOW);
}

/* A leg by one of our public addresses: from the uplink, or the second of a hairpin. */
static __always_inline enum step leg_public(struct pkt *p, const struct gl_addr_val *addr, __u16 uplink,
					    __u32 uplink_slot, struct gl_flow_val **flow)
{
	STAGE(stage_public(p, addr, uplink));
	p->scope = GL_SCOPE_UPLINK | uplink;
	p->leg_slot = uplink_slot;
	p->from_uplink = 1;
	return leg_run(p, flow);
}

static __always_inline enum step from_guest(gl_ctx *ctx, struct pkt *p, struct way *way)
{
	const struct gl_addr_val *addr;
	const struct gl_port_val *in;
	struct gl_flow_val *flow;
	enum step step;

	STAGE(stage_port(p, ctx_ifindex(ctx), &way->in));
	in = way->in;
	STAGE(parse_ethernet(ctx, p));
	if (in->kind != GL_PORT_GUEST)
		return drop(p, GL_DROP_NOT_CONFIGURED);
	STAGE(stage_antispoof_link(p, in));
	STAGE(stage_linear(ctx, p));
#if !GL_IS_IPV6
	if (p->ethertype_be == ETH_P_ARP_BE) {
		STAGE(parse_arp(ctx, p));
		STAGE(stage_antispoof_arp(p, in));
		return stage_neigh_from_guest(p, in);
	}
#endif
	STAGE(parse_ip(ctx, p, true));
#if GL_IS_IPV6
	STAGE(stage_nd_from_guest(ctx, p, in));
#endif
	if (p->frag != FRAG_TAIL && is_dhcp_request(p))
		STAGE(parse_dhcp(ctx, p));
	STAGE(stage_antispoof_ip(p, in));
	p->scope = in->network;
	if (p->frag)
		STAGE(stage_fragment(p));
	remember_tuple(p);
	STAGE(stage_broadcast(p, in));
	if (is_icmp_error(p))
		STAGE(stage_related(ctx, p));
	p->tenant = in->tenant;
	p->gen = in->gen;
	p->leg_slot = p->in_slot;
	step = leg_run(p, &way->flow);
	flow = way->flow;
	/* No verdict lets a guest's frame into the host's stack. */
	if (step == STEP_PASS)
		return drop(p, GL_DROP_HOST_ADDRESS);
	if (step != STEP_FORWARD || !flow || !(flow->flags & GL_FLOW_F_HAIRPIN))
		return step;

	way->first = flow;
	p->src_be = flow->new_src_be;
	p->dst_be = flow->new_dst_be;
	p->sport_be = flow->new_sport_be;
	p->dport_be = flow->new_dport_be;
	p->hairpin = 1;
	addr = public_lookup(p, &p->dst_be, GL_BLOCK_WHOLE, in->uplink);
	/* It was ours when the flow began. */
	if (!addr)
		return drop(p, GL_DROP_NO_FLOW);
	step = leg_public(p, addr, in->uplink, in->uplink_slot, &way->flow);
	flow = way->flow;
	if (step == STEP_PASS)
		return drop(p, GL_DROP_HOST_ADDRESS);
	if (step == STEP_FORWARD && flow && flow->flags & (GL_FLOW_F_HAIRPIN | GL_FLOW_F_TO_UPLINK))
		return drop(p, GL_DROP_HAIRPIN_LOOP);
	return step;
}

/* From the uplink. IPv6 reads its headers once, before it is known whom the frame is for: discovery may be for us. */
static __always_inline enum step parse_uplink(gl_ctx *ctx, struct pkt *p)
{
#if GL_IS_IPV6
	(void)ctx;
	return p->parsed;
#else
	return parse_ip(ctx, p, false);
#endif
}

/* Of a datagram to many: charged to the first one's tenant. Its tails follow to those who got the head; without one
 * they are the host's alone. */
static __always_inline enum step segment_fragment(struct pkt *p, const struct gl_port_val *in)
{
	const __u8 all[GL_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct gl_port_val *first = NULL;
	__u32 slot;
	enum step step;

	if (l2_lookup(p, p->repl_segment, all, &slot))
		first = port_by_slot(slot, p->side);
	if (!first)
		return STEP_PASS;
	p->tenant = first->tenant;
	p->scope = GL_SCOPE_UPLINK | in->uplink;
	step = stage_fragment(p);
	remember_tuple(p);
	return step == STEP_NEXT ? STEP_REPLICATE : step == STEP_DROP ? STEP_PASS : step;
}

/* A frame of a bridge network's segment, by its MAC. STEP_PASS: not of the segment. */
static __always_inline enum step from_segment(gl_ctx *ctx, struct pkt *p, struct way *way)
{
	const struct gl_port_val *in = way->in;
	const __u32 segment = GL_SEGMENT(in->uplink, p->vlan);
	struct gl_port_val *port;
	__u32 slot;

	if (!(in->flags & GL_PORT_F_SEGMENT))
		return STEP_PASS;
	if (mac_is_multicast(p->dmac)) {
		if (parse_uplink(ctx, p) != STEP_NEXT)
			return STEP_PASS;
		if (p->frag != FRAG_TAIL && is_dhcp_answer(p) && parse_dhcp(ctx, p))
			return STEP_PASS;
		p->repl_segment = segment;
		p->repl_host = 1;
		return p->frag ? segment_fragment(p, in) : STEP_REPLICATE;
	}
	if (!l2_lookup(p, segment, p->dmac, &slot))
		return STEP_PASS;
	port = port_by_slot(slot, p->side);
	if (!port)
		return drop(p, GL_DROP_MAP_MISSING);
	STAGE(parse_uplink(ctx, p));
	if (p->frag != FRAG_TAIL && is_dhcp_answer(p) && p->dport_be == bpf_htons(DHCP_CLIENT)) {
		p->out_slot = slot;
		p->out_ifindex = port->ifindex;
		return STEP_DELIVER;
	}
	p->scope = GL_SCOPE_UPLINK | in->uplink;
	if (p->frag)
		STAGE(stage_fragment(p));
	remember_tuple(p);
	if (is_icmp_error(p))
		STAGE(stage_related(ctx, p));
	p->tenant = port->tenant;
	p->gen = port->gen;
	p->leg_slot = p->in_slot;
	p->from_uplink = 1;
	p->bridged = 1;
	return leg_run(p, &way->flow);
}

/* What the pipeline refuses, the host may judge where the destination is, or may be, its own. */
static __always_inline enum step host_or(const struct pkt *p, const struct gl_port_val *in, enum step step)
{
	struct gl_addr_val *addr = public_lookup(p, &p->dst_be, GL_BLOCK_WHOLE, in->uplink);

	return addr && !(addr->flags & GL_ADDR_F_HOST) ? step : STEP_PASS;
}

static __always_inline enum step from_uplink(gl_ctx *ctx, struct pkt *p, struct way *way)
{
	const struct gl_addr_val *addr;
	const struct gl_port_val *in;
	enum step step;

	STAGE(stage_port(p, ctx_ifindex(ctx), &way->in));
	in = way->in;
	if (in->kind != GL_PORT_UPLINK)
		return STEP_PASS;
	STAGE(parse_ethernet(ctx, p));
	STAGE(stage_linear(ctx, p));
#if !GL_IS_IPV6
	if (p->ethertype_be == ETH_P_ARP_BE) {
		STAGE(parse_arp(ctx, p));
		return stage_neigh_from_uplink(p, in);
	}
#endif
	if (p->ethertype_be != ETH_P_OWN_BE || (GL_IS_IPV6 && !(in->flags & GL_PORT_F_IPV6)))
		return STEP_PASS;
#if GL_IS_IPV6
	if (!(in->flags & GL_PORT_F_SEGMENT) && !mac_is_multicast(p->dmac) && !mac_equal(p->dmac, in->mac))
		return STEP_PASS;
	p->parsed = parse_ip(ctx, p, false);
	if (!p->parsed)
		STAGE(stage_nd_from_uplink(ctx, p, in));
#endif
	step = from_segment(ctx, p, way);
	if (step != STEP_PASS || p->tagged || !mac_equal(p->dmac, in->mac))
		return step;
	step = parse_uplink(ctx, p);
	if (step)
		return host_or(p, in, step);
	addr = public_lookup(p, &p->dst_be, GL_BLOCK_WHOLE, in->uplink);
	if (!addr)
		return STEP_PASS;
	p->scope = GL_SCOPE_UPLINK | in->uplink;
	if (p->frag) {
		step = stage_fragment(p);
		/* Of a datagram that we know nothing of. */
		if (step)
			return step == STEP_DROP && p->reason != GL_DROP_FRAGMENT_OVERLAP ? host_or(p, in, step) : step;
	}
	remember_tuple(p);
	if (is_icmp_error(p) && stage_related(ctx, p)) {
		p->dst_be = p->orig_dst_be;
		return host_or(p, in, STEP_DROP);
	}
	step = leg_public(p, addr, in->uplink, p->in_slot, &way->flow);
	/* The host's own connections get errors too, also at ports of ours. */
	return step == STEP_DROP && p->reason == GL_DROP_ICMP_ERROR ? host_or(p, in, step) : step;
}

/* From the uplink, what cannot be read and what has no entry is the host's. */
static __always_inline enum step uplink_verdict(const struct pkt *p, enum step step)
{
	if (step == STEP_DROP &&
	    (p->reason == GL_DROP_RUNT || p->reason == GL_DROP_NOT_CONFIGURED || p->reason == GL_DROP_ARP_MALFORMED))
		return STEP_PASS;
	return step;
}

#endif
