/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Random texts that happen to be definitions: whatever the validator lets through compiles or is refused with a place,
 * compiles again to the same entries, keeps its numbers, and holds together: every slot, network and tenant that an
 * entry speaks of exists, rings close, and pools have their blocks. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/compile.h"
#include "loader/ipentry.h"
#include "loader/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                                        \
	do {                                                                                                           \
		if (!(x)) {                                                                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                        \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static const void *find(const struct gl_mapset *set, enum gl_map_id map, const void *key)
{
	const struct gl_entry *entry = gl_mapset_find(set, map, key);

	return entry ? entry->val : NULL;
}

static const struct gl_port_val *port_at(const struct gl_mapset *set, uint32_t slot)
{
	const struct gl_port_val *port = find(set, GL_MAP_PORT, &slot);

	MUST(port && port->ifindex);
	return port;
}

static void check_port(const struct gl_mapset *set, uint32_t slot, const struct gl_port_val *port)
{
	struct gl_prefix addrs[GL_FAMILIES * GL_PORT_ADDRS + 1] = { 0 };
	const struct gl_network_val *network;
	uint32_t at = slot, steps = 0;
	unsigned count;

	MUST(((slot - port->ifindex) & (GL_PORT_SLOTS - 1)) < GL_PORT_PROBES);
	MUST(port->addr_count <= GL_PORT_ADDRS && port->addr6_count <= GL_PORT_ADDRS);
	if (port->kind != GL_PORT_GUEST)
		return;
	network = find(set, GL_MAP_NETWORK, &port->network);
	MUST(network && network->tenant == port->tenant && network->mode == port->mode);
	MUST(port->gen);
	/* What an interface may use, it also holds. */
	count = gl_port_addresses_of(port, addrs);
	if (port->flags & GL_PORT_F_IPV6)
		addrs[count++] = gl_eui64(NULL, port->mac);
	for (unsigned i = 0; i < count; i++) {
		const struct gl_held held = { .segment = port->network, .addr = addrs[i] };
		const struct gl_ip_entry key = gl_held_entry(&held);
		const struct gl_entry *entry = gl_mapset_find(set, key.map, key.key);

		MUST(entry && gl_held_of(entry).slot == slot);
	}
	if (addrs[count].family == AF_INET6)
		MUST(!memcmp(&port->link6_be, addrs[count].bytes, 16));
	do {
		const struct gl_port_val *other = port_at(set, at);

		MUST(other->network == port->network && other->kind == GL_PORT_GUEST);
		at = other->next_in_network;
		MUST(steps++ <= GL_PORT_SLOTS);
	} while (at != slot);
	if (port->uplink != GL_NO_UPLINK)
		MUST(port_at(set, port->uplink_slot)->kind == GL_PORT_UPLINK);
}

static void check_network(const struct gl_mapset *set, const struct gl_network_val *network)
{
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];
	struct gl_prefix gateways[GL_FAMILIES * GL_NET_GATEWAYS];
	unsigned used = gl_pools_of(network, pools);
	bool ipv4 = false;

	MUST(network->mode != GL_MODE_NONE);
	MUST(network->pool4_count <= GL_NET_POOL && network->pool6_count <= GL_NET_POOL);
	for (unsigned i = 0; i < gl_gateways_of(network, gateways); i++)
		ipv4 |= gateways[i].family == AF_INET;
	if (network->mode != GL_MODE_NAT)
		MUST(!used);
	else if (ipv4)
		MUST(network->pool4_count);
	if (network->first_port != GL_NO_SLOT)
		MUST(port_at(set, network->first_port)->tenant == network->tenant);
	for (unsigned i = 0; i < used; i++) {
		MUST(pools[i].min <= pools[i].max);
		for (unsigned block = pools[i].min >> GL_NAT_BLOCK_SHIFT;
		     block <= (unsigned)pools[i].max >> GL_NAT_BLOCK_SHIFT; block++) {
			const struct gl_public public = { .addr = pools[i].addr,
							  .block = (uint16_t)block,
							  .uplink = (uint8_t)network->uplink };
			const struct gl_ip_entry key = gl_public_entry(&public);
			const struct gl_entry *entry = gl_mapset_find(set, key.map, key.key);

			MUST(entry && gl_public_of(entry).tenant == network->tenant);
		}
	}
}

/* Link-local addresses stay where they are. */
static void check_route(struct gl_reach reach)
{
	MUST(!gl_prefix_link_local(&reach.prefix));
}

/* Whole options to the end, as guests walk them (RFC 4861 4.6). */
static void check_ra(const struct gl_mapset *set, uint32_t index, const struct gl_ra_val *ra)
{
	const struct gl_network_val *network = find(set, GL_MAP_NETWORK, &index);
	unsigned at = 16;

	MUST(network && network->mode != GL_MODE_BRIDGE);
	MUST(ra->len <= GL_RA_BODY && !(ra->len % 8) && ra->interval && ra->body[0] == 134);
	while (at < ra->len) {
		MUST(ra->body[at + 1]);
		at += 8 * ra->body[at + 1];
	}
	MUST(at == ra->len);
}

static void check_set(const struct gl_mapset *set)
{
	for (size_t i = 0; i < gl_mapset_count(set); i++) {
		const struct gl_entry *entry = gl_mapset_at(set, i);
		uint32_t index;

		memcpy(&index, entry->key, sizeof(index));
		if (entry->map == GL_MAP_PORT)
			check_port(set, index, entry->val);
		else if (entry->map == GL_MAP_NETWORK)
			check_network(set, entry->val);
		else if (entry->map == GL_MAP_L2)
			port_at(set, ((const struct gl_l2_val *)entry->val)->slot);
		else if (entry->map == GL_MAP_HOST4 || entry->map == GL_MAP_HOST6)
			port_at(set, gl_held_of(entry).slot);
		else if (entry->map == GL_MAP_FORWARD4 || entry->map == GL_MAP_FORWARD6)
			MUST(port_at(set, gl_forwarded_of(entry).slot)->tenant == entry->tenant);
		else if (entry->map == GL_MAP_ROUTE6)
			check_route(gl_reach_of(entry));
		else if (entry->map == GL_MAP_RA)
			check_ra(set, index, entry->val);
	}
}

/* The host: an uplink, and a link for most interfaces of the definition. */
static void make_facts(const struct gl_definition *def, struct gl_facts *facts)
{
	uint32_t ifindex = 5;
	size_t most = def->uplink_count;

	for (size_t t = 0; t < def->tenant_count; t++)
		for (size_t g = 0; g < def->tenants[t].guest_count; g++)
			most += def->tenants[t].guests[g].interface_count;
	facts->links = calloc(most + 1, sizeof(*facts->links));
	MUST(facts->links);
	for (size_t i = 0; i < def->uplink_count; i++) {
		struct gl_link *link = &facts->links[facts->link_count++];

		*link = (struct gl_link){ .ifindex = ifindex++, .mtu = 1500 };
		snprintf(link->name, sizeof(link->name), "%s", def->uplinks[i].interface.s);
		link->addrs = calloc(GL_FAMILIES, sizeof(*link->addrs));
		MUST(link->addrs);
		link->addrs[0].addr = (struct gl_prefix){ .family = AF_INET, .len = 24, .bytes = { 192, 0, 2 } };
		link->addrs[1].addr =
			(struct gl_prefix){ .family = AF_INET6, .len = 64, .bytes = { 0x20, 1, 13, 184 } };
		link->addrs[0].addr.bytes[3] = link->addrs[1].addr.bytes[15] = (uint8_t)(1 + i);
		/* Some uplinks have no IPv6. */
		link->addr_count = 1 + i % 2;
	}
	for (size_t t = 0; t < def->tenant_count; t++)
		for (size_t g = 0; g < def->tenants[t].guest_count; g++)
			for (size_t i = 0; i < def->tenants[t].guests[g].interface_count; i++) {
				const struct gl_interface *interface = &def->tenants[t].guests[g].interfaces[i];
				struct gl_link *link;

				if (ifindex++ % 7 == 0)
					continue;
				link = &facts->links[facts->link_count++];
				*link = (struct gl_link){ .ifindex = ifindex, .mtu = 1500 };
				snprintf(link->name, sizeof(link->name), "%s", interface->tap.s);
			}
}

static void compile_twice(const struct gl_definition *def, const struct gl_facts *facts, struct gl_diag *diag)
{
	struct gl_mapset *empty = NULL;
	struct gl_desired *first = NULL, *second = NULL;
	struct gl_plan *plan = NULL;
	struct gl_plan_in in = { 0 };
	int err;

	MUST(!gl_mapset_new(&empty) && !gl_mapset_seal(empty));
	err = gl_compile(def, facts, empty, &first, diag);
	MUST(!err || diag->count);
	for (size_t i = 0; i < diag->count; i++)
		MUST(!strstr(diag->findings[i].text, "one map entry"));
	if (!err) {
		check_set(first->entries);
		MUST(!gl_compile(def, facts, first->entries, &second, diag));
		in = (struct gl_plan_in){ .live = first->entries,
					  .desired = second,
					  .tables = first->tables,
					  .table_count = first->table_count,
					  .reserved = first->reserved,
					  .reserved_count = first->reserved_count };
		MUST(!gl_plan_make(&in, &plan));
		MUST(!plan->count && !plan->map_entries);
		gl_plan_free(plan);
		in = (struct gl_plan_in){ .live = empty, .desired = first };
		MUST(!gl_plan_make(&in, &plan));
		MUST(plan->map_entries == gl_mapset_count(first->entries));
		gl_plan_free(plan);
	}
	gl_desired_free(first);
	gl_desired_free(second);
	gl_mapset_free(empty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gl_definition *def = NULL;
	struct gl_facts facts = { 0 };
	struct gl_diag diag = { 0 };

	if (gl_definition_new(&def))
		return 0;
	if (!gl_parse(def, "fuzz", (const char *)data, size, &diag) && !gl_validate(def, &diag)) {
		make_facts(def, &facts);
		compile_twice(def, &facts, &diag);
	}
	gl_facts_clear(&facts);
	gl_diag_clear(&diag);
	gl_definition_free(def);
	return 0;
}
