/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors belong to the flow of the packet that they quote (RFC 5508 section 4): the quoted tuple, turned round, is
 * the key of the direction that the error travels in. Neighbours: leg.h (finds the flow, opens none), rewrite.h
 * (translates the quoted packet with the outer one). */
#ifndef GL_RELATED_H
#define GL_RELATED_H

#include "parse.h"
#include "pkt.h"
#include "tcp.h"

static __always_inline bool is_icmp_error(const struct pkt *p)
{
	if (p->proto != PROTO_ICMP || p->frag == FRAG_TAIL)
		return false;
#if GL_IS_IPV6
	return p->icmp_type < 128; /* RFC 4443 2.1 */
#else
	/* 4: source quench (RFC 6633: obsolete), 5: redirect; both only ever do harm here */
	return p->icmp_type == ICMP_UNREACH || p->icmp_type == 4 || p->icmp_type == 5 ||
	       p->icmp_type == ICMP_TIME_EXCEEDED || p->icmp_type == ICMP_PARAM_PROBLEM;
#endif
}

/* Does the quoted sequence number lie in what its sender has sent and not had acknowledged (RFC 5927 4.1)? Who forges
 * an error has to guess it. `back` is the direction that the error travels in, `quoted` the other one; its end itself
 * is what a bare acknowledgement carries. What was not seen, in a flow that was picked up, is not held against it. */
static __always_inline bool related_fits(const struct pkt *p, const struct gl_flow_val *back,
					 const struct gl_flow_val *quoted)
{
	const __u32 seq = bpf_ntohl(p->quote_seq_be);

	if (!quoted->tcp_flags || (quoted->syn_scale & GL_SYN_PENDING && seq == quoted->pending))
		return true;
	if (tcp_before(quoted->seq_end, seq))
		return false;
	if (back->tcp_flags & TCP_ACK)
		return !tcp_before(seq, back->ack);
	return quoted->seq_end - seq <= TCP_REACH;
}

#if GL_IS_IPV6

/* The quoted headers behind the quoted IP header: p->inner_l4 and p->key_proto go on to the transport's. */
static __always_inline int related_extensions(gl_ctx *ctx, struct pkt *p)
{
	for (__u32 i = 0; i <= GL_EXT_HEADERS; i++) {
		const __u32 at = *(volatile __u16 *)&p->inner_l4;
		const __u8 kind = *(volatile __u8 *)&p->key_proto;
		struct ext_hdr ext;
		__u32 size;

		if (kind != EXT_HOP_BY_HOP && kind != EXT_FRAGMENT && kind != EXT_AUTH && kind != EXT_DESTINATION)
			return kind == EXT_ROUTING;
		if (ctx_load(ctx, at, &ext, sizeof(ext)))
			return -1;
		if (kind == EXT_FRAGMENT && ext.frag_be & bpf_htons(0xfff8))
			return -1;
		size = kind == EXT_FRAGMENT ? sizeof(ext) : kind == EXT_AUTH ? (ext.len + 2) * 4 : (ext.len + 1) * 8;
		p->key_proto = ext.next;
		p->inner_l4 = at + size;
		if (at + size > p->l4_off + sizeof(struct icmp_hdr) + IP_HLEN + GL_EXT_BYTES)
			return -1;
	}
	return -1;
}

#endif

/* What the quoted IP header says: the flow's addresses, turned round, and where the quoted transport header begins. An
 * error goes to whom it quotes, and quotes a first fragment or a whole packet. */
static __always_inline int related_header(gl_ctx *ctx, struct pkt *p)
{
	const __u32 at = p->l4_off + sizeof(struct icmp_hdr);
	struct ip_hdr ip;

	if (p->l4_len < sizeof(struct icmp_hdr) + sizeof(ip) + 8 || ctx_load(ctx, at, &ip, sizeof(ip)) ||
	    !ip_equal(&ip.src_be, &p->dst_be))
		return -1;
	p->error_from_router = !ip_equal(&p->src_be, &ip.dst_be);
	p->src_be = ip.dst_be;
	p->dst_be = ip.src_be;
#if GL_IS_IPV6
	p->key_proto = ip.next;
	p->inner_l4 = at + sizeof(ip);
	return bpf_ntohl(ip.version_be) >> 28 != 6 || related_extensions(ctx, p);
#else
	p->key_proto = ip.proto;
	p->inner_l4 = at + (ip.version_ihl & 0xf) * 4;
	return ip.version_ihl >> 4 != 4 || p->inner_l4 < at + sizeof(ip) || (ip.frag_be & bpf_htons(0x1fff));
#endif
}

/* Reads the quoted packet and puts its tuple, turned round, in the place of the packet's own. STEP_NEXT or STEP_DROP.
 * Global, so that it is verified once. */
__noinline int GL_PROGRAM(related_read)(gl_ctx *ctx, struct pkt *p)
{
	__be16 ports[4];
	__u32 len;

	if (!p)
		return STEP_DROP;
#if GL_IS_IPV6
	if (p->frag || p->icmp_type < ICMP_UNREACH || p->icmp_type > ICMP_PARAM_PROBLEM)
		return drop(p, GL_DROP_ICMP_ERROR);
#else
	if (p->frag || p->icmp_type == 4 || p->icmp_type == 5)
		return drop(p, GL_DROP_ICMP_ERROR);
#endif
	if (related_header(ctx, p) || p->inner_l4 + 8 > p->l4_off + p->l4_len ||
	    ctx_load(ctx, p->inner_l4, ports, sizeof(ports)))
		return drop(p, GL_DROP_ICMP_ERROR);
	p->related = 1;
	len = p->l4_off + p->l4_len - p->inner_l4;
	p->inner_len = len > 0x40 ? 0x40 : len;
	switch (p->key_proto) {
	case IPPROTO_TCP:
		p->quote_seq_be = (__u32)ports[3] << 16 | ports[2];
		__attribute__((fallthrough));
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		p->sport_be = ports[1];
		p->dport_be = ports[0];
		return STEP_NEXT;
	case PROTO_ICMP:
		/* type and code, checksum, identifier */
		p->quote_type = bpf_ntohs(ports[0]) >> 8;
		if (icmp_is_request(p->quote_type)) {
			p->sport_be = bpf_htons(GL_ICMP_PORT(p->quote_type, 0));
			p->dport_be = ports[2];
			return STEP_NEXT;
		}
		if (icmp_is_reply(p->quote_type)) {
			p->sport_be = ports[2];
			p->dport_be = bpf_htons(GL_ICMP_PORT(icmp_request_of(p->quote_type), 0));
			return STEP_NEXT;
		}
		return drop(p, GL_DROP_ICMP_ERROR);
	default:
		p->sport_be = 0;
		p->dport_be = 0;
		return STEP_NEXT;
	}
}

static __always_inline enum step stage_related(gl_ctx *ctx, struct pkt *p)
{
	/* The verifier takes what a global function returns for anything. */
	return GL_PROGRAM(related_read)(ctx, p) ? STEP_DROP : STEP_NEXT;
}

#endif
