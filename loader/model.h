/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The definition as values: what the parser fills, the validator checks and the compiler reads. Pure data.
 * Everything is owned by the definition and freed with it. Arrays are pointer + count; strings are never NULL unless
 * said so. Neighbours: diag.h (errors), parse.c, validate.c, compile.c. */
#ifndef GL_MODEL_H
#define GL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maps/abi.h"

/* Where in the definition something stands; line and col begin at 1. */
struct gl_loc {
	const char *file;
	unsigned line, col;
};

struct gl_string {
	char *s;
	struct gl_loc loc;
};

/* An address, or a prefix of `len` bits. IPv4 occupies bytes[0..3], network order. */
struct gl_prefix {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t len;
	uint8_t bytes[16];
	struct gl_loc loc;
};

/* first..last, both included, same family. */
struct gl_range {
	struct gl_prefix first, last;
};

enum gl_xdp_wish { GL_XDP_AUTO = 0, GL_XDP_NATIVE, GL_XDP_GENERIC, GL_XDP_OFF };

struct gl_uplink {
	struct gl_string name;
	struct gl_string interface;
	enum gl_xdp_wish xdp;
	struct gl_loc loc;
};

/* first..last, both included. */
struct gl_port_span {
	uint16_t first, last;
};

struct gl_rule {
	bool any_proto;
	uint8_t proto; /* IPPROTO_*, unless any_proto */
	struct gl_port_span *ports; /* TCP, UDP, SCTP: ports. ICMP: GL_ICMP_PORT(type, code). None: all of them */
	size_t port_count;
	struct gl_prefix remote_ip; /* family 0: absent */
	struct gl_string remote_group; /* s is NULL when absent */
	struct gl_loc loc;
};

struct gl_group {
	struct gl_string name;
	struct gl_rule *rules[2]; /* by enum gl_direction */
	size_t rule_count[2];
	bool egress_given; /* without the key everything may leave */
	struct gl_loc loc;
};

enum gl_ra_mode {
	GL_RA_SLAAC = 0, /* guests make their addresses of the prefix and their MAC (RFC 4862) */
	GL_RA_MANAGED, /* addresses come otherwise (RFC 4861: M and O) */
	GL_RA_OFF,
};

/* What a network's gateway tells guests, where the network has IPv6 subnets and is none of mode bridge. */
struct gl_router_advertisements {
	enum gl_ra_mode mode;
	struct gl_prefix *dns; /* RFC 8106; at most GL_RA_DNS */
	size_t dns_count;
	uint16_t interval; /* seconds between two that nobody asked for, 4..1800; GL_RA_INTERVAL when absent */
	uint16_t lifetime; /* seconds as a default router, 0..65535 (RFC 8319); GL_RA_LIFETIME when absent */
	uint16_t mtu; /* 0: what the network's devices allow; else 1280..65535 */
	struct gl_loc loc; /* line 0 when the key is absent */
};

struct gl_network {
	struct gl_string name;
	enum gl_mode mode;
	struct gl_string uplink; /* s is NULL when absent */
	struct gl_prefix *subnets;
	size_t subnet_count;
	struct gl_prefix *gateways; /* as given; gl_network_gateway() fills the default in */
	size_t gateway_count;
	struct gl_range *nat_addresses;
	size_t nat_address_count;
	struct gl_port_span *nat_ports; /* none: the default range; disjoint, at most GL_NET_POOL */
	size_t nat_port_count;
	bool endpoint_independent; /* nat: mapping: endpoint-independent */
	uint16_t mss; /* as gl_network_val.mss */
	struct gl_router_advertisements ra;
	struct gl_loc nat_loc; /* line 0 when `nat:` is absent */
	uint16_t vlan; /* 0: none */
	struct gl_loc vlan_loc;
	bool broadcast; /* default true */
	enum gl_open open_to; /* default GL_OPEN_NETWORK */
	struct gl_loc open_to_loc;
	struct gl_loc loc;
};

struct gl_interface {
	struct gl_string tap;
	uint8_t mac[6];
	struct gl_loc mac_loc;
	struct gl_string network;
	struct gl_prefix *addresses; /* single addresses: len 32 or 128 */
	size_t address_count;
	bool slaac; /* `slaac` among the addresses: its own of each /64 subnet (RFC 4291 appendix A); not in `addresses`
		     */
	struct gl_loc slaac_loc;
	struct gl_prefix *allowed_address_pairs;
	size_t allowed_count;
	struct gl_prefix *floating_ips;
	size_t floating_count;
	struct gl_string *groups; /* security_groups, in the order given; at most GL_PORT_GROUPS */
	size_t group_count;
	enum gl_xdp_wish xdp;
	struct gl_loc loc;
};

struct gl_port_forward {
	uint8_t proto; /* IPPROTO_* */
	struct gl_prefix address;
	uint16_t port, to;
	struct gl_string interface; /* s is NULL: the guest's first */
	struct gl_loc loc;
};

struct gl_guest {
	struct gl_string name;
	struct gl_interface *interfaces;
	size_t interface_count;
	struct gl_port_forward *forwards;
	size_t forward_count;
	struct gl_loc loc;
};

struct gl_tenant {
	struct gl_string name;
	uint32_t max_flows; /* GL_FLOWS_DEFAULT when absent */
	uint32_t timeout[GL_TIMEOUT_COUNT]; /* seconds, by enum gl_timeout; 0: the default */
	bool tcp_pickup;
	struct gl_group *groups;
	size_t group_count;
	struct gl_network *networks;
	size_t network_count;
	struct gl_guest *guests;
	size_t guest_count;
	const void *network_index; /* for gl_find_network(); NULL does, and is slower */
	struct gl_loc loc;
};

struct gl_definition {
	struct gl_uplink *uplinks;
	size_t uplink_count;
	struct gl_tenant *tenants;
	size_t tenant_count;
	void *arena; /* owns all of the above; model.c */
};

struct gl_diag; /* diag.h */

/* parse.c: adds one YAML or JSON text (`file` is the name for messages) to `def`. Syntax, unknown keys and types are
 * reported to `diag`, all of them; 0, -EINVAL when anything was reported, -ENOMEM. */
int gl_definition_new(struct gl_definition **ret);
int gl_parse(struct gl_definition *def, const char *file, const char *text, size_t len, struct gl_diag *diag);

/* validate.c: everything that needs more than one key: names, ranges, overlaps. 0, -EINVAL or -ENOMEM. */
int gl_validate(const struct gl_definition *def, struct gl_diag *diag);

/* model.c */
int gl_index_networks(struct gl_definition *def, struct gl_tenant *tenant); /* fills network_index; -ENOMEM */
void gl_definition_free(struct gl_definition *def); /* NULL is fine */
const struct gl_uplink *gl_find_uplink(const struct gl_definition *def, const char *name);
const struct gl_network *gl_find_network(const struct gl_tenant *tenant, const char *name);
/* The gateway of subnet i: the one given that lies in it, or the first host address. */
struct gl_prefix gl_network_gateway(const struct gl_network *network, size_t i);
/* Can guests make addresses of that subnet by themselves (RFC 4862): is it an IPv6 one of 64 bits? */
bool gl_is_slaac_subnet(const struct gl_prefix *subnet);
/* Does the network's gateway advertise itself, or would it without `off`? */
bool gl_has_advertisements(const struct gl_network *network);
/* The address that a MAC gives in a prefix of up to 64 bits (modified EUI-64, RFC 4291 appendix A). With prefix NULL:
 * the link-local one. */
struct gl_prefix gl_eui64(const struct gl_prefix *prefix, const uint8_t mac[6]);
/* The gateway's MAC of a network: locally administered, a hash of tenant and network name, so that it is one and the
 * same over any number of applies, reboots and hosts. */
void gl_gateway_mac(const char *tenant, const char *network, uint8_t mac[6]);
bool gl_prefix_contains(const struct gl_prefix *outer, const struct gl_prefix *inner);
/* "10.0.0.1" for a whole address, "10.0.0.0/24" otherwise; needs 50 bytes. */
char *gl_prefix_format(const struct gl_prefix *p, char *buf);
/* The definition as one canonical JSON document that gl_parse() reads back to the same definition; caller frees. */
char *gl_definition_to_json(const struct gl_definition *def);
const char *gl_mode_name(enum gl_mode mode);
const char *gl_ra_mode_name(enum gl_ra_mode mode);
const char *gl_open_name(enum gl_open open_to);
const char *gl_timeout_name(enum gl_timeout which); /* "tcp_opening", as the key of `timeouts` */
uint32_t gl_timeout_default(enum gl_timeout which); /* seconds */

#endif
