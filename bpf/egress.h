/* SPDX-License-Identifier: GPL-2.0-only */
/* How a packet ends: the only redirect, and the one place that counts. Size, partial checksums, next hop, rewrite, tag.
 * Neighbours: pipeline.h (decides), rewrite.h and icmp.h (bytes), replicate.h (copies), count.h. */
#ifndef GL_EGRESS_H
#define GL_EGRESS_H

#include "count.h"
#include "frag.h"
#include "icmp.h"
#include "mss.h"
#include "parse.h"
#include "pkt.h"
#include "ra.h"
#include "rewrite.h"
#if !GL_IS_XDP
#include "replicate.h"
#endif

#define NEXT_HOP_SECONDS 2 /* until the kernel is asked again */
#define IFINDEX_LO 1 /* of every namespace; guestlane's setting there lets the kernel answer (loader/hardening.c) */
#define GL_AF (GL_IS_IPV6 ? 10 : 2) /* AF_INET6, AF_INET */

/* Does the transport checksum hold the pseudo-header sum alone, left for a device to complete? A finished one looks
 * the same once in 65,536 times and merely takes the slower road. */
static __always_inline bool checksum_is_partial(const struct pkt *p)
{
	__u32 sum;

	if (p->frag != FRAG_NONE)
		return false;
	if (p->proto == IPPROTO_SCTP)
		return true;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
		return false;
	sum = csum_add_ip(csum_add_ip(0, &p->orig_src_be), &p->orig_dst_be);
	sum = csum_add(sum, bpf_htons(p->proto));
	sum = csum_add(sum, bpf_htons(p->l4_len));
	return csum_fold(sum) == p->l4_csum;
}

static __always_inline enum step too_big(struct pkt *p, __u32 mtu)
{
#if GL_IS_IPV6
	p->error_type = ICMP_TOO_BIG;
	p->error_mtu = mtu < IP_MTU_MIN ? IP_MTU_MIN : mtu;
#else
	p->error_type = ICMP_UNREACH;
	p->error_code = ICMP_FRAG_NEEDED;
	p->error_mtu = mtu;
#endif
	return drop(p, GL_DROP_TOO_BIG);
}

static __always_inline enum step egress_size(gl_ctx *ctx, struct pkt *p, __u32 mtu)
{
	__u32 gso;

	if (p->l3_len <= mtu)
		return STEP_NEXT;
	if (GL_IS_XDP)
		return STEP_SLOW;
	gso = ctx_gso_size(ctx);
	if (gso && gso + (p->l4_off - p->l3_off) + p->l4_hlen <= mtu)
		return STEP_NEXT;
	return too_big(p, mtu);
}

/* The MAC addresses towards the outside, from the kernel's FIB and neighbour table, kept in the flow for a moment.
 * *resolve: the kernel has to find the neighbour, and keeps the packet meanwhile. A frame of its own on the stack,
 * which the opening of flows has not to share. */
static __noinline int egress_next_hop(gl_ctx *ctx, struct pkt *p, struct gl_flow_val *flow, bool *resolve)
{
	struct bpf_fib_lookup fib = {};
	long err;

	if (flow->nh_seen && p->now - flow->nh_seen < NEXT_HOP_SECONDS)
		return STEP_NEXT;
	fib.family = GL_AF;
	fib.l4_protocol = p->proto;
	fib.tot_len = 1; /* asks for the route's own MTU in TC too, and is never above it */
	fib.ifindex = IFINDEX_LO;
#if GL_IS_IPV6
	__builtin_memcpy(fib.ipv6_src, &flow->new_src_be, sizeof(gl_ip));
	__builtin_memcpy(fib.ipv6_dst, &flow->new_dst_be, sizeof(gl_ip));
#else
	fib.ipv4_src = flow->new_src_be;
	fib.ipv4_dst = flow->new_dst_be;
#endif
	err = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	switch (err) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		if (fib.ifindex == flow->out_ifindex) {
			mac_copy(flow->dmac, fib.dmac);
			mac_copy(flow->smac, fib.smac);
			if (fib.mtu_result)
				flow->mtu = fib.mtu_result;
			flow->nh_seen = p->now;
			return egress_size(ctx, p, flow->mtu);
		}
		break;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		break;
	default:
		return drop(p, GL_DROP_NO_ROUTE);
	}
	if (GL_IS_XDP)
		return STEP_SLOW;
	flow->nh_seen = 0;
	*resolve = true;
	return STEP_NEXT;
}

static __always_inline int egress_tag(gl_ctx *ctx, const struct pkt *p, __u16 push)
{
#if !GL_IS_XDP
	if (p->tagged && bpf_skb_vlan_pop(ctx))
		return -1;
	if (push && bpf_skb_vlan_push(ctx, ETH_P_8021Q_BE, push))
		return -1;
#else
	(void)ctx;
	(void)p;
	(void)push;
#endif
	return 0;
}

/* A SYN's announcement; see mss.h. */
static __noinline int egress_mss(gl_ctx *ctx, struct pkt *p, const struct gl_flow_val *flow,
				 const struct gl_flow_val *first, const struct gl_port_val *in)
{
	struct gl_flow_key peer_key;
	struct gl_flow_val *peer;
	__u32 back = in->mtu, limit;
	void *table;

	if (!(p->tcp_flags & TCP_SYN) || p->frag == FRAG_TAIL || p->related)
		return 0;
	/* The way to the outside may be narrower than the uplink: its flow has asked the kernel. */
	table = flow_table(p->tenant);
	if (flow->mss == GL_MSS_PATH && in->kind == GL_PORT_UPLINK && table) {
		flow_peer_key(flow, p->proto, &peer_key);
		peer = flow_lookup(table, &peer_key);
		if (peer)
			back = mss_min(back, peer->mtu);
	}
	limit = mss_limit(flow, back);
	if (first)
		limit = mss_min(limit, mss_limit(first, back));
	return limit < MSS_NONE ? GL_PROGRAM(mss_clamp)(ctx, p, limit) : 0;
}

/* By the flow. *action is set on STEP_NEXT. */
static __always_inline enum step egress_forward(gl_ctx *ctx, struct pkt *p, const struct way *way, int *action)
{
	struct gl_flow_val *flow = way->flow, *first = way->first;
	const bool to_uplink = flow->flags & (GL_FLOW_F_TO_UPLINK | GL_FLOW_F_BRIDGED);
	const __u16 push = flow->flags & GL_FLOW_F_BRIDGED ? flow->vlan : 0;
	const bool translate = (flow->flags & GL_FLOW_F_REWRITE) || (first && first->flags & GL_FLOW_F_REWRITE);
	bool resolve = false;
	enum step step;

	if ((flow->flags & GL_FLOW_F_ROUTED) && p->ttl <= 1) {
		p->error_type = ICMP_TIME_EXCEEDED;
		return drop(p, GL_DROP_TTL_EXPIRED);
	}
	step = egress_size(ctx, p, flow->mtu);
	if (step)
		return step;
	if (GL_IS_XDP && (!(flow->flags & GL_FLOW_F_XDP_OUT) || push || p->tagged || checksum_is_partial(p)))
		return STEP_SLOW;
	/* A guest that routes would show its private side. */
	if (p->related && p->error_from_router && translate && way->in->kind == GL_PORT_GUEST)
		return drop(p, GL_DROP_ICMP_ERROR);
	if (flow->flags & GL_FLOW_F_TO_UPLINK) {
		step = egress_next_hop(ctx, p, flow, &resolve);
		if (step)
			return step;
	}
	if (p->frag == FRAG_HEAD) {
		step = frag_head_passes(p, way->in);
		if (step)
			return step;
	}
	if (rewrite_forward(ctx, p, flow, translate))
		return drop(p, GL_DROP_REWRITE_FAILED);
	if (p->proto == IPPROTO_TCP && egress_mss(ctx, p, flow, first, way->in))
		return drop(p, GL_DROP_REWRITE_FAILED);
	if (!(flow->flags & GL_FLOW_F_BRIDGED) && !resolve && rewrite_ethernet(ctx, flow->dmac, flow->smac))
		return drop(p, GL_DROP_REWRITE_FAILED);
	if (egress_tag(ctx, p, push))
		return drop(p, GL_DROP_REWRITE_FAILED);

	count_received(p);
	if (!p->related) {
		count_flow(p, flow);
		if (first)
			count_flow(p, first);
	}
	count_sent(flow->out_slot, p->len);
#if !GL_IS_XDP
	if (resolve) {
		*action = bpf_redirect_neigh(flow->out_ifindex, NULL, 0, 0);
		return STEP_NEXT;
	}
#endif
	*action = ctx_redirect(ctx, flow->out_slot, flow->out_ifindex, !to_uplink);
	return STEP_NEXT;
}

/* As it is (ARP), to one interface. */
static __always_inline enum step egress_deliver(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in, int *action)
{
	const bool to_uplink = in->kind == GL_PORT_GUEST && p->out_slot == in->uplink_slot;

	if (GL_IS_XDP)
		return STEP_SLOW;
	if (egress_tag(ctx, p, to_uplink ? in->vlan : 0))
		return drop(p, GL_DROP_REWRITE_FAILED);
	count_received(p);
	count_sent(p->out_slot, p->len);
	*action = ctx_redirect(ctx, p->out_slot, p->out_ifindex, !to_uplink);
	return STEP_NEXT;
}

/* Copies; the frame itself goes on to the uplink, to the host, or ends here. */
static __noinline int egress_replicate(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in, int *action)
{
#if !GL_IS_XDP
	struct gl_port_val *uplink = NULL;
	bool copied;

	if (p->frag == FRAG_HEAD) {
		enum step step = frag_head_passes(p, in);

		if (step)
			return p->repl_host ? STEP_PASS : step;
	}
	copied = replicate(ctx, p);
	if (p->repl_uplink)
		uplink = port_by_slot(in->uplink_slot, p->side);
	if (uplink) {
		p->out_slot = in->uplink_slot;
		p->out_ifindex = uplink->ifindex;
		return egress_deliver(ctx, p, in, action);
	}
	if (!copied && !ip_is_zero(&p->repl_addr_be) && !p->repl_host)
		return drop(p, GL_IS_IPV6 ? GL_DROP_ND_UNKNOWN : GL_DROP_ARP_UNKNOWN);
	count_received(p);
	*action = p->repl_host ? CTX_PASS : CTX_DROP;
	return STEP_NEXT;
#else
	(void)ctx;
	(void)p;
	(void)in;
	(void)action;
	return STEP_SLOW;
#endif
}

/* The router's advertisement, besides the answer to a guest that has not heard one for long: the answer is copied out,
 * and the frame becomes the other. */
static __noinline int egress_also_ra(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in, int *action)
{
#if !GL_IS_XDP
	int bytes;

	ctx->mark = GL_MARK;
	bytes = bpf_clone_redirect(ctx, in->ifindex, 0);
	ctx->mark = 0;
	if (bytes)
		return drop(p, GL_DROP_REWRITE_FAILED);
	count_received(p);
	count_sent(p->in_slot, reply_bytes(p));
	bytes = ra_write(ctx, p->in_slot, p->side, NULL);
	if (bytes > 0) {
		count_sent(p->in_slot, bytes);
		*action = ctx_send_back(ctx, p->in_slot, in->ifindex, true);
	}
	return STEP_NEXT;
#else
	(void)ctx;
	(void)p;
	(void)in;
	(void)action;
	return STEP_SLOW;
#endif
}

/* In answer to a router's solicitation. Where its network has none, the guest hears nothing. */
static __always_inline enum step egress_ra(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in, int *action)
{
#if !GL_IS_XDP && GL_IS_IPV6
	const int bytes = ra_write(ctx, p->in_slot, p->side, &p->src_be);

	if (bytes < 0)
		return drop(p, GL_DROP_REWRITE_FAILED);
	if (!bytes)
		return STEP_CONSUMED;
	count_received(p);
	count_sent(p->in_slot, bytes);
	*action = ctx_send_back(ctx, p->in_slot, in->ifindex, true);
	return STEP_NEXT;
#else
	(void)ctx;
	(void)p;
	(void)in;
	(void)action;
	return STEP_SLOW;
#endif
}

static __always_inline enum step egress_answer(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in, bool neigh,
					       int *action)
{
	const bool ra = neigh && ra_is_due(p, in);
	int step;

	if (GL_IS_XDP && (!(in->flags & GL_PORT_F_XDP_OUT) || ra))
		return STEP_SLOW;
	if (neigh)
		step = reply_neigh(ctx, p);
	else
		step = reply_echo(ctx, p, in) ? STEP_DROP : STEP_NEXT;
	if (step == STEP_SLOW)
		return STEP_SLOW;
	if (step)
		return drop(p, GL_DROP_REWRITE_FAILED);
	if (ra)
		return egress_also_ra(ctx, p, in, action);
	count_received(p);
	count_sent(p->in_slot, neigh ? reply_bytes(p) : p->len);
	*action = ctx_send_back(ctx, p->in_slot, in->ifindex, in->kind == GL_PORT_GUEST);
	return STEP_NEXT;
}

/* The program's verdict. */
static __always_inline int finish(gl_ctx *ctx, struct pkt *p, const struct way *way, enum step step)
{
	const struct gl_port_val *in = way->in;
	int action = CTX_DROP;

	/* Nothing that goes on, or is answered, carries an offload state that contradicts it. */
	if (step >= STEP_FORWARD && step <= STEP_ECHO_REPLY && ctx_check_offload(ctx, p))
		step = GL_IS_XDP ? STEP_SLOW : drop(p, GL_DROP_GSO_INVALID);
	switch (step) {
	case STEP_FORWARD:
		/* The verifier does not know that this step comes with a flow. */
		step = way->flow ? egress_forward(ctx, p, way, &action) : drop(p, GL_DROP_MAP_MISSING);
		break;
	case STEP_DELIVER:
		step = egress_deliver(ctx, p, in, &action);
		break;
	case STEP_REPLICATE:
		step = egress_replicate(ctx, p, in, &action);
		break;
	case STEP_NEIGH_REPLY:
		step = egress_answer(ctx, p, in, true, &action);
		break;
	case STEP_RA_REPLY:
		step = egress_ra(ctx, p, in, &action);
		break;
	case STEP_ECHO_REPLY:
		step = egress_answer(ctx, p, in, false, &action);
		break;
	default:
		break;
	}
	switch (step) {
	case STEP_NEXT:
		return action;
	case STEP_PASS:
		return CTX_PASS;
	case STEP_SLOW:
		return CTX_SLOW;
	case STEP_CONSUMED:
		count_received(p);
		return CTX_DROP;
	default:
		break;
	}
	/* XDP cannot answer on a device that takes no frames from it; TC drops and answers then. */
	if (in && error_is_due(p)) {
		if (GL_IS_XDP && (GL_IS_GENERIC || !(in->flags & GL_PORT_F_XDP_OUT)))
			return CTX_SLOW;
		count_drop(p);
		if (!error_is_within_rate(p))
			return CTX_DROP;
		return reply_error(ctx, p, in) ? CTX_DROP
					       : ctx_send_back(ctx, p->in_slot, in->ifindex, in->kind == GL_PORT_GUEST);
	}
	count_drop(p);
	return CTX_DROP;
}

#endif
