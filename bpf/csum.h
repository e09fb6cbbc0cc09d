/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet checksums (RFC 1071, 1624): differences of words as they stand in memory, so no byte order matters. */
#ifndef GL_CSUM_H
#define GL_CSUM_H

#include <linux/types.h>

#include "family.h"

static __always_inline __u32 csum_add(__u32 a, __u32 b)
{
	a += b;
	return a + (a < b);
}

static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* What replacing `from` by `to` adds to a sum. */
static __always_inline __u32 csum_diff32(__u32 from, __u32 to)
{
	return csum_add(~from, to);
}

static __always_inline __u32 csum_diff16(__u16 from, __u16 to)
{
	return (__u32)(__u16)~from + to;
}

/* Of a whole address. */
static __always_inline __u32 csum_add_ip(__u32 sum, const gl_ip *ip)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < IP_WORDS; i++)
		sum = csum_add(sum, ip_words(ip)[i]);
	return sum;
}

static __always_inline __u32 csum_diff_ip(__u32 sum, const gl_ip *from, const gl_ip *to)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < IP_WORDS; i++)
		sum = csum_add(sum, csum_diff32(ip_words(from)[i], ip_words(to)[i]));
	return sum;
}

/* The checksum field after a change. */
static __always_inline __u16 csum_apply(__u16 check, __u32 diff)
{
	return ~csum_fold(csum_add((__u16)~check, diff));
}

#endif
