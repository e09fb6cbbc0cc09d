/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Do the networks make sense: their modes, subnets and gateways, and do subnets that could meet keep apart?
 * Neighbours: validate.c (who calls), validate.h. */
#include <arpa/inet.h>
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
	struct gl_prefix clean = *subnet;
	char text[50], expected[50];
	uint32_t first;

	if (!gl_check_v4(c, subnet, "subnet"))
		return false;
	gl_prefix_format(subnet, text);
	if (subnet->len == 32) {
		GL_REPORT(c, subnet->loc,
			  "subnet %s/32 has no room for a guest beside its gateway; expected at most 31 bits", text);
		return false;
	}
	first = gl_v4_first(subnet);
	if (gl_v4(subnet) != first) {
		uint32_t be = htonl(first);

		memcpy(clean.bytes, &be, 4);
		GL_REPORT(c, subnet->loc, "host bits set in %s; expected %s", text, gl_prefix_format(&clean, expected));
	}
	if (first < 0x01000000 || (first <= 0x7fffffff && gl_v4_last(subnet) >= 0x7f000000) ||
	    gl_v4_last(subnet) >= 0xe0000000) {
		GL_REPORT(c, subnet->loc,
			  "subnet %s meets addresses that no guest can hold (0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3)",
			  text);
		return false;
	}
	return true;
}

static void check_gateway(struct gl_check *c, const struct gl_net *net, size_t g)
{
	const struct gl_network *network = net->network;
	const struct gl_prefix *gateway = &network->gateways[g], *subnet = NULL;
	char text[50], in[50], where[128];

	if (!gl_check_v4(c, gateway, "gateway") || !net->clear)
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
	if (gl_reserved_name(subnet, gl_v4(gateway)))
		GL_REPORT(c, gateway->loc, "gateway %s is %s of %s", text, gl_reserved_name(subnet, gl_v4(gateway)),
			  in);
	for (size_t i = 0; i < g; i++) {
		if (!gl_prefix_contains(subnet, &network->gateways[i]))
			continue;
		GL_REPORT(c, gateway->loc, "subnet %s has a gateway already, at %s; expected one for each subnet", in,
			  gl_check_where(network->gateways[i].loc, where));
		return;
	}
	if (network->mode == GL_MODE_BRIDGE && net->uplink != GL_NONE) {
		struct gl_holder holder = { gateway->loc, net->tenant->name.s, network->name.s };

		gl_check_first(c, GL_SEEN_ROUTER, gl_check_segment(net), gateway->bytes, 4, &holder);
	}
}

static void check_network(struct gl_check *c, struct gl_net *net)
{
	const struct gl_network *network = net->network;
	size_t gateways = network->gateway_count;

	check_mode(c, net);
	find_uplink(c, net);
	net->clear = network->subnet_count;
	for (size_t i = 0; i < network->subnet_count; i++) {
		if (i == GL_NET_GATEWAYS) {
			GL_REPORT(c, network->subnets[i].loc, "network \"%s\" has more than %d subnets",
				  network->name.s, GL_NET_GATEWAYS);
			net->clear = false;
			break;
		}
		net->clear &= check_subnet(c, &network->subnets[i]);
	}
	if (gateways > GL_NET_GATEWAYS) {
		GL_REPORT(c, network->gateways[GL_NET_GATEWAYS].loc, "network \"%s\" has more than %d gateways",
			  network->name.s, GL_NET_GATEWAYS);
		gateways = GL_NET_GATEWAYS;
	}
	for (size_t i = 0; i < gateways; i++)
		check_gateway(c, net, i);
}

/* ---- overlaps ------------------------------------------------------------------------------------------------- */

static int by_place(const void *va, const void *vb)
{
	const struct gl_span *a = va, *b = vb;

	if (a->scope != b->scope)
		return a->scope < b->scope ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
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

			if (prefix->family != AF_INET)
				continue;
			spans->items[spans->count++] = (struct gl_span){ .scope = scope,
									 .first = gl_v4_first(prefix),
									 .last = gl_v4_last(prefix),
									 .prefix = prefix,
									 .net = net };
		}
	}
	if (spans->count)
		qsort(spans->items, spans->count, sizeof(*spans->items), by_place);
	for (size_t i = 0; i < spans->count; i++) {
		const struct gl_span *span = &spans->items[i];

		if (furthest && furthest->scope == span->scope && furthest->last >= span->first)
			overlap(c, sweep, furthest, span);
		if (!furthest || furthest->scope != span->scope || furthest->last < span->last)
			furthest = span;
	}
}

const struct gl_span *gl_find_span(const struct gl_spans *spans, uint32_t scope, uint32_t address)
{
	size_t low = 0, high = spans->count;

	while (low < high) { /* the first one that begins beyond the address */
		size_t middle = low + (high - low) / 2;
		const struct gl_span *span = &spans->items[middle];

		if (span->scope < scope || (span->scope == scope && span->first <= address))
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || spans->items[low - 1].scope != scope || spans->items[low - 1].last < address)
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
