/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the validator's parts share: who had a name, MAC or address first, whose network is which?
 * Neighbours: validate.h, and above it validate_net.c, validate_public.c and validate.c. */
#include "loader/validate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How many interfaces one broadcast frame has to reach; stands in the table of what was seen. */
struct gl_members {
	size_t count;
};

struct seen_key {
	uint32_t kind, scope;
	char bytes[64];
};

static size_t make_key(struct seen_key *key, enum gl_seen kind, uint32_t scope, const void *bytes, size_t len)
{
	key->kind = kind;
	key->scope = scope;
	if (len > sizeof(key->bytes))
		len = sizeof(key->bytes);
	if (len)
		memcpy(key->bytes, bytes, len);
	return offsetof(struct seen_key, bytes) + len;
}

const struct gl_holder *gl_check_first(struct gl_check *c, enum gl_seen kind, uint32_t scope, const void *bytes,
				       size_t len, const struct gl_holder *holder)
{
	struct gl_holder *copy = gl_arena_alloc(&c->arena, sizeof(*copy));
	const void *had = NULL;
	struct seen_key key;

	if (!copy) {
		c->err = -ENOMEM;
		return NULL;
	}
	*copy = *holder;
	len = make_key(&key, kind, scope, bytes, len);
	if (gl_table_put(&c->seen, &c->arena, &key, len, copy, &had))
		c->err = -ENOMEM;
	return had;
}

const struct gl_holder *gl_check_seen(const struct gl_check *c, enum gl_seen kind, uint32_t scope, const void *bytes,
				      size_t len)
{
	struct seen_key key;

	len = make_key(&key, kind, scope, bytes, len);
	return gl_table_get(&c->seen, &key, len);
}

const char *gl_check_where(struct gl_loc loc, char buf[128])
{
	snprintf(buf, 128, "%.100s:%u:%u", loc.file ? loc.file : "?", loc.line, loc.col);
	return buf;
}

/* ---- addresses ------------------------------------------------------------------------------------------------ */

/* Family and address, so that no key of one family is one of the other. */
struct address_key {
	uint8_t family;
	uint8_t bytes[16];
};

static struct address_key address_key(const struct gl_prefix *address)
{
	struct address_key key = { .family = address->family };

	memcpy(key.bytes, address->bytes, sizeof(key.bytes));
	return key;
}

const struct gl_holder *gl_check_first_address(struct gl_check *c, enum gl_seen kind, uint32_t scope,
					       const struct gl_prefix *address, const struct gl_holder *holder)
{
	struct address_key key = address_key(address);

	return gl_check_first(c, kind, scope, &key, sizeof(key), holder);
}

const struct gl_holder *gl_check_seen_address(const struct gl_check *c, enum gl_seen kind, uint32_t scope,
					      const struct gl_prefix *address)
{
	struct address_key key = address_key(address);

	return gl_check_seen(c, kind, scope, &key, sizeof(key));
}

const struct gl_net *gl_check_net(const struct gl_check *c, uint32_t tenant, const char *name)
{
	const struct gl_network *network = gl_find_network(&c->def->tenants[tenant], name);

	if (!*name || !network)
		return NULL;
	return &c->nets[c->first_net[tenant] + (size_t)(network - c->def->tenants[tenant].networks)];
}

/* ---- interfaces ----------------------------------------------------------------------------------------------- */

uint32_t gl_check_segment(const struct gl_net *net)
{
	if (net->network->mode == GL_MODE_BRIDGE && net->uplink != GL_NONE)
		return GL_SEGMENT(net->uplink, net->network->vlan);
	return net->index;
}

size_t gl_check_member(struct gl_check *c, uint32_t segment)
{
	struct gl_members *members = gl_arena_alloc(&c->arena, sizeof(*members));
	struct seen_key key;
	const void *had;
	size_t len = make_key(&key, GL_SEEN_MEMBERS, segment, NULL, 0);

	if (!members || gl_table_put(&c->seen, &c->arena, &key, len, members, &had)) {
		c->err = -ENOMEM;
		return 0;
	}
	if (had)
		members = (struct gl_members *)had;
	return ++members->count;
}
