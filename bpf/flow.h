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
	return bpf_map_lookup_elem(&gl_flow, &tenant);
}

static __always_inline struct gl_flow_val *flow_lookup(void *table, const struct gl_flow_key *key)
{
	return bpf_map_lookup_elem(table, key);
}

/* -EEXIST: there is one; other errors: the tenant's share is used up. An int, as kernels before 6.4 leave the upper
 * half of what these two return to chance. */
static __always_inline int flow_insert(void *table, const struct gl_flow_key *key, const struct gl_flow_val *val)
{
	return bpf_map_update_elem(table, key, val, BPF_NOEXIST);
}

static __always_inline int flow_write(void *table, const struct gl_flow_key *key, const struct gl_flow_val *val)
{
	return bpf_map_update_elem(table, key, val, BPF_ANY);
}

/* 0: it was there. */
static __always_inline int flow_delete(void *table, const struct gl_flow_key *key)
{
	return bpf_map_delete_elem(table, key);
}

static __always_inline struct gl_tenant_stat *tenant_stat(__u32 tenant)
{
	return bpf_map_lookup_elem(&gl_tenant_stat, &tenant);
}

/* Both directions of a flow. What is freed is counted, so that NAT knows when searching has sense again. */
static __always_inline void flow_take_away(__u32 tenant, void *table, const struct gl_flow_key *key,
					   const struct gl_flow_key *peer_key)
{
	struct gl_tenant_stat *stat = tenant_stat(tenant);
	int gone = flow_delete(table, peer_key);

	if ((!flow_delete(table, key) || !gone) && stat)
		__sync_fetch_and_add(&stat->freed, 1);
}

/* The tenant's share is used up: refused, and remembered with the moment. */
static __always_inline enum step flow_refuse(struct pkt *p, __u32 tenant)
{
	struct gl_tenant_stat *stat = tenant_stat(tenant);

	if (stat) {
		__sync_fetch_and_add(&stat->table_full, 1);
		stat->table_full_ns = bpf_ktime_get_boot_ns();
	}
	return drop(p, GL_DROP_FLOW_TABLE_FULL);
}

/* The key of the other direction: the tuple after translation, swapped. */
static __always_inline void flow_peer_key(const struct gl_flow_val *val, __u8 proto, struct gl_flow_key *key)
{
	key->src_be = val->new_dst_be;
	key->dst_be = val->new_src_be;
	key->sport_be = val->new_dport_be;
	key->dport_be = val->new_sport_be;
	key->scope = val->peer_scope;
	key->proto = proto;
	key->kind = GL_FLOW_PACKETS;
}

static __always_inline bool flow_key_equal(const struct gl_flow_key *a, const struct gl_flow_key *b)
{
	return ip_equal(&a->src_be, &b->src_be) && ip_equal(&a->dst_be, &b->dst_be) && a->sport_be == b->sport_be &&
	       a->dport_be == b->dport_be && a->scope == b->scope && a->proto == b->proto;
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
	case PROTO_ICMP:
		return tenant->timeout[GL_TIMEOUT_ICMP];
	default:
		return tenant->timeout[GL_TIMEOUT_OTHER];
	}
}

#endif
