/* SPDX-License-Identifier: GPL-2.0-only */
/* What IPv4's headers look like, and ICMP's numbers. ip6.h offers the same names. Neighbours: family.h, parse4.h. */
#ifndef GL_IP4_H
#define GL_IP4_H

#include "pkt.h"

#define ICMP_ECHOREPLY 0
#define ICMP_UNREACH 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAM_PROBLEM 12
#define ICMP_FRAG_NEEDED 4 /* code of ICMP_UNREACH */

#define IP_HLEN 20 /* without options */
#define IP_AT_TTL 8
#define IP_AT_CHECK 10
#define IP_AT_SRC 12

/* The longest headers that are read: Ethernet, tag, IPv4 with options, and an ICMP error with what it quotes. */
#define GL_PULL (ETH_HLEN + 4 + 60 + 92)

struct arp_hdr { /* RFC 826, for Ethernet and IPv4 */
	__be16 hw_be;
	__be16 proto_be;
	__u8 hw_len;
	__u8 proto_len;
	__be16 op_be;
	__u8 sender_mac[GL_MAC_LEN];
	__u8 sender_be[4];
	__u8 target_mac[GL_MAC_LEN];
	__u8 target_be[4];
};

struct ip_hdr { /* RFC 791 */
	__u8 version_ihl;
	__u8 tos;
	__be16 total_be;
	__be16 id_be;
	__be16 frag_be;
	__u8 ttl;
	__u8 proto;
	__u16 check;
	__be32 src_be;
	__be32 dst_be;
};

/* Types of queries whose answers carry the same identifier: echo, timestamp, information (RFC 792), address mask
 * (RFC 950). */
static __always_inline bool icmp_is_request(__u8 type)
{
	return type == ICMP_ECHO || type == 13 || type == 15 || type == 17;
}

/* `port`: GL_ICMP_PORT() */
static __always_inline bool icmp_is_query(__u16 port)
{
	return !(port & 0xff) && icmp_is_request(port >> 8);
}

static __always_inline __u8 icmp_reply_to(__u8 query)
{
	return query == ICMP_ECHO ? ICMP_ECHOREPLY : query + 1;
}

static __always_inline bool icmp_is_reply(__u8 type)
{
	return type == ICMP_ECHOREPLY || type == 14 || type == 16 || type == 18;
}

static __always_inline __u8 icmp_request_of(__u8 reply)
{
	return reply == ICMP_ECHOREPLY ? ICMP_ECHO : reply - 1;
}

#endif
