/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The validator's inside: what its parts share. validate.c has names, limits and interfaces, validate_net.c networks
 * and their subnets, validate_public.c addresses and ports on the uplinks, validate_group.c security groups,
 * validate_address.c what addresses are. Nobody
 * else includes this. */
#ifndef GL_VALIDATE_H
#define GL_VALIDATE_H

#include "loader/arena.h"
#include "loader/diag.h"
#include "loader/ipentry.h"

/* What must not occur twice, each within a scope of its own kind. */
enum gl_seen {
	GL_SEEN_UPLINK = 1, /* name */
	GL_SEEN_DEVICE, /* name of an interface of the host */
	GL_SEEN_TENANT, /* name */
	GL_SEEN_NETWORK, /* name; scope: tenant */
	GL_SEEN_GUEST, /* name; scope: tenant */
	GL_SEEN_GROUP, /* name; scope: tenant */
	GL_SEEN_ANY_GROUP, /* name, whoever has it first */
	GL_SEEN_MAC, /* scope: see gl_check_segment() */
	GL_SEEN_ADDRESS, /* likewise */
	GL_SEEN_MEMBERS, /* likewise, no bytes; holds struct gl_members */
	GL_SEEN_ROUTER, /* gateway of a bridge network; likewise */
	GL_SEEN_POOL, /* nat address; scope: network */
	GL_SEEN_NAT, /* nat address; scope: uplink */
	GL_SEEN_FLOATING, /* address; scope: uplink */
	GL_SEEN_FORWARD, /* address, protocol, port; scope: uplink */
};

/* Who had it first. */
struct gl_holder {
	struct gl_loc loc;
	const char *tenant, *network; /* NULL: of none */
};

struct gl_net {
	const struct gl_tenant *tenant;
	const struct gl_network *network;
	uint32_t tenant_index;
	uint32_t index; /* in gl_check.nets */
	uint32_t uplink; /* index; GL_NONE: none, or one that is not known */
	bool clear; /* all its subnets are understood */
};
#define GL_NONE 0xffffffff

/* Addresses of a subnet, both ends included. */
struct gl_span {
	uint32_t scope; /* tenant, uplink or network index */
	struct gl_prefix first, last;
	const struct gl_prefix *prefix;
	const struct gl_net *net;
};
struct gl_spans {
	struct gl_span *items; /* sorted by scope, then family and first */
	size_t count;
};

struct gl_check {
	const struct gl_definition *def;
	struct gl_diag *diag;
	struct gl_arena arena;
	struct gl_table seen;
	struct gl_net *nets; /* of all tenants, in their order */
	size_t net_count;
	size_t *first_net; /* by tenant */
	struct gl_spans joined; /* scope: tenant */
	struct gl_spans routed; /* scope: uplink */
	size_t interface_count, forward_count, public_count;
	bool uplink_unread; /* an uplink has no readable name */
	bool bad;
	int err;
};

/* NULL when it is the first of its kind, else who was. Sets c->err. */
const struct gl_holder *gl_check_first(struct gl_check *c, enum gl_seen kind, uint32_t scope, const void *bytes,
				       size_t len, const struct gl_holder *holder);
const struct gl_holder *gl_check_seen(const struct gl_check *c, enum gl_seen kind, uint32_t scope, const void *bytes,
				      size_t len);
/* Likewise, by an address. */
const struct gl_holder *gl_check_first_address(struct gl_check *c, enum gl_seen kind, uint32_t scope,
					       const struct gl_prefix *address, const struct gl_holder *holder);
const struct gl_holder *gl_check_seen_address(const struct gl_check *c, enum gl_seen kind, uint32_t scope,
					      const struct gl_prefix *address);
/* NULL: the tenant has no network of that name. */
const struct gl_net *gl_check_net(const struct gl_check *c, uint32_t tenant, const char *name);
/* Where MACs and addresses must be unique: within a network, and for bridge networks on the uplink's segment, which
 * other tenants may be on as well. */
uint32_t gl_check_segment(const struct gl_net *net);
/* One more interface that a broadcast in `segment` reaches: how many by now; 0 when out of memory. */
size_t gl_check_member(struct gl_check *c, uint32_t segment);
/* "lab.yaml:12:5" */
const char *gl_check_where(struct gl_loc loc, char buf[128]);

/* validate_address.c: both families. Addresses are prefixes of whole length. */
struct gl_prefix gl_first(const struct gl_prefix *prefix); /* its first address */
struct gl_prefix gl_last(const struct gl_prefix *prefix); /* its last address */
size_t gl_range_size(const struct gl_range *range, size_t most); /* addresses; beyond `most` it only says so */
/* Reports addresses that nobody can hold; `what` as in "address". False for those, and for the ones that the parser
 * reported. */
bool gl_check_usable(struct gl_check *c, const struct gl_prefix *prefix, const char *what);
/* Likewise where link-local ones are fine. */
bool gl_check_usable_here(struct gl_check *c, const struct gl_prefix *prefix, const char *what);
bool gl_check_subnet_usable(struct gl_check *c, const struct gl_prefix *subnet);
bool gl_check_host_bits(struct gl_check *c,
			const struct gl_prefix *prefix); /* false, and reported, where some are set */
/* What a subnet reserves: "the network address", "the broadcast address", or NULL. */
const char *gl_reserved_name(const struct gl_prefix *subnet, const struct gl_prefix *address);
/* Whatever could not be read counts as what is asked for. */
bool gl_has_subnet(const struct gl_network *network, uint8_t family);
bool gl_has_slaac_subnet(const struct gl_network *network);
bool gl_has_family(const struct gl_network *network, const struct gl_interface *interface, uint8_t family);

/* Reports a name that stands a second time; `what` as in "network". */
void gl_check_name(struct gl_check *c, enum gl_seen kind, uint32_t scope, const struct gl_string *name,
		   const char *what);

void gl_check_networks(struct gl_check *c); /* fills nets, joined and routed */
void gl_check_public(struct gl_check *c);
void gl_check_groups(struct gl_check *c);
const struct gl_span *gl_find_span(const struct gl_spans *spans, uint32_t scope, const struct gl_prefix *address);

#endif
