/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts what a packet costs: included before everything else when the programs are compiled for test_cost.c, and
 * never in what is installed. */
#ifndef GL_LOOKUPS_BPF_H
#define GL_LOOKUPS_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "tests/prog/lookups.h"

__u64 gl_lookups[GL_COUNTED] __weak;

#define GL_IS(map, name) (__builtin_strcmp(map, name) == 0)
#define GL_KIND(map)                                                                                                   \
	(GL_IS(map, "&gl_control")			      ? GL_COUNTED_CONTROL                                     \
	 : GL_IS(map, "&gl_port")			      ? GL_COUNTED_PORT                                        \
	 : GL_IS(map, "&gl_flow")			      ? GL_COUNTED_TABLE                                       \
	 : GL_IS(map, "table")				      ? GL_COUNTED_FLOW                                        \
	 : GL_IS(map, "&gl_traffic")			      ? GL_COUNTED_TRAFFIC                                     \
	 : GL_IS(map, "&gl_pkt") || GL_IS(map, "&gl_numbers") ? GL_COUNTED_SCRATCH                                     \
	 : GL_IS(map, "&gl_addr")			      ? GL_COUNTED_PUBLIC                                      \
	 : GL_IS(map, "&gl_forward")			      ? GL_COUNTED_PUBLIC                                      \
							      : GL_COUNTED_OTHER)
#define GL_COUNT(kind, call)                                                                                           \
	({                                                                                                             \
		gl_lookups[kind]++;                                                                                    \
		call;                                                                                                  \
	})

#define bpf_map_lookup_elem(map, key) GL_COUNT(GL_KIND(#map), (bpf_map_lookup_elem)(map, key))
#define bpf_map_update_elem(map, key, val, flags)                                                                      \
	GL_COUNT(GL_COUNTED_WRITE, (bpf_map_update_elem)(map, key, val, flags))
#define bpf_map_delete_elem(map, key) GL_COUNT(GL_COUNTED_WRITE, (bpf_map_delete_elem)(map, key))
#define bpf_redirect_map(map, key, flags) GL_COUNT(GL_COUNTED_REDIRECT, (bpf_redirect_map)(map, key, flags))
#define bpf_redirect(ifindex, flags) GL_COUNT(GL_COUNTED_REDIRECT, (bpf_redirect)(ifindex, flags))
#define bpf_fib_lookup(ctx, fib, len, flags) GL_COUNT(GL_COUNTED_FIB, (bpf_fib_lookup)(ctx, fib, len, flags))

#endif
