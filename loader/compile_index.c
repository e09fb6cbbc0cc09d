/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which number does each tenant, network, uplink, security group and policy have, and which slot each device?
 * What is on the host keeps its number; what is new gets one that nothing there uses, so that the entries of both
 * sides can stand next to each other until the commit. Neighbours: compile.c, mapset.h (the live numbers). */
#include "loader/compile_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
	const char *name;
	struct gl_loc loc;
	uint32_t *index;
	bool found;
};

struct known {
	const char *name;
	uint32_t index;
};

static int wanted_compare(const void *left, const void *right)
{
	return strcmp(((const struct wanted *)left)->name, ((const struct wanted *)right)->name);
}

static int known_compare(const void *left, const void *right)
{
	const struct known *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->index < b->index ? -1 : a->index > b->index;
}

/* Numbers are in [least, limit). `wanted` is sorted here. Equal names share an index: two uplinks or tenants of one
 * name are the validator's matter.
 */
static int assign(struct gl_c *c, enum gl_name_kind kind, const char *what, uint32_t least, uint32_t limit,
		  struct wanted *wanted, size_t count)
{
	size_t first, names = gl_mapset_range(c->live, GL_MAP_NAME, &first), known_count = 0, at = 0;
	struct known *known = malloc((names + 1) * sizeof(*known));
	bool *used = calloc(limit, sizeof(*used));
	uint32_t next = least;
	int err = 0;

	if (!known || !used) {
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < names; i++) {
		const struct gl_entry *entry = gl_mapset_at(c->live, first + i);
		const struct gl_name_key *key = entry->key;
		const struct gl_name_val *val = entry->val;

		if (key->kind != kind || key->index < least || key->index >= limit)
			continue;
		used[key->index] = true;
		if (memchr(val->name, 0, sizeof(val->name)))
			known[known_count++] = (struct known){ .name = val->name, .index = key->index };
	}
	qsort(known, known_count, sizeof(*known), known_compare);
	if (count)
		qsort(wanted, count, sizeof(*wanted), wanted_compare);
	for (size_t i = 0; i < count; i++) {
		while (at < known_count && strcmp(known[at].name, wanted[i].name) < 0)
			at++;
		wanted[i].found = at < known_count && !strcmp(known[at].name, wanted[i].name);
		if (wanted[i].found)
			*wanted[i].index = known[at].index;
	}
	for (size_t i = 0; i < count; i++) {
		if (wanted[i].found)
			continue;
		while (next < limit && used[next])
			next++;
		if (next == limit) {
			gl_c_refuse(c, wanted[i].loc, "no number is left for %s %s: a host holds %u of them%s", what,
				    wanted[i].name, limit - least,
				    count > limit - least ? "" : ", those that this change removes included");
			break;
		}
		used[next] = true;
		*wanted[i].index = next;
	}
out:
	free(known);
	free(used);
	return err;
}

struct device {
	const char *name;
	uint32_t ifindex;
	uint32_t *slot;
	struct gl_loc loc;
};

struct holder {
	uint32_t ifindex, slot;
};

static int device_compare(const void *left, const void *right)
{
	const struct device *a = left, *b = right;

	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

static int holder_compare(const void *left, const void *right)
{
	const struct holder *a = left, *b = right;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

static bool in_reach(uint32_t ifindex, uint32_t slot)
{
	return ((slot - ifindex) & (GL_PORT_SLOTS - 1)) < GL_PORT_PROBES;
}

static int assign_slots(struct gl_c *c, struct device *devices, size_t count)
{
	size_t first, live = gl_mapset_range(c->live, GL_MAP_PORT, &first), holder_count = 0, at = 0;
	struct holder *holders = malloc((live + 1) * sizeof(*holders));
	bool *used = calloc(GL_PORT_SLOTS, sizeof(*used));
	int err = 0;

	if (!holders || !used) {
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < live; i++) {
		const struct gl_entry *entry = gl_mapset_at(c->live, first + i);
		const struct gl_port_val *port = entry->val;
		uint32_t slot;

		memcpy(&slot, entry->key, sizeof(slot));
		if (!port->ifindex || slot >= GL_PORT_SLOTS)
			continue;
		used[slot] = true;
		if (in_reach(port->ifindex, slot))
			holders[holder_count++] = (struct holder){ .ifindex = port->ifindex, .slot = slot };
	}
	qsort(holders, holder_count, sizeof(*holders), holder_compare);
	if (count)
		qsort(devices, count, sizeof(*devices), device_compare);
	for (size_t i = 0; i < count; i++) {
		struct device *device = &devices[i];
		uint32_t slot = 0, probe = 0;

		if (i && devices[i - 1].ifindex == device->ifindex) {
			gl_c_refuse(c, device->loc, "interface %s has another use in the definition already",
				    device->name);
			continue;
		}
		while (at < holder_count && holders[at].ifindex < device->ifindex)
			at++;
		if (at < holder_count && holders[at].ifindex == device->ifindex) {
			*device->slot = holders[at].slot;
			continue;
		}
		for (; probe < GL_PORT_PROBES; probe++) {
			slot = (device->ifindex + probe) & (GL_PORT_SLOTS - 1);
			if (!used[slot])
				break;
		}
		if (probe == GL_PORT_PROBES) {
			gl_c_refuse(
				c, device->loc,
				"no slot is free for interface %s with number %u: make the interface anew, so that it "
				"gets another number (ip link shows it)",
				device->name, device->ifindex);
			continue;
		}
		used[slot] = true;
		*device->slot = slot;
	}
out:
	free(holders);
	free(used);
	return err;
}

static int number_names(struct gl_c *c, struct wanted *wanted)
{
	size_t used = 0;
	int err;

	for (size_t i = 0; i < c->uplink_count; i++)
		wanted[i] = (struct wanted){ .name = c->uplinks[i].def->name.s,
					     .loc = c->uplinks[i].def->loc,
					     .index = &c->uplinks[i].number };
	err = assign(c, GL_NAME_UPLINK, "uplink", 0, GL_MAX_UPLINKS, wanted, c->uplink_count);
	if (err)
		return err;
	for (size_t i = 0; i < c->tenant_count; i++)
		wanted[i] = (struct wanted){ .name = c->tenants[i].def->name.s,
					     .loc = c->tenants[i].def->loc,
					     .index = &c->tenants[i].index };
	err = assign(c, GL_NAME_TENANT, "tenant", 0, GL_MAX_TENANTS, wanted, c->tenant_count);
	if (err)
		return err;
	for (size_t i = 0; i < c->network_count; i++)
		wanted[i] = (struct wanted){ .name = c->networks[i].name,
					     .loc = c->networks[i].def->loc,
					     .index = &c->networks[i].index };
	err = assign(c, GL_NAME_NETWORK, "network", 0, GL_MAX_NETWORKS, wanted, c->network_count);
	if (err)
		return err;
	for (size_t i = 0; i < c->secgroup_count; i++)
		if (c->secgroups[i].used)
			wanted[used++] = (struct wanted){ .name = c->secgroups[i].name,
							  .loc = c->secgroups[i].def->loc,
							  .index = &c->secgroups[i].number };
	err = assign(c, GL_NAME_GROUP, "security group", 1, GL_MAX_GROUPS, wanted, used);
	if (err)
		return err;
	for (size_t i = 0; i < c->policy_count; i++)
		wanted[i] = (struct wanted){ .name = c->policies[i].name,
					     .loc = c->policies[i].loc,
					     .index = &c->policies[i].index };
	return assign(c, GL_NAME_POLICY, "set of security groups", 1, GL_MAX_POLICIES, wanted, c->policy_count);
}

int gl_c_number(struct gl_c *c)
{
	size_t most = c->network_count + c->tenant_count + c->uplink_count + c->secgroup_count + c->policy_count + 1;
	size_t device_count = 0;
	struct wanted *wanted = malloc(most * sizeof(*wanted));
	struct device *devices = malloc((c->port_count + c->uplink_count + 1) * sizeof(*devices));
	int err;

	if (!wanted || !devices) {
		err = -ENOMEM;
		goto out;
	}
	err = number_names(c, wanted);
	if (err)
		goto out;
	for (size_t i = 0; i < c->uplink_count; i++)
		if (c->uplinks[i].link)
			devices[device_count++] = (struct device){ .name = c->uplinks[i].link->name,
								   .ifindex = c->uplinks[i].link->ifindex,
								   .slot = &c->uplinks[i].slot,
								   .loc = c->uplinks[i].def->interface.loc };
	for (size_t i = 0; i < c->port_count; i++)
		if (c->ports[i].link)
			devices[device_count++] = (struct device){ .name = c->ports[i].link->name,
								   .ifindex = c->ports[i].link->ifindex,
								   .slot = &c->ports[i].slot,
								   .loc = c->ports[i].def->tap.loc };
	err = assign_slots(c, devices, device_count);
out:
	free(wanted);
	free(devices);
	return err;
}
