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
	/* 4: source quench (RFC 6633: obsolete), 5: redirect; both only ever do harm here */
	return p->icmp_type == ICMP_UNREACH || p->icmp_type == 4 || p->icmp_type == 5 ||
	       p->icmp_type == ICMP_TIME_EXCEEDED || p->icmp_type == ICMP_PARAM_PROBLEM;
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

/* Reads the quoted packet and puts its tuple, turned round, in the place of the packet's own. */
static __always_inline enum step stage_related(gl_ctx *ctx, struct pkt *p)
{
	const __u32 at = p->l4_off + sizeof(struct icmp_hdr);
	struct ipv4_hdr ip;
	__be16 ports[4];
	__u32 ihl;

	if (p->frag || p->icmp_type == 4 || p->icmp_type == 5)
		return drop(p, GL_DROP_ICMP_ERROR);
	if (p->l4_len < sizeof(struct icmp_hdr) + sizeof(ip) + 8 || ctx_load(ctx, at, &ip, sizeof(ip)))
		return drop(p, GL_DROP_ICMP_ERROR);
	ihl = (ip.version_ihl & 0xf) * 4;
	if (ip.version_ihl >> 4 != 4 || ihl < sizeof(ip) || p->l4_len < sizeof(struct icmp_hdr) + ihl + 8)
		return drop(p, GL_DROP_ICMP_ERROR);
	/* An error goes to whom it quotes, and quotes a first fragment or a whole packet. */
	if (ip.src_be != p->dst_be || (ip.frag_be & bpf_htons(0x1fff)))
		return drop(p, GL_DROP_ICMP_ERROR);
	if (ctx_load(ctx, at + ihl, ports, sizeof(ports)))
		return drop(p, GL_DROP_ICMP_ERROR);
	p->related = 1;
	p->key_proto = ip.proto;
	p->inner_l4 = at + ihl;
	p->inner_len =
		p->l4_len - sizeof(struct icmp_hdr) - ihl > 0x40 ? 0x40 : p->l4_len - sizeof(struct icmp_hdr) - ihl;
	p->error_from_router = p->src_be != ip.dst_be;
	p->src_be = ip.dst_be;
	p->dst_be = ip.src_be;
	switch (ip.proto) {
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

#endif
