/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the validator's parts share: who had a name, MAC or address first, whose network is which, and what an IPv4
 * prefix covers. Neighbours: validate.h, and above it validate_net.c, validate_public.c and validate.c. */
#include "loader/validate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

uint32_t gl_v4(const struct gl_prefix *prefix)
{
	uint32_t be;

	memcpy(&be, prefix->bytes, sizeof(be));
	return ntohl(be);
}

static uint32_t host_mask(const struct gl_prefix *prefix)
{
	return prefix->len ? (uint32_t)((1ull << (32 - prefix->len)) - 1) : 0xffffffff;
}

uint32_t gl_v4_first(const struct gl_prefix *prefix)
{
	return gl_v4(prefix) & ~host_mask(prefix);
}

uint32_t gl_v4_last(const struct gl_prefix *prefix)
{
	return gl_v4(prefix) | host_mask(prefix);
}

const char *gl_reserved_name(const struct gl_prefix *subnet, uint32_t address)
{
	if (subnet->len > 30) /* RFC 3021 */
		return NULL;
	if (address == gl_v4_first(subnet))
		return "the network address";
	return address == gl_v4_last(subnet) ? "the broadcast address" : NULL;
}

bool gl_check_v4(struct gl_check *c, const struct gl_prefix *prefix, const char *what)
{
	static const struct {
		uint32_t first, last;
		const char *what;
	} unusable[] = {
		{ 0, 0x00ffffff, "0.0.0.0/8 (\"this network\")" },
		{ 0x7f000000, 0x7fffffff, "127.0.0.0/8 (loopback)" },
		{ 0xe0000000, 0xefffffff, "224.0.0.0/4 (multicast)" },
		{ 0xffffffff, 0xffffffff, "255.255.255.255 (broadcast)" },
	};
	char buf[50];

	if (prefix->family == AF_INET6) {
		GL_REPORT(c, prefix->loc, "IPv6 is not supported yet: %s %s", what, gl_prefix_format(prefix, buf));
		return false;
	}
	if (prefix->family != AF_INET)
		return false;
	for (size_t i = 0; i < sizeof(unusable) / sizeof(*unusable); i++) {
		if (gl_v4(prefix) < unusable[i].first || gl_v4_last(prefix) > unusable[i].last)
			continue;
		GL_REPORT(c, prefix->loc, "%s %s cannot be used: it lies in %s", what, gl_prefix_format(prefix, buf),
			  unusable[i].what);
		return false;
	}
	return true;
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
