/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What are the numbers in the raw maps called? See names.h. */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct name {
	struct gl_name_key key;
	struct gl_name_val val;
};

struct names {
	struct name *items; /* sorted by key */
	size_t count, capacity;
	uint32_t network[GL_PORT_SLOTS]; /* by slot */
};

static int add_name(void *arg, const char *label, const void *key, const void *val)
{
	struct names *names = arg;
	struct name *name;

	(void)label;
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? names->capacity * 2 : 64;

		name = realloc(names->items, capacity * sizeof(*name));
		if (!name)
			return -ENOMEM;
		names->items = name;
		names->capacity = capacity;
	}
	name = &names->items[names->count++];
	memcpy(&name->key, key, sizeof(name->key));
	memcpy(&name->val, val, sizeof(name->val));
	name->val.name[sizeof(name->val.name) - 1] = 0;
	return 0;
}

static int add_port(void *arg, const char *label, const void *key, const void *val)
{
	const struct gl_port_val *port = val;
	struct names *names = arg;
	uint32_t slot;

	(void)label;
	memcpy(&slot, key, sizeof(slot));
	if (slot < GL_PORT_SLOTS && port->kind == GL_PORT_GUEST)
		names->network[slot] = port->network;
	return 0;
}

static int compare(const void *va, const void *vb)
{
	const struct name *a = va, *b = vb;

	if (a->key.kind != b->key.kind)
		return a->key.kind < b->key.kind ? -1 : 1;
	if (a->key.index != b->key.index)
		return a->key.index < b->key.index ? -1 : 1;
	return 0;
}

int names_read(struct gl_host *host, struct names **ret, struct gl_diag *diag)
{
	struct names *names = calloc(1, sizeof(*names));
	int err;

	if (!names)
		return -ENOMEM;
	memset(names->network, 0xff, sizeof(names->network));
	err = gl_each_entry(host, GL_MAP_NAME, add_name, names, diag);
	if (!err)
		err = gl_each_entry(host, GL_MAP_PORT, add_port, names, diag);
	if (err) {
		names_free(names);
		return err;
	}
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare);
	*ret = names;
	return 0;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	free(names->items);
	free(names);
}

const char *names_of(const struct names *names, enum gl_name_kind kind, uint32_t index)
{
	struct name like = { .key = { .kind = kind, .index = index } };
	const struct name *found =
		names->count ? bsearch(&like, names->items, names->count, sizeof(like), compare) : NULL;

	return found ? found->val.name : "";
}

const char *names_network(const struct names *names, uint32_t network)
{
	const char *full = names_of(names, GL_NAME_NETWORK, network);
	const char *slash = strchr(full, '/');

	return slash ? slash + 1 : full;
}

uint32_t names_slot_network(const struct names *names, uint32_t slot)
{
	return slot < GL_PORT_SLOTS ? names->network[slot] : UINT32_MAX;
}
