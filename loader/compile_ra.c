/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a network's gateway tell guests in its router advertisements (RFC 4861 4.2, RFC 8106)? The whole ICMPv6
 * message, so that the programs have nothing to compose. Neighbours: compile.c (the order of steps), abi.h (gl_ra). */
#include "loader/compile_int.h"

#include <arpa/inet.h>
#include <string.h>

#define RA_TYPE 134
#define RA_HOP_LIMIT 64
#define RA_F_MANAGED 0xc0 /* M and O */
#define OPTION_LINK 1
#define OPTION_PREFIX 3
#define OPTION_MTU 5
#define OPTION_DNS 25
#define PREFIX_F_ON_LINK 0x80
#define PREFIX_F_AUTONOMOUS 0x40
#define PREFIX_VALID 2592000 /* seconds; these two are the defaults of RFC 4861 6.2.1 */
#define PREFIX_PREFERRED 604800
#define DNS_LEAST 1800
#define IPV6_MTU_LEAST 1280

static void put(struct gl_ra_val *ra, const void *bytes, size_t size)
{
	memcpy(ra->body + ra->len, bytes, size);
	ra->len += size;
}

static void put8(struct gl_ra_val *ra, uint8_t value)
{
	put(ra, &value, sizeof(value));
}

static void put16(struct gl_ra_val *ra, uint16_t value)
{
	const uint16_t value_be = htons(value);

	put(ra, &value_be, sizeof(value_be));
}

static void put32(struct gl_ra_val *ra, uint32_t value)
{
	const uint32_t value_be = htonl(value);

	put(ra, &value_be, sizeof(value_be));
}

/* Units of 8 bytes, these two included. */
static void put_option(struct gl_ra_val *ra, uint8_t type, uint8_t units)
{
	put8(ra, type);
	put8(ra, units);
}

static void put_prefix(struct gl_ra_val *ra, const struct gl_prefix *subnet, bool autonomous)
{
	const struct gl_prefix clean = gl_prefix_clean(subnet);

	put_option(ra, OPTION_PREFIX, 4);
	put8(ra, clean.len);
	put8(ra, PREFIX_F_ON_LINK | (autonomous ? PREFIX_F_AUTONOMOUS : 0));
	put32(ra, PREFIX_VALID);
	put32(ra, PREFIX_PREFERRED);
	put32(ra, 0);
	put(ra, clean.bytes, sizeof(clean.bytes));
}

static uint32_t sum_of(const struct gl_ra_val *ra)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < ra->len; i += 2) {
		uint16_t word;

		memcpy(&word, ra->body + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What every device of the network carries; 0 where there is none, or no room for IPv6. */
static uint32_t smallest_mtu(const struct gl_c_network *network)
{
	uint32_t mtu = network->mtu;

	if (network->uplink && (!mtu || network->uplink->link->mtu < mtu))
		mtu = network->uplink->link->mtu;
	return mtu < IPV6_MTU_LEAST ? 0 : mtu;
}

static int advertise(struct gl_c *c, const struct gl_c_network *network)
{
	const struct gl_network *def = network->def;
	const struct gl_router_advertisements *how = &def->ra;
	const uint32_t mtu = how->mtu ? how->mtu : smallest_mtu(network);
	const uint32_t dns_lifetime = 3 * how->interval > DNS_LEAST ? 3 * how->interval : DNS_LEAST;
	struct gl_ra_key key = { .network = network->index };
	struct gl_ra_val ra = { .interval = how->interval };

	put8(&ra, RA_TYPE);
	put8(&ra, 0);
	put16(&ra, 0);
	put8(&ra, RA_HOP_LIMIT);
	put8(&ra, how->mode == GL_RA_MANAGED ? RA_F_MANAGED : 0);
	/* Nothing lies behind the gateway of an isolated network: it is nobody's default router. */
	put16(&ra, def->mode == GL_MODE_ISOLATED ? 0 : how->lifetime);
	put32(&ra, 0);
	put32(&ra, 0);
	put_option(&ra, OPTION_LINK, 1);
	put(&ra, network->gw_mac, GL_MAC_LEN);
	if (mtu) {
		put_option(&ra, OPTION_MTU, 1);
		put16(&ra, 0);
		put32(&ra, mtu);
	}
	for (size_t i = 0; i < def->subnet_count; i++)
		if (def->subnets[i].family == AF_INET6)
			put_prefix(&ra, &def->subnets[i], how->mode == GL_RA_SLAAC && def->subnets[i].len == 64);
	if (how->dns_count) {
		put_option(&ra, OPTION_DNS, 1 + 2 * how->dns_count);
		put16(&ra, 0);
		put32(&ra, dns_lifetime);
	}
	for (size_t i = 0; i < how->dns_count; i++)
		put(&ra, how->dns[i].bytes, sizeof(how->dns[i].bytes));
	ra.sum = sum_of(&ra);
	return gl_c_emit(c, GL_MAP_RA, network->tenant->index, &key, &ra);
}

static_assert(16 + 8 + 8 + 32 * GL_NET_GATEWAYS + 8 + 16 * GL_RA_DNS <= GL_RA_BODY, "all options at once");

int gl_c_advertisements(struct gl_c *c)
{
	int err = 0;

	for (size_t i = 0; i < c->port_count; i++) {
		const struct gl_c_port *port = &c->ports[i];

		if (port->link && (!port->network->mtu || port->link->mtu < port->network->mtu))
			port->network->mtu = port->link->mtu;
	}
	for (size_t i = 0; i < c->network_count && !err; i++) {
		const struct gl_c_network *network = &c->networks[i];

		if (network->ipv6 && network->def->mode != GL_MODE_BRIDGE && network->def->ra.mode != GL_RA_OFF)
			err = advertise(c, network);
	}
	return err;
}
