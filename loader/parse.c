/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which keys does a definition have, and where do their values go? One table per kind of object; everything that reads
 * or describes the definition's shape goes by these tables. Neighbours: yaml.c (the tree that is read),
 * parse_value.c (single values), validate.c (what needs more than one key). */
#include "loader/parse.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define NODES_MOST 4000000 /* with aliases counted each time they are used */
#define OBJECT_WEIGHT 4 /* nodes that an object counts for beside its keys: its place in the model */
#define MERGES_MOST 64 /* merge keys within merged mappings */
#define KEYS_MOST 16 /* of one object */

/* Strings are never NULL; one that could not be read is empty, and nothing further is said about it. */
char gl_unread[] = "";

static const struct gl_object objects[];

/* ---- objects in general --------------------------------------------------------------------------------------- */

static void unknown_key(struct gl_reader *r, const struct gl_node *key, const struct gl_object *object)
{
	char quoted[96], known[256] = "";

	for (const struct gl_key *k = object->keys; k->name; k++) {
		size_t len = strlen(known);

		snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", k->name);
	}
	GL_REPORT(r, key->loc, "unknown key \"%s\"; %s has: %s", gl_quote(key->text, quoted), object->noun, known);
}

/* Finds the values of a mapping's keys. Its own come before those that it merges in, earlier merges before later. */
static void collect(struct gl_reader *r, const struct gl_node *map, const struct gl_object *object, unsigned depth,
		    const struct gl_node **values)
{
	const struct gl_node *merge = NULL;
	uint32_t here = 0;

	r->nodes += map->count / 2;
	if (r->nodes > NODES_MOST)
		r->err = -E2BIG;
	for (size_t i = 0; i + 1 < map->count && !r->err; i += 2) {
		const struct gl_node *key = map->items[i], *value = map->items[i + 1];
		char found[96];
		size_t k = 0;

		if (key->kind != GL_NODE_SCALAR) {
			GL_REPORT(r, key->loc, "expected a key, found %s", gl_describe(key, found));
			continue;
		}
		if (key->plain && !strcmp(key->text, "<<")) {
			if (merge)
				GL_REPORT(r, key->loc,
					  "key \"<<\" stands twice in one mapping; expected one with a list");
			merge = value;
			continue;
		}
		while (object->keys[k].name && strcmp(object->keys[k].name, key->text))
			k++;
		if (!object->keys[k].name) {
			unknown_key(r, key, object);
			continue;
		}
		if (here & 1u << k)
			GL_REPORT(r, key->loc, "key \"%s\" stands twice in one mapping", key->text);
		here |= 1u << k;
		if (!values[k])
			values[k] = value;
	}
	if (!merge || r->err)
		return;
	if (depth == MERGES_MOST) {
		GL_REPORT(r, merge->loc, "merge keys within merge keys, more than %d deep", MERGES_MOST);
	} else if (merge->kind == GL_NODE_MAP) {
		collect(r, merge, object, depth + 1, values);
	} else {
		bool fits = merge->kind == GL_NODE_LIST;
		char found[96];

		for (size_t i = 0; fits && i < merge->count; i++)
			fits = merge->items[i]->kind == GL_NODE_MAP;
		if (!fits)
			GL_REPORT(r, merge->loc, "expected a mapping or a list of mappings to merge, found %s",
				  gl_describe(merge, found));
		for (size_t i = 0; fits && i < merge->count && !r->err; i++)
			collect(r, merge->items[i], object, depth + 1, values);
	}
}

void gl_read_object(struct gl_reader *r, const struct gl_node *node, enum gl_object_kind kind, void *out)
{
	const struct gl_object *object = &objects[kind];
	const struct gl_node *values[KEYS_MOST] = { 0 };
	char found[96];

	if (node->kind != GL_NODE_MAP) {
		GL_REPORT(r, node->loc, "expected %s as a mapping, found %s", object->noun, gl_describe(node, found));
		return;
	}
	collect(r, node, object, 0, values);
	for (size_t k = 0; object->keys[k].name && !r->err; k++) {
		const struct gl_key *key = &object->keys[k];

		if (values[k])
			key->read(r, values[k], (char *)out + key->offset);
		else if (key->required)
			GL_REPORT(r, node->loc, "%s needs the key \"%s\"", object->noun, key->name);
	}
}

void gl_weigh_objects(struct gl_reader *r, size_t count)
{
	r->nodes += count * OBJECT_WEIGHT;
}

void gl_read_list(struct gl_reader *r, const struct gl_node *node, enum gl_object_kind kind, size_t size,
		  void (*prepare)(void *item, struct gl_loc loc), void **items, size_t *count)
{
	const struct gl_object *object = &objects[kind];
	char expected[64];
	char *list;

	snprintf(expected, sizeof(expected), "a list, each item %s", object->noun);
	if (!gl_expect_list(r, node, expected))
		return;
	list = gl_arena_array(r->arena, *count + node->count, size);
	if (!list) {
		r->err = -ENOMEM;
		return;
	}
	if (*count)
		memcpy(list, *items, *count * size);
	*items = list;
	gl_weigh_objects(r, node->count);
	for (size_t i = 0; i < node->count && !r->err; i++) {
		void *item = list + *count * size;

		prepare(item, node->items[i]->loc);
		++*count;
		gl_read_object(r, node->items[i], kind, item);
	}
}

#define LIST_READER(fn, type, kind, array, counter)                                                                    \
	static void fn(struct gl_reader *r, const struct gl_node *node, void *out)                                     \
	{                                                                                                              \
		type *owner = out;                                                                                     \
		void *items = owner->array;                                                                            \
		size_t count = owner->counter;                                                                         \
		gl_read_list(r, node, kind, sizeof(*owner->array), prepare_##array, &items, &count);                   \
		owner->array = items;                                                                                  \
		owner->counter = count;                                                                                \
	}

/* ---- values with a place of their own in the model ------------------------------------------------------------- */

static void read_version(struct gl_reader *r, const struct gl_node *node, void *out)
{
	(void)r;
	(void)node;
	(void)out; /* gl_parse_file() looked at it before anything else */
}

static void read_xdp(struct gl_reader *r, const struct gl_node *node, void *out)
{
	static const char *const words[] = { [GL_XDP_AUTO] = "auto",
					     [GL_XDP_NATIVE] = "native",
					     [GL_XDP_GENERIC] = "generic",
					     [GL_XDP_OFF] = "off",
					     NULL };
	int word = gl_read_word(r, node, words);

	if (word >= 0)
		*(enum gl_xdp_wish *)out = (enum gl_xdp_wish)word;
}

static void read_mode(struct gl_reader *r, const struct gl_node *node, void *out)
{
	const char *const words[] = { gl_mode_name(GL_MODE_ISOLATED), gl_mode_name(GL_MODE_NAT),
				      gl_mode_name(GL_MODE_ROUTED), gl_mode_name(GL_MODE_BRIDGE), NULL };
	int word = gl_read_word(r, node, words);

	if (word >= 0)
		*(enum gl_mode *)out = (enum gl_mode)(GL_MODE_ISOLATED + word);
}

static void read_open_to(struct gl_reader *r, const struct gl_node *node, void *out)
{
	const char *const words[] = { gl_open_name(GL_OPEN_NETWORK), gl_open_name(GL_OPEN_TENANT),
				      gl_open_name(GL_OPEN_ANYWHERE), NULL };
	struct gl_network *network = out;
	int word = gl_read_word(r, node, words);

	network->open_to_loc = node->loc;
	if (word >= 0)
		network->open_to = (enum gl_open)word;
}

static void read_vlan(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_network *network = out;
	uint32_t vlan;

	network->vlan_loc = node->loc;
	if (gl_read_int(r, node, 1, 4094, &vlan))
		network->vlan = (uint16_t)vlan;
}

static void read_uplink_of(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_string *uplink = out;

	*uplink = (struct gl_string){ .s = gl_unread, .loc = node->loc };
	gl_read_name(r, node, uplink);
}

static void read_max_flows(struct gl_reader *r, const struct gl_node *node, void *out)
{
	gl_read_int(r, node, 1, GL_FLOWS_MAX, out);
}

static void read_port(struct gl_reader *r, const struct gl_node *node, void *out)
{
	uint32_t port;

	if (gl_read_int(r, node, 1, 65535, &port))
		*(uint16_t *)out = (uint16_t)port;
}

static void read_forward_proto(struct gl_reader *r, const struct gl_node *node, void *out)
{
	static const char *const words[] = { "tcp", "udp", "sctp", NULL };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	static const char *const numbers[] = { "6", "17", "132" };
	int word = -1;

	for (int i = 0; i < 3 && node->kind == GL_NODE_SCALAR && node->plain; i++) {
		if (!strcmp(node->text, numbers[i]))
			word = i;
	}
	if (word < 0)
		word = gl_read_word(r, node, words);
	if (word >= 0)
		*(uint8_t *)out = protos[word];
}

static void read_mac(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_interface *interface = out;

	interface->mac_loc = node->loc;
	gl_read_mac(r, node, interface->mac);
}

static void read_allowed(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_interface *interface = out;

	gl_read_prefixes(r, node, GL_FORM_EITHER, &interface->allowed_address_pairs, &interface->allowed_count);
}

static void read_floating(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_interface *interface = out;

	gl_read_prefixes(r, node, GL_FORM_ADDRESS, &interface->floating_ips, &interface->floating_count);
}

static void read_mss(struct gl_reader *r, const struct gl_node *node, void *out)
{
	uint32_t mss = 0;

	/* RFC 9293 3.7.1: every host takes 536; 65,495 is all that a datagram holds beside two headers. */
	if (gl_is_number(node))
		gl_read_int(r, node, 536, 65495, &mss);
	else if (node->kind == GL_NODE_SCALAR && !strcmp(node->text, "keep"))
		mss = GL_MSS_KEEP;
	else if (node->kind == GL_NODE_SCALAR && !strcmp(node->text, "path"))
		mss = GL_MSS_PATH;
	else
		gl_mismatch(r, node, "keep, path or a number from 536 to 65495");
	*(uint16_t *)out = (uint16_t)mss;
}

/* ---- defaults ------------------------------------------------------------------------------------------------- */

static void prepare_uplinks(void *item, struct gl_loc loc)
{
	struct gl_uplink *uplink = item;

	uplink->loc = uplink->name.loc = uplink->interface.loc = loc;
	uplink->name.s = uplink->interface.s = gl_unread;
}

static void prepare_networks(void *item, struct gl_loc loc)
{
	struct gl_network *network = item;

	network->loc = network->name.loc = loc;
	network->name.s = gl_unread;
	network->broadcast = true;
	network->ra.interval = GL_RA_INTERVAL;
	network->ra.lifetime = GL_RA_LIFETIME;
}

static void prepare_interfaces(void *item, struct gl_loc loc)
{
	struct gl_interface *interface = item;

	interface->loc = interface->tap.loc = interface->network.loc = interface->mac_loc = loc;
	interface->tap.s = interface->network.s = gl_unread;
}

static void prepare_forwards(void *item, struct gl_loc loc)
{
	struct gl_port_forward *forward = item;

	forward->loc = forward->address.loc = loc;
}

static void prepare_guests(void *item, struct gl_loc loc)
{
	struct gl_guest *guest = item;

	guest->loc = guest->name.loc = loc;
	guest->name.s = gl_unread;
}

static void prepare_tenants(void *item, struct gl_loc loc)
{
	struct gl_tenant *tenant = item;

	tenant->loc = tenant->name.loc = loc;
	tenant->name.s = gl_unread;
	tenant->max_flows = GL_FLOWS_DEFAULT;
}

/* ---- the tables ----------------------------------------------------------------------------------------------- */

LIST_READER(read_uplinks, struct gl_definition, GL_OBJECT_UPLINK, uplinks, uplink_count)
LIST_READER(read_tenants, struct gl_definition, GL_OBJECT_TENANT, tenants, tenant_count)
LIST_READER(read_networks, struct gl_tenant, GL_OBJECT_NETWORK, networks, network_count)
LIST_READER(read_guests, struct gl_tenant, GL_OBJECT_GUEST, guests, guest_count)
LIST_READER(read_interfaces, struct gl_guest, GL_OBJECT_INTERFACE, interfaces, interface_count)
LIST_READER(read_forwards, struct gl_guest, GL_OBJECT_FORWARD, forwards, forward_count)

static const struct gl_key definition_keys[] = {
	{ "version", true, read_version, 0 },
	{ "uplinks", false, read_uplinks, 0 },
	{ "tenants", false, read_tenants, 0 },
	{ NULL, false, NULL, 0 },
};
static const struct gl_key uplink_keys[] = {
	{ "name", true, gl_read_name, offsetof(struct gl_uplink, name) },
	{ "interface", true, gl_read_ifname, offsetof(struct gl_uplink, interface) },
	{ "xdp", false, read_xdp, offsetof(struct gl_uplink, xdp) },
	{ NULL, false, NULL, 0 },
};
static const struct gl_key tenant_keys[] = {
	{ "name", true, gl_read_name, offsetof(struct gl_tenant, name) },
	{ "max_flows", false, read_max_flows, offsetof(struct gl_tenant, max_flows) },
	{ "timeouts", false, gl_read_timeouts, 0 },
	{ "tcp_pickup", false, gl_read_bool, offsetof(struct gl_tenant, tcp_pickup) },
	{ "security_groups", false, gl_read_groups, 0 },
	{ "networks", false, read_networks, 0 },
	{ "guests", false, read_guests, 0 },
	{ NULL, false, NULL, 0 },
};
static const struct gl_key network_keys[] = {
	{ "name", true, gl_read_name, offsetof(struct gl_network, name) },
	{ "mode", true, read_mode, offsetof(struct gl_network, mode) },
	{ "uplink", false, read_uplink_of, offsetof(struct gl_network, uplink) },
	{ "vlan", false, read_vlan, 0 },
	{ "subnets", true, gl_read_subnets, 0 },
	{ "gateways", false, gl_read_gateways, 0 },
	{ "router_advertisements", false, gl_read_ra, 0 },
	{ "nat", false, gl_read_nat, 0 },
	{ "mss", false, read_mss, offsetof(struct gl_network, mss) },
	{ "open_to", false, read_open_to, 0 },
	{ "broadcast", false, gl_read_bool, offsetof(struct gl_network, broadcast) },
	{ NULL, false, NULL, 0 },
};
static const struct gl_key guest_keys[] = {
	{ "name", true, gl_read_name, offsetof(struct gl_guest, name) },
	{ "interfaces", false, read_interfaces, 0 },
	{ "port_forwards", false, read_forwards, 0 },
	{ NULL, false, NULL, 0 },
};
static const struct gl_key interface_keys[] = {
	{ "tap", true, gl_read_ifname, offsetof(struct gl_interface, tap) },
	{ "mac", true, read_mac, 0 },
	{ "network", true, gl_read_name, offsetof(struct gl_interface, network) },
	{ "addresses", true, gl_read_addresses, 0 },
	{ "security_groups", false, gl_read_group_names, 0 },
	{ "allowed_address_pairs", false, read_allowed, 0 },
	{ "floating_ips", false, read_floating, 0 },
	{ "xdp", false, read_xdp, offsetof(struct gl_interface, xdp) },
	{ NULL, false, NULL, 0 },
};
static const struct gl_key forward_keys[] = {
	{ "proto", true, read_forward_proto, offsetof(struct gl_port_forward, proto) },
	{ "address", true, gl_read_address, offsetof(struct gl_port_forward, address) },
	{ "port", true, read_port, offsetof(struct gl_port_forward, port) },
	{ "to", false, read_port, offsetof(struct gl_port_forward, to) },
	{ "interface", false, gl_read_ifname, offsetof(struct gl_port_forward, interface) },
	{ NULL, false, NULL, 0 },
};

static const struct gl_object objects[] = {
	[GL_OBJECT_DEFINITION] = { "definition", "a definition", definition_keys },
	[GL_OBJECT_UPLINK] = { "uplink", "an uplink", uplink_keys },
	[GL_OBJECT_TENANT] = { "tenant", "a tenant", tenant_keys },
	[GL_OBJECT_TIMEOUTS] = { "timeouts", "timeouts", gl_timeout_keys },
	[GL_OBJECT_GROUP] = { "security_group", "a security group", gl_group_keys },
	[GL_OBJECT_RULE] = { "rule", "a rule", gl_rule_keys },
	[GL_OBJECT_NETWORK] = { "network", "a network", network_keys },
	[GL_OBJECT_RA] = { "router_advertisements", "router_advertisements", gl_ra_keys },
	[GL_OBJECT_NAT] = { "nat", "nat", gl_nat_keys },
	[GL_OBJECT_GUEST] = { "guest", "a guest", guest_keys },
	[GL_OBJECT_INTERFACE] = { "interface", "an interface", interface_keys },
	[GL_OBJECT_FORWARD] = { "port_forward", "a port forward", forward_keys },
	{ NULL, NULL, NULL },
};

const struct gl_object *gl_parse_objects(void)
{
	return objects;
}

/* ---- a file --------------------------------------------------------------------------------------------------- */

/* A definition of another version has other keys: nothing more can be said about it. */
static bool check_version(struct gl_reader *r, const struct gl_node *root)
{
	char found[96];

	if (root->kind != GL_NODE_MAP) {
		GL_REPORT(r, root->loc, "expected a mapping that begins with `version: 1`, found %s",
			  gl_describe(root, found));
		return false;
	}
	for (size_t i = 0; i + 1 < root->count; i += 2) {
		const struct gl_node *key = root->items[i], *value = root->items[i + 1];

		if (key->kind != GL_NODE_SCALAR || strcmp(key->text, "version"))
			continue;
		if (value->kind == GL_NODE_SCALAR && value->plain && !strcmp(value->text, "1"))
			return true;
		GL_REPORT(r, value->loc, "expected version 1, found %s", gl_describe(value, found));
		return false;
	}
	return true; /* its absence is reported with the other required keys */
}

int gl_parse_file(struct gl_definition *def, const char *file, const char *text, size_t len, struct gl_diag *diag,
		  bool *whole)
{
	struct gl_reader r = { .arena = def->arena, .diag = diag };
	struct gl_arena scratch = { 0 };
	const struct gl_node *root = NULL;
	size_t known = def->tenant_count;
	int err;

	*whole = false;
	r.file = gl_arena_strdup(r.arena, file, strlen(file));
	if (!r.file)
		return -ENOMEM;
	err = gl_yaml_read(&scratch, r.file, text, len, &root, diag);
	if (err)
		goto out;
	if (check_version(&r, root)) {
		gl_read_object(&r, root, GL_OBJECT_DEFINITION, def);
		*whole = !r.err;
	}
	if (r.err == -E2BIG) {
		GL_REPORT(&r, root->loc, "the file grows beyond %d values through its aliases", NODES_MOST);
		r.err = 0;
	}
	err = r.err;
	for (size_t i = known; i < def->tenant_count && !err; i++)
		err = gl_index_networks(def, &def->tenants[i]);
	for (size_t i = known; i < def->tenant_count && !err; i++) {
		/* `to` is the same port where it is not given */
		for (size_t g = 0; g < def->tenants[i].guest_count; g++) {
			struct gl_guest *guest = &def->tenants[i].guests[g];

			for (size_t f = 0; f < guest->forward_count; f++) {
				if (!guest->forwards[f].to)
					guest->forwards[f].to = guest->forwards[f].port;
			}
		}
	}
	if (!err && r.bad)
		err = -EINVAL;
out:
	gl_arena_clear(&scratch);
	return err;
}

int gl_parse(struct gl_definition *def, const char *file, const char *text, size_t len, struct gl_diag *diag)
{
	bool whole;

	return gl_parse_file(def, file, text, len, diag, &whole);
}
