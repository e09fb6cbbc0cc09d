/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a prefix cover, of either family, and who can be at an address at all? Neighbours: validate.h, and above it
 * the parts of the validator, none of which looks at an address's bytes itself. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "loader/validate.h"

/* What an address, one that may be link-local, or a subnet cannot be, or hold any of. */
#define ADDRESS 1
#define LOCAL 2
#define SUBNET 4
#define V4(length, ...)                                                                                                \
	{                                                                                                              \
		.family = AF_INET, .len = (length), .bytes = { __VA_ARGS__ }                                           \
	}
#define V6(length, ...)                                                                                                \
	{                                                                                                              \
		.family = AF_INET6, .len = (length), .bytes = { __VA_ARGS__ }                                          \
	}
static const struct unusable {
	struct gl_prefix prefix;
	const char *what;
	unsigned by;
} unusable[] = {
	{ V4(8, 0), "\"this network\"", ADDRESS | LOCAL | SUBNET },
	{ V4(8, 127), "loopback", ADDRESS | LOCAL | SUBNET },
	{ V4(4, 224), "multicast", ADDRESS | LOCAL | SUBNET },
	{ V4(4, 240), "reserved", SUBNET },
	{ V4(32, 255, 255, 255, 255), "broadcast", ADDRESS | LOCAL },
	{ V6(128, 0), "unspecified", ADDRESS | LOCAL | SUBNET },
	{ V6(128, [15] = 1), "loopback", ADDRESS | LOCAL | SUBNET },
	{ V6(96, [10] = 255, [11] = 255), "IPv4 written as IPv6", ADDRESS | LOCAL | SUBNET },
	{ V6(10, 0xfe, 0x80), "link-local", ADDRESS | SUBNET },
	{ V6(8, 0xff), "multicast", ADDRESS | LOCAL | SUBNET },
};
#define UNUSABLE (sizeof(unusable) / sizeof(*unusable))

struct gl_prefix gl_first(const struct gl_prefix *prefix)
{
	struct gl_prefix ret = gl_prefix_clean(prefix);

	return gl_prefix_address(&ret);
}

struct gl_prefix gl_last(const struct gl_prefix *prefix)
{
	struct gl_prefix ret = gl_prefix_address(prefix);

	for (unsigned bit = prefix->len; bit < ret.len; bit++)
		ret.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return ret;
}

bool gl_check_host_bits(struct gl_check *c, const struct gl_prefix *prefix)
{
	const struct gl_prefix clean = gl_prefix_clean(prefix);
	char text[50], expected[50];

	if (!gl_prefix_compare(&clean, prefix))
		return true;
	GL_REPORT(c, prefix->loc, "host bits set in %s; expected %s", gl_prefix_format(prefix, text),
		  gl_prefix_format(&clean, expected));
	return false;
}

static bool usable(struct gl_check *c, const struct gl_prefix *prefix, const char *what, unsigned by)
{
	char text[50], in[50];

	if (!prefix->family)
		return false;
	for (size_t i = 0; i < UNUSABLE; i++) {
		const struct unusable *bad = &unusable[i];

		if (!(bad->by & by) || !gl_prefix_contains(&bad->prefix, prefix))
			continue;
		if (bad->prefix.len == gl_family_bits(prefix->family))
			GL_REPORT(c, prefix->loc, "%s %s cannot be used: it is the %s address", what,
				  gl_prefix_format(prefix, text), bad->what);
		else
			GL_REPORT(c, prefix->loc, "%s %s cannot be used: it lies in %s (%s)", what,
				  gl_prefix_format(prefix, text), gl_prefix_format(&bad->prefix, in), bad->what);
		return false;
	}
	return true;
}

bool gl_check_usable(struct gl_check *c, const struct gl_prefix *prefix, const char *what)
{
	return usable(c, prefix, what, ADDRESS);
}

bool gl_check_usable_here(struct gl_check *c, const struct gl_prefix *prefix, const char *what)
{
	return usable(c, prefix, what, LOCAL);
}

bool gl_check_subnet_usable(struct gl_check *c, const struct gl_prefix *subnet)
{
	char list[6 * 50] = "", buf[50];
	bool meets = false;

	if (!usable(c, subnet, "subnet", SUBNET))
		return false;
	for (size_t i = 0; i < UNUSABLE; i++) {
		const struct unusable *bad = &unusable[i];
		size_t len = strlen(list);

		if (!(bad->by & SUBNET) || bad->prefix.family != subnet->family)
			continue;
		snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", gl_prefix_format(&bad->prefix, buf));
		meets |= gl_prefix_contains(subnet, &bad->prefix);
	}
	if (meets)
		GL_REPORT(c, subnet->loc, "subnet %s meets addresses that no guest can hold (%s)",
			  gl_prefix_format(subnet, buf), list);
	return !meets;
}

const char *gl_reserved_name(const struct gl_prefix *subnet, const struct gl_prefix *address)
{
	struct gl_prefix first = gl_first(subnet), last = gl_last(subnet);

	if (subnet->len + 1u >= gl_family_bits(subnet->family)) /* RFC 3021, RFC 6164 */
		return NULL;
	if (!gl_prefix_compare(address, &first)) /* RFC 4291 2.6.1 */
		return subnet->family == AF_INET ? "the network address" : "the subnet-router anycast address";
	return subnet->family == AF_INET && !gl_prefix_compare(address, &last) ? "the broadcast address" : NULL;
}

size_t gl_range_size(const struct gl_range *range, size_t most)
{
	struct gl_prefix at = range->first;
	size_t size = 1;

	for (; size <= most && gl_prefix_compare(&at, &range->last) < 0; size++)
		gl_prefix_next(&at);
	return size;
}

bool gl_has_family(const struct gl_network *network, const struct gl_interface *interface, uint8_t family)
{
	for (size_t i = 0; i < interface->address_count; i++) {
		if (interface->addresses[i].family == family || !interface->addresses[i].family)
			return true; /* what could not be read may be anything */
	}
	return family == AF_INET6 && interface->slaac && gl_has_slaac_subnet(network);
}

bool gl_has_slaac_subnet(const struct gl_network *network)
{
	for (size_t i = 0; i < network->subnet_count; i++) {
		if (!network->subnets[i].family || gl_is_slaac_subnet(&network->subnets[i]))
			return true;
	}
	return false;
}

bool gl_has_subnet(const struct gl_network *network, uint8_t family)
{
	for (size_t i = 0; i < network->subnet_count; i++) {
		if (network->subnets[i].family == family || !network->subnets[i].family)
			return true;
	}
	return false;
}
