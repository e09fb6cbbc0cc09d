/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads ARP and the IPv4 header. Included by parse.h; parse6.h is its counterpart. */
#ifndef GL_PARSE4_H
#define GL_PARSE4_H

static __always_inline enum step parse_arp(gl_ctx *ctx, struct pkt *p)
{
	struct arp_hdr *arp = ctx_data(ctx) + p->l3_off;

	if ((void *)(arp + 1) > ctx_data_end(ctx))
		return drop(p, GL_DROP_ARP_MALFORMED);
	if (arp->hw_be != bpf_htons(1) || arp->proto_be != ETH_P_IP_BE || arp->hw_len != 6 || arp->proto_len != 4)
		return drop(p, GL_DROP_ARP_MALFORMED);
	if (arp->op_be != bpf_htons(1) && arp->op_be != bpf_htons(2))
		return drop(p, GL_DROP_ARP_MALFORMED);
	p->neigh_op = arp->op_be == bpf_htons(1) ? NEIGH_ASK : NEIGH_TELL;
	__builtin_memcpy(&p->neigh_sender_be, arp->sender_be, 4);
	__builtin_memcpy(&p->neigh_target_be, arp->target_be, 4);
	mac_copy(p->neigh_sender_mac, arp->sender_mac);
	return STEP_NEXT;
}

/* Options that may pass: no-operation, end of list, router alert (RFC 2113, IGMP needs it). All else, source routes
 * first of all, is refused. Options come in words of four bytes. */
static __always_inline enum step parse_ipv4_options(gl_ctx *ctx, struct pkt *p, __u32 words)
{
	__u32 *word = ctx_data(ctx) + p->l3_off + sizeof(struct ip_hdr);
	const __u32 pad = bpf_htonl(0x01010101);

	for (__u32 i = 0; i < 10; i++, word++) {
		if (i >= words)
			break;
		if ((void *)(word + 1) > ctx_data_end(ctx))
			return drop(p, GL_DROP_IP_MALFORMED);
		if (*word != bpf_htonl(0x94040000) && (*word & ~pad))
			return drop(p, GL_DROP_IP_OPTIONS);
	}
	return STEP_NEXT;
}

/* `strict`: bytes behind the IP packet are refused above Ethernet's minimum (a guest has no reason for them). */
static __always_inline enum step parse_ip(gl_ctx *ctx, struct pkt *p, bool strict)
{
	struct ip_hdr *ip = ctx_data(ctx) + p->l3_off;
	__u32 ihl, frag, present;
	enum step step;

	if ((void *)(ip + 1) > ctx_data_end(ctx))
		return drop(p, GL_DROP_IP_MALFORMED);
	p->src_be = ip->src_be;
	p->dst_be = ip->dst_be;
	p->proto = ip->proto;
	p->ttl = ip->ttl;
	p->id_be = ip->id_be;
	p->l3_len = bpf_ntohs(ip->total_be);
	ihl = (ip->version_ihl & 0xf) * 4;
	frag = bpf_ntohs(ip->frag_be);
	present = p->len - p->l3_off;
	if (ip->version_ihl >> 4 != 4 || ihl < sizeof(*ip) || p->l3_len < ihl || p->l3_len > present)
		return drop(p, GL_DROP_IP_MALFORMED);
	if (strict && p->l3_len < present && p->len > ETH_ZLEN)
		return drop(p, GL_DROP_IP_MALFORMED);
	if (ip->proto == 0)
		return drop(p, GL_DROP_IP_PROTOCOL);
	p->l4_off = p->l3_off + ihl;
	p->l4_len = p->l3_len - ihl;
	p->frag_first = frag & 0x1fff;
	p->frag_more = frag & 0x2000 ? 1 : 0;
	if (frag & 0x1fff) {
		p->frag = FRAG_TAIL;
		/* RFC 1858: offset 1 would overwrite the flags of a TCP header. */
		if ((frag & 0x1fff) == 1 && p->proto == IPPROTO_TCP)
			return drop(p, GL_DROP_FRAGMENT_TINY);
		if ((frag & 0x1fff) * 8 + p->l4_len > 0xffff)
			return drop(p, GL_DROP_IP_MALFORMED);
	} else if (frag & 0x2000) {
		p->frag = FRAG_HEAD;
	}
	if (ihl > sizeof(*ip)) {
		step = parse_ipv4_options(ctx, p, ihl / 4 - 5);
		if (step)
			return step;
	}
	return parse_transport(ctx, p);
}

/* The hardware address that a DHCP message speaks for (RFC 2131, 28 bytes into it). */
static __always_inline enum step parse_dhcp(gl_ctx *ctx, struct pkt *p)
{
	if (ctx_load(ctx, p->l4_off + sizeof(struct udp_hdr) + 28, p->chaddr, GL_MAC_LEN))
		return drop(p, GL_DROP_L4_TRUNCATED);
	return STEP_NEXT;
}

#endif
