/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How does a person read a number? See human.h. */
#include "cli/human.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "loader/ip6.h"

char *human_count(uint64_t n, char *buf)
{
	static const char units[] = "kMGTPE";
	double scaled = (double)n;
	int unit = -1;

	if (n < 10000) {
		snprintf(buf, HUMAN_LEN, "%" PRIu64, n);
		return buf;
	}
	/* 999.5 and above would be shown as 1000. */
	while (scaled >= 999.5 && units[unit + 1]) {
		scaled /= 1000;
		unit++;
	}
	snprintf(buf, HUMAN_LEN, "%.*f%c", scaled < 99.95 ? 1 : 0, scaled, units[unit]);
	return buf;
}

char *human_ms(uint64_t ms, char *buf)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, HUMAN_LEN, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(buf, HUMAN_LEN, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return buf;
}

char *human_mac(const uint8_t mac[6], char *buf)
{
	snprintf(buf, HUMAN_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return buf;
}

char *human_ipv4(uint32_t addr_be, char *buf)
{
	inet_ntop(AF_INET, &addr_be, buf, HUMAN_LEN);
	return buf;
}

char *human_ip(const gl_ip6 *addr, char *buf)
{
	if (gl_ip6_is4(addr))
		return human_ipv4(addr->w[3], buf);
	inet_ntop(AF_INET6, addr, buf, HUMAN_LEN);
	return buf;
}

char *human_socket(const gl_ip6 *addr, unsigned port, char *buf)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = gl_ip6_is4(addr);

	if (!port)
		return human_ip(addr, buf);
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &addr->w[3] : &addr->w[0], text, sizeof(text));
	snprintf(buf, HUMAN_LEN, v4 ? "%s:%u" : "[%s]:%u", text, port);
	return buf;
}

char *human_proto(uint8_t proto, char *buf)
{
	const char *name = proto == IPPROTO_TCP	     ? "tcp"
			   : proto == IPPROTO_UDP    ? "udp"
			   : proto == IPPROTO_ICMP   ? "icmp"
			   : proto == IPPROTO_SCTP   ? "sctp"
			   : proto == IPPROTO_ICMPV6 ? "icmpv6"
						     : NULL;

	if (name)
		snprintf(buf, HUMAN_LEN, "%s", name);
	else
		snprintf(buf, HUMAN_LEN, "%u", proto);
	return buf;
}

char *human_plural(size_t n, const char *noun, char *buf)
{
	snprintf(buf, HUMAN_LEN, "%zu %s%s", n, noun, n == 1 ? "" : "s");
	return buf;
}
