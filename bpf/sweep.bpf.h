/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes expired flows away: one kernel timer per tenant walks that tenant's tables. The loader starts it by running
 * sweep_tc once with the tenant's index in bytes 14..17 of the packet, host order. */
#ifndef GL_SWEEP_BPF_H
#define GL_SWEEP_BPF_H

#include "hook.h"

#include "flow.h"
#include "frag.h"
#include "mapping.h"

#define CLOCK_MONOTONIC 1

struct sweep {
	__u32 now;
	__u32 expired;
	__u64 table_tenant;
	struct gl_tenant_val tenant;
};

static __u32 idle_since(__u32 now, __u32 seen)
{
	return (__s32)(now - seen) > 0 ? now - seen : 0;
}

/* Answers' entries go with their opener's. */
static long sweep_flow(struct bpf_map *map, struct gl_flow_key *key, struct gl_flow_val *val, struct sweep *s)
{
	__u32 tenant = s->table_tenant;
	void *table = flow_table(tenant);
	struct gl_flow_key peer_key = {}, own_key;
	struct gl_flow_val *peer;
	__u32 idle;

	(void)map;
	if (!table)
		return 1;
	own_key = *key;
	idle = idle_since(s->now, val->last_seen);
	if (own_key.kind != GL_FLOW_PACKETS) {
		if (mapping_is_over(table, &own_key, val, &s->tenant, idle)) {
			mapping_partner(&own_key, val, &peer_key);
			flow_take_away(tenant, table, &own_key, &peer_key);
			s->expired++;
		}
		return 0;
	}
	flow_peer_key(val, own_key.proto, &peer_key);
	peer = flow_lookup(table, &peer_key);
	if (val->flags & GL_FLOW_F_REPLY) {
		if (!peer && idle > GL_SWEEP_SECONDS) {
			flow_take_away(tenant, table, &own_key, &own_key);
			s->expired++;
		}
		return 0;
	}
	if (peer && idle_since(s->now, peer->last_seen) < idle)
		idle = idle_since(s->now, peer->last_seen);
	if (idle > flow_timeout(&s->tenant, own_key.proto, val->state)) {
		flow_take_away(tenant, table, &own_key, &peer_key);
		s->expired++;
	} else if (val->flags & GL_FLOW_F_MAPPED) {
		mapping_touch(table, &own_key, s->now);
	}
	return 0;
}

/* One walk of the tenant's table; how many entries went. Global, as the timer belongs to IPv4's object. */
__noinline int GL_PROGRAM(sweep_table)(__u32 tenant, __u32 now)
{
	struct sweep s = { .table_tenant = tenant, .now = now };
	const __u32 zero = 0;
	struct gl_control_val *control = bpf_map_lookup_elem(&gl_control, &zero);
	struct gl_tenant_val *val = NULL;
	void *table = flow_table(tenant);

	if (control)
		val = tenant_by_index(tenant, control->side);
	if (!table || !val)
		return 0;
	s.tenant = *val;
	bpf_for_each_map_elem(table, sweep_flow, &s, 0);
	return s.expired;
}

#if !GL_IS_IPV6

int GL_PROGRAM6(sweep_table)(__u32 tenant, __u32 now);
int GL_PROGRAM6(frag_expired)(__u32 now);

/* Takes the datagrams of all tenants away that were not finished in time. Whichever tenant's timer comes first does it,
 * and none while there are no fragments. */
static __always_inline void sweep_frags(__u32 now)
{
	const __u32 zero = 0;
	struct gl_sweep_timer *sweep = bpf_map_lookup_elem(&gl_sweep, &zero);
	__u32 last, left;

	if (!sweep)
		return;
	last = sweep->fragments;
	if (!last || now - last < GL_SWEEP_SECONDS || __sync_val_compare_and_swap(&sweep->fragments, last, 0) != last)
		return;
	left = GL_PROGRAM(frag_expired)(now);
	left |= GL_PROGRAM6(frag_expired)(now);
	if (left)
		sweep->fragments = now;
}

static int sweep_tenant(void *map, __u32 *tenant, struct gl_sweep_timer *sweep)
{
	const __u32 index = *tenant, now = bpf_ktime_get_coarse_ns() / 1000000000ull;
	__u32 expired;

	(void)map;
	expired = GL_PROGRAM(sweep_table)(index, now);
	expired += GL_PROGRAM6(sweep_table)(index, now);
	sweep_frags(now);
	sweep->runs++;
	sweep->expired += expired;
	bpf_timer_start(&sweep->timer, GL_SWEEP_SECONDS * 1000000000ull, 0);
	return 0;
}

/* The timer of the tenant that the packet names. */
static __always_inline struct gl_sweep_timer *sweep_asked(struct __sk_buff *ctx, __u32 *tenant)
{
	return bpf_skb_load_bytes(ctx, ETH_HLEN, tenant, sizeof(*tenant)) ? NULL
									  : bpf_map_lookup_elem(&gl_sweep, tenant);
}

SEC("tc") int sweep_tc(struct __sk_buff *ctx)
{
	__u32 tenant = 0;
	struct gl_sweep_timer *sweep = sweep_asked(ctx, &tenant);

	if (!sweep)
		return TC_ACT_SHOT;
	sweep->tenant = tenant;
	bpf_timer_init(&sweep->timer, &gl_sweep, CLOCK_MONOTONIC);
	if (bpf_timer_set_callback(&sweep->timer, sweep_tenant))
		return TC_ACT_SHOT;
	if (bpf_timer_start(&sweep->timer, GL_SWEEP_SECONDS * 1000000000ull, 0))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

#endif
#endif
