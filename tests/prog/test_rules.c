/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Thousands of questions about random security groups, of either family, held against an evaluator that looks at one
 * rule after the other. Neighbours: prog.h, test_groups.c. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/model.h"
#include "prog.h"

#define TAP(tap, mac, net, addr) "{tap: " tap ", mac: '52:54:00:00:00:" mac "', network: " net ", addresses: [" addr "]"

static uint32_t chance(uint32_t below)
{
	static uint32_t state = 7;

	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

static char text[65536];
static size_t text_len;

static void add(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_len += vsnprintf(text + text_len, sizeof(text) - text_len, fmt, ap);
	va_end(ap);
}

static const uint8_t protos[] = { 6, 17, 132, 1, 47 }; /* 1: the family's ICMP */

/* Few values, so that rules meet and lie in one another. */
static uint16_t some_port(void)
{
	static const uint16_t ports[] = { 1, 2, 80, 255, 256, 257, 4095, 4096, 32767, 32768, 65534, 65535 };

	return ports[chance(12)];
}

static int text_family(void)
{
	return world.family == 4 ? AF_INET : AF_INET6;
}

/* Of guest 0, 1 or 2. Two guests that use one address have its flows in common, which is not the question here. */
static struct ip some_address(unsigned guest)
{
	struct ip addr = { .bytes = { 10, 64 + (guest << 4) }, .len = 4 };
	unsigned first = 12;

	if (world.family == 6) {
		addr = (struct ip){ .bytes = { 0x20, 0x01, 0x0d, 0xb8, guest << 4 }, .len = 16 };
		first = 36;
	}
	for (int i = 0; i < 3; i++) {
		unsigned bit = first + chance(8 * addr.len - first);

		if (!chance(3))
			addr.bytes[bit / 8] ^= 0x80 >> bit % 8;
	}
	/* The last address of a prefix, or of a part of one. */
	if (!chance(6))
		for (unsigned bit = first + chance(8 * addr.len - first); bit < 8u * addr.len; bit++)
			addr.bytes[bit / 8] |= 0x80 >> bit % 8;
	return addr;
}

/* Quoted, as colons are YAML's. Four addresses in the turn of six are written so that family_text() leaves them. */
static void add_prefix(struct ip addr, unsigned len)
{
	char buf[INET6_ADDRSTRLEN];

	for (unsigned bit = len; bit < 8u * addr.len; bit++)
		addr.bytes[bit / 8] &= ~(0x80 >> bit % 8);
	inet_ntop(addr.len == 4 ? AF_INET : AF_INET6, addr.bytes, buf, sizeof(buf));
	if (addr.len == 4 && world.family == 6)
		add(", remote_ip: \"\\x%02x%s/%u\"", buf[0], buf + 1, len);
	else
		add(", remote_ip: '%s/%u'", buf, len);
}

/* Few values, so that they lie in one another; one in eight is of the other family, and means nobody. */
static void random_prefix(bool any_family)
{
	const uint8_t family = world.family;
	struct ip addr;
	unsigned bits;

	if (any_family && !chance(8))
		world.family = family == 4 ? 6 : 4;
	addr = some_address(chance(3));
	bits = 8 * addr.len;
	world.family = family;
	add_prefix(addr, chance(3) ? bits - 20 + chance(21) : chance(bits + 1));
}

/* Of two that are neither queries nor errors. */
static uint8_t first_type(void)
{
	return world.family == 4 ? 9 : 139;
}

static void random_rule(void)
{
	unsigned proto = chance(30) ? chance(5) : 5;

	add("          - {");
	if (proto < 5) {
		add("proto: %u", family_proto(protos[proto]));
		if (proto < 3 && chance(10)) {
			uint16_t first = some_port(), last = some_port();

			if (chance(2))
				add(", ports: %u", first);
			else
				add(", ports: %u-%u", first < last ? first : last, first < last ? last : first);
		}
		if (proto == 3 && chance(10)) {
			add(", icmp_type: %u", first_type() + chance(2));
			if (chance(2))
				add(", icmp_code: %u", chance(3));
		}
	} else {
		add("proto: any");
	}
	if (chance(8)) {
		if (chance(3))
			random_prefix(proto != 3);
		else
			add(", remote_group: r%u", chance(4));
	}
	add("}\n");
}

static void random_groups_of(void)
{
	unsigned first = chance(4), count = chance(8) ? 1 + chance(3) : 0;

	if (!count)
		return;
	add(", security_groups: [");
	for (unsigned i = 0; i < count; i++)
		add("%sr%u", i ? ", " : "", (first + i) % 4);
	add("]");
}

static void random_definition(void)
{
	text_len = 0;
	add("version: 1\ntenants:\n  - name: acme\n    security_groups:\n");
	for (int i = 0; i < 4; i++) {
		unsigned ingress = 1 + chance(20), egress = chance(20);

		add("      - name: r%d\n        ingress:\n", i);
		while (ingress--)
			random_rule();
		if (!egress && chance(4))
			add("        egress: []\n");
		else if (egress)
			add("        egress:\n");
		while (egress--)
			random_rule();
	}
	add("    networks: [{name: front, mode: isolated, subnets: [10.0.0.0/24]}]\n    guests:\n");
	for (int i = 1; i <= 3; i++) {
		add("      - {name: n%d, interfaces: [" TAP("n%d", "0%d", "front", "10.0.0.1%d"), i, i, i, i);
		add(", allowed_address_pairs: [%s]", world.family == 4 ? "10.0.0.0/8" : "'2001:db8::/32'");
		random_groups_of();
		add("}]}\n");
	}
}

static const struct gl_group *group_of(const struct gl_tenant *tenant, const char *name)
{
	for (size_t i = 0; i < tenant->group_count; i++)
		if (!strcmp(tenant->groups[i].name.s, name))
			return &tenant->groups[i];
	return NULL;
}

static bool prefix_holds(const struct gl_prefix *prefix, const struct ip *addr)
{
	if (prefix->family != text_family())
		return false;
	for (unsigned bit = 0; bit < prefix->len; bit++)
		if ((prefix->bytes[bit / 8] ^ addr->bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool rule_fits(const struct gl_rule *rule, const struct gl_interface *remote, const struct ip *addr,
		      uint8_t proto, uint16_t port)
{
	bool member = false, in_ports = !rule->port_count;

	for (size_t i = 0; rule->remote_group.s && i < remote->group_count; i++)
		member |= !strcmp(remote->groups[i].s, rule->remote_group.s);
	for (size_t i = 0; i < rule->port_count; i++)
		in_ports |= port >= rule->ports[i].first && port <= rule->ports[i].last;
	if (rule->remote_ip.family && !prefix_holds(&rule->remote_ip, addr))
		return false;
	return (!rule->remote_group.s || member) && (rule->any_proto || (rule->proto == proto && in_ports));
}

/* One rule after the other. */
static bool may(const struct gl_tenant *tenant, const struct gl_interface *self, const struct gl_interface *remote,
		enum gl_direction direction, const struct ip *addr, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < self->group_count; i++) {
		const struct gl_group *group = group_of(tenant, self->groups[i].s);

		if (direction == GL_EGRESS && !group->egress_given)
			return true;
		for (size_t k = 0; k < group->rule_count[direction]; k++)
			if (rule_fits(&group->rules[direction][k], remote, addr, proto, port))
				return true;
	}
	return !self->group_count;
}

static unsigned sent, refused[2];

/* The rule that the flow's entry names is one that fits. */
static bool named_rule_fits(const struct gl_tenant *tenant, const struct gl_interface *self,
			    const struct gl_interface *remote, enum gl_direction direction, const struct ip *addr,
			    uint8_t proto, uint16_t port, const struct gl_admitted *a)
{
	char name[2 * GL_NAME_LEN] = "";
	const struct gl_group *group;

	if (!self->group_count)
		return a->how == (direction == GL_EGRESS ? GL_ADMIT_OPEN : GL_ADMIT_NETWORK);
	if (!group_name(a->group, name))
		return false;
	group = group_of(tenant, strchr(name, '/') + 1);
	if (a->how == GL_ADMIT_ALL)
		return group && direction == GL_EGRESS && !group->egress_given;
	return group && a->how == GL_ADMIT_RULE && a->number && a->number <= group->rule_count[direction] &&
	       rule_fits(&group->rules[direction][a->number - 1], remote, addr, proto, port);
}

static bool ask(const struct gl_tenant *tenant, enum hook hook, uint16_t sport)
{
	unsigned s = chance(3), t = (s + 1 + chance(2)) % 3;
	const struct gl_interface *from = tenant->guests[s].interfaces, *to = tenant->guests[t].interfaces;
	struct ip src_ip = some_address(s), dst_ip = name_ip(to->tap.s);
	char src[INET6_ADDRSTRLEN];
	struct frame f = { ETH(to->tap.s, from->tap.s), .src = src, .dst = to->tap.s, .len = 16 };
	uint8_t proto = family_proto(protos[chance(5)]);
	uint64_t before = drops(from->tap.s, GL_DROP_GROUP_EGRESS);
	bool leaves, enters;
	enum verdict got;
	uint16_t port = 0;
	struct run run;

	inet_ntop(text_family(), src_ip.bytes, src, sizeof(src));
	f.proto = proto;
	if (proto == family_proto(1)) {
		unsigned which = chance(3);

		f.type = which ? first_type() + which - 1 : world.family == 4 ? 8 : 128;
		f.code = which ? chance(3) : 0;
		f.sport = sport;
		port = GL_ICMP_PORT(f.type, f.code);
	} else if (proto != 47) {
		port = some_port() + chance(3) - 1;
		f.sport = sport;
		f.dport = port;
		f.flags = SYN;
	}
	leaves = may(tenant, from, to, GL_EGRESS, &dst_ip, proto, port);
	enters = may(tenant, to, from, GL_INGRESS, &src_ip, proto, port);
	got = packet(from->tap.s, hook, &f, &run);
	before = drops(from->tap.s, GL_DROP_GROUP_EGRESS) - before;
	if (got != (leaves && enters ? SEND : DROP) || before != !leaves) {
		complain("protocol %u, port %u, from %s (%s) to %s: %s; its rules let it %s and %s", proto, port,
			 from->tap.s, src, to->tap.s, got == SEND ? "sent" : "dropped", leaves ? "leave" : "not leave",
			 enters ? "enter" : "not enter");
		return false;
	}
	if (got == SEND && (proto == 6 || proto == 17)) {
		struct flow flow;

		if (!flow_find("acme", proto, src, sport, to->tap.s, port, &flow) ||
		    !named_rule_fits(tenant, from, to, GL_EGRESS, &dst_ip, proto, port,
				     &flow.val.admitted[GL_EGRESS]) ||
		    !named_rule_fits(tenant, to, from, GL_INGRESS, &src_ip, proto, port,
				     &flow.val.admitted[GL_INGRESS])) {
			complain("protocol %u, port %u, from %s to %s: admitted by a rule that does not fit", proto,
				 port, src, to->tap.s);
			return false;
		}
	}
	if (got == SEND)
		sent++;
	else
		refused[leaves]++;
	return true;
}

static void random_rules(enum hook hook)
{
	sent = refused[0] = refused[1] = 0;
	for (unsigned round = 0; round < 40; round++) {
		bool good = true;

		random_definition();
		if (world_apply(text)) {
			complain("a random definition could not be applied");
			printf("%s", text);
			break;
		}
		flows_clear();
		for (unsigned i = 0; i < 150 && good; i++)
			good = ask(&in_force->tenants[0], hook, 1000 + i);
		if (!good) {
			printf("%s", text);
			break;
		}
	}
	if (sent < 500 || refused[0] < 500 || refused[1] < 500)
		complain("%u sent, %u and %u refused: too one-sided to mean anything", sent, refused[0], refused[1]);
	result(true, "%s 6000 questions about random rules are answered as one rule after the other would",
	       hook_name(hook));
}

void test_rules(void)
{
	for (int hook = HOOK_XDP; hook <= HOOK_TC; hook++)
		random_rules(hook);
	if (world_apply(definition))
		result(false, "the first definition again");
}
