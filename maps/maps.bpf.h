/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps' declarations, for the programs alone. Weak, so that every program may include them and the linker keeps
 * one of each. Neighbours: abi.h (keys and values, who writes what), registry.c (the same rows for user space). */
#ifndef GL_MAPS_BPF_H
#define GL_MAPS_BPF_H

#include "abi.h"

#define GL_MAP(map_name, map_type, key_type, val_type, entries, map_fl)                                                \
	struct {                                                                                                       \
		__uint(type, map_type);                                                                                \
		__uint(max_entries, entries);                                                                          \
		__uint(map_flags, map_fl);                                                                             \
		__type(key, key_type);                                                                                 \
		__type(value, val_type);                                                                               \
	} map_name __weak SEC(".maps")

GL_MAP(gl_control, BPF_MAP_TYPE_ARRAY, __u32, struct gl_control_val, 1, 0);
GL_MAP(gl_port, BPF_MAP_TYPE_ARRAY, __u32, struct gl_port_val, 2 * GL_PORT_SLOTS, BPF_F_MMAPABLE);
GL_MAP(gl_network, BPF_MAP_TYPE_ARRAY, __u32, struct gl_network_val, 2 * GL_MAX_NETWORKS, BPF_F_MMAPABLE);
GL_MAP(gl_l2, BPF_MAP_TYPE_HASH, struct gl_l2_key, struct gl_l2_val, 2 * GL_MAX_L2, BPF_F_NO_PREALLOC);
GL_MAP(gl_name, BPF_MAP_TYPE_HASH, struct gl_name_key, struct gl_name_val, GL_MAX_NAMES, BPF_F_NO_PREALLOC);
GL_MAP(gl_drops, BPF_MAP_TYPE_PERCPU_HASH, struct gl_drops_key, struct gl_count_val, GL_MAX_DROP_CELLS,
       BPF_F_NO_PREALLOC);
GL_MAP(gl_traffic, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct gl_traffic_val, GL_PORT_SLOTS, 0);
GL_MAP(gl_policy, BPF_MAP_TYPE_ARRAY, __u32, struct gl_policy_val, 2 * GL_MAX_POLICIES, BPF_F_MMAPABLE);
GL_MAP(gl_tree, BPF_MAP_TYPE_ARRAY, __u32, struct gl_tree_val, 2 * GL_MAX_TREE_LINES, BPF_F_MMAPABLE);
GL_MAP(gl_rule, BPF_MAP_TYPE_HASH, struct gl_rule_key, struct gl_rule_val, 2 * GL_MAX_RULES, BPF_F_NO_PREALLOC);
GL_MAP(gl_tenant, BPF_MAP_TYPE_ARRAY, __u32, struct gl_tenant_val, 2 * GL_MAX_TENANTS, BPF_F_MMAPABLE);
GL_MAP(gl_tenant_stat, BPF_MAP_TYPE_ARRAY, __u32, struct gl_tenant_stat, GL_MAX_TENANTS, BPF_F_MMAPABLE);
GL_MAP(gl_devmap, BPF_MAP_TYPE_DEVMAP, __u32, __u32, GL_PORT_SLOTS, 0);

/* As abi.h's gl_frag_val, with the lock under the type that the kernel wants to see. */
struct gl_frag_locked {
	struct bpf_spin_lock lock;
	__be16 sport_be;
	__be16 dport_be;
	__u32 seen;
	__u32 tenant;
	__u16 total;
	__u8 proto;
	__u8 pad;
	struct gl_frag_part part[GL_FRAG_PARTS];
};

/* The maps that hold addresses, of one family.
 * gl_flow4, gl_flow6: one inner map per tenant, made by the loader: a hash of gl_flow4_key to gl_flow4_val (or 6),
 * max_entries twice the tenant's max_flows. The loader names the shape (bpf_map__set_inner_map_fd), as the linker does
 * not take two definitions of an inner map for one. */
#define GL_FAMILY_MAPS(n)                                                                                              \
	GL_MAP(gl_host##n, BPF_MAP_TYPE_HASH, struct gl_host##n##_key, struct gl_host##n##_val, 2 * GL_MAX_HOSTS,      \
	       BPF_F_NO_PREALLOC);                                                                                     \
	GL_MAP(gl_route##n, BPF_MAP_TYPE_LPM_TRIE, struct gl_route##n##_key, struct gl_route##n##_val,                 \
	       2 * GL_MAX_ROUTES, BPF_F_NO_PREALLOC);                                                                  \
	GL_MAP(gl_allow##n, BPF_MAP_TYPE_LPM_TRIE, struct gl_allow##n##_key, struct gl_allow##n##_val,                 \
	       2 * GL_MAX_ALLOWED, BPF_F_NO_PREALLOC);                                                                 \
	GL_MAP(gl_addr##n, BPF_MAP_TYPE_HASH, struct gl_addr##n##_key, struct gl_addr##n##_val, 2 * GL_MAX_PUBLIC,     \
	       BPF_F_NO_PREALLOC);                                                                                     \
	GL_MAP(gl_forward##n, BPF_MAP_TYPE_HASH, struct gl_forward##n##_key, struct gl_forward##n##_val,               \
	       2 * GL_MAX_FORWARDS, BPF_F_NO_PREALLOC);                                                                \
	GL_MAP(gl_remote##n, BPF_MAP_TYPE_HASH, struct gl_remote##n##_key, struct gl_remote_val, 2 * GL_MAX_REMOTES,   \
	       BPF_F_NO_PREALLOC);                                                                                     \
	GL_MAP(gl_frag##n, BPF_MAP_TYPE_HASH, struct gl_frag##n##_key, struct gl_frag_locked, GL_MAX_FRAGMENTS,        \
	       BPF_F_NO_PREALLOC);                                                                                     \
	GL_MAP(gl_flow##n, BPF_MAP_TYPE_ARRAY_OF_MAPS, __u32, __u32, GL_MAX_TENANTS, 0)

GL_FAMILY_MAPS(4);
GL_FAMILY_MAPS(6);

GL_MAP(gl_ra, BPF_MAP_TYPE_HASH, struct gl_ra_key, struct gl_ra_val, 2 * GL_MAX_NETWORKS, BPF_F_NO_PREALLOC);
GL_MAP(gl_ra_sent, BPF_MAP_TYPE_ARRAY, __u32, struct gl_ra_sent_val, GL_PORT_SLOTS, 0);

/* As abi.h's gl_sweep_val, with the timer under the type that the kernel wants to see. */
struct gl_sweep_timer {
	struct bpf_timer timer;
	__u64 runs;
	__u64 expired;
	__u32 tenant;
	__u32 fragments;
};
GL_MAP(gl_sweep, BPF_MAP_TYPE_ARRAY, __u32, struct gl_sweep_timer, GL_MAX_TENANTS, 0);

#endif
