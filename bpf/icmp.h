/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that the gateway itself sends, made of the one that asked for them: ARP answers, echo replies, ICMP errors.
 * Neighbours: egress.h (who sends them back). */
#ifndef GL_ICMP_H
#define GL_ICMP_H

#include "flow.h"
#include "parse.h"
#include "pkt.h"
#include "port.h"
#include "rewrite.h"

#define GATEWAY_TTL 64

#if !GL_IS_IPV6 /* ra.h has IPv6's */
static __noinline int reply_neigh(gl_ctx *ctx, const struct pkt *p)
{
	struct {
		__be16 op_be;
		__u8 sender_mac[GL_MAC_LEN];
		__u8 sender_be[4];
		__u8 target_mac[GL_MAC_LEN];
		__u8 target_be[4];
	} __attribute__((packed)) tail;

	tail.op_be = bpf_htons(2);
	mac_copy(tail.sender_mac, p->reply_mac);
	__builtin_memcpy(tail.sender_be, &p->neigh_target_be, 4);
	mac_copy(tail.target_mac, p->neigh_sender_mac);
	__builtin_memcpy(tail.target_be, &p->neigh_sender_be, 4);
	if (ctx_store(ctx, p->l3_off + offsetof(struct arp_hdr, op_be), &tail, sizeof(tail)))
		return STEP_DROP;
	return rewrite_ethernet(ctx, p->neigh_sender_mac, p->reply_mac) ? STEP_DROP : STEP_NEXT;
}
#endif

static __noinline int reply_echo(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in)
{
	const __u8 ttl = GATEWAY_TTL, type = ICMP_ECHOREPLY;

	p->addrs[0] = p->orig_dst_be;
	p->addrs[1] = p->orig_src_be;
#if !GL_IS_IPV6
	if (ctx_csum_l3(ctx, p->l3_off + IP_AT_CHECK, csum_diff16(p->ttl, ttl)))
		return -1;
#endif
	if (ctx_store(ctx, p->l3_off + IP_AT_SRC, p->addrs, sizeof(p->addrs)) ||
	    ctx_store(ctx, p->l3_off + IP_AT_TTL, &ttl, sizeof(ttl)) ||
	    ctx_store(ctx, p->l4_off, &type, sizeof(type)) ||
	    ctx_csum_l4(ctx, p->l4_off + ICMP_CHECK, 0, csum_diff16(ICMP_ECHO, ICMP_ECHOREPLY), false, false))
		return -1;
	return rewrite_ethernet(ctx, p->smac, in->gw_mac);
}

/* May an error be sent about this packet at all (RFC 1122 3.2.2)? */
static __always_inline bool error_is_due(const struct pkt *p)
{
	if (!p->error_type || p->vlan_inline || p->frag == FRAG_TAIL || ip_is_zero(&p->orig_src_be))
		return false;
	if (p->proto == PROTO_ICMP && p->icmp_type != ICMP_ECHO && p->icmp_type != ICMP_ECHOREPLY)
		return false;
	return !mac_is_multicast(p->dmac);
}

/* A tenant's share of errors in the second at hand (RFC 1812 4.3.2.8). */
static __always_inline bool error_is_within_rate(const struct pkt *p)
{
	struct gl_tenant_stat *stat = tenant_stat(p->tenant);

	if (!stat)
		return false;
	if (stat->icmp_second != p->now) {
		stat->icmp_second = p->now;
		stat->icmp_sent = 0;
	}
	return __sync_fetch_and_add(&stat->icmp_sent, 1) < GL_ICMP_ERRORS;
}

/* The address an error comes from: the gateway, or the public address that was asked. */
static __always_inline const gl_ip *error_source(const struct pkt *p, const struct gl_port_val *in)
{
	struct gl_network_val *network;

	if (in->kind != GL_PORT_GUEST || in->mode == GL_MODE_BRIDGE)
		return &p->orig_dst_be;
	network = network_by_index(in->network, p->side);
	if (!network)
		return &p->orig_dst_be;
	if (ip_is_zero(&net_gateway(network, 0)->mask_be))
		return GL_IS_IPV6 ? net_link(network) : &p->orig_dst_be;
	/* Of several, the one that the sender knows. */
	for (__u32 i = 1; i < GL_NET_GATEWAYS; i++) {
		const struct gl_gateway *gw = net_gateway(network, i);

		if (!ip_is_zero(&gw->mask_be) && ip_in_subnet(&p->orig_src_be, &gw->addr_be, &gw->mask_be))
			return &gw->addr_be;
	}
	return &net_gateway(network, 0)->addr_be;
}

/* Of `len` bytes at `at`. */
static __always_inline int error_sum(gl_ctx *ctx, struct pkt *p, __u32 at, __u32 len, __u32 *ret)
{
	__builtin_memset(p->quote, 0, sizeof(p->quote));
	/* Both bounds in the register that the helper gets, or older verifiers lose one. */
	asm volatile("" : "+r"(len));
	if (len < 4)
		return -1;
	asm volatile("" : "+r"(len));
	if (len > sizeof(p->quote) || ctx_load_bytes(ctx, at, p->quote, len))
		return -1;
	*ret = bpf_csum_diff(NULL, 0, p->quote, sizeof(p->quote), 0);
	return 0;
}

/* The sum over the quoted packet. The transport checksum inside is given the value that completing a partial checksum
 * leaves as it is: with C the complement of the sum of all else behind the IP header, V + V = C (one's complement),
 * that is C rotated by one bit. So the error is right whether or not a device still completes it. */
static __always_inline int error_quote_sum(gl_ctx *ctx, struct pkt *p, __u32 at, __u32 quote, __u32 *ret)
{
	const __u32 ihl = p->l4_off - p->l3_off;
	const __u32 field = p->proto == IPPROTO_TCP ? TCP_CHECK : UDP_CHECK;
	__u32 header = 0;
	__u16 value = 0;
	bool fix;

	fix = (p->proto == IPPROTO_TCP && quote >= ihl + 18) ||
	      (p->proto == IPPROTO_UDP && quote >= ihl + 8 && p->l4_csum);
	if (fix && ctx_store(ctx, at + ihl + field, &value, sizeof(value)))
		return -1;
	if (error_sum(ctx, p, at, quote, ret))
		return -1;
	/* IPv4's header sums up to nothing, its own checksum sees to that. */
	if (fix && GL_IS_IPV6 && error_sum(ctx, p, at, ihl, &header))
		return -1;
	if (fix) {
		value = ~csum_fold(csum_add(*ret, ~header));
		value = value >> 1 | value << 15;
		if (ctx_store(ctx, at + ihl + field, &value, sizeof(value)))
			return -1;
		*ret = csum_add(*ret, value);
	}
	return 0;
}

/* The error's IP header, and what it adds to the ICMP checksum. */
static __always_inline __u32 error_header(struct ip_hdr *ip, const gl_ip *src, const gl_ip *dst, __u32 payload)
{
	__u32 sum;

	ip->ttl = GATEWAY_TTL;
	ip->src_be = *src;
	ip->dst_be = *dst;
	sum = csum_add_ip(csum_add_ip(0, src), dst);
#if GL_IS_IPV6
	ip->version_be = bpf_htonl(0x60000000);
	ip->payload_be = bpf_htons(payload);
	ip->next = PROTO_ICMP;
	return csum_add(csum_add(sum, bpf_htons(PROTO_ICMP)), ip->payload_be);
#else
	ip->version_ihl = 0x45;
	ip->total_be = bpf_htons(IP_HLEN + payload);
	ip->proto = PROTO_ICMP;
	sum = csum_add(sum, csum_add(0x0045, ip->total_be));
	ip->check = ~csum_fold(csum_add(sum, GATEWAY_TTL | PROTO_ICMP << 8));
	return 0;
#endif
}

/* Turns the packet into an ICMP error to its sender (RFC 792, 1191, 4443). */
static __noinline int reply_error(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in)
{
	const __u32 ihl = p->l4_off - p->l3_off;
	const __u32 head = IP_HLEN + sizeof(struct icmp_hdr);
	/* IPv6: as much as there is room for (RFC 4443 2.4c); some traceroutes know packets by what is in them. */
	__u32 quote = GL_IS_IPV6 ? sizeof(p->quote) : ihl + (p->proto == IPPROTO_TCP ? 20 : 8);
	struct {
		struct ip_hdr ip;
		struct icmp_hdr icmp;
	} out = {};
	const __be16 ethertype_be = ETH_P_OWN_BE;
	__u32 sum, pseudo;

	if (quote > p->l3_len)
		quote = p->l3_len & ~3u;
	pseudo = error_header(&out.ip, error_source(p, in), &p->orig_src_be, sizeof(struct icmp_hdr) + quote);
	out.icmp.type = p->error_type;
	out.icmp.code = p->error_code;
	out.icmp.seq_be = bpf_htons(p->error_mtu);

	if (ctx_trim(ctx, p->l3_off + quote) || ctx_make_room(ctx, head))
		return -1;
	if (error_quote_sum(ctx, p, ETH_HLEN + head, quote, &sum))
		return -1;
	sum = csum_add(sum, pseudo);
	sum = csum_add(sum, out.icmp.type | out.icmp.code << 8);
	sum = csum_add(sum, out.icmp.seq_be);
	out.icmp.check = ~csum_fold(sum);
	if (ctx_store(ctx, ETH_HLEN, &out, sizeof(out)) ||
	    ctx_store(ctx, 2 * GL_MAC_LEN, &ethertype_be, sizeof(ethertype_be)))
		return -1;
	return rewrite_ethernet(ctx, p->smac, in->kind == GL_PORT_UPLINK ? in->mac : p->dmac);
}

#endif
