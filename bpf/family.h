/* SPDX-License-Identifier: GPL-2.0-only */
/* Which family of addresses the stages are built for: -DGL_FAMILY=4 or 6. They are written once, with the names of this
 * file: gl_flow is gl_flow4 or gl_flow6, gl_ip an address of 4 bytes or of 16. What really differs between the families
 * stands in ipv4.h and ipv6.h, and behind #if in few other places.
 * Neighbours: maps/abi_ip.h (the shapes), hook.h (the other thing that objects are built for). */
#ifndef GL_FAMILY_H
#define GL_FAMILY_H

#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "maps/maps.bpf.h"

#ifndef GL_FAMILY
#define GL_FAMILY 4
#endif

/* In three parts, none of which is a macro of this file. */
#define GL_OF__(before, name, version, after) before##name##version##after
#define GL_OF_(before, name, version, after) GL_OF__(before, name, version, after)
#define GL_OF(before, name, after) GL_OF_(before, name, GL_FAMILY, after)
#define GL_IS_IPV6 (GL_FAMILY == 6)

#if GL_IS_IPV6
typedef gl_ip6 gl_ip;
#define PROTO_ICMP 58
#define GL_PORT_F_MORE GL_PORT_F_MORE_ADDRS6
#else
typedef gl_ip4 gl_ip;
#define PROTO_ICMP 1
#define GL_PORT_F_MORE GL_PORT_F_MORE_ADDRS
#endif

/* Shapes. */
#define gl_gateway GL_OF(gl_, gateway, )
#define gl_pool GL_OF(gl_, pool, )
#define gl_host_key GL_OF(gl_, host, _key)
#define gl_host_val GL_OF(gl_, host, _val)
#define gl_route_key GL_OF(gl_, route, _key)
#define gl_route_val GL_OF(gl_, route, _val)
#define gl_allow_key GL_OF(gl_, allow, _key)
#define gl_allow_val GL_OF(gl_, allow, _val)
#define gl_addr_key GL_OF(gl_, addr, _key)
#define gl_addr_val GL_OF(gl_, addr, _val)
#define gl_forward_key GL_OF(gl_, forward, _key)
#define gl_forward_val GL_OF(gl_, forward, _val)
#define gl_flow_key GL_OF(gl_, flow, _key)
#define gl_flow_val GL_OF(gl_, flow, _val)
#define gl_frag_key GL_OF(gl_, frag, _key)

/* Maps, and what a CPU keeps of the packet at hand. */
#define gl_host GL_OF(gl_, host, )
#define gl_route GL_OF(gl_, route, )
#define gl_allow GL_OF(gl_, allow, )
#define gl_addr GL_OF(gl_, addr, )
#define gl_forward GL_OF(gl_, forward, )
#define gl_flow GL_OF(gl_, flow, )
#define gl_frag GL_OF(gl_, frag, )
#define gl_pkt GL_OF(gl_, pkt, )
#define gl_opening GL_OF(gl_, opening, )
#define gl_question GL_OF(gl_, question, )

/* Fields that stand in a shape once per family. */
#define net_gateway(network, i) (&(network)->GL_OF(, gateway, )[i])
#define net_pool(network, i) (&(network)->GL_OF(, pool, )[i])
#define net_pool_count(network) ((network)->GL_OF(, pool, _count))
#define net_link(network) ((const gl_ip *)&(network)->link6_be) /* IPv6 alone */
#define policy_remotes(dir) (&(dir)->GL_OF(, remote, ))
#if GL_IS_IPV6
#define port_addr(port, i) (&(port)->addr6_be[i])
#define port_floating(port) (&(port)->floating6_be)
#else
#define port_addr(port, i) (&(port)->addr_be[i])
#define port_floating(port) (&(port)->floating_be)
#endif

/* Addresses as words of 32 bits, network order. Pointers cost nothing, as all of this is inlined. */
#define IP_WORDS (sizeof(gl_ip) / sizeof(__be32))
#define IP_BITS (8 * sizeof(gl_ip))

static __always_inline const __be32 *ip_words(const gl_ip *ip)
{
	return (const __be32 *)ip;
}

static __always_inline bool ip_equal(const gl_ip *a, const gl_ip *b)
{
#if GL_IS_IPV6
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3])) == 0;
#else
	return *a == *b;
#endif
}

static __always_inline bool ip_is_zero(const gl_ip *ip)
{
#if GL_IS_IPV6
	return (ip->w[0] | ip->w[1] | ip->w[2] | ip->w[3]) == 0;
#else
	return *ip == 0;
#endif
}

/* Is it in the subnet of `net`? */
static __always_inline bool ip_in_subnet(const gl_ip *ip, const gl_ip *net, const gl_ip *mask)
{
#if GL_IS_IPV6
	return (((ip->w[0] ^ net->w[0]) & mask->w[0]) | ((ip->w[1] ^ net->w[1]) & mask->w[1]) |
		((ip->w[2] ^ net->w[2]) & mask->w[2]) | ((ip->w[3] ^ net->w[3]) & mask->w[3])) == 0;
#else
	return ((*ip ^ *net) & *mask) == 0;
#endif
}

/* The last address of a subnet of more than one: IPv4's directed broadcast. IPv6 has none. */
static __always_inline bool ip_is_subnet_broadcast(const gl_ip *ip, const gl_ip *mask)
{
#if GL_IS_IPV6
	(void)ip;
	(void)mask;
	return false;
#else
	return *mask && *mask != 0xffffffff && (*ip | *mask) == 0xffffffff;
#endif
}

static __always_inline bool ip_is_multicast(const gl_ip *ip)
{
#if GL_IS_IPV6
	return (ip->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
#else
	return (bpf_ntohl(*ip) >> 28) == 0xe;
#endif
}

static __always_inline bool ip_is_broadcast(const gl_ip *ip)
{
#if GL_IS_IPV6
	(void)ip;
	return false;
#else
	return *ip == 0xffffffff;
#endif
}

/* fe80::/10, fixed to its own link. IPv4 knows no such addresses here. */
static __always_inline bool ip_is_link_local(const gl_ip *ip)
{
#if GL_IS_IPV6
	return (ip->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
#else
	(void)ip;
	return false;
#endif
}

/* Where nobody may be on a wire at all (RFC 6890): of IPv6 ::, ::1, ::ffff:0:0/96 and groups that do not reach beyond
 * their own node (RFC 4291 2.7: scopes 0 and 1). */
static __always_inline bool is_martian_dst(const gl_ip *ip)
{
#if GL_IS_IPV6
	if (ip_is_multicast(ip))
		return (bpf_ntohl(ip->w[0]) >> 16 & 0xe) == 0;
	return (ip->w[0] | ip->w[1]) == 0 &&
	       ((ip->w[2] == 0 && (ip->w[3] & ~bpf_htonl(1)) == 0) || ip->w[2] == bpf_htonl(0xffff));
#else
	const __u32 addr = bpf_ntohl(*ip);

	return addr >> 24 == 0 || addr >> 24 == 127 || (addr >> 28 == 0xf && addr != 0xffffffff);
#endif
}

static __always_inline __u32 ip_hash_word(const gl_ip *ip)
{
#if GL_IS_IPV6
	return ip->w[0] ^ ip->w[1] ^ ip->w[2] ^ ip->w[3];
#else
	return *ip;
#endif
}

/* As in gl_tenant_stat: IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
static __always_inline void ip_to_ip6(gl_ip6 *to, const gl_ip *ip)
{
#if GL_IS_IPV6
	*to = *ip;
#else
	*to = (gl_ip6){ { 0, 0, bpf_htonl(0xffff), *ip } };
#endif
}

#endif
