/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Addresses of either family in one type, for those who show and tell apart what the programs hold: IPv4 stands there
 * as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), which no packet has. */
#ifndef GL_IP6_H
#define GL_IP6_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/model.h"

static inline gl_ip6 gl_ip6_of4(gl_ip4 address)
{
	return (gl_ip6){ .w = { 0, 0, htonl(0xffff), address } };
}

static inline bool gl_ip6_is4(const gl_ip6 *address)
{
	return !address->w[0] && !address->w[1] && address->w[2] == htonl(0xffff);
}

static inline int gl_ip6_compare(const gl_ip6 *a, const gl_ip6 *b)
{
	return memcmp(a, b, sizeof(*a));
}

static inline gl_ip6 gl_ip6_of(const struct gl_prefix *address)
{
	gl_ip6 ret = { 0 };

	if (address->family == AF_INET)
		ret = gl_ip6_of4(0);
	memcpy(address->family == AF_INET ? &ret.w[3] : &ret.w[0], address->bytes, address->family == AF_INET ? 4 : 16);
	return ret;
}

/* Of its own family, all bits. */
static inline struct gl_prefix gl_ip6_prefix(const gl_ip6 *address)
{
	bool v4 = gl_ip6_is4(address);
	struct gl_prefix ret = { .family = v4 ? AF_INET : AF_INET6, .len = v4 ? 32 : 128 };

	memcpy(ret.bytes, v4 ? &address->w[3] : &address->w[0], v4 ? 4 : 16);
	return ret;
}

#endif
