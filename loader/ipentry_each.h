/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What ipentry.c does with the shapes of one family: it includes this with GL_IP 4 and with GL_IP 6. No include guard.
 * Neighbours: maps/abi_ip.h (the shapes). */

#define GL_IP_JOIN_(before, version, after) before##version##after
#define GL_IP_JOIN(before, version, after) GL_IP_JOIN_(before, version, after)
#define GL_AF(before, after) GL_IP_JOIN(before, GL_IP, after)
#define GL_ADDRESS GL_AF(gl_ip, )

static GL_ADDRESS GL_AF(to, )(const struct gl_prefix *p)
{
	GL_ADDRESS ret = { 0 };

	if (p->family)
		memcpy(&ret, p->bytes, sizeof(ret));
	return ret;
}

static struct gl_prefix GL_AF(from, )(const GL_ADDRESS *addr, unsigned len)
{
	struct gl_prefix ret = { .family = GL_IP == 6 ? AF_INET6 : AF_INET, .len = (uint8_t)len };

	memcpy(ret.bytes, addr, sizeof(*addr));
	return ret;
}

#define GL_ALL_BITS (8 * sizeof(GL_ADDRESS))
#define GL_FILL(entry_map, key_of, val_of)                                                                             \
	do {                                                                                                           \
		static_assert(sizeof(key_of) <= sizeof(ret->key) && sizeof(val_of) <= sizeof(ret->val), "room");       \
		ret->map = (entry_map);                                                                                \
		memcpy(ret->key, &(key_of), sizeof(key_of));                                                           \
		memcpy(ret->val, &(val_of), sizeof(val_of));                                                           \
	} while (0)

static void GL_AF(held_entry, )(const struct gl_held *held, struct gl_ip_entry *ret)
{
	const struct GL_AF(gl_host, _key) key = { .segment = held->segment, .addr_be = GL_AF(to, )(&held->addr) };
	const struct GL_AF(gl_host, _val) val = { .slot = held->slot };

	GL_FILL(GL_AF(GL_MAP_HOST, ), key, val);
}

static void GL_AF(held_of, )(const struct gl_entry *entry, struct gl_held *ret)
{
	const struct GL_AF(gl_host, _key) *key = entry->key;

	ret->segment = key->segment;
	ret->addr = GL_AF(from, )(&key->addr_be, GL_ALL_BITS);
	ret->slot = ((const struct GL_AF(gl_host, _val) *)entry->val)->slot;
}

static void GL_AF(route_entry, )(const struct gl_reach *reach, struct gl_ip_entry *ret)
{
	const struct GL_AF(gl_route, _key) key = { .prefixlen = 32 + reach->prefix.len,
						   .tenant_side_be = htonl(GL_TENANT_SIDE(reach->owner, 0)),
						   .addr_be = GL_AF(to, )(&reach->prefix) };
	const struct GL_AF(gl_route, _val) val = { .kind = reach->kind, .target = reach->target };

	GL_FILL(GL_AF(GL_MAP_ROUTE, ), key, val);
}

static void GL_AF(allow_entry, )(const struct gl_reach *reach, struct gl_ip_entry *ret)
{
	const struct GL_AF(gl_allow, _key) key = { .prefixlen = 32 + reach->prefix.len,
						   .slot_side_be = htonl(GL_TENANT_SIDE(reach->owner, 0)),
						   .addr_be = GL_AF(to, )(&reach->prefix) };
	const struct GL_AF(gl_allow, _val) val = { .allowed = 1 };

	GL_FILL(GL_AF(GL_MAP_ALLOW, ), key, val);
}

static void GL_AF(reach_of, )(const struct gl_entry *entry, struct gl_reach *ret)
{
	const struct GL_AF(gl_route, _key) *key = entry->key;
	const struct GL_AF(gl_route, _val) *val = entry->val;

	/* The two tries' keys are alike. */
	static_assert(sizeof(struct GL_AF(gl_allow, _key)) == sizeof(struct GL_AF(gl_route, _key)), "");
	ret->owner = ntohl(key->tenant_side_be) >> 1;
	ret->prefix = GL_AF(from, )(&key->addr_be, key->prefixlen - 32);
	if (entry->map == GL_AF(GL_MAP_ROUTE, )) {
		ret->kind = val->kind;
		ret->target = val->target;
	}
}

static void GL_AF(public_entry, )(const struct gl_public *public, struct gl_ip_entry *ret)
{
	const struct GL_AF(gl_addr, _key)
		key = { .addr_be = GL_AF(to, )(&public->addr), .block = public->block, .uplink = public->uplink };
	const struct GL_AF(gl_addr, _val) val = { .flags = public->flags,
						  .tenant = public->tenant,
						  .gen = public->gen,
						  .slot = public->slot,
						  .inner_be = GL_AF(to, )(&public->inner) };

	GL_FILL(GL_AF(GL_MAP_ADDR, ), key, val);
}

static void GL_AF(public_of, )(const struct gl_entry *entry, struct gl_public *ret)
{
	const struct GL_AF(gl_addr, _key) *key = entry->key;
	const struct GL_AF(gl_addr, _val) *val = entry->val;

	*ret = (struct gl_public){ .addr = GL_AF(from, )(&key->addr_be, GL_ALL_BITS),
				   .block = key->block,
				   .uplink = key->uplink,
				   .flags = val->flags,
				   .tenant = val->tenant,
				   .gen = val->gen,
				   .slot = val->slot,
				   .inner = GL_AF(from, )(&val->inner_be, GL_ALL_BITS) };
}

static void GL_AF(forwarded_entry, )(const struct gl_forwarded *forwarded, struct gl_ip_entry *ret)
{
	const struct GL_AF(gl_forward, _key) key = { .addr_be = GL_AF(to, )(&forwarded->addr),
						     .port_be = htons(forwarded->port),
						     .proto = forwarded->proto,
						     .uplink = forwarded->uplink };
	const struct GL_AF(gl_forward, _val) val = { .tenant = forwarded->tenant,
						     .gen = forwarded->gen,
						     .slot = forwarded->slot,
						     .inner_be = GL_AF(to, )(&forwarded->inner),
						     .inner_port_be = htons(forwarded->inner_port) };

	GL_FILL(GL_AF(GL_MAP_FORWARD, ), key, val);
}

static void GL_AF(forwarded_of, )(const struct gl_entry *entry, struct gl_forwarded *ret)
{
	const struct GL_AF(gl_forward, _key) *key = entry->key;
	const struct GL_AF(gl_forward, _val) *val = entry->val;

	*ret = (struct gl_forwarded){ .addr = GL_AF(from, )(&key->addr_be, GL_ALL_BITS),
				      .port = ntohs(key->port_be),
				      .proto = key->proto,
				      .uplink = key->uplink,
				      .tenant = val->tenant,
				      .gen = val->gen,
				      .slot = val->slot,
				      .inner = GL_AF(from, )(&val->inner_be, GL_ALL_BITS),
				      .inner_port = ntohs(val->inner_port_be) };
}

static void GL_AF(remote_of, )(const struct gl_entry *entry, struct gl_remote *ret)
{
	const struct GL_AF(gl_remote, _key) *key = entry->key;

	ret->policy_dir = key->policy_dir;
	ret->prefix = GL_AF(from, )(&key->addr_be, key->len);
}

/* ---- inside of networks and interfaces ----------------------------------------------------------------------- */

static unsigned GL_AF(pools_of, )(const struct gl_network_val *val, struct gl_pool_range *ret)
{
	unsigned count = 0;

	for (; count < val->GL_AF(pool, _count) && count < GL_NET_POOL; count++) {
		const struct GL_AF(gl_pool, ) *pool = &val->GL_AF(pool, )[count];

		ret[count] = (struct gl_pool_range){ .addr = GL_AF(from, )(&pool->addr_be, GL_ALL_BITS),
						     .min = pool->port_min,
						     .max = pool->port_max };
	}
	return count;
}

static bool GL_AF(pool_add, )(struct gl_network_val *val, const struct gl_pool_range *pool)
{
	if (val->GL_AF(pool, _count) == GL_NET_POOL)
		return false;
	val->GL_AF(pool, )[val->GL_AF(pool, _count)++] = (struct GL_AF(
		gl_pool, )){ .addr_be = GL_AF(to, )(&pool->addr), .port_min = pool->min, .port_max = pool->max };
	return true;
}

static unsigned GL_AF(gateways_of, )(const struct gl_network_val *val, struct gl_prefix *ret)
{
	unsigned count = 0;

	for (unsigned i = 0; i < GL_NET_GATEWAYS; i++) {
		const struct GL_AF(gl_gateway, ) *gateway = &val->GL_AF(gateway, )[i];
		const struct gl_prefix mask = GL_AF(from, )(&gateway->mask_be, 0);
		struct gl_prefix addr = GL_AF(from, )(&gateway->addr_be, 0);

		if (gl_prefix_zero(&addr))
			continue;
		for (unsigned byte = 0; byte < sizeof(GL_ADDRESS); byte++)
			addr.len += __builtin_popcount(mask.bytes[byte]);
		ret[count++] = addr;
	}
	return count;
}

static void GL_AF(gateway_set, )(struct gl_network_val *val, unsigned i, const struct gl_prefix *subnet,
				 const struct gl_prefix *gateway)
{
	struct gl_prefix mask = { .family = subnet->family, .len = subnet->len };

	memset(mask.bytes, 0xff, sizeof(mask.bytes));
	mask = gl_prefix_clean(&mask);
	val->GL_AF(gateway, )[i].mask_be = GL_AF(to, )(&mask);
	if (gateway)
		val->GL_AF(gateway, )[i].addr_be = GL_AF(to, )(gateway);
}

#undef GL_IP_JOIN_
#undef GL_IP_JOIN
#undef GL_AF
#undef GL_ADDRESS
#undef GL_ALL_BITS
#undef GL_FILL
