/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How is a definition written down so that gl_parse() reads the same one back? One canonical JSON document: keys in
 * the order of the reference, lists in the order of the definition, defaults spelled out where they are plain values.
 * Neighbours: parse.c (the way back). */
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "loader/model.h"

/* jansson takes NULL for a value as a failure to set it; `ok` remembers the first. */
struct writer {
	bool ok;
};

static void put(struct writer *w, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		w->ok = false;
}

static void push(struct writer *w, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		w->ok = false;
}

static json_t *prefixes(struct writer *w, const struct gl_prefix *list, size_t count)
{
	json_t *array = json_array();
	char buf[50];

	for (size_t i = 0; i < count; i++)
		push(w, array, json_string(gl_prefix_format(&list[i], buf)));
	return array;
}

static const char *xdp_name(enum gl_xdp_wish wish)
{
	static const char *const names[] = { "auto", "native", "generic", "off" };

	return names[wish];
}

static const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "sctp";
}

/* One range alone stands without a list, as the parser takes both. */
static json_t *ports(struct writer *w, const struct gl_port_span *spans, size_t count)
{
	json_t *array = count > 1 ? json_array() : NULL, *item;
	char text[16];

	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%u-%u", spans[i].first, spans[i].last);
		item = spans[i].first == spans[i].last ? json_integer(spans[i].first) : json_string(text);
		if (!array)
			return item;
		push(w, array, item);
	}
	return array;
}

static json_t *nat(struct writer *w, const struct gl_network *network)
{
	json_t *object = json_object(), *array;

	if (network->nat_address_count) {
		array = json_array();
		for (size_t i = 0; i < network->nat_address_count; i++) {
			const struct gl_range *range = &network->nat_addresses[i];
			char first[50], last[50], both[101];

			gl_prefix_format(&range->first, first);
			gl_prefix_format(&range->last, last);
			snprintf(both, sizeof(both), "%s-%s", first, last);
			push(w, array, json_string(strcmp(first, last) ? both : first));
		}
		put(w, object, "addresses", array);
	}
	if (network->nat_port_count)
		put(w, object, "ports", ports(w, network->nat_ports, network->nat_port_count));
	return object;
}

static json_t *network_json(struct writer *w, const struct gl_network *network)
{
	json_t *object = json_object();

	put(w, object, "name", json_string(network->name.s));
	put(w, object, "mode", json_string(gl_mode_name(network->mode)));
	if (network->uplink.s)
		put(w, object, "uplink", json_string(network->uplink.s));
	if (network->vlan)
		put(w, object, "vlan", json_integer(network->vlan));
	put(w, object, "subnets", prefixes(w, network->subnets, network->subnet_count));
	if (network->gateway_count)
		put(w, object, "gateways", prefixes(w, network->gateways, network->gateway_count));
	if (network->nat_loc.line)
		put(w, object, "nat", nat(w, network));
	put(w, object, "open_to", json_string(gl_open_name(network->open_to)));
	put(w, object, "broadcast", json_boolean(network->broadcast));
	return object;
}

static json_t *interface_json(struct writer *w, const struct gl_interface *interface)
{
	json_t *object = json_object();
	const uint8_t *m = interface->mac;
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	put(w, object, "tap", json_string(interface->tap.s));
	put(w, object, "mac", json_string(mac));
	put(w, object, "network", json_string(interface->network.s));
	put(w, object, "addresses", prefixes(w, interface->addresses, interface->address_count));
	if (interface->allowed_count)
		put(w, object, "allowed_address_pairs",
		    prefixes(w, interface->allowed_address_pairs, interface->allowed_count));
	if (interface->floating_count)
		put(w, object, "floating_ips", prefixes(w, interface->floating_ips, interface->floating_count));
	put(w, object, "xdp", json_string(xdp_name(interface->xdp)));
	return object;
}

static json_t *forward_json(struct writer *w, const struct gl_port_forward *forward)
{
	json_t *object = json_object();
	char address[50];

	put(w, object, "proto", json_string(proto_name(forward->proto)));
	put(w, object, "address", json_string(gl_prefix_format(&forward->address, address)));
	put(w, object, "port", json_integer(forward->port));
	put(w, object, "to", json_integer(forward->to));
	if (forward->interface.s)
		put(w, object, "interface", json_string(forward->interface.s));
	return object;
}

static json_t *guest_json(struct writer *w, const struct gl_guest *guest)
{
	json_t *object = json_object(), *interfaces = json_array(), *forwards = json_array();

	put(w, object, "name", json_string(guest->name.s));
	for (size_t i = 0; i < guest->interface_count; i++)
		push(w, interfaces, interface_json(w, &guest->interfaces[i]));
	put(w, object, "interfaces", interfaces);
	for (size_t i = 0; i < guest->forward_count; i++)
		push(w, forwards, forward_json(w, &guest->forwards[i]));
	put(w, object, "port_forwards", forwards);
	return object;
}

static json_t *tenant_json(struct writer *w, const struct gl_tenant *tenant)
{
	json_t *object = json_object(), *networks = json_array(), *guests = json_array();

	put(w, object, "name", json_string(tenant->name.s));
	put(w, object, "max_flows", json_integer(tenant->max_flows));
	for (size_t i = 0; i < tenant->network_count; i++)
		push(w, networks, network_json(w, &tenant->networks[i]));
	put(w, object, "networks", networks);
	for (size_t i = 0; i < tenant->guest_count; i++)
		push(w, guests, guest_json(w, &tenant->guests[i]));
	put(w, object, "guests", guests);
	return object;
}

char *gl_definition_to_json(const struct gl_definition *def)
{
	json_t *root = json_object(), *uplinks = json_array(), *tenants = json_array();
	struct writer w = { .ok = true };
	char *text = NULL;

	put(&w, root, "version", json_integer(1));
	for (size_t i = 0; i < def->uplink_count; i++) {
		const struct gl_uplink *uplink = &def->uplinks[i];
		json_t *object = json_object();

		put(&w, object, "name", json_string(uplink->name.s));
		put(&w, object, "interface", json_string(uplink->interface.s));
		put(&w, object, "xdp", json_string(xdp_name(uplink->xdp)));
		push(&w, uplinks, object);
	}
	put(&w, root, "uplinks", uplinks);
	for (size_t i = 0; i < def->tenant_count; i++)
		push(&w, tenants, tenant_json(&w, &def->tenants[i]));
	put(&w, root, "tenants", tenants);
	if (w.ok)
		text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}
