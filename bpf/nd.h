/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads neighbour discovery (RFC 4861) and multicast listener discovery (RFC 2710, 3810), and refuses what no guest may
 * say: routers' messages wherever they hide, and whatever extension headers or fragments could hide (RFC 6980, 7113).
 * Who is answered, and by whom, is neigh.h's to say, as it is of ARP. IPv6 alone.
 * Neighbours: neigh.h, ra.h (writes the answers), pipeline.h (who calls). */
#ifndef GL_ND_H
#define GL_ND_H

#include "antispoof.h"
#include "neigh.h"
#include "parse.h"
#include "ra.h"

#define MLD_QUERY 130
#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143

#define ND_HOPS 255
#define ND_TARGET 8 /* offset, of NS, NA and redirects */
#define ND_OPTIONS 8 /* of one message; SEND (RFC 3971), the most talkative, needs 6 */

#define HOP_BY_HOP 0 /* its number as a next header */
#define IPV6_NEXT 6 /* offset of the next header's number */

struct nd_option {
	__u8 type;
	__u8 words; /* of 8 bytes, this one's head among them */
	__u8 mac[GL_MAC_LEN];
};

static __always_inline bool is_nd(const struct pkt *p)
{
	return p->proto == PROTO_ICMP && p->frag != FRAG_TAIL && p->icmp_type >= ND_RS && p->icmp_type <= ND_REDIRECT;
}

static __always_inline bool is_mld(const struct pkt *p)
{
	return p->proto == PROTO_ICMP && p->frag != FRAG_TAIL &&
	       ((p->icmp_type >= MLD_QUERY && p->icmp_type <= MLD_DONE) || p->icmp_type == MLD2_REPORT);
}

/* ff02::1:ff00:0/104 */
static __always_inline bool is_solicited_node(const gl_ip *ip)
{
	return ip->w[0] == bpf_htonl(0xff020000) && ip->w[1] == 0 && ip->w[2] == bpf_htonl(1) &&
	       (ip->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

/* The validity checks of RFC 4861 6.1, 7.1 and 8.1, but for the checksum, which is its receiver's business. p then says
 * what the message says: NS as a request of ARP, NA as an answer that claims its target. Global, so that it is verified
 * once; the place among the options is kept in p, where the verifier forgets it. */
__noinline int GL_PROGRAM(nd_read)(gl_ctx *ctx, struct pkt *p)
{
	struct nd_option option;
	__u32 fixed = 8;

	if (!p)
		return STEP_DROP;
	p->reason = GL_DROP_ND_MALFORMED;
	if (p->ttl != ND_HOPS || p->frag || p->l4_off - p->l3_off != IP_HLEN ||
	    p->dport_be != bpf_htons(GL_ICMP_PORT(p->icmp_type, 0)))
		return STEP_DROP;
	if (p->icmp_type == ND_RA)
		fixed = 16;
	else if (p->icmp_type == ND_REDIRECT)
		fixed = 40;
	else if (p->icmp_type != ND_RS)
		fixed = 24;
	if (p->l4_len < fixed)
		return STEP_DROP;
	p->neigh_op = NEIGH_LINK;
	p->neigh_sender_be = p->src_be;
	if (p->icmp_type == ND_NS || p->icmp_type == ND_NA) {
		__u8 flags;

		if (ctx_load(ctx, p->l4_off + ND_TARGET, &p->neigh_target_be, sizeof(p->neigh_target_be)) ||
		    ctx_load(ctx, p->l4_off + 4, &flags, sizeof(flags)))
			return STEP_DROP;
		if (ip_is_multicast(&p->neigh_target_be))
			return STEP_DROP;
		if (p->icmp_type == ND_NS) {
			p->neigh_op = NEIGH_ASK;
			if (ip_is_zero(&p->src_be) && !is_solicited_node(&p->dst_be))
				return STEP_DROP;
		} else {
			p->neigh_op = NEIGH_TELL;
			p->neigh_sender_be = p->neigh_target_be;
			if (ip_is_multicast(&p->dst_be) && (flags & ND_FLAG_SOLICITED))
				return STEP_DROP;
		}
	}
	p->nd_at = fixed;
	for (__u32 i = 0; i <= ND_OPTIONS; i++) {
		__u32 at = *(volatile __u16 *)&p->nd_at;

		if (at == p->l4_len) {
			p->reason = GL_DROP_NONE;
			return STEP_NEXT;
		}
		if (i == ND_OPTIONS || at + sizeof(option) > p->l4_len ||
		    ctx_load_bytes(ctx, p->l4_off + at, &option, sizeof(option)))
			return STEP_DROP;
		at += option.words * 8;
		if (!option.words || at > p->l4_len)
			return STEP_DROP;
		*(volatile __u16 *)&p->nd_at = at;
		if (option.type != ND_OPTION_SOURCE && option.type != ND_OPTION_TARGET)
			continue;
		/* Ethernet's address takes one word. Who names two means somebody else by one of them. */
		if (option.words != 1 || (p->nd_has_mac && !mac_equal(p->neigh_sender_mac, option.mac)))
			return STEP_DROP;
		mac_copy(p->neigh_sender_mac, option.mac);
		p->nd_has_mac = 1;
	}
	return STEP_DROP;
}

/* Only link-local messages to a group, hop limit 1, and a router alert, which the hop-by-hop header in front of them
 * exists for (RFC 3810 5). */
__noinline int GL_PROGRAM(mld_read)(gl_ctx *ctx, struct pkt *p)
{
	const __u32 least = p && p->icmp_type == MLD2_REPORT ? 8 : 24;
	__u8 head[8], next;

	if (!p)
		return STEP_DROP;
	p->reason = GL_DROP_ND_MALFORMED;
	if (p->ttl != 1 || p->frag || p->l4_off - p->l3_off != IP_HLEN + sizeof(head) || p->l4_len < least ||
	    !ip_is_multicast(&p->dst_be))
		return STEP_DROP;
	if (ctx_load(ctx, p->l3_off + IPV6_NEXT, &next, sizeof(next)) || next != HOP_BY_HOP ||
	    ctx_load(ctx, p->l3_off + IP_HLEN, head, sizeof(head)) || head[1])
		return STEP_DROP;
	/* The alert is 5, 2, 0, 0; the two bytes left are padding. */
	if (!(head[2] == 5 && head[3] == 2 && !head[4] && !head[5]) &&
	    !(head[2] <= 1 && !head[3] && head[4] == 5 && head[5] == 2 && !head[6] && !head[7]))
		return STEP_DROP;
	p->reason = GL_DROP_NONE;
	p->neigh_op = NEIGH_LINK;
	return STEP_NEXT;
}

static __always_inline enum step antispoof_nd(struct pkt *p, const struct gl_port_val *in)
{
	if (p->nd_has_mac && !mac_equal(p->neigh_sender_mac, in->mac))
		return drop(p, GL_DROP_SPOOF_ND);
	mac_copy(p->neigh_sender_mac, in->mac);
	if (ip_is_zero(&p->src_be)) {
		/* Who has no address yet asks for one, or for a router, and has no neighbours to tell its MAC. */
		if (p->nd_has_mac || (p->icmp_type != ND_NS && p->icmp_type != ND_RS))
			return drop(p, GL_DROP_SPOOF_ND);
	} else if (!port_may_use(p, in, p->in_slot, &p->src_be)) {
		return drop(p, GL_DROP_SPOOF_ND);
	}
	if (p->icmp_type == ND_NA && !port_may_use(p, in, p->in_slot, &p->neigh_target_be))
		return drop(p, GL_DROP_SPOOF_ND);
	return antispoof_destination(p);
}

/* Where the segment has routers, they answer; else our advertisement does. */
static __always_inline enum step rs_from_guest(struct pkt *p, const struct gl_port_val *in)
{
	return in->mode == GL_MODE_BRIDGE ? deliver_to_segment(p, in) : STEP_RA_REPLY;
}

/* In networks of ours nobody routes multicast: nobody has to know who listens. */
static __always_inline enum step mld_from_guest(struct pkt *p, const struct gl_port_val *in)
{
	if (!ip_is_zero(&p->src_be)) {
		if (!port_may_use(p, in, p->in_slot, &p->src_be))
			return drop(p, GL_DROP_SPOOF_ND);
		if (!ip_is_link_local(&p->src_be))
			return drop(p, GL_DROP_ND_MALFORMED);
	}
	if (!mac_is_multicast(p->dmac))
		return drop(p, GL_DROP_BROADCAST_FOREIGN);
	if (in->mode != GL_MODE_BRIDGE)
		return STEP_CONSUMED;
	p->repl_uplink = 1;
	return STEP_REPLICATE;
}

/* STEP_NEXT: it is something else. Before anti-spoofing: of these messages it is done here. */
static __always_inline enum step stage_nd_from_guest(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in)
{
	if (is_mld(p))
		return GL_PROGRAM(mld_read)(ctx, p) ? STEP_DROP : mld_from_guest(p, in);
	if (!is_nd(p))
		return STEP_NEXT;
	if (p->icmp_type == ND_RA || p->icmp_type == ND_REDIRECT)
		return drop(p, GL_DROP_ROUTER);
	if (GL_PROGRAM(nd_read)(ctx, p) || antispoof_nd(p, in))
		return STEP_DROP;
	return p->icmp_type == ND_RS ? rs_from_guest(p, in) : stage_neigh_from_guest(p, in);
}

/* Of the segment's routers and multicast queriers: for all guests of a bridge network, or for the one it names. */
static __always_inline enum step link_from_segment(struct pkt *p, const struct gl_port_val *in)
{
	const __u32 segment = GL_SEGMENT(in->uplink, p->vlan);
	__u32 slot;

	if (!(in->flags & GL_PORT_F_SEGMENT))
		return STEP_PASS;
	if (!mac_is_multicast(p->dmac))
		return l2_lookup(p, segment, p->dmac, &slot) ? deliver_to(p, slot) : STEP_PASS;
	p->repl_segment = segment;
	p->repl_host = 1;
	return STEP_REPLICATE;
}

/* STEP_NEXT: it is something else. What is malformed is the host's, and no guest's. */
static __always_inline enum step stage_nd_from_uplink(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in)
{
	if (is_mld(p))
		return GL_PROGRAM(mld_read)(ctx, p) ? STEP_PASS : link_from_segment(p, in);
	if (!is_nd(p))
		return STEP_NEXT;
	/* Guests are no routers. */
	if (p->icmp_type == ND_RS || GL_PROGRAM(nd_read)(ctx, p))
		return STEP_PASS;
	if (p->icmp_type == ND_RA || p->icmp_type == ND_REDIRECT)
		return link_from_segment(p, in);
	return stage_neigh_from_uplink(p, in);
}

#endif
