/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the packet's headers once into struct pkt and refuses what contradicts itself. The only reader of packet bytes
 * besides egress.h's replies. Needs ctx_xdp.h or ctx_tc.h first. Neighbours: pkt.h (the result). */
#ifndef GL_PARSE_H
#define GL_PARSE_H

#include "pkt.h"
#if GL_IS_IPV6
#include "ip6.h"
#else
#include "ip4.h"
#endif

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

struct eth_hdr {
	__u8 dmac[GL_MAC_LEN];
	__u8 smac[GL_MAC_LEN];
	__be16 ethertype_be;
};

struct vlan_hdr {
	__be16 tci_be;
	__be16 ethertype_be;
};

struct tcp_hdr { /* RFC 9293 */
	__be16 sport_be;
	__be16 dport_be;
	__be32 seq_be;
	__be32 ack_be;
	__u8 offset;
	__u8 flags;
	__be16 window_be;
	__u16 check;
	__be16 urgent_be;
};

struct udp_hdr { /* RFC 768 */
	__be16 sport_be;
	__be16 dport_be;
	__be16 len_be;
	__u16 check;
};

struct icmp_hdr { /* RFC 792 */
	__u8 type;
	__u8 code;
	__u16 check;
	__be16 id_be; /* errors: unused */
	__be16 seq_be; /* fragmentation needed: next hop's MTU (RFC 1191) */
};

static __always_inline enum step parse_ethernet(gl_ctx *ctx, struct pkt *p)
{
	struct eth_hdr *eth;

	p->len = ctx_len(ctx);
	if (ctx_pull(ctx, GL_PULL) < 0)
		return drop(p, GL_DROP_RUNT);
	eth = ctx_data(ctx);
	if ((void *)(eth + 1) > ctx_data_end(ctx))
		return drop(p, GL_DROP_RUNT);
	mac_copy(p->dmac, eth->dmac);
	mac_copy(p->smac, eth->smac);
	p->ethertype_be = eth->ethertype_be;
	p->l3_off = ETH_HLEN;
	p->tagged = ctx_vlan(ctx, &p->vlan);
	if (!p->tagged && (p->ethertype_be == ETH_P_8021Q_BE || p->ethertype_be == ETH_P_8021AD_BE)) {
		struct vlan_hdr *tag = (void *)(eth + 1);

		p->tagged = 1;
		p->vlan_inline = 1;
		if ((void *)(tag + 1) > ctx_data_end(ctx))
			return drop(p, GL_DROP_RUNT);
		/* Only customer tags may carry a network; a service tag stays an ethertype nobody asked for. */
		if (p->ethertype_be == ETH_P_8021Q_BE) {
			p->vlan = bpf_ntohs(tag->tci_be) & 0xfff;
			p->ethertype_be = tag->ethertype_be;
			p->l3_off = ETH_HLEN + sizeof(*tag);
		}
	}
	return STEP_NEXT;
}

static __always_inline enum step parse_icmp(gl_ctx *ctx, struct pkt *p)
{
	struct icmp_hdr *icmp = ctx_data(ctx) + p->l4_off;

	if ((void *)(icmp + 1) > ctx_data_end(ctx))
		return drop(p, GL_DROP_L4_TRUNCATED);
	p->icmp_type = icmp->type;
	p->l4_csum = icmp->check;
	if (icmp_is_request(icmp->type)) {
		p->sport_be = icmp->id_be;
		p->dport_be = bpf_htons(GL_ICMP_PORT(icmp->type, 0));
	} else if (icmp_is_reply(icmp->type)) {
		p->sport_be = bpf_htons(GL_ICMP_PORT(icmp_request_of(icmp->type), 0));
		p->dport_be = icmp->id_be;
	} else {
		p->dport_be = bpf_htons(GL_ICMP_PORT(icmp->type, icmp->code));
	}
	return STEP_NEXT;
}

#define TCP_OPTIONS 40 /* bytes at most */
#define TCP_SCALE_MAX 14 /* RFC 7323 2.3 */

/* A SYN's window scale. Options that contradict themselves are ignored, as receivers do. Global, so that it is verified
 * once; the place is kept in p, where the verifier forgets it, or it would follow every way through the options. */
__noinline int GL_PROGRAM(parse_tcp_scale)(gl_ctx *ctx, struct pkt *p)
{
	__u8 option[TCP_OPTIONS + 4] = {};
	__u32 len;

	if (!p)
		return 0;
	len = p->l4_hlen - (__u32)sizeof(struct tcp_hdr);
	/* Both bounds in the register that the helper gets, or older verifiers lose one; and not "is it zero", of which
	 * they learn nothing. Options come in words. */
	asm volatile("" : "+r"(len));
	if (len < 4)
		return 0;
	asm volatile("" : "+r"(len));
	if (len > TCP_OPTIONS || ctx_load_bytes(ctx, p->l4_off + sizeof(struct tcp_hdr), option, len))
		return 0;
	for (__u32 i = 0; i < TCP_OPTIONS; i++) {
		__u32 at = *(volatile __u8 *)&p->option_at;
		__u8 kind, size;

		if (at >= TCP_OPTIONS)
			break;
		kind = option[at];
		size = option[at + 1];
		if (kind == 0)
			break;
		if (kind == 1)
			size = 1;
		else if (size < 2 || at + size > len)
			break;
		if (kind == 3 && size == 3) {
			const __u8 scale = option[at + 2];

			p->tcp_scale = GL_SYN_SCALE | (scale > TCP_SCALE_MAX ? TCP_SCALE_MAX : scale);
			break;
		}
		*(volatile __u8 *)&p->option_at = at + size;
	}
	return 0;
}

static __always_inline enum step parse_tcp(gl_ctx *ctx, struct pkt *p)
{
	struct tcp_hdr *tcp = ctx_data(ctx) + p->l4_off;

	if ((void *)(tcp + 1) > ctx_data_end(ctx))
		return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_L4_TRUNCATED);
	p->sport_be = tcp->sport_be;
	p->dport_be = tcp->dport_be;
	p->tcp_flags = tcp->flags;
	p->l4_csum = tcp->check;
	p->tcp_seq = bpf_ntohl(tcp->seq_be);
	p->tcp_ack = bpf_ntohl(tcp->ack_be);
	p->tcp_window = bpf_ntohs(tcp->window_be);
	p->l4_hlen = (tcp->offset >> 4) * 4;
	if (tcp->offset >> 4 < 5 || (tcp->offset >> 4) * 4 > p->l4_len)
		return drop(p, GL_DROP_L4_TRUNCATED);
	if (p->tcp_flags & TCP_SYN) {
		/* Nobody sends these together but to get past somebody who asks for one of them. */
		if (p->tcp_flags & (TCP_FIN | TCP_RST))
			return drop(p, GL_DROP_L4_TRUNCATED);
		if (p->l4_hlen > sizeof(*tcp))
			GL_PROGRAM(parse_tcp_scale)(ctx, p);
	}
	return STEP_NEXT;
}

static __always_inline enum step parse_udp(gl_ctx *ctx, struct pkt *p)
{
	struct udp_hdr *udp = ctx_data(ctx) + p->l4_off;

	if ((void *)(udp + 1) > ctx_data_end(ctx))
		return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_L4_TRUNCATED);
	p->sport_be = udp->sport_be;
	p->dport_be = udp->dport_be;
	p->l4_csum = udp->check;
	p->l4_hlen = sizeof(*udp);
#if GL_IS_IPV6
	/* RFC 8200 8.1: not without one. */
	if (!udp->check)
		return drop(p, GL_DROP_L4_TRUNCATED);
#endif
	if (bpf_ntohs(udp->len_be) < sizeof(*udp) || (!p->frag && bpf_ntohs(udp->len_be) > p->l4_len))
		return drop(p, GL_DROP_L4_TRUNCATED);
	return STEP_NEXT;
}

static __always_inline enum step parse_transport(gl_ctx *ctx, struct pkt *p)
{
	if (p->frag == FRAG_TAIL)
		return STEP_NEXT;
	switch (p->proto) {
	case IPPROTO_TCP:
		if (p->l4_len < sizeof(struct tcp_hdr))
			return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_L4_TRUNCATED);
		return parse_tcp(ctx, p);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		if (p->l4_len < sizeof(struct udp_hdr))
			return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_L4_TRUNCATED);
		if (p->proto == IPPROTO_UDP)
			return parse_udp(ctx, p);
		return STEP_NEXT;
	case PROTO_ICMP:
		if (p->l4_len < sizeof(struct icmp_hdr))
			return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_L4_TRUNCATED);
		return parse_icmp(ctx, p);
	case IPPROTO_SCTP: {
		__be16 *ports = ctx_data(ctx) + p->l4_off;

		if (p->l4_len < 12 || (void *)(ports + 6) > ctx_data_end(ctx))
			return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_L4_TRUNCATED);
		p->sport_be = ports[0];
		p->dport_be = ports[1];
		return STEP_NEXT;
	}
	default:
		return STEP_NEXT;
	}
}

#if GL_IS_IPV6
#include "parse6.h"
#else
#include "parse4.h"
#endif

#endif
