/* SPDX-License-Identifier: GPL-2.0-only */
/* Which address and port does a new flow get? Public destinations to guests, guests' sources to public addresses.
 * A port is free when the key of its answers is: taking it and writing the answers' entry are one step.
 * Neighbours: route.h (has found where it goes), leg.h (writes the opener's entry). */
#ifndef GL_NAT_H
#define GL_NAT_H

#include <linux/errno.h>

#include "flow.h"
#include "hook.h"
#include "mapping.h"
#include "opening.h"
#include "parse.h"
#include "route.h"

/* From the uplink: whom does the public address mean? STEP_PASS: the host. */
static __always_inline enum step nat_destination(struct pkt *p, struct opening *o, __u16 uplink)
{
	struct gl_addr_val *addr = public_lookup(p, &o->key.dst_be, GL_BLOCK_WHOLE, uplink);
	enum step step;

	if (!addr)
		return STEP_PASS;
	if (addr->flags & GL_ADDR_F_FLOATING) {
		step = target_port(p, o, addr->slot, true);
		o->val.new_dst_be = addr->inner_be;
		o->val.flags |= GL_FLOW_F_REWRITE;
		o->asked_for = 1;
		return step;
	}
	if (addr->flags & GL_ADDR_F_ROUTED)
		return target_port(p, o, addr->slot, true);
	if (addr->flags & GL_ADDR_F_FORWARD) {
		struct gl_forward_val *forward =
			forward_lookup(p, &o->key.dst_be, o->key.dport_be, o->key.proto, uplink);

		if (forward) {
			step = target_port(p, o, forward->slot, true);
			o->val.new_dst_be = forward->inner_be;
			o->val.new_dport_be = forward->inner_port_be;
			o->val.flags |= GL_FLOW_F_REWRITE;
			o->asked_for = 1;
			return step;
		}
	}
	if (addr->flags & GL_ADDR_F_HOST)
		return STEP_PASS;
	return drop(p, GL_DROP_NO_FLOW);
}

static __always_inline bool pool_holds(const struct gl_pool *pool, const gl_ip *addr, __be16 port_be)
{
	const __u16 port = bpf_ntohs(port_be);

	return ip_equal(&pool->addr_be, addr) && port >= pool->port_min && port <= pool->port_max;
}

static __always_inline bool network_translates_to(const struct gl_network_val *network, const gl_ip *addr,
						  __be16 port_be)
{
	for (__u32 i = 0; i < GL_NET_POOL; i++)
		if (i < net_pool_count(network) && pool_holds(net_pool(network, i), addr, port_be))
			return true;
	return false;
}

/* The first port of a range with this parity, which may lie behind its end. */
static __always_inline __u32 pool_first(const struct gl_pool *pool, __u32 parity)
{
	return pool->port_min + ((pool->port_min ^ parity) & 1);
}

static __always_inline __u32 pool_ports(const struct gl_pool *pool, const gl_ip *addr, __u32 parity)
{
	const __u32 first = pool_first(pool, parity);

	return ip_equal(&pool->addr_be, addr) && first <= pool->port_max ? (pool->port_max - first) / 2 + 1 : 0;
}

/* One candidate: it is ours when the answers' key is, and the mapping's. What is needed again stands in `o` rather than
 * on the stack, of which little is left here. */
static __always_inline long nat_try_port(struct opening *o)
{
	void *table = flow_table(o->tenant);
	const __be16 port_be = bpf_htons(o->search.at);
	int err;

	if (!table)
		return 1;
	o->search.at += 2;
	o->val.new_sport_be = port_be;
	o->peer_key.dport_be = port_be;
	if (o->search.mapping || o->search.mapped) {
		mapped_key(&o->map_key, &o->search.addr_be, port_be, o->peer_key.scope, o->key.proto);
		o->map_val.new_sport_be = port_be;
		if (flow_lookup(table, &o->map_key))
			return 0;
	}
	if (flow_lookup(table, &o->peer_key)) {
		o->search.taken = 1;
		return 0;
	}
	err = o->search.mapping ? flow_insert(table, &o->map_key, &o->map_val) : 0;
	if (!err) {
		err = flow_insert(table, &o->peer_key, &o->peer_val);
		if (err && o->search.mapping)
			flow_delete(table, &o->map_key);
	}
	/* Another CPU may have taken either of them just now. */
	o->search.found = !err;
	o->search.full = err && err != -EEXIST;
	return err != -EEXIST;
}

/* The next candidate, or the next range of the address. */
static long nat_next_port(__u32 i, void *unused)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_network_val *network;
	struct gl_pool *pool;

	(void)i;
	(void)unused;
	if (!o)
		return 1;
	if (o->search.at <= o->search.end)
		return nat_try_port(o);
	network = network_by_index(o->search.network, o->search.side);
	if (!network)
		return 1;
	o->search.entry++;
	if (o->search.entry >= net_pool_count(network))
		o->search.entry = 0;
	pool = net_pool(network, o->search.entry & (GL_NET_POOL - 1));
	if (ip_equal(&pool->addr_be, &o->search.addr_be)) {
		o->search.at = pool_first(pool, o->search.parity);
		o->search.end = pool->port_max;
	}
	return 0;
}

/* All ports of the address with one parity, from a random one on (RFC 6056 3.3.2). Unrolled, the
 * loops would keep sixteen ranges on the stack. */
static __always_inline void nat_search(struct port_search *search, const struct gl_network_val *network)
{
	__u32 total = 0, start;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < GL_NET_POOL; i++)
		if (i < net_pool_count(network))
			total += pool_ports(net_pool(network, i), &search->addr_be, search->parity);
	if (!total)
		return;
	start = (__u32)search->random % total;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < GL_NET_POOL; i++) {
		__u32 ports = i < net_pool_count(network)
				      ? pool_ports(net_pool(network, i), &search->addr_be, search->parity)
				      : 0;

		if (start < ports) {
			search->entry = i;
			search->at = pool_first(net_pool(network, i), search->parity) + 2 * start;
			search->end = net_pool(network, i)->port_max;
			break;
		}
		start -= ports;
	}
	/* Once round, with the steps from range to range. */
	bpf_loop(total + 2 * GL_NET_POOL, nat_next_port, NULL, 0);
}

static __always_inline __u64 nat_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static __always_inline __u64 nat_mix_ip(__u64 hash, const gl_ip *ip)
{
#pragma clang loop unroll(full)
	for (__u32 i = 0; i < IP_WORDS; i++)
		hash = nat_mix(hash, ip_words(ip)[i]);
	return hash;
}

/* What stands for a destination without a free port, never 0; see gl_tenant_stat.no_port. */
static __always_inline __u64 nat_no_port(const struct pkt *p, const struct opening *o, const gl_ip *dst,
					 __be16 dport_be, __u64 freed)
{
	__u64 hash = nat_mix_ip(0x676c, &o->val.new_src_be);

	if (dst)
		hash = nat_mix_ip(hash, dst);
	hash = nat_mix(hash, (__u64)p->gen << 32 | (__u32)dport_be << 16 | o->peer_key.scope);
	hash = nat_mix(hash, (__u64)o->key.proto << 56 ^ freed);
	return hash | 1;
}

static __always_inline __u32 nat_no_port_slot(const struct opening *o, const gl_ip *dst, __be16 dport_be)
{
	__u64 hash = nat_mix_ip(dport_be, &o->val.new_src_be);

	if (dst)
		hash = nat_mix_ip(hash, dst);
	return hash >> 32 & (GL_NO_PORT_SLOTS - 1);
}

static __always_inline __u64 *nat_remembered(struct gl_tenant_stat *stat, __u32 slot)
{
	return &stat->no_port[slot & (GL_NO_PORT_SLOTS - 1)];
}

static __always_inline int nat_refuse(struct pkt *p, const struct opening *o, struct gl_tenant_stat *stat)
{
	__sync_fetch_and_add(&stat->nat_exhausted, 1);
	stat->nat_exhausted_ns = bpf_ktime_get_boot_ns();
	ip_to_ip6(&stat->nat_src_be, &o->val.new_src_be);
	ip_to_ip6(&stat->nat_dst_be, &o->key.dst_be);
	stat->nat_dport_be = o->key.dport_be;
	stat->nat_proto = o->key.proto;
	return drop(p, GL_DROP_NAT_EXHAUSTED);
}

/* Finds a port of val.new_src_be for the opening flow, and writes the answers' entry, and for a mapping its second one.
 * What was searched in vain is not searched again as long as no flow of the tenant has gone. */
__noinline int GL_PROGRAM(nat_port)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct port_search *search;
	struct gl_network_val *network;
	struct gl_tenant_val *tenant;
	struct gl_tenant_stat *stat;
	__u64 freed;

	if (!p)
		return STEP_DROP;
	if (!o)
		return drop(p, GL_DROP_MAP_MISSING);
	network = network_by_index(o->nat_network, p->side);
	stat = tenant_stat(o->tenant);
	tenant = tenant_by_index(o->tenant, p->side);
	if (!network || !stat || !tenant)
		return drop(p, GL_DROP_MAP_MISSING);
	search = &o->search;
	__builtin_memset(search, 0, sizeof(*search));
	search->network = o->nat_network;
	search->mapping = o->nat_mapping;
	search->side = p->side;
	search->addr_be = o->val.new_src_be;
	search->mapped = tenant->flags & GL_TENANT_F_EIM ? 1 : 0;
	freed = *(volatile __u64 *)&stat->freed;
	search->any = nat_no_port(p, o, NULL, 0, freed);
	search->any_slot = nat_no_port_slot(o, NULL, 0);
	search->this = nat_no_port(p, o, &o->key.dst_be, o->key.dport_be, freed);
	search->this_slot = nat_no_port_slot(o, &o->key.dst_be, o->key.dport_be);
	if (*nat_remembered(stat, search->this_slot) == search->this ||
	    (search->mapping && *nat_remembered(stat, search->any_slot) == search->any))
		return nat_refuse(p, o, stat);

	/* The kernel's generator alone could be foretold from what it gave before. */
	search->random = nat_mix(bpf_get_prandom_u32(), bpf_ktime_get_ns()) >> 16;
	/* RFC 4787 REQ-4: an odd port becomes an odd one, as long as there is one. */
	search->parity = bpf_ntohs(o->key.sport_be) & 1;
	for (int i = 0; i < 2 && !search->found && !search->full; i++) {
		nat_search(search, network);
		search->parity ^= 1;
	}
	if (search->full)
		return flow_refuse(p, o->tenant);
	if (search->found) {
		o->written = 1;
		return STEP_NEXT;
	}
	if (search->mapping && !search->taken)
		*nat_remembered(stat, search->any_slot) = search->any;
	else
		*nat_remembered(stat, search->this_slot) = search->this;
	return nat_refuse(p, o, stat);
}

/* The answers' key of a port that the flow has already. Only an entry of the flow itself may stand there. */
static __always_inline int nat_claim(struct pkt *p, struct opening *o, void *table)
{
	struct gl_flow_val *peer;
	int err = flow_insert(table, &o->peer_key, &o->peer_val);

	if (err == -EEXIST) {
		peer = flow_lookup(table, &o->peer_key);
		if (peer && (!ip_equal(&peer->new_dst_be, &o->key.src_be) || peer->new_dport_be != o->key.sport_be ||
			     peer->peer_scope != o->key.scope)) {
			struct gl_tenant_stat *stat = tenant_stat(o->tenant);

			return stat ? nat_refuse(p, o, stat) : drop(p, GL_DROP_MAP_MISSING);
		}
		err = flow_write(table, &o->peer_key, &o->peer_val);
	}
	o->written = !err;
	return err ? flow_refuse(p, o->tenant) : STEP_NEXT;
}

#define NAT_NO_MAPPING 0x100 /* no enum step */

/* The public end that the guest's address and port have, where it is still good; then the answers' entry is written.
 * NAT_NO_MAPPING: there is none, and map_val is made ready for one at val.new_src_be. */
__noinline int GL_PROGRAM(nat_mapping)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_flow_key key, partner;
	struct gl_network_val *network;
	struct gl_flow_val *map, *mapped;
	void *table;

	if (!p)
		return STEP_DROP;
	if (!o)
		return drop(p, GL_DROP_MAP_MISSING);
	network = network_by_index(o->nat_network, p->side);
	table = flow_table(o->tenant);
	if (!network || !table)
		return drop(p, GL_DROP_MAP_MISSING);
	mapping_key(&key, &o->key.src_be, o->key.sport_be, o->key.scope, o->key.proto);
	map = flow_lookup(table, &key);
	if (map) {
		mapping_partner(&key, map, &partner);
		mapped = flow_lookup(table, &partner);
		if (mapped && map->in_slot == o->in_slot && partner.scope == o->peer_key.scope &&
		    network_translates_to(network, &map->new_src_be, map->new_sport_be)) {
			map->gen = mapped->gen = p->gen;
			map->last_seen = p->now;
			o->val.new_src_be = map->new_src_be;
			o->val.new_sport_be = map->new_sport_be;
			o->peer_key.dst_be = map->new_src_be;
			o->peer_key.dport_be = map->new_sport_be;
			return nat_claim(p, o, table);
		}
		/* Its port, its address or its guest is no longer what it was. */
		flow_take_away(o->tenant, table, &key, &partner);
	}
	__builtin_memset(&o->map_val, 0, sizeof(o->map_val));
	o->map_val.gen = p->gen;
	o->map_val.flags = GL_FLOW_F_REWRITE | GL_FLOW_F_MAPPED;
	o->map_val.created = p->now;
	o->map_val.last_seen = p->now;
	o->map_val.in_slot = o->in_slot;
	o->map_val.new_src_be = o->val.new_src_be;
	o->map_val.new_dst_be = o->key.src_be;
	o->map_val.new_dport_be = o->key.sport_be;
	o->map_val.peer_scope = o->key.scope;
	return NAT_NO_MAPPING;
}

/* A port was found for a new mapping, and the entry that keeps it from others is written: now the one that finds it. */
__noinline int GL_PROGRAM(nat_map)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_flow_key key, partner;
	void *table;
	int err;

	if (!p)
		return STEP_DROP;
	table = o ? flow_table(o->tenant) : NULL;
	if (!o || !table)
		return drop(p, GL_DROP_MAP_MISSING);
	mapping_key(&key, &o->key.src_be, o->key.sport_be, o->key.scope, o->key.proto);
	mapped_key(&partner, &o->val.new_src_be, o->val.new_sport_be, o->peer_key.scope, o->key.proto);
	o->map_val.peer_scope = o->peer_key.scope;
	err = flow_insert(table, &key, &o->map_val);
	if (!err)
		return STEP_NEXT;
	flow_delete(table, &o->peer_key);
	flow_delete(table, &partner);
	/* Another CPU was first: that one's mapping is the guest's. */
	return err == -EEXIST ? NAT_NO_MAPPING : flow_refuse(p, o->tenant);
}

#define NAT_SEARCH 0x101 /* nor is this: a port has to be found, of val.new_src_be */
#define NAT_SEARCH_MAPPING 0x102

/* The source of a flow that leaves by the uplink: the public address, and the port where it needs no search. */
__noinline int GL_PROGRAM(nat_address)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_network_val *network;
	struct gl_port_val *in;
	bool mapping;
	__u32 pick;

	if (!p || !o)
		return STEP_DROP;
	if (o->from_uplink || !(o->val.flags & (GL_FLOW_F_TO_UPLINK | GL_FLOW_F_HAIRPIN)))
		return STEP_NEXT;
	in = port_by_slot(o->in_slot, p->side);
	if (!in)
		return drop(p, GL_DROP_NO_FLOW);
	if (in->mode != GL_MODE_NAT)
		return STEP_NEXT;
	o->val.flags |= GL_FLOW_F_REWRITE;
	o->peer_val.flags |= GL_FLOW_F_REWRITE;
	if (!ip_is_zero(port_floating(in)) && ip_equal(&o->key.src_be, port_addr(in, 0))) {
		o->val.new_src_be = *port_floating(in);
		o->peer_key.dst_be = o->val.new_src_be;
		return STEP_NEXT;
	}
	/* SCTP's CRC covers its ports and is no sum that could be mended. */
	mapping = o->key.proto == IPPROTO_TCP || o->key.proto == IPPROTO_UDP;
	if (!mapping && !(o->key.proto == PROTO_ICMP && icmp_is_query(bpf_ntohs(o->key.dport_be))))
		return drop(p, GL_DROP_NAT_PROTOCOL);
	network = network_by_index(in->network, p->side);
	if (!network)
		return drop(p, GL_DROP_MAP_MISSING);
	if (!net_pool_count(network))
		return drop(p, GL_DROP_NAT_NO_ADDRESS);
	mapping = mapping && network->flags & GL_NET_F_EIM;

	/* What was valid and still is stays as it is. */
	if (o->had && (o->was.flags & GL_FLOW_F_REWRITE) && !(mapping && o->was.flags & GL_FLOW_F_MAPPED) &&
	    network_translates_to(network, &o->was.new_src_be, o->was.new_sport_be)) {
		o->val.new_src_be = o->was.new_src_be;
		o->val.new_sport_be = o->was.new_sport_be;
		o->peer_key.dst_be = o->val.new_src_be;
		o->peer_key.dport_be = o->val.new_sport_be;
		return STEP_NEXT;
	}
	/* RFC 4787 REQ-2: one guest, one public address, and all ranges of it. When these are used up its flows are
	 * refused, as another address would break what was told the other end of the first. */
	pick = (bpf_ntohl(ip_hash_word(&o->key.src_be)) * 0x9e3779b1u >> 16) % net_pool_count(network);
	if (pick >= GL_NET_POOL)
		return drop(p, GL_DROP_MAP_MISSING);
	o->val.new_src_be = net_pool(network, pick)->addr_be;
	o->peer_key.dst_be = o->val.new_src_be;
	o->nat_network = in->network;
	o->nat_mapping = mapping;
	if (!mapping)
		return NAT_SEARCH;
	o->val.flags |= GL_FLOW_F_MAPPED;
	o->peer_val.flags |= GL_FLOW_F_MAPPED;
	return NAT_SEARCH_MAPPING;
}

static __always_inline enum step nat_source(struct pkt *p)
{
	int step = GL_PROGRAM(nat_address)(p);

	if (step == NAT_SEARCH) {
		step = GL_PROGRAM(nat_port)(p);
	} else if (step == NAT_SEARCH_MAPPING) {
		step = GL_PROGRAM(nat_mapping)(p);
		if (step == NAT_NO_MAPPING) {
			step = GL_PROGRAM(nat_port)(p);
			if (!step)
				step = GL_PROGRAM(nat_map)(p);
			if (step == NAT_NO_MAPPING)
				step = GL_PROGRAM(nat_mapping)(p);
		}
	}
	/* The verifier takes what a global function returns for anything. */
	return step ? STEP_DROP : STEP_NEXT;
}

#endif
