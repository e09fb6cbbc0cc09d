/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the compiler has to know of the host, as values: links with their addresses, ports the host's sockets use.
 * Collected by netlink.c and hostports.c; made by hand in unit tests. Pure data. */
#ifndef GL_FACTS_H
#define GL_FACTS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/model.h"

struct gl_link_addr {
	struct gl_prefix addr; /* with the length of its subnet */
	bool passing; /* link-local, not settled yet or soon gone: no guests are translated to it unasked */
};

struct gl_link {
	char name[IFNAMSIZ];
	char kind[16]; /* IFLA_INFO_KIND: "tun", "veth", "bridge"; "" for hardware */
	uint32_t ifindex;
	uint32_t mtu;
	uint8_t mac[6];
	bool up;
	bool rxvlan; /* the device takes VLAN tags out of received frames before XDP sees them */
	bool xdp_out; /* the device takes frames that XDP redirects to it (GL_PORT_F_XDP_OUT) */
	struct gl_link_addr *addrs; /* of both families, each in the kernel's order */
	size_t addr_count;
};

struct gl_facts {
	struct gl_link *links;
	size_t link_count;
};

const struct gl_link *gl_facts_find(const struct gl_facts *facts, const char *name); /* NULL: no such link */
void gl_facts_clear(struct gl_facts *facts);

#endif
