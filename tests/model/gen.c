/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Random sequences: a few conversations that go on in turn, mostly as real ends would hold them, and now and then not
 * at all so. Addresses and ports are few, that they meet. Neighbours: model.h, universe.c (the definitions). */
#include <netinet/in.h>
#include <string.h>

#include "model.h"

static uint64_t state;

void random_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
}

/* splitmix64 */
uint32_t random_below(uint32_t n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

#define PICK(...)                                                                                                      \
	({                                                                                                             \
		const uint32_t picks_[] = { __VA_ARGS__ };                                                             \
		picks_[random_below(sizeof(picks_) / sizeof(*picks_))];                                                \
	})

struct talk {
	struct m_op open; /* as its first end sends */
	int sent[2]; /* the last packet of each end, -1: none */
	uint32_t nxt[2]; /* TCP */
	unsigned phase;
};

struct gen {
	const struct m_def (*both)[2]; /* as in sequence_make() */
	const struct m_def *defs; /* of the family at hand */
	struct m_sequence *seq;
	struct talk talks[6];
	unsigned talk_count;
	int ids;
	uint16_t ip_id;
};

static struct m_op *add(struct gen *g, enum m_op_kind kind)
{
	struct m_op *op = &g->seq->ops[g->seq->count++];

	memset(op, 0, sizeof(*op));
	op->id = ++g->ids;
	op->kind = kind;
	op->port = M_UPLINK;
	op->pk.family = g->defs->family;
	op->pk.ttl = 64;
	op->pk.scale = -1;
	op->xdp = chance(50);
	return op;
}

static bool room(const struct gen *g, unsigned ops)
{
	return g->seq->count + ops < M_OPS;
}

/* ---- who talks to whom ------------------------------------------------------------------------------------------ */

/* Mostly one that has an address of the family. */
static unsigned some_port(const struct gen *g)
{
	unsigned port;

	do {
		port = random_below(M_PORTS);
	} while (!g->defs[0].ports[port].def || (!g->defs[0].ports[port].addr && chance(90)) ||
		 (g->defs[0].nets[g->defs[0].ports[port].net].def->mode == GL_MODE_ISOLATED && chance(60)));
	return port;
}

static unsigned sibling(const struct gen *g, unsigned port, bool same_net)
{
	const struct m_port *p = g->defs[0].ports;
	unsigned other;

	for (int i = 0; i < 50; i++) {
		other = some_port(g);
		if (other != port && p[other].tenant == p[port].tenant && (!same_net || p[other].net == p[port].net))
			return other;
	}
	return port;
}

static uint32_t outside(void)
{
	return PICK(0xc0000209, 0xc6120001, 0xc6120001, 0xc6120002, 0xc6120002);
}

/* A public address of somebody, and a port that means something there. */
static uint32_t public_end(const struct gen *g, uint8_t proto, uint16_t *port)
{
	const struct gl_definition *def = g->defs[0].parsed;
	unsigned n = random_below(M_PORTS);

	*port = PICK(80, 53, 1000, 1001);
	for (unsigned i = 0; i < M_PORTS && chance(60); i++) {
		const struct m_port *p = &g->defs[0].ports[(i + n) % M_PORTS];

		if (!p->def)
			continue;
		if (p->floating)
			return p->floating;
		if (g->defs[0].nets[p->net].def->mode == GL_MODE_ROUTED)
			return p->addr;
	}
	for (size_t t = 0; t < def->tenant_count; t++)
		for (size_t i = 0; i < def->tenants[t].guest_count; i++)
			for (size_t j = 0; j < def->tenants[t].guests[i].forward_count; j++) {
				const struct gl_port_forward *f = &def->tenants[t].guests[i].forwards[j];
				const bool is6 = f->address.family == AF_INET6;

				if (f->proto != proto || is6 != (g->defs[0].family == 6) || chance(40))
					continue;
				*port = f->port;
				return addr_number(g->defs[0].family, f->address.bytes);
			}
	n = random_below(M_NETS);
	for (unsigned i = 0; i < M_NETS; i++) {
		const struct m_net *net = &g->defs[0].nets[(i + n) % M_NETS];

		if (net->def && net->pool_count) {
			*port = net->spans[0].first + random_below(net->spans[0].last - net->spans[0].first + 1);
			return net->pool[random_below(net->pool_count)];
		}
	}
	return outside();
}

/* An allowed address pair of the family, where there is one. */
static void some_pair(const struct gen *g, unsigned port, uint32_t *ret)
{
	const struct gl_interface *def = g->defs[0].ports[port].def;

	const uint32_t first = def->allowed_count ? random_below(def->allowed_count) : 0;

	for (size_t i = 0; i < def->allowed_count; i++) {
		const struct gl_prefix *pair = &def->allowed_address_pairs[(first + i) % def->allowed_count];

		if ((pair->family == AF_INET6) == (g->defs[0].family == 6)) {
			*ret = addr_number(g->defs[0].family, pair->bytes);
			return;
		}
	}
}

static void to_gateway(struct m_op *op)
{
	snprintf(op->to, sizeof(op->to), "gw");
}

static void talk_from_guest(struct gen *g, struct talk *t)
{
	const struct m_port *ports = g->defs[0].ports;
	unsigned port = some_port(g), other;
	struct pk *pk = &t->open.pk;
	uint16_t dport;

	t->open.port = port;
	pk->src = ports[port].addr;
	if (chance(15))
		some_pair(g, port, &pk->src);
	if (chance(3))
		pk->src ^= 1u << random_below(32);
	to_gateway(&t->open);
	switch (random_below(10)) {
	case 0:
	case 1: /* a neighbour by its MAC */
		other = sibling(g, port, true);
		pk->dst = ports[other].addr;
		snprintf(t->open.to, sizeof(t->open.to), "%s", port_name(other));
		break;
	case 2: /* another network of the tenant, or a neighbour by the gateway */
		other = sibling(g, port, chance(30));
		pk->dst = ports[other].addr;
		if (chance(20))
			some_pair(g, other, &pk->dst);
		break;
	case 3:
	case 4: /* hairpin, or another tenant */
		pk->dst = public_end(g, pk->proto, &dport);
		pk->dport = dport;
		break;
	case 5:
		pk->dst = PICK(0xc0000201, 0xc0000263, 0xcb0071c8, g->defs[0].nets[ports[port].net].gw, 0x0a00000b,
			       0x7f000001, 0xe0000001, g->defs[0].nets[ports[port].net].base | 0xff,
			       g->defs[0].nets[ports[port].net].base + 77);
		break;
	default:
		pk->dst = outside();
		break;
	}
	/* To itself, with one tuple both ways, would be one entry. */
	if (pk->dst == pk->src) {
		pk->dst = outside();
		to_gateway(&t->open);
	}
}

/* Among neighbours, and where it leads nowhere. */
static void talk_on_link(struct gen *g, struct talk *t)
{
	const struct m_port *ports = g->defs[0].ports;
	const unsigned port = t->open.port, other = sibling(g, port, chance(80));
	struct pk *pk = &t->open.pk;

	if (chance(20) && ports[port].slaac)
		pk->src = ports[port].slaac;
	else if (chance(75))
		pk->src = ports[port].link;
	switch (random_below(6)) {
	case 0:
		pk->dst = g->defs[0].nets[ports[port].net].link;
		break;
	case 1:
		pk->dst = chance(50) ? outside() : 0xa9fe0105;
		break;
	default:
		pk->dst = chance(60)			     ? ports[other].link
			  : chance(50) && ports[other].slaac ? ports[other].slaac
							     : ports[other].addr;
		break;
	}
	snprintf(t->open.to, sizeof(t->open.to), "%s", chance(70) ? port_name(other) : "gw");
	if (pk->dst == pk->src || !pk->src || !pk->dst)
		pk->dst = outside();
}

static void talk_make(struct gen *g, struct talk *t)
{
	struct pk *pk = &t->open.pk;
	uint16_t dport;

	memset(t, 0, sizeof(*t));
	t->sent[0] = t->sent[1] = -1;
	pk->family = g->defs->family;
	pk->ttl = 64;
	pk->scale = -1;
	pk->proto = PICK(IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, icmp_proto(pk->family));
	if (chance(3))
		pk->proto = PICK(IPPROTO_SCTP, 47, 50);
	pk->sport = PICK(1000, 1001, 1002, 1003, 53, 80);
	pk->dport = PICK(80, 80, 53, 1000);
	if (chance(70)) {
		talk_from_guest(g, t);
		if (pk->family == 6 && chance(12))
			talk_on_link(g, t);
	} else {
		t->open.port = M_UPLINK;
		pk->src = outside();
		if (chance(4))
			pk->src = PICK(0x0a00000b, 0x7f000001, 0xcb00710a, 0xa9fe0105);
		pk->dst = public_end(g, pk->proto, &dport);
		pk->dport = dport;
	}
	if (pk->proto == icmp_proto(pk->family)) {
		pk->type = pk->family == 6 ? (chance(90) ? ECHO6 : ECHOED6) : chance(90) ? ECHO4 : ECHOED4;
		pk->dport = 1;
		if (chance(5))
			pk->type = pk->family == 6 ? PICK(139, 140, 200) : PICK(13, 17, 14, 9, 40);
	}
	t->nxt[0] = chance(20) ? 0xfffffff0 : random_below(1 << 30);
	t->nxt[1] = chance(20) ? 0xffffff80 : random_below(1 << 30);
}

/* Now and then a conversation of the same guest again, to a neighbour of its ports. */
static void talk_like(struct talk *t, const struct talk *other)
{
	*t = *other;
	t->sent[0] = t->sent[1] = -1;
	t->phase = 0;
	t->open.pk.sport += random_below(4);
}

/* ---- what they say ---------------------------------------------------------------------------------------------- */

/* Mostly none; mostly such as may be. */
static void random_exts(char ext[M_EXT + 1])
{
	static const char *const words[] = { "H",    "M",    "D",    "A",	 "F",	  "HD",	    "HAD",
					     "DF",   "HF",   "FD",   "DDD",	 "DA",	  "HA",	    "AF",
					     "HDFA", "DADD", "DDDD", "DDDDDDDD", "AAAAA", "AAAAAA", "R",
					     "DH",   "FF",   "HH",   "HR",	 "FH",	  "DFR",    "DDDDDDDDD" };

	if (chance(6))
		snprintf(ext, M_EXT + 1, "%s", words[random_below(sizeof(words) / sizeof(*words))]);
}

/* The next packet of one end: the opener's as it stands, or an answer to the opener's last. */
static struct m_op *say(struct gen *g, struct talk *t, unsigned end)
{
	struct m_op *op;

	if (end && t->sent[0] >= 0) {
		op = add(g, OP_REPLY);
		op->ref = t->sent[0];
	} else if (!end && t->sent[1] >= 0 && chance(20)) {
		op = add(g, OP_REPLY);
		op->ref = t->sent[1];
	} else {
		int id;
		bool xdp;

		op = add(g, OP_SEND);
		id = op->id;
		xdp = op->xdp;
		*op = t->open;
		op->id = id;
		op->xdp = xdp;
		op->kind = OP_SEND;
		end = 0;
	}
	op->pk.win = PICK(0, 1, 100, 1000, 65535, 65535);
	if (t->open.pk.family == 6)
		random_exts(op->pk.ext);
	if (chance(2))
		op->pk.ttl = PICK(1, 2, 255);
	t->sent[end] = op->id;
	return op;
}

static uint32_t off_by(void)
{
	return PICK(0, 0, 1, -1, 2, 10, -10, 100, 101, 1000, 65535, 65536, -65536, 1 << 20, 1 << 30, -(1 << 30));
}

static void tcp_options(struct m_op *op)
{
	if (chance(50))
		op->pk.mss = PICK(1460, 8960, 536, 500, 1300);
	if (chance(40))
		op->pk.scale = PICK(0, 2, 7, 14);
}

static void tcp_say(struct gen *g, struct talk *t)
{
	unsigned end = t->phase == 1 ? 1 : t->phase == 2 || !t->phase ? 0 : random_below(2);
	const bool sane = chance(80);
	struct m_op *op;

	if (!sane)
		end = random_below(2);
	op = say(g, t, end);
	op->pk.seq = t->nxt[end];
	if (!sane) {
		op->pk.flags = chance(70) ? PICK(F_RST, F_RST, F_RST | F_ACK, F_SYN, F_SYN | F_ACK, F_SYN | F_ACK,
						 F_FIN | F_ACK, F_FIN, F_ACK)
					  : random_below(64);
		op->pk.seq += off_by();
		if (op->pk.flags & F_ACK)
			op->pk.ack = t->nxt[!end] + off_by();
		if (op->pk.flags & F_SYN)
			tcp_options(op);
		if (chance(30))
			op->pk.len = random_below(20);
		return;
	}
	switch (t->phase) {
	case 0:
		op->pk.flags = F_SYN;
		tcp_options(op);
		break;
	case 1:
		op->pk.flags = chance(90) ? F_SYN | F_ACK : F_SYN;
		tcp_options(op);
		break;
	case 2:
		op->pk.flags = F_ACK;
		break;
	default:
		op->pk.flags = F_ACK;
		if (chance(25))
			op->pk.flags |= F_FIN;
		else if (chance(10))
			op->pk.flags = PICK(F_RST, F_RST | F_ACK);
		else
			op->pk.len = random_below(30);
		break;
	}
	if (op->pk.flags & F_ACK)
		op->pk.ack = t->nxt[!end];
	t->nxt[end] += op->pk.len + !!(op->pk.flags & F_SYN) + !!(op->pk.flags & F_FIN);
	t->phase++;
	if (t->phase > 6 && chance(20)) {
		t->phase = 0;
		t->nxt[0] += PICK(1, 1000, 100000);
	}
}

/* One datagram in pieces: mostly all of them in order, else not. */
static void say_in_pieces(struct gen *g, struct talk *t, unsigned end)
{
	const unsigned count = 2 + random_below(3);
	const uint16_t id = g->ip_id + random_below(5);
	const bool odd = chance(50), alone = chance(20);
	char ext[M_EXT + 1] = "";
	unsigned at = 0, size;

	if (t->open.pk.family == 6)
		random_exts(ext);

	for (unsigned i = 0; i < (alone ? 1 : count) && room(g, 2); i++) {
		struct m_op *op = say(g, t, end);
		unsigned where = at;

		size = 8 * (1 + random_below(3));
		op->pk.id = id | (op->pk.family == 6 && chance(30) ? 0x10000 : 0);
		if (op->pk.proto == IPPROTO_TCP && !i) {
			op->pk.flags = F_ACK;
			op->pk.len = size + 4;
			size += 24;
		} else {
			op->pk.len = size;
			if (!i)
				size += 8;
		}
		if (!odd || chance(90))
			memcpy(op->pk.ext, ext, sizeof(ext));
		if (odd && chance(30))
			where = random_below(12) * 8;
		if (odd && !i && chance(30))
			where = 8 + random_below(5) * 8;
		if (where)
			op->pk.len = size;
		op->pk.first = where;
		op->pk.frag = where / 8 | (i + 1 < count || (odd && chance(30)) ? 0x2000 : 0);
		if (!(op->pk.frag & 0x2000) && chance(50))
			op->pk.len -= random_below(8);
		at = where + size + (where ? 0 : pk_behind_len(&op->pk));
	}
}

static void say_error(struct gen *g, struct talk *t)
{
	unsigned about = t->sent[1] >= 0 && chance(50);
	struct m_op *op;

	if (t->sent[about] < 0)
		return;
	op = add(g, OP_ERROR);
	op->ref = t->sent[about];
	op->pk.family = t->open.pk.family;
	op->pk.proto = icmp_proto(op->pk.family);
	if (op->pk.family == 6) {
		op->pk.type = PICK(1, 1, 2, 2, 3, 4, 5, 127);
		op->pk.code = op->pk.type == 1 ? PICK(0, 3, 4) : 0;
	} else {
		op->pk.type = PICK(3, 3, 3, 11, 12, 4, 5);
		op->pk.code = op->pk.type == 3 ? PICK(1, 3, 4) : 0;
	}
	op->pk.mtu = pk_is_too_big(&op->pk) ? 1400 : 0;
	op->pk.quote = PICK(28, 28, 40, 48, 27, 20, 60);
	if (op->pk.family == 6)
		op->pk.quote += chance(90) ? 20 : 0;
	if (chance(50))
		op->from = PICK(0xc6120009, 0xc0000209, 0x0a000009);
	if (chance(20))
		op->shift = PICK(1, -1, 64);
	op->back = chance(5);
}

static void step(struct gen *g, struct talk *t)
{
	unsigned end = t->sent[0] >= 0 && chance(50);
	struct m_op *op;

	if (t->sent[0] >= 0 && chance(8))
		return say_error(g, t);
	if (chance(8) && room(g, 6))
		return say_in_pieces(g, t, end);
	if (t->open.pk.proto == IPPROTO_TCP)
		return tcp_say(g, t);
	op = say(g, t, end);
	op->pk.len = random_below(40);
	if (chance(2))
		op->pk.len = PICK(1000, 1472, 1473, 1480);
	if (t->open.pk.proto == IPPROTO_UDP && chance(op->pk.family == 6 ? 2 : 10))
		op->pk.nocheck = true;
	if (op->kind == OP_REPLY && chance(4))
		op->shift = PICK(1, -1);
}

static void change(struct gen *g)
{
	struct m_op *op;

	switch (random_below(8)) {
	case 0:
	case 1:
	case 2:
	case 3:
		op = add(g, OP_USE);
		op->number = random_below(2);
		break;
	case 4:
	case 5:
		op = add(g, OP_AGE);
		/* No sum of these is a timeout: what is idle for exactly so long may be judged either way. */
		op->number = PICK(7, 14, 35, 63, 245, 301, 602, 7994);
		break;
	case 6:
		add(g, OP_SWEEP);
		break;
	default:
		op = add(g, OP_DELETE);
		op->number = random_below(3);
		op->pk.proto = PICK(IPPROTO_TCP, IPPROTO_UDP, icmp_proto(op->pk.family));
		break;
	}
	g->seq->ops[g->seq->count - 1].xdp = false;
}

void sequence_make(const struct m_def defs[2][2], unsigned families, struct m_sequence *ret)
{
	struct gen g = { .both = defs, .seq = ret, .ip_id = random_below(60000) };
	const unsigned length = chance(60) ? 5 + random_below(15) : 20 + random_below(25);
	const unsigned changes = chance(50) ? 0 : 8;
	const unsigned first = families == M_BOTH ? random_below(2) : families == M_IPV6;
	const bool mixed = families == M_BOTH && chance(15);

	ret->count = 0;
	g.talk_count = 1 + random_below(6);
	for (unsigned i = 0; i < g.talk_count; i++) {
		g.defs = g.both[mixed ? random_below(2) : first];
		if (i && chance(50))
			talk_like(&g.talks[i], &g.talks[random_below(i)]);
		else
			talk_make(&g, &g.talks[i]);
	}
	while (ret->count < length && room(&g, 8)) {
		struct talk *t = &g.talks[random_below(g.talk_count)];

		g.defs = g.both[M_FAMILY(t->open.pk.family)];
		if (chance(changes))
			change(&g);
		else
			step(&g, t);
	}
}
