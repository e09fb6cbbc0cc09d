/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which entries describe interfaces and networks: what a port may send, who holds which MAC and address, where a
 * tenant's gateway routes, what everything is called? Neighbours: compile.c, abi.h (each map's own words). */
#include "loader/compile_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t all_ones[GL_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static bool joined(const struct gl_c_network *network)
{
	return network->def->mode == GL_MODE_NAT || network->def->mode == GL_MODE_ROUTED;
}

static uint32_t segment_of(const struct gl_c_network *network)
{
	return GL_SEGMENT(network->uplink->number, network->def->vlan);
}

/* ---- rings ------------------------------------------------------------------------------------------------ */

static int ring_compare(uint32_t key_a, uint32_t key_b, const struct gl_c_port *a, const struct gl_c_port *b)
{
	if (key_a != key_b)
		return key_a < key_b ? -1 : 1;
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

static int by_network(const void *left, const void *right)
{
	const struct gl_c_port *a = *(struct gl_c_port *const *)left, *b = *(struct gl_c_port *const *)right;

	return ring_compare(a->network->index, b->network->index, a, b);
}

static int by_segment(const void *left, const void *right)
{
	const struct gl_c_port *a = *(struct gl_c_port *const *)left, *b = *(struct gl_c_port *const *)right;

	return ring_compare(segment_of(a->network), segment_of(b->network), a, b);
}

static int close_rings(struct gl_c *c)
{
	struct gl_c_port **ring = malloc((c->port_count + 1) * sizeof(*ring));
	size_t count = 0;
	int err = 0;

	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < c->port_count; i++) {
		c->ports[i].next_in_segment = c->ports[i].slot;
		if (c->ports[i].link)
			ring[count++] = &c->ports[i];
	}
	qsort(ring, count, sizeof(*ring), by_network);
	for (size_t i = 0, first = 0; i < count; i++) {
		if (ring[i]->network != ring[first]->network)
			first = i;
		ring[i]->network->first_slot = ring[first]->slot;
		ring[i]->next_in_network = ring[first]->slot;
		if (i > first)
			ring[i - 1]->next_in_network = ring[i]->slot;
	}

	count = 0;
	for (size_t i = 0; i < c->port_count; i++)
		if (c->ports[i].link && c->ports[i].network->def->mode == GL_MODE_BRIDGE)
			ring[count++] = &c->ports[i];
	qsort(ring, count, sizeof(*ring), by_segment);
	for (size_t i = 0, first = 0; i < count && !err; i++) {
		if (!i || segment_of(ring[i]->network) != segment_of(ring[first]->network)) {
			struct gl_l2_key key = { .segment = segment_of(ring[i]->network) };
			struct gl_l2_val val = { .slot = ring[i]->slot };

			first = i;
			memcpy(key.mac, all_ones, GL_MAC_LEN);
			err = gl_c_emit(c, GL_MAP_L2, GL_ENTRY_SHARED, &key, &val);
		}
		ring[i]->next_in_segment = ring[first]->slot;
		if (i > first)
			ring[i - 1]->next_in_segment = ring[i]->slot;
	}
	free(ring);
	return err;
}

/* ---- prefixes --------------------------------------------------------------------------------------------- */

/* An entry of one of the tries, before it is known whether another of its key comes first. */
struct trie_item {
	uint32_t tenant;
	size_t order;
	struct gl_reach reach;
};

struct trie {
	struct trie_item *items;
	size_t count, capacity;
};

static int trie_add(struct trie *trie, uint32_t owner, uint32_t tenant, const struct gl_prefix *prefix, uint32_t kind,
		    uint32_t target)
{
	if (trie->count == trie->capacity) {
		size_t capacity = trie->capacity ? 2 * trie->capacity : 256;
		struct trie_item *items = realloc(trie->items, capacity * sizeof(*items));

		if (!items)
			return -ENOMEM;
		trie->items = items;
		trie->capacity = capacity;
	}
	trie->items[trie->count] = (struct trie_item){
		.tenant = tenant,
		.order = trie->count,
		.reach = { .owner = owner, .prefix = gl_prefix_clean(prefix), .kind = kind, .target = target },
	};
	trie->count++;
	return 0;
}

static int trie_key_compare(const struct gl_reach *a, const struct gl_reach *b)
{
	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return gl_prefix_compare(&a->prefix, &b->prefix);
}

/* A subnet before an allowed pair, then the definition's order. */
static int trie_compare(const void *left, const void *right)
{
	const struct trie_item *a = left, *b = right;
	int order = trie_key_compare(&a->reach, &b->reach);

	if (order)
		return order;
	if (a->reach.kind != b->reach.kind)
		return a->reach.kind < b->reach.kind ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int trie_emit(struct gl_c *c, struct trie *trie, struct gl_ip_entry (*entry_of)(const struct gl_reach *))
{
	int err = 0;

	if (trie->count)
		qsort(trie->items, trie->count, sizeof(*trie->items), trie_compare);
	for (size_t i = 0; i < trie->count && !err; i++) {
		const struct trie_item *item = &trie->items[i];

		if (!i || trie_key_compare(&trie->items[i - 1].reach, &item->reach))
			err = gl_c_emit_ip(c, item->tenant, entry_of(&item->reach));
	}
	return err;
}

/* ---- interfaces ------------------------------------------------------------------------------------------- */

static int emit_device(struct gl_c *c, const struct gl_link *link, uint32_t slot, uint32_t tenant,
		       const struct gl_port_val *port)
{
	int err = gl_c_emit(c, GL_MAP_PORT, tenant, &slot, port);

	if (!err)
		err = gl_c_emit(c, GL_MAP_DEVMAP, tenant, &slot, &link->ifindex);
	if (!err)
		err = gl_c_emit_name(c, GL_NAME_PORT, slot, tenant, link->name);
	return err;
}

static int emit_uplink(struct gl_c *c, const struct gl_c_uplink *uplink)
{
	struct gl_port_val port = {
		.ifindex = uplink->link->ifindex,
		.kind = GL_PORT_UPLINK,
		.mtu = uplink->link->mtu,
		.uplink = uplink->number,
		.uplink_slot = uplink->slot,
		.next_in_network = uplink->slot,
		.next_in_segment = uplink->slot,
	};
	int err;

	port.flags = (uplink->segment ? GL_PORT_F_SEGMENT : 0) | (uplink->link->xdp_out ? GL_PORT_F_XDP_OUT : 0) |
		     (uplink->ipv6 ? GL_PORT_F_IPV6 : 0);
	memcpy(port.mac, uplink->link->mac, GL_MAC_LEN);
	err = emit_device(c, uplink->link, uplink->slot, GL_ENTRY_SHARED, &port);
	if (!err)
		err = gl_c_emit_name(c, GL_NAME_UPLINK, uplink->number, GL_ENTRY_SHARED, uplink->def->name.s);
	return err;
}

/* The tenant's addresses: in the port as far as they fit, the rest and the allowed pairs in the trie. */
static int fill_addresses(const struct gl_c_port *p, struct gl_port_val *port, struct trie *allows)
{
	static const uint8_t more[GL_FAMILIES] = { GL_PORT_F_MORE_ADDRS, GL_PORT_F_MORE_ADDRS6 };
	const struct gl_interface *def = p->def;
	int err = 0;

	for (size_t i = 0; i < p->address_count + def->allowed_count && !err; i++) {
		bool own = i < p->address_count;
		const struct gl_prefix *addr =
			own ? &p->addresses[i] : &def->allowed_address_pairs[i - p->address_count];

		if (own && gl_port_address_add(port, addr))
			continue;
		port->flags |= more[gl_family_index(addr->family)];
		err = trie_add(allows, p->slot, p->tenant->index, addr, 0, 0);
	}
	for (size_t i = def->floating_count; i-- > 0;)
		gl_port_floating_set(port, &def->floating_ips[i]);
	return err;
}

static int by_number(const void *left, const void *right)
{
	const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

static void fill_groups(const struct gl_c_port *p, struct gl_port_val *port)
{
	if (!p->policy)
		return;
	port->policy = p->policy->index;
	for (size_t i = 0; i < p->policy->count; i++)
		port->group[port->group_count++] = p->policy->groups[i]->number;
	qsort(port->group, port->group_count, sizeof(*port->group), by_number);
}

static int emit_guest_port(struct gl_c *c, const struct gl_c_port *p, struct trie *allows)
{
	const struct gl_c_network *network = p->network;
	struct gl_port_val port = {
		.ifindex = p->link->ifindex,
		.kind = GL_PORT_GUEST,
		.flags = (p->link->xdp_out ? GL_PORT_F_XDP_OUT : 0) | (network->ipv6 ? GL_PORT_F_IPV6 : 0),
		.mode = network->def->mode,
		.tenant = p->tenant->index,
		.network = network->index,
		.mtu = p->link->mtu,
		.uplink = network->uplink ? network->uplink->number : GL_NO_UPLINK,
		.vlan = network->def->vlan,
		.uplink_slot = network->uplink ? network->uplink->slot : GL_NO_SLOT,
		.next_in_network = p->next_in_network,
		.next_in_segment = p->next_in_segment,
		.open_to = network->def->open_to,
	};
	int err;

	fill_groups(p, &port);
	memcpy(port.mac, p->def->mac, GL_MAC_LEN);
	memcpy(port.gw_mac, network->gw_mac, GL_MAC_LEN);
	memcpy(&port.link6_be, p->link_local.bytes, sizeof(port.link6_be));
	err = fill_addresses(p, &port, allows);
	if (!err)
		err = emit_device(c, p->link, p->slot, p->tenant->index, &port);
	if (!err)
		err = gl_c_emit_name(c, GL_NAME_GUEST, p->slot, p->tenant->index, p->guest->name.s);
	return err;
}

/* Its MAC and addresses in one segment: the network, or the uplink's. */
static int emit_holder(struct gl_c *c, const struct gl_c_port *p, uint32_t segment)
{
	struct gl_l2_key l2_key = { .segment = segment };
	struct gl_l2_val l2_val = { .slot = p->slot };
	struct gl_held held = { .segment = segment, .slot = p->slot };
	int err;

	memcpy(l2_key.mac, p->def->mac, GL_MAC_LEN);
	err = gl_c_emit_once(c, GL_MAP_L2, p->tenant->index, &l2_key, &l2_val, p->def->mac_loc);
	for (size_t i = 0; i < p->address_count && !err; i++) {
		held.addr = p->addresses[i];
		err = gl_c_emit_ip_once(c, p->tenant->index, gl_held_entry(&held), held.addr.loc);
	}
	held.addr = p->link_local;
	if (!err && held.addr.family)
		err = gl_c_emit_ip_once(c, p->tenant->index, gl_held_entry(&held), p->def->mac_loc);
	return err;
}

/* A pair of length 0 lets an interface use any source, but does not make it everybody's way out. Link-local addresses
 * do not leave their network. */
static int add_pair_routes(const struct gl_c_port *p, struct trie *routes)
{
	int err = 0;

	for (size_t i = 0; i < p->def->allowed_count && !err; i++) {
		const struct gl_prefix *pair = &p->def->allowed_address_pairs[i];

		if (pair->len && !gl_prefix_link_local(pair))
			err = trie_add(routes, p->tenant->index, p->tenant->index, pair, GL_ROUTE_PORT, p->slot);
	}
	return err;
}

/* ---- networks --------------------------------------------------------------------------------------------- */

static int emit_network(struct gl_c *c, const struct gl_c_network *network, struct trie *routes)
{
	const struct gl_network *def = network->def;
	struct gl_network_val val = {
		.mode = def->mode,
		.flags = (def->broadcast ? GL_NET_F_BROADCAST : 0) | (def->endpoint_independent ? GL_NET_F_EIM : 0),
		.mss = def->mss,
		.open_to = def->open_to,
		.tenant = network->tenant->index,
		.uplink = network->uplink ? network->uplink->number : GL_NO_UPLINK,
		.vlan = def->vlan,
		.uplink_slot = network->uplink ? network->uplink->slot : GL_NO_SLOT,
		.first_port = network->first_slot,
	};
	unsigned used[GL_FAMILIES] = { 0 };
	/* On a bridged segment the gateway is somebody else's and answers for itself. */
	bool ours = def->mode != GL_MODE_BRIDGE;
	int err = 0;

	memcpy(val.gw_mac, network->gw_mac, GL_MAC_LEN);
	for (unsigned family = 0; family < GL_FAMILIES; family++)
		for (unsigned i = 0; i < network->pool_count[family]; i++)
			gl_pool_add(&val, &network->pool[family][i]);
	if (network->ipv6 && ours) {
		const struct gl_prefix link_local = gl_eui64(NULL, network->gw_mac);

		memcpy(&val.link6_be, link_local.bytes, sizeof(val.link6_be));
	}
	for (size_t i = 0; i < def->subnet_count && !err; i++) {
		const struct gl_prefix *subnet = &def->subnets[i];
		const struct gl_prefix gateway = gl_network_gateway(def, i);

		if (!gl_gateway_set(&val, used[gl_family_index(subnet->family)]++, subnet, ours ? &gateway : NULL)) {
			gl_c_refuse(c, subnet->loc, "network %s has more than %d %s subnets", network->name,
				    GL_NET_GATEWAYS, gl_family_text(subnet->family));
			break;
		}
		if (joined(network))
			err = trie_add(routes, network->tenant->index, network->tenant->index, subnet, GL_ROUTE_SUBNET,
				       network->index);
	}
	if (!err)
		err = gl_c_emit(c, GL_MAP_NETWORK, network->tenant->index, &network->index, &val);
	if (!err)
		err = gl_c_emit_name(c, GL_NAME_NETWORK, network->index, network->tenant->index, network->name);
	return err;
}

int gl_c_ports(struct gl_c *c)
{
	struct trie routes = { 0 }, allows = { 0 };
	int err = close_rings(c);

	for (size_t i = 0; i < c->uplink_count && !err; i++)
		err = emit_uplink(c, &c->uplinks[i]);
	for (size_t i = 0; i < c->tenant_count && !err; i++)
		err = gl_c_emit_name(c, GL_NAME_TENANT, c->tenants[i].index, c->tenants[i].index,
				     c->tenants[i].def->name.s);
	for (size_t i = 0; i < c->network_count && !err; i++)
		err = emit_network(c, &c->networks[i], &routes);
	for (size_t i = 0; i < c->port_count && !err; i++) {
		const struct gl_c_port *p = &c->ports[i];

		if (!p->link)
			continue;
		err = emit_guest_port(c, p, &allows);
		if (!err)
			err = emit_holder(c, p, p->network->index);
		if (!err && p->network->def->mode == GL_MODE_BRIDGE)
			err = emit_holder(c, p, segment_of(p->network));
		if (!err && joined(p->network))
			err = add_pair_routes(p, &routes);
	}
	if (!err)
		err = trie_emit(c, &routes, gl_route_entry);
	if (!err)
		err = trie_emit(c, &allows, gl_allow_entry);
	free(routes.items);
	free(allows.items);
	return err;
}
