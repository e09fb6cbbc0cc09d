/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Where does a new flow go, may it, and what does it look like from outside? Read off the definition, with loops over
 * all that there is. Neighbours: model.h, flows.c (asks once per flow), def.c. */
#include <netinet/in.h>
#include <string.h>

#include "model.h"

bool rules_is_host(uint32_t addr)
{
	return addr == M_HOST;
}

bool rules_may_use(const struct m_model *m, unsigned port, uint32_t addr)
{
	const struct gl_interface *def = m->def->ports[port].def;
	const unsigned family = m->def->family;

	if (!def || !addr || !m->def->nets[m->def->ports[port].net].subnet)
		return false;
	if (addr == m->def->ports[port].link || addr == m->def->ports[port].slaac)
		return true;
	for (size_t i = 0; i < def->address_count; i++)
		if (prefix_holds(&def->addresses[i], family, addr))
			return true;
	for (size_t i = 0; i < def->allowed_count; i++)
		if (prefix_holds(&def->allowed_address_pairs[i], family, addr))
			return true;
	return false;
}

/* ---- public addresses ------------------------------------------------------------------------------------- */

/* The interface whose address or floating IP it is; M_UPLINK: nobody's. */
static unsigned owner_of(const struct m_model *m, uint32_t addr, bool *floating)
{
	for (unsigned i = 0; i < M_PORTS; i++) {
		const struct m_port *p = &m->def->ports[i];

		*floating = true;
		if (p->def && p->floating && p->floating == addr)
			return i;
		*floating = false;
		if (p->def && m->def->nets[p->net].def->mode == GL_MODE_ROUTED && rules_may_use(m, i, addr))
			return i;
	}
	return M_UPLINK;
}

/* The forward of a public address and port; *port is its interface. */
static const struct gl_port_forward *forward_of(const struct m_model *m, const struct m_key *key, unsigned *port)
{
	const struct gl_definition *def = m->def->parsed;

	for (size_t t = 0; t < def->tenant_count; t++)
		for (size_t g = 0; g < def->tenants[t].guest_count; g++) {
			const struct gl_guest *guest = &def->tenants[t].guests[g];

			for (size_t i = 0; i < guest->forward_count; i++) {
				const struct gl_port_forward *f = &guest->forwards[i];

				*port = port_number(guest->interfaces[0].tap.s);
				if (f->proto == key->proto && f->port == key->dport &&
				    prefix_holds(&f->address, key->family, key->dst))
					return f;
			}
		}
	return NULL;
}

static bool has_forward(const struct m_model *m, uint32_t addr)
{
	const struct gl_definition *def = m->def->parsed;

	for (size_t t = 0; t < def->tenant_count; t++)
		for (size_t g = 0; g < def->tenants[t].guest_count; g++)
			for (size_t i = 0; i < def->tenants[t].guests[g].forward_count; i++)
				if (prefix_holds(&def->tenants[t].guests[g].forwards[i].address, m->def->family, addr))
					return true;
	return false;
}

/* Does one of the network's ports lie in the same block as this one? Below 0: any port will do. */
static bool in_block(const struct m_net *net, int port)
{
	for (unsigned i = 0; i < net->span_count; i++)
		if (port < 0 || (port >> GL_NAT_BLOCK_SHIFT >= net->spans[i].first >> GL_NAT_BLOCK_SHIFT &&
				 port >> GL_NAT_BLOCK_SHIFT <= net->spans[i].last >> GL_NAT_BLOCK_SHIFT))
			return true;
	return false;
}

/* The tenant that translates to that address; M_TENANTS: nobody. */
static unsigned pool_owner(const struct m_model *m, uint32_t addr, int port)
{
	for (unsigned i = 0; i < M_NETS; i++)
		for (unsigned j = 0; m->def->nets[i].def && j < m->def->nets[i].pool_count; j++)
			if (m->def->nets[i].pool[j] == addr && in_block(&m->def->nets[i], port))
				return m->def->nets[i].tenant;
	return M_TENANTS;
}

bool rules_is_public(const struct m_model *m, uint32_t addr)
{
	bool floating;

	return rules_is_host(addr) || owner_of(m, addr, &floating) != M_UPLINK || has_forward(m, addr) ||
	       pool_owner(m, addr, -1) != M_TENANTS;
}

/* Whose flow table is asked about a packet to a public address? */
enum gl_drop rules_owner(const struct m_model *m, const struct m_key *key, unsigned *tenant, bool *host)
{
	bool floating;
	unsigned port = owner_of(m, key->dst, &floating);

	*host = false;
	if (port == M_UPLINK && !forward_of(m, key, &port)) {
		*tenant = M_TENANTS;
		if (key->proto == IPPROTO_TCP || key->proto == IPPROTO_UDP || key->proto == icmp_proto(key->family))
			*tenant = pool_owner(m, key->dst, key->dport);
		*host = rules_is_host(key->dst) && *tenant == M_TENANTS;
		return *tenant == M_TENANTS ? GL_DROP_NO_FLOW : GL_DROP_NONE;
	}
	*tenant = m->def->ports[port].tenant;
	return GL_DROP_NONE;
}

/* ---- routes ----------------------------------------------------------------------------------------------- */

static enum gl_drop go_to_port(const struct m_model *m, struct m_opening *o, unsigned port, bool routed)
{
	const struct m_port *p = &m->def->ports[port];

	o->target = port;
	o->val.out = port;
	o->val.mtu = p->mtu;
	o->val.routed = routed;
	o->val.peer_scope = p->net;
	memcpy(o->val.dmac, p->mac, 6);
	memcpy(o->val.smac, routed ? m->def->nets[p->net].gw_mac : o->smac, 6);
	return GL_DROP_NONE;
}

static bool in_subnet(const struct m_net *net, const struct m_key *key, uint32_t addr)
{
	return net->subnet && prefix_holds(net->subnet, key->family, addr);
}

/* A network's gateway and broadcast address. GL_DROP_COUNT: neither. */
static enum gl_drop own_addresses(struct m_opening *o, const struct m_net *net)
{
	if (net->subnet && (o->key.dst == net->gw || (net->link && o->key.dst == net->link))) {
		o->answered = o->echo && !o->frag;
		return o->answered ? GL_DROP_NONE : GL_DROP_GATEWAY_PROTOCOL;
	}
	if (!in_subnet(net, &o->key, o->key.dst) || o->key.family == 6)
		return GL_DROP_COUNT;
	return o->key.dst == (net->base | ~0u >> net->subnet->len) ? GL_DROP_BROADCAST_FOREIGN : GL_DROP_COUNT;
}

static unsigned holder(const struct m_model *m, unsigned net, uint32_t addr)
{
	for (unsigned i = 0; i < M_PORTS; i++) {
		const struct m_port *p = &m->def->ports[i];

		if (!p->def || p->net != net)
			continue;
		if (addr && (p->link == addr || p->slaac == addr))
			return i;
		for (size_t j = 0; j < p->def->address_count; j++)
			if (prefix_holds(&p->def->addresses[j], m->def->family, addr))
				return i;
	}
	return M_UPLINK;
}

static bool is_joined(const struct m_net *net)
{
	return net->def && (net->def->mode == GL_MODE_NAT || net->def->mode == GL_MODE_ROUTED);
}

/* The interface of the tenant's joined networks that has it among its allowed address pairs. */
static unsigned pair_holder(const struct m_model *m, unsigned tenant, uint32_t addr)
{
	for (unsigned i = 0; i < M_PORTS; i++) {
		const struct m_port *p = &m->def->ports[i];

		if (!p->def || p->tenant != tenant || !is_joined(&m->def->nets[p->net]))
			continue;
		for (size_t j = 0; j < p->def->allowed_count; j++)
			if (prefix_holds(&p->def->allowed_address_pairs[j], m->def->family, addr))
				return i;
	}
	return M_UPLINK;
}

static enum gl_drop route_by_gateway(const struct m_model *m, struct m_opening *o)
{
	const struct m_port *in = &m->def->ports[o->port];
	enum gl_drop reason = own_addresses(o, &m->def->nets[in->net]);
	unsigned port = holder(m, in->net, o->key.dst);

	if (reason != GL_DROP_COUNT)
		return reason;
	/* Routers leave them where they are (RFC 4291 2.5.6). */
	if (addr_is_link(o->key.family, o->key.dst))
		return GL_DROP_UNKNOWN_HOST;
	if (addr_is_link(o->key.family, o->key.src))
		return GL_DROP_MARTIAN;
	if (port != M_UPLINK)
		return go_to_port(m, o, port, true);
	if (m->def->nets[in->net].def->mode == GL_MODE_ISOLATED)
		return GL_DROP_ISOLATED;
	port = pair_holder(m, in->tenant, o->key.dst);
	if (port != M_UPLINK)
		return go_to_port(m, o, port, true);
	for (unsigned i = 0; i < M_NETS; i++) {
		const struct m_net *net = &m->def->nets[i];

		if (!is_joined(net) || net->tenant != in->tenant || !in_subnet(net, &o->key, o->key.dst))
			continue;
		port = holder(m, i, o->key.dst);
		if (port != M_UPLINK)
			return go_to_port(m, o, port, true);
		reason = own_addresses(o, net);
		return reason == GL_DROP_COUNT ? GL_DROP_UNKNOWN_HOST : reason;
	}
	o->target = o->val.out = M_UPLINK;
	o->val.mtu = 1500;
	o->val.routed = true;
	o->val.peer_scope = M_SCOPE_UPLINK;
	o->val.hairpin = rules_is_public(m, o->key.dst);
	o->val.to_uplink = !o->val.hairpin;
	return GL_DROP_NONE;
}

static bool is_martian(unsigned family, uint32_t addr)
{
	return addr_is_martian(family, addr) || addr_is_multicast(family, addr) || addr_is_link(family, addr);
}

static enum gl_drop route_from_uplink(const struct m_model *m, struct m_opening *o)
{
	const struct gl_port_forward *forward;
	enum gl_drop reason;
	bool floating;
	unsigned port = owner_of(m, o->key.dst, &floating);

	if (port != M_UPLINK) {
		reason = go_to_port(m, o, port, true);
		if (floating) {
			o->val.ndst = m->def->ports[port].addr;
			o->asked_for = o->val.rewrite = true;
		}
	} else if ((forward = forward_of(m, &o->key, &port))) {
		reason = go_to_port(m, o, port, true);
		o->val.ndst = m->def->ports[port].addr;
		o->val.ndport = forward->to;
		o->asked_for = o->val.rewrite = true;
	} else if (rules_is_host(o->key.dst)) {
		o->host = true;
		return GL_DROP_NONE;
	} else {
		return GL_DROP_NO_FLOW;
	}
	if (reason || o->hairpin)
		return reason;
	if (is_martian(o->key.family, o->key.src) || rules_is_public(m, o->key.src) ||
	    pair_holder(m, o->tenant, o->key.src) != M_UPLINK)
		return GL_DROP_MARTIAN;
	for (unsigned i = 0; i < M_NETS; i++) {
		const struct m_net *net = &m->def->nets[i];

		if (is_joined(net) && net->tenant == o->tenant && in_subnet(net, &o->key, o->key.src))
			return GL_DROP_MARTIAN;
	}
	return GL_DROP_NONE;
}

enum gl_drop rules_route(const struct m_model *m, struct m_opening *o)
{
	const struct m_port *in;

	if (o->from_uplink)
		return route_from_uplink(m, o);
	in = &m->def->ports[o->port];
	if (!memcmp(o->dmac, m->def->nets[in->net].gw_mac, 6))
		return route_by_gateway(m, o);
	for (unsigned i = 0; i < M_PORTS; i++)
		if (m->def->ports[i].def && m->def->ports[i].net == in->net &&
		    !memcmp(o->dmac, m->def->ports[i].mac, 6))
			return go_to_port(m, o, i, false);
	return GL_DROP_UNKNOWN_MAC;
}

/* ---- security groups -------------------------------------------------------------------------------------- */

struct ask {
	uint8_t family, proto;
	uint16_t port;
	uint32_t remote; /* address */
	unsigned remote_port; /* interface reached directly, or M_UPLINK */
};

static bool is_member(const struct m_model *m, unsigned port, const char *group)
{
	const struct gl_interface *def = port == M_UPLINK ? NULL : m->def->ports[port].def;

	for (size_t i = 0; def && i < def->group_count; i++)
		if (!strcmp(def->groups[i].s, group))
			return true;
	return false;
}

static bool rule_admits(const struct m_model *m, const struct gl_rule *rule, const struct ask *ask)
{
	bool port = !rule->port_count;

	if (!rule->any_proto && rule->proto != ask->proto)
		return false;
	for (size_t i = 0; i < rule->port_count; i++)
		if (ask->port >= rule->ports[i].first && ask->port <= rule->ports[i].last)
			port = true;
	if (!port)
		return false;
	if (rule->remote_ip.family)
		return prefix_holds(&rule->remote_ip, ask->family, ask->remote);
	return !rule->remote_group.s || is_member(m, ask->remote_port, rule->remote_group.s);
}

/* The rules that admit it, M_ADMIT() of each; 0: none does. */
static uint64_t groups_admit(const struct m_model *m, unsigned port, enum gl_direction dir, const struct ask *ask)
{
	const struct m_port *p = &m->def->ports[port];
	const struct gl_tenant *tenant = m->def->tenants[p->tenant];
	uint64_t ret = 0;

	for (size_t i = 0; i < tenant->group_count; i++) {
		const struct gl_group *group = &tenant->groups[i];

		if (!is_member(m, port, group->name.s))
			continue;
		if (dir == GL_EGRESS && !group->egress_given)
			ret |= M_ADMIT(i, M_ADMIT_ALL);
		for (size_t j = 0; j < group->rule_count[dir] && j < M_ADMIT_ALL; j++)
			if (rule_admits(m, &group->rules[dir][j], ask))
				ret |= M_ADMIT(i, j);
	}
	return ret;
}

static enum gl_drop ask_groups(const struct m_model *m, struct m_opening *o, unsigned port, enum gl_direction dir,
			       const struct ask *ask)
{
	uint64_t admits = groups_admit(m, port, dir, ask);

	o->val.admits[dir] = admits;
	o->val.how[dir] = GL_ADMIT_RULE;
	for (unsigned i = 0; i < M_ADMIT_GROUPS; i++)
		if (admits & M_ADMIT(i, M_ADMIT_ALL))
			o->val.how[dir] = GL_ADMIT_ALL;
	return admits ? GL_DROP_NONE : dir == GL_EGRESS ? GL_DROP_GROUP_EGRESS : GL_DROP_GROUP_INGRESS;
}

/* Both ends are asked. The remote end of a rule is as the guest sees it: before its own translation. */
enum gl_drop rules_policy(const struct m_model *m, struct m_opening *o)
{
	const bool icmp = o->key.proto == icmp_proto(o->key.family);
	const bool direct = !o->from_uplink && o->target != M_UPLINK;
	const struct gl_interface *in = o->from_uplink ? NULL : m->def->ports[o->port].def;
	const struct m_port *target = o->target == M_UPLINK ? NULL : &m->def->ports[o->target];
	struct ask ask = { .family = o->key.family, .proto = o->key.proto };
	enum gl_drop reason;

	if (o->key.proto == IPPROTO_TCP || o->key.proto == IPPROTO_UDP || o->key.proto == IPPROTO_SCTP || icmp)
		ask.port = o->key.dport;
	if (in)
		o->val.how[GL_EGRESS] = GL_ADMIT_OPEN;
	if (in && in->group_count) {
		ask.remote = o->key.dst;
		ask.remote_port = direct ? o->target : M_UPLINK;
		reason = ask_groups(m, o, o->port, GL_EGRESS, &ask);
		if (reason)
			return reason;
	}
	if (!target || o->answered)
		return GL_DROP_NONE;
	if (target->def->group_count) {
		ask.remote = o->key.src;
		ask.remote_port = direct ? o->port : M_UPLINK;
		if (!icmp)
			ask.port = o->val.ndport;
		return ask_groups(m, o, o->target, GL_INGRESS, &ask);
	}
	if (o->asked_for)
		o->val.how[GL_INGRESS] = GL_ADMIT_PUBLIC;
	else if (direct && m->def->ports[o->port].net == target->net)
		o->val.how[GL_INGRESS] = GL_ADMIT_NETWORK;
	else if (m->def->nets[target->net].def->open_to >= (o->from_uplink ? GL_OPEN_ANYWHERE : GL_OPEN_TENANT))
		o->val.how[GL_INGRESS] = GL_ADMIT_OPEN;
	else
		return GL_DROP_POLICY;
	return GL_DROP_NONE;
}

/* ---- translation ------------------------------------------------------------------------------------------ */

static bool in_pool(const struct m_net *net, uint32_t addr, uint16_t port)
{
	for (unsigned i = 0; i < net->pool_count; i++)
		for (unsigned j = 0; net->pool[i] == addr && j < net->span_count; j++)
			if (port >= net->spans[j].first && port <= net->spans[j].last)
				return true;
	return false;
}

static struct m_key mapped_key(const struct m_opening *o, uint32_t addr, uint16_t port)
{
	return (struct m_key){ .dst = addr,
			       .dport = port,
			       .family = o->key.family,
			       .scope = M_SCOPE_UPLINK,
			       .proto = o->key.proto,
			       .kind = GL_FLOW_MAPPED };
}

static struct m_key mapping_key(const struct m_opening *o)
{
	return (struct m_key){ .src = o->key.src,
			       .sport = o->key.sport,
			       .family = o->key.family,
			       .scope = o->key.scope,
			       .proto = o->key.proto,
			       .kind = GL_FLOW_MAPPING };
}

static struct m_key answers_key(const struct m_opening *o, uint32_t addr, uint16_t port)
{
	return (struct m_key){ .src = o->key.dst,
			       .dst = addr,
			       .sport = o->key.dport,
			       .dport = port,
			       .family = o->key.family,
			       .scope = M_SCOPE_UPLINK,
			       .proto = o->key.proto };
}

/* Is that public end taken, by a mapping or as far as answers from the flow's destination go? */
static bool is_taken(struct m_model *m, const struct m_opening *o, uint32_t addr, uint16_t port)
{
	const struct m_key mapped = mapped_key(o, addr, port), answers = answers_key(o, addr, port);

	return flow_find_key(m->state, o->tenant, &mapped) || flow_find_key(m->state, o->tenant, &answers);
}

static unsigned free_ports(struct m_model *m, const struct m_opening *o, uint32_t addr, int parity)
{
	const struct m_net *net = &m->def->nets[m->def->ports[o->port].net];
	unsigned n = 0;

	for (unsigned j = 0; j < net->span_count; j++)
		for (unsigned port = net->spans[j].first; port <= net->spans[j].last; port++)
			n += (parity < 0 || (int)(port & 1) == parity) && !is_taken(m, o, addr, port);
	return n;
}

/* RFC 4787 REQ-2: one guest, one public address, while it has flows. Those of another definition, with another pool,
 * keep what they have. */
static bool address_of_guest(struct m_model *m, const struct m_opening *o, uint32_t *addr)
{
	const struct m_net *net = &m->def->nets[m->def->ports[o->port].net];

	for (unsigned i = 0; i < m->state->top; i++) {
		const struct m_entry *e = &m->state->entries[i];

		if (e->used && e->tenant == o->tenant && !e->reply && e->rewrite && e->chosen == m->def &&
		    (e->to_uplink || e->hairpin) && e->key.family == o->key.family && e->key.scope == o->key.scope &&
		    e->key.src == o->key.src)
			for (unsigned j = 0; j < net->pool_count; j++)
				if (net->pool[j] == e->nsrc) {
					*addr = e->nsrc;
					return true;
				}
	}
	return false;
}

#define BAD(...) snprintf(m->complaint, sizeof(m->complaint), __VA_ARGS__)

/* The program's choice is taken over after a look at all that it may not be. */
static enum gl_drop choose_port(struct m_model *m, struct m_opening *o, bool mapping)
{
	const struct m_net *net = &m->def->nets[m->def->ports[o->port].net];
	const struct m_key ask = mapping ? mapping_key(o) : o->key;
	const size_t used = flow_used(m->state, o->tenant, o->key.family), capacity = flow_capacity(m, o->tenant);
	const bool own = flow_find_key(m->state, o->tenant, &o->key);
	uint32_t addr, bound = 0;
	uint16_t port;
	bool known = address_of_guest(m, o, &bound), some = false, none = false;

	for (unsigned i = 0; i < net->pool_count; i++) {
		if (known && net->pool[i] != bound)
			continue;
		*(free_ports(m, o, net->pool[i], -1) ? &some : &none) = true;
	}
	/* Which address a guest gets is the program's choice, and so may be which of two shares is said to be used up.
	 */
	if (some && used + (mapping ? 3 : 2 - own) > capacity) {
		m->or_exhausted = none;
		return GL_DROP_FLOW_TABLE_FULL;
	}
	if (!m->oracle->chosen(o->tenant, &ask, &addr, &port)) {
		if (!none)
			BAD("no port for %u, while %u are free", o->key.sport,
			    free_ports(m, o, known ? bound : net->pool[0], -1));
		return GL_DROP_NAT_EXHAUSTED;
	}
	o->val.chosen = m->def;
	o->val.nsrc = addr;
	o->val.nsport = port;
	if (!in_pool(net, addr, port))
		BAD("port %u of %08x is not the network's", port, addr);
	else if (known && addr != bound)
		BAD("address %08x, while the guest's other flows have %08x", addr, bound);
	else if (is_taken(m, o, addr, port))
		BAD("port %u of %08x is taken towards this destination", port, addr);
	else if (((port ^ o->key.sport) & 1) && free_ports(m, o, addr, o->key.sport & 1))
		BAD("port %u for %u, while one of the same parity is free", port, o->key.sport);
	return GL_DROP_NONE;
}

/* RFC 4787 4.1: one public end for a guest's address and port, whatever the destination. */
static enum gl_drop source_mapped(struct m_model *m, struct m_opening *o)
{
	const struct m_net *net = &m->def->nets[m->def->ports[o->port].net];
	struct m_key key = mapping_key(o), answers, second;
	struct m_entry *e = flow_find_key(m->state, o->tenant, &key), *other;
	enum gl_drop reason;

	o->val.mapped = true;
	if (e && (e->in != o->port || !in_pool(net, e->nsrc, e->nsport))) {
		mapping_remove(m->state, e);
		e = NULL;
	}
	if (!e) {
		reason = choose_port(m, o, true);
		if (reason)
			return reason;
		second = mapped_key(o, o->val.nsrc, o->val.nsport);
		e = flow_entry(m, o->tenant, &key);
		other = flow_entry(m, o->tenant, &second);
		e->chosen = o->val.chosen;
		e->in = other->in = o->port;
		e->nsrc = other->nsrc = o->val.nsrc;
		e->nsport = other->nsport = o->val.nsport;
		e->ndst = other->ndst = o->key.src;
		e->ndport = other->ndport = o->key.sport;
		return GL_DROP_NONE;
	}
	e->idle = 0;
	o->val.chosen = e->chosen;
	o->val.nsrc = e->nsrc;
	o->val.nsport = e->nsport;
	/* Only answers to the flow itself may go by this end already. */
	answers = answers_key(o, e->nsrc, e->nsport);
	other = flow_find_key(m->state, o->tenant, &answers);
	return other && (other->ndst != o->key.src || other->ndport != o->key.sport ||
			 other->peer_scope != o->key.scope)
		       ? GL_DROP_NAT_EXHAUSTED
		       : GL_DROP_NONE;
}

enum gl_drop rules_source(struct m_model *m, struct m_opening *o, const struct m_entry *old)
{
	const struct m_port *in = &m->def->ports[o->port];
	const struct m_net *net = &m->def->nets[in->net];
	const struct pk icmp = { .family = o->key.family, .proto = o->key.proto, .type = o->key.dport >> 8 };
	const bool query = !(o->key.dport & 0xff) && icmp.type && pk_asks(&icmp) == icmp.type;
	const bool ports = o->key.proto == IPPROTO_TCP || o->key.proto == IPPROTO_UDP;
	const bool mapping = ports && net->def->endpoint_independent;

	if (net->def->mode != GL_MODE_NAT)
		return GL_DROP_NONE;
	o->val.rewrite = true;
	if (in->floating && o->key.src == in->addr) {
		o->val.nsrc = in->floating;
		return GL_DROP_NONE;
	}
	if (!ports && !query)
		return GL_DROP_NAT_PROTOCOL;
	if (old && old->rewrite && !(mapping && old->mapped) && in_pool(net, old->nsrc, old->nsport)) {
		o->val.nsrc = old->nsrc;
		o->val.nsport = old->nsport;
		o->val.chosen = old->chosen;
		return GL_DROP_NONE;
	}
	return mapping ? source_mapped(m, o) : choose_port(m, o, false);
}
