/* SPDX-License-Identifier: GPL-2.0-only */
/* The only writer of a forwarded packet's bytes: Ethernet addresses, time to live, translated tuple and the checksums
 * over them. Neighbours: csum.h (differences), ctx_*.h (how the hook stores them), egress.h (when). */
#ifndef GL_REWRITE_H
#define GL_REWRITE_H

#include "parse.h"
#include "pkt.h"

#define IPV4_TTL 8
#define IPV4_CHECK 10
#define IPV4_SRC 12
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
static __always_inline int rewrite_transport(gl_ctx *ctx, const struct pkt *p, const struct gl_flow4_val *to,
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
	if (p->proto == IPPROTO_ICMP && (p->icmp_type == ICMP_ECHO || p->icmp_type == ICMP_ECHOREPLY)) {
		const __be16 *id = p->icmp_type == ICMP_ECHO ? &new_ports[0] : &new_ports[1];

		if (ctx_store(ctx, p->l4_off + ICMP_ID, id, sizeof(*id)))
			return -1;
		return ctx_csum_l4(ctx, p->l4_off + ICMP_CHECK, 0, diff, false, false);
	}
	return 0;
}

/* Carries out what the flow says: `to` holds the tuple at the end of the way, p the one it arrived with. */
static __always_inline int rewrite_forward(gl_ctx *ctx, struct pkt *p, const struct gl_flow4_val *to, bool translate)
{
	__u32 l3_diff = 0, addr_diff;

	if (translate) {
		__be32 addrs[2] = { to->new_src_be, to->new_dst_be };

		addr_diff = csum_add(csum_diff32(p->orig_src_be, to->new_src_be),
				     csum_diff32(p->orig_dst_be, to->new_dst_be));
		l3_diff = addr_diff;
		if (ctx_store(ctx, p->l3_off + IPV4_SRC, addrs, sizeof(addrs)))
			return -1;
		if (rewrite_transport(ctx, p, to, addr_diff))
			return -1;
	}
	if (to->flags & GL_FLOW_F_ROUTED) {
		__u8 was[2] = { p->ttl, p->proto };
		__u8 now[2] = { p->ttl - 1, p->proto };

		l3_diff = csum_add(l3_diff, csum_diff16(was[0] | was[1] << 8, now[0] | now[1] << 8));
		if (ctx_store(ctx, p->l3_off + IPV4_TTL, now, sizeof(now)))
			return -1;
	}
	if (l3_diff && ctx_csum_l3(ctx, p->l3_off + IPV4_CHECK, l3_diff))
		return -1;
	return 0;
}

#endif
