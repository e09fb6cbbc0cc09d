/* SPDX-License-Identifier: GPL-2.0-only */
/* Endpoint-independent mappings (RFC 4787 section 4.1): a guest's address and port keep one public end, whatever they
 * talk to; who may answer is still the flows' matter, one by one (section 5: address and port-dependent filtering).
 * Two entries in the tenant's flow table, see enum gl_flow_kind; beyond what abi.h says of them, new_dst_be and
 * new_dport_be are the guest's end in both, and peer_scope the scope of the other entry's key.
 *
 * A mapping lives as long as a flow that uses it (GL_FLOW_F_MAPPED), and a while longer, counted by last_seen: flows
 * that are opened refresh it (nat.h), and so does the sweeper for each that is still there.
 * Neighbours: nat.h (makes them), sweep.bpf.h (takes them away). */
#ifndef GL_MAPPING_H
#define GL_MAPPING_H

#include "flow.h"

static __always_inline void mapping_key(struct gl_flow_key *key, const gl_ip *src, __be16 sport_be, __u16 scope,
					__u8 proto)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src_be = *src;
	key->sport_be = sport_be;
	key->scope = scope;
	key->proto = proto;
	key->kind = GL_FLOW_MAPPING;
}

static __always_inline void mapped_key(struct gl_flow_key *key, const gl_ip *dst, __be16 dport_be, __u16 scope,
				       __u8 proto)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->dst_be = *dst;
	key->dport_be = dport_be;
	key->scope = scope;
	key->proto = proto;
	key->kind = GL_FLOW_MAPPED;
}

/* The key of a mapping's other entry. */
static __always_inline void mapping_partner(const struct gl_flow_key *key, const struct gl_flow_val *val,
					    struct gl_flow_key *partner)
{
	if (key->kind == GL_FLOW_MAPPING)
		mapped_key(partner, &val->new_src_be, val->new_sport_be, val->peer_scope, key->proto);
	else
		mapping_key(partner, &val->new_dst_be, val->new_dport_be, val->peer_scope, key->proto);
}

/* A flow that uses it is still there; `key` is its opener's. */
static __always_inline void mapping_touch(void *table, const struct gl_flow_key *key, __u32 now)
{
	struct gl_flow_key map_key;
	struct gl_flow_val *map;

	mapping_key(&map_key, &key->src_be, key->sport_be, key->scope, key->proto);
	map = flow_lookup(table, &map_key);
	if (map && map->last_seen != now)
		map->last_seen = now;
}

/* Seconds that it outlives its last flow: UDP by RFC 4787 REQ-5, TCP for what is still under way. */
static __always_inline __u32 mapping_timeout(const struct gl_tenant_val *tenant, __u8 proto)
{
	return tenant->timeout[proto == IPPROTO_UDP ? GL_TIMEOUT_UDP_ASSURED : GL_TIMEOUT_TCP_CLOSING];
}

/* For the sweeper, of an entry that is no flow's: should it go? The second entry goes with the first. */
static __always_inline bool mapping_is_over(void *table, const struct gl_flow_key *key, const struct gl_flow_val *val,
					    const struct gl_tenant_val *tenant, __u32 idle)
{
	struct gl_flow_key partner;

	if (key->kind == GL_FLOW_MAPPING)
		return idle > mapping_timeout(tenant, key->proto);
	mapping_partner(key, val, &partner);
	return idle > GL_SWEEP_SECONDS && !flow_lookup(table, &partner);
}

#endif
