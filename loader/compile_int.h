/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the parts of the compiler share: the definition with its numbers found, and how entries are emitted.
 * compile.c runs the parts in order: compile_group.c (which policies there are), compile_index.c (numbers and slots),
 * compile_public.c with compile_nat.c and compile_share.c (public addresses and their ports), compile_port.c
 * (interfaces and networks), compile_ra.c (router advertisements), compile_group.c (what the policies admit),
 * compile_tenant.c, then generations. Both families go the same ways (ipentry.h). */
#ifndef GL_COMPILE_INT_H
#define GL_COMPILE_INT_H

#include "loader/compile.h"
#include "loader/ipentry.h"
#include "loader/tree.h"

struct gl_c_uplink {
	const struct gl_uplink *def;
	const struct gl_link *link;
	uint32_t number, slot;
	bool segment; /* some bridge network is on it */
	bool ipv6; /* some network on it has IPv6 subnets */
};

struct gl_c_tenant {
	const struct gl_tenant *def;
	uint32_t index;
	size_t first_network; /* in gl_c.networks; in the definition's order */
	size_t first_group, group_count; /* in gl_c.secgroups; by name */
};

/* A security group. */
struct gl_c_secgroup {
	const struct gl_group *def;
	uint32_t number;
	bool used; /* some interface on the host has it; others have no number */
	char name[2 * GL_NAME_LEN]; /* "TENANT/GROUP" */
};

/* The security groups of one interface or more, taken together. */
struct gl_c_policy {
	const struct gl_c_tenant *tenant;
	struct gl_c_secgroup *groups[GL_PORT_GROUPS]; /* by name */
	size_t count;
	uint32_t index;
	struct gl_loc loc; /* of an interface that has them */
	char name[2 * GL_NAME_LEN]; /* as in gl_name: "TENANT/" and a hash */
};

struct gl_c_network {
	const struct gl_network *def;
	const struct gl_c_tenant *tenant;
	struct gl_c_uplink *uplink; /* NULL: isolated */
	uint32_t index;
	uint32_t first_slot;
	uint32_t mtu; /* the smallest of its interfaces; 0: none exists */
	uint8_t gw_mac[GL_MAC_LEN];
	bool ipv6; /* it has IPv6 subnets */
	uint8_t pool_count[GL_FAMILIES];
	struct gl_pool_range pool[GL_FAMILIES][GL_NET_POOL];
	char name[2 * GL_NAME_LEN]; /* "TENANT/NETWORK" */
};

/* An interface of a guest. */
struct gl_c_port {
	const struct gl_interface *def;
	const struct gl_guest *guest;
	const struct gl_c_tenant *tenant;
	struct gl_c_network *network;
	const struct gl_link *link; /* NULL: pending */
	const struct gl_c_policy *policy; /* NULL: no security groups, or pending */
	struct gl_prefix *addresses; /* those given, then those that its MAC gives; without the link-local one */
	size_t address_count;
	struct gl_prefix link_local; /* family 0: its network has no IPv6 */
	uint32_t slot;
	uint32_t next_in_network, next_in_segment;
};

/* Keys that two parts of a definition may both ask for; found out before the set is sealed. */
struct gl_c_claim {
	enum gl_map_id map;
	uint64_t key[5];
	struct gl_loc loc;
};

struct gl_c {
	const struct gl_definition *def;
	const struct gl_facts *facts;
	const struct gl_mapset *live;
	struct gl_diag *diag;
	bool bad; /* something was reported */

	struct gl_c_uplink *uplinks;
	struct gl_c_tenant *tenants;
	struct gl_c_network *networks;
	struct gl_c_port *ports; /* in the definition's order: a guest's interfaces stand together */
	struct gl_c_secgroup *secgroups; /* a tenant's stand together */
	struct gl_c_policy *policies;
	size_t uplink_count, tenant_count, network_count, port_count, secgroup_count, policy_count;

	struct gl_c_claim *claims;
	size_t claim_count, claim_capacity;
	struct gl_desired *out;
};

#define gl_c_refuse(c, loc, ...)                                                                                       \
	do {                                                                                                           \
		gl_diag_add((c)->diag, (loc), __VA_ARGS__);                                                            \
		(c)->bad = true;                                                                                       \
	} while (0)

/* compile.c */
int gl_c_emit(struct gl_c *c, enum gl_map_id map, uint32_t tenant, const void *key, const void *val);
/* The same, and a second one of this key is an error at its place. */
int gl_c_emit_once(struct gl_c *c, enum gl_map_id map, uint32_t tenant, const void *key, const void *val,
		   struct gl_loc loc);
static inline int gl_c_emit_ip(struct gl_c *c, uint32_t tenant, struct gl_ip_entry entry)
{
	return gl_c_emit(c, entry.map, tenant, entry.key, entry.val);
}
static inline int gl_c_emit_ip_once(struct gl_c *c, uint32_t tenant, struct gl_ip_entry entry, struct gl_loc loc)
{
	return gl_c_emit_once(c, entry.map, tenant, entry.key, entry.val, loc);
}
int gl_c_reserve(struct gl_c *c, uint16_t min, uint16_t max);
/* The uplink has to take frames for this MAC, which is not its own; for the group in which an address is solicited
 * (RFC 4291 2.7.1; of IPv4 there is none). */
int gl_c_take_mac(struct gl_c *c, const struct gl_c_uplink *uplink, const uint8_t mac[6]);
int gl_c_take_solicited(struct gl_c *c, const struct gl_c_uplink *uplink, const struct gl_prefix *addr);
int gl_c_emit_name(struct gl_c *c, enum gl_name_kind kind, uint32_t index, uint32_t tenant, const char *name);

/* compile_group.c: the security groups and policies that there are; afterwards, once numbered, their entries. */
int gl_c_groups(struct gl_c *c);
int gl_c_policies(struct gl_c *c);
struct gl_c_secgroup *gl_c_find_group(struct gl_c *c, const struct gl_c_tenant *tenant, const char *name);

/* compile_rule.c: what the rules of one direction of a policy become; fills what the policy's entry says of them.
 * `rules` begins zeroed and is kept from policy to policy, `lines` are the policy's. */
struct gl_c_rules {
	struct gl_c_cell *cells; /* working memory */
	struct gl_c_range *ranges;
	struct gl_intervals intervals;
	size_t cell_count, cell_capacity, range_count, range_capacity;
	size_t rules_emitted, remotes_emitted[2]; /* so far; of each family */
};
int gl_c_rules(struct gl_c *c, const struct gl_c_policy *policy, enum gl_direction direction, struct gl_c_rules *rules,
	       struct gl_lines *lines, struct gl_policy_val *val);
void gl_c_rules_clear(struct gl_c_rules *rules);

/* compile_line.c: where in gl_tree the lines of each policy stand. */
struct gl_c_place {
	uint32_t count; /* lines that it needs */
	uint32_t live_first, live_room; /* what it has now; 0: nothing */
	uint32_t first, room; /* out */
};
/* 0; -ENOMEM; -ENOSPC: there are not as many lines. */
int gl_c_place_lines(struct gl_c_place *places, size_t count);

/* compile_index.c: index, number and slot of everything. */
int gl_c_number(struct gl_c *c);

/* compile_port.c: interfaces, networks, who holds which MAC and address, routes, names. */
int gl_c_ports(struct gl_c *c);
/* compile_ra.c */
int gl_c_advertisements(struct gl_c *c);
/* compile_tenant.c */
int gl_c_tenants(struct gl_c *c);

/* compile_public.c: public addresses, port forwards, and the networks' pools. */
int gl_c_public(struct gl_c *c);

enum gl_c_use_kind { USE_NAT, USE_FLOATING, USE_ROUTED, USE_FORWARD };

/* One use of one public address. */
struct gl_c_use {
	struct gl_prefix addr;
	enum gl_c_use_kind kind;
	const struct gl_c_uplink *uplink;
	const struct gl_c_tenant *tenant;
	struct gl_c_network *network;
	const struct gl_c_port *port; /* NULL: translation */
	const struct gl_port_forward *forward;
	const struct gl_loc *loc;
	size_t order;
	uint16_t min, max; /* translation: the network's range */
	uint8_t pool; /* translation: which entry of the network's pool */
	bool given; /* the range stands in the definition */
};

/* All uses of one address on one uplink: translation first, by tenant. */
struct gl_c_group {
	struct gl_c_use *uses;
	size_t count, nat_count;
	struct gl_prefix addr;
	const struct gl_c_uplink *uplink;
	bool host;
};

/* compile_nat.c: which ports of an address the networks that translate to it get; fills their pools. */
struct gl_c_live_share {
	uint32_t uplink, tenant;
	struct gl_prefix addr;
	uint16_t min, max;
};
struct gl_c_live_shares {
	struct gl_c_live_share *items;
	size_t count;
};
int gl_c_live_shares(const struct gl_mapset *live, struct gl_c_live_shares *ret);
int gl_c_nat(struct gl_c *c, const struct gl_c_live_shares *live, const struct gl_c_group *g);

/* compile_share.c: the ports of one public address, divided among tenants. In blocks, `end` not included. */
struct gl_c_share {
	uint32_t tenant;
	const bool *may; /* by block: may lie here; NULL: in all of [low, end) */
	uint16_t low, end; /* none of them lies outside of here */
	uint16_t live_low, live_end; /* what the tenant has now; equal: nothing */
	uint16_t got_low, got_end; /* out */
};
#define GL_C_BLOCKS (65536 >> GL_NAT_BLOCK_SHIFT)
/* `shares` ascend by tenant. 0, or -ENOSPC with the number of tenants there is room for in *room. */
int gl_c_share_out(struct gl_c_share *shares, size_t count, size_t *room);
/* The longest run of blocks of [low, end) that holds none of the ports; false: there is none. */
bool gl_c_gap(uint16_t low, uint16_t end, const uint16_t *ports, size_t count, uint16_t *gap_low, uint16_t *gap_end);

#endif
