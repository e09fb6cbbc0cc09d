/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Does the definition make sense as a whole? Names, limits and interfaces here; neighbours: validate_net.c,
 * validate_public.c, and validate.h for what they share. Values that the parser could not read are empty (names),
 * zero (MACs, numbers) or of family 0, and nothing that depends on them is reported.
 * Tables and sorting throughout: 100,000 interfaces take a second, not an hour. */
#include "loader/validate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- names ---------------------------------------------------------------------------------------------------- */

void gl_check_name(struct gl_check *c, enum gl_seen kind, uint32_t scope, const struct gl_string *name,
		   const char *what)
{
	struct gl_holder holder = { .loc = name->loc };
	const struct gl_holder *had;
	char where[128];

	if (!*name->s)
		return;
	had = gl_check_first(c, kind, scope, name->s, strlen(name->s), &holder);
	if (had)
		GL_REPORT(c, name->loc, "%s \"%s\" is defined twice; first at %s", what, name->s,
			  gl_check_where(had->loc, where));
}

static void check_uplinks(struct gl_check *c)
{
	for (size_t i = 0; i < c->def->uplink_count && !c->err; i++) {
		const struct gl_uplink *uplink = &c->def->uplinks[i];

		if (i == GL_MAX_UPLINKS)
			GL_REPORT(c, uplink->loc, "more than %d uplinks", GL_MAX_UPLINKS);
		c->uplink_unread |= !*uplink->name.s;
		gl_check_name(c, GL_SEEN_UPLINK, 0, &uplink->name, "uplink");
		gl_check_name(c, GL_SEEN_DEVICE, 0, &uplink->interface, "interface");
	}
}

static void check_tenants(struct gl_check *c)
{
	size_t networks = 0;

	for (uint32_t t = 0; t < c->def->tenant_count && !c->err; t++) {
		const struct gl_tenant *tenant = &c->def->tenants[t];

		if (t == GL_MAX_TENANTS)
			GL_REPORT(c, tenant->loc, "more than %d tenants", GL_MAX_TENANTS);
		gl_check_name(c, GL_SEEN_TENANT, 0, &tenant->name, "tenant");
		for (size_t n = 0; n < tenant->network_count && !c->err; n++) {
			if (networks++ == GL_MAX_NETWORKS)
				GL_REPORT(c, tenant->networks[n].loc, "more than %d networks", GL_MAX_NETWORKS);
			gl_check_name(c, GL_SEEN_NETWORK, t, &tenant->networks[n].name, "network");
		}
		for (size_t g = 0; g < tenant->guest_count && !c->err; g++)
			gl_check_name(c, GL_SEEN_GUEST, t, &tenant->guests[g].name, "guest");
	}
}

/* " of tenant "b"", where it is another one's. */
static const char *whose(const struct gl_holder *had, const struct gl_net *net, char buf[96])
{
	if (!strcmp(had->tenant, net->tenant->name.s))
		return "";
	snprintf(buf, 96, " by tenant \"%s\"", had->tenant);
	return buf;
}

static void check_mac(struct gl_check *c, const struct gl_interface *interface, const struct gl_net *net)
{
	static const uint8_t none[6];
	struct gl_holder holder = { interface->mac_loc, net->tenant->name.s, net->network->name.s };
	const uint8_t *m = interface->mac;
	const struct gl_holder *had;
	uint8_t gateway[6];
	char mac[18], where[128], tenant[96];

	if (!memcmp(m, none, 6))
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	had = gl_check_first(c, GL_SEEN_MAC, gl_check_segment(net), m, 6, &holder);
	if (had)
		GL_REPORT(c, interface->mac_loc, "MAC %s is used twice in %s \"%s\"; first%s at %s", mac,
			  net->network->mode == GL_MODE_BRIDGE ? "the segment of network" : "network",
			  net->network->name.s, whose(had, net, tenant), gl_check_where(had->loc, where));
	gl_gateway_mac(net->tenant->name.s, net->network->name.s, gateway);
	if (!memcmp(m, gateway, 6))
		GL_REPORT(c, interface->mac_loc,
			  "MAC %s is that of the gateway of network \"%s\"; expected another one", mac,
			  net->network->name.s);
}

static const struct gl_prefix *subnet_of(const struct gl_network *network, const struct gl_prefix *address, size_t *i)
{
	for (*i = 0; *i < network->subnet_count; ++*i) {
		if (gl_prefix_contains(&network->subnets[*i], address))
			return &network->subnets[*i];
	}
	return NULL;
}

static void outside(struct gl_check *c, const struct gl_prefix *address, const struct gl_network *network)
{
	char list[(GL_NET_GATEWAYS + 1) * 50] = "", buf[50], text[50];

	for (size_t i = 0; i < network->subnet_count; i++) {
		size_t len = strlen(list);

		if (network->subnets[i].family == address->family)
			snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
				 gl_prefix_format(&network->subnets[i], buf));
	}
	if (*list)
		GL_REPORT(c, address->loc, "address %s lies outside the subnets of network \"%s\" (%s)",
			  gl_prefix_format(address, text), network->name.s, list);
	else
		GL_REPORT(c, address->loc, "address %s: network \"%s\" has no %s subnet",
			  gl_prefix_format(address, text), network->name.s, gl_family_text(address->family));
}

/* `of` says where it comes from, for those that do not stand in the definition: "" or " (slaac of MAC)". */
static void check_address(struct gl_check *c, const struct gl_prefix *address, const struct gl_net *net, const char *of)
{
	const struct gl_network *network = net->network;
	struct gl_holder holder = { address->loc, net->tenant->name.s, network->name.s };
	const struct gl_prefix *subnet;
	const struct gl_holder *had;
	char text[50], where[128], tenant[96], in[50];
	struct gl_prefix gateway;
	size_t i;

	if (!net->clear)
		return;
	gl_prefix_format(address, text);
	subnet = subnet_of(network, address, &i);
	if (!subnet) {
		outside(c, address, network);
		return;
	}
	if (gl_reserved_name(subnet, address)) {
		GL_REPORT(c, address->loc, "address %s is %s of %s; expected %s", text,
			  gl_reserved_name(subnet, address), gl_prefix_format(subnet, in),
			  subnet->family == AF_INET ? "one between" : "one behind it");
		return;
	}
	gateway = gl_network_gateway(network, i);
	if (!gl_prefix_compare(&gateway, address)) {
		GL_REPORT(c, address->loc, "address %s%s is the gateway of network \"%s\"%s", text, of, network->name.s,
			  gateway.loc.line == subnet->loc.line && gateway.loc.col == subnet->loc.col
				  ? ", as the first host address is where `gateways` names none"
				  : "");
		return;
	}
	had = gl_check_seen_address(c, GL_SEEN_ROUTER, gl_check_segment(net), address);
	if (had) {
		GL_REPORT(c, address->loc, "address %s%s is a gateway on the segment of network \"%s\", at %s", text,
			  of, network->name.s, gl_check_where(had->loc, where));
		return;
	}
	had = gl_check_first_address(c, GL_SEEN_ADDRESS, gl_check_segment(net), address, &holder);
	if (had)
		GL_REPORT(c, address->loc, "address %s%s is used twice in %s \"%s\"; first%s at %s", text, of,
			  network->mode == GL_MODE_BRIDGE ? "the segment of network" : "network", network->name.s,
			  whose(had, net, tenant), gl_check_where(had->loc, where));
}

/* The addresses that `slaac` stands for, as if they were written there. */
static void check_slaac(struct gl_check *c, const struct gl_interface *interface, const struct gl_net *net)
{
	static const uint8_t none[6];

	if (!gl_has_slaac_subnet(net->network)) {
		GL_REPORT(c, interface->slaac_loc,
			  "slaac needs an IPv6 subnet of 64 bits, and network \"%s\" has none; expected one, or the "
			  "addresses themselves",
			  net->network->name.s);
		return;
	}
	for (size_t i = 0; i < net->network->subnet_count && memcmp(interface->mac, none, 6) && !c->err; i++) {
		const struct gl_prefix *subnet = &net->network->subnets[i];
		struct gl_prefix address;

		if (!gl_is_slaac_subnet(subnet))
			continue;
		address = gl_eui64(subnet, interface->mac);
		address.loc = interface->slaac_loc;
		check_address(c, &address, net, " (slaac)");
	}
}

static void check_allowed(struct gl_check *c, const struct gl_prefix *pair, const struct gl_net *net)
{
	struct gl_prefix gateway;
	uint8_t mac[6];
	char text[50];

	if (!gl_check_host_bits(c, pair) || pair->len != gl_family_bits(pair->family) || !net || !net->clear)
		return;
	for (size_t i = 0; i <= net->network->subnet_count; i++) {
		if (i < net->network->subnet_count) {
			gateway = gl_network_gateway(net->network, i);
		} else {
			gl_gateway_mac(net->tenant->name.s, net->network->name.s, mac);
			gateway = gl_eui64(NULL, mac);
		}
		if (!gl_prefix_compare(&gateway, pair))
			GL_REPORT(c, pair->loc, "%s is the gateway of network \"%s\"; no guest may speak for it",
				  gl_prefix_format(pair, text), net->network->name.s);
	}
}

/* Broadcast frames reach a bounded number of interfaces; the first one beyond is reported. */
static void check_members(struct gl_check *c, const struct gl_interface *interface, const struct gl_net *net)
{
	if (net->network->broadcast && gl_check_member(c, gl_check_segment(net)) == GL_NET_MEMBERS + 1)
		GL_REPORT(
			c, interface->loc,
			"network \"%s\" has more than the %d interfaces that a broadcast can reach; expected fewer, or "
			"`broadcast: false`",
			net->network->name.s, GL_NET_MEMBERS);
}

static void check_interface(struct gl_check *c, uint32_t t, const struct gl_interface *interface)
{
	const struct gl_tenant *tenant = &c->def->tenants[t];
	const struct gl_net *net = gl_check_net(c, t, interface->network.s);

	if (c->interface_count++ == GL_PORT_SLOTS - c->def->uplink_count)
		GL_REPORT(c, interface->loc, "more than %d interfaces, uplinks included", GL_PORT_SLOTS);
	gl_check_name(c, GL_SEEN_DEVICE, 0, &interface->tap, "interface");
	if (!net && *interface->network.s && !gl_find_network(tenant, ""))
		GL_REPORT(c, interface->network.loc, "tenant \"%s\" has no network \"%s\"", tenant->name.s,
			  interface->network.s);
	if (net) {
		check_mac(c, interface, net);
		check_members(c, interface, net);
	}
	for (size_t i = 0; i < interface->address_count && !c->err; i++) {
		if (gl_check_usable(c, &interface->addresses[i], "address") && net)
			check_address(c, &interface->addresses[i], net, "");
	}
	if (interface->slaac && net && net->clear)
		check_slaac(c, interface, net);
	for (size_t i = 0; i < interface->allowed_count && !c->err; i++) {
		if (gl_check_usable_here(c, &interface->allowed_address_pairs[i], "allowed address pair"))
			check_allowed(c, &interface->allowed_address_pairs[i], net);
	}
}

int gl_validate(const struct gl_definition *def, struct gl_diag *diag)
{
	struct gl_check c = { .def = def, .diag = diag };

	check_uplinks(&c);
	check_tenants(&c);
	if (!c.err)
		gl_check_networks(&c);
	for (uint32_t t = 0; t < def->tenant_count && !c.err; t++) {
		const struct gl_tenant *tenant = &def->tenants[t];

		for (size_t g = 0; g < tenant->guest_count; g++) {
			for (size_t i = 0; i < tenant->guests[g].interface_count && !c.err; i++)
				check_interface(&c, t, &tenant->guests[g].interfaces[i]);
		}
	}
	if (!c.err)
		gl_check_groups(&c);
	if (!c.err)
		gl_check_public(&c);
	gl_arena_clear(&c.arena);
	if (c.err)
		return c.err;
	return c.bad ? -EINVAL : 0;
}
