/* SPDX-License-Identifier: GPL-2.0-only */
/* The only writer of a forwarded packet's bytes: Ethernet addresses, time to live, translated tuple and the checksums
 * over them. Neighbours: csum.h (differences), ctx_*.h (how the hook stores them), egress.h (when). */
#ifndef GL_REWRITE_H
#define GL_REWRITE_H

#include "parse.h"
#include "pkt.h"

#define TCP_CHECK 16
#define UDP_CHECK 6
#define ICMP_CHECK 2
#define ICMP_ID 4

static __always_inline int rewrite_ethernet(gl_ctx *ctx, const __u8 *dmac, const __u8 *smac)
{
	__u8 macs[2 * GL_MAC_LEN];

	mac_copy(macs, dmac);
	mac_copy(macs + GL_MAC_LEN, smac);
	return ctx_store(ctx, 0, macs, sizeof(macs));
}

/* Ports, or the identifier of an ICMP query. */
static __always_inline int rewrite_transport(gl_ctx *ctx, const struct pkt *p, const struct gl_flow_val *to,
					     __u32 addr_diff)
{
	const __be16 old_ports[2] = { p->orig_sport_be, p->orig_dport_be };
	const __be16 new_ports[2] = { to->new_sport_be, to->new_dport_be };
	__u32 diff = csum_add(csum_diff16(old_ports[0], new_ports[0]), csum_diff16(old_ports[1], new_ports[1]));

	if (p->frag == FRAG_TAIL)
		return 0;
	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) {
		const bool udp = p->proto == IPPROTO_UDP;

		if (ctx_store(ctx, p->l4_off, new_ports, sizeof(new_ports)))
			return -1;
		return ctx_csum_l4(ctx, p->l4_off + (udp ? UDP_CHECK : TCP_CHECK), addr_diff, diff, true, udp);
	}
	if (p->proto == IPPROTO_UDPLITE)
		return ctx_csum_l4(ctx, p->l4_off + UDP_CHECK, addr_diff, 0, true, false);
	if (p->proto == PROTO_ICMP && (icmp_is_request(p->icmp_type) || icmp_is_reply(p->icmp_type))) {
		const __be16 *id = icmp_is_request(p->icmp_type) ? &new_ports[0] : &new_ports[1];

		if (ctx_store(ctx, p->l4_off + ICMP_ID, id, sizeof(*id)))
			return -1;
		return ctx_csum_l4(ctx, p->l4_off + ICMP_CHECK, addr_diff, diff, GL_IS_IPV6, false);
	}
	if (GL_IS_IPV6 && p->proto == PROTO_ICMP)
		return ctx_csum_l4(ctx, p->l4_off + ICMP_CHECK, addr_diff, 0, true, false);
	return 0;
}

/* An ICMP error's quoted packet, as it was on the other side of the translation, and with it the error's checksum. The
 * quoted IP header stays sum-neutral: its checksum takes back what its addresses add. */
static __always_inline int rewrite_quote(gl_ctx *ctx, struct pkt *p, const struct gl_flow_val *to, __u32 outer_diff)
{
	const __u32 ip_off = p->l4_off + sizeof(struct icmp_hdr);
	gl_ip *addrs = p->addrs, *old_addrs = p->old_addrs;
	__u32 addr_diff, port_diff = 0, diff = 0, check_off = 0;
	__u16 check;

	addrs[0] = to->new_dst_be;
	addrs[1] = to->new_src_be;
	if (ctx_load(ctx, ip_off + IP_AT_SRC, old_addrs, 2 * sizeof(gl_ip)) ||
	    ctx_store(ctx, ip_off + IP_AT_SRC, addrs, 2 * sizeof(gl_ip)))
		return -1;
	addr_diff = csum_diff_ip(csum_diff_ip(0, &old_addrs[0], &addrs[0]), &old_addrs[1], &addrs[1]);
#if !GL_IS_IPV6
	if (ctx_csum_l3(ctx, ip_off + IP_AT_CHECK, addr_diff))
		return -1;
#endif
	if (p->key_proto == IPPROTO_TCP || p->key_proto == IPPROTO_UDP) {
		const __be16 ports[2] = { to->new_dport_be, to->new_sport_be };
		__be16 old_ports[2];

		if (ctx_load(ctx, p->inner_l4, old_ports, sizeof(old_ports)) ||
		    ctx_store(ctx, p->inner_l4, ports, sizeof(ports)))
			return -1;
		port_diff = csum_add(csum_diff16(old_ports[0], ports[0]), csum_diff16(old_ports[1], ports[1]));
		check_off = p->key_proto == IPPROTO_UDP ? UDP_CHECK : TCP_CHECK;
		diff = csum_add(port_diff, addr_diff);
	} else if (p->key_proto == PROTO_ICMP) {
		const __be16 id = icmp_is_reply(p->quote_type) ? to->new_sport_be : to->new_dport_be;
		__be16 old_id;

		if (ctx_load(ctx, p->inner_l4 + ICMP_ID, &old_id, sizeof(old_id)) ||
		    ctx_store(ctx, p->inner_l4 + ICMP_ID, &id, sizeof(id)))
			return -1;
		port_diff = csum_diff16(old_id, id);
		check_off = ICMP_CHECK;
		diff = GL_IS_IPV6 ? csum_add(port_diff, addr_diff) : port_diff;
	}
	/* A quoted transport checksum is mended where it was quoted at all; UDP's 0 stays. */
	if (check_off && p->inner_len >= check_off + sizeof(check)) {
		__u16 mended;

		if (ctx_load(ctx, p->inner_l4 + check_off, &check, sizeof(check)))
			return -1;
		mended = csum_apply(check, diff);
		if (!mended && p->key_proto == IPPROTO_UDP)
			mended = 0xffff; /* 0 would mean none */
		if (check || p->key_proto != IPPROTO_UDP) {
			if (ctx_store(ctx, p->inner_l4 + check_off, &mended, sizeof(mended)))
				return -1;
			port_diff = csum_add(port_diff, csum_diff16(check, mended));
		}
	}
	/* IPv6: the quoted header has no checksum to take its addresses back, and the error's own covers both ends. */
	if (GL_IS_IPV6)
		port_diff = csum_add(port_diff, addr_diff);
	return ctx_csum_l4(ctx, p->l4_off + ICMP_CHECK, outer_diff, port_diff, GL_IS_IPV6, false);
}

/* Carries out what the flow says: `to` holds the tuple at the end of the way, p the one it arrived with. */
static __always_inline int rewrite_forward(gl_ctx *ctx, struct pkt *p, const struct gl_flow_val *to, bool translate)
{
	__u32 l3_diff = 0, addr_diff;

	if (translate) {
		gl_ip *addrs = p->addrs;

		/* An error may come from a router on the way, who keeps its name. */
		addrs[0] = p->related && p->error_from_router ? p->orig_src_be : to->new_src_be;
		addrs[1] = to->new_dst_be;
		addr_diff = csum_diff_ip(csum_diff_ip(0, &p->orig_src_be, &addrs[0]), &p->orig_dst_be, &addrs[1]);
		l3_diff = addr_diff;
		if (ctx_store(ctx, p->l3_off + IP_AT_SRC, addrs, 2 * sizeof(gl_ip)))
			return -1;
		if (p->related ? rewrite_quote(ctx, p, to, addr_diff) : rewrite_transport(ctx, p, to, addr_diff))
			return -1;
	}
	if (to->flags & GL_FLOW_F_ROUTED) {
		const __u8 now = p->ttl - 1;

		l3_diff = csum_add(l3_diff, csum_diff16(p->ttl, now));
		if (ctx_store(ctx, p->l3_off + IP_AT_TTL, &now, sizeof(now)))
			return -1;
	}
#if !GL_IS_IPV6
	if (l3_diff && ctx_csum_l3(ctx, p->l3_off + IP_AT_CHECK, l3_diff))
		return -1;
#endif
	return 0;
}

#endif
