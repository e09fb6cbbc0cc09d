/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is remembered of flows, and what a packet does to it: two entries a flow, one for each direction, found by the
 * tuple as packets arrive. Neighbours: model.h, rules.c (new flows), tcp.c (TCP's states). */
#include <netinet/in.h>
#include <string.h>

#include "model.h"

bool key_equal(const struct m_key *a, const struct m_key *b)
{
	return a->family == b->family && a->src == b->src && a->dst == b->dst && a->sport == b->sport &&
	       a->dport == b->dport && a->scope == b->scope && a->proto == b->proto && a->kind == b->kind;
}

struct m_entry *flow_find_key(struct m_state *s, unsigned tenant, const struct m_key *key)
{
	for (unsigned i = 0; i < s->top; i++)
		if (s->entries[i].used && s->entries[i].tenant == tenant && key_equal(&s->entries[i].key, key))
			return &s->entries[i];
	return NULL;
}

void flow_peer(const struct m_entry *e, struct m_key *ret)
{
	*ret = (struct m_key){ .src = e->ndst,
			       .dst = e->nsrc,
			       .sport = e->ndport,
			       .dport = e->nsport,
			       .family = e->key.family,
			       .scope = e->peer_scope,
			       .proto = e->key.proto };
}

size_t flow_used(const struct m_state *s, unsigned tenant, unsigned family)
{
	size_t n = 0;

	for (unsigned i = 0; i < s->top; i++)
		n += s->entries[i].used && s->entries[i].tenant == tenant && s->entries[i].key.family == family;
	return n;
}

size_t flow_capacity(const struct m_model *m, unsigned tenant)
{
	return 2 * (size_t)m->def->tenants[tenant]->max_flows;
}

/* The entry of that key, made where there is none. NULL: the tenant's share is used up. */
struct m_entry *flow_entry(struct m_model *m, unsigned tenant, const struct m_key *key)
{
	struct m_entry *e = flow_find_key(m->state, tenant, key);

	if (e)
		return e;
	if (flow_used(m->state, tenant, key->family) >= flow_capacity(m, tenant))
		return NULL;
	for (unsigned i = 0; i < M_ENTRIES; i++)
		if (!m->state->entries[i].used) {
			e = &m->state->entries[i];
			if (i >= m->state->top)
				m->state->top = i + 1;
			*e = (struct m_entry){ .used = true, .tenant = tenant, .key = *key };
			return e;
		}
	return NULL;
}

void flow_remove(struct m_state *s, unsigned tenant, const struct m_key *key)
{
	struct m_entry *e = flow_find_key(s, tenant, key);

	if (e)
		e->used = false;
}

/* Both entries of an endpoint-independent mapping. */
void mapping_remove(struct m_state *s, const struct m_entry *mapping)
{
	const struct m_key own = mapping->key;
	const struct m_key other = { .dst = mapping->nsrc,
				     .dport = mapping->nsport,
				     .family = own.family,
				     .scope = M_SCOPE_UPLINK,
				     .proto = own.proto,
				     .kind = GL_FLOW_MAPPED };

	flow_remove(s, mapping->tenant, &other);
	flow_remove(s, mapping->tenant, &own);
}

void state_clear(struct m_state *s)
{
	for (unsigned i = 0; i < s->top; i++)
		s->entries[i].used = false;
	s->top = 0;
	for (unsigned i = 0; i < M_FRAGS; i++)
		s->frags[i].used = false;
}

/* ---- opening ---------------------------------------------------------------------------------------------- */

static void answers_of(const struct m_model *m, const struct m_opening *o, struct m_entry *ret)
{
	const struct m_entry *val = &o->val;

	*ret = (struct m_entry){
		.used = true,
		.tenant = o->tenant,
		.gen = val->gen,
		.asked = val->asked,
		.reply = true,
		.rewrite = val->rewrite,
		.routed = val->routed,
		.mapped = val->mapped,
		.mss = { val->mss[0], val->mss[1] },
		.how = { val->how[0], val->how[1] },
		.admits = { val->admits[0], val->admits[1] },
		.hairpin = o->hairpin,
		.to_uplink = o->from_uplink && !o->hairpin,
		.out = o->from_uplink ? M_UPLINK : o->port,
		.in = val->out,
		.mtu = o->from_uplink ? 1500 : m->def->ports[o->port].mtu,
		.nsrc = o->key.dst,
		.ndst = o->key.src,
		.nsport = o->key.dport,
		.ndport = o->key.sport,
		.peer_scope = o->key.scope,
	};
	if (!o->from_uplink) {
		memcpy(ret->dmac, m->def->ports[o->port].mac, 6);
		memcpy(ret->smac, val->routed ? m->def->nets[m->def->ports[o->port].net].gw_mac : val->dmac, 6);
	}
	flow_peer(val, &ret->key);
}

static void inherit(struct m_entry *val, const struct m_entry *old)
{
	val->state = old->state;
	val->packets = old->packets;
	val->bytes = old->bytes;
	val->idle = old->idle;
	val->tcp = old->tcp;
}

/* Does another flow, that is not over, send the packets that would be this one's answers? Then it keeps its entry. */
static bool is_another_s(struct m_model *m, const struct m_opening *o, const struct m_key *answers)
{
	const struct m_entry *there = flow_find_key(m->state, o->tenant, answers);
	struct m_key other;

	if (!there)
		return false;
	flow_peer(there, &other);
	if (key_equal(&other, &o->key))
		return false;
	if (there->state != GL_FLOW_TIME_WAIT && there->state != GL_FLOW_CLOSED &&
	    flow_find_key(m->state, o->tenant, &other))
		return true;
	flow_remove(m->state, o->tenant, &other);
	return false;
}

/* Writes both entries of an opening, or none. */
static enum gl_drop write_flow(struct m_model *m, const struct m_opening *o, const struct m_entry *answers)
{
	bool was = flow_find_key(m->state, o->tenant, &answers->key);
	struct m_entry *peer, *own;

	if (is_another_s(m, o, &answers->key))
		return GL_DROP_NO_FLOW;
	peer = flow_entry(m, o->tenant, &answers->key);
	if (!peer)
		return GL_DROP_FLOW_TABLE_FULL;
	own = flow_entry(m, o->tenant, &o->key);
	if (!own) {
		if (!was)
			peer->used = false;
		return GL_DROP_FLOW_TABLE_FULL;
	}
	*peer = *answers;
	*own = o->val;
	return GL_DROP_NONE;
}

static bool opener_is_there(const struct m_model *m, const struct m_opening *o)
{
	const struct m_port *in;

	if (o->from_uplink)
		return true;
	in = &m->def->ports[o->port];
	return in->def && in->tenant == o->tenant && in->net == o->key.scope && rules_may_use(m, o->port, o->key.src);
}

/* Evaluates an opening, and writes what comes of it. `old`: the opener's entry of an earlier generation, which lives on
 * where it still may. */
static enum gl_drop evaluate(struct m_model *m, struct m_opening *o, struct m_entry *old, const struct pk *pk,
			     bool anew)
{
	struct m_entry was, was_peer = { .used = false }, begun = { .used = false }, answers, *peer;
	struct m_key old_peer;
	enum gl_drop reason;

	if (old) {
		was = *old;
		flow_peer(old, &old_peer);
		peer = flow_find_key(m->state, o->tenant, &old_peer);
		if (peer)
			was_peer = *peer;
		if (o->from_uplink && peer)
			o->hairpin = peer->hairpin;
	}
	o->val.used = true;
	o->val.tenant = o->tenant;
	o->val.key = o->key;
	o->val.gen = m->def->gen[o->tenant];
	o->val.asked = m->def;
	o->val.nsrc = o->key.src;
	o->val.ndst = o->key.dst;
	o->val.nsport = o->key.sport;
	o->val.ndport = o->key.dport;
	o->val.in = o->port;
	reason = old && !opener_is_there(m, o) ? GL_DROP_NO_FLOW : rules_route(m, o);
	/* A reply that nobody asked for, or a fragment of no flow. */
	if (!reason && !old && pk->proto == icmp_proto(pk->family) &&
	    (pk_is_tail(pk) || (pk_asks(pk) && pk_asks(pk) != pk->type)))
		reason = GL_DROP_NO_FLOW;
	if (!reason && !o->answered && !o->host && o->key.proto == IPPROTO_TCP && (!old || anew))
		reason = tcp_open(&o->val, &begun, pk, m->def->tenants[o->tenant]->tcp_pickup);
	if (!reason && !o->host)
		reason = rules_policy(m, o);
	if (!reason && !o->answered && !o->host && !o->from_uplink && (o->val.to_uplink || o->val.hairpin))
		reason = rules_source(m, o, old ? &was : NULL);
	if (old && (reason || o->answered || o->host)) {
		flow_remove(m->state, o->tenant, &old_peer);
		flow_remove(m->state, o->tenant, &o->key);
	}
	if (reason || o->answered || o->host)
		return reason;
	o->val.mss[0] = o->from_uplink ? GL_MSS_KEEP : m->def->nets[m->def->ports[o->port].net].def->mss;
	o->val.mss[1] = o->target == M_UPLINK ? GL_MSS_KEEP : m->def->nets[m->def->ports[o->target].net].def->mss;
	answers_of(m, o, &answers);
	answers.state = begun.state;
	answers.tcp = begun.tcp;
	if (old && !anew) {
		inherit(&o->val, &was);
		if (was_peer.used)
			inherit(&answers, &was_peer);
		else
			answers.state = was.state;
	}
	if (old && !key_equal(&old_peer, &answers.key))
		flow_remove(m->state, o->tenant, &old_peer);
	reason = write_flow(m, o, &answers);
	if (old && reason) {
		flow_remove(m->state, o->tenant, &old_peer);
		flow_remove(m->state, o->tenant, &o->key);
	}
	return reason;
}

/* `over`: the entry of a flow that is over, whose tuple begins anew. Its opener keeps the translated port; from the
 * other end it is a flow of that end. */
static enum gl_drop open_flow(struct m_model *m, struct m_leg *leg, struct m_entry *over)
{
	const bool turned = over && over->reply;
	struct m_key other;
	const struct pk *pk = leg->pk;
	struct m_opening o = {
		.key = leg->key,
		.tenant = leg->tenant,
		.port = leg->port,
		.from_uplink = leg->from_uplink,
		.hairpin = leg->hairpin,
		.echo = pk_is_icmp(pk) && pk->type == (pk->family == 6 ? ECHO6 : ECHO4),
		.frag = pk->frag & 0x3fff,
		.target = M_UPLINK,
	};
	enum gl_drop reason;

	memcpy(o.dmac, pk->dmac, 6);
	memcpy(o.smac, pk->smac, 6);
	if (turned)
		flow_peer(over, &other);
	reason = evaluate(m, &o, turned ? NULL : over, pk, over);
	if (turned && !reason && !o.host) {
		struct m_key now;

		flow_peer(&o.val, &now);
		if (!key_equal(&now, &other))
			flow_remove(m->state, leg->tenant, &other);
	}
	leg->answered = o.answered;
	leg->host = o.host;
	return reason;
}

/* Of an earlier generation, or sent to another MAC: asked again, as its opener would. */
static enum gl_drop ask_again(struct m_model *m, struct m_leg *leg, struct m_entry *e)
{
	struct m_opening o = { .key = leg->key, .tenant = leg->tenant, .port = leg->port, .target = M_UPLINK };
	struct m_entry *opener = e;
	const bool by_answer = e->reply;
	enum gl_drop reason;

	if (by_answer) {
		flow_peer(e, &o.key);
		opener = flow_find_key(m->state, leg->tenant, &o.key);
		if (!opener) {
			e->used = false;
			return GL_DROP_NO_FLOW;
		}
		o.port = opener->in;
		memcpy(o.dmac, opener->dmac, 6);
		memcpy(o.smac, opener->smac, 6);
	} else {
		memcpy(o.dmac, leg->pk->dmac, 6);
		memcpy(o.smac, leg->pk->smac, 6);
	}
	o.from_uplink = o.key.scope == M_SCOPE_UPLINK;
	o.echo = o.key.proto == icmp_proto(o.key.family) &&
		 o.key.dport == (o.key.family == 6 ? GL_ICMP6_QUERY : GL_ICMP_QUERY);
	if (by_answer && opener->routed && !o.from_uplink && m->def->ports[o.port].def)
		memcpy(o.dmac, m->def->nets[m->def->ports[o.port].net].gw_mac, 6);
	reason = evaluate(m, &o, opener, leg->pk, false);
	leg->answered = o.answered;
	leg->host = o.host;
	if (by_answer && !reason && (o.answered || o.host)) {
		leg->answered = leg->host = false;
		return GL_DROP_NO_FLOW;
	}
	return reason;
}

static enum gl_drop track(struct m_model *m, struct m_leg *leg, bool *fresh)
{
	struct m_entry *e = leg->entry, *peer;
	struct m_key key;

	flow_peer(e, &key);
	peer = flow_find_key(m->state, leg->tenant, &key);
	if (e->key.proto == IPPROTO_TCP)
		return pk_is_tail(leg->pk) ? GL_DROP_NONE : tcp_segment(e, peer, leg->pk, fresh);
	if (e->state == GL_FLOW_NEW && e->reply) {
		e->state = GL_FLOW_ASSURED;
		if (peer)
			peer->state = GL_FLOW_ASSURED;
	}
	return GL_DROP_NONE;
}

/* An error about TCP quotes what the end that it goes to has sent, and the other has not acknowledged (RFC 5927). */
static bool error_fits(const struct m_model *m, const struct m_leg *leg, const struct m_entry *back)
{
	const struct pk *in = leg->pk->inner;
	const struct m_entry *sent;
	struct m_key key;
	uint32_t behind;

	if (in->proto != IPPROTO_TCP)
		return true;
	flow_peer(back, &key);
	sent = flow_find_key(m->state, leg->tenant, &key);
	if (!sent)
		return false;
	if (!sent->tcp.flags || (sent->tcp.pending && in->seq == sent->tcp.syn))
		return true;
	behind = sent->tcp.end - in->seq; /* bytes from there to the last one sent */
	if (back->tcp.flags & F_ACK)
		return behind <= 0x7fffffff && in->seq - back->tcp.ack <= 0x7fffffff;
	return behind <= 0xffff;
}

enum gl_drop leg_run(struct m_model *m, struct m_leg *leg)
{
	struct m_entry *e = flow_find_key(m->state, leg->tenant, &leg->key);
	const uint32_t gen = m->def->gen[leg->tenant];
	enum gl_drop reason = GL_DROP_NONE;
	bool fresh = false, opened = false;

	leg->entry = NULL;
	if (leg->related) {
		leg->entry = e;
		return e && e->gen == gen && error_fits(m, leg, e) ? GL_DROP_NONE : GL_DROP_ICMP_ERROR;
	}
	if (!e) {
		reason = open_flow(m, leg, NULL);
		opened = true;
	} else if (e->gen != gen || e->asked != m->def ||
		   (!e->routed && !e->reply && memcmp(e->dmac, leg->pk->dmac, 6))) {
		reason = ask_again(m, leg, e);
	}
	if (reason || leg->answered || leg->host)
		return reason;
	leg->entry = flow_find_key(m->state, leg->tenant, &leg->key);
	if (!leg->entry)
		return GL_DROP_NO_FLOW;
	if (opened)
		return GL_DROP_NONE;
	reason = track(m, leg, &fresh);
	if (!fresh)
		return reason;
	reason = open_flow(m, leg, leg->entry);
	if (reason || leg->answered || leg->host)
		return reason;
	leg->entry = flow_find_key(m->state, leg->tenant, &leg->key);
	return leg->entry ? GL_DROP_NONE : GL_DROP_NO_FLOW;
}

/* ---- time ------------------------------------------------------------------------------------------------- */

/* Is there a flow that goes by this mapping? Then the sweeper, which comes every few seconds, keeps it young. */
static bool is_needed(const struct m_state *s, const struct m_entry *mapping)
{
	for (unsigned i = 0; i < s->top; i++) {
		const struct m_entry *e = &s->entries[i];

		if (e->used && e->tenant == mapping->tenant && e->mapped && !e->reply && !e->key.kind &&
		    e->key.family == mapping->key.family && e->key.src == mapping->ndst &&
		    e->key.sport == mapping->ndport && e->key.proto == mapping->key.proto)
			return true;
	}
	return false;
}

void state_age(struct m_state *s, uint32_t seconds)
{
	for (unsigned i = 0; i < s->top; i++)
		if (!s->entries[i].key.kind || !is_needed(s, &s->entries[i]))
			s->entries[i].idle += seconds;
	for (unsigned i = 0; i < M_FRAGS; i++)
		s->frags[i].idle += seconds;
}

static uint32_t timeout_of(const struct gl_tenant *tenant, unsigned family, uint8_t proto, enum gl_flow_state state)
{
	static const uint32_t seconds[GL_TIMEOUT_COUNT] = {
		GL_SECONDS_TCP_OPENING, GL_SECONDS_TCP_ESTABLISHED, GL_SECONDS_TCP_CLOSING, GL_SECONDS_TCP_CLOSED,
		GL_SECONDS_UDP,		GL_SECONDS_UDP_ASSURED,	    GL_SECONDS_ICMP,	    GL_SECONDS_OTHER,
	};
	static const enum gl_timeout tcp[GL_FLOW_STATES] = {
		[GL_FLOW_SYN_SENT] = GL_TIMEOUT_TCP_OPENING,	 [GL_FLOW_SYN_BOTH] = GL_TIMEOUT_TCP_OPENING,
		[GL_FLOW_SYN_RECEIVED] = GL_TIMEOUT_TCP_OPENING, [GL_FLOW_ESTABLISHED] = GL_TIMEOUT_TCP_ESTABLISHED,
		[GL_FLOW_FIN_WAIT] = GL_TIMEOUT_TCP_CLOSING,	 [GL_FLOW_CLOSE_WAIT] = GL_TIMEOUT_TCP_CLOSING,
		[GL_FLOW_TIME_WAIT] = GL_TIMEOUT_TCP_CLOSED,	 [GL_FLOW_CLOSED] = GL_TIMEOUT_TCP_CLOSED,
	};
	enum gl_timeout which = proto == IPPROTO_TCP			       ? tcp[state]
				: proto == IPPROTO_UDP && state == GL_FLOW_NEW ? GL_TIMEOUT_UDP
				: proto == IPPROTO_UDP			       ? GL_TIMEOUT_UDP_ASSURED
				: proto == icmp_proto(family)		       ? GL_TIMEOUT_ICMP
									       : GL_TIMEOUT_OTHER;

	return tenant->timeout[which] ? tenant->timeout[which] : seconds[which];
}

/* A flow goes when neither direction has had a packet for its time, and answers without a flow soon. */
static void sweep_flows(struct m_state *s, const struct m_def *def)
{
	for (unsigned i = 0; i < s->top; i++) {
		struct m_entry *e = &s->entries[i], *peer;
		struct m_key key;
		uint32_t idle;

		if (!e->used || e->key.kind)
			continue;
		flow_peer(e, &key);
		peer = flow_find_key(s, e->tenant, &key);
		idle = peer && peer->idle < e->idle ? peer->idle : e->idle;
		if (e->reply ? peer || idle <= GL_SWEEP_SECONDS
			     : idle <= timeout_of(def->tenants[e->tenant], e->key.family, e->key.proto, e->state))
			continue;
		e->used = false;
		if (peer)
			peer->used = false;
	}
}

/* As often as it takes that the order of entries means nothing. */
void state_sweep(struct m_state *s, const struct m_def *def)
{
	for (unsigned i = 0; i < M_FRAGS; i++)
		s->frags[i].used &= s->frags[i].idle <= GL_SECONDS_FRAGMENT;
	for (int i = 0; i < M_SWEEPS; i++)
		sweep_flows(s, def);
	for (unsigned i = 0; i < s->top; i++) {
		const struct m_entry *e = &s->entries[i];
		const struct gl_tenant *tenant = def->tenants[e->tenant];

		if (e->used && e->key.kind == GL_FLOW_MAPPING &&
		    e->idle > (e->key.proto == IPPROTO_UDP ? timeout_of(tenant, 4, IPPROTO_UDP, GL_FLOW_ASSURED)
							   : timeout_of(tenant, 4, IPPROTO_TCP, GL_FLOW_FIN_WAIT)))
			mapping_remove(s, e);
	}
}

void state_delete(struct m_state *s, unsigned tenant, unsigned family, uint8_t proto)
{
	for (unsigned i = 0; i < s->top; i++)
		if (s->entries[i].tenant == tenant && s->entries[i].key.family == family &&
		    s->entries[i].key.proto == proto)
			s->entries[i].used = false;
}
