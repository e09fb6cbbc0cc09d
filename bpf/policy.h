/* SPDX-License-Identifier: GPL-2.0-only */
/* May this flow be opened? Asked once per flow, of both its ends; and of every copy of a broadcast.
 * An interface without security groups is as open as its network. One with groups has a policy: what all of them admit.
 * Neighbours: route.h (has found the target), leg.h and pipeline.h (who ask), abi.h (gl_policy, gl_remote, gl_rule).
 */
#ifndef GL_POLICY_H
#define GL_POLICY_H

#include "opening.h"
#include "parse.h"
#include "port.h"

/* What one end is asked. Complete in itself, so that answers evaluate a flow as its opener's packets do. */
struct question {
	__u32 policy; /* index of gl_policy, not 0 */
	__u32 direction; /* enum gl_direction */
	__u32 remote_slot; /* the other end, where it is an interface that is reached directly; GL_NO_SLOT: it is not */
	gl_ip remote_be; /* its address, as this end sees it */
	__u16 port; /* as in gl_rule_key */
	__u8 proto;
	__u8 pad;
	struct gl_admitted admitted; /* out */
	__u32 node; /* the node at hand, */
	struct gl_rule_lengths lengths; /* and of which lengths its entries are */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct question);
} gl_question __weak SEC(".maps");

/* Does the node q->node admit it? The longest-prefix question of abi.h; 1 and q->admitted, or 0. */
__noinline int GL_PROGRAM(policy_node)(struct pkt *p, struct question *q)
{
	struct gl_rule_key key = {};
	__u32 low = 0, high;

	if (!p || !q)
		return 0;
	high = q->lengths.count;
	key.policy_dir = GL_POLICY_DIR(q->policy, q->direction & 1);
	key.node = q->node;
	key.side = p->side & 1;
	for (__u32 i = 0; i < GL_RULE_QUESTIONS && low < high; i++) {
		const __u32 middle = (low + high) / 2;
		struct gl_rule_val *rule;

		if (middle >= sizeof(q->lengths.len))
			return 0;
		key.len = q->lengths.len[middle];
		key.proto = key.len == GL_RULE_ANY ? 0 : q->proto;
		/* No bit of the port: the mask's are all beyond it. */
		key.port = key.len == GL_RULE_ANY ? 0 : q->port & (0xffffu << ((GL_RULE_PORT - key.len) & 31));
		rule = bpf_map_lookup_elem(&gl_rule, &key);
		if (!rule) {
			high = middle;
		} else if (rule->number) {
			q->admitted.group = rule->group;
			q->admitted.number = rule->number;
			q->admitted.how = GL_ADMIT_RULE;
			return 1;
		} else {
			low = middle + 1;
		}
	}
	return 0;
}

/* Does one of the few rules that stand with the prefix admit it? 1 and q->admitted, or 0. */
__noinline int GL_PROGRAM(policy_cells)(struct question *q, struct gl_remote_val *prefix)
{
	if (!q || !prefix)
		return 0;
	for (__u32 i = 0; i < GL_REMOTE_CELLS && i < prefix->cell_count; i++) {
		const struct gl_rule_cell *cell = &prefix->cell[i];
		const __u32 mask = 0xffffu << ((GL_RULE_PORT - cell->len) & 31);

		if (cell->len != GL_RULE_ANY &&
		    (cell->proto != q->proto || (cell->len != GL_RULE_PROTO && (cell->port ^ q->port) & mask)))
			continue;
		q->admitted.group = cell->val.group;
		q->admitted.number = cell->val.number;
		q->admitted.how = GL_ADMIT_RULE;
		return 1;
	}
	return 0;
}

/* The node of the longest prefix that holds the address, then what it links to. */
static __always_inline int prefixes_admit(struct pkt *p, struct question *q, const struct gl_remote_lengths *lengths)
{
	struct gl_remote_key key = {
		.policy_dir = GL_POLICY_DIR(q->policy, q->direction & 1),
		.side = p->side & 1,
	};
	struct gl_remote_val *val, *best = NULL;
	__u32 low = 0, high = lengths->count;

	for (__u32 i = 0; i < GL_REMOTE_QUESTIONS && low < high; i++) {
		const __u32 middle = (low + high) / 2;

		if (middle >= sizeof(lengths->len))
			return 0;
		key.len = lengths->len[middle];
		ip_prefix(&key.addr_be, &q->remote_be, key.len);
		val = bpf_map_lookup_elem(&gl_remote, &key);
		if (!val) {
			high = middle;
			continue;
		}
		low = middle + 1;
		best = val;
	}
	/* 33 prefixes can hold an address. */
	for (__u32 i = 0; best && best->node && i < 33; i++) {
		if (best->cell_count && GL_PROGRAM(policy_cells)(q, best))
			return 1;
		if (best->lengths.count) {
			q->node = best->node;
			q->lengths = best->lengths;
			if (GL_PROGRAM(policy_node)(p, q))
				return 1;
		}
		if (!best->wider)
			return 0;
		key.len = best->wider - 1;
		ip_prefix(&key.addr_be, &q->remote_be, key.len);
		best = bpf_map_lookup_elem(&gl_remote, &key);
	}
	return 0;
}

/* A question per node: any remote end, each group that the remote end is in, the prefixes that hold it.
 * 1 and q->admitted, or 0. */
__noinline int GL_PROGRAM(policy_admits)(struct pkt *p, struct question *q)
{
	struct gl_policy_val *policy;
	struct gl_port_val *port;
	__u32 index, direction;

	if (!p || !q)
		return 0;
	index = GL_SIDED(q->policy, p->side & 1);
	policy = bpf_map_lookup_elem(&gl_policy, &index);
	if (!policy)
		return 0;
	__builtin_memset(&q->admitted, 0, sizeof(q->admitted));
	direction = q->direction & 1;
	if (policy->flags[direction] & GL_POLICY_F_ALL) {
		q->admitted.group = policy->all_group[direction];
		q->admitted.how = GL_ADMIT_ALL;
		return 1;
	}
	q->node = GL_NODE_ANY;
	q->lengths = policy->any[direction];
	if (q->lengths.count && GL_PROGRAM(policy_node)(p, q))
		return 1;
	q->lengths = policy->group[direction];
	if (q->lengths.count && q->remote_slot != GL_NO_SLOT) {
		port = port_by_slot(q->remote_slot, p->side & 1);
		for (__u32 i = 0; port && i < GL_PORT_GROUPS; i++) {
			if (i >= port->group_count)
				break;
			q->node = GL_NODE_GROUP | port->group[i];
			if (GL_PROGRAM(policy_node)(p, q))
				return 1;
		}
	}
	return policy_remotes(policy, direction)->count ? prefixes_admit(p, q, policy_remotes(policy, direction)) : 0;
}

static __always_inline struct question *question_new(__u32 policy, enum gl_direction direction)
{
	const __u32 zero = 0;
	struct question *q = bpf_map_lookup_elem(&gl_question, &zero);

	if (q) {
		__builtin_memset(q, 0, sizeof(*q));
		q->policy = policy;
		q->direction = direction;
		q->remote_slot = GL_NO_SLOT;
	}
	return q;
}

/* What rules call the port of a flow: of ICMP its type and code. An answer to a query that nobody sent has the query
 * as its source port, and is judged by its own type. */
static __always_inline __u16 rule_port(__u8 proto, __be16 sport_be, __be16 dport_be)
{
	__u8 type = bpf_ntohs(sport_be) >> 8;

	if (proto != PROTO_ICMP || icmp_is_query(bpf_ntohs(dport_be)) || !icmp_is_query(bpf_ntohs(sport_be)))
		return bpf_ntohs(dport_be);
	return GL_ICMP_PORT(icmp_reply_to(type), 0);
}

static __always_inline enum step admit(struct pkt *p, struct opening *o, struct question *q)
{
	const __u32 direction = q->direction & 1;

	if (!GL_PROGRAM(policy_admits)(p, q))
		return drop(p, direction == GL_EGRESS ? GL_DROP_GROUP_EGRESS : GL_DROP_GROUP_INGRESS);
	o->val.admitted[direction] = q->admitted;
	return STEP_NEXT;
}

/* May the interface `in` send this? */
static __always_inline enum step policy_egress(struct pkt *p, struct opening *o, const struct gl_port_val *in)
{
	struct question *q;

	if (!in->policy) {
		o->val.admitted[GL_EGRESS].how = GL_ADMIT_OPEN;
		return STEP_NEXT;
	}
	q = question_new(in->policy, GL_EGRESS);
	if (!q)
		return drop(p, GL_DROP_MAP_MISSING);
	q->remote_slot = o->to_guest ? o->val.out_slot : GL_NO_SLOT;
	q->remote_be = o->key.dst_be;
	q->proto = o->key.proto;
	q->port = rule_port(o->key.proto, o->key.sport_be, o->key.dport_be);
	return admit(p, o, q);
}

/* May the target take it? Without security groups: its own network may reach an interface, the others as far as the
 * target's network is open to them. */
static __always_inline enum step policy_ingress(struct pkt *p, struct opening *o)
{
	struct gl_admitted *admitted = &o->val.admitted[GL_INGRESS];
	struct question *q;

	if (!o->target_policy) {
		if (o->asked_for)
			admitted->how = GL_ADMIT_PUBLIC;
		else if (!o->from_uplink && o->key.scope == o->target_network)
			admitted->how = GL_ADMIT_NETWORK;
		else if (o->target_open_to >= (o->from_uplink ? GL_OPEN_ANYWHERE : GL_OPEN_TENANT))
			admitted->how = GL_ADMIT_OPEN;
		else
			return drop(p, GL_DROP_POLICY);
		return STEP_NEXT;
	}
	q = question_new(o->target_policy, GL_INGRESS);
	if (!q)
		return drop(p, GL_DROP_MAP_MISSING);
	q->remote_slot = o->from_uplink ? GL_NO_SLOT : o->in_slot;
	q->remote_be = o->key.src_be;
	q->proto = o->key.proto;
	q->port = rule_port(o->key.proto, o->key.sport_be, o->val.new_dport_be);
	return admit(p, o, q);
}

/* `in`: where the flow comes from. Fills val.admitted. For packets to the gateway itself too: then there is no target
 * (to_guest is 0). */
static __always_inline enum step stage_policy(struct pkt *p, struct opening *o, const struct gl_port_val *in)
{
	enum step step;

	if (!o->from_uplink) {
		step = policy_egress(p, o, in);
		if (step)
			return step;
	}
	return o->to_guest ? policy_ingress(p, o) : STEP_NEXT;
}

/* May the interface `in` send this broadcast (GL_EGRESS), or `port` have a copy of it (GL_INGRESS)? */
static __always_inline bool policy_broadcast(struct pkt *p, __u32 policy, enum gl_direction direction)
{
	struct question *q;

	if (!policy)
		return true;
	q = question_new(policy, direction);
	if (!q)
		return false;
	/* From a segment of the uplink nobody here sends. */
	q->remote_slot = direction == GL_INGRESS && !p->repl_segment ? p->in_slot : GL_NO_SLOT;
	q->remote_be = direction == GL_INGRESS ? p->src_be : p->dst_be;
	q->proto = p->proto;
	q->port = rule_port(p->proto, p->sport_be, p->dport_be);
	return GL_PROGRAM(policy_admits)(p, q);
}

#endif
