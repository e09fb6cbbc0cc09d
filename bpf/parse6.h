/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads the IPv6 header and what stands between it and the transport header. Included by parse.h; parse4.h is its
 * counterpart. */
#ifndef GL_PARSE6_H
#define GL_PARSE6_H

/* Walks extension headers up to the transport's, or in a fragment that is not the first up to the fragment header.
 * Routing headers are refused: nobody here is on their way (RFC 5095 has ended the only type that many knew). The place
 * is kept in p, where the verifier forgets it. */
static __always_inline enum step parse_extensions(gl_ctx *ctx, struct pkt *p)
{
	const __u32 start = p->l3_off + IP_HLEN, end = p->l3_off + p->l3_len;
	bool fragment = false;

	for (__u32 i = 0; i <= GL_EXT_HEADERS; i++) {
		const __u32 at = *(volatile __u8 *)&p->l4_off;
		const __u8 kind = *(volatile __u8 *)&p->proto;
		struct ext_hdr ext;
		__u32 size;

		if (kind != EXT_HOP_BY_HOP && kind != EXT_ROUTING && kind != EXT_FRAGMENT && kind != EXT_AUTH &&
		    kind != EXT_DESTINATION)
			return STEP_NEXT;
		if (i == GL_EXT_HEADERS || kind == EXT_ROUTING || (kind == EXT_HOP_BY_HOP && i) ||
		    (kind == EXT_FRAGMENT && fragment))
			return drop(p, GL_DROP_EXTENSION_HEADERS);
		/* RFC 7112: the first fragment holds all headers. */
		if (at + sizeof(ext) > end || ctx_load(ctx, at, &ext, sizeof(ext)))
			return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_EXTENSION_HEADERS);
		size = (ext.len + 1) * 8;
		if (kind == EXT_AUTH)
			size = (ext.len + 2) * 4;
		if (kind == EXT_FRAGMENT) {
			const __u32 frag = bpf_ntohs(ext.frag_be);

			fragment = true;
			size = sizeof(ext);
			p->id_be = ext.id_be;
			p->frag_proto = ext.next;
			p->frag_first = frag >> 3;
			p->frag_more = frag & 1;
			p->frag_len = end - at - sizeof(ext);
			/* Alone it is a whole packet (RFC 6946). */
			p->frag = frag >> 3 ? FRAG_TAIL : frag & 1 ? FRAG_HEAD : FRAG_NONE;
			/* RFC 1858, as in parse4.h */
			if (frag >> 3 == 1 && ext.next == IPPROTO_TCP)
				return drop(p, GL_DROP_FRAGMENT_TINY);
			if ((frag & ~7u) + (end - start) > 0xffff + sizeof(ext))
				return drop(p, GL_DROP_IP_MALFORMED);
		}
		if (at + size - start > GL_EXT_BYTES || size % 8)
			return drop(p, GL_DROP_EXTENSION_HEADERS);
		if (at + size > end)
			return drop(p, p->frag ? GL_DROP_FRAGMENT_TINY : GL_DROP_EXTENSION_HEADERS);
		p->proto = ext.next;
		p->l4_off = at + size;
		p->extensions = i + 1;
		if (p->frag == FRAG_TAIL)
			return STEP_NEXT;
	}
	return drop(p, GL_DROP_EXTENSION_HEADERS);
}

/* Global, so that it is verified once. */
__noinline int GL_PROGRAM(parse_headers)(gl_ctx *ctx, struct pkt *p, __u32 strict)
{
	struct ip_hdr *ip;
	__u32 present;

	if (!p)
		return STEP_DROP;
	ip = ctx_data(ctx) + p->l3_off;
	if ((void *)(ip + 1) > ctx_data_end(ctx))
		return drop(p, GL_DROP_IP_MALFORMED);
	p->src_be = ip->src_be;
	p->dst_be = ip->dst_be;
	p->proto = ip->next;
	p->ttl = ip->ttl;
	p->l3_len = bpf_ntohs(ip->payload_be) + IP_HLEN;
	present = p->len - p->l3_off;
	/* No payload is none (RFC 8200 4.7), or a jumbogram (RFC 2675), which nobody here takes. */
	if (bpf_ntohl(ip->version_be) >> 28 != 6 || p->l3_len == IP_HLEN || p->l3_len > present)
		return drop(p, GL_DROP_IP_MALFORMED);
	if (strict && p->l3_len < present && p->len > ETH_ZLEN)
		return drop(p, GL_DROP_IP_MALFORMED);
	p->frag = FRAG_NONE;
	p->l4_off = p->l3_off + IP_HLEN;
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP && p->proto != PROTO_ICMP) {
		enum step step = parse_extensions(ctx, p);

		if (step)
			return step;
	}
	p->l4_len = p->l3_off + p->l3_len - p->l4_off;
	return parse_transport(ctx, p);
}

/* `strict`: as in parse4.h. */
static __always_inline enum step parse_ip(gl_ctx *ctx, struct pkt *p, bool strict)
{
	/* The verifier takes what a global function returns for anything. */
	return GL_PROGRAM(parse_headers)(ctx, p, strict) ? STEP_DROP : STEP_NEXT;
}

/* DHCPv6 names its clients in options of its own; an interface's addresses are what it is held against. */
static __always_inline enum step parse_dhcp(gl_ctx *ctx, struct pkt *p)
{
	(void)ctx;
	(void)p;
	return STEP_NEXT;
}

#endif
