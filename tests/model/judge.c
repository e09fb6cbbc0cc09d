/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What becomes of a packet? From the interface it comes by to its end, and every byte of what comes out.
 * Neighbours: model.h, flows.c (legs), frags.c, pk.c (bytes). */
#include <netinet/in.h>
#include <string.h>

#include "model.h"

#define GATEWAY_TTL 64
#define UPLINK_MTU 1500

struct way {
	struct m_model *m;
	unsigned port;
	const struct pk *pk;
	struct m_leg leg;
	struct m_entry *first; /* of a hairpin */
	struct m_key arrived; /* the key as it came */
	bool from_router; /* an ICMP error of somebody on the way */
};

static uint8_t echo_of(const struct pk *pk)
{
	return pk->family == 6 ? ECHO6 : ECHO4;
}

static uint8_t echoed_of(const struct pk *pk)
{
	return pk->family == 6 ? ECHOED6 : ECHOED4;
}

static void key_of(const struct pk *pk, uint8_t scope, struct m_key *key)
{
	*key = (struct m_key){
		.src = pk->src, .dst = pk->dst, .family = pk->family, .scope = scope, .proto = pk->proto
	};
	if (pk_is_tail(pk))
		return;
	if (pk->proto == IPPROTO_TCP || pk->proto == IPPROTO_UDP || pk->proto == IPPROTO_SCTP) {
		key->sport = pk->sport;
		key->dport = pk->dport;
	} else if (pk_asks(pk)) {
		const bool asks = pk->type == pk_asks(pk);
		const uint16_t kind = GL_ICMP_PORT(pk_asks(pk), 0);

		key->sport = asks ? pk->sport : kind;
		key->dport = asks ? kind : pk->sport;
	} else if (pk_is_icmp(pk)) {
		key->dport = GL_ICMP_PORT(pk->type, pk->code);
	}
}

/* Source quench and redirects only ever do harm here (RFC 6633); of IPv6 there are four errors. */
static bool is_known_error(const struct pk *pk)
{
	return pk->family == 6 ? pk->type >= 1 && pk->type <= 4 : pk->type != 4 && pk->type != 5;
}

/* The key of the direction that an error travels in: that of the packet it quotes, turned round. */
static enum gl_drop related_key(struct way *w, uint8_t scope, struct m_key *key)
{
	const struct pk *pk = w->pk, *in = pk->inner;
	const size_t least = pk_head_len(in) + 8;
	struct m_key quoted;

	if (pk_is_fragment(pk) || !is_known_error(pk) || least > pk->quote || least > pk_l3_len(in))
		return GL_DROP_ICMP_ERROR;
	if (in->src != pk->dst || pk_is_tail(in) || (pk_is_icmp(in) && !pk_asks(in)))
		return GL_DROP_ICMP_ERROR;
	key_of(in, scope, &quoted);
	*key = (struct m_key){ .src = quoted.dst,
			       .dst = quoted.src,
			       .sport = quoted.dport,
			       .dport = quoted.sport,
			       .family = quoted.family,
			       .scope = scope,
			       .proto = quoted.proto };
	w->from_router = pk->src != in->dst;
	return GL_DROP_NONE;
}

/* ---- what comes out ----------------------------------------------------------------------------------------- */

static void deliver(struct m_verdict *ret)
{
	ret->len = pk_build(&ret->pk, ret->bytes);
}

static enum gl_drop dropped(struct m_verdict *ret, enum gl_drop reason)
{
	ret->end = M_DROP;
	ret->reason = reason;
	return reason;
}

enum answer { ANSWER_TTL, ANSWER_TOO_BIG };

static void answer_type(struct pk *pk, enum answer answer, uint16_t mtu)
{
	if (answer == ANSWER_TOO_BIG) {
		pk->type = pk->family == 6 ? 2 : 3;
		pk->code = pk->family == 6 ? 0 : 4;
		pk->mtu = pk->family == 6 && mtu < 1280 ? 1280 : mtu;
	} else {
		pk->type = pk->family == 6 ? 3 : 11;
	}
}

/* An ICMP error to the sender, where one is due (RFC 1122 3.2.2, RFC 1812, RFC 4443). */
static void answer_error(struct way *w, struct m_verdict *ret, enum gl_drop reason, enum answer answer, uint16_t mtu)
{
	const struct pk *pk = w->pk;
	uint16_t quote = pk_head_len(pk) + (pk->proto == IPPROTO_TCP ? 20 : 8), whole = pk_l3_len(pk);

	if (pk->family == 6)
		quote = 40 + GL_EXT_BYTES + 20;
	dropped(ret, reason);
	if (pk_is_tail(pk) || (pk_is_icmp(pk) && pk->type != echo_of(pk) && pk->type != echoed_of(pk)))
		return;
	ret->end = M_SEND;
	ret->out = w->port;
	ret->inner = *pk;
	ret->inner.fix = true;
	ret->pk = (struct pk){ .family = pk->family,
			       .src = pk->dst,
			       .dst = pk->src,
			       .ttl = GATEWAY_TTL,
			       .proto = icmp_proto(pk->family),
			       .inner = &ret->inner,
			       .quote = quote < whole ? quote : whole & ~3 };
	answer_type(&ret->pk, answer, mtu);
	memcpy(ret->pk.dmac, pk->smac, 6);
	memcpy(ret->pk.smac, pk->dmac, 6);
	if (w->port != M_UPLINK)
		ret->pk.src = w->m->def->nets[w->m->def->ports[w->port].net].gw;
	deliver(ret);
}

static void set_ports(struct pk *pk, uint16_t sport, uint16_t dport)
{
	if (pk_is_tail(pk))
		return;
	if (pk->proto == IPPROTO_TCP || pk->proto == IPPROTO_UDP) {
		pk->sport = sport;
		pk->dport = dport;
	} else if (pk_asks(pk)) {
		pk->sport = pk->type == pk_asks(pk) ? sport : dport;
	}
}

static void translate(const struct way *w, struct m_verdict *ret)
{
	const struct m_entry *e = w->leg.entry;

	ret->pk.dst = e->ndst;
	if (!w->leg.related) {
		ret->pk.src = e->nsrc;
		set_ports(&ret->pk, e->nsport, e->ndport);
		return;
	}
	if (!w->from_router)
		ret->pk.src = e->nsrc;
	ret->inner.src = e->ndst;
	ret->inner.dst = e->nsrc;
	set_ports(&ret->inner, e->ndport, e->nsport);
}

/* The uplink's neighbours. */
static enum gl_drop next_hop(const struct way *w, struct m_verdict *ret)
{
	static const uint8_t hop[6] = { 2, 0, 0, 0, 0x0f, 0xfe }, neighbour[6] = { 2, 0, 0, 0, 0x0f, 0x09 };
	const uint32_t dst = ret->pk.dst;

	if (dst >= 0xcb007180 && dst <= 0xcb0071ff)
		return GL_DROP_NO_ROUTE;
	if (dst >> 8 == 0xc00002 && (dst & 0xff) != 254 && (dst & 0xff) != 9) {
		ret->free_macs = true;
		return GL_DROP_NONE;
	}
	memcpy(ret->pk.dmac, dst == 0xc0000209 ? neighbour : hop, 6);
	memcpy(ret->pk.smac, w->m->uplink_mac, 6);
	return GL_DROP_NONE;
}

static void counted(struct m_entry *e, const struct pk *pk)
{
	if (!e)
		return;
	e->packets++;
	e->bytes += pk_l3_len(pk);
	e->idle = 0;
}

/* What a SYN may announce: the least that a network on its way allows. */
static void clamp(const struct way *w, const struct m_entry *e, struct pk *pk)
{
	const uint32_t arrived = w->port == M_UPLINK ? UPLINK_MTU : w->m->def->ports[w->port].mtu;

	if (!e || pk->proto != IPPROTO_TCP || pk_is_tail(pk) || !(pk->flags & F_SYN) || !pk->mss)
		return;
	for (int i = 0; i < 2; i++) {
		uint32_t limit = e->mss[i];

		if (limit == GL_MSS_KEEP)
			continue;
		if (limit == GL_MSS_PATH)
			limit = (arrived < e->mtu ? arrived : e->mtu) - (pk->family == 6 ? 60 : 40);
		if (pk->mss > limit)
			pk->mss = limit;
	}
}

static void forward(struct way *w, struct m_verdict *ret)
{
	struct m_entry *e = w->leg.entry;
	const bool rewrite = e->rewrite || (w->first && w->first->rewrite);
	enum gl_drop reason;

	if (e->routed && w->pk->ttl <= 1)
		return answer_error(w, ret, GL_DROP_TTL_EXPIRED, ANSWER_TTL, 0);
	if (pk_l3_len(w->pk) > e->mtu)
		return answer_error(w, ret, GL_DROP_TOO_BIG, ANSWER_TOO_BIG, e->mtu);
	if (w->leg.related && w->from_router && rewrite && w->port != M_UPLINK)
		return (void)dropped(ret, GL_DROP_ICMP_ERROR);
	ret->end = M_SEND;
	ret->out = e->out;
	ret->pk = *w->pk;
	if (w->pk->inner) {
		ret->inner = *w->pk->inner;
		ret->pk.inner = &ret->inner;
	}
	if (rewrite)
		translate(w, ret);
	memcpy(ret->pk.dmac, e->dmac, 6);
	memcpy(ret->pk.smac, e->smac, 6);
	if (e->to_uplink) {
		memcpy(ret->pk.dmac, w->pk->dmac, 6);
		memcpy(ret->pk.smac, w->pk->smac, 6);
		reason = next_hop(w, ret);
		if (reason)
			return (void)dropped(ret, reason);
	}
	if (e->routed)
		ret->pk.ttl--;
	clamp(w, w->first, &ret->pk);
	clamp(w, e, &ret->pk);
	if (pk_is_head(w->pk)) {
		const struct m_port *in = w->port == M_UPLINK ? NULL : &w->m->def->ports[w->port];

		reason = frag_head(w->m, in ? in->net : M_SCOPE_UPLINK, w->pk, &w->arrived,
				   in ? in->tenant : w->leg.tenant);
		if (reason)
			return (void)dropped(ret, reason);
	}
	if (!w->leg.related) {
		counted(e, w->pk);
		counted(w->first, w->pk);
	}
	deliver(ret);
}

static void answer_echo(struct way *w, struct m_verdict *ret)
{
	const struct pk *pk = w->pk;

	ret->end = M_SEND;
	ret->out = w->port;
	ret->pk = *pk;
	ret->pk.src = pk->dst;
	ret->pk.dst = pk->src;
	ret->pk.ttl = GATEWAY_TTL;
	ret->pk.type = echoed_of(pk);
	memcpy(ret->pk.dmac, pk->smac, 6);
	memcpy(ret->pk.smac, w->m->def->nets[w->m->def->ports[w->port].net].gw_mac, 6);
	deliver(ret);
}

/* ---- the way -------------------------------------------------------------------------------------------------- */

/* A leg by a public address. */
static enum gl_drop leg_public(struct way *w)
{
	enum gl_drop reason = rules_owner(w->m, &w->leg.key, &w->leg.tenant, &w->leg.host);

	if (w->leg.host || reason)
		return w->leg.host ? GL_DROP_NONE : reason;
	w->leg.from_uplink = true;
	w->leg.port = M_UPLINK;
	return leg_run(w->m, &w->leg);
}

/* Headers that contradict themselves, or that a fragment could write over (RFC 1858, 3128). */
static enum gl_drop unreadable(const struct pk *pk)
{
	/* No payload at all would be a jumbogram's sign (RFC 2675). */
	if (pk->family == 6 && pk_l3_len(pk) == 40)
		return GL_DROP_IP_MALFORMED;
	if (!pk_exts_pass(pk))
		return GL_DROP_EXTENSION_HEADERS;
	if (pk_is_tail(pk))
		return pk_part_proto(pk) == IPPROTO_TCP && (pk->frag & 0x1fff) == 1 ? GL_DROP_FRAGMENT_TINY
										    : GL_DROP_NONE;
	if (pk->family == 6 && pk->proto == IPPROTO_UDP && pk->nocheck)
		return GL_DROP_L4_TRUNCATED;
	return pk->proto == IPPROTO_TCP && (pk->flags & F_SYN) && (pk->flags & (F_FIN | F_RST)) ? GL_DROP_L4_TRUNCATED
												: GL_DROP_NONE;
}

static void from_guest(struct way *w, struct m_verdict *ret)
{
	const struct m_port *in = &w->m->def->ports[w->port];
	const struct pk *pk = w->pk;
	enum gl_drop reason = GL_DROP_NONE;
	struct m_key key;

	if (!in->def)
		return (void)dropped(ret, GL_DROP_NOT_CONFIGURED);
	if (memcmp(pk->smac, in->mac, 6))
		return (void)dropped(ret, GL_DROP_SPOOF_MAC);
	if (pk->family == 6 && !w->m->def->nets[in->net].subnet)
		return (void)dropped(ret, GL_DROP_IPV6_OFF);
	if (unreadable(pk))
		return (void)dropped(ret, unreadable(pk));
	if (!rules_may_use(w->m, w->port, pk->src))
		return (void)dropped(ret, GL_DROP_SPOOF_IP);
	if (addr_is_martian(pk->family, pk->dst))
		return (void)dropped(ret, GL_DROP_MARTIAN);
	if (addr_is_multicast(pk->family, pk->dst))
		return (void)dropped(ret, GL_DROP_BROADCAST_FOREIGN);
	key_of(pk, in->net, &key);
	if (pk_is_fragment(pk))
		reason = frag_find(w->m, in->net, pk, &key);
	if (!reason && pk_is_error(pk))
		reason = related_key(w, in->net, &key);
	w->arrived = key;
	if (reason)
		return (void)dropped(ret, reason);
	w->leg = (struct m_leg){ .pk = pk,
				 .key = key,
				 .tenant = in->tenant,
				 .port = w->port,
				 .related = !pk_is_tail(pk) && pk_is_error(pk) };
	reason = leg_run(w->m, &w->leg);
	if (reason)
		return (void)dropped(ret, reason);
	if (w->leg.answered)
		return answer_echo(w, ret);
	if (w->leg.entry->hairpin) {
		w->first = w->leg.entry;
		w->leg.key.src = w->first->nsrc;
		w->leg.key.dst = w->first->ndst;
		w->leg.key.sport = w->first->nsport;
		w->leg.key.dport = w->first->ndport;
		w->leg.key.scope = M_SCOPE_UPLINK;
		w->leg.hairpin = true;
		w->leg.entry = NULL;
		reason = leg_public(w);
		if (!reason && w->leg.host)
			reason = GL_DROP_HOST_ADDRESS;
		if (!reason && (w->leg.entry->hairpin || w->leg.entry->to_uplink))
			reason = GL_DROP_HAIRPIN_LOOP;
		if (reason)
			return (void)dropped(ret, reason);
	}
	forward(w, ret);
}

static void from_uplink(struct way *w, struct m_verdict *ret)
{
	const struct pk *pk = w->pk;
	enum gl_drop reason = GL_DROP_NONE;
	bool unread;

	ret->end = M_PASS;
	if (!rules_is_public(w->m, pk->dst))
		return;
	if (unreadable(pk)) {
		if (!rules_is_host(pk->dst))
			dropped(ret, unreadable(pk));
		return;
	}
	w->leg = (struct m_leg){ .pk = pk, .related = !pk_is_tail(pk) && pk_is_error(pk) };
	key_of(pk, M_SCOPE_UPLINK, &w->leg.key);
	if (pk_is_fragment(pk))
		reason = frag_find(w->m, M_SCOPE_UPLINK, pk, &w->leg.key);
	w->arrived = w->leg.key;
	if (!reason && w->leg.related)
		reason = related_key(w, M_SCOPE_UPLINK, &w->leg.key);
	unread = reason && reason != GL_DROP_FRAGMENT_OVERLAP;
	if (!reason)
		reason = leg_public(w);
	/* What belongs to no flow of ours may be the host's own. */
	if ((unread || w->leg.host || reason == GL_DROP_ICMP_ERROR) && rules_is_host(pk->dst))
		return;
	if (reason)
		return (void)dropped(ret, reason);
	forward(w, ret);
}

void judge(struct m_model *m, unsigned port, const struct pk *pk, struct m_verdict *ret)
{
	struct way w = { .m = m, .port = port, .pk = pk };

	m->complaint[0] = 0;
	m->or_exhausted = false;
	ret->end = M_DROP;
	ret->reason = GL_DROP_NONE;
	ret->free_macs = false;
	ret->len = 0;
	if (port == M_UPLINK)
		from_uplink(&w, ret);
	else
		from_guest(&w, ret);
}
