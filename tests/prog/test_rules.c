/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Thousands of questions about random security groups, held against an evaluator that looks at one rule after the
 * other. Neighbours: prog.h, test_groups.c. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader/diag.h"
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

static const uint8_t protos[] = { 6, 17, 132, 1, 47 };

/* Few values, so that rules meet and lie in one another. */
static uint16_t some_port(void)
{
	static const uint16_t ports[] = { 1, 2, 80, 255, 256, 257, 4095, 4096, 32767, 32768, 65534, 65535 };

	return ports[chance(12)];
}

/* Of guest 0, 1 or 2. Two guests that use one address have its flows in common, which is not the question here. */
static uint32_t some_address(unsigned guest)
{
	uint32_t addr = 10u << 24 | 64u << 16 | guest << 20;

	for (int i = 0; i < 3; i++)
		addr ^= chance(3) ? 0 : 1u << chance(20);
	return addr;
}

static void random_rule(void)
{
	unsigned proto = chance(30) ? chance(5) : 5;

	add("          - {");
	if (proto < 5) {
		add("proto: %u", protos[proto]);
		if (proto < 3 && chance(10)) {
			uint16_t first = some_port(), last = some_port();

			if (chance(2))
				add(", ports: %u", first);
			else
				add(", ports: %u-%u", first < last ? first : last, first < last ? last : first);
		}
		if (proto == 3 && chance(10)) {
			add(", icmp_type: %u", chance(2) ? 9 : 10);
			if (chance(2))
				add(", icmp_code: %u", chance(3));
		}
	} else {
		add("proto: any");
	}
	if (chance(8)) {
		unsigned len = chance(3) ? 12 + chance(21) : chance(33);
		uint32_t addr = some_address(chance(3)) & (len ? ~0u << (32 - len) : 0);

		if (chance(3))
			add(", remote_ip: %u.%u.%u.%u/%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255,
			    len);
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
		add(", allowed_address_pairs: [10.0.0.0/8]");
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

static bool rule_fits(const struct gl_rule *rule, const struct gl_interface *remote, uint32_t addr_be, uint8_t proto,
		      uint16_t port)
{
	bool member = false, in_ports = !rule->port_count;

	for (size_t i = 0; rule->remote_group.s && i < remote->group_count; i++)
		member |= !strcmp(remote->groups[i].s, rule->remote_group.s);
	for (size_t i = 0; i < rule->port_count; i++)
		in_ports |= port >= rule->ports[i].first && port <= rule->ports[i].last;
	if (rule->remote_ip.family) {
		uint32_t prefix_be, mask = rule->remote_ip.len ? ~0u << (32 - rule->remote_ip.len) : 0;

		memcpy(&prefix_be, rule->remote_ip.bytes, 4);
		if ((ntohl(prefix_be) ^ ntohl(addr_be)) & mask)
			return false;
	}
	return (!rule->remote_group.s || member) && (rule->any_proto || (rule->proto == proto && in_ports));
}

/* One rule after the other. */
static bool may(const struct gl_tenant *tenant, const struct gl_interface *self, const struct gl_interface *remote,
		enum gl_direction direction, uint32_t addr_be, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < self->group_count; i++) {
		const struct gl_group *group = group_of(tenant, self->groups[i].s);

		if (direction == GL_EGRESS && !group->egress_given)
			return true;
		for (size_t k = 0; k < group->rule_count[direction]; k++)
			if (rule_fits(&group->rules[direction][k], remote, addr_be, proto, port))
				return true;
	}
	return !self->group_count;
}

static unsigned sent, refused[2];

/* The rule that the flow's entry names is one that fits. */
static bool named_rule_fits(const struct gl_tenant *tenant, const struct gl_interface *self,
			    const struct gl_interface *remote, enum gl_direction direction, uint32_t addr_be,
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
	       rule_fits(&group->rules[direction][a->number - 1], remote, addr_be, proto, port);
}

static bool ask(const struct gl_tenant *tenant, enum hook hook, uint16_t sport)
{
	unsigned s = chance(3), t = (s + 1 + chance(2)) % 3;
	const struct gl_interface *from = tenant->guests[s].interfaces, *to = tenant->guests[t].interfaces;
	uint32_t src_be = htonl(some_address(s)), dst_be;
	char src[INET_ADDRSTRLEN];
	struct frame f = { ETH(to->tap.s, from->tap.s), .src = src, .dst = to->tap.s, .proto = protos[chance(5)],
			   .len = 16 };
	uint64_t before = drops(from->tap.s, GL_DROP_GROUP_EGRESS);
	bool leaves, enters;
	enum verdict got;
	uint16_t port = 0;
	struct run run;

	memcpy(&dst_be, to->addresses[0].bytes, 4);
	inet_ntop(AF_INET, &src_be, src, sizeof(src));
	if (f.proto == 1) {
		f.type = 8 + chance(3);
		f.code = f.type == 8 ? 0 : chance(3);
		f.sport = sport;
		port = GL_ICMP_PORT(f.type, f.code);
	} else if (f.proto != 47) {
		port = some_port() + chance(3) - 1;
		f.sport = sport;
		f.dport = port;
		f.flags = SYN;
	}
	leaves = may(tenant, from, to, GL_EGRESS, dst_be, f.proto, port);
	enters = may(tenant, to, from, GL_INGRESS, src_be, f.proto, port);
	got = packet(from->tap.s, hook, &f, &run);
	before = drops(from->tap.s, GL_DROP_GROUP_EGRESS) - before;
	if (got != (leaves && enters ? SEND : DROP) || before != !leaves) {
		complain("protocol %u, port %u, from %s (%s) to %s: %s; its rules let it %s and %s", f.proto, port,
			 from->tap.s, src, to->tap.s, got == SEND ? "sent" : "dropped", leaves ? "leave" : "not leave",
			 enters ? "enter" : "not enter");
		return false;
	}
	if (got == SEND && (f.proto == 6 || f.proto == 17)) {
		struct flow flow;

		if (!flow_find("acme", f.proto, src, sport, to->tap.s, port, &flow) ||
		    !named_rule_fits(tenant, from, to, GL_EGRESS, dst_be, f.proto, port,
				     &flow.val.admitted[GL_EGRESS]) ||
		    !named_rule_fits(tenant, to, from, GL_INGRESS, src_be, f.proto, port,
				     &flow.val.admitted[GL_INGRESS])) {
			complain("protocol %u, port %u, from %s to %s: admitted by a rule that does not fit", f.proto,
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
		struct gl_definition *def = NULL;
		struct gl_diag diag = { 0 };
		bool good = true;

		random_definition();
		if (world_apply(text) || gl_definition_new(&def) || gl_parse(def, "random", text, text_len, &diag)) {
			complain("a random definition could not be applied");
			gl_definition_free(def);
			break;
		}
		flows_clear();
		for (unsigned i = 0; i < 150 && good; i++)
			good = ask(&def->tenants[0], hook, 1000 + i);
		if (!good)
			printf("%s", text);
		gl_definition_free(def);
		gl_diag_clear(&diag);
		if (!good)
			break;
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
