/* SPDX-License-Identifier: GPL-2.0-only */
/* Picks the hook that the object is built for: -DGL_HOOK_XDP, -DGL_HOOK_GENERIC (XDP's generic one) or -DGL_HOOK_TC;
 * and names its functions after the hook and the family of addresses (family.h): GL_PROGRAM(leg_open) is leg_open_tc,
 * or leg_open6_tc. */
#ifndef GL_HOOK_H
#define GL_HOOK_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "family.h"

#if defined(GL_HOOK_XDP)
#include "ctx_xdp.h"
#define GL_SECTION "xdp.frags"
#define GL_PROGRAM_OF(name) name##_xdp
#elif defined(GL_HOOK_GENERIC)
#include "ctx_xdp.h"
#define GL_SECTION "xdp"
#define GL_PROGRAM_OF(name) name##_generic
#else
#include "ctx_tc.h"
#define GL_SECTION "tc"
#define GL_PROGRAM_OF(name) name##_tc
#endif

#define GL_PROGRAM6(name) GL_PROGRAM_OF(name##6)
#if GL_IS_IPV6
#define GL_PROGRAM(name) GL_PROGRAM6(name)
#else
#define GL_PROGRAM(name) GL_PROGRAM_OF(name)
#endif

/* A program's body, which follows. IPv4's comes with the program itself, which hands frames of IPv6 over; IPv6's is a
 * global function. Neither is inlined, so that what one needs of the stack does not stand in the way of the other. */
#if GL_IS_IPV6
#define GL_ENTRY(name) __noinline int GL_PROGRAM6(name)(gl_ctx * ctx)
#else
#define GL_ENTRY(name)                                                                                                 \
	int GL_PROGRAM6(name)(gl_ctx * ctx);                                                                           \
	static __noinline int name##_ipv4(gl_ctx *ctx);                                                                \
	SEC(GL_SECTION) int GL_PROGRAM(name)(gl_ctx * ctx)                                                             \
	{                                                                                                              \
		return ctx_is_ipv6(ctx) ? GL_PROGRAM6(name)(ctx) : name##_ipv4(ctx);                                   \
	}                                                                                                              \
	static __noinline int name##_ipv4(gl_ctx *ctx)
#endif

char gl_license[] SEC("license") __weak = "GPL";

#endif
