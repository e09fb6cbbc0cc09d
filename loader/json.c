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
	put(w, object, "mapping",
	    json_string(network->endpoint_independent ? "endpoint-independent" : "endpoint-dependent"));
	return object;
}

static json_t *router_advertisements(struct writer *w, const struct gl_router_advertisements *ra)
{
	json_t *object = json_object();

	put(w, object, "mode", json_string(gl_ra_mode_name(ra->mode)));
	if (ra->dns_count)
		put(w, object, "dns", prefixes(w, ra->dns, ra->dns_count));
	put(w, object, "interval", json_integer(ra->interval));
	put(w, object, "lifetime", json_integer(ra->lifetime));
	if (ra->mtu)
		put(w, object, "mtu", json_integer(ra->mtu));
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
	if (network->ra.loc.line)
		put(w, object, "router_advertisements", router_advertisements(w, &network->ra));
	if (network->nat_loc.line)
		put(w, object, "nat", nat(w, network));
	if (network->mss == GL_MSS_KEEP || network->mss == GL_MSS_PATH)
		put(w, object, "mss", json_string(network->mss == GL_MSS_KEEP ? "keep" : "path"));
	else
		put(w, object, "mss", json_integer(network->mss));
	put(w, object, "open_to", json_string(gl_open_name(network->open_to)));
	put(w, object, "broadcast", json_boolean(network->broadcast));
	return object;
}

static json_t *interface_json(struct writer *w, const struct gl_interface *interface)
{
	json_t *object = json_object();
	const uint8_t *m = interface->mac;
	json_t *addresses = prefixes(w, interface->addresses, interface->address_count);
	char mac[18];

	if (interface->slaac)
		push(w, addresses, json_string("slaac"));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	put(w, object, "tap", json_string(interface->tap.s));
	put(w, object, "mac", json_string(mac));
	put(w, object, "network", json_string(interface->network.s));
	put(w, object, "addresses", addresses);
	if (interface->group_count) {
		json_t *groups = json_array();

		for (size_t i = 0; i < interface->group_count; i++)
			push(w, groups, json_string(interface->groups[i].s));
		put(w, object, "security_groups", groups);
	}
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

static void rule_proto(struct writer *w, json_t *object, const struct gl_rule *rule)
{
	switch (rule->any_proto ? -1 : rule->proto) {
	case -1:
		put(w, object, "proto", json_string("any"));
		return;
	case IPPROTO_ICMP:
		put(w, object, "proto", json_string("icmp"));
		return;
	case IPPROTO_ICMPV6:
		put(w, object, "proto", json_string("icmpv6"));
		return;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		put(w, object, "proto", json_string(proto_name(rule->proto)));
		return;
	default:
		put(w, object, "proto", json_integer(rule->proto));
	}
}

static json_t *rule_json(struct writer *w, const struct gl_rule *rule)
{
	json_t *object = json_object();
	char remote[50];

	rule_proto(w, object, rule);
	if (rule->port_count && (rule->proto == IPPROTO_ICMP || rule->proto == IPPROTO_ICMPV6)) {
		put(w, object, "icmp_type", json_integer(rule->ports->first >> 8));
		if (rule->ports->first == rule->ports->last)
			put(w, object, "icmp_code", json_integer(rule->ports->first & 0xff));
	} else if (rule->port_count) {
		put(w, object, "ports", ports(w, rule->ports, rule->port_count));
	}
	if (rule->remote_ip.family)
		put(w, object, "remote_ip", json_string(gl_prefix_format(&rule->remote_ip, remote)));
	if (rule->remote_group.s)
		put(w, object, "remote_group", json_string(rule->remote_group.s));
	return object;
}

static json_t *rules_json(struct writer *w, const struct gl_group *group, enum gl_direction direction)
{
	json_t *array = json_array();

	for (size_t i = 0; i < group->rule_count[direction]; i++)
		push(w, array, rule_json(w, &group->rules[direction][i]));
	return array;
}

static json_t *group_json(struct writer *w, const struct gl_group *group)
{
	json_t *object = json_object();

	put(w, object, "name", json_string(group->name.s));
	put(w, object, "ingress", rules_json(w, group, GL_INGRESS));
	if (group->egress_given) /* an empty list is another thing than none */
		put(w, object, "egress", rules_json(w, group, GL_EGRESS));
	return object;
}

/* Those that the definition names: the others' defaults may change. */
static void timeouts(struct writer *w, json_t *tenant_object, const struct gl_tenant *tenant)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < GL_TIMEOUT_COUNT; i++) {
		if (tenant->timeout[i])
			put(w, object, gl_timeout_name(i), json_integer(tenant->timeout[i]));
	}
	if (json_object_size(object))
		put(w, tenant_object, "timeouts", object);
	else
		json_decref(object);
}

static json_t *tenant_json(struct writer *w, const struct gl_tenant *tenant)
{
	json_t *object = json_object(), *networks = json_array(), *guests = json_array(), *groups = json_array();

	put(w, object, "name", json_string(tenant->name.s));
	put(w, object, "max_flows", json_integer(tenant->max_flows));
	timeouts(w, object, tenant);
	put(w, object, "tcp_pickup", json_boolean(tenant->tcp_pickup));
	for (size_t i = 0; i < tenant->group_count; i++)
		push(w, groups, group_json(w, &tenant->groups[i]));
	put(w, object, "security_groups", groups);
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
