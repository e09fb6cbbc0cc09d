/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How are a network's addresses read: its subnets and gateways, what it translates to, what its gateway advertises,
 * and who holds which? Neighbours: parse.c (the objects around them), parse_value.c (single values), validate_net.c
 * (how they go together). */
#include <errno.h>
#include <string.h>

#include "loader/parse.h"

void gl_read_subnets(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;

	gl_read_prefixes(r, node, GL_FORM_SUBNET, &network->subnets, &network->subnet_count);
	if (node->kind == GL_NODE_LIST && !node->count)
		GL_REPORT(r, node->loc, "subnets is empty; expected at least one subnet");
}

void gl_read_gateways(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;

	gl_read_prefixes(r, node, GL_FORM_ADDRESS, &network->gateways, &network->gateway_count);
}

/* ---- nat --------------------------------------------------------------------------------------------------------- */

static void read_nat_addresses(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;

	gl_read_ranges(r, node, &network->nat_addresses, &network->nat_address_count);
	if (node->kind == GL_NODE_LIST && !node->count)
		GL_REPORT(r, node->loc,
			  "addresses is empty; expected public addresses, or no such key for the uplink's own");
}

static void read_nat_ports(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;

	const struct gl_port_span *ports;

	gl_read_ports(r, node, 1024, &network->nat_ports, &network->nat_port_count);
	ports = network->nat_ports;
	if (network->nat_port_count > GL_NET_POOL) {
		GL_REPORT(r, node->loc, "more than %d ranges of ports", GL_NET_POOL);
		return;
	}
	for (size_t i = 0; i < network->nat_port_count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (ports[i].first > ports[k].last || ports[k].first > ports[i].last)
				continue;
			GL_REPORT(r, node->loc,
				  "the ranges %u-%u and %u-%u overlap; expected ranges apart from each other",
				  ports[k].first, ports[k].last, ports[i].first, ports[i].last);
			return;
		}
	}
}

static void read_mapping(struct gl_reader *r, const struct gl_node *node, void *out)
{
	static const char *const words[] = { "endpoint-dependent", "endpoint-independent", NULL };
	int word = gl_read_word(r, node, words);

	if (word >= 0)
		*(bool *)out = word;
}

void gl_read_nat(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;

	network->nat_loc = node->loc;
	gl_read_object(r, node, GL_OBJECT_NAT, network);
}

const struct gl_key gl_nat_keys[] = {
	{ "addresses", false, read_nat_addresses, 0 },
	{ "ports", false, read_nat_ports, 0 },
	{ "mapping", false, read_mapping, offsetof(struct gl_network, endpoint_independent) },
	{ NULL, false, NULL, 0 },
};

/* ---- router advertisements --------------------------------------------------------------------------------------- */

static void read_ra_mode(struct gl_reader *r, const struct gl_node *node, void *out)
{
	const char *const words[] = { gl_ra_mode_name(GL_RA_SLAAC), gl_ra_mode_name(GL_RA_MANAGED),
				      gl_ra_mode_name(GL_RA_OFF), NULL };
	int word = gl_read_word(r, node, words);

	if (word >= 0)
		*(enum gl_ra_mode *)out = (enum gl_ra_mode)word;
}

static void read_dns(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_router_advertisements *ra = out;

	gl_read_prefixes(r, node, GL_FORM_ADDRESS, &ra->dns, &ra->dns_count);
	if (ra->dns_count <= GL_RA_DNS)
		return;
	GL_REPORT(r, node->items[GL_RA_DNS]->loc, "%zu name servers; an advertisement names at most %d", ra->dns_count,
		  GL_RA_DNS);
	ra->dns_count = GL_RA_DNS;
}

static void read_short(struct gl_reader *r, const struct gl_node *node, uint32_t least, uint32_t most, uint16_t *ret)
{
	uint32_t value;

	if (gl_read_int(r, node, least, most, &value))
		*ret = (uint16_t)value;
}

static void read_interval(struct gl_reader *r, const struct gl_node *node, void *out)
{
	read_short(r, node, GL_RA_INTERVAL_LEAST, GL_RA_INTERVAL_MOST, out);
}

static void read_lifetime(struct gl_reader *r, const struct gl_node *node, void *out)
{
	read_short(r, node, 0, 65535, out);
}

static void read_mtu(struct gl_reader *r, const struct gl_node *node, void *out)
{
	read_short(r, node, 1280, 65535, out); /* RFC 8200 5: every link carries 1280 */
}

const struct gl_key gl_ra_keys[] = {
	{ "mode", false, read_ra_mode, offsetof(struct gl_router_advertisements, mode) },
	{ "dns", false, read_dns, 0 },
	{ "interval", false, read_interval, offsetof(struct gl_router_advertisements, interval) },
	{ "lifetime", false, read_lifetime, offsetof(struct gl_router_advertisements, lifetime) },
	{ "mtu", false, read_mtu, offsetof(struct gl_router_advertisements, mtu) },
	{ NULL, false, NULL, 0 },
};

void gl_read_ra(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;

	network->ra.loc = node->loc;
	gl_read_object(r, node, GL_OBJECT_RA, &network->ra);
}

/* ---- interfaces -------------------------------------------------------------------------------------------------- */

void gl_read_addresses(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_interface *interface = out;
	struct gl_prefix *list;

	if (!gl_expect_list(r, node, "a list of addresses"))
		return;
	if (!node->count)
		GL_REPORT(r, node->loc, "addresses is empty; expected at least one address");
	list = gl_arena_array(r->arena, node->count, sizeof(*list));
	if (!list) {
		r->err = -ENOMEM;
		return;
	}
	r->nodes += node->count;
	interface->addresses = list;
	for (size_t i = 0; i < node->count; i++) {
		const struct gl_node *item = node->items[i];

		if (item->kind != GL_NODE_SCALAR || strcmp(item->text, "slaac")) {
			gl_read_prefix(r, item, GL_FORM_GUEST, &list[interface->address_count++]);
			continue;
		}
		if (interface->slaac)
			GL_REPORT(r, item->loc, "slaac stands twice among the addresses; expected it once");
		interface->slaac = true;
		interface->slaac_loc = item->loc;
	}
}
