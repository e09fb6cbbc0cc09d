/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* In which order does a definition become map entries, and what else does it ask of the host?
 * Collect, number, public addresses, ports and networks, policies, seal, generations. The parts: compile_index.c,
 * compile_public.c, compile_nat.c, compile_share.c, compile_tenant.c, compile_port.c, compile_ra.c, compile_group.c. */
#include "loader/compile_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- emitting --------------------------------------------------------------------------------------------- */

int gl_c_emit(struct gl_c *c, enum gl_map_id map, uint32_t tenant, const void *key, const void *val)
{
	return gl_mapset_add(c->out->entries, map, tenant, key, val);
}

int gl_c_emit_once(struct gl_c *c, enum gl_map_id map, uint32_t tenant, const void *key, const void *val,
		   struct gl_loc loc)
{
	struct gl_c_claim *claim;

	if (c->claim_count == c->claim_capacity) {
		size_t capacity = c->claim_capacity ? 2 * c->claim_capacity : 256;
		struct gl_c_claim *claims = realloc(c->claims, capacity * sizeof(*claims));

		if (!claims)
			return -ENOMEM;
		c->claims = claims;
		c->claim_capacity = capacity;
	}
	claim = &c->claims[c->claim_count++];
	*claim = (struct gl_c_claim){ .map = map, .loc = loc };
	memcpy(claim->key, key, gl_map_info(map)->key_size);
	return gl_c_emit(c, map, tenant, key, val);
}

static int claim_key_compare(const struct gl_c_claim *a, const struct gl_c_claim *b)
{
	if (a->map != b->map)
		return a->map < b->map ? -1 : 1;
	return memcmp(a->key, b->key, sizeof(a->key));
}

static int claim_compare(const void *left, const void *right)
{
	const struct gl_c_claim *a = left, *b = right;
	int order = claim_key_compare(a, b);

	if (order)
		return order;
	if (a->loc.line != b->loc.line)
		return a->loc.line < b->loc.line ? -1 : 1;
	return a->loc.col < b->loc.col ? -1 : a->loc.col > b->loc.col;
}

static void claim_text(const struct gl_c_claim *claim, char *buf, size_t size)
{
	const struct gl_l2_key *l2 = (const void *)claim->key;
	/* Their values do not matter here. */
	const uint64_t none[5] = { 0 };
	const struct gl_entry entry = { .map = claim->map, .key = claim->key, .val = none };
	struct gl_forwarded forwarded;
	struct gl_held held;
	char addr[50];

	if (claim->map == GL_MAP_L2) {
		snprintf(buf, size, "MAC %02x:%02x:%02x:%02x:%02x:%02x", l2->mac[0], l2->mac[1], l2->mac[2], l2->mac[3],
			 l2->mac[4], l2->mac[5]);
	} else if (claim->map == GL_MAP_HOST4 || claim->map == GL_MAP_HOST6) {
		held = gl_held_of(&entry);
		snprintf(buf, size, "address %s", gl_prefix_format(&held.addr, addr));
	} else {
		forwarded = gl_forwarded_of(&entry);
		snprintf(buf, size, "port %u of %s", forwarded.port, gl_prefix_format(&forwarded.addr, addr));
	}
}

/* The validator sees most of these; what only the uplink brings together, such as two tenants' bridge networks on one
 * segment, shows here. */
static void check_claims(struct gl_c *c)
{
	if (c->claim_count)
		qsort(c->claims, c->claim_count, sizeof(*c->claims), claim_compare);
	for (size_t i = 1; i < c->claim_count; i++) {
		const struct gl_c_claim *first = &c->claims[i - 1], *second = &c->claims[i];
		char text[80];

		if (claim_key_compare(first, second))
			continue;
		claim_text(second, text, sizeof(text));
		gl_c_refuse(c, second->loc, "%s is in use already, at %s:%u", text,
			    first->loc.file ? first->loc.file : "", first->loc.line);
	}
}

int gl_c_emit_name(struct gl_c *c, enum gl_name_kind kind, uint32_t index, uint32_t tenant, const char *name)
{
	struct gl_name_key key = { .kind = kind, .index = index };
	struct gl_name_val val = { { 0 } };
	size_t length = strlen(name);

	memcpy(val.name, name, length < sizeof(val.name) ? length : sizeof(val.name) - 1);
	return gl_c_emit(c, GL_MAP_NAME, tenant, &key, &val);
}

int gl_c_reserve(struct gl_c *c, uint16_t min, uint16_t max)
{
	struct gl_desired *out = c->out;

	/* Grows by powers of two. */
	if (!(out->reserved_count & (out->reserved_count - 1))) {
		size_t capacity = out->reserved_count ? 2 * out->reserved_count : 1;
		struct gl_port_range *reserved = realloc(out->reserved, capacity * sizeof(*reserved));

		if (!reserved)
			return -ENOMEM;
		out->reserved = reserved;
	}
	out->reserved[out->reserved_count++] = (struct gl_port_range){ .min = min, .max = max };
	return 0;
}

int gl_c_take_mac(struct gl_c *c, const struct gl_c_uplink *uplink, const uint8_t mac[6])
{
	struct gl_desired *out = c->out;
	struct gl_uplink_mac *taken;

	if (!(out->uplink_mac_count & (out->uplink_mac_count - 1))) {
		size_t capacity = out->uplink_mac_count ? 2 * out->uplink_mac_count : 1;

		taken = realloc(out->uplink_macs, capacity * sizeof(*taken));
		if (!taken)
			return -ENOMEM;
		out->uplink_macs = taken;
	}
	taken = &out->uplink_macs[out->uplink_mac_count++];
	memset(taken, 0, sizeof(*taken));
	taken->ifindex = uplink->link->ifindex;
	memcpy(taken->mac, mac, sizeof(taken->mac));
	return 0;
}

int gl_c_take_solicited(struct gl_c *c, const struct gl_c_uplink *uplink, const struct gl_prefix *addr)
{
	const uint8_t mac[6] = { 0x33, 0x33, 0xff, addr->bytes[13], addr->bytes[14], addr->bytes[15] };

	return addr->family == AF_INET6 && addr->len == 128 ? gl_c_take_mac(c, uplink, mac) : 0;
}

/* What a bridged guest's segment sends to it: frames to its MAC; of neighbour discovery what is for its addresses, and
 * for all (routers' advertisements). */
static int take_bridged(struct gl_c *c, const struct gl_c_port *port)
{
	static const uint8_t all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const struct gl_c_uplink *uplink = port->network->uplink;
	int err = gl_c_take_mac(c, uplink, port->def->mac);

	if (err || !port->link_local.family)
		return err;
	err = gl_c_take_mac(c, uplink, all_nodes);
	if (!err)
		err = gl_c_take_solicited(c, uplink, &port->link_local);
	for (size_t i = 0; i < port->address_count && !err; i++)
		err = gl_c_take_solicited(c, uplink, &port->addresses[i]);
	for (size_t i = 0; i < port->def->allowed_count && !err; i++)
		err = gl_c_take_solicited(c, uplink, &port->def->allowed_address_pairs[i]);
	return err;
}

/* ---- collecting ------------------------------------------------------------------------------------------- */

static int link_compare(const void *left, const void *right)
{
	return strcmp((*(const struct gl_link *const *)left)->name, (*(const struct gl_link *const *)right)->name);
}

static int link_find(const void *name, const void *link)
{
	return strcmp(name, (*(const struct gl_link *const *)link)->name);
}

static int collect_uplinks(struct gl_c *c)
{
	const struct gl_definition *def = c->def;

	c->uplinks = calloc(def->uplink_count + 1, sizeof(*c->uplinks));
	if (!c->uplinks)
		return -ENOMEM;
	for (size_t i = 0; i < def->uplink_count; i++) {
		struct gl_c_uplink *uplink = &c->uplinks[c->uplink_count++];

		uplink->def = &def->uplinks[i];
		uplink->link = gl_facts_find(c->facts, def->uplinks[i].interface.s);
		if (!uplink->link)
			gl_c_refuse(c, def->uplinks[i].interface.loc, "the host has no interface %s for uplink %s",
				    def->uplinks[i].interface.s, def->uplinks[i].name.s);
	}
	return 0;
}

static void collect_network(struct gl_c *c, const struct gl_c_tenant *tenant, const struct gl_network *def)
{
	struct gl_c_network *network = &c->networks[c->network_count++];

	network->def = def;
	network->tenant = tenant;
	network->first_slot = GL_NO_SLOT;
	if (strlen(tenant->def->name.s) >= GL_NAME_LEN || strlen(def->name.s) >= GL_NAME_LEN)
		gl_c_refuse(c, def->name.loc, "names have at most %d characters", GL_NAME_LEN - 1);
	snprintf(network->name, sizeof(network->name), "%s/%s", tenant->def->name.s, def->name.s);
	gl_gateway_mac(tenant->def->name.s, def->name.s, network->gw_mac);
	network->ipv6 = gl_prefix_first(def->subnets, def->subnet_count, AF_INET6);
	if (def->mode == GL_MODE_ISOLATED)
		return;
	for (size_t i = 0; i < c->uplink_count && def->uplink.s; i++)
		if (!strcmp(c->uplinks[i].def->name.s, def->uplink.s))
			network->uplink = &c->uplinks[i];
	if (!network->uplink)
		gl_c_refuse(c, def->uplink.s ? def->uplink.loc : def->loc, "network %s needs an uplink that is defined",
			    network->name);
	if (!network->uplink)
		return;
	network->uplink->segment |= def->mode == GL_MODE_BRIDGE;
	network->uplink->ipv6 |= network->ipv6;
}

/* An interface's addresses, its link-local one apart. */
static int list_addresses(struct gl_c_port *port)
{
	const struct gl_interface *def = port->def;
	const struct gl_network *network = port->network->def;

	if (port->network->ipv6)
		port->link_local = gl_eui64(NULL, def->mac);
	port->addresses = calloc(def->address_count + network->subnet_count + 1, sizeof(*port->addresses));
	if (!port->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < def->address_count; i++)
		if (gl_prefix_compare(&def->addresses[i], &port->link_local))
			port->addresses[port->address_count++] = def->addresses[i];
	for (size_t i = 0; def->slaac && i < network->subnet_count; i++) {
		struct gl_prefix made = gl_eui64(&network->subnets[i], def->mac);

		made.loc = def->slaac_loc;
		if (network->subnets[i].family == AF_INET6 && network->subnets[i].len == 64)
			port->addresses[port->address_count++] = made;
	}
	return 0;
}

static int collect_tenant(struct gl_c *c, const struct gl_tenant *def, const struct gl_link *const *links,
			  size_t link_count)
{
	struct gl_c_tenant *tenant = &c->tenants[c->tenant_count++];
	int err = 0;

	tenant->def = def;
	tenant->first_network = c->network_count;
	for (size_t i = 0; i < def->network_count; i++)
		collect_network(c, tenant, &def->networks[i]);
	for (size_t i = 0; i < def->guest_count; i++)
		for (size_t j = 0; j < def->guests[i].interface_count && !err; j++) {
			const struct gl_interface *interface = &def->guests[i].interfaces[j];
			const struct gl_network *network = gl_find_network(def, interface->network.s);
			const struct gl_link *const *link =
				link_count ? bsearch(interface->tap.s, links, link_count, sizeof(*links), link_find)
					   : NULL;

			if (!network || strlen(interface->tap.s) >= IFNAMSIZ) {
				gl_c_refuse(c, interface->loc,
					    "interface %s needs a network of tenant %s and a name "
					    "of at most %d characters",
					    interface->tap.s, def->name.s, IFNAMSIZ - 1);
				continue;
			}
			c->ports[c->port_count++] = (struct gl_c_port){
				.def = interface,
				.guest = &def->guests[i],
				.tenant = tenant,
				.network = &c->networks[tenant->first_network + (network - def->networks)],
				.link = link ? *link : NULL,
			};
			err = list_addresses(&c->ports[c->port_count - 1]);
		}
	return err;
}

static int collect(struct gl_c *c)
{
	const struct gl_definition *def = c->def;
	const struct gl_link **links = malloc((c->facts->link_count + 1) * sizeof(*links));
	size_t networks = 0, ports = 0;
	int err;

	if (!links)
		return -ENOMEM;
	for (size_t i = 0; i < c->facts->link_count; i++)
		links[i] = &c->facts->links[i];
	qsort(links, c->facts->link_count, sizeof(*links), link_compare);
	for (size_t i = 0; i < def->tenant_count; i++) {
		networks += def->tenants[i].network_count;
		for (size_t j = 0; j < def->tenants[i].guest_count; j++)
			ports += def->tenants[i].guests[j].interface_count;
	}
	c->tenants = calloc(def->tenant_count + 1, sizeof(*c->tenants));
	c->networks = calloc(networks + 1, sizeof(*c->networks));
	c->ports = calloc(ports + 1, sizeof(*c->ports));
	err = c->tenants && c->networks && c->ports ? collect_uplinks(c) : -ENOMEM;
	for (size_t i = 0; i < def->tenant_count && !err; i++)
		err = collect_tenant(c, &def->tenants[i], links, c->facts->link_count);
	free(links);
	return err;
}

/* ---- generations ------------------------------------------------------------------------------------------ */

/* FNV-1a over 32-bit words, with a shift so that high bits reach low ones. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i + 4 <= size; i += 4) {
		uint32_t word;

		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	return hash;
}

static uint64_t mix_entry(uint64_t hash, const struct gl_entry *entry)
{
	const struct gl_map_info *info = gl_map_info(entry->map);
	uint32_t map = entry->map;

	return mix(mix(mix(hash, &map, sizeof(map)), entry->key, info->key_size), entry->val, info->val_size);
}

static bool is_public(enum gl_map_id map)
{
	return map == GL_MAP_ADDR4 || map == GL_MAP_ADDR6 || map == GL_MAP_FORWARD4 || map == GL_MAP_FORWARD6;
}

/* A tenant's verdicts depend on its own entries, on every public address (whose is it?) and on the uplinks. Names,
 * devices and router advertisements do not count: no verdict depends on them. */
static int set_generations(struct gl_c *c)
{
	struct gl_mapset *set = c->out->entries;
	uint64_t *hashes = malloc((GL_MAX_TENANTS + 1) * sizeof(*hashes)), shared = 0xcbf29ce484222325u;

	if (!hashes)
		return -ENOMEM;
	for (size_t i = 0; i < GL_MAX_TENANTS; i++)
		hashes[i] = 0xcbf29ce484222325u;
	for (size_t i = 0; i < gl_mapset_count(set); i++) {
		const struct gl_entry *entry = gl_mapset_at(set, i);

		if (entry->map == GL_MAP_NAME || entry->map == GL_MAP_DEVMAP || entry->map == GL_MAP_TENANT ||
		    entry->map == GL_MAP_RA)
			continue;
		if (is_public(entry->map) || entry->tenant == GL_ENTRY_SHARED)
			shared = mix_entry(shared, entry);
		else
			hashes[entry->tenant] = mix_entry(hashes[entry->tenant], entry);
	}
	for (size_t i = 0; i < gl_mapset_count(set); i++) {
		const struct gl_entry *entry = gl_mapset_at(set, i);
		uint32_t gen, *place = gl_entry_gen(entry->map, gl_mapset_edit(set, i));
		uint64_t hash;

		if (!place || entry->tenant == GL_ENTRY_SHARED)
			continue;
		hash = mix(hashes[entry->tenant], &shared, sizeof(shared));
		gen = (uint32_t)(hash ^ hash >> 32);
		*place = gen ? gen : 1;
	}
	free(hashes);
	return 0;
}

static void check_room(struct gl_c *c)
{
	for (unsigned map = 0; map < GL_MAP_COUNT; map++) {
		const struct gl_map_info *info = gl_map_info(map);
		uint32_t room = info->role == GL_ROLE_SIDED ? info->max_entries / 2 : info->max_entries;
		size_t first, count = gl_mapset_range(c->out->entries, map, &first);

		if (count > room)
			gl_c_refuse(c, (struct gl_loc){ 0 },
				    "the definition needs %zu entries of map %s (%s), which has room for %u", count,
				    info->name, info->help, room);
	}
}

/* ---- what else the host has to do ------------------------------------------------------------------------- */

static int device_compare(const void *left, const void *right)
{
	return strcmp(((const struct gl_device *)left)->name, ((const struct gl_device *)right)->name);
}

static int table_compare(const void *left, const void *right)
{
	const struct gl_flow_table *a = left, *b = right;

	if (a->tenant != b->tenant)
		return a->tenant < b->tenant ? -1 : 1;
	return a->map < b->map ? -1 : a->map > b->map;
}

static int mac_compare(const void *left, const void *right)
{
	const struct gl_uplink_mac *a = left, *b = right;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return memcmp(a->mac, b->mac, sizeof(a->mac));
}

static int range_compare(const void *left, const void *right)
{
	const struct gl_port_range *a = left, *b = right;

	return a->min < b->min ? -1 : a->min > b->min;
}

static int pending_compare(const void *left, const void *right)
{
	return strcmp(left, right);
}

static void add_device(struct gl_desired *out, const struct gl_link *link, uint32_t slot, bool uplink,
		       enum gl_xdp_wish xdp)
{
	struct gl_device *device = &out->devices[out->device_count++];

	memcpy(device->name, link->name, sizeof(device->name));
	device->ifindex = link->ifindex;
	device->slot = slot;
	device->uplink = uplink;
	device->up = link->up;
	device->xdp = xdp;
	if (uplink && link->rxvlan)
		device->doubt = GL_XDP_HIDES_TAGS;
	else if (!strcmp(link->kind, "veth"))
		device->doubt = GL_XDP_LOSES_GSO;
}

/* One for IPv4, and one for IPv6 where some network of the tenant has it. */
static void add_tables(struct gl_c *c, const struct gl_c_tenant *tenant)
{
	bool ipv6 = false;

	for (size_t i = 0; i < tenant->def->network_count; i++)
		ipv6 |= c->networks[tenant->first_network + i].ipv6;
	for (unsigned family = 0; family < (ipv6 ? GL_FAMILIES : 1); family++) {
		struct gl_flow_table *table = &c->out->tables[c->out->table_count++];

		table->tenant = tenant->index;
		table->map = gl_map_of(GL_MAP_FLOW4, gl_family_at(family));
		table->max_flows = tenant->def->max_flows;
		strncpy(table->name, tenant->def->name.s, sizeof(table->name) - 1);
	}
}

static void merge_reserved(struct gl_desired *out)
{
	size_t kept = 0;

	if (!out->reserved_count)
		return;
	qsort(out->reserved, out->reserved_count, sizeof(*out->reserved), range_compare);
	for (size_t i = 1; i < out->reserved_count; i++) {
		struct gl_port_range *last = &out->reserved[kept], *next = &out->reserved[i];

		if (next->min > (uint32_t)last->max + 1)
			out->reserved[++kept] = *next;
		else if (next->max > last->max)
			last->max = next->max;
	}
	out->reserved_count = kept + 1;
}

static int list_host_work(struct gl_c *c)
{
	struct gl_desired *out = c->out;

	out->devices = calloc(c->uplink_count + c->port_count + 1, sizeof(*out->devices));
	out->tables = calloc(GL_FAMILIES * c->tenant_count + 1, sizeof(*out->tables));
	out->pending = calloc(c->port_count + 1, sizeof(*out->pending));
	if (!out->devices || !out->tables || !out->pending)
		return -ENOMEM;
	for (size_t i = 0; i < c->uplink_count; i++)
		out->ipv6 |= c->uplinks[i].ipv6;
	for (size_t i = 0; i < c->uplink_count; i++)
		add_device(out, c->uplinks[i].link, c->uplinks[i].slot, true, c->uplinks[i].def->xdp);
	for (size_t i = 0; i < c->port_count; i++) {
		const struct gl_c_port *port = &c->ports[i];

		if (!port->link) {
			strncpy(out->pending[out->pending_count++], port->def->tap.s, IFNAMSIZ - 1);
			continue;
		}
		add_device(out, port->link, port->slot, false, port->def->xdp);
		if (port->network->def->mode == GL_MODE_BRIDGE && take_bridged(c, port))
			return -ENOMEM;
	}
	for (size_t i = 0; i < c->tenant_count; i++)
		add_tables(c, &c->tenants[i]);
	qsort(out->devices, out->device_count, sizeof(*out->devices), device_compare);
	qsort(out->tables, out->table_count, sizeof(*out->tables), table_compare);
	qsort(out->pending, out->pending_count, sizeof(*out->pending), pending_compare);
	if (out->uplink_mac_count)
		qsort(out->uplink_macs, out->uplink_mac_count, sizeof(*out->uplink_macs), mac_compare);
	/* One MAC may be on several tags of an uplink, which takes it once. */
	for (size_t i = 0, count = out->uplink_mac_count; i < count; i++) {
		if (!i)
			out->uplink_mac_count = 0;
		if (!i || mac_compare(&out->uplink_macs[out->uplink_mac_count - 1], &out->uplink_macs[i]))
			out->uplink_macs[out->uplink_mac_count++] = out->uplink_macs[i];
	}
	merge_reserved(out);
	return 0;
}

/* ---- the order -------------------------------------------------------------------------------------------- */

static int seal(struct gl_c *c)
{
	int err;

	check_claims(c);
	if (c->bad)
		return 0;
	err = gl_mapset_seal(c->out->entries);
	if (err == -EEXIST) {
		gl_c_refuse(c, (struct gl_loc){ 0 }, "two parts of the definition ask for one map entry");
		return 0;
	}
	if (!err)
		check_room(c);
	return err;
}

int gl_compile(const struct gl_definition *def, const struct gl_facts *facts, const struct gl_mapset *live,
	       struct gl_desired **ret, struct gl_diag *diag)
{
	/* Each step needs the whole of those before it, so findings are gathered a step at a time. */
	static int (*const steps[])(struct gl_c *) = { collect,	   gl_c_groups,		gl_c_number,   gl_c_public,
						       gl_c_ports, gl_c_advertisements, gl_c_policies, gl_c_tenants,
						       seal,	   set_generations,	list_host_work };
	struct gl_c c = { .def = def, .facts = facts, .live = live, .diag = diag };
	int err = -ENOMEM;

	c.out = calloc(1, sizeof(*c.out));
	if (!c.out)
		goto out;
	err = gl_mapset_new(&c.out->entries);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !err; i++) {
		err = steps[i](&c);
		if (!err && c.bad)
			err = -EINVAL;
	}
	if (err)
		goto out;
	*ret = c.out;
	c.out = NULL;
out:
	gl_desired_free(c.out);
	free(c.uplinks);
	free(c.tenants);
	free(c.networks);
	for (size_t i = 0; i < c.port_count; i++)
		free(c.ports[i].addresses);
	free(c.ports);
	free(c.secgroups);
	free(c.policies);
	free(c.claims);
	return err;
}

void gl_desired_free(struct gl_desired *desired)
{
	if (!desired)
		return;
	gl_mapset_free(desired->entries);
	free(desired->devices);
	free(desired->tables);
	free(desired->uplink_macs);
	free(desired->reserved);
	free(desired->pending);
	free(desired);
}
