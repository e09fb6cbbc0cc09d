/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Entries of the maps that exist once per family, as values that know their family: who compiles, describes or checks
 * them does it once for both. Addresses are struct gl_prefix; a single one has all its bits. Pure.
 * Neighbours: maps/abi_ip.h (the shapes), ipentry_each.h (what is written per family). */
#ifndef GL_IPENTRY_H
#define GL_IPENTRY_H

#include <sys/socket.h>

#include "loader/mapset.h"
#include "loader/model.h"

#define GL_FAMILIES 2 /* AF_INET, AF_INET6: in this order wherever there is one of each */

static inline uint8_t gl_family_at(unsigned i)
{
	return i ? AF_INET6 : AF_INET;
}

static inline unsigned gl_family_index(uint8_t family)
{
	return family == AF_INET6;
}

static inline unsigned gl_family_bits(uint8_t family)
{
	return family == AF_INET6 ? 128 : 32;
}

static inline const char *gl_family_text(uint8_t family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

/* The map of that family; `four` is the one for IPv4. */
static inline enum gl_map_id gl_map_of(enum gl_map_id four, uint8_t family)
{
	return four + gl_family_index(family);
}

/* 0 for maps that do not exist once per family. */
uint8_t gl_map_family(enum gl_map_id map);

/* ---- addresses --------------------------------------------------------------------------------------------- */

/* By family, address and length. Where they were written does not count. */
int gl_prefix_compare(const struct gl_prefix *a, const struct gl_prefix *b);
/* The prefix with the bits behind its length cleared. */
struct gl_prefix gl_prefix_clean(const struct gl_prefix *p);
/* Without its length: the address alone. */
struct gl_prefix gl_prefix_address(const struct gl_prefix *p);
bool gl_prefix_zero(const struct gl_prefix *p);
bool gl_prefix_link_local(const struct gl_prefix *p); /* inside of fe80::/10 */
/* To the next address; false where there is none. */
bool gl_prefix_next(struct gl_prefix *p);
/* The first of a family, or NULL. */
const struct gl_prefix *gl_prefix_first(const struct gl_prefix *list, size_t count, uint8_t family);

/* ---- entries ----------------------------------------------------------------------------------------------- */

/* Ready for a mapset. */
struct gl_ip_entry {
	enum gl_map_id map;
	uint64_t key[5], val[5];
};

/* gl_host4, gl_host6. */
struct gl_held {
	uint32_t segment;
	struct gl_prefix addr;
	uint32_t slot;
};
struct gl_ip_entry gl_held_entry(const struct gl_held *held);
struct gl_held gl_held_of(const struct gl_entry *entry);

/* gl_route4, gl_route6: of a tenant, with kind and target. gl_allow4, gl_allow6: of a slot. */
struct gl_reach {
	uint32_t owner;
	struct gl_prefix prefix;
	uint32_t kind, target;
};
struct gl_ip_entry gl_route_entry(const struct gl_reach *reach);
struct gl_ip_entry gl_allow_entry(const struct gl_reach *reach);
struct gl_reach gl_reach_of(const struct gl_entry *entry); /* either */

/* gl_addr4, gl_addr6. */
struct gl_public {
	struct gl_prefix addr;
	uint16_t block;
	uint8_t uplink;
	uint32_t flags, tenant, gen, slot;
	struct gl_prefix inner; /* of addr's family; family 0 stands for zero */
};
struct gl_ip_entry gl_public_entry(const struct gl_public *public);
struct gl_public gl_public_of(const struct gl_entry *entry);

/* gl_forward4, gl_forward6. */
struct gl_forwarded {
	struct gl_prefix addr;
	uint16_t port; /* host order */
	uint8_t proto, uplink;
	uint32_t tenant, gen, slot;
	struct gl_prefix inner;
	uint16_t inner_port;
};
struct gl_ip_entry gl_forwarded_entry(const struct gl_forwarded *forwarded);
struct gl_forwarded gl_forwarded_of(const struct gl_entry *entry);

/* gl_remote4, gl_remote6: key alone. */
struct gl_remote {
	uint32_t policy_dir;
	struct gl_prefix prefix;
};
struct gl_remote gl_remote_of(const struct gl_entry *entry);

/* Where in the value of such an entry the tenant's generation stands; NULL: it has none. */
uint32_t *gl_entry_gen(enum gl_map_id map, void *val);

/* ---- inside of networks and interfaces ----------------------------------------------------------------------- */

struct gl_pool_range {
	struct gl_prefix addr;
	uint16_t min, max;
};
/* IPv4's first. Return how many there are. */
unsigned gl_pools_of(const struct gl_network_val *val, struct gl_pool_range ret[GL_FAMILIES * GL_NET_POOL]);
unsigned gl_gateways_of(const struct gl_network_val *val, struct gl_prefix ret[GL_FAMILIES * GL_NET_GATEWAYS]);
unsigned gl_port_addresses_of(const struct gl_port_val *val, struct gl_prefix ret[GL_FAMILIES * GL_PORT_ADDRS]);
struct gl_prefix gl_port_floating(const struct gl_port_val *val, uint8_t family); /* family 0: none */

/* Append one; false when there is no room for another of its family. */
bool gl_pool_add(struct gl_network_val *val, const struct gl_pool_range *pool);
/* `gateway`: its address with the subnet's length; NULL: somebody else's. */
bool gl_gateway_set(struct gl_network_val *val, unsigned i, const struct gl_prefix *subnet,
		    const struct gl_prefix *gateway);
bool gl_port_address_add(struct gl_port_val *val, const struct gl_prefix *addr);
void gl_port_floating_set(struct gl_port_val *val, const struct gl_prefix *addr);

#endif
