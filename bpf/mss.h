/* SPDX-License-Identifier: GPL-2.0-only */
/* The largest segment that a SYN announces, lowered to what a network's definition says (mss), so that TCP does not
 * depend on ICMP where a way is narrower than its ends. Only ever lowered, and never added.
 * Neighbours: leg.h (settles the limit once per flow), egress.h (applies it). */
#ifndef GL_MSS_H
#define GL_MSS_H

#include "flow.h"
#include "hook.h"
#include "opening.h"
#include "parse.h"
#include "port.h"
#include "rewrite.h"

#define MSS_HEADERS (IP_HLEN + 20) /* IP and TCP without options (RFC 9293 3.7.1) */
#define MSS_NONE 0xffff
#define TCP_OPT_END 0
#define TCP_OPT_NOP 1
#define TCP_OPT_MSS 2

static __always_inline __u32 mss_min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

static __always_inline __u32 mss_of_mtu(__u32 mtu)
{
	return mtu > MSS_HEADERS ? mtu - MSS_HEADERS : 1;
}

static __always_inline __u32 mss_of_network(const struct pkt *p, __u32 network)
{
	struct gl_network_val *val = network_by_index(network, p->side);

	return val ? val->mss : GL_MSS_KEEP;
}

/* The flow that is being opened: what holds for its SYNs, of both its ends' networks the smaller. */
__noinline int GL_PROGRAM(mss_settle)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_port_val *in;
	__u32 mss, other;

	if (!p || !o)
		return 0;
	in = port_by_slot(o->in_slot, p->side);
	if (!in)
		return 0;
	mss = in->kind == GL_PORT_GUEST ? mss_of_network(p, in->network) : GL_MSS_KEEP;
	other = o->to_guest ? mss_of_network(p, o->target_network) : GL_MSS_KEEP;
	if (mss == GL_MSS_KEEP)
		mss = other;
	else if (other == GL_MSS_PATH && mss != GL_MSS_PATH)
		mss = mss_min(mss, mss_of_mtu(mss_min(in->mtu, o->val.mtu)));
	else if (mss == GL_MSS_PATH && other > GL_MSS_PATH)
		mss = mss_min(other, mss_of_mtu(mss_min(in->mtu, o->val.mtu)));
	else if (other != GL_MSS_KEEP)
		mss = mss_min(mss, other);
	o->val.mss = mss;
	o->peer_val.mss = mss;
	return 0;
}

/* Of one leg. `back`: MTU of the way that the answers take. */
static __always_inline __u32 mss_limit(const struct gl_flow_val *flow, __u32 back)
{
	if (flow->mss == GL_MSS_KEEP)
		return MSS_NONE;
	return flow->mss == GL_MSS_PATH ? mss_of_mtu(mss_min(flow->mtu, back)) : flow->mss;
}

/* One option; 1 ends the search. */
static long mss_next_option(__u32 i, void *unused)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	__u32 at;
	__u8 kind, size;

	(void)i;
	(void)unused;
	if (!o)
		return 1;
	at = o->tcp.at;
	if (at > GL_TCP_OPTIONS - 4 || at + 4 > o->tcp.len)
		return 1;
	kind = o->tcp.options[at];
	size = o->tcp.options[at + 1];
	if (kind == TCP_OPT_MSS && size == 4) {
		o->tcp.found = 1;
		return 1;
	}
	if (kind == TCP_OPT_END || (kind != TCP_OPT_NOP && size < 2))
		return 1;
	o->tcp.at = at + (kind == TCP_OPT_NOP ? 1 : size);
	return 0;
}

/* Lowers the option of the SYN at hand. 0, or -1 when the packet cannot be written to. */
__noinline int GL_PROGRAM(mss_clamp)(gl_ctx *ctx, struct pkt *p, __u32 limit)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	__u32 len, at, off, diff;
	__u16 old;
	__be16 value_be;

	if (!p || !o || p->l4_hlen < sizeof(struct tcp_hdr) + 4)
		return 0;
	__builtin_memset(&o->tcp, 0, sizeof(o->tcp));
	o->tcp.len = p->l4_hlen - sizeof(struct tcp_hdr);
	/* Bounds that need no branch, as older verifiers lose one of two. */
	len = ((o->tcp.len - 1) & (sizeof(o->tcp.options) - 1)) + 1;
	off = p->l4_off + sizeof(struct tcp_hdr);
	if (ctx_load_bytes(ctx, off, o->tcp.options, len))
		return -1;
	bpf_loop(GL_TCP_OPTIONS, mss_next_option, NULL, 0);
	at = o->tcp.at;
	if (!o->tcp.found || at > GL_TCP_OPTIONS - 4)
		return 0;
	old = o->tcp.options[at + 2] << 8 | o->tcp.options[at + 3];
	if (old <= limit)
		return 0;
	value_be = bpf_htons(limit);
	/* At an odd place its bytes belong to two words of the sum. */
	if (at & 1)
		diff = csum_add(csum_diff16(old & 0xff00, limit & 0xff00), csum_diff16(old & 0xff, limit & 0xff));
	else
		diff = csum_diff16(bpf_htons(old), value_be);
	if (ctx_store(ctx, off + at + 2, &value_be, sizeof(value_be)))
		return -1;
	return ctx_csum_l4(ctx, p->l4_off + TCP_CHECK, 0, diff, false, false);
}

#endif
