/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Whose is each public address and each port of it, and which do networks translate to?
 * Every use of an address (translation, floating, routed, forwarded) is listed and sorted, so that the uses of one
 * address on one uplink stand together and are decided together. Neighbours: compile_nat.c (the ports). */
#include "loader/compile_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct book {
	struct gl_c *c;
	struct gl_c_live_shares live;
	struct gl_c_use *uses;
	size_t count, capacity;
	struct gl_prefix *hosts;
	size_t host_count;
};

static int addr_compare(const void *left, const void *right)
{
	return gl_prefix_compare(left, right);
}

/* Every address of the host, on whatever link. Link-local ones mean something on their own link alone, see
 * emit_hosts(). */
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
			if (!gl_prefix_link_local(&facts->links[i].addrs[j].addr))
				p->hosts[p->host_count++] = gl_prefix_address(&facts->links[i].addrs[j].addr);
	qsort(p->hosts, p->host_count, sizeof(*p->hosts), addr_compare);
	return 0;
}

static bool is_on_link(const struct gl_link *link, const struct gl_prefix *addr)
{
	for (size_t i = 0; i < link->addr_count; i++)
		if (link->addrs[i].addr.len && gl_prefix_contains(&link->addrs[i].addr, addr))
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

static int add_pool(struct book *p, struct gl_c_network *network, const struct gl_prefix *addr,
		    const struct gl_loc *loc)
{
	const unsigned family = gl_family_index(addr->family);
	struct gl_pool_range *pool = network->pool[family];
	uint8_t *pool_count = &network->pool_count[family];
	struct gl_c_use use = {
		.addr = gl_prefix_address(addr),
		.kind = USE_NAT,
		.uplink = network->uplink,
		.tenant = network->tenant,
		.network = network,
		.loc = loc,
		.given = network->def->nat_port_count,
	};
	size_t i = 0;
	int err;

	for (unsigned k = 0; k < *pool_count; k++)
		if (!gl_prefix_compare(&pool[k].addr, &use.addr))
			return 0;
	do { /* the default range, or each that is given */
		if (*pool_count == GL_NET_POOL)
			return -E2BIG;
		if (use.given) {
			use.min = network->def->nat_ports[i].first;
			use.max = network->def->nat_ports[i].last;
		}
		use.pool = (*pool_count)++;
		pool[use.pool].addr = use.addr;
		err = use_add(p, use);
	} while (++i < network->def->nat_port_count && !err);
	return err;
}

/* Where the definition names none: the uplink's own address, if the network has subnets of the family. An uplink
 * without IPv6 is a matter of the packets, as it may get some later. */
static int add_own(struct book *p, struct gl_c_network *network, uint8_t family, const struct gl_loc *loc)
{
	const struct gl_network *def = network->def;
	const struct gl_link *link = network->uplink->link;

	if (family == AF_INET6 ? !network->ipv6
			       : network->ipv6 && !gl_prefix_first(def->subnets, def->subnet_count, family))
		return 0;
	for (size_t i = 0; i < link->addr_count; i++)
		if (link->addrs[i].addr.family == family && !link->addrs[i].passing)
			return add_pool(p, network, &link->addrs[i].addr, loc);
	if (family == AF_INET)
		gl_c_refuse(
			p->c, *loc,
			"interface %s of uplink %s has no IPv4 address that network %s could translate to: give the "
			"network nat.addresses, or the interface an address",
			link->name, network->uplink->def->name.s, network->name);
	return 0;
}

static int list_nat(struct book *p, struct gl_c_network *network)
{
	const struct gl_network *def = network->def;
	const struct gl_loc *loc = def->nat_loc.line ? &def->nat_loc : &def->loc;
	int err = 0;

	for (size_t i = 0; i < def->nat_address_count && !err; i++) {
		const struct gl_range *range = &def->nat_addresses[i];
		struct gl_prefix addr = gl_prefix_address(&range->first), last = gl_prefix_address(&range->last);

		do
			err = gl_prefix_compare(&addr, &last) <= 0 ? add_pool(p, network, &addr, loc) : 0;
		while (!err && gl_prefix_compare(&addr, &last) < 0 && gl_prefix_next(&addr));
	}
	if (err == -E2BIG) {
		gl_c_refuse(p->c, *loc, "network %s translates to more than %d addresses, each range of ports counted",
			    network->name, GL_NET_POOL);
		return 0;
	}
	for (unsigned family = 0; family < GL_FAMILIES && !err; family++)
		if (!network->pool_count[family])
			err = add_own(p, network, gl_family_at(family), loc);
	return err;
}

/* Where floating addresses and forwards lead: the interface's first address of the family, or NULL. */
static const struct gl_prefix *leads_to(const struct gl_c_port *port, uint8_t family)
{
	return gl_prefix_first(port->addresses, port->address_count, family);
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
		use.addr = gl_prefix_address(&def->floating_ips[i]);
		use.loc = &def->floating_ips[i].loc;
		if (!leads_to(port, use.addr.family))
			gl_c_refuse(p->c, *use.loc, "interface %s has no %s address for a floating IP to lead to",
				    def->tap.s, gl_family_text(use.addr.family));
		err = use_add(p, use);
	}
	if (port->network->def->mode != GL_MODE_ROUTED)
		return err;
	use.kind = USE_ROUTED;
	for (size_t i = 0; i < port->address_count && !err; i++) {
		use.addr = gl_prefix_address(&port->addresses[i]);
		use.loc = &port->addresses[i].loc;
		err = use_add(p, use);
	}
	for (size_t i = 0; i < def->allowed_count && !err; i++) {
		const struct gl_prefix *pair = &def->allowed_address_pairs[i];

		use.addr = *pair;
		use.loc = &pair->loc;
		if (pair->len == gl_family_bits(pair->family) && !gl_prefix_link_local(pair))
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
		use.addr = gl_prefix_address(&forward->address);
		if (!leads_to(port, use.addr.family)) {
			gl_c_refuse(p->c, forward->loc, "interface %s has no %s address for a port forward to lead to",
				    port->def->tap.s, gl_family_text(use.addr.family));
			continue;
		}
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
	char text[50];
	const char *what = owner->kind == USE_FLOATING ? "floating IP" : "address of routed interface";
	bool good = true;

	gl_prefix_format(&g->addr, text);
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
		struct gl_forwarded forwarded;

		if (use->kind != USE_FORWARD)
			continue;
		if (g->host && use->forward->port)
			err = gl_c_reserve(c, use->forward->port, use->forward->port);
		if (err || !use->port->link)
			continue;
		*flags |= GL_ADDR_F_FORWARD;
		forwarded = (struct gl_forwarded){
			.addr = g->addr,
			.port = use->forward->port,
			.proto = use->forward->proto,
			.uplink = g->uplink->number,
			.tenant = use->tenant->index,
			.slot = use->port->slot,
			.inner = *leads_to(use->port, g->addr.family),
			.inner_port = use->forward->to,
		};
		err = gl_c_emit_ip_once(c, use->tenant->index, gl_forwarded_entry(&forwarded), use->forward->loc);
	}
	return err;
}

/* The entry of an address itself, which is nobody's yet. */
static struct gl_public whole(const struct gl_prefix *addr, const struct gl_c_uplink *uplink, uint32_t flags)
{
	return (struct gl_public){
		.addr = *addr, .block = GL_BLOCK_WHOLE, .uplink = uplink->number, .flags = flags, .slot = GL_NO_SLOT
	};
}

static int emit_owned(struct gl_c *c, const struct gl_c_group *g, const struct gl_c_use *owner, uint32_t flags)
{
	struct gl_public open = whole(&g->addr, g->uplink, flags);

	if (!check_owner(c, g, owner))
		return 0;
	/* Of interfaces that stand in for each other, the first that exists. */
	for (const struct gl_c_use *use = owner; use < g->uses + g->count; use++)
		if (use->port->link) {
			const struct gl_prefix *inner = leads_to(use->port, g->addr.family);

			open.tenant = owner->tenant->index;
			open.slot = use->port->slot;
			if (owner->kind == USE_FLOATING && inner)
				open.inner = *inner;
			return gl_c_emit_ip(c, owner->tenant->index, gl_public_entry(&open));
		}
	return 0;
}

static int compile_group(struct book *p, const struct gl_c_group *g)
{
	struct gl_c *c = p->c;
	struct gl_public open = whole(&g->addr, g->uplink, 0);
	int err;

	if (g->host)
		open.flags |= GL_ADDR_F_HOST;
	else if (is_on_link(g->uplink->link, &g->addr))
		open.flags |= GL_ADDR_F_ANSWER;
	if (open.flags & GL_ADDR_F_ANSWER) {
		err = gl_c_take_solicited(c, g->uplink, &g->addr);
		if (err)
			return err;
	}
	for (size_t i = 0; i < g->count; i++)
		if (g->uses[i].kind == USE_FLOATING || g->uses[i].kind == USE_ROUTED)
			return emit_owned(
				c, g, &g->uses[i],
				open.flags | (g->uses[i].kind == USE_FLOATING ? GL_ADDR_F_FLOATING : GL_ADDR_F_ROUTED));

	err = emit_forwards(c, g, &open.flags);
	if (!err && g->nat_count) {
		open.flags |= GL_ADDR_F_NAT;
		err = gl_c_nat(c, &p->live, g);
	}
	if (err || !(open.flags & (GL_ADDR_F_NAT | GL_ADDR_F_FORWARD | GL_ADDR_F_HOST)))
		return err;
	return gl_c_emit_ip(c, GL_ENTRY_SHARED, gl_public_entry(&open));
}

static int use_compare(const void *left, const void *right)
{
	const struct gl_c_use *a = left, *b = right;
	int order;

	if (a->uplink->number != b->uplink->number)
		return a->uplink->number < b->uplink->number ? -1 : 1;
	order = gl_prefix_compare(&a->addr, &b->addr);
	if (order)
		return order;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == USE_NAT && a->tenant->index != b->tenant->index)
		return a->tenant->index < b->tenant->index ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int emit_host(struct gl_c *c, const struct gl_prefix *addr, const struct gl_c_uplink *uplink)
{
	const struct gl_public open = whole(addr, uplink, GL_ADDR_F_HOST);

	return gl_c_emit_ip(c, GL_ENTRY_SHARED, gl_public_entry(&open));
}

/* The host's own addresses that nothing else uses: guests of the uplink do not reach them. What is link-local is met on
 * the uplink's own link, by bridged guests. */
static int emit_hosts(const struct book *p, const struct gl_c_uplink *uplink)
{
	size_t use = 0;
	int err = 0;

	while (use < p->count && p->uses[use].uplink->number < uplink->number)
		use++;
	for (size_t i = 0; i < p->host_count && !err; i++) {
		const struct gl_prefix *addr = &p->hosts[i];

		if ((i && !gl_prefix_compare(addr, addr - 1)) || (addr->family == AF_INET6 && !uplink->ipv6))
			continue;
		while (use < p->count && p->uses[use].uplink == uplink &&
		       gl_prefix_compare(&p->uses[use].addr, addr) < 0)
			use++;
		if (use < p->count && p->uses[use].uplink == uplink && !gl_prefix_compare(&p->uses[use].addr, addr))
			continue;
		err = emit_host(p->c, addr, uplink);
	}
	for (size_t i = 0; i < uplink->link->addr_count && uplink->ipv6 && !err; i++) {
		const struct gl_prefix addr = gl_prefix_address(&uplink->link->addrs[i].addr);

		if (gl_prefix_link_local(&addr))
			err = emit_host(p->c, &addr, uplink);
	}
	return err;
}

/* Without the entries that were not needed, see share_among() in compile_nat.c. */
static void close_pools(struct gl_c *c)
{
	for (size_t i = 0; i < GL_FAMILIES * c->network_count; i++) {
		struct gl_c_network *network = &c->networks[i / GL_FAMILIES];
		struct gl_pool_range *pool = network->pool[i % GL_FAMILIES];
		uint8_t *count = &network->pool_count[i % GL_FAMILIES], kept = 0;

		for (uint8_t k = 0; k < *count; k++)
			if (pool[k].addr.family)
				pool[kept++] = pool[k];
		*count = kept;
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

		for (j = i; j < p.count && p.uses[j].uplink == g.uplink && !gl_prefix_compare(&p.uses[j].addr, &g.addr);
		     j++)
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
