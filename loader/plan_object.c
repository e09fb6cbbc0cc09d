/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What do map entries say about interfaces, networks, tenants, security groups, uplinks, public addresses and forwards,
 * in words?
 * Things go by their names, not by their numbers, so that a tap that was made anew is still the same interface.
 * Neighbours: plan.h, plan.c (who compares), plan_group.c (rules). */
#include "loader/ipentry.h"
#include "loader/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct teller {
	const struct gl_mapset *set;
	struct gl_reach *allowed; /* further source addresses: by slot, family, address and length */
	size_t allowed_count;
	struct gl_flow_table *tables;
	size_t table_count;
	struct gl_plan_rules rules;
	struct gl_plan_objects objects;
};

/* ---- text ------------------------------------------------------------------------------------------------- */

struct text {
	char *buf;
	size_t size;
	FILE *file;
};

static int text_open(struct text *text)
{
	text->file = open_memstream(&text->buf, &text->size);
	return text->file ? 0 : -ENOMEM;
}

/* The text, or NULL when memory ran out. */
static char *text_close(struct text *text)
{
	bool bad = ferror(text->file);

	if (fclose(text->file) || bad) {
		free(text->buf);
		return NULL;
	}
	return text->buf;
}

/* With a port behind it, an IPv6 address stands in brackets (RFC 3986). */
static const char *place_text(const struct gl_prefix *addr, char *buf)
{
	char text[50];

	sprintf(buf, addr->family == AF_INET6 ? "[%s]" : "%s", gl_prefix_format(addr, text));
	return buf;
}
#define PLACE_LEN 52

static const char *name_of(const struct teller *t, enum gl_name_kind kind, uint32_t index)
{
	struct gl_name_key key = { .kind = kind, .index = index };
	const struct gl_entry *entry = gl_mapset_find(t->set, GL_MAP_NAME, &key);

	return entry ? ((const struct gl_name_val *)entry->val)->name : "";
}

/* ---- objects ---------------------------------------------------------------------------------------------- */

static struct gl_plan_object *object_add(struct teller *t, const char *kind, const char *name)
{
	struct gl_plan_objects *objects = &t->objects;
	struct gl_plan_object *object;

	if (objects->count == objects->capacity) {
		size_t capacity = objects->capacity ? 2 * objects->capacity : 64;
		struct gl_plan_object *items = realloc(objects->items, capacity * sizeof(*items));

		if (!items)
			return NULL;
		objects->items = items;
		objects->capacity = capacity;
	}
	object = &objects->items[objects->count];
	*object = (struct gl_plan_object){ .kind = kind, .name = strdup(name) };
	if (!object->name)
		return NULL;
	objects->count++;
	return object;
}

static int attr_take(struct gl_plan_object *object, const char *label, bool quiet, char *text)
{
	unsigned i = 0;

	if (!text)
		return -ENOMEM;
	while (object->attrs[i].label)
		i++;
	object->attrs[i].label = label;
	object->attrs[i].quiet = quiet;
	object->attrs[i].text = text;
	return 0;
}

/* Takes over what may be a default, which is not worth telling of something new. */
static int attr_choice(struct gl_plan_object *object, const char *label, const char *text, bool usual)
{
	return attr_take(object, label, usual, strdup(text));
}

static int attr_list(struct gl_plan_object *object, const char *label, char *text)
{
	int err = attr_take(object, label, false, text);

	for (unsigned i = 0; !err && object->attrs[i].label; i++)
		if (object->attrs[i].label == label)
			object->attrs[i].list = true;
	return err;
}

static int attr(struct gl_plan_object *object, const char *label, const char *text)
{
	return attr_take(object, label, false, strdup(text));
}

static int attr_number(struct gl_plan_object *object, const char *label, bool quiet, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return attr_take(object, label, quiet, strdup(text));
}

static int attr_mac(struct gl_plan_object *object, bool quiet, const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return attr_take(object, "mac", quiet, strdup(text));
}

static int attr_prefixes(struct gl_plan_object *object, const char *label, const struct gl_prefix *list, unsigned count)
{
	struct text text;
	char buf[50];

	if (text_open(&text))
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		fprintf(text.file, "%s%s", i ? ", " : "", gl_prefix_format(&list[i], buf));
	return attr_take(object, label, false, text_close(&text));
}

static int attr_addresses(struct gl_plan_object *object, const struct gl_port_val *port)
{
	struct gl_prefix list[GL_FAMILIES * GL_PORT_ADDRS];

	return attr_prefixes(object, "addresses", list, gl_port_addresses_of(port, list));
}

static int attr_floating(struct gl_plan_object *object, const struct gl_port_val *port)
{
	struct gl_prefix list[GL_FAMILIES];
	unsigned count = 0;

	for (unsigned i = 0; i < GL_FAMILIES; i++) {
		list[count] = gl_port_floating(port, gl_family_at(i));
		count += list[count].family != 0;
	}
	return attr_prefixes(object, "floating IP", list, count);
}

static int allowed_compare(const void *left, const void *right)
{
	const struct gl_reach *a = left, *b = right;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return gl_prefix_compare(&a->prefix, &b->prefix);
}

static int attr_allowed(const struct teller *t, struct gl_plan_object *object, uint32_t slot)
{
	size_t low = 0, high = t->allowed_count;
	struct text text;
	char buf[50];
	bool first = true;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->allowed[middle].owner < slot)
			low = middle + 1;
		else
			high = middle;
	}
	if (text_open(&text))
		return -ENOMEM;
	for (; low < t->allowed_count && t->allowed[low].owner == slot; low++, first = false)
		fprintf(text.file, "%s%s", first ? "" : ", ", gl_prefix_format(&t->allowed[low].prefix, buf));
	return attr_take(object, "allowed", false, text_close(&text));
}

static const char *group_of(const struct teller *t, uint32_t number)
{
	const char *name = name_of(t, GL_NAME_GROUP, number), *slash = strchr(name, '/');

	return slash ? slash + 1 : name;
}

static int attr_groups(const struct teller *t, struct gl_plan_object *object, const struct gl_port_val *port)
{
	struct text text;

	if (text_open(&text))
		return -ENOMEM;
	for (unsigned i = 0; i < port->group_count && i < GL_PORT_GROUPS; i++)
		fprintf(text.file, "%s%s", i ? "\n" : "", group_of(t, port->group[i]));
	return attr_list(object, "security groups", text_close(&text));
}

static int tell_guest_port(struct teller *t, uint32_t slot, const struct gl_port_val *port)
{
	struct gl_plan_object *object = object_add(t, "interface", name_of(t, GL_NAME_PORT, slot));
	int err = object ? attr(object, "network", name_of(t, GL_NAME_NETWORK, port->network)) : -ENOMEM;

	if (!err)
		err = attr(object, "guest", name_of(t, GL_NAME_GUEST, slot));
	if (!err)
		err = attr_mac(object, false, port->mac);
	if (!err)
		err = attr_addresses(object, port);
	if (!err)
		err = attr_allowed(t, object, slot);
	if (!err)
		err = attr_floating(object, port);
	if (!err)
		err = attr_groups(t, object, port);
	if (!err)
		err = attr_number(object, "mtu", true, port->mtu);
	if (!err)
		err = attr_number(object, "ifindex", true, port->ifindex);
	return err;
}

static int tell_uplink(struct teller *t, uint32_t slot, const struct gl_port_val *port)
{
	struct gl_plan_object *object = object_add(t, "uplink", name_of(t, GL_NAME_UPLINK, port->uplink));
	int err = object ? attr(object, "interface", name_of(t, GL_NAME_PORT, slot)) : -ENOMEM;

	if (!err)
		err = attr_mac(object, true, port->mac);
	if (!err)
		err = attr_number(object, "mtu", true, port->mtu);
	if (!err)
		err = attr_number(object, "ifindex", true, port->ifindex);
	return err;
}

static int attr_gateways(struct gl_plan_object *object, const struct gl_network_val *network)
{
	struct gl_prefix list[GL_FAMILIES * GL_NET_GATEWAYS];

	return attr_prefixes(object, "gateways", list, gl_gateways_of(network, list));
}

static int attr_pool(struct gl_plan_object *object, const struct gl_network_val *network)
{
	struct gl_pool_range pools[GL_FAMILIES * GL_NET_POOL];
	unsigned count = gl_pools_of(network, pools);
	struct text text;
	char buf[PLACE_LEN];

	if (text_open(&text))
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		fprintf(text.file, "%s%s:%u-%u", i ? ", " : "", place_text(&pools[i].addr, buf), pools[i].min,
			pools[i].max);
	return attr_take(object, "translates to", false, text_close(&text));
}

/* What differs between two of them stands in the message itself; the words are those of the definition. */
static int attr_advertisements(const struct teller *t, struct gl_plan_object *object, uint32_t index)
{
	const struct gl_ra_key key = { .network = index };
	const struct gl_entry *entry = gl_mapset_find(t->set, GL_MAP_RA, &key);
	struct text text;

	if (text_open(&text))
		return -ENOMEM;
	if (entry)
		gl_ra_tell(text.file, entry->val);
	return attr_take(object, "router advertisements", true, text_close(&text));
}

static int tell_network(struct teller *t, uint32_t index, const struct gl_network_val *network)
{
	struct gl_plan_object *object = object_add(t, "network", name_of(t, GL_NAME_NETWORK, index));
	int err = object ? attr(object, "mode", gl_mode_name(network->mode)) : -ENOMEM;

	if (!err)
		err = attr(object, "uplink",
			   network->uplink == GL_NO_UPLINK ? "" : name_of(t, GL_NAME_UPLINK, network->uplink));
	if (!err && network->vlan)
		err = attr_number(object, "vlan", false, network->vlan);
	else if (!err)
		err = attr(object, "vlan", "");
	if (!err)
		err = attr_gateways(object, network);
	if (!err)
		err = attr_pool(object, network);
	if (!err)
		err = attr_advertisements(t, object, index);
	if (!err)
		err = attr_choice(object, "mapping",
				  network->flags & GL_NET_F_EIM ? "endpoint-independent" : "endpoint-dependent",
				  !(network->flags & GL_NET_F_EIM));
	if (!err && network->mss > GL_MSS_PATH)
		err = attr_number(object, "mss", false, network->mss);
	else if (!err)
		err = attr_choice(object, "mss", network->mss ? "path" : "keep", !network->mss);
	if (!err)
		err = attr_take(object, "open to", true, strdup(gl_open_name(network->open_to)));
	if (!err)
		err = attr_take(object, "broadcast", true, strdup(network->flags & GL_NET_F_BROADCAST ? "on" : "off"));
	return err;
}

static int table_compare(const void *left, const void *right)
{
	const struct gl_flow_table *a = left, *b = right;

	return a->tenant < b->tenant ? -1 : a->tenant > b->tenant;
}

static int attr_timeouts(const struct teller *t, struct gl_plan_object *object, uint32_t index)
{
	static const char *const labels[GL_TIMEOUT_COUNT] = {
		"timeout tcp_opening", "timeout tcp_established", "timeout tcp_closing", "timeout tcp_closed",
		"timeout udp",	       "timeout udp_assured",	  "timeout icmp",	 "timeout other",
	};
	const struct gl_entry *entry = gl_mapset_find(t->set, GL_MAP_TENANT, &index);
	const struct gl_tenant_val *val = entry ? entry->val : NULL;
	int err = 0;

	for (unsigned i = 0; i < GL_TIMEOUT_COUNT && val && !err; i++) {
		char text[24];

		snprintf(text, sizeof(text), "%u s", val->timeout[i]);
		err = attr_choice(object, labels[i], text, val->timeout[i] == gl_timeout_default(i));
	}
	if (val && !err)
		err = attr_choice(object, "tcp_pickup", val->flags & GL_TENANT_F_PICKUP ? "on" : "off",
				  !(val->flags & GL_TENANT_F_PICKUP));
	return err;
}

static int tell_tenant(struct teller *t, uint32_t index, const char *name)
{
	struct gl_plan_object *object = object_add(t, "tenant", name);
	struct gl_flow_table key = { .tenant = index };
	const struct gl_flow_table *table =
		t->table_count ? bsearch(&key, t->tables, t->table_count, sizeof(key), table_compare) : NULL;

	int err = object ? 0 : -ENOMEM;

	if (!err && table)
		err = attr_number(object, "max_flows", false, table->max_flows);
	return err ? err : attr_timeouts(t, object, index);
}

static int attr_rules(const struct teller *t, struct gl_plan_object *object, const char *label, uint32_t number,
		      enum gl_direction direction)
{
	int err = attr_list(object, label, gl_plan_rules_text(t->set, &t->rules, number, direction));

	for (unsigned i = 0; !err && object->attrs[i].label; i++)
		if (object->attrs[i].label == label) {
			object->attrs[i].beside = gl_plan_rules_beside(t->set, &t->rules, number, direction);
			err = object->attrs[i].beside ? 0 : -ENOMEM;
		}
	return err;
}

static int tell_group(struct teller *t, uint32_t number, const char *name)
{
	struct gl_plan_object *object = object_add(t, "security group", name);
	int err = object ? attr_rules(t, object, "ingress", number, GL_INGRESS) : -ENOMEM;

	return err ? err : attr_rules(t, object, "egress", number, GL_EGRESS);
}

static int tell_address(struct teller *t, const struct gl_entry *entry)
{
	const struct gl_public open = gl_public_of(entry), *val = &open;
	struct gl_plan_object *object;
	char buf[50], text[64] = "";
	int err;

	/* Blocks show in their network's pool, routed addresses in their interface; the host's own are no news. */
	if (val->block != GL_BLOCK_WHOLE || !(val->flags & (GL_ADDR_F_FLOATING | GL_ADDR_F_NAT | GL_ADDR_F_FORWARD)))
		return 0;
	object = object_add(t, "public address", gl_prefix_format(&val->addr, buf));
	if (!object)
		return -ENOMEM;
	if (val->flags & GL_ADDR_F_FLOATING)
		snprintf(text, sizeof(text), "floating IP of %.*s", IFNAMSIZ, name_of(t, GL_NAME_PORT, val->slot));
	else
		snprintf(text, sizeof(text), "%s%s%s", val->flags & GL_ADDR_F_NAT ? "translation" : "",
			 (val->flags & GL_ADDR_F_NAT) && (val->flags & GL_ADDR_F_FORWARD) ? " and " : "",
			 val->flags & GL_ADDR_F_FORWARD ? "port forwards" : "");
	err = attr(object, "for", text);
	if (!err)
		err = attr(object, "on uplink", name_of(t, GL_NAME_UPLINK, val->uplink));
	if (!err && (val->flags & GL_ADDR_F_FLOATING))
		err = attr(object, "leads to", gl_prefix_format(&val->inner, buf));
	else if (!err)
		err = attr(object, "leads to", "");
	if (!err)
		err = attr_take(object, "host's own", true, strdup(val->flags & GL_ADDR_F_HOST ? "yes" : "no"));
	if (!err)
		err = attr_take(object, "neighbours answered", true,
				strdup(val->flags & GL_ADDR_F_ANSWER ? "yes" : "no"));
	return err;
}

static const char *proto_text(uint8_t proto, char *buf, size_t size)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	default:
		snprintf(buf, size, "%u", proto);
		return buf;
	}
}

static int tell_forward(struct teller *t, const struct gl_entry *entry)
{
	const struct gl_forwarded val = gl_forwarded_of(entry);
	char name[80], proto[8], buf[PLACE_LEN];
	struct gl_plan_object *object;
	int err;

	snprintf(name, sizeof(name), "%s:%u/%s", place_text(&val.addr, buf), val.port,
		 proto_text(val.proto, proto, sizeof(proto)));
	object = object_add(t, "forward", name);
	if (!object)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%s:%u", place_text(&val.inner, buf), val.inner_port);
	err = attr(object, "to", name);
	if (!err)
		err = attr(object, "by", name_of(t, GL_NAME_PORT, val.slot));
	if (!err)
		err = attr(object, "on uplink", name_of(t, GL_NAME_UPLINK, val.uplink));
	return err;
}

static int tell(struct teller *t, const struct gl_entry *entry)
{
	uint32_t index;

	memcpy(&index, entry->key, sizeof(index));
	switch (entry->map) {
	case GL_MAP_NAME: {
		const struct gl_name_key *key = entry->key;
		const char *name = ((const struct gl_name_val *)entry->val)->name;

		return key->kind == GL_NAME_TENANT  ? tell_tenant(t, key->index, name)
		       : key->kind == GL_NAME_GROUP ? tell_group(t, key->index, name)
						    : 0;
	}
	case GL_MAP_PORT: {
		const struct gl_port_val *port = entry->val;

		return port->kind == GL_PORT_GUEST    ? tell_guest_port(t, index, port)
		       : port->kind == GL_PORT_UPLINK ? tell_uplink(t, index, port)
						      : 0;
	}
	case GL_MAP_NETWORK: {
		const struct gl_network_val *network = entry->val;

		return network->mode ? tell_network(t, index, network) : 0;
	}
	case GL_MAP_ADDR4:
	case GL_MAP_ADDR6:
		return tell_address(t, entry);
	case GL_MAP_FORWARD4:
	case GL_MAP_FORWARD6:
		return tell_forward(t, entry);
	default:
		return 0;
	}
}

static int list_allowed(struct teller *t)
{
	/* The two maps stand one behind the other. */
	size_t first, first6,
		count = gl_mapset_range(t->set, GL_MAP_ALLOW4, &first) +
			gl_mapset_range(t->set, GL_MAP_ALLOW6, &first6);

	t->allowed = malloc((count + 1) * sizeof(*t->allowed));
	if (!t->allowed)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		t->allowed[t->allowed_count++] = gl_reach_of(gl_mapset_at(t->set, first + i));
	qsort(t->allowed, count, sizeof(*t->allowed), allowed_compare);
	return 0;
}

static int object_compare(const void *left, const void *right)
{
	const struct gl_plan_object *a = left, *b = right;
	int order = strcmp(a->kind, b->kind);

	return order ? order : strcmp(a->name, b->name);
}

int gl_plan_describe(const struct gl_mapset *set, const struct gl_flow_table *tables, size_t table_count,
		     struct gl_plan_objects *ret)
{
	struct teller t = { .set = set, .table_count = table_count };
	int err = list_allowed(&t);

	if (!err)
		err = gl_plan_rules_list(set, &t.rules);
	if (err)
		goto out;
	t.tables = malloc((table_count + 1) * sizeof(*t.tables));
	if (!t.tables) {
		err = -ENOMEM;
		goto out;
	}
	if (table_count) {
		memcpy(t.tables, tables, table_count * sizeof(*tables));
		qsort(t.tables, table_count, sizeof(*t.tables), table_compare);
	}
	for (size_t i = 0; i < gl_mapset_count(set) && !err; i++)
		err = tell(&t, gl_mapset_at(set, i));
	if (err)
		goto out;
	if (t.objects.count)
		qsort(t.objects.items, t.objects.count, sizeof(*t.objects.items), object_compare);
	*ret = t.objects;
	t.objects = (struct gl_plan_objects){ 0 };
out:
	gl_plan_objects_clear(&t.objects);
	free(t.allowed);
	free(t.tables);
	gl_plan_rules_clear(&t.rules);
	return err;
}

void gl_plan_objects_clear(struct gl_plan_objects *objects)
{
	for (size_t i = 0; i < objects->count; i++) {
		free(objects->items[i].name);
		for (unsigned j = 0; j < GL_PLAN_ATTRS; j++) {
			free(objects->items[i].attrs[j].text);
			free(objects->items[i].attrs[j].beside);
		}
	}
	free(objects->items);
	*objects = (struct gl_plan_objects){ 0 };
}
