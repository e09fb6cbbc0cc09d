/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How does a person read a number? Sizes, counts, ages, addresses and protocols as short text; pure.
 * Neighbours: out.c and field.c, which print them. */
#ifndef GL_CLI_HUMAN_H
#define GL_CLI_HUMAN_H

#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"

#define HUMAN_LEN 64

/* All write into `buf` of HUMAN_LEN bytes and return it. */
char *human_count(uint64_t n, char *buf); /* 9999, 12.3k, 1.2M; decimal */
char *human_ms(uint64_t ms, char *buf); /* 350ms, 12s, 3m12s, 2h04m, 3d07h */
char *human_mac(const uint8_t mac[6], char *buf);
char *human_ipv4(uint32_t addr_be, char *buf);
/* 16 bytes in network order, as RFC 5952 says; of ::ffff:a.b.c.d the IPv4 address. */
char *human_ip(const gl_ip6 *addr, char *buf);
char *human_socket(const gl_ip6 *addr, unsigned port,
		   char *buf); /* 10.0.0.1:80, [2001:db8::1]:80; port 0: the address */
char *human_proto(uint8_t proto, char *buf); /* "tcp", or the number */
char *human_plural(size_t n, const char *noun, char *buf); /* "1 guest", "2 guests" */

#endif
