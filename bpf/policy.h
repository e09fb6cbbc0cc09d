/* SPDX-License-Identifier: GPL-2.0-only */
/* May this flow be opened? Asked once per flow, of both its ends; and of every copy of a broadcast.
 * An interface without security groups is as open as its network. One with groups has a policy: what all of them admit.
 * Neighbours: route.h (has found the target), leg.h and pipeline.h (who ask), abi.h (gl_policy, gl_tree).
 */
#ifndef GL_POLICY_H
#define GL_POLICY_H

#include "maps/tree.h"

#include "opening.h"
#include "parse.h"
#include "port.h"

/* What one end is asked. Complete in itself, so that answers evaluate a flow as its opener's packets do. */
struct question {
	__u32 policy; /* index of gl_policy, not 0 */
	__u32 direction; /* enum gl_direction */
	__u32 remote_slot; /* the other end, where it is an interface that is reached directly; GL_NO_SLOT: it is not */
	gl_ip remote_be; /* its address, as this end sees it */
	__u16 port; /* host order; of ICMP GL_ICMP_PORT() */
	__u8 proto;
	__u8 pad;
	struct gl_admitted admitted; /* out */
	__u32 first; /* the policy's first line in gl_tree */
	__u32 number[IP_WORDS]; /* remote_be as trees' number */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct question);
} gl_question __weak SEC(".maps");

static __always_inline struct gl_tree_val *tree_line(__u32 first, __u32 line, __u32 side)
{
	const __u32 index = first + line + (side & 1) * GL_MAX_TREE_LINES;

	return bpf_map_lookup_elem(&gl_tree, &index);
}

/* The value of the interval that the number is in; 0: none. */
static __always_inline __u32 tree_search(__u32 first, const struct gl_tree_ref *tree, __u32 number, __u32 side)
{
	__u32 at = tree->root, levels = tree->levels;
	struct gl_tree_val *line;

	for (__u32 i = 1; i < GL_TREE_LEVELS && i < levels; i++) {
		line = tree_line(first, at, side);
		if (!line)
			return 0;
		at = gl_tree_child(line, number);
	}
	line = levels ? tree_line(first, at, side) : NULL;
	if (!line)
		return 0;
	at = gl_tree_interval(line, number);
	barrier_var(at);
	return at < GL_TREE_LEAF ? line->word[at * 2 + 1] : 0;
}

/* The same for an IPv6 address: window after window, until there is a value that leads no further. */
static __always_inline __u32 window_search(__u32 first, const struct gl_tree_ref *tree, const __u32 *number, __u32 side)
{
	__u32 at = tree->root | GL_TREE_FURTHER;

	for (__u32 i = 0; i < GL_TREE_WINDOWS && at & GL_TREE_FURTHER; i++) {
		const struct gl_tree_window *window =
			(const struct gl_tree_window *)tree_line(first, at & ~GL_TREE_FURTHER, side);
		int order;

		if (!window)
			return 0;
		order = gl_window_compare(window, number);
		if (order)
			return order < 0 ? window->below : window->above;
		at = tree_search(first, &window->tree, gl_window_number(number, window->bits), side);
	}
	return at & GL_TREE_FURTHER ? 0 : at;
}

/* What a tree of protocols and ports says of it. */
__noinline __u32 GL_PROGRAM(policy_ports)(const struct question *q, const struct gl_tree_ref *tree, __u32 side)
{
	if (!q || !tree)
		return 0;
	return tree_search(q->first, tree, GL_RULE_NUMBER(q->proto, q->port), side);
}

/* The node of its remote address. */
__noinline __u32 GL_PROGRAM(policy_remote)(const struct question *q, const struct gl_tree_ref *tree, __u32 side)
{
	if (!q || !tree)
		return 0;
#if GL_FAMILY == 6
	return tree->levels ? window_search(q->first, tree, q->number, side) : 0;
#else
	return tree_search(q->first, tree, q->number[0], side);
#endif
}

/* The node of a group. */
__noinline __u32 GL_PROGRAM(policy_group)(const struct question *q, const struct gl_tree_ref *tree, __u32 group,
					  __u32 side)
{
	if (!q || !tree)
		return 0;
	return tree_search(q->first, tree, group, side);
}

static __always_inline __u32 admits(struct question *q, __u32 admits)
{
	if (admits) {
		q->admitted.group = admits >> 16;
		q->admitted.number = admits;
		q->admitted.how = GL_ADMIT_RULE;
	}
	return admits;
}

/* Does the node, or one that it links to, admit it? 0, or q->admitted. */
__noinline __u32 GL_PROGRAM(policy_node)(struct question *q, __u32 node, __u32 side)
{
	if (!q)
		return 0;
	/* So many prefixes can hold an address, and one more that it was found near. */
	for (__u32 i = 0; node && i <= IP_BITS + 1; i++) {
		const struct gl_tree_node *at = (const struct gl_tree_node *)tree_line(q->first, node - 1, side);
		const __u32 number = GL_RULE_NUMBER(q->proto, q->port);

		if (!at)
			return 0;
#if GL_FAMILY == 6
		if (at->len && !gl_node_holds(at, q->number)) {
			node = at->around;
			continue;
		}
#endif
		for (__u32 k = 0; k < GL_NODE_PARTS && k < at->count; k++)
			if (number >= at->part[k].first && number <= at->part[k].last)
				return admits(q, at->part[k].admits);
		if (at->more.levels && admits(q, GL_PROGRAM(policy_ports)(q, &at->more, side)))
			return 1;
		node = at->wider;
	}
	return 0;
}

/* A question per node: any remote end, each group that the remote end is in, the prefixes that hold it.
 * 1 and q->admitted, or 0. */
__noinline int GL_PROGRAM(policy_admits)(struct pkt *p, struct question *q)
{
	struct gl_policy_val *policy;
	struct gl_policy_dir *dir;
	struct gl_port_val *port;
	__u32 index, side;

	if (!p || !q)
		return 0;
	side = p->side & 1;
	index = GL_SIDED(q->policy, side);
	policy = bpf_map_lookup_elem(&gl_policy, &index);
	if (!policy)
		return 0;
	__builtin_memset(&q->admitted, 0, sizeof(q->admitted));
	index = q->direction & 1;
	if (policy->flags[index] & GL_POLICY_F_ALL) {
		q->admitted.group = policy->all_group[index];
		q->admitted.how = GL_ADMIT_ALL;
		return 1;
	}
	q->first = policy->first;
	dir = &policy->dir[index];
	barrier_var(dir); /* Linux 6.1 forgets what it knew of the index. */
	if (dir->any.levels && admits(q, GL_PROGRAM(policy_ports)(q, &dir->any, side)))
		return 1;
	if (dir->group.levels && q->remote_slot != GL_NO_SLOT) {
		port = port_by_slot(q->remote_slot, side);
		for (__u32 i = 0; port && i < GL_PORT_GROUPS && i < port->group_count; i++) {
			__u32 node = GL_PROGRAM(policy_group)(q, &dir->group, port->group[i], side);

			if (node && GL_PROGRAM(policy_node)(q, node, side))
				return 1;
		}
	}
	if (!policy_remotes(dir)->levels)
		return 0;
	for (__u32 i = 0; i < IP_WORDS; i++)
		q->number[i] = bpf_ntohl(ip_words(&q->remote_be)[i]);
	return GL_PROGRAM(policy_node)(q, GL_PROGRAM(policy_remote)(q, policy_remotes(dir), side), side) != 0;
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
