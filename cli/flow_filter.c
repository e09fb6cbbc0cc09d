/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which flows do the options mean? Words to a filter of the loader. Neighbours: cli.h, args.h (the options). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/human.h"

/* A number from 0 to `max` in digits; behind it, or NULL when there is none. */
static const char *read_number(const char *s, unsigned long max, unsigned long *ret)
{
	char *end;

	if (*s < '0' || *s > '9')
		return NULL;
	errno = 0;
	*ret = strtoul(s, &end, 10);
	return errno || *ret > max ? NULL : end;
}

static bool read_proto(const char *s, uint8_t *ret)
{
	char name[HUMAN_LEN];
	unsigned long number;
	const char *end = read_number(s, UINT8_MAX, &number);

	if (end && !*end) {
		*ret = (uint8_t)number;
		return true;
	}
	for (unsigned proto = 0; proto <= UINT8_MAX; proto++) {
		if (strcmp(human_proto((uint8_t)proto, name), s))
			continue;
		*ret = (uint8_t)proto;
		return true;
	}
	return false;
}

static bool read_prefix(const char *s, struct gl_prefix *ret)
{
	const char *slash = strchr(s, '/');
	bool v6 = strchr(s, ':');
	unsigned long most = v6 ? 128 : 32, len = most;
	char addr[INET6_ADDRSTRLEN];
	const char *end;

	if (snprintf(addr, sizeof(addr), "%.*s", slash ? (int)(slash - s) : INET6_ADDRSTRLEN, s) >= (int)sizeof(addr))
		return false;
	end = slash ? read_number(slash + 1, most, &len) : "";
	if (!end || *end || inet_pton(v6 ? AF_INET6 : AF_INET, addr, ret->bytes) != 1)
		return false;
	ret->family = v6 ? AF_INET6 : AF_INET;
	ret->len = (uint8_t)len;
	return true;
}

static bool read_span(const char *s, struct gl_port_span *ret)
{
	unsigned long first, last;
	const char *end = read_number(s, UINT16_MAX, &first);

	last = first;
	if (end && *end == '-')
		end = read_number(end + 1, UINT16_MAX, &last);
	if (!end || *end || !first || first > last)
		return false;
	*ret = (struct gl_port_span){ (uint16_t)first, (uint16_t)last };
	return true;
}

/* Names of states, joined by commas. */
static bool read_states(const char *s, uint32_t *ret)
{
	for (;; s++) {
		size_t len = strcspn(s, ",");
		uint32_t bit = 0;

		for (unsigned state = 0; state < GL_FLOW_STATES; state++) {
			const char *name = gl_flow_state_name(state);

			if (strlen(name) == len && !strncmp(name, s, len))
				bit = 1u << state;
		}
		if (!bit)
			return false;
		*ret |= bit;
		s += len;
		if (!*s)
			return true;
	}
}

static int say_states(struct cli *cli)
{
	char all[256] = "";

	for (unsigned state = 0; state < GL_FLOW_STATES; state++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", state ? ", " : "",
			 gl_flow_state_name(state));
	return cli_usage(cli, "option '--flow-state': '%s' is not a list of states; there are %s", cli->args.flow_state,
			 all);
}

int cli_flow_filter(struct cli *cli, struct gl_flow_filter *ret)
{
	const struct args *a = &cli->args;
	struct gl_flow_filter f = { .who = cli_filter(cli), .group = a->group, .proto_given = a->proto };
	const struct {
		const char *name, *word;
		struct gl_prefix *prefix;
	} ends[] = { { "src", a->src, &f.src }, { "dst", a->dst, &f.dst } };
	const struct {
		const char *name, *word;
		struct gl_port_span *span;
	} ports[] = { { "sport", a->sport, &f.sport }, { "dport", a->dport, &f.dport } };

	if (a->proto && !read_proto(a->proto, &f.proto))
		return cli_usage(
			cli, "option '--proto': '%s' is no protocol: tcp, udp, icmp, icmpv6, sctp or a number to 255",
			a->proto);
	for (int i = 0; i < 2; i++) {
		if (ends[i].word && !read_prefix(ends[i].word, ends[i].prefix))
			return cli_usage(cli, "option '--%s': '%s' is no address or prefix", ends[i].name,
					 ends[i].word);
		if (ports[i].word && !read_span(ports[i].word, ports[i].span))
			return cli_usage(cli, "option '--%s': '%s' is no port, or range of ports, from 1 to 65535",
					 ports[i].name, ports[i].word);
	}
	if (a->flow_state && !read_states(a->flow_state, &f.states))
		return say_states(cli);
	*ret = f;
	return 0;
}
