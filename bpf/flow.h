/* SPDX-License-Identifier: GPL-2.0-only */
/* How a tenant's flow table is made: look up, insert, delete. Nobody else knows that it is a kernel hash.
 * Neighbours: abi.h (key and value), leg.h (who opens flows), sweep.bpf.c (who takes expired ones away). */
#ifndef GL_FLOW_H
#define GL_FLOW_H

#include "pkt.h"

static __always_inline struct gl_tenant_val *tenant_by_index(__u32 index, __u32 side)
{
	const __u32 at = GL_SIDED(index, side & 1);

	return bpf_map_lookup_elem(&gl_tenant, &at);
}

static __always_inline void *flow_table(__u32 tenant)
{
	return bpf_map_lookup_elem(&gl_flow4, &tenant);
}

static __always_inline struct gl_flow4_val *flow_lookup(void *table, const struct gl_flow4_key *key)
{
	return bpf_map_lookup_elem(table, key);
}

/* -EEXIST: there is one; other errors: the tenant's share is used up. An int, as kernels before 6.4 leave the upper
 * half of what these two return to chance. */
static __always_inline int flow_insert(void *table, const struct gl_flow4_key *key, const struct gl_flow4_val *val)
{
	return bpf_map_update_elem(table, key, val, BPF_NOEXIST);
}

static __always_inline int flow_write(void *table, const struct gl_flow4_key *key, const struct gl_flow4_val *val)
{
	return bpf_map_update_elem(table, key, val, BPF_ANY);
}

static __always_inline void flow_delete(void *table, const struct gl_flow4_key *key)
{
	bpf_map_delete_elem(table, key);
}

/* The key of the other direction: the tuple after translation, swapped. */
static __always_inline void flow_peer_key(const struct gl_flow4_val *val, __u8 proto, struct gl_flow4_key *key)
{
	key->src_be = val->new_dst_be;
	key->dst_be = val->new_src_be;
	key->sport_be = val->new_dport_be;
	key->dport_be = val->new_sport_be;
	key->scope = val->peer_scope;
	key->proto = proto;
	key->kind = GL_FLOW_PACKETS;
}

/* Seconds without a packet after which a flow may be taken away. */
static __always_inline __u32 flow_timeout(const struct gl_tenant_val *tenant, __u8 proto, __u8 state)
{
	switch (state) {
	case GL_FLOW_SYN_SENT:
	case GL_FLOW_SYN_BOTH:
	case GL_FLOW_SYN_RECEIVED:
		return tenant->timeout[GL_TIMEOUT_TCP_OPENING];
	case GL_FLOW_ESTABLISHED:
		return tenant->timeout[GL_TIMEOUT_TCP_ESTABLISHED];
	case GL_FLOW_FIN_WAIT:
	case GL_FLOW_CLOSE_WAIT:
		return tenant->timeout[GL_TIMEOUT_TCP_CLOSING];
	case GL_FLOW_TIME_WAIT:
	case GL_FLOW_CLOSED:
		return tenant->timeout[GL_TIMEOUT_TCP_CLOSED];
	default:
		break;
	}
	switch (proto) {
	case IPPROTO_UDP:
		return tenant->timeout[state == GL_FLOW_NEW ? GL_TIMEOUT_UDP : GL_TIMEOUT_UDP_ASSURED];
	case IPPROTO_ICMP:
		return tenant->timeout[GL_TIMEOUT_ICMP];
	default:
		return tenant->timeout[GL_TIMEOUT_OTHER];
	}
}

#endif
