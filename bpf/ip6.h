/* SPDX-License-Identifier: GPL-2.0-only */
/* What IPv6's headers look like, and ICMPv6's numbers. ip4.h offers the same names. Neighbours: family.h, parse6.h. */
#ifndef GL_IP6_H
#define GL_IP6_H

#include "pkt.h"

#define ICMP_UNREACH 1
#define ICMP_TOO_BIG 2
#define ICMP_TIME_EXCEEDED 3
#define ICMP_PARAM_PROBLEM 4
#define ICMP_ECHO 128
#define ICMP_ECHOREPLY 129

#define IP_HLEN 40
#define IP_AT_TTL 7
#define IP_AT_SRC 8
#define IP_MTU_MIN 1280 /* RFC 8200 5 */

/* Extension headers (RFC 8200 4). */
#define EXT_HOP_BY_HOP 0
#define EXT_ROUTING 43
#define EXT_FRAGMENT 44
#define EXT_AUTH 51 /* RFC 4302 */
#define EXT_NONE 59
#define EXT_DESTINATION 60

/* The longest headers that are read: Ethernet, tag, IPv6 with extension headers, and an ICMP error with what it quotes
 * of the same, down to the quoted transport header. */
#define GL_PULL (ETH_HLEN + 4 + 2 * (IP_HLEN + GL_EXT_BYTES) + 8 + 20)

struct ip_hdr { /* RFC 8200 3 */
	__be32 version_be; /* and traffic class, flow label */
	__be16 payload_be;
	__u8 next;
	__u8 ttl;
	gl_ip6 src_be;
	gl_ip6 dst_be;
};

/* As much of any extension header as is read. */
struct ext_hdr {
	__u8 next;
	__u8 len; /* units of 8 bytes behind the first 8; authentication: of 4 bytes, less 2 */
	__be16 frag_be; /* fragment header: offset in units of 8 bytes << 3, 1: more follow */
	__be32 id_be; /* fragment header */
};

/* Types of queries whose answers carry the same identifier. */
static __always_inline bool icmp_is_request(__u8 type)
{
	return type == ICMP_ECHO;
}

static __always_inline bool icmp_is_query(__u16 port)
{
	return port == GL_ICMP6_QUERY;
}

static __always_inline __u8 icmp_reply_to(__u8 query)
{
	(void)query;
	return ICMP_ECHOREPLY;
}

static __always_inline bool icmp_is_reply(__u8 type)
{
	return type == ICMP_ECHOREPLY;
}

static __always_inline __u8 icmp_request_of(__u8 reply)
{
	(void)reply;
	return ICMP_ECHO;
}

#endif
