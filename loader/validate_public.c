/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Who owns what on the uplinks: addresses that networks translate to, floating addresses, forwarded ports?
 * Neighbours: validate.c (who calls), validate.h. What depends on the host's own addresses is compile.c's to check. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/validate.h"

/* Ports of a public address that connections are translated to. */
struct ports {
	uint32_t uplink;
	struct gl_prefix address; /* all zero: the uplink's own of its family */
	uint16_t min, max;
	uint16_t furthest; /* greatest max up to here, of the same address */
	size_t furthest_at;
	const struct gl_net *net;
};

struct pool {
	struct ports *items; /* sorted by uplink, address, min */
	size_t count;
};

static struct gl_prefix own(uint8_t family)
{
	struct gl_prefix prefix = { .family = family };

	prefix.len = gl_family_bits(prefix.family);
	return prefix;
}

/* A public address must not be one that somebody behind or on the uplink has. */
static void check_not_inside(struct gl_check *c, const struct gl_prefix *address, const struct gl_net *net,
			     const char *what)
{
	const struct gl_span *span = gl_find_span(&c->joined, net->tenant_index, address);
	const struct gl_holder *had;
	char text[50], in[50], where[128];

	gl_prefix_format(address, text);
	if (!span)
		span = gl_find_span(&c->routed, net->uplink, address);
	if (span) {
		GL_REPORT(c, address->loc, "%s %s lies inside the subnet %s of network \"%s\", at %s", what, text,
			  gl_prefix_format(span->prefix, in), span->net->network->name.s,
			  gl_check_where(span->prefix->loc, where));
		return;
	}
	had = gl_check_seen_address(c, GL_SEEN_ADDRESS, GL_SEGMENT(net->uplink, 0), address);
	if (had) {
		GL_REPORT(c, address->loc, "%s %s is the address of a guest on the same uplink, at %s", what, text,
			  gl_check_where(had->loc, where));
		return;
	}
	had = gl_check_seen_address(c, GL_SEEN_ROUTER, GL_SEGMENT(net->uplink, 0), address);
	if (had)
		GL_REPORT(c, address->loc, "%s %s is a gateway on the same uplink, at %s", what, text,
			  gl_check_where(had->loc, where));
}

static void count_public(struct gl_check *c, struct gl_loc loc)
{
	if (c->public_count++ == GL_MAX_PUBLIC)
		GL_REPORT(c, loc, "more than %d public addresses", GL_MAX_PUBLIC);
}

/* ---- nat ------------------------------------------------------------------------------------------------------ */

static void check_pool_address(struct gl_check *c, const struct gl_net *net, const struct gl_prefix *address)
{
	struct gl_holder holder = { address->loc, net->tenant->name.s, net->network->name.s };
	char text[50];

	if (gl_check_first_address(c, GL_SEEN_POOL, net->index, address, &holder)) {
		GL_REPORT(c, address->loc, "address %s is listed twice in nat of network \"%s\"",
			  gl_prefix_format(address, text), net->network->name.s);
		return;
	}
	if (!gl_check_first_address(c, GL_SEEN_NAT, net->uplink, address, &holder))
		count_public(c, address->loc);
	check_not_inside(c, address, net, "nat address");
}

/* Only ports that were asked for: the default range steps aside for forwarded ports. */
static void add_ports(struct pool *pool, const struct gl_net *net, const struct gl_prefix *address)
{
	for (size_t i = 0; i < net->network->nat_port_count; i++)
		pool->items[pool->count++] = (struct ports){ .uplink = net->uplink,
							     .address = *address,
							     .min = net->network->nat_ports[i].first,
							     .max = net->network->nat_ports[i].last,
							     .net = net };
}

/* Does the network name addresses of that family? Otherwise it translates to the uplink's own. */
static bool names_family(const struct gl_network *network, uint8_t family)
{
	for (size_t i = 0; i < network->nat_address_count; i++) {
		/* not readable: may be anything */
		if (!network->nat_addresses[i].first.family || network->nat_addresses[i].first.family == family)
			return true;
	}
	return false;
}

static bool check_range(struct gl_check *c, const struct gl_net *net, const struct gl_range *range)
{
	bool usable = gl_check_usable(c, &range->first, "nat address");
	char text[50];

	if (usable && gl_prefix_compare(&range->last, &range->first))
		usable = gl_check_usable(c, &range->last, "nat address");
	if (usable && net->clear && !gl_has_subnet(net->network, range->first.family)) {
		GL_REPORT(c, range->first.loc,
			  "nat address %s: network \"%s\" has no %s subnet that could be translated to it",
			  gl_prefix_format(&range->first, text), net->network->name.s,
			  gl_family_text(range->first.family));
		usable = false;
	}
	return usable;
}

static void check_nat(struct gl_check *c, const struct gl_net *net, struct pool *pool)
{
	const struct gl_network *network = net->network;
	size_t total[2] = { 0 }, ranges = network->nat_port_count ? network->nat_port_count : 1;

	if (network->mode != GL_MODE_NAT || net->uplink == GL_NONE || ranges > GL_NET_POOL)
		return;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct gl_prefix address = own(v6 ? AF_INET6 : AF_INET);

		if (!names_family(network, address.family))
			add_ports(pool, net, &address);
	}
	for (size_t i = 0; i < network->nat_address_count && !c->err; i++) {
		const struct gl_range *range = &network->nat_addresses[i];
		bool usable = check_range(c, net, range);
		size_t size = gl_range_size(range, GL_NET_POOL), *of = &total[range->first.family == AF_INET6];
		struct gl_prefix address = range->first;

		*of += size;
		if (*of > GL_NET_POOL) {
			GL_REPORT(c, range->first.loc, "network \"%s\" translates to more than %d public addresses",
				  network->name.s, GL_NET_POOL);
			return;
		}
		if (*of * ranges > GL_NET_POOL) {
			GL_REPORT(c, range->first.loc,
				  "network \"%s\" translates to more than %d public addresses, each counted for every "
				  "one of its %zu ranges of ports",
				  network->name.s, GL_NET_POOL, ranges);
			return;
		}
		for (size_t k = 0; usable && k < size; k++, gl_prefix_next(&address)) {
			check_pool_address(c, net, &address);
			add_ports(pool, net, &address);
		}
	}
}

static int by_address(const void *va, const void *vb)
{
	const struct ports *a = va, *b = vb;
	int order;

	if (a->uplink != b->uplink)
		return a->uplink < b->uplink ? -1 : 1;
	order = gl_prefix_compare(&a->address, &b->address);
	if (order)
		return order;
	if (a->min != b->min)
		return a->min < b->min ? -1 : 1;
	return a->net < b->net ? -1 : a->net > b->net;
}

static void sort_pool(struct pool *pool)
{
	if (pool->count)
		qsort(pool->items, pool->count, sizeof(*pool->items), by_address);
	for (size_t i = 0; i < pool->count; i++) {
		struct ports *p = &pool->items[i], *before = i ? p - 1 : NULL;

		p->furthest = p->max;
		p->furthest_at = i;
		if (before && before->uplink == p->uplink && !gl_prefix_compare(&before->address, &p->address) &&
		    before->furthest > p->max) {
			p->furthest = before->furthest;
			p->furthest_at = before->furthest_at;
		}
	}
}

/* Ports of an address that hold `port`, or NULL. */
static const struct ports *find_ports(const struct pool *pool, uint32_t uplink, const struct gl_prefix *address,
				      uint16_t port)
{
	struct ports wanted = { .uplink = uplink, .address = *address, .min = port };
	size_t low = 0, high = pool->count;
	const struct ports *last;

	while (low < high) { /* the first range that begins beyond the port */
		size_t middle = low + (high - low) / 2;
		const struct ports *p = &pool->items[middle];

		wanted.net = p->net;
		if (by_address(p, &wanted) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	last = &pool->items[low - 1];
	if (last->uplink != uplink || gl_prefix_compare(&last->address, address) || last->furthest < port)
		return NULL;
	return &pool->items[last->furthest_at];
}

/* ---- floating ------------------------------------------------------------------------------------------------- */

/* Public addresses lead to the interface's first address of their family. */
static bool check_inner(struct gl_check *c, const struct gl_prefix *address, const struct gl_interface *interface,
			const struct gl_net *net, const char *what)
{
	char text[50];

	if (!net->clear || gl_has_family(net->network, interface, address->family))
		return true;
	GL_REPORT(c, address->loc, "%s %s: interface \"%s\" has no %s address that it could lead to", what,
		  gl_prefix_format(address, text), interface->tap.s, gl_family_text(address->family));
	return false;
}

static void check_floating(struct gl_check *c, const struct gl_prefix *address, const struct gl_interface *interface,
			   const struct gl_net *net)
{
	struct gl_holder holder = { address->loc, NULL, NULL };
	const struct gl_holder *had;
	char text[50], where[128];

	if (!gl_check_usable(c, address, "floating IP") || !net || net->network->mode == GL_MODE_NONE)
		return;
	gl_prefix_format(address, text);
	if (net->network->mode != GL_MODE_NAT) {
		GL_REPORT(c, address->loc, "floating IP %s: network \"%s\" has mode %s; expected nat", text,
			  net->network->name.s, gl_mode_name(net->network->mode));
		return;
	}
	if (!check_inner(c, address, interface, net, "floating IP") || net->uplink == GL_NONE)
		return;
	holder.tenant = net->tenant->name.s;
	holder.network = net->network->name.s;
	had = gl_check_first_address(c, GL_SEEN_FLOATING, net->uplink, address, &holder);
	if (had) {
		GL_REPORT(c, address->loc, "floating IP %s is used twice; first by tenant \"%s\" at %s", text,
			  had->tenant, gl_check_where(had->loc, where));
		return;
	}
	count_public(c, address->loc);
	had = gl_check_seen_address(c, GL_SEEN_NAT, net->uplink, address);
	if (had)
		GL_REPORT(c, address->loc, "floating IP %s is a nat address of network \"%s\" too, at %s", text,
			  had->network, gl_check_where(had->loc, where));
	check_not_inside(c, address, net, "floating IP");
}

/* ---- forwards ------------------------------------------------------------------------------------------------- */

static const struct gl_interface *forward_target(struct gl_check *c, const struct gl_guest *guest,
						 const struct gl_port_forward *forward)
{
	if (!guest->interface_count) {
		GL_REPORT(c, forward->loc, "guest \"%s\" has a port forward and no interface for it", guest->name.s);
		return NULL;
	}
	if (!forward->interface.s)
		return &guest->interfaces[0];
	for (size_t i = 0; i < guest->interface_count; i++) {
		if (!strcmp(guest->interfaces[i].tap.s, forward->interface.s))
			return &guest->interfaces[i];
	}
	for (size_t i = 0; i < guest->interface_count; i++) {
		if (!*guest->interfaces[i].tap.s)
			return NULL;
	}
	GL_REPORT(c, forward->interface.loc, "guest \"%s\" has no interface \"%s\"", guest->name.s,
		  forward->interface.s);
	return NULL;
}

static bool in_pool(const struct gl_network *network, const struct gl_prefix *address)
{
	for (size_t i = 0; i < network->nat_address_count; i++) {
		const struct gl_range *range = &network->nat_addresses[i];

		if (!range->first.family) /* not readable: may be anything */
			return true;
		if (range->first.family == address->family && gl_prefix_compare(&range->first, address) <= 0 &&
		    gl_prefix_compare(address, &range->last) <= 0)
			return true;
	}
	return false;
}

static const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "sctp";
}

static void check_forward_place(struct gl_check *c, const struct gl_port_forward *forward, const struct gl_net *net,
				const struct pool *pool)
{
	const struct gl_network *network = net->network;
	struct gl_holder holder = { forward->loc, net->tenant->name.s, network->name.s };
	const struct gl_prefix *address = &forward->address;
	const struct gl_holder *had;
	const struct ports *ports;
	struct {
		uint8_t address[16];
		uint16_t port;
		uint8_t proto, family;
	} key = { .port = forward->port, .proto = forward->proto, .family = address->family };
	struct gl_prefix uplinks = own(address->family);
	bool named = names_family(network, address->family);
	char text[50], where[128];

	gl_prefix_format(address, text);
	had = gl_check_seen_address(c, GL_SEEN_FLOATING, net->uplink, address);
	if (had) {
		GL_REPORT(c, address->loc, "address %s is a floating IP, at %s; all its ports belong to one interface",
			  text, gl_check_where(had->loc, where));
		return;
	}
	if (named && network->nat_address_count <= 2 * GL_NET_POOL && !in_pool(network, address)) {
		GL_REPORT(c, address->loc, "address %s is none of the nat addresses of network \"%s\"", text,
			  network->name.s);
		return;
	}
	if (!named)
		check_not_inside(c, address, net, "address");
	if (!forward->port || !forward->proto)
		return;
	memcpy(key.address, address->bytes, sizeof(key.address));
	had = gl_check_first(c, GL_SEEN_FORWARD, net->uplink, &key, sizeof(key), &holder);
	if (had) {
		GL_REPORT(c, forward->loc, "port %u/%s of %s is forwarded twice; first by tenant \"%s\" at %s",
			  forward->port, proto_name(forward->proto), text, had->tenant,
			  gl_check_where(had->loc, where));
		return;
	}
	ports = find_ports(pool, net->uplink, address, forward->port);
	if (!ports && !named)
		ports = find_ports(pool, net->uplink, &uplinks, forward->port);
	if (ports)
		GL_REPORT(c, forward->loc,
			  "port %u lies in the range that connections are translated to: %u-%u of network \"%s\"",
			  forward->port, ports->min, ports->max, ports->net->network->name.s);
}

static void check_forward(struct gl_check *c, uint32_t tenant, const struct gl_guest *guest,
			  const struct gl_port_forward *forward, const struct pool *pool)
{
	const struct gl_interface *interface = forward_target(c, guest, forward);
	bool usable = gl_check_usable(c, &forward->address, "address");
	const struct gl_net *net;

	if (c->forward_count++ == GL_MAX_FORWARDS)
		GL_REPORT(c, forward->loc, "more than %d port forwards", GL_MAX_FORWARDS);
	if (!interface)
		return;
	net = gl_check_net(c, tenant, interface->network.s);
	if (!net || net->network->mode == GL_MODE_NONE)
		return;
	if (net->network->mode != GL_MODE_NAT)
		GL_REPORT(c, forward->loc, "port forward into network \"%s\" of mode %s; expected nat",
			  net->network->name.s, gl_mode_name(net->network->mode));
	else if (usable && check_inner(c, &forward->address, interface, net, "address") && net->uplink != GL_NONE)
		check_forward_place(c, forward, net, pool);
}

void gl_check_public(struct gl_check *c)
{
	const struct gl_definition *def = c->def;
	struct pool pool = { 0 };
	size_t room = 0;

	for (size_t i = 0; i < c->net_count; i++)
		room += c->nets[i].network->mode == GL_MODE_NAT ? 2 * GL_NET_POOL : 0; /* of each family */
	pool.items = gl_arena_array(&c->arena, room, sizeof(*pool.items));
	if (!pool.items) {
		c->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < c->net_count && !c->err; i++)
		check_nat(c, &c->nets[i], &pool);
	sort_pool(&pool);
	/* All floating addresses before the first forward: a forward may not lead to any of them. */
	for (uint32_t t = 0; t < def->tenant_count; t++) {
		for (size_t g = 0; g < def->tenants[t].guest_count; g++) {
			const struct gl_guest *guest = &def->tenants[t].guests[g];

			for (size_t i = 0; i < guest->interface_count; i++) {
				const struct gl_interface *interface = &guest->interfaces[i];
				const struct gl_net *net = NULL;

				if (interface->floating_count)
					net = gl_check_net(c, t, interface->network.s);
				for (size_t f = 0; f < interface->floating_count && !c->err; f++)
					check_floating(c, &interface->floating_ips[f], interface, net);
			}
		}
	}
	for (uint32_t t = 0; t < def->tenant_count; t++) {
		for (size_t g = 0; g < def->tenants[t].guest_count; g++) {
			const struct gl_guest *guest = &def->tenants[t].guests[g];

			for (size_t f = 0; f < guest->forward_count && !c->err; f++)
				check_forward(c, t, guest, &guest->forwards[f], &pool);
		}
	}
}
