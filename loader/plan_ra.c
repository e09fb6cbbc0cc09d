/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a router advertisement say, in the words of the definition? Neighbours: plan.h, compile_ra.c (who made it),
 * plan_object.c (who asks). */
#include "loader/plan.h"

#include <arpa/inet.h>
#include <string.h>

#define HEADER 16 /* of the message, before its options */
#define OPTION_MTU 5
#define OPTION_DNS 25
#define F_MANAGED 0x80

static uint32_t number_at(const uint8_t *at, unsigned bytes)
{
	uint32_t number = 0;

	while (bytes--)
		number = number << 8 | *at++;
	return number;
}

void gl_ra_tell(FILE *file, const struct gl_ra_val *ra)
{
	const unsigned len = ra->len < sizeof(ra->body) ? ra->len : sizeof(ra->body);
	char buf[INET6_ADDRSTRLEN];

	fprintf(file, "%s every %u s, lifetime %u s", ra->body[5] & F_MANAGED ? "managed" : "slaac", ra->interval,
		number_at(ra->body + 6, 2));
	for (unsigned at = HEADER, size; at + 8 <= len; at += size) {
		size = 8u * ra->body[at + 1];
		if (!size || at + size > len)
			return;
		if (ra->body[at] == OPTION_MTU)
			fprintf(file, ", mtu %u", number_at(ra->body + at + 4, 4));
		for (unsigned dns = at + 8; ra->body[at] == OPTION_DNS && dns + 16 <= at + size; dns += 16)
			fprintf(file, ", dns %s", inet_ntop(AF_INET6, ra->body + dns, buf, sizeof(buf)));
	}
}
