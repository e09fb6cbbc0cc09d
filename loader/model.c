/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What can be asked of a definition, whoever made it? See model.h. Neighbours: parse.c (text to definition), json.c
 * (definition to text). */
#include "loader/model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/arena.h"

int gl_definition_new(struct gl_definition **ret)
{
	struct gl_definition *def = calloc(1, sizeof(*def));

	if (!def)
		return -ENOMEM;
	def->arena = calloc(1, sizeof(struct gl_arena));
	if (!def->arena) {
		free(def);
		return -ENOMEM;
	}
	*ret = def;
	return 0;
}

void gl_definition_free(struct gl_definition *def)
{
	if (!def)
		return;
	if (def->arena)
		gl_arena_clear(def->arena);
	free(def->arena);
	free(def);
}

const struct gl_uplink *gl_find_uplink(const struct gl_definition *def, const char *name)
{
	for (size_t i = 0; i < def->uplink_count; i++) {
		if (!strcmp(def->uplinks[i].name.s, name))
			return &def->uplinks[i];
	}
	return NULL;
}

int gl_index_networks(struct gl_definition *def, struct gl_tenant *tenant)
{
	struct gl_table *table = gl_arena_alloc(def->arena, sizeof(*table));
	const void *had;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < tenant->network_count; i++) {
		const char *name = tenant->networks[i].name.s;

		if (gl_table_put(table, def->arena, name, strlen(name), &tenant->networks[i], &had))
			return -ENOMEM;
	}
	tenant->network_index = table;
	return 0;
}

const struct gl_network *gl_find_network(const struct gl_tenant *tenant, const char *name)
{
	if (tenant->network_index)
		return gl_table_get(tenant->network_index, name, strlen(name));
	for (size_t i = 0; i < tenant->network_count; i++) {
		if (!strcmp(tenant->networks[i].name.s, name))
			return &tenant->networks[i];
	}
	return NULL;
}

bool gl_prefix_contains(const struct gl_prefix *outer, const struct gl_prefix *inner)
{
	unsigned whole = outer->len / 8, rest = outer->len % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (outer->family != inner->family || outer->len > inner->len)
		return false;
	return !memcmp(outer->bytes, inner->bytes, whole) &&
	       (!rest || !((outer->bytes[whole] ^ inner->bytes[whole]) & mask));
}

struct gl_prefix gl_network_gateway(const struct gl_network *network, size_t i)
{
	const struct gl_prefix *subnet = &network->subnets[i];
	struct gl_prefix gateway = *subnet;
	unsigned last = subnet->family == AF_INET ? 3 : 15;

	for (size_t g = 0; g < network->gateway_count; g++) {
		if (gl_prefix_contains(subnet, &network->gateways[g]))
			return network->gateways[g];
	}
	gateway.len = subnet->family == AF_INET ? 32 : 128;
	/* RFC 3021: with one bit for hosts there is no network address to step over. */
	if (subnet->len + 1 < gateway.len)
		gateway.bytes[last] |= 1;
	return gateway;
}

bool gl_is_slaac_subnet(const struct gl_prefix *subnet)
{
	return subnet->family == AF_INET6 && subnet->len == 64;
}

bool gl_has_advertisements(const struct gl_network *network)
{
	bool v6 = false;

	for (size_t i = 0; i < network->subnet_count; i++)
		v6 |= network->subnets[i].family == AF_INET6;
	return v6 && network->mode != GL_MODE_BRIDGE;
}

struct gl_prefix gl_eui64(const struct gl_prefix *prefix, const uint8_t mac[6])
{
	struct gl_prefix ret = { .family = AF_INET6, .len = 128, .bytes = { 0xfe, 0x80 } };

	if (prefix) {
		memcpy(ret.bytes, prefix->bytes, 8);
		ret.loc = prefix->loc;
	}
	memcpy(ret.bytes + 8, mac, 3);
	ret.bytes[8] ^= 2;
	ret.bytes[11] = 0xff;
	ret.bytes[12] = 0xfe;
	memcpy(ret.bytes + 13, mac + 3, 3);
	return ret;
}

void gl_gateway_mac(const char *tenant, const char *network, uint8_t mac[6])
{
	uint64_t hash = gl_hash(network, strlen(network), gl_hash(tenant, strlen(tenant), 0));

	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02); /* locally administered, of one interface */
}

char *gl_prefix_format(const struct gl_prefix *p, char *buf)
{
	bool v4 = p->family == AF_INET;
	size_t len;

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, p->bytes, buf, INET6_ADDRSTRLEN))
		*buf = 0;
	len = strlen(buf);
	if (p->len < (v4 ? 32 : 128))
		snprintf(buf + len, 50 - len, "/%u", p->len);
	return buf;
}

const char *gl_mode_name(enum gl_mode mode)
{
	switch (mode) {
	case GL_MODE_ISOLATED:
		return "isolated";
	case GL_MODE_NAT:
		return "nat";
	case GL_MODE_ROUTED:
		return "routed";
	case GL_MODE_BRIDGE:
		return "bridge";
	default:
		return "none";
	}
}

const char *gl_ra_mode_name(enum gl_ra_mode mode)
{
	switch (mode) {
	case GL_RA_SLAAC:
		return "slaac";
	case GL_RA_MANAGED:
		return "managed";
	default:
		return "off";
	}
}

const char *gl_open_name(enum gl_open open_to)
{
	switch (open_to) {
	case GL_OPEN_TENANT:
		return "tenant";
	case GL_OPEN_ANYWHERE:
		return "anywhere";
	default:
		return "network";
	}
}

const char *gl_timeout_name(enum gl_timeout which)
{
	static const char *const names[GL_TIMEOUT_COUNT] = {
		[GL_TIMEOUT_TCP_OPENING] = "tcp_opening",
		[GL_TIMEOUT_TCP_ESTABLISHED] = "tcp_established",
		[GL_TIMEOUT_TCP_CLOSING] = "tcp_closing",
		[GL_TIMEOUT_TCP_CLOSED] = "tcp_closed",
		[GL_TIMEOUT_UDP] = "udp",
		[GL_TIMEOUT_UDP_ASSURED] = "udp_assured",
		[GL_TIMEOUT_ICMP] = "icmp",
		[GL_TIMEOUT_OTHER] = "other",
	};

	return which < GL_TIMEOUT_COUNT ? names[which] : "?";
}

uint32_t gl_timeout_default(enum gl_timeout which)
{
	static const uint32_t seconds[GL_TIMEOUT_COUNT] = {
		[GL_TIMEOUT_TCP_OPENING] = GL_SECONDS_TCP_OPENING,
		[GL_TIMEOUT_TCP_ESTABLISHED] = GL_SECONDS_TCP_ESTABLISHED,
		[GL_TIMEOUT_TCP_CLOSING] = GL_SECONDS_TCP_CLOSING,
		[GL_TIMEOUT_TCP_CLOSED] = GL_SECONDS_TCP_CLOSED,
		[GL_TIMEOUT_UDP] = GL_SECONDS_UDP,
		[GL_TIMEOUT_UDP_ASSURED] = GL_SECONDS_UDP_ASSURED,
		[GL_TIMEOUT_ICMP] = GL_SECONDS_ICMP,
		[GL_TIMEOUT_OTHER] = GL_SECONDS_OTHER,
	};

	return which < GL_TIMEOUT_COUNT ? seconds[which] : 0;
}
