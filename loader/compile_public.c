/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Whose is each public address and each port of it, and which do networks translate to?
 * Every use of an address (translation, floating, routed, forwarded) is listed and sorted, so that the uses of one
 * address on one uplink stand together and are decided together. Neighbours: compile_nat.c (the ports). */
#include "loader/compile_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct book {
	struct gl_c *c;
	struct gl_c_live_shares live;
	struct gl_c_use *uses;
	size_t count, capacity;
	uint32_t *hosts;
	size_t host_count;
};

static uint32_t host4(const struct gl_prefix *prefix)
{
	uint32_t addr_be;

	memcpy(&addr_be, prefix->bytes, sizeof(addr_be));
	return ntohl(addr_be);
}

static int addr_compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* Every address of the host, on whatever link, in host order. */
static int list_hosts(struct book *p)
{
	const struct gl_facts *facts = p->c->facts;
	size_t count = 0;

	for (size_t i = 0; i < facts->link_count; i++)
		count += facts->links[i].addr_count;
	p->hosts = malloc((count + 1) * sizeof(*p->hosts));
	if (!p->hosts)
		return -ENOMEM;
	for (size_t i = 0; i < facts->link_count; i++)
		for (size_t j = 0; j < facts->links[i].addr_count; j++)
			p->hosts[p->host_count++] = ntohl(facts->links[i].addrs[j].addr_be);
	qsort(p->hosts, p->host_count, sizeof(*p->hosts), addr_compare);
	return 0;
}

static bool is_on_link(const struct gl_link *link, uint32_t addr)
{
	for (size_t i = 0; i < link->addr_count; i++)
		if (link->addrs[i].mask_be && !((ntohl(link->addrs[i].addr_be) ^ addr) & ntohl(link->addrs[i].mask_be)))
			return true;
	return false;
}

/* ---- listing the uses ------------------------------------------------------------------------------------- */

static int use_add(struct book *p, struct gl_c_use use)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 256;
		struct gl_c_use *uses = realloc(p->uses, capacity * sizeof(*uses));

		if (!uses)
			return -ENOMEM;
		p->uses = uses;
		p->capacity = capacity;
	}
	use.order = p->count;
	p->uses[p->count++] = use;
	return 0;
}

static int add_pool(struct book *p, struct gl_c_network *network, uint32_t addr, const struct gl_loc *loc)
{
	struct gl_c_use use = {
		.addr = addr,
		.kind = USE_NAT,
		.uplink = network->uplink,
		.tenant = network->tenant,
		.network = network,
		.loc = loc,
		.given = network->def->nat_port_count,
	};
	size_t i = 0;
	int err;

	for (unsigned k = 0; k < network->pool_count; k++)
		if (network->pool[k].addr_be == htonl(addr))
			return 0;
	do { /* the default range, or each that is given */
		if (network->pool_count == GL_NET_POOL)
			return -E2BIG;
		if (use.given) {
			use.min = network->def->nat_ports[i].first;
			use.max = network->def->nat_ports[i].last;
		}
		use.pool = network->pool_count++;
		network->pool[use.pool].addr_be = htonl(addr);
		err = use_add(p, use);
	} while (++i < network->def->nat_port_count && !err);
	return err;
}

static int list_nat(struct book *p, struct gl_c_network *network)
{
	const struct gl_network *def = network->def;
	const struct gl_loc *loc = def->nat_loc.line ? &def->nat_loc : &def->loc;
	bool any = false;
	int err = 0;

	for (size_t i = 0; i < def->nat_address_count && !err; i++) {
		uint32_t last;

		if (def->nat_addresses[i].first.family != AF_INET)
			continue;
		any = true;
		last = host4(&def->nat_addresses[i].last);
		for (uint32_t addr = host4(&def->nat_addresses[i].first); addr <= last && !err; addr++) {
			err = add_pool(p, network, addr, loc);
			if (addr == UINT32_MAX)
				break;
		}
	}
	if (err == -E2BIG) {
		gl_c_refuse(p->c, *loc, "network %s translates to more than %d addresses, each range of ports counted",
			    network->name, GL_NET_POOL);
		return 0;
	}
	if (err || any)
		return err;
	if (!network->uplink->link->addr_count) {
		gl_c_refuse(
			p->c, *loc,
			"interface %s of uplink %s has no IPv4 address that network %s could translate to: give the "
			"network nat.addresses, or the interface an address",
			network->uplink->link->name, network->uplink->def->name.s, network->name);
		return 0;
	}
	return add_pool(p, network, ntohl(network->uplink->link->addrs[0].addr_be), loc);
}

static int list_port(struct book *p, const struct gl_c_port *port)
{
	struct gl_c_use use = {
		.uplink = port->network->uplink, .tenant = port->tenant, .network = port->network, .port = port
	};
	const struct gl_interface *def = port->def;
	int err = 0;

	if (!use.uplink)
		return 0;
	use.kind = USE_FLOATING;
	for (size_t i = 0; i < def->floating_count && !err; i++) {
		use.addr = host4(&def->floating_ips[i]);
		use.loc = &def->floating_ips[i].loc;
		if (def->floating_ips[i].family != AF_INET)
			continue;
		if (!gl_c_first4(def->addresses, def->address_count))
			gl_c_refuse(p->c, *use.loc, "interface %s has no IPv4 address for a floating IP to lead to",
				    def->tap.s);
		err = use_add(p, use);
	}
	if (port->network->def->mode != GL_MODE_ROUTED)
		return err;
	use.kind = USE_ROUTED;
	for (size_t i = 0; i < def->address_count && !err; i++) {
		use.addr = host4(&def->addresses[i]);
		use.loc = &def->addresses[i].loc;
		if (def->addresses[i].family == AF_INET)
			err = use_add(p, use);
	}
	for (size_t i = 0; i < def->allowed_count && !err; i++) {
		const struct gl_prefix *pair = &def->allowed_address_pairs[i];

		use.addr = host4(pair);
		use.loc = &pair->loc;
		if (pair->family == AF_INET && pair->len == 32)
			err = use_add(p, use);
	}
	return err;
}

/* The interfaces of one guest begin at `first`. */
static int list_forwards(struct book *p, const struct gl_c_port *first, const struct gl_guest *guest)
{
	int err = 0;

	for (size_t i = 0; i < guest->forward_count && !err; i++) {
		const struct gl_port_forward *forward = &guest->forwards[i];
		const struct gl_c_port *port = first;
		struct gl_c_use use = { .kind = USE_FORWARD, .forward = forward, .loc = &forward->loc };

		if (forward->address.family != AF_INET)
			continue;
		if (forward->interface.s)
			while (port < first + guest->interface_count && strcmp(port->def->tap.s, forward->interface.s))
				port++;
		if (port >= first + guest->interface_count) {
			gl_c_refuse(p->c, forward->loc, "guest %s has no interface for this port forward",
				    guest->name.s);
			continue;
		}
		if (port->network->def->mode != GL_MODE_NAT && port->network->def->mode != GL_MODE_ROUTED) {
			gl_c_refuse(p->c, forward->loc, "port forwards need a nat or routed network, %s is %s",
				    port->network->name, gl_mode_name(port->network->def->mode));
			continue;
		}
		if (!gl_c_first4(port->def->addresses, port->def->address_count)) {
			gl_c_refuse(p->c, forward->loc,
				    "interface %s has no IPv4 address for a port forward to lead to", port->def->tap.s);
			continue;
		}
		use.addr = host4(&forward->address);
		use.uplink = port->network->uplink;
		use.tenant = port->tenant;
		use.network = port->network;
		use.port = port;
		err = use_add(p, use);
	}
	return err;
}

static int list_uses(struct book *p)
{
	struct gl_c *c = p->c;
	int err = 0;

	for (size_t i = 0; i < c->network_count && !err; i++)
		if (c->networks[i].def->mode == GL_MODE_NAT)
			err = list_nat(p, &c->networks[i]);
	for (size_t i = 0; i < c->port_count && !err; i++) {
		err = list_port(p, &c->ports[i]);
		if (!err && (!i || c->ports[i - 1].guest != c->ports[i].guest))
			err = list_forwards(p, &c->ports[i], c->ports[i].guest);
	}
	return err;
}

/* ---- one address ------------------------------------------------------------------------------------------ */

/* A floating or routed address is its interface's alone. True when all is well. */
static bool check_owner(struct gl_c *c, const struct gl_c_group *g, const struct gl_c_use *owner)
{
	char text[INET_ADDRSTRLEN];
	const char *what = owner->kind == USE_FLOATING ? "floating IP" : "address of routed interface";
	bool good = true;

	gl_c_text4(g->addr, text);
	if (g->host) {
		gl_c_refuse(c, *owner->loc, "%s is an address of the host itself, and cannot be %s %s as well", text,
			    what, owner->port->def->tap.s);
		good = false;
	}
	for (size_t i = 0; i < g->count; i++) {
		const struct gl_c_use *use = &g->uses[i];

		if (use == owner)
			continue;
		/* Interfaces of one tenant may stand in for each other at a routed address; the first one has it. */
		if (use->kind == USE_ROUTED && owner->kind == USE_ROUTED && use->tenant == owner->tenant)
			continue;
		gl_c_refuse(c, *use->loc, "%s is in use already: %s %s, %s:%u", text, what, owner->port->def->tap.s,
			    owner->loc->file ? owner->loc->file : "", owner->loc->line);
		good = false;
	}
	return good;
}

static int emit_forwards(struct gl_c *c, const struct gl_c_group *g, uint32_t *flags)
{
	int err = 0;

	for (size_t i = 0; i < g->count && !err; i++) {
		const struct gl_c_use *use = &g->uses[i];
		struct gl_forward4_key key = { .addr_be = htonl(g->addr), .uplink = g->uplink->number };
		struct gl_forward4_val val;

		if (use->kind != USE_FORWARD)
			continue;
		if (g->host && use->forward->port)
			err = gl_c_reserve(c, use->forward->port, use->forward->port);
		if (err || !use->port->link)
			continue;
		*flags |= GL_ADDR_F_FORWARD;
		key.port_be = htons(use->forward->port);
		key.proto = use->forward->proto;
		val = (struct gl_forward4_val){
			.tenant = use->tenant->index,
			.slot = use->port->slot,
			.inner_be = gl_c_first4(use->port->def->addresses, use->port->def->address_count),
			.inner_port_be = htons(use->forward->to),
		};
		err = gl_c_emit_once(c, GL_MAP_FORWARD4, use->tenant->index, &key, &val, use->forward->loc);
	}
	return err;
}

static int emit_owned(struct gl_c *c, const struct gl_c_group *g, const struct gl_c_use *owner, uint32_t flags)
{
	struct gl_addr4_key key = { .addr_be = htonl(g->addr), .block = GL_BLOCK_WHOLE, .uplink = g->uplink->number };
	struct gl_addr4_val val = { .flags = flags, .tenant = owner->tenant->index };

	if (!check_owner(c, g, owner))
		return 0;
	/* Of interfaces that stand in for each other, the first that exists. */
	for (const struct gl_c_use *use = owner; use < g->uses + g->count; use++)
		if (use->port->link) {
			val.slot = use->port->slot;
			if (owner->kind == USE_FLOATING)
				val.inner_be = gl_c_first4(use->port->def->addresses, use->port->def->address_count);
			return gl_c_emit(c, GL_MAP_ADDR4, owner->tenant->index, &key, &val);
		}
	return 0;
}

static int compile_group(struct book *p, const struct gl_c_group *g)
{
	struct gl_c *c = p->c;
	struct gl_addr4_key key = { .addr_be = htonl(g->addr), .block = GL_BLOCK_WHOLE, .uplink = g->uplink->number };
	struct gl_addr4_val val = { .slot = GL_NO_SLOT };
	int err;

	if (g->host)
		val.flags |= GL_ADDR_F_HOST;
	else if (is_on_link(g->uplink->link, g->addr))
		val.flags |= GL_ADDR_F_ANSWER;
	for (size_t i = 0; i < g->count; i++)
		if (g->uses[i].kind == USE_FLOATING || g->uses[i].kind == USE_ROUTED)
			return emit_owned(
				c, g, &g->uses[i],
				val.flags | (g->uses[i].kind == USE_FLOATING ? GL_ADDR_F_FLOATING : GL_ADDR_F_ROUTED));

	err = emit_forwards(c, g, &val.flags);
	if (!err && g->nat_count) {
		val.flags |= GL_ADDR_F_NAT;
		err = gl_c_nat(c, &p->live, g);
	}
	if (err || !(val.flags & (GL_ADDR_F_NAT | GL_ADDR_F_FORWARD | GL_ADDR_F_HOST)))
		return err;
	return gl_c_emit(c, GL_MAP_ADDR4, GL_ENTRY_SHARED, &key, &val);
}

static int use_compare(const void *left, const void *right)
{
	const struct gl_c_use *a = left, *b = right;

	if (a->uplink->number != b->uplink->number)
		return a->uplink->number < b->uplink->number ? -1 : 1;
	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == USE_NAT && a->tenant->index != b->tenant->index)
		return a->tenant->index < b->tenant->index ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* The host's own addresses that nothing else uses: guests of the uplink do not reach them. */
static int emit_hosts(const struct book *p, const struct gl_c_uplink *uplink)
{
	size_t use = 0;
	int err = 0;

	while (use < p->count && p->uses[use].uplink->number < uplink->number)
		use++;
	for (size_t i = 0; i < p->host_count && !err; i++) {
		struct gl_addr4_key key = { .addr_be = htonl(p->hosts[i]),
					    .block = GL_BLOCK_WHOLE,
					    .uplink = uplink->number };
		struct gl_addr4_val val = { .flags = GL_ADDR_F_HOST, .slot = GL_NO_SLOT };

		if (i && p->hosts[i] == p->hosts[i - 1])
			continue;
		while (use < p->count && p->uses[use].uplink == uplink && p->uses[use].addr < p->hosts[i])
			use++;
		if (use < p->count && p->uses[use].uplink == uplink && p->uses[use].addr == p->hosts[i])
			continue;
		err = gl_c_emit(p->c, GL_MAP_ADDR4, GL_ENTRY_SHARED, &key, &val);
	}
	return err;
}

/* Without the entries that were not needed, see share_among() in compile_nat.c. */
static void close_pools(struct gl_c *c)
{
	for (size_t i = 0; i < c->network_count; i++) {
		struct gl_c_network *network = &c->networks[i];
		uint8_t kept = 0;

		for (uint8_t k = 0; k < network->pool_count; k++)
			if (network->pool[k].addr_be)
				network->pool[kept++] = network->pool[k];
		memset(&network->pool[kept], 0, (size_t)(network->pool_count - kept) * sizeof(*network->pool));
		network->pool_count = kept;
	}
}

int gl_c_public(struct gl_c *c)
{
	struct book p = { .c = c };
	int err = gl_c_live_shares(c->live, &p.live);

	if (!err)
		err = list_hosts(&p);
	if (!err)
		err = list_uses(&p);
	if (!err && p.count)
		qsort(p.uses, p.count, sizeof(*p.uses), use_compare);
	for (size_t i = 0, j; i < p.count && !err; i = j) {
		struct gl_c_group g = { .uses = &p.uses[i], .addr = p.uses[i].addr, .uplink = p.uses[i].uplink };

		for (j = i; j < p.count && p.uses[j].uplink == g.uplink && p.uses[j].addr == g.addr; j++)
			g.nat_count += p.uses[j].kind == USE_NAT;
		g.count = j - i;
		g.host = bsearch(&g.addr, p.hosts, p.host_count, sizeof(g.addr), addr_compare);
		err = compile_group(&p, &g);
	}
	close_pools(c);
	for (size_t i = 0; i < c->uplink_count && !err; i++)
		err = emit_hosts(&p, &c->uplinks[i]);
	free(p.uses);
	free(p.live.items);
	free(p.hosts);
	return err;
}
