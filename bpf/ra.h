/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes advertisements, in place of the frame at hand: of a neighbour, in answer to a solicitation; and of the router,
 * from what the loader has prepared in gl_ra. Router advertisements are TC's alone; both families ask whether one is
 * due and have it sent, as ARP is a sign of life too. Neighbours: nd.h (has read the solicitation), egress.h (who
 * sends), advertise.bpf.h (sends without being asked). */
#ifndef GL_RA_H
#define GL_RA_H

#include "parse.h"
#include "pkt.h"
#include "port.h"
#include "rewrite.h"

#define ND_RS 133
#define ND_RA 134
#define ND_NS 135
#define ND_NA 136
#define ND_REDIRECT 137
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define ND_FLAG_ROUTER 0x80 /* of advertisements */
#define ND_FLAG_SOLICITED 0x40
#define ND_FLAG_OVERRIDE 0x20
#define RA_HOPS 255
#define RA_NEXT 58 /* ICMPv6 */
#define RA_INTERVAL_MIN 4 /* seconds (RFC 4861 6.2.1): before that the network's own need not be asked for */

#if GL_IS_IPV6
struct na {
	__be32 version_be;
	__be16 len_be;
	__u8 next;
	__u8 hops;
	gl_ip6 src_be;
	gl_ip6 dst_be;
	__u8 type;
	__u8 code;
	__u16 check;
	__u8 flags;
	__u8 pad[3];
	gl_ip6 target_be;
	__u8 option_type;
	__u8 option_words;
	__u8 mac[GL_MAC_LEN];
};
#define NA_BYTES (ETH_HLEN + sizeof(struct na)) /* of the frame */
#define NA_ICMP (sizeof(struct na) - offsetof(struct na, type))

static __always_inline __u32 reply_bytes(const struct pkt *p)
{
	(void)p;
	return NA_BYTES;
}

/* Who has no address yet is told by all nodes' group, and nobody else is. */
static __noinline int reply_neigh(gl_ctx *ctx, const struct pkt *p)
{
	const bool probe = ip_is_zero(&p->src_be);
	__u8 dmac[GL_MAC_LEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct na na = {};
	__u32 sum;

	na.version_be = bpf_htonl(6u << 28);
	na.len_be = bpf_htons(NA_ICMP);
	na.next = RA_NEXT;
	na.hops = RA_HOPS;
	na.src_be = p->neigh_target_be;
	na.dst_be = probe ? (gl_ip6){ { bpf_htonl(0xff020000), 0, 0, bpf_htonl(1) } } : p->src_be;
	na.type = ND_NA;
	na.flags = ND_FLAG_OVERRIDE | (probe ? 0 : ND_FLAG_SOLICITED) | (p->reply_router ? ND_FLAG_ROUTER : 0);
	na.target_be = p->neigh_target_be;
	na.option_type = ND_OPTION_TARGET;
	na.option_words = 1;
	mac_copy(na.mac, p->reply_mac);
	if (!probe)
		mac_copy(dmac, p->smac);
	/* Addresses and message lie side by side: all that counts but the pseudo header's two numbers. */
	sum = bpf_csum_diff(NULL, 0, na.src_be.w, sizeof(na) - offsetof(struct na, src_be), 0);
	sum = csum_add(sum, na.len_be);
	na.check = ~csum_fold(csum_add(sum, bpf_htons(RA_NEXT)));
	/* A probe is shorter than its answer: XDP may not find room behind it, and leaves it to TC as it is. */
	if (p->len != NA_BYTES && ctx_trim(ctx, NA_BYTES))
		return GL_IS_XDP ? STEP_SLOW : STEP_DROP;
	if (ctx_store(ctx, ETH_HLEN, &na, sizeof(na)))
		return STEP_DROP;
	return rewrite_ethernet(ctx, dmac, p->reply_mac) ? STEP_DROP : STEP_NEXT;
}
#else
static __always_inline __u32 reply_bytes(const struct pkt *p)
{
	return p->len;
}

#endif

struct ra_head {
	__u8 dmac[GL_MAC_LEN];
	__u8 smac[GL_MAC_LEN];
	__be16 ethertype_be;
	__be32 version_be;
	__be16 len_be;
	__u8 next;
	__u8 hops;
	gl_ip6 src_be;
	gl_ip6 dst_be;
} __attribute__((packed));

/* Has the interface not heard of its router for longer than its network wants? */
static __always_inline bool ra_is_due(const struct pkt *p, const struct gl_port_val *in)
{
	struct gl_ra_key key = { .network = in->network, .side = p->side };
	struct gl_ra_sent_val *sent;
	struct gl_ra_val *ra;

	if (in->kind != GL_PORT_GUEST || !(in->flags & GL_PORT_F_IPV6))
		return false;
	sent = bpf_map_lookup_elem(&gl_ra_sent, &p->in_slot);
	if (!sent || (sent->seconds && p->now - sent->seconds < RA_INTERVAL_MIN))
		return false;
	ra = bpf_map_lookup_elem(&gl_ra, &key);
	return ra && (!sent->seconds || p->now - sent->seconds >= ra->interval);
}

#if !GL_IS_XDP
/* One function for both families: the object of IPv4's has it.
 * The frame becomes the router advertisement for the interface at `slot`, to `to`, or to all nodes. Bytes of the frame;
 * 0: its network has none to send; or a negative number. */
int ra_write(struct __sk_buff *ctx, __u32 slot, __u32 side, const gl_ip6 *to);

#if !GL_IS_IPV6
static __always_inline void ra_head_fill(struct ra_head *head, const gl_ip6 *to, const __u8 *mac, __u16 len)
{
	head->ethertype_be = ETH_P_IPV6_BE;
	head->version_be = bpf_htonl(6u << 28);
	head->len_be = bpf_htons(len);
	head->next = RA_NEXT;
	head->hops = RA_HOPS;
	if (to && (to->w[0] | to->w[1] | to->w[2] | to->w[3])) {
		head->dst_be = *to;
		mac_copy(head->dmac, mac);
	} else {
		head->dst_be = (gl_ip6){ { bpf_htonl(0xff020000), 0, 0, bpf_htonl(1) } };
		head->dmac[0] = 0x33;
		head->dmac[1] = 0x33;
		head->dmac[5] = 1;
	}
}

__noinline int ra_write(struct __sk_buff *ctx, __u32 slot, __u32 side, const gl_ip6 *to)
{
	struct gl_port_val *port = port_by_slot(slot, side & 1);
	struct gl_ra_sent_val *sent;
	struct gl_network_val *network;
	struct gl_ra_key key = { .side = side & 1 };
	struct ra_head head = {};
	struct gl_ra_val *ra;
	__u32 len, sum;
	__u16 check;

	if (!port || port->kind != GL_PORT_GUEST || !(port->flags & GL_PORT_F_IPV6))
		return 0;
	key.network = port->network;
	network = network_by_index(port->network, side & 1);
	ra = bpf_map_lookup_elem(&gl_ra, &key);
	sent = bpf_map_lookup_elem(&gl_ra_sent, &slot);
	if (!network || !ra || !sent)
		return 0;
	len = ra->len;
	ra_head_fill(&head, to, port->mac, len);
	mac_copy(head.smac, network->gw_mac);
	head.src_be = network->link6_be;
	sum = bpf_csum_diff(NULL, 0, (void *)&head + offsetof(struct ra_head, src_be), 2 * sizeof(gl_ip6), ra->sum);
	sum = csum_add(sum, bpf_htons(len));
	check = ~csum_fold(csum_add(sum, bpf_htons(RA_NEXT)));

	if (bpf_skb_change_tail(ctx, sizeof(head) + len, 0) || bpf_skb_store_bytes(ctx, 0, &head, sizeof(head), 0))
		return -1;
	/* Both bounds in the register that the helper gets, or older verifiers lose one. */
	asm volatile("" : "+r"(len));
	if (len < 16)
		return -1;
	asm volatile("" : "+r"(len));
	if (len > GL_RA_BODY || bpf_skb_store_bytes(ctx, sizeof(head), ra->body, len, 0) ||
	    bpf_skb_store_bytes(ctx, sizeof(head) + 2, &check, sizeof(check), 0))
		return -1;
	sent->seconds = bpf_ktime_get_coarse_ns() / 1000000000ull;
	sent->count++;
	return sizeof(head) + len;
}
#endif
#endif

#endif
