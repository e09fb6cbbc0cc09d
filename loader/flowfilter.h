/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Is a flow one of those that are asked for? Pure. Neighbours: loader.h (gl_flow_filter), flows.c, flowcut.c. */
#ifndef GL_FLOWFILTER_H
#define GL_FLOWFILTER_H

#include "loader/loader.h"

/* Protocol, addresses, ports, state and group of an opener's entry; `group` is the number of filter->group, 0: any.
 * filter->who is for those who know names. */
bool gl_flow_passes(const struct gl_flow_filter *filter, uint32_t group, const struct gl_flow4_key *key,
		    const struct gl_flow4_val *val);
/* The port by which people know it, host order: ICMP has a type and code there, which is none. */
uint16_t gl_flow_dport(uint8_t proto, __be16 dport_be);
/* The key of the other direction. */
struct gl_flow4_key gl_flow_peer(const struct gl_flow4_key *key, const struct gl_flow4_val *val);

#endif
