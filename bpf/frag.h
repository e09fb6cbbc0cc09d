/* SPDX-License-Identifier: GPL-2.0-only */
/* Fragments follow their first one: it leaves its ports behind once it has been let through, the others pick them
 * up. No byte of a datagram passes twice (RFC 1858, 3128; RFC 5722 for what overlaps), and what a tenant may hold of
 * unfinished datagrams is bounded. TC alone does this: XDP leaves fragments to it.
 * Neighbours: parse.h (p->frag), flow.h (what the ports are for), sweep.bpf.h (takes away what stays unfinished). */
#ifndef GL_FRAG_H
#define GL_FRAG_H

#include <linux/errno.h>

#include "flow.h"
#include "hook.h"
#include "pkt.h"

#define FRAG_UNIT 8

struct bpf_map;

/* What fragments are fragments of, and how much of it this one is. */
static __always_inline __u32 frag_bytes(const struct pkt *p)
{
	return GL_IS_IPV6 ? p->frag_len : p->l4_len;
}

static __always_inline __u8 frag_proto(const struct pkt *p)
{
	return GL_IS_IPV6 ? p->frag_proto : p->proto;
}

#if GL_IS_XDP

static __always_inline enum step stage_fragment(struct pkt *p)
{
	(void)p;
	return STEP_SLOW;
}

static __always_inline enum step frag_head_passes(struct pkt *p, const struct gl_port_val *in)
{
	(void)p;
	(void)in;
	return STEP_SLOW;
}

#else

static __always_inline void frag_uncharge(__u32 tenant)
{
	struct gl_tenant_stat *stat = tenant_stat(tenant);

	/* The loader zeroes the count when the index gets another owner. */
	if (stat && !__sync_fetch_and_add(&stat->fragments, -1))
		__sync_fetch_and_add(&stat->fragments, 1);
}

static __always_inline void frag_free(const struct gl_frag_key *key, __u32 tenant)
{
	int err = bpf_map_delete_elem(&gl_frag, key);

	/* Whoever took it away counts. */
	if (!err)
		frag_uncharge(tenant);
}

/* Comparisons as masks, all ones or none, of numbers below 2^31: with branches the verifier would walk through all
 * combinations of eight parts. The barrier keeps the compiler from making branches of them again. */
static __always_inline __u32 mask_less(__u32 a, __u32 b)
{
	__u32 diff = a - b;

	asm volatile("" : "+r"(diff));
	return -(diff >> 31);
}

static __always_inline __u32 mask_equal(__u32 a, __u32 b)
{
	return ~(mask_less(a, b) | mask_less(b, a));
}

static __always_inline __u32 choose(__u32 mask, __u32 then, __u32 otherwise)
{
	return (then & mask) | (otherwise & ~mask);
}

/* Adds [first, end) to the parts that were seen; `last`: nothing follows. False: it overlaps, contradicts what is known
 * of the datagram's end, or leaves too many holes. Called under the entry's lock, where nothing may be called. */
static __always_inline bool frag_add(struct gl_frag_locked *val, __u32 first, __u32 end, bool last, bool *complete)
{
	const __u32 own_end = end;
	__u32 highest = 0, overlap = 0, place = GL_FRAG_PARTS;

	/* A part that is not used ends at 0 and overlaps nothing. */
	for (__u32 i = 0; i < GL_FRAG_PARTS; i++) {
		const __u32 part_first = val->part[i].first, part_end = val->part[i].end;

		overlap |= mask_less(first, part_end) & mask_less(part_first, end);
		highest = choose(mask_less(highest, part_end), part_end, highest);
	}
	if (overlap || (val->total ? last || end > val->total : last && highest > end))
		return false;
	for (__u32 i = 0; i < GL_FRAG_PARTS; i++) {
		const __u32 part_first = val->part[i].first, part_end = val->part[i].end;
		const __u32 used = mask_less(0, part_end);
		const __u32 before = used & mask_equal(part_end, first), behind = used & mask_equal(part_first, end);
		const __u32 stays = part_end & ~(before | behind);

		first = choose(before, part_first, first);
		end = choose(behind, part_end, end);
		val->part[i].end = stays;
		place = choose(mask_equal(stays, 0), i, place);
	}
	asm volatile("" : "+r"(place));
	if (place >= GL_FRAG_PARTS)
		return false;
	val->part[place].first = first;
	val->part[place].end = end;
	if (last)
		val->total = own_end;
	*complete = val->total && !first && end == val->total;
	return true;
}

/* Before the flow: a head must be the only one of its datagram, the others find their ports. STEP_NEXT or STEP_DROP. */
__noinline int GL_PROGRAM(frag_find)(struct pkt *p)
{
	struct gl_frag_key key = {};
	struct gl_frag_locked *val;
	bool taken, complete = false;
	__u16 end;
	__u32 tenant;

	if (!p)
		return STEP_DROP;
	if (!frag_bytes(p) || (p->frag_more && frag_bytes(p) % FRAG_UNIT))
		return drop(p, GL_DROP_IP_MALFORMED);
	key.src_be = p->src_be;
	key.dst_be = p->dst_be;
	key.id_be = p->id_be;
	key.scope = p->scope;
	key.proto = frag_proto(p);
	val = bpf_map_lookup_elem(&gl_frag, &key);
	if (val && (__s32)(p->now - val->seen) > GL_SECONDS_FRAGMENT) {
		frag_free(&key, val->tenant);
		val = NULL;
	}
	if (p->frag == FRAG_HEAD)
		return val ? drop(p, GL_DROP_FRAGMENT_OVERLAP) : STEP_NEXT;
	if (!val)
		return drop(p, GL_DROP_FRAGMENT_NO_HEAD);
	tenant = val->tenant;
	p->sport_be = val->sport_be;
	p->dport_be = val->dport_be;
	if (GL_IS_IPV6)
		p->proto = val->proto;
	end = p->frag_first + (frag_bytes(p) + FRAG_UNIT - 1) / FRAG_UNIT;
	bpf_spin_lock(&val->lock);
	taken = frag_add(val, p->frag_first, end, !p->frag_more, &complete);
	bpf_spin_unlock(&val->lock);
	if (!taken)
		return drop(p, GL_DROP_FRAGMENT_OVERLAP);
	if (complete)
		frag_free(&key, tenant);
	return STEP_NEXT;
}

static __always_inline enum step stage_fragment(struct pkt *p)
{
	/* The verifier takes what a global function returns for anything. */
	return GL_PROGRAM(frag_find)(p) ? STEP_DROP : STEP_NEXT;
}

/* A head goes on: its datagram is the tenant's, and its tails may follow. STEP_NEXT or STEP_DROP. */
__noinline int GL_PROGRAM(frag_open)(struct pkt *p, __u32 scope, __u32 tenant)
{
	struct gl_frag_key key = {};
	struct gl_frag_locked val = {};
	struct gl_tenant_stat *stat = tenant_stat(tenant);
	const __u32 zero = 0;
	struct gl_sweep_timer *sweep = bpf_map_lookup_elem(&gl_sweep, &zero);
	struct gl_tenant_val *share;
	int err;

	if (!p)
		return STEP_DROP;
	share = tenant_by_index(tenant, p->side);
	if (!stat || !share || !sweep)
		return drop(p, GL_DROP_MAP_MISSING);
	if (__sync_fetch_and_add(&stat->fragments, 1) >= share->max_fragments) {
		frag_uncharge(tenant);
		return drop(p, GL_DROP_FRAGMENT_LIMIT);
	}
	key.src_be = p->orig_src_be;
	key.dst_be = p->orig_dst_be;
	key.id_be = p->id_be;
	key.scope = scope;
	key.proto = frag_proto(p);
	val.sport_be = p->orig_sport_be;
	val.dport_be = p->orig_dport_be;
	val.proto = p->proto;
	val.seen = p->now;
	val.tenant = tenant;
	val.part[0].end = frag_bytes(p) / FRAG_UNIT;
	err = bpf_map_update_elem(&gl_frag, &key, &val, BPF_NOEXIST);
	if (err) {
		frag_uncharge(tenant);
		return drop(p, err == -EEXIST ? GL_DROP_FRAGMENT_OVERLAP : GL_DROP_FRAGMENT_LIMIT);
	}
	if (!sweep->fragments)
		sweep->fragments = p->now;
	return STEP_NEXT;
}

/* At the end of the way. A guest's datagrams are its own tenant's, others the tenant's that they are for. */
static __always_inline enum step frag_head_passes(struct pkt *p, const struct gl_port_val *in)
{
	const bool guest = in->kind == GL_PORT_GUEST;

	return GL_PROGRAM(frag_open)(p, guest ? in->network : GL_SCOPE_UPLINK | in->uplink,
				     guest ? in->tenant : p->tenant)
		       ? STEP_DROP
		       : STEP_NEXT;
}

struct frag_walk {
	__u32 now;
	__u32 left;
};

static long frag_expire(struct bpf_map *map, struct gl_frag_key *key, struct gl_frag_locked *val,
			struct frag_walk *walk)
{
	struct gl_frag_key own_key = *key;

	(void)map;
	if ((__s32)(walk->now - val->seen) > GL_SECONDS_FRAGMENT)
		frag_free(&own_key, val->tenant);
	else
		walk->left = 1;
	return 0;
}

/* For the sweeper: takes away what was not finished in time. Is anything left? */
__noinline int GL_PROGRAM(frag_expired)(__u32 now)
{
	struct frag_walk walk = { .now = now };

	bpf_for_each_map_elem(&gl_frag, frag_expire, &walk, 0);
	return walk.left;
}

#endif
#endif
