/* SPDX-License-Identifier: GPL-2.0-only */
/* Picks the hook that the object is built for: -DGL_HOOK_XDP, -DGL_HOOK_GENERIC (XDP's generic one) or -DGL_HOOK_TC. */
#ifndef GL_HOOK_H
#define GL_HOOK_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#if defined(GL_HOOK_XDP)
#include "ctx_xdp.h"
#define GL_SECTION "xdp.frags"
#define GL_PROGRAM(name) name##_xdp
#elif defined(GL_HOOK_GENERIC)
#include "ctx_xdp.h"
#define GL_SECTION "xdp"
#define GL_PROGRAM(name) name##_generic
#else
#include "ctx_tc.h"
#define GL_SECTION "tc"
#define GL_PROGRAM(name) name##_tc
#endif

char gl_license[] SEC("license") __weak = "GPL";

#endif
