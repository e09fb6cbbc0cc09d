/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How entries of either family are filled and read. See ipentry.h. */
#include "loader/ipentry.h"

#include <arpa/inet.h>
#include <string.h>

uint8_t gl_map_family(enum gl_map_id map)
{
	switch (map) {
#define ONE(name)                                                                                                      \
	case GL_MAP_##name##4:                                                                                         \
		return AF_INET;                                                                                        \
		static_assert(GL_MAP_##name##6 == GL_MAP_##name##4 + 1, "gl_map_of()");                                \
	case GL_MAP_##name##6:                                                                                         \
		return AF_INET6;
		ONE(HOST)
		ONE(ROUTE)
		ONE(ALLOW)
		ONE(ADDR)
		ONE(FORWARD)
		ONE(REMOTE)
		ONE(FLOW)
		ONE(FRAG)
#undef ONE
	default:
		return 0;
	}
}

/* ---- addresses --------------------------------------------------------------------------------------------- */

int gl_prefix_compare(const struct gl_prefix *a, const struct gl_prefix *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->bytes, b->bytes, gl_family_bits(a->family) / 8);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

struct gl_prefix gl_prefix_clean(const struct gl_prefix *p)
{
	struct gl_prefix ret = *p;

	for (unsigned i = 0; i < sizeof(ret.bytes); i++) {
		unsigned left = p->len > 8 * i ? p->len - 8 * i : 0;

		if (left < 8)
			ret.bytes[i] &= (uint8_t)(0xff00 >> left);
	}
	return ret;
}

struct gl_prefix gl_prefix_address(const struct gl_prefix *p)
{
	struct gl_prefix ret = *p;

	ret.len = (uint8_t)gl_family_bits(p->family);
	return ret;
}

bool gl_prefix_zero(const struct gl_prefix *p)
{
	static const uint8_t zero[sizeof(p->bytes)];

	return !memcmp(p->bytes, zero, gl_family_bits(p->family) / 8);
}

bool gl_prefix_link_local(const struct gl_prefix *p)
{
	return p->family == AF_INET6 && p->len >= 10 && p->bytes[0] == 0xfe && (p->bytes[1] & 0xc0) == 0x80;
}

bool gl_prefix_next(struct gl_prefix *p)
{
	for (unsigned i = gl_family_bits(p->family) / 8; i-- > 0;)
		if (++p->bytes[i])
			return true;
	return false;
}

const struct gl_prefix *gl_prefix_first(const struct gl_prefix *list, size_t count, uint8_t family)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].family == family)
			return &list[i];
	return NULL;
}

/* ---- entries ----------------------------------------------------------------------------------------------- */

#define GL_IP 4
#include "loader/ipentry_each.h"
#undef GL_IP
#define GL_IP 6
#include "loader/ipentry_each.h"
#undef GL_IP

#define BOTH(family, function, ...) ((family) == AF_INET6 ? function##6(__VA_ARGS__) : function##4(__VA_ARGS__))
#define ENTRY(type, name, of)                                                                                          \
	struct gl_ip_entry gl_##name##_entry(const struct type *from)                                                  \
	{                                                                                                              \
		struct gl_ip_entry ret = { 0 };                                                                        \
                                                                                                                       \
		BOTH(from->of.family, name##_entry, from, &ret);                                                       \
		return ret;                                                                                            \
	}
#define VALUE(type, name)                                                                                              \
	struct type type##_of(const struct gl_entry *entry)                                                            \
	{                                                                                                              \
		struct type ret = { 0 };                                                                               \
                                                                                                                       \
		BOTH(gl_map_family(entry->map), name##_of, entry, &ret);                                               \
		return ret;                                                                                            \
	}

ENTRY(gl_held, held, addr)
VALUE(gl_held, held)
ENTRY(gl_reach, route, prefix)
ENTRY(gl_reach, allow, prefix)
VALUE(gl_reach, reach)
ENTRY(gl_public, public, addr)
VALUE(gl_public, public)
ENTRY(gl_forwarded, forwarded, addr)
VALUE(gl_forwarded, forwarded)
VALUE(gl_remote, remote)

uint32_t *gl_entry_gen(enum gl_map_id map, void *val)
{
	static_assert(offsetof(struct gl_addr4_val, gen) == offsetof(struct gl_addr6_val, gen), "");
	static_assert(offsetof(struct gl_forward4_val, gen) == offsetof(struct gl_forward6_val, gen), "");
	switch (map) {
	case GL_MAP_PORT:
		return &((struct gl_port_val *)val)->gen;
	case GL_MAP_ADDR4:
	case GL_MAP_ADDR6:
		return &((struct gl_addr4_val *)val)->gen;
	case GL_MAP_FORWARD4:
	case GL_MAP_FORWARD6:
		return &((struct gl_forward4_val *)val)->gen;
	default:
		return NULL;
	}
}

/* ---- inside of networks and interfaces ----------------------------------------------------------------------- */

unsigned gl_pools_of(const struct gl_network_val *val, struct gl_pool_range ret[GL_FAMILIES * GL_NET_POOL])
{
	unsigned count = pools_of4(val, ret);

	return count + pools_of6(val, ret + count);
}

unsigned gl_gateways_of(const struct gl_network_val *val, struct gl_prefix ret[GL_FAMILIES * GL_NET_GATEWAYS])
{
	unsigned count = gateways_of4(val, ret);

	return count + gateways_of6(val, ret + count);
}

bool gl_pool_add(struct gl_network_val *val, const struct gl_pool_range *pool)
{
	return BOTH(pool->addr.family, pool_add, val, pool);
}

bool gl_gateway_set(struct gl_network_val *val, unsigned i, const struct gl_prefix *subnet,
		    const struct gl_prefix *gateway)
{
	if (i >= GL_NET_GATEWAYS)
		return false;
	BOTH(subnet->family, gateway_set, val, i, subnet, gateway);
	return true;
}

unsigned gl_port_addresses_of(const struct gl_port_val *val, struct gl_prefix ret[GL_FAMILIES * GL_PORT_ADDRS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < val->addr_count && i < GL_PORT_ADDRS; i++)
		ret[count++] = from4(&val->addr_be[i], 32);
	for (unsigned i = 0; i < val->addr6_count && i < GL_PORT_ADDRS; i++)
		ret[count++] = from6(&val->addr6_be[i], 128);
	return count;
}

bool gl_port_address_add(struct gl_port_val *val, const struct gl_prefix *addr)
{
	uint8_t *count = addr->family == AF_INET6 ? &val->addr6_count : &val->addr_count;

	if (*count == GL_PORT_ADDRS)
		return false;
	if (addr->family == AF_INET6)
		val->addr6_be[*count] = to6(addr);
	else
		val->addr_be[*count] = to4(addr);
	++*count;
	return true;
}

struct gl_prefix gl_port_floating(const struct gl_port_val *val, uint8_t family)
{
	struct gl_prefix addr = family == AF_INET6 ? from6(&val->floating6_be, 128) : from4(&val->floating_be, 32);

	if (gl_prefix_zero(&addr))
		addr.family = 0;
	return addr;
}

void gl_port_floating_set(struct gl_port_val *val, const struct gl_prefix *addr)
{
	if (addr->family == AF_INET6)
		val->floating6_be = to6(addr);
	else
		val->floating_be = to4(addr);
}
