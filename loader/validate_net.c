/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Do the networks make sense: their modes, subnets and gateways, and do subnets that could meet keep apart?
 * Neighbours: validate.c (who calls), validate.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/validate.h"

static void check_mode(struct gl_check *c, struct gl_net *net)
{
	const struct gl_network *network = net->network;
	const char *name = network->name.s, *mode = gl_mode_name(network->mode);

	if (network->mode == GL_MODE_NONE)
		return;
	if (network->mode == GL_MODE_ISOLATED && network->uplink.s)
		GL_REPORT(c, network->uplink.loc, "network \"%s\" is isolated and takes no uplink", name);
	if (network->mode != GL_MODE_ISOLATED && !network->uplink.s)
		GL_REPORT(c, network->loc, "network \"%s\" has mode %s and needs an uplink", name, mode);
	if (network->mode != GL_MODE_BRIDGE && network->vlan_loc.line)
		GL_REPORT(c, network->vlan_loc, "network \"%s\" has mode %s; only bridge takes a vlan", name, mode);
	if (network->mode != GL_MODE_NAT && network->nat_loc.line)
		GL_REPORT(c, network->nat_loc, "network \"%s\" has mode %s; only nat takes a nat block", name, mode);
	if (network->mode == GL_MODE_ISOLATED && network->open_to != GL_OPEN_NETWORK)
		GL_REPORT(c, network->open_to_loc, "network \"%s\" is isolated and can be open to network alone", name);
}

static void find_uplink(struct gl_check *c, struct gl_net *net)
{
	const struct gl_string *wanted = &net->network->uplink;
	const struct gl_uplink *uplink;

	net->uplink = GL_NONE;
	if (!wanted->s || !*wanted->s)
		return;
	if (!gl_check_seen(c, GL_SEEN_UPLINK, 0, wanted->s, strlen(wanted->s))) {
		if (!c->uplink_unread)
			GL_REPORT(c, wanted->loc, "uplink \"%s\" is not defined", wanted->s);
		return;
	}
	uplink = gl_find_uplink(c->def, wanted->s);
	net->uplink = (uint32_t)(uplink - c->def->uplinks);
}

static bool check_subnet(struct gl_check *c, const struct gl_prefix *subnet)
{
	char text[50];

	if (!gl_check_subnet_usable(c, subnet))
		return false;
	if (subnet->len == gl_family_bits(subnet->family)) {
		GL_REPORT(c, subnet->loc,
			  "subnet %s/%u has no room for a guest beside its gateway; expected at most %u bits",
			  gl_prefix_format(subnet, text), subnet->len, subnet->len - 1);
		return false;
	}
	gl_check_host_bits(c, subnet);
	return true;
}

static void check_gateway(struct gl_check *c, const struct gl_net *net, size_t g)
{
	const struct gl_network *network = net->network;
	const struct gl_prefix *gateway = &network->gateways[g], *subnet = NULL;
	char text[50], in[50], where[128];

	if (!gl_check_usable(c, gateway, "gateway") || !net->clear)
		return;
	gl_prefix_format(gateway, text);
	for (size_t i = 0; i < network->subnet_count && !subnet; i++) {
		if (gl_prefix_contains(&network->subnets[i], gateway))
			subnet = &network->subnets[i];
	}
	if (!subnet) {
		GL_REPORT(c, gateway->loc, "gateway %s lies outside the subnets of network \"%s\"", text,
			  network->name.s);
		return;
	}
	gl_prefix_format(subnet, in);
	if (gl_reserved_name(subnet, gateway))
		GL_REPORT(c, gateway->loc, "gateway %s is %s of %s", text, gl_reserved_name(subnet, gateway), in);
	for (size_t i = 0; i < g; i++) {
		if (!gl_prefix_contains(subnet, &network->gateways[i]))
			continue;
		GL_REPORT(c, gateway->loc, "subnet %s has a gateway already, at %s; expected one for each subnet", in,
			  gl_check_where(network->gateways[i].loc, where));
		return;
	}
	if (network->mode == GL_MODE_BRIDGE && net->uplink != GL_NONE) {
		struct gl_holder holder = { gateway->loc, net->tenant->name.s, network->name.s };

		gl_check_first_address(c, GL_SEEN_ROUTER, gl_check_segment(net), gateway, &holder);
	}
}

/* How many of them may be looked at: of each family as many as the programs hold. */
static size_t check_count(struct gl_check *c, const struct gl_network *network, const struct gl_prefix *list,
			  size_t count, const char *what)
{
	size_t of[2] = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (list[i].family && ++of[list[i].family == AF_INET6] > GL_NET_GATEWAYS) {
			GL_REPORT(c, list[i].loc, "network \"%s\" has more than %d %s %s", network->name.s,
				  GL_NET_GATEWAYS, gl_family_text(list[i].family), what);
			return i;
		}
	}
	return count;
}

static void check_ra(struct gl_check *c, const struct gl_network *network)
{
	const struct gl_router_advertisements *ra = &network->ra;
	char text[50];

	if (!ra->loc.line)
		return;
	if (network->mode == GL_MODE_BRIDGE)
		GL_REPORT(c, ra->loc,
			  "network \"%s\" has mode bridge: the routers of its segment advertise themselves; expected "
			  "no router_advertisements",
			  network->name.s);
	else if (network->subnet_count && !gl_has_subnet(network, AF_INET6))
		GL_REPORT(c, ra->loc,
			  "network \"%s\" has no IPv6 subnet to advertise; expected one, or no router_advertisements",
			  network->name.s);
	if (ra->lifetime && ra->lifetime < ra->interval)
		GL_REPORT(c, ra->loc,
			  "lifetime %u is shorter than the interval of %u seconds, so that guests would lose their "
			  "router in between; expected 0 or at least %u",
			  ra->lifetime, ra->interval, ra->interval);
	for (size_t i = 0; i < ra->dns_count; i++) {
		if (ra->dns[i].family == AF_INET)
			GL_REPORT(c, ra->dns[i].loc,
				  "name server %s is IPv4; expected IPv6, as router advertisements name no other",
				  gl_prefix_format(&ra->dns[i], text));
		else
			gl_check_usable_here(c, &ra->dns[i], "name server");
	}
}

static void check_network(struct gl_check *c, struct gl_net *net)
{
	const struct gl_network *network = net->network;
	size_t count;

	check_mode(c, net);
	find_uplink(c, net);
	count = check_count(c, network, network->subnets, network->subnet_count, "subnets");
	net->clear = count && count == network->subnet_count;
	for (size_t i = 0; i < count; i++)
		net->clear &= check_subnet(c, &network->subnets[i]);
	count = check_count(c, network, network->gateways, network->gateway_count, "gateways");
	for (size_t i = 0; i < count; i++)
		check_gateway(c, net, i);
	check_ra(c, network);
}

/* ---- overlaps ------------------------------------------------------------------------------------------------- */

static int by_place(const void *va, const void *vb)
{
	const struct gl_span *a = va, *b = vb;
	int order;

	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	order = gl_prefix_compare(&a->first, &b->first);
	if (!order)
		order = -gl_prefix_compare(&a->last, &b->last);
	if (order)
		return order;
	if (a->net != b->net)
		return a->net < b->net ? -1 : 1;
	return a->prefix < b->prefix ? -1 : a->prefix > b->prefix;
}

enum sweep { WITHIN_NETWORK, WITHIN_TENANT, ON_UPLINK };

static bool scope_of(enum sweep sweep, const struct gl_net *net, uint32_t *scope)
{
	enum gl_mode mode = net->network->mode;

	switch (sweep) {
	case WITHIN_NETWORK:
		*scope = net->index;
		return true;
	case WITHIN_TENANT:
		*scope = net->tenant_index;
		return mode == GL_MODE_NAT || mode == GL_MODE_ROUTED;
	default:
		*scope = net->uplink;
		return mode == GL_MODE_ROUTED && net->uplink != GL_NONE;
	}
}

static void overlap(struct gl_check *c, enum sweep sweep, const struct gl_span *a, const struct gl_span *b)
{
	char first[50], second[50], where[128];

	/* The one further down in the files is told about the other. */
	if (a->net > b->net || (a->net == b->net && a->prefix > b->prefix)) {
		const struct gl_span *swap = a;

		a = b;
		b = swap;
	}
	gl_prefix_format(a->prefix, first);
	gl_prefix_format(b->prefix, second);
	gl_check_where(a->prefix->loc, where);
	if (sweep == WITHIN_NETWORK)
		GL_REPORT(c, b->prefix->loc, "subnet %s overlaps %s of the same network, at %s", second, first, where);
	else if (sweep == WITHIN_TENANT && a->net != b->net)
		GL_REPORT(
			c, b->prefix->loc,
			"subnet %s overlaps %s of network \"%s\", at %s; a tenant's nat and routed networks reach each "
			"other and need subnets of their own",
			second, first, a->net->network->name.s, where);
	else if (sweep == ON_UPLINK && a->net->tenant != b->net->tenant)
		GL_REPORT(
			c, b->prefix->loc,
			"subnet %s overlaps %s of tenant \"%s\", at %s; routed networks on one uplink need subnets of "
			"their own",
			second, first, a->net->tenant->name.s, where);
}

/* Of an address that is not before the span's first. */
static bool meets(const struct gl_span *span, const struct gl_prefix *address)
{
	return span->first.family == address->family && gl_prefix_compare(&span->last, address) >= 0;
}

/* Subnets either nest or keep apart, so it is enough to compare with the one that reaches furthest so far. */
static void sweep_spans(struct gl_check *c, enum sweep sweep, struct gl_spans *spans)
{
	const struct gl_span *furthest = NULL;
	size_t room = 0;

	for (size_t i = 0; i < c->net_count; i++)
		room += c->nets[i].network->subnet_count;
	spans->items = gl_arena_array(&c->arena, room, sizeof(*spans->items));
	if (!spans->items) {
		c->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < c->net_count; i++) {
		const struct gl_net *net = &c->nets[i];
		uint32_t scope;

		for (size_t s = 0; s < net->network->subnet_count && scope_of(sweep, net, &scope); s++) {
			const struct gl_prefix *prefix = &net->network->subnets[s];

			if (!prefix->family)
				continue;
			spans->items[spans->count++] = (struct gl_span){ .scope = scope,
									 .first = gl_first(prefix),
									 .last = gl_last(prefix),
									 .prefix = prefix,
									 .net = net };
		}
	}
	if (spans->count)
		qsort(spans->items, spans->count, sizeof(*spans->items), by_place);
	for (size_t i = 0; i < spans->count; i++) {
		const struct gl_span *span = &spans->items[i];

		if (furthest && furthest->scope == span->scope && meets(furthest, &span->first))
			overlap(c, sweep, furthest, span);
		if (!furthest || furthest->scope != span->scope || !meets(furthest, &span->last))
			furthest = span;
	}
}

const struct gl_span *gl_find_span(const struct gl_spans *spans, uint32_t scope, const struct gl_prefix *address)
{
	size_t low = 0, high = spans->count;

	while (low < high) { /* the first one that begins beyond the address */
		size_t middle = low + (high - low) / 2;
		const struct gl_span *span = &spans->items[middle];

		if (span->scope < scope || (span->scope == scope && gl_prefix_compare(&span->first, address) <= 0))
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || spans->items[low - 1].scope != scope || !meets(&spans->items[low - 1], address))
		return NULL;
	return &spans->items[low - 1];
}

void gl_check_networks(struct gl_check *c)
{
	const struct gl_definition *def = c->def;
	struct gl_spans within = { 0 };
	size_t count = 0;

	for (size_t t = 0; t < def->tenant_count; t++)
		count += def->tenants[t].network_count;
	c->nets = gl_arena_array(&c->arena, count, sizeof(*c->nets));
	c->first_net = gl_arena_array(&c->arena, def->tenant_count, sizeof(*c->first_net));
	if (!c->nets || !c->first_net) {
		c->err = -ENOMEM;
		return;
	}
	for (uint32_t t = 0; t < def->tenant_count; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];

		c->first_net[t] = c->net_count;
		for (size_t n = 0; n < tenant->network_count; n++) {
			struct gl_net *net = &c->nets[c->net_count];

			*net = (struct gl_net){ .tenant = tenant,
						.network = &tenant->networks[n],
						.tenant_index = t,
						.index = (uint32_t)c->net_count++ };
			check_network(c, net);
		}
	}
	if (!c->err)
		sweep_spans(c, WITHIN_NETWORK, &within);
	if (!c->err)
		sweep_spans(c, WITHIN_TENANT, &c->joined);
	if (!c->err)
		sweep_spans(c, ON_UPLINK, &c->routed);
}
