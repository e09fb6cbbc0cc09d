/* SPDX-License-Identifier: GPL-2.0-only */
/* One leg of a packet's way: find its flow, or open one; evaluate it anew when the tenant's generation has changed.
 * A packet has one leg, or two when it goes from one public address of ours to another.
 * Neighbours: flow.h (the table), route.h, policy.h, nat.h (asked once per flow), pipeline.h (who calls). */
#ifndef GL_LEG_H
#define GL_LEG_H

#include "antispoof.h"
#include "flow.h"
#include "mss.h"
#include "nat.h"
#include "opening.h"
#include "parse.h"
#include "policy.h"
#include "related.h"
#include "route.h"
#include "tcp.h"

/* The entry of the answers: the way back to `in`. */
static __always_inline void opening_peer(struct opening *o, const struct gl_port_val *in, __u32 now)
{
	struct gl_flow_val *v = &o->peer_val;

	v->flags |= GL_FLOW_F_REPLY | (o->val.flags & (GL_FLOW_F_REWRITE | GL_FLOW_F_ROUTED)) |
		    (in->flags & GL_PORT_F_XDP_OUT ? GL_FLOW_F_XDP_OUT : 0);
	v->out_slot = o->in_slot;
	v->out_ifindex = in->ifindex;
	v->mtu = in->mtu > 0xffff ? 0xffff : in->mtu;
	v->in_slot = o->val.out_slot;
	v->peer_scope = o->key.scope;
	v->new_src_be = o->key.dst_be;
	v->new_dst_be = o->key.src_be;
	v->new_sport_be = o->key.dport_be;
	v->new_dport_be = o->key.sport_be;
	v->created = now;
	v->last_seen = now;
	v->gen = o->val.gen;
	v->admitted[GL_INGRESS] = o->val.admitted[GL_INGRESS];
	v->admitted[GL_EGRESS] = o->val.admitted[GL_EGRESS];
	if (o->hairpin) {
		v->flags |= GL_FLOW_F_HAIRPIN;
	} else if (o->from_uplink) {
		v->flags |= o->val.flags & GL_FLOW_F_ROUTED ? GL_FLOW_F_TO_UPLINK : GL_FLOW_F_BRIDGED;
		mac_copy(v->dmac, o->smac);
		mac_copy(v->smac, o->val.dmac);
	} else {
		mac_copy(v->dmac, in->mac);
		mac_copy(v->smac, o->val.flags & GL_FLOW_F_ROUTED ? in->gw_mac : o->val.dmac);
	}
	v->vlan = o->val.vlan;
	flow_peer_key(&o->val, o->key.proto, &o->peer_key);
}

/* What of an evaluated entry stays what it was. */
static __always_inline void opening_inherit(struct gl_flow_val *val, const struct gl_flow_val *old)
{
	val->state = old->state;
	val->created = old->created;
	val->packets = old->packets;
	val->bytes = old->bytes;
	val->last_seen = old->last_seen;
	val->tcp_flags = old->tcp_flags;
	val->tcp_scale = old->tcp_scale;
	val->seq_end = old->seq_end;
	val->ack = old->ack;
	val->window = old->window;
	val->pending = old->pending;
	val->syn_scale = old->syn_scale;
}

/* Does the flow's opener still sit at `in`? Slots are given out again, to other tenants' interfaces too. */
static __always_inline bool opener_is_at(const struct pkt *p, const struct opening *o, const struct gl_port_val *in)
{
	if (o->from_uplink)
		return in->kind == GL_PORT_UPLINK && o->key.scope == (GL_SCOPE_UPLINK | in->uplink);
	return in->kind == GL_PORT_GUEST && in->tenant == o->tenant && in->network == o->key.scope &&
	       port_may_use(p, in, o->in_slot, &o->key.src_be);
}

/* Writes the answers' entry. -EEXIST: another flow that is not over sends the same packets, and keeps its entry; an
 * outside end could take it away by a public port that leads to the same guest's. */
static __always_inline int leg_claim(struct opening *o, void *table)
{
	struct gl_flow_val *there;
	int err = flow_insert(table, &o->peer_key, &o->peer_val);

	if (err != -EEXIST)
		return err;
	there = flow_lookup(table, &o->peer_key);
	if (there) {
		flow_peer_key(there, o->key.proto, &o->other);
		if (!flow_key_equal(&o->other, &o->key)) {
			if (there->state != GL_FLOW_TIME_WAIT && there->state != GL_FLOW_CLOSED &&
			    flow_lookup(table, &o->other))
				return -EEXIST;
			flow_take_away(o->tenant, table, &o->other, &o->other);
		}
	}
	return flow_write(table, &o->peer_key, &o->peer_val);
}

/* What the flow's own entries were so far, when it is evaluated anew. It stays where it still may be. */
static __always_inline void leg_look_back(struct opening *o, void *table, const struct gl_flow_val *old)
{
	struct gl_flow_val *peer;

	o->had = 1;
	o->was = *old;
	flow_peer_key(old, o->key.proto, &o->old_peer);
	peer = flow_lookup(table, &o->old_peer);
	if (!peer)
		return;
	o->had_peer = 1;
	o->peer_was = *peer;
	if (o->from_uplink)
		o->hairpin = peer->flags & GL_FLOW_F_HAIRPIN ? 1 : 0;
}

/* Where does o->key go, from o->in_slot? STEP_NEXT, STEP_ECHO_REPLY, or how else it ends. */
static __always_inline enum step leg_evaluate(struct pkt *p, struct opening *o)
{
	struct gl_port_val *in = port_by_slot(o->in_slot, p->side);
	enum step step;

	/* The opener's interface has gone, or is another's now. */
	if (!in || (o->had && !opener_is_at(p, o, in)))
		return drop(p, GL_DROP_NO_FLOW);
	/* An answer does not tell which MAC its opener had sent to. */
	if (o->by_answer && o->was.flags & GL_FLOW_F_ROUTED)
		mac_copy(o->dmac, in->gw_mac);
	o->val.new_src_be = o->key.src_be;
	o->val.new_dst_be = o->key.dst_be;
	o->val.new_sport_be = o->key.sport_be;
	o->val.new_dport_be = o->key.dport_be;
	o->val.in_slot = o->in_slot;
	o->val.created = p->now;
	o->val.last_seen = p->now;
	o->val.gen = p->gen;

	if (!o->from_uplink)
		step = route_from_guest(p, o, in);
	else if (o->bridged)
		step = route_from_segment(p, o, in->uplink);
	else
		step = nat_destination(p, o, in->uplink);
	if (!step && o->from_uplink)
		step = outside_source(p, o, in);
	if (!step && !o->had && p->proto == PROTO_ICMP && icmp_is_reply(p->icmp_type))
		step = drop(p, GL_DROP_NO_FLOW); /* a reply that nobody asked for, or an ICMP fragment of no flow */
	if (!step && o->key.proto == IPPROTO_TCP && (!o->had || o->anew))
		step = tcp_open(p, o);
	return step;
}

/* May it, by both its ends' rules? Then the answers' entry is made ready. */
__noinline int GL_PROGRAM(leg_admit)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_port_val *in;

	if (!p || !o)
		return STEP_DROP;
	in = port_by_slot(o->in_slot, p->side);
	if (!in)
		return drop(p, GL_DROP_NO_FLOW);
	if (stage_policy(p, o, in))
		return STEP_DROP;
	opening_peer(o, in, p->now);
	if (o->key.proto == IPPROTO_TCP)
		GL_PROGRAM(mss_settle)(p);
	return STEP_NEXT;
}

/* Writes both entries; the answers' may stand already. */
__noinline int GL_PROGRAM(leg_write)(struct pkt *p)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	struct gl_flow_val *there;
	void *table;
	int err;

	if (!p || !o)
		return STEP_DROP;
	table = flow_table(o->tenant);
	if (!table)
		return drop(p, GL_DROP_MAP_MISSING);
	if (o->had) {
		if (o->had_peer && !o->anew)
			opening_inherit(&o->peer_val, &o->peer_was);
		if (!o->anew)
			opening_inherit(&o->val, &o->was);
		if (!flow_key_equal(&o->old_peer, &o->peer_key))
			flow_take_away(o->tenant, table, &o->old_peer, &o->old_peer);
		o->written = 0;
	}
	err = o->written ? 0 : leg_claim(o, table);
	if (err)
		return err == -EEXIST ? drop(p, GL_DROP_NO_FLOW) : flow_refuse(p, o->tenant);
	err = o->had || o->anew ? flow_write(table, &o->key, &o->val) : flow_insert(table, &o->key, &o->val);
	if (!err)
		return STEP_NEXT;
	if (err == -EEXIST) {
		/* Another CPU has opened it meanwhile: what it wrote holds, and a port taken for nothing is free. */
		there = flow_lookup(table, &o->key);
		if (there)
			flow_peer_key(there, o->key.proto, &o->old_peer);
		if (there && !flow_key_equal(&o->old_peer, &o->peer_key))
			flow_take_away(o->tenant, table, &o->peer_key, &o->peer_key);
		return STEP_NEXT;
	}
	flow_take_away(o->tenant, table, &o->peer_key, &o->peer_key);
	return flow_refuse(p, o->tenant);
}

static __always_inline struct opening *opening_new(void)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);

	if (o)
		__builtin_memset(o, 0, offsetof(struct opening, was));
	return o;
}

/* The key of the packet at hand in its present leg. */
static __always_inline void leg_key(const struct pkt *p, struct gl_flow_key *key)
{
	key->src_be = p->src_be;
	key->dst_be = p->dst_be;
	key->sport_be = p->sport_be;
	key->dport_be = p->dport_be;
	key->scope = p->scope;
	key->proto = p->key_proto;
	key->kind = GL_FLOW_PACKETS;
}

/* The packet opens its flow. */
static __always_inline void opening_fresh(const struct pkt *p, struct opening *o)
{
	mac_copy(o->dmac, p->dmac);
	mac_copy(o->smac, p->smac);
	o->in_slot = p->leg_slot;
	o->from_uplink = p->from_uplink;
	o->bridged = p->bridged;
	o->vlan = p->vlan;
	o->hairpin = p->hairpin;
	o->echo = p->proto == PROTO_ICMP && p->icmp_type == ICMP_ECHO && p->frag != FRAG_TAIL;
}

/* The flow is of an earlier generation: ask again, as its opener would. Returns the opener's entry; NULL: it is gone,
 * and o->key with it. */
static __always_inline struct gl_flow_val *opening_again(const struct pkt *p, struct opening *o, void *table,
							 struct gl_flow_val *flow)
{
	struct gl_flow_val *opener = flow;

	if (flow->flags & GL_FLOW_F_REPLY) {
		o->other = o->key;
		flow_peer_key(flow, o->other.proto, &o->key);
		opener = flow_lookup(table, &o->key);
		if (!opener) {
			flow_take_away(p->tenant, table, &o->other, &o->other);
			return NULL;
		}
		mac_copy(o->dmac, opener->dmac);
		mac_copy(o->smac, opener->smac);
		o->by_answer = 1;
		o->in_slot = opener->in_slot;
	} else {
		mac_copy(o->dmac, p->dmac);
		mac_copy(o->smac, p->smac);
		o->in_slot = p->leg_slot;
	}
	o->from_uplink = o->key.scope & GL_SCOPE_UPLINK ? 1 : 0;
	o->bridged = o->from_uplink && !(opener->flags & GL_FLOW_F_ROUTED);
	o->vlan = opener->vlan;
	o->echo = o->key.proto == PROTO_ICMP && o->key.dport_be == bpf_htons(GL_ICMP_QUERY);
	return opener;
}

/* Which flow is it about, and where does it go? */
__noinline int GL_PROGRAM(leg_judge)(struct pkt *p)
{
	struct gl_flow_val *flow, *old = NULL;
	struct opening *o = opening_new();
	void *table;

	if (!p)
		return STEP_DROP;
	table = flow_table(p->tenant);
	if (!o || !table)
		return drop(p, GL_DROP_MAP_MISSING);
	leg_key(p, &o->key);
	o->tenant = p->tenant;
	flow = flow_lookup(table, &o->key);
	p->opened = !flow || p->anew;
	if (p->opened) {
		opening_fresh(p, o);
		o->anew = p->anew;
		/* The opener keeps its translated port where it may; the other end opens a flow of its own. */
		if (flow && flow->flags & GL_FLOW_F_REPLY) {
			o->turned = 1;
			flow_peer_key(flow, o->key.proto, &o->over);
		} else {
			old = flow;
		}
	} else {
		old = opening_again(p, o, table, flow);
		if (!old)
			return drop(p, GL_DROP_NO_FLOW);
	}
	if (old)
		leg_look_back(o, table, old);
	return leg_evaluate(p, o);
}

/* The entries are written, or the flow may not be: what it was before goes. */
__noinline int GL_PROGRAM(leg_clear)(struct pkt *p, __u32 step)
{
	const __u32 zero = 0;
	struct opening *o = bpf_map_lookup_elem(&gl_opening, &zero);
	void *table;

	if (!p || !o)
		return STEP_DROP;
	table = flow_table(o->tenant);
	if (!table)
		return drop(p, GL_DROP_MAP_MISSING);
	if (step && o->had)
		flow_take_away(o->tenant, table, &o->key, &o->old_peer);
	/* What the other end's flow has not taken the place of. */
	if (o->turned && !step && !flow_key_equal(&o->over, &o->peer_key))
		flow_take_away(o->tenant, table, &o->over, &o->over);
	/* What would become of the opener's packet (an echo reply, or the host's) is not for the answer. */
	return o->by_answer && step != STEP_NEXT && step != STEP_DROP ? drop(p, GL_DROP_NO_FLOW) : step;
}

/* The packet has no flow, one that is over, or one that has to be asked about again: afterwards it has one that is up
 * to date, or none. In parts that follow one another, each with a stack of its own, and global, so that the verifier
 * looks at each once, with whatever p holds. What becomes a map's key lies in a map or on the stack, never behind an
 * argument: kernels before 6.2 want that. */
__noinline int GL_PROGRAM(leg_open)(struct pkt *p)
{
	int step, may;

	if (!p)
		return STEP_DROP;
	step = GL_PROGRAM(leg_judge)(p);
	if (step == STEP_NEXT || step == STEP_ECHO_REPLY) {
		may = GL_PROGRAM(leg_admit)(p);
		if (may)
			step = may;
	}
	if (!step)
		step = nat_source(p);
	if (!step)
		step = GL_PROGRAM(leg_write)(p);
	return GL_PROGRAM(leg_clear)(p, step);
}

/* An answer's first packet changes what the sweeper waits for: both entries hear of it. */
static __always_inline void leg_assure(struct pkt *p, void *table, struct gl_flow_val *flow)
{
	struct gl_flow_val *peer;

	flow->state = GL_FLOW_ASSURED;
	flow_peer_key(flow, p->key_proto, &p->key);
	peer = flow_lookup(table, &p->key);
	if (peer)
		peer->state = GL_FLOW_ASSURED;
}

/* An error about the flow whose direction back is `flow`: did the quoted packet's sender send it just now? */
static __noinline int leg_error_fits(struct pkt *p, void *table, const struct gl_flow_val *flow)
{
	struct gl_flow_val *quoted;

	if (p->key_proto != IPPROTO_TCP)
		return 1;
	flow_peer_key(flow, IPPROTO_TCP, &p->key);
	quoted = flow_lookup(table, &p->key);
	return quoted && related_fits(p, flow, quoted);
}

/* p: tuple, scope, tenant and gen are set. STEP_FORWARD with *ret, or how else the packet ends. */
static __noinline int leg_run(struct pkt *p, struct gl_flow_val **ret)
{
	void *table = flow_table(p->tenant);
	struct gl_flow_val *flow;
	bool opened = false;
	int step;

	if (!table)
		return drop(p, GL_DROP_MAP_MISSING);
	leg_key(p, &p->key);
	flow = flow_lookup(table, &p->key);
	/* An error opens nothing, and speaks for nothing. */
	if (p->related) {
		if (!flow || flow->gen != p->gen || !leg_error_fits(p, table, flow))
			return drop(p, GL_DROP_ICMP_ERROR);
		*ret = flow;
		return STEP_FORWARD;
	}
	/* The same tuple to another MAC: a bridge network's own choice of the next hop, or a moved address. From
	 * another interface: an address that several may use, each by its own rules. */
	if (!flow || flow->gen != p->gen ||
	    (!(flow->flags & GL_FLOW_F_REPLY) && (flow->in_slot != p->leg_slot || (!(flow->flags & GL_FLOW_F_ROUTED) &&
										   !mac_equal(flow->dmac, p->dmac))))) {
		step = GL_PROGRAM(leg_open)(p);
		if (step)
			return step;
		flow = flow_lookup(table, &p->key);
		/* An answer to an address or port that the flow no longer has. */
		if (!flow)
			return drop(p, GL_DROP_NO_FLOW);
		opened = p->opened;
	}
	if (p->key_proto == IPPROTO_TCP) {
		if (p->frag != FRAG_TAIL && !opened && !tcp_in_order(p, flow)) {
			step = GL_PROGRAM(tcp_track)(p, flow);
			if (step == TCP_ANEW) {
				p->anew = 1;
				step = GL_PROGRAM(leg_open)(p);
				p->anew = 0;
				flow = flow_lookup(table, &p->key);
			}
			if (step)
				return step;
			if (!flow)
				return drop(p, GL_DROP_MAP_MISSING);
		}
	} else if (flow->state == GL_FLOW_NEW && flow->flags & GL_FLOW_F_REPLY) {
		leg_assure(p, table, flow);
	}
	*ret = flow;
	return STEP_FORWARD;
}

#endif
