/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How are security groups, their rules and a tenant's timeouts read? Neighbours: parse.c (the objects around them),
 * parse_value.c (single values), validate_group.c (what rules name). */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "loader/parse.h"

/* A rule with what its keys say of each other, before they become one list of ports. */
struct raw_rule {
	struct gl_rule rule;
	struct gl_loc ports_loc, type_loc, code_loc, group_loc; /* line 0: no such key */
	uint32_t icmp_type, icmp_code;
	bool proto_bad;
};

/* ---- protocols ------------------------------------------------------------------------------------------------- */

struct proto_word {
	const char *name;
	uint8_t proto;
};

static const struct proto_word protos[] = {
	{ "tcp", IPPROTO_TCP },	      { "udp", IPPROTO_UDP },	{ "icmp", IPPROTO_ICMP },
	{ "icmpv6", IPPROTO_ICMPV6 }, { "sctp", IPPROTO_SCTP }, { NULL, 0 },
};

/* Names that people try; the rules take them as numbers. */
static const struct proto_word others[] = {
	{ "igmp", IPPROTO_IGMP },
	{ "ipip", IPPROTO_IPIP },
	{ "dccp", IPPROTO_DCCP },
	{ "gre", IPPROTO_GRE },
	{ "esp", IPPROTO_ESP },
	{ "ah", IPPROTO_AH },
	{ "eigrp", 88 },
	{ "ospf", 89 },
	{ "pim", IPPROTO_PIM },
	{ "vrrp", 112 },
	{ "carp", 112 },
	{ "l2tp", 115 },
	{ "ipv6", IPPROTO_IPV6 },
	{ "udplite", IPPROTO_UDPLITE },
	{ NULL, 0 },
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_word(const char *a, const char *b)
{
	for (; *a && lower(*a) == *b; a++)
		b++;
	return lower(*a) == *b;
}

/* One letter more, less or other, or two that changed places. `b` is in small letters. */
static bool near_word(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i = 0, tail = 0;

	while (i < la && i < lb && lower(a[i]) == b[i])
		i++;
	while (tail < la - i && tail < lb - i && lower(a[la - 1 - tail]) == b[lb - 1 - tail])
		tail++;
	la -= i + tail;
	lb -= i + tail;
	if (la == 2 && lb == 2)
		return lower(a[i]) == b[i + 1] && lower(a[i + 1]) == b[i];
	return la <= 1 && lb <= 1;
}

static void unknown_proto(struct gl_reader *r, const struct gl_node *node)
{
	char hint[64] = "", found[96];

	if (node->kind == GL_NODE_SCALAR) {
		for (const struct proto_word *p = others; p->name; p++) {
			if (same_word(node->text, p->name))
				snprintf(hint, sizeof(hint), "; %s is protocol %u", p->name, p->proto);
		}
		if (same_word(node->text, "icmp6") || same_word(node->text, "ipv6-icmp"))
			snprintf(hint, sizeof(hint), "; did you mean icmpv6?");
		if (same_word(node->text, "all") || same_word(node->text, "*"))
			snprintf(hint, sizeof(hint), "; did you mean any?");
		for (const struct proto_word *p = protos; p->name && !*hint; p++) {
			if (near_word(node->text, p->name))
				snprintf(hint, sizeof(hint), "; did you mean %s?", p->name);
		}
	}
	GL_REPORT(r, node->loc, "expected tcp, udp, icmp, icmpv6, sctp, any or a number from 0 to 255, found %s%s",
		  gl_describe(node, found), hint);
}

static void read_proto(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct raw_rule *raw = out;
	uint32_t number;

	raw->proto_bad = true;
	if (gl_is_number(node)) {
		if (!gl_read_int(r, node, 0, 255, &number))
			return;
		raw->rule.proto = (uint8_t)number;
	} else if (node->kind != GL_NODE_SCALAR || strcmp(node->text, "any")) {
		const struct proto_word *p = protos;

		while (p->name && (node->kind != GL_NODE_SCALAR || strcmp(node->text, p->name)))
			p++;
		if (!p->name) {
			unknown_proto(r, node);
			return;
		}
		raw->rule.proto = p->proto;
	} else {
		raw->proto_bad = false;
		return;
	}
	raw->rule.any_proto = false;
	raw->proto_bad = false;
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

static void read_rule_ports(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct raw_rule *raw = out;

	raw->ports_loc = node->loc;
	gl_read_ports(r, node, 1, &raw->rule.ports, &raw->rule.port_count);
}

static void read_icmp_type(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct raw_rule *raw = out;

	raw->type_loc = node->loc;
	gl_read_int(r, node, 0, 255, &raw->icmp_type);
}

static void read_icmp_code(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct raw_rule *raw = out;

	raw->code_loc = node->loc;
	gl_read_int(r, node, 0, 255, &raw->icmp_code);
}

static void read_remote_ip(struct gl_reader *r, const struct gl_node *node, void *out)
{
	gl_read_prefix(r, node, GL_FORM_EITHER, out);
}

static void read_remote_group(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct raw_rule *raw = out;

	raw->group_loc = node->loc;
	raw->rule.remote_group = (struct gl_string){ .s = gl_unread, .loc = node->loc };
	gl_read_name(r, node, &raw->rule.remote_group);
}

static void name_proto(const struct gl_rule *rule, char buf[16])
{
	const struct proto_word *p = protos;

	while (p->name && p->proto != rule->proto)
		p++;
	if (rule->any_proto)
		snprintf(buf, 16, "any");
	else if (p->name)
		snprintf(buf, 16, "%s", p->name);
	else
		snprintf(buf, 16, "%u", rule->proto);
}

/* What the keys say together; ICMP's type and code become ports. */
static void finish_rule(struct gl_reader *r, struct raw_rule *raw)
{
	struct gl_rule *rule = &raw->rule;
	bool ports = !rule->any_proto &&
		     (rule->proto == IPPROTO_TCP || rule->proto == IPPROTO_UDP || rule->proto == IPPROTO_SCTP);
	bool icmp = !rule->any_proto && (rule->proto == IPPROTO_ICMP || rule->proto == IPPROTO_ICMPV6);
	char name[16];

	name_proto(rule, name);
	if (raw->ports_loc.line && !ports && !raw->proto_bad)
		GL_REPORT(r, raw->ports_loc, "protocol %s has no ports; expected tcp, udp or sctp in a rule with ports",
			  name);
	if (raw->type_loc.line && !icmp && !raw->proto_bad)
		GL_REPORT(r, raw->type_loc,
			  "protocol %s has no ICMP types; expected icmp or icmpv6 in a rule with icmp_type", name);
	if (raw->code_loc.line && !raw->type_loc.line)
		GL_REPORT(r, raw->code_loc, "icmp_code stands alone; expected an icmp_type beside it");
	if (raw->group_loc.line && rule->remote_ip.loc.line)
		GL_REPORT(r, raw->group_loc,
			  "a rule has either remote_ip or remote_group; expected two rules where both are meant");
	if (!icmp || !raw->type_loc.line)
		return;
	rule->ports = gl_arena_array(r->arena, 1, sizeof(*rule->ports));
	if (!rule->ports) {
		r->err = -ENOMEM;
		return;
	}
	rule->port_count = 1;
	rule->ports->first = (uint16_t)GL_ICMP_PORT(raw->icmp_type, raw->icmp_code);
	rule->ports->last = raw->code_loc.line ? rule->ports->first : (uint16_t)GL_ICMP_PORT(raw->icmp_type, 0xff);
}

static void read_rules(struct gl_reader *r, const struct gl_node *node, struct gl_rule **ret, size_t *count)
{
	struct gl_rule *rules;

	if (!gl_expect_list(r, node, "a list, each item a rule"))
		return;
	rules = gl_arena_array(r->arena, node->count, sizeof(*rules));
	if (!rules) {
		r->err = -ENOMEM;
		return;
	}
	*ret = rules;
	*count = node->count;
	gl_weigh_objects(r, node->count);
	for (size_t i = 0; i < node->count && !r->err; i++) {
		struct raw_rule raw = { .rule = { .any_proto = true, .loc = node->items[i]->loc } };

		gl_read_object(r, node->items[i], GL_OBJECT_RULE, &raw);
		finish_rule(r, &raw);
		rules[i] = raw.rule;
	}
}

const struct gl_key gl_rule_keys[] = {
	{ "proto", false, read_proto, 0 },
	{ "ports", false, read_rule_ports, 0 },
	{ "icmp_type", false, read_icmp_type, 0 },
	{ "icmp_code", false, read_icmp_code, 0 },
	{ "remote_ip", false, read_remote_ip, offsetof(struct raw_rule, rule.remote_ip) },
	{ "remote_group", false, read_remote_group, 0 },
	{ NULL, false, NULL, 0 },
};

/* ---- groups ----------------------------------------------------------------------------------------------------- */

static void read_ingress(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_group *group = out;

	read_rules(r, node, &group->rules[GL_INGRESS], &group->rule_count[GL_INGRESS]);
}

static void read_egress(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_group *group = out;

	group->egress_given = true;
	read_rules(r, node, &group->rules[GL_EGRESS], &group->rule_count[GL_EGRESS]);
}

const struct gl_key gl_group_keys[] = {
	{ "name", true, gl_read_name, offsetof(struct gl_group, name) },
	{ "ingress", false, read_ingress, 0 },
	{ "egress", false, read_egress, 0 },
	{ NULL, false, NULL, 0 },
};

static void prepare_group(void *item, struct gl_loc loc)
{
	struct gl_group *group = item;

	group->loc = group->name.loc = loc;
	group->name.s = gl_unread;
}

void gl_read_groups(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_tenant *tenant = out;
	void *items = tenant->groups;

	gl_read_list(r, node, GL_OBJECT_GROUP, sizeof(*tenant->groups), prepare_group, &items, &tenant->group_count);
	tenant->groups = items;
}

void gl_read_group_names(struct gl_reader *r, const struct gl_node *node, void *out)
{
	struct gl_interface *interface = out;
	struct gl_string *names;

	if (!gl_expect_list(r, node, "a list of names of security groups"))
		return;
	if (node->count > GL_PORT_GROUPS) {
		GL_REPORT(r, node->loc, "%zu security groups; expected at most %d on one interface", node->count,
			  GL_PORT_GROUPS);
		return;
	}
	names = gl_arena_array(r->arena, node->count, sizeof(*names));
	if (!names) {
		r->err = -ENOMEM;
		return;
	}
	r->nodes += node->count;
	for (size_t i = 0; i < node->count && !r->err; i++) {
		names[i] = (struct gl_string){ .s = gl_unread, .loc = node->items[i]->loc };
		gl_read_name(r, node->items[i], &names[i]);
	}
	interface->groups = names;
	interface->group_count = node->count;
}

/* ---- timeouts --------------------------------------------------------------------------------------------------- */

static void read_seconds(struct gl_reader *r, const struct gl_node *node, void *out)
{
	gl_read_int(r, node, 1, GL_SECONDS_MOST, out);
}

void gl_read_timeouts(struct gl_reader *r, const struct gl_node *node, void *out)
{
	gl_read_object(r, node, GL_OBJECT_TIMEOUTS, out);
}

#define TIMEOUT(name, which)                                                                                           \
	{                                                                                                              \
		name, false, read_seconds, offsetof(struct gl_tenant, timeout) + (which) * sizeof(uint32_t)            \
	}
const struct gl_key gl_timeout_keys[] = {
	TIMEOUT("tcp_opening", GL_TIMEOUT_TCP_OPENING),
	TIMEOUT("tcp_established", GL_TIMEOUT_TCP_ESTABLISHED),
	TIMEOUT("tcp_closing", GL_TIMEOUT_TCP_CLOSING),
	TIMEOUT("tcp_closed", GL_TIMEOUT_TCP_CLOSED),
	TIMEOUT("udp", GL_TIMEOUT_UDP),
	TIMEOUT("udp_assured", GL_TIMEOUT_UDP_ASSURED),
	TIMEOUT("icmp", GL_TIMEOUT_ICMP),
	TIMEOUT("other", GL_TIMEOUT_OTHER),
	{ NULL, false, NULL, 0 },
};
