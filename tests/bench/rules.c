/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What does a new flow cost with 1, 100 and 10,000 rules? Runs the programs over real maps (BPF_PROG_TEST_RUN): one
 * guest opens flows to others that differ in their security groups alone, all of them taking turns. Prints nanoseconds
 * for orientation and ratios to the group with one rule: minima and medians over rounds. `refused`: a packet that no
 * rule admits, hot, many times over. Needs root; makes namespaces of its own.
 * Usage: bench_rules [ROUNDS [4|6]], the family. Neighbours: tests/prog (the world that it runs in),
 * docs/security-groups.md. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/prog/prog.h"

#define GROUPS_OF_SOURCE 2
#define FLOWS 64 /* of one case, a round */
#define REFUSED 2000
#define MAX_ROUNDS 1000 /* no source port is used twice */

enum kind { NONE, PORT, REMOTE, TREE, GROUP, CHAIN };

static const struct {
	const char *name, *tap;
	enum kind kind;
	unsigned rules;
} cases[] = {
	{ "no groups", "t1", NONE, 0 },
	{ "a port each", "n2", PORT, 1 },
	{ "a port each", "n3", PORT, 100 },
	{ "a port each", "nb", PORT, 10000 },
	{ "an address each", "ns", REMOTE, 1 },
	{ "an address each", "nh", REMOTE, 100 },
	{ "an address each", "r1", REMOTE, 10000 },
	{ "mixed prefixes", "r2", TREE, 1 },
	{ "mixed prefixes", "i1", TREE, 100 },
	{ "mixed prefixes", "b1", TREE, 10000 },
	{ "a port of a group", "q1", GROUP, 1 },
	{ "a port of a group", "slow", GROUP, 100 },
	{ "a port of a group", "g1", GROUP, 10000 },
	{ "nested prefixes", "g2", CHAIN, 1 },
	{ "nested prefixes", "t2", CHAIN, 100 },
	{ "nested prefixes", "p1", CHAIN, 10000 },
};
#define CASES (sizeof(cases) / sizeof(*cases))

static struct {
	unsigned opened[MAX_ROUNDS * FLOWS], refused[MAX_ROUNDS];
	size_t opened_count, refused_count;
} samples[CASES];

/* ---- definition ------------------------------------------------------------------------------------------- */

static char *text;
static size_t text_len, text_room;

static void add(const char *fmt, ...)
{
	va_list ap;

	if (text_room - text_len < 512) {
		text_room = text_room ? 2 * text_room : 65536;
		text = realloc(text, text_room);
		if (!text)
			abort();
	}
	va_start(ap, fmt);
	text_len += vsnprintf(text + text_len, text_room - text_len, fmt, ap);
	va_end(ap);
}

/* Every address is one of 10.64.0.0/10, or of 2001:db8::/32, which the source may use. */
static struct ip address(unsigned i)
{
	const uint8_t own[] = { i % 64, i / 64, 1 + i / 16384 };
	struct ip ip = { .bytes = { 10, 64 + own[0], own[1], own[2] }, .len = 4 };

	if (world.family == 6)
		ip = (struct ip){ .bytes = { 0x20, 0x01, 0x0d, 0xb8, own[0], own[1], own[2], [15] = 1 }, .len = 16 };
	return ip;
}

static unsigned bits(void)
{
	return world.family == 6 ? 128 : 32;
}

static const char *to_text(const struct ip *ip, char buf[INET6_ADDRSTRLEN])
{
	return inet_ntop(ip->len == 16 ? AF_INET6 : AF_INET, ip->bytes, buf, INET6_ADDRSTRLEN);
}

static void add_prefix(struct ip ip, unsigned len)
{
	char buf[INET6_ADDRSTRLEN];

	for (unsigned bit = len; bit < bits(); bit++)
		ip.bytes[bit / 8] &= ~(0x80 >> bit % 8);
	add("remote_ip: '%s/%u'", to_text(&ip, buf), len);
}

/* One rule in four has a single address, 24 bits, 16 and 8 each; of IPv6 48, 40 and 32. */
static unsigned tree_len(unsigned i)
{
	return i % 4 ? 8 * (4 - i % 4) + (world.family == 6 ? 24 : 0) : bits();
}

/* Rule i admits UDP to port 1000 + i, whatever else it asks for; ports that differ let no rule stand for another. */
static unsigned port_of_rule(unsigned i)
{
	return 1000 + i;
}

static void add_rule(enum kind kind, unsigned i)
{
	add("          - {proto: udp");
	if (kind != REMOTE)
		add(", ports: %u", port_of_rule(i));
	if (kind == REMOTE || kind == TREE || kind == CHAIN) {
		add(", ");
		add_prefix(kind == CHAIN ? address(0) : address(i), kind == REMOTE ? bits()
								    : kind == TREE ? tree_len(i)
										   : i % (bits() + 1));
	}
	if (kind == GROUP)
		add(", remote_group: s%u", i % GROUPS_OF_SOURCE);
	add("}\n");
}

static int define(void)
{
	add("version: 1\ntenants:\n  - name: bench\n    max_flows: 1048576\n    security_groups:\n");
	for (unsigned i = 0; i < GROUPS_OF_SOURCE; i++)
		add("      - {name: s%u}\n", i);
	for (size_t c = 0; c < CASES; c++) {
		if (cases[c].kind == NONE)
			continue;
		add("      - name: %s\n        ingress:\n", cases[c].tap);
		for (unsigned i = 0; i < cases[c].rules; i++)
			add_rule(cases[c].kind, i);
	}
	add("    networks: [{name: net, mode: isolated, subnets: [10.0.0.0/24]}]\n    guests:\n"
	    "      - name: n1\n        interfaces: [{tap: n1, mac: '52:54:00:00:01:00', network: net, "
	    "addresses: [10.0.0.9], allowed_address_pairs: [%s], security_groups: [",
	    world.family == 6 ? "'2001:db8::/32'" : "10.64.0.0/10");
	for (unsigned i = 0; i < GROUPS_OF_SOURCE; i++)
		add("%ss%u", i ? ", " : "", i);
	add("]}]\n");
	for (size_t c = 0; c < CASES; c++) {
		add("      - {name: %s, interfaces: [{tap: %s, mac: '52:54:00:00:02:%02zx', network: net, addresses: "
		    "[10.0.0.%zu]",
		    cases[c].tap, cases[c].tap, c, 10 + c);
		if (cases[c].kind != NONE)
			add(", security_groups: [%s]", cases[c].tap);
		add("}]}\n");
	}
	return world_apply(text);
}

/* ---- measuring -------------------------------------------------------------------------------------------- */

static uint32_t state = 1;

static uint32_t chance(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

/* A flow that rule i of the case admits, and, with `wrong`, one that differs from it in what no rule admits. */
static size_t build(size_t c, unsigned i, bool wrong, uint16_t sport, uint8_t *buf)
{
	struct ip addr = cases[c].kind == CHAIN ? address(0) : address(i);
	char src[INET6_ADDRSTRLEN];
	struct frame f = { ETH(cases[c].tap, "n1"), UDP(src, sport, cases[c].tap, wrong ? 60000 : port_of_rule(i)),
			   .len = 64 };

	/* By addresses alone: another address, whatever the port. */
	if (cases[c].kind == REMOTE && wrong)
		addr.bytes[addr.len - 1] ^= 128;
	to_text(&addr, src);
	return frame_build(&f, buf);
}

static unsigned run(const uint8_t *in, size_t len, unsigned repeat, int want)
{
	const struct dev *dev = dev_by_name("n1");
	struct xdp_md xdp = { .data_end = len, .ingress_ifindex = dev->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = len, .repeat = repeat, .ctx_in = &xdp,
		    .ctx_size_in = sizeof(xdp));

	if (bpf_prog_test_run_opts(prog_of(dev, HOOK_XDP), &opts) || (int)opts.retval != want) {
		printf("a packet was not treated as it should be: %d\n", (int)opts.retval);
		exit(1);
	}
	return opts.duration;
}

static void open_flow(size_t c)
{
	unsigned rule = chance(cases[c].rules ? cases[c].rules : 1);
	uint8_t in[FRAME_MAX];
	size_t len;

	/* The rule of the widest prefix is asked last. */
	if (cases[c].kind == CHAIN)
		rule -= rule % (bits() + 1);
	len = build(c, rule, false, 1024 + samples[c].opened_count, in);
	samples[c].opened[samples[c].opened_count++] = run(in, len, 1, XDP_REDIRECT);
}

static void refuse(size_t c)
{
	uint8_t in[FRAME_MAX];
	size_t len;

	if (cases[c].kind == NONE)
		return;
	len = build(c, chance(cases[c].rules), true, 1024, in);
	samples[c].refused[samples[c].refused_count++] = run(in, len, REFUSED, XDP_DROP);
}

static int unsigned_compare(const void *left, const void *right)
{
	const unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;

	return a < b ? -1 : a > b;
}

static void print(void)
{
	size_t one = 0;

	printf("%-20s %6s  %19s  %13s  %19s  %13s\n", "rules by", "rules", "new: min median ns", "ratios",
	       "refused: min median", "ratios");
	for (size_t c = 0; c < CASES; c++) {
		unsigned *opened = samples[c].opened, *refused = samples[c].refused;
		size_t n = samples[c].opened_count, m = samples[c].refused_count;

		qsort(opened, n, sizeof(*opened), unsigned_compare);
		qsort(refused, m, sizeof(*refused), unsigned_compare);
		if (cases[c].rules <= 1)
			one = c;
		printf("%-20s %6u  %9u %9u  %6.2f %6.2f", cases[c].name, cases[c].rules, opened[0], opened[n / 2],
		       (double)opened[0] / samples[one].opened[0], (double)opened[n / 2] / samples[one].opened[n / 2]);
		if (m)
			printf("  %9u %9u  %6.2f %6.2f", refused[0], refused[m / 2],
			       (double)refused[0] / samples[one].refused[0],
			       (double)refused[m / 2] / samples[one].refused[m / 2]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;

	unsigned family = argc > 2 ? strtoul(argv[2], NULL, 10) : 4;

	if (!rounds || rounds > MAX_ROUNDS || (family != 4 && family != 6)) {
		printf("usage: bench_rules [ROUNDS [4|6]], at most %d\n", MAX_ROUNDS);
		return 2;
	}
	if (world_open() || world_family(family, false) || define()) {
		world_close();
		return 1;
	}
	/* Flow by flow, so that nobody's rules are warmer than another's; who comes first differs from turn to turn. */
	for (unsigned n = 0; n < rounds * FLOWS; n++)
		for (size_t c = 0; c < CASES; c++)
			open_flow((c + n) % CASES);
	for (unsigned r = 0; r < rounds; r++)
		for (size_t c = 0; c < CASES; c++)
			refuse((c + r) % CASES);
	print();
	world_close();
	free(text);
	return 0;
}
