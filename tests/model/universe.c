/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Random definitions, in pairs: the second one is the first after a few changes. Three tenants with the same addresses
 * and MACs, every mode but bridge, few ports. Neighbours: model.h, gen.c (what goes on in them). */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define TENANTS 3
#define GROUPS 4
#define RULES 4
#define GUESTS 8

/* Guests of each tenant: their taps (tests/prog/world.c makes them) and networks. */
static const struct {
	const char *tap, *net, *addr;
} guests[TENANTS][GUESTS] = {
	{ { "n1", "front", "10.0.0.11" },
	  { "n2", "front", "10.0.0.12" },
	  { "n3", "front", "10.0.0.13" },
	  { "nb", "back", "10.0.1.11" },
	  { "ns", "back", "10.0.1.12" },
	  { "r1", "open", "198.51.100.10" },
	  { "i1", "lab", "192.168.7.11" } },
	{ { "g1", "front", "10.0.0.11" },
	  { "g2", "front", "10.0.0.12" },
	  { "t1", "back", "10.0.1.11" },
	  { "r2", "open", "198.51.100.74" },
	  { "i2", "lab", "192.168.7.11" },
	  { "q1", "lab", "192.168.7.12" } },
	{ { "p1", "front", "10.0.0.11" }, { "p2", "front", "10.0.0.12" }, { "slow", "back", "10.0.1.11" } },
};

/* Choices; those of a definition as text are kept as text. */
struct genes {
	unsigned families; /* M_IPV4, M_IPV6 or both */
	struct {
		unsigned max_flows;
		char timeouts[160];
		bool pickup;
		unsigned pool_ports[2], pool_first[2], addresses[2]; /* front, back */
		bool eim[2], same_pool;
		char mss[4][12];
		unsigned open_to[4];
		unsigned nets[4], nat; /* families of the networks, and of public addresses */
		unsigned groups; /* how many there are */
		char rules[GROUPS][2][RULES][160];
		unsigned rule_count[GROUPS][2];
		bool egress[GROUPS];
		struct {
			unsigned member; /* bits of groups */
			bool floating, pair, absent;
			unsigned slaac; /* 1: besides the address, 2: instead of it */
			unsigned tcp_to, udp_to; /* forwards, 0: none */
		} guest[GUESTS];
	} t[TENANTS];
};

static void text(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void text(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to, size, fmt, ap);
	va_end(ap);
}

#define ONE_OF(...)                                                                                                    \
	({                                                                                                             \
		static const char *const words_[] = { __VA_ARGS__ };                                                   \
		words_[random_below(sizeof(words_) / sizeof(*words_))];                                                \
	})

/* In words of IPv4: in each of the families, with `between` between the two. */
static void each(FILE *f, unsigned families, const char *between, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void each(FILE *f, unsigned families, const char *between, const char *fmt, ...)
{
	char words[512], *in6;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	in6 = text6(words);
	fprintf(f, "%s%s%s", families & M_IPV4 ? words : "", families == M_BOTH ? between : "",
		families & M_IPV6 && in6 ? in6 : "");
	free(in6);
}

static void random_rule(const struct genes *g, char *to, size_t size, unsigned groups)
{
	/* Mostly one inside the other. */
	static const char *const remotes[] = {
		"0.0.0.0/0",	 "0.0.0.0/4",	  "10.0.0.0/8",	   "10.0.0.0/16",    "10.0.0.0/24",
		"10.0.0.8/29",	 "10.0.0.12",	  "10.0.1.0/24",   "128.0.0.0/1",    "192.0.0.0/4",
		"198.18.0.0/15", "198.18.0.0/30", "198.18.0.1/32", "203.0.113.0/24", "198.51.100.74",
	};
	char remote[48] = "", words[128], *in6;
	const char *what = ONE_OF("proto: any", "proto: tcp", "proto: udp", "proto: icmp", "proto: tcp, ports: 80",
				  "proto: tcp, ports: [80, 1000-1001]", "proto: udp, ports: [53]",
				  "proto: udp, ports: 53-1001", "proto: tcp, ports: 1-65535",
				  "proto: tcp, ports: [53-79, 81-999, 1000]", "proto: icmp, icmp_type: 8",
				  "proto: icmp, icmp_type: 8, icmp_code: 0", "proto: 47", "proto: sctp, ports: 80",
				  "proto: 6", "", "proto: udp, ports: 5353", "proto: udp, ports: [1000, 53]");

	if (chance(20))
		text(remote, sizeof(remote), "remote_group: s%u", random_below(groups));
	else if (chance(75))
		text(remote, sizeof(remote), "remote_ip: %s",
		     remotes[random_below(sizeof(remotes) / sizeof(*remotes))]);
	text(words, sizeof(words), "{%s%s%s}", what, *what && *remote ? ", " : "", remote);
	in6 = (g->families & M_IPV6) && (g->families == M_IPV6 || chance(50)) ? text6(words) : NULL;
	text(to, size, "%s", in6 ? in6 : words);
	free(in6);
}

static void random_groups(struct genes *g, unsigned t)
{
	g->t[t].groups = chance(30) ? 0 : 2 + random_below(GROUPS - 1);
	for (unsigned i = 0; i < g->t[t].groups; i++)
		for (unsigned dir = 0; dir < 2; dir++) {
			g->t[t].egress[i] = chance(50);
			g->t[t].rule_count[i][dir] = random_below(RULES + 1);
			for (unsigned j = 0; j < RULES; j++)
				random_rule(g, g->t[t].rules[i][dir][j], sizeof(g->t[t].rules[i][dir][j]),
					    g->t[t].groups);
		}
}

static void random_pool(struct genes *g, unsigned t, unsigned net)
{
	static const unsigned counts[] = { 1, 2, 3, 4, 5, 8, 64 };

	g->t[t].pool_ports[net] = counts[random_below(7)];
	g->t[t].pool_first[net] = 40000 + 1000 * net + random_below(70);
	g->t[t].addresses[net] = 1 + random_below(2);
}

static void random_guest(struct genes *g, unsigned t, unsigned i)
{
	g->t[t].guest[i].member = g->t[t].groups ? random_below(1u << g->t[t].groups) & random_below(16) : 0;
	g->t[t].guest[i].floating = (i == 2 || i == 4) && chance(60);
	g->t[t].guest[i].pair = chance(25);
	g->t[t].guest[i].slaac = g->families & M_IPV6 && chance(25) ? 1 + random_below(2) : 0;
	g->t[t].guest[i].tcp_to = chance(30) ? 80 : 0;
	g->t[t].guest[i].udp_to = chance(30) ? (chance(50) ? 53 : 5353) : 0;
}

static void random_mss(struct genes *g, unsigned t, unsigned net)
{
	text(g->t[t].mss[net], sizeof(g->t[t].mss[net]), "%s", ONE_OF("keep", "path", "1200", "536"));
}

/* In the middle between the times that conversations are idle for, which are multiples of seven; see gen.c. */
static unsigned seconds(unsigned most)
{
	return 7 + 7 * random_below(most / 7) + 3;
}

static void genes_make(struct genes *g, unsigned families)
{
	memset(g, 0, sizeof(*g));
	g->families = families;
	for (unsigned t = 0; t < TENANTS; t++) {
		g->t[t].max_flows = t == 0 ? 100 : 4 + random_below(t == 1 ? 12 : 3);
		if (chance(30))
			text(g->t[t].timeouts, sizeof(g->t[t].timeouts),
			     "{tcp_opening: %u, tcp_established: %u, tcp_closing: %u, tcp_closed: %u, udp: %u, "
			     "udp_assured: %u, icmp: %u, other: %u}",
			     seconds(60), 63 + seconds(600), seconds(300), seconds(60), seconds(60), seconds(300),
			     seconds(60), seconds(60));
		g->t[t].pickup = chance(30);
		g->t[t].same_pool = chance(25);
		random_groups(g, t);
		for (unsigned net = 0; net < 2; net++) {
			random_pool(g, t, net);
			g->t[t].eim[net] = chance(35);
		}
		for (unsigned net = 0; net < 4; net++) {
			random_mss(g, t, net);
			g->t[t].open_to[net] = random_below(3);
			g->t[t].nets[net] = g->families == M_BOTH && chance(10) ? 1 + random_below(2) : g->families;
		}
		/* One tenant may have what is left of the uplink's own address. */
		g->t[t].nat = t == 1 && chance(40) ? 1 + random_below(2) : M_BOTH;
		for (unsigned i = 0; i < GUESTS; i++)
			random_guest(g, t, i);
	}
}

static void genes_change(struct genes *g)
{
	for (unsigned n = 1 + random_below(4); n--;) {
		const unsigned t = random_below(TENANTS), i = random_below(GUESTS), net = random_below(2);
		const unsigned group = random_below(GROUPS), dir = random_below(2);

		switch (random_below(9)) {
		case 0:
			random_guest(g, t, i);
			break;
		case 1:
			g->t[t].guest[i].absent = i > 0;
			break;
		case 2:
			random_pool(g, t, net);
			break;
		case 3:
			g->t[t].open_to[random_below(4)] = random_below(3);
			break;
		case 4:
			g->t[t].rule_count[group][dir] = random_below(RULES + 1);
			break;
		case 5:
			random_rule(g, g->t[t].rules[group][dir][0], sizeof(g->t[t].rules[group][dir][0]),
				    g->t[t].groups ? g->t[t].groups : 1);
			break;
		case 6:
			g->t[t].egress[group] = !g->t[t].egress[group];
			break;
		case 7:
			g->t[t].guest[i].member ^= g->t[t].groups ? 1u << random_below(g->t[t].groups) : 0;
			break;
		default:
			g->t[t].guest[i].tcp_to = g->t[t].guest[i].udp_to = 0;
			g->t[t].guest[i].floating = false;
			break;
		}
	}
}

/* ---- as text ---------------------------------------------------------------------------------------------------- */

static void write_groups(FILE *f, const struct genes *g, unsigned t)
{
	static const char *const words[] = { "ingress", "egress" };

	if (!g->t[t].groups)
		return;
	fprintf(f, "    security_groups:\n");
	for (unsigned i = 0; i < g->t[t].groups; i++) {
		fprintf(f, "      - name: s%u\n", i);
		for (unsigned dir = 0; dir < 2; dir++) {
			if (dir == 1 && !g->t[t].egress[i])
				continue;
			fprintf(f, "        %s: [", words[dir]);
			for (unsigned j = 0; j < g->t[t].rule_count[i][dir]; j++)
				fprintf(f, "%s%s", j ? ", " : "", g->t[t].rules[i][dir][j]);
			fprintf(f, "]\n");
		}
	}
}

static void write_nat_network(FILE *f, const struct genes *g, unsigned t, unsigned net)
{
	static const char *const open_to[] = { "network", "tenant", "anywhere" };
	const unsigned pool = g->t[t].same_pool ? 0 : net;
	const unsigned addr = 10 + 20 * t + 4 * pool;
	const bool own = g->t[t].nat == M_BOTH;
	const unsigned ports = own ? g->t[t].pool_ports[pool] : 64;
	const unsigned first = own ? g->t[t].pool_first[pool] : 40000 + 1024 * pool;

	fprintf(f, "      - {name: %s, mode: nat, uplink: wan, subnets: [", net ? "back" : "front");
	each(f, g->t[t].nets[net], ", ", "10.0.%u.0/24", net);
	fprintf(f, "], open_to: %s, mss: %s,\n         nat: {", open_to[g->t[t].open_to[net]], g->t[t].mss[net]);
	if (g->t[t].nets[net] & g->t[t].nat) {
		fprintf(f, "addresses: [");
		each(f, g->t[t].nets[net] & g->t[t].nat, ", ", "203.0.113.%u-203.0.113.%u", addr,
		     addr + g->t[t].addresses[pool] - 1);
		fprintf(f, "], ");
	}
	/* Of an address that is not its own, a tenant has whole blocks. */
	fprintf(f, "ports: %u-%u, mapping: endpoint-%s}}\n", first, first + ports - 1,
		g->t[t].eim[net] ? "independent" : "dependent");
}

static unsigned net_of(unsigned t, unsigned i)
{
	static const char *const names[] = { "front", "back", "open", "lab" };
	unsigned net = 0;

	while (strcmp(names[net], guests[t][i].net))
		net++;
	return net;
}

static void write_addresses(FILE *f, const struct genes *g, unsigned t, unsigned i)
{
	const unsigned net = net_of(t, i), families = g->t[t].nets[net];
	const unsigned slaac = families & M_IPV6 && net != 2 ? g->t[t].guest[i].slaac : 0;
	const unsigned given = slaac == 2 ? families & M_IPV4 : families;

	fprintf(f, "            addresses: [");
	each(f, given, ", ", "%s", guests[t][i].addr);
	fprintf(f, "%s%s]\n", slaac && given ? ", " : "", slaac ? "slaac" : "");
	if (net > 1)
		return;
	if (g->t[t].guest[i].pair) {
		fprintf(f, "            allowed_address_pairs: [");
		each(f, families, ", ", "10.0.%u.%u/32", net, 100 + i);
		if (families & M_IPV6)
			each(f, M_IPV6, "", ", 169.254.2.%u/32", 100 + i);
		fprintf(f, "]\n");
	}
	if (g->t[t].guest[i].floating) {
		fprintf(f, "            floating_ips: [");
		each(f, families, ", ", "203.0.113.%u", 80 + 10 * t + i);
		fprintf(f, "]\n");
	}
}

static void write_guest(FILE *f, const struct genes *g, unsigned t, unsigned i)
{
	const unsigned net = net_of(t, i);
	const unsigned forwarded = 10 + 20 * t + (g->t[t].same_pool || net != 1 ? 0 : 4);

	fprintf(f, "      - name: %s\n        interfaces:\n          - tap: %s\n", guests[t][i].tap, guests[t][i].tap);
	fprintf(f, "            mac: '52:54:00:00:00:%02x'\n            network: %s\n", i + 1, guests[t][i].net);
	write_addresses(f, g, t, i);
	if (g->t[t].guest[i].member) {
		const char *comma = "";

		fprintf(f, "            security_groups: [");
		for (unsigned j = 0; j < g->t[t].groups; j++)
			if (g->t[t].guest[i].member >> j & 1) {
				fprintf(f, "%ss%u", comma, j);
				comma = ", ";
			}
		fprintf(f, "]\n");
	}
	if (net > 1 || (!g->t[t].guest[i].tcp_to && !g->t[t].guest[i].udp_to))
		return;
	fprintf(f, "        port_forwards:\n");
	if (g->t[t].guest[i].tcp_to)
		each(f, g->t[t].nets[net], "", "          - {proto: tcp, address: 203.0.113.%u, port: %u, to: %u}\n",
		     forwarded, 8080 + i, g->t[t].guest[i].tcp_to);
	if (g->t[t].guest[i].udp_to)
		each(f, g->t[t].nets[net], "", "          - {proto: udp, address: 203.0.113.%u, port: %u, to: %u}\n",
		     forwarded, 53 + i, g->t[t].guest[i].udp_to);
}

static void write_definition(FILE *f, const struct genes *g)
{
	static const char *const open_to[] = { "network", "tenant", "anywhere" };
	static const char *const names[TENANTS] = { "large", "middle", "small" };

	fprintf(f, "version: 1\nuplinks: [{name: wan, interface: wan}]\ntenants:\n");
	for (unsigned t = 0; t < TENANTS; t++) {
		fprintf(f, "  - name: %s\n    max_flows: %u\n", names[t], g->t[t].max_flows);
		if (g->t[t].timeouts[0])
			fprintf(f, "    timeouts: %s\n", g->t[t].timeouts);
		if (g->t[t].pickup)
			fprintf(f, "    tcp_pickup: true\n");
		write_groups(f, g, t);
		fprintf(f, "    networks:\n");
		write_nat_network(f, g, t, 0);
		write_nat_network(f, g, t, 1);
		if (t < 2) {
			fprintf(f, "      - {name: open, mode: routed, uplink: wan, subnets: [");
			each(f, g->t[t].nets[2], ", ", "198.51.100.%u/26", 64 * t);
			fprintf(f, "], open_to: %s, mss: %s}\n", open_to[g->t[t].open_to[2]], g->t[t].mss[2]);
			fprintf(f, "      - {name: lab, mode: isolated, subnets: [");
			each(f, g->t[t].nets[3], ", ", "192.168.7.0/24");
			fprintf(f, "], mss: %s}\n", g->t[t].mss[3]);
		}
		fprintf(f, "    guests:\n");
		for (unsigned i = 0; i < GUESTS && guests[t][i].tap; i++)
			if (!g->t[t].guest[i].absent)
				write_guest(f, g, t, i);
	}
}

char *universe_make(unsigned families)
{
	struct genes g;
	size_t size;
	char *ret = NULL;
	FILE *f = open_memstream(&ret, &size);

	if (!f)
		return NULL;
	genes_make(&g, families);
	fprintf(f, "--- a\n");
	write_definition(f, &g);
	genes_change(&g);
	fprintf(f, "--- b\n");
	write_definition(f, &g);
	fclose(f);
	return ret;
}
