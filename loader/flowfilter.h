/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Is a flow one of those that are asked for? Pure. Flows of both families are looked at as IPv6's, with IPv4 addresses
 * as ip6.h says. Neighbours: loader.h (gl_flow_filter), flows.c, flowcut.c. */
#ifndef GL_FLOWFILTER_H
#define GL_FLOWFILTER_H

#include "loader/ip6.h"
#include "loader/loader.h"

struct gl_flow {
	struct gl_flow6_key key;
	struct gl_flow6_val val;
};
/* From an entry of a table, `map` being GL_MAP_FLOW4 or GL_MAP_FLOW6; `val` NULL: the key alone. */
void gl_flow_read(enum gl_map_id map, const void *key, const void *val, struct gl_flow *ret);
/* Back: the key as that table has it, into `buf`. */
const void *gl_flow_table_key(enum gl_map_id map, const struct gl_flow6_key *key, struct gl_flow6_key *buf);

/* Protocol, addresses, ports, state and group of an opener's entry; `group` is the number of filter->group, 0: any.
 * filter->who is for those who know names. */
bool gl_flow_passes(const struct gl_flow_filter *filter, uint32_t group, const struct gl_flow *flow);
/* The port by which people know it, host order: ICMP has a type and code there, which is none. */
uint16_t gl_flow_dport(uint8_t proto, __be16 dport_be);
/* The key of the other direction. */
struct gl_flow6_key gl_flow_peer(const struct gl_flow *flow);

#endif
