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
#define QUOTE_WORDS 20 /* IPv4 header with all its options and 20 bytes more */

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

static __noinline int reply_echo(gl_ctx *ctx, const struct pkt *p, const struct gl_port_val *in)
{
	const gl_ip addrs[2] = { p->orig_dst_be, p->orig_src_be };
	const __u8 ttl = GATEWAY_TTL, type = ICMP_ECHOREPLY;

	if (ctx_store(ctx, p->l3_off + IPV4_SRC, addrs, sizeof(addrs)) ||
	    ctx_store(ctx, p->l3_off + IPV4_TTL, &ttl, sizeof(ttl)) ||
	    ctx_csum_l3(ctx, p->l3_off + IPV4_CHECK, csum_diff16(p->ttl, ttl)) ||
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
	if (!network || ip_is_zero(&net_gateway(network, 0)->mask_be))
		return &p->orig_dst_be;
	/* Of several, the one that the sender knows. */
	for (__u32 i = 1; i < GL_NET_GATEWAYS; i++) {
		const struct gl_gateway *gw = net_gateway(network, i);

		if (!ip_is_zero(&gw->mask_be) && ip_in_subnet(&p->orig_src_be, &gw->addr_be, &gw->mask_be))
			return &gw->addr_be;
	}
	return &net_gateway(network, 0)->addr_be;
}

/* The sum over the quoted packet. The transport checksum inside is given the value that completing a partial checksum
 * leaves as it is: with C the complement of the sum of all else behind the IP header, V + V = C (one's complement),
 * that is C rotated by one bit. So the error is right whether or not a device still completes it. The IP header sums up
 * to nothing, its own checksum sees to that. */
static __always_inline int error_quote_sum(gl_ctx *ctx, const struct pkt *p, __u32 at, __u32 quote, __u32 *ret)
{
	const __u32 ihl = p->l4_off - p->l3_off;
	const __u32 field = p->proto == IPPROTO_TCP ? TCP_CHECK : UDP_CHECK;
	__u32 words[QUOTE_WORDS] = {};
	__u16 value = 0;
	bool fix;

	fix = (p->proto == IPPROTO_TCP && quote >= ihl + 18) ||
	      (p->proto == IPPROTO_UDP && quote >= ihl + 8 && p->l4_csum);
	if (fix && ctx_store(ctx, at + ihl + field, &value, sizeof(value)))
		return -1;
	/* Both bounds in the register that the helper gets, or older verifiers lose one. */
	asm volatile("" : "+r"(quote));
	if (quote < 4)
		return -1;
	asm volatile("" : "+r"(quote));
	if (quote > sizeof(words) || ctx_load_bytes(ctx, at, words, quote))
		return -1;
	*ret = bpf_csum_diff(NULL, 0, words, sizeof(words), 0);
	if (fix) {
		value = ~csum_fold(*ret);
		value = value >> 1 | value << 15;
		if (ctx_store(ctx, at + ihl + field, &value, sizeof(value)))
			return -1;
		*ret = csum_add(*ret, value);
	}
	return 0;
}

/* Turns the packet into an ICMP error to its sender (RFC 792, 1191). */
static __noinline int reply_error(gl_ctx *ctx, struct pkt *p, const struct gl_port_val *in)
{
	const __u32 ihl = p->l4_off - p->l3_off;
	const __u32 head = sizeof(struct ipv4_hdr) + sizeof(struct icmp_hdr);
	__u32 quote = ihl + (p->proto == IPPROTO_TCP ? 20 : 8);
	struct {
		struct ipv4_hdr ip;
		struct icmp_hdr icmp;
	} __attribute__((packed)) out = {};
	const __be16 ethertype_be = ETH_P_IP_BE;
	__u32 sum;

	if (quote > p->l3_len)
		quote = p->l3_len & ~3u;
	out.ip.version_ihl = 0x45;
	out.ip.total_be = bpf_htons(head + quote);
	out.ip.ttl = GATEWAY_TTL;
	out.ip.proto = PROTO_ICMP;
	out.ip.src_be = *error_source(p, in);
	out.ip.dst_be = p->orig_src_be;
	sum = csum_add(0x0045, out.ip.total_be);
	sum = csum_add(sum, GATEWAY_TTL | PROTO_ICMP << 8);
	sum = csum_add(sum, out.ip.src_be);
	sum = csum_add(sum, out.ip.dst_be);
	out.ip.check = ~csum_fold(sum);
	out.icmp.type = p->error_type;
	out.icmp.code = p->error_code;
	out.icmp.seq_be = bpf_htons(p->error_mtu);

	if (ctx_trim(ctx, p->l3_off + quote) || ctx_make_room(ctx, head))
		return -1;
	if (error_quote_sum(ctx, p, ETH_HLEN + head, quote, &sum))
		return -1;
	sum = csum_add(sum, out.icmp.type | out.icmp.code << 8);
	sum = csum_add(sum, out.icmp.seq_be);
	out.icmp.check = ~csum_fold(sum);
	if (ctx_store(ctx, ETH_HLEN, &out, sizeof(out)) ||
	    ctx_store(ctx, 2 * GL_MAC_LEN, &ethertype_be, sizeof(ethertype_be)))
		return -1;
	return rewrite_ethernet(ctx, p->smac, in->kind == GL_PORT_UPLINK ? in->mac : p->dmac);
}

#endif
